//! What the far side does not do or will not have, in rsync's own words; what to change then is for `advice`.
//!
//! Owns the table of these words, and is the only place that reads them. A version number says little: what is
//! refused depends on the far side's configuration and on the patches of its distribution, so it is learned from
//! what is said. Pure; `outcome` asks.

use super::exit::{says, visible, Exit, ExitStatus};

/// What of a run's words is to blame for its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// None that could be left out.
    No,
    /// Perhaps those that delete in the run that sends: the exit code is one of those with which a side ends that
    /// does not take `--delete-missing-args`. A race between the list and the file system may end with it as well.
    Perhaps,
    /// Those that delete in the run that sends. The far side has said so.
    Combined,
    /// Those that delete, in whatever run. The far side has said so.
    Deleting,
}

impl Blame {
    /// What is to blame for this exit.
    pub(super) fn of(exit: &Exit) -> Blame {
        if !matches!(exit.status, ExitStatus::Code(1 | 2 | 4 | 10 | 12)) {
            return Blame::No;
        }
        let mut meanings = exit.stderr.split(|&byte| byte == b'\n').filter_map(meaning);
        match meanings.find(|meaning| *meaning != LimitReached) {
            Some(NoCombined) => Blame::Combined,
            Some(NoDeleting) => Blame::Deleting,
            Some(NotOurs | LimitReached) => Blame::No,
            None => Blame::Perhaps,
        }
    }

    /// Whether the far side has said so itself.
    pub fn is_certain(self) -> bool {
        match self {
            Blame::No | Blame::Perhaps => false,
            Blame::Combined | Blame::Deleting => true,
        }
    }
}

/// Why something stays over there as it is. It would stay at the next try as well, so nothing of it is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The user's own `--max-delete` keeps a run from deleting more. A daemon's client ends with 0 then, and one that
    /// saw a file vanish with 24.
    Limit,
    /// The module leaves it out, by `exclude` and the like.
    Excluded,
    /// It has arrived, but its times, its mode or its owner are not the far side's to set.
    Attributes,
}

/// Why something stays as it is after this exit: each reason once, with the line that told it first.
pub(super) fn unwanted_by(exit: &Exit) -> Vec<(Why, String)> {
    let mut all: Vec<(Why, String)> = Vec::new();
    let mut add = |why, line| {
        if !all.iter().any(|(known, _)| *known == why) {
            all.push((why, visible(line)));
        }
    };
    if exit.status == ExitStatus::Code(25) {
        add(Why::Limit, b"");
    }
    for line in exit.stderr.split(|&byte| byte == b'\n') {
        if meaning(line) == Some(LimitReached) {
            add(Why::Limit, line);
        } else if let Some(why) = unwanted(line) {
            add(why, line);
        }
    }
    all
}

/// Why what a line names stays as it is. What stands in quotes is a name, and may be any words.
pub(super) fn unwanted(line: &[u8]) -> Option<Why> {
    let quotes = |byte: &u8| *byte == b'"';
    let start = &line[..line.iter().position(quotes)?];
    let end = &line[line.iter().rposition(quotes)?..];
    let is = |words: &[u8]| start.starts_with(words);
    let sets = |words: &str| start.starts_with(b"rsync: ") && says(start, words);
    if EXCLUDED.iter().any(|words| is(words)) {
        Some(Why::Excluded)
    } else if ATTRIBUTES.iter().any(|words| sets(words)) && end.ends_with(NOT_PERMITTED) {
        Some(Why::Attributes)
    } else {
        None
    }
}

/// How a line begins that names what the module leaves out: rsync 3.0 to 3.5, and before.
const EXCLUDED: &[&[u8]] = &[b"ERROR: daemon refused to receive ", b"skipping server-excluded "];
/// What could not be set on what is named behind it: rsync 2.6.9 to 3.5.
const ATTRIBUTES: &[&str] =
    &["failed to set times on ", "failed to set permissions on ", "chown ", "chgrp "];
/// Other errors may go away by themselves: those of a disk that is read-only now.
const NOT_PERMITTED: &[u8] = b"Operation not permitted (1)";

/// Whether all that a run met that ended with 23 is of this kind.
pub(super) fn is_nothing_but_unwanted(exit: &Exit) -> bool {
    let mut lines = exit.stderr.split(|&byte| byte == b'\n');
    !exit.is_cut
        && lines.all(|line| {
            line.is_empty()
                || unwanted(line).is_some()
                || NO_FAILURE.iter().any(|words| line.starts_with(words))
        })
}

/// How a line begins that tells of no failure of its own.
const NO_FAILURE: &[&[u8]] =
    &[b"rsync error: ", b"file has vanished: ", b"*** Skipping any contents ", b"skipping non-reg"];

/// What a line of standard error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It does not take the words that delete in the run that sends.
    NoCombined,
    /// It deletes nothing, by whatever words.
    NoDeleting,
    /// It refuses something that is no matter of deletions.
    NotOurs,
    /// It has deleted as much as the user's `--max-delete` allows, and left the rest.
    LimitReached,
}
use Meaning::{LimitReached, NoCombined, NoDeleting, NotOurs};

/// What a line holds (in lower case, all of it), the versions of rsync in which that was seen, and what it means.
/// The first that fits is taken, so that what is more special stands before what is more general.
const LINES: &[(&[&str], &str, Meaning)] = &[
    // Of a module that refuses `delete`, whichever option it was that deletes.
    (&["configured to refuse --delete-missing-args"], "3.1.2 to 3.5.0", NoCombined),
    (&["configured to refuse --delete"], "3.1.2 to 3.5.0", NoDeleting),
    // Both ways of deleting need it for directories.
    (&["configured to refuse --force"], "3.1.2 to 3.5.0", NoDeleting),
    (&["configured to refuse --"], "3.1.2 to 3.5.0", NotOurs),
    (&["refused by server", "delete-missing-args"], "before 3.1.2", NoCombined),
    (&["refused by server", "delete"], "before 3.1.2", NoDeleting),
    (&["refused by server", "force"], "before 3.1.2", NoDeleting),
    (&["refused by server"], "before 3.1.2", NotOurs),
    // Of a path that is missing here, to a side that expects none: 3.2.7-1+deb12u6, 3.4.1 with its security patches
    // and 3.4.3, whatever is configured; others where the module refuses `delete-missing-args` or `delete*`.
    (&["invalid file mode 00"], "3.2.7 to 3.5.0", NoCombined),
    (&["unknown option"], "2.6.9 to 3.5.0", NoCombined),
    (&["deletions stopped due to --max-delete limit"], "3.0.9 to 3.5.0", LimitReached),
];

/// What a line means, if it has a meaning.
fn meaning(line: &[u8]) -> Option<Meaning> {
    let fits = |words: &[&str]| words.iter().all(|words| says(line, words));
    LINES.iter().find(|(words, ..)| fits(words)).map(|&(.., meaning)| meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What whole lines mean, as they were seen: with code 4 from a module's `refuse options`, with 2 from Debian 12,
    /// with 10 from 2.6.9 and 3.0.9.
    #[test]
    fn what_a_side_says_that_refuses_something() {
        const RESET: &str = "rsync: [sender] read error: Connection reset by peer (104)\n";
        for (code, line, expected) in [
            (4, "rsync: The server is configured to refuse --delete\n", Blame::Deleting),
            (4, "rsync: The server is configured to refuse --delete (no. 1)\n", Blame::Deleting),
            (4, "rsync: The server is configured to refuse --force\n", Blame::Deleting),
            (4, "rsync: The server is configured to refuse --checksum (-c)\n", Blame::No),
            (
                4,
                "rsync: The server is configured to refuse --delete-missing-args\n",
                Blame::Combined,
            ),
            (4, "rsync: option --delete refused by server\n", Blame::Deleting),
            (4, "rsync: option --timeout refused by server\n", Blame::No),
            (
                2,
                "invalid file mode 00 for d/f [Receiver]\n\
                 rsync error: protocol incompatibility (code 2) at flist.c(874) [Receiver=3.2.7]\n",
                Blame::Combined,
            ),
            (
                10,
                "rsync: on remote machine: --delete-missing-args: unknown option\n",
                Blame::Combined,
            ),
            (12, "rsync: connection unexpectedly closed\n", Blame::Perhaps),
            (2, "", Blame::Perhaps),
            // The name of a file that could not be read.
            (23, "rsync: [sender] send_files failed to open \"/w/unknown option\": x\n", Blame::No),
            (30, "rsync: on remote machine: --x: unknown option\n", Blame::No),
        ] {
            let exit = Exit::with_code(code, &[RESET, line].concat());
            assert_eq!(Blame::of(&exit), expected, "{code} {line}");
            assert_eq!(unwanted_by(&exit), [], "{code} {line}");
        }
    }

    #[test]
    fn a_limit_of_the_users_is_known_by_the_code_or_by_what_is_said() {
        const SAID: &str = "Deletions stopped due to --max-delete limit (5 skipped)\n";
        for (code, said, expected) in
            [(25, "", true), (0, SAID, true), (24, SAID, true), (23, SAID, true), (0, "", false)]
        {
            let exit = Exit::with_code(code, said);
            assert_eq!(unwanted_by(&exit).len(), usize::from(expected), "{code} {said}");
            assert_eq!(Blame::of(&exit), Blame::No);
        }
    }

    #[test]
    fn what_the_far_side_will_not_have_is_told_from_what_failed() {
        use Why::{Attributes, Excluded};
        for (line, expected) in [
            ("ERROR: daemon refused to receive file \"b.log\"", Some(Excluded)),
            ("ERROR: daemon refused to receive directory \"x.log\"", Some(Excluded)),
            ("skipping server-excluded file \"b.log\"", Some(Excluded)),
            (
                "rsync: [generator] failed to set times on \".\" (in m8): Operation not permitted (1)",
                Some(Attributes),
            ),
            (
                "rsync: failed to set permissions on \"/.\" (in m): Operation not permitted (1)",
                Some(Attributes),
            ),
            (
                "rsync: [receiver] chown \"a\" (in m) failed: Operation not permitted (1)",
                Some(Attributes),
            ),
            ("rsync: chgrp \"/a\" (in m) failed: Operation not permitted (1)", Some(Attributes)),
            ("rsync: failed to set times on \"a\": Read-only file system (30)", None),
            ("rsync: [receiver] mkstemp \".a.aBcDeF\" failed: Operation not permitted (1)", None),
            // Names that are made to look like it.
            (
                "rsync: opendir \"failed to set times on \": Operation not permitted (1)\" failed: x (13)",
                None,
            ),
            ("rsync: opendir \"ERROR: daemon refused to receive \" failed: x (13)", None),
            ("rsync error: some files/attrs were not transferred (code 23)", None),
        ] {
            assert_eq!(unwanted(line.as_bytes()), expected, "{line}");
            let all = |more: &str| {
                is_nothing_but_unwanted(&Exit::with_code(23, &format!("{more}{line}\n")))
            };
            assert!(!all("rsync: opendir \"x\" failed: x (13)\n"));
            assert_eq!(all(""), expected.is_some() || line.starts_with("rsync error"), "{line}");
        }
    }

    #[test]
    fn each_line_is_in_lower_case_and_reached() {
        for (number, (words, versions, _)) in LINES.iter().enumerate() {
            let line = words.join(" ");
            assert_eq!(line, line.to_lowercase());
            assert!(!versions.is_empty());
            let fits = |(words, ..): &(&[&str], &str, Meaning)| {
                words.iter().all(|words| says(line.as_bytes(), words))
            };
            assert_eq!(LINES.iter().position(fits), Some(number), "{line} is hidden");
        }
    }
}
