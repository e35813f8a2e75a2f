//! What the options in `commonParams` would do to a run.
//!
//! Owns the judgement of rsync options that the user gave: those that would take the place of the
//! path lists, do something else than sync, or remove the source are refused; those that lose
//! changes in silence earn a warning. The words themselves are passed on as they are. `read` calls it.

use super::text;
use super::xml::shown;
use crate::rsync::asked::params::{LONG_WITH_VALUE, SHORT_WITH_VALUE};

/// What there is to say about an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Refuse(&'static str),
    Warn(&'static str),
    /// A warning if no remote shell was asked for.
    WarnWithoutSsh(&'static str),
}
use Verdict::{Refuse, Warn, WarnWithoutSsh};

/// What [`judge`] found, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// Why no run can have these options: the first reason.
    pub refused: Option<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

const LISTS: &str = "the program gives rsync its own list of paths there";
const REMOVES: &str = "it removes the files that are to be mirrored";
const NO_SYNC: &str = "with it rsync does something else than sync";
const UPDATE: &str = "a file that is replaced by an older one, or is newer on the remote, \
                      is never updated; leave it out unless the remote's files are edited there";
const SHELL: &str =
    "with ssh off it still forces a remote shell, and the rsync daemon is not used; \
                     turn ssh on or leave it out";
const EXCLUDED: &str = "real-time runs leave it out, only full syncs delete what is excluded";
const DRY_RUN: &str = "with it rsync only tells what it would do, and nothing is synced";

/// Options by their letter, and by their long name.
const VERDICTS: &[(Option<u8>, &str, Verdict)] = &[
    (None, "files-from", Refuse(LISTS)),
    (Some(b'0'), "from0", Refuse(LISTS)),
    (None, "remove-source-files", Refuse(REMOVES)),
    (None, "remove-sent-files", Refuse(REMOVES)),
    (None, "daemon", Refuse(NO_SYNC)),
    (None, "server", Refuse(NO_SYNC)),
    (None, "list-only", Refuse(NO_SYNC)),
    (None, "read-batch", Refuse(NO_SYNC)),
    (None, "only-write-batch", Refuse(NO_SYNC)),
    (None, "help", Refuse(NO_SYNC)),
    (Some(b'V'), "version", Refuse(NO_SYNC)),
    (Some(b'n'), "dry-run", Warn(DRY_RUN)),
    (Some(b'u'), "update", Warn(UPDATE)),
    (None, "delete-excluded", Warn(EXCLUDED)),
    (Some(b'e'), "rsh", WarnWithoutSsh(SHELL)),
];

/// The long options whose value may name standard input as `-`.
const NAMES_READING_FILES: &[&str] = &["exclude-from", "include-from", "password-file"];

/// Judges the words of `commonParams`; `ssh` is whether `ssh start` is true.
pub(super) fn judge(words: &[Vec<u8>], ssh: bool) -> Judgement {
    let mut judgement = Judgement::default();
    let mut words = words.iter().map(Vec::as_slice);
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix(b"--") {
            judgement.long_option(long, &mut words, ssh);
        } else if let (Some(b'-'), Some(_)) = (word.first(), word.get(1)) {
            judgement.cluster(&word[1..], &mut words, ssh);
        } else {
            judgement.refuse(word, "is no option: rsync would take it for another source");
        }
    }
    judgement
}

impl Judgement {
    fn refuse(&mut self, option: &[u8], why: &str) {
        let sentence = format!("{} {why}", shown(&text::decode(option)));
        self.refused.get_or_insert(sentence);
    }

    fn long_option<'a>(
        &mut self,
        option: &[u8],
        next_words: &mut impl Iterator<Item = &'a [u8]>,
        ssh: bool,
    ) {
        let (name, value) = match option.iter().position(|&byte| byte == b'=') {
            Some(equals) => (&option[..equals], Some(&option[equals + 1..])),
            None => (option, None),
        };
        let shown = [b"--", name].concat();
        if name.is_empty() {
            return self.refuse(&shown, "ends the options, and the program has to add its own");
        }
        let is = |known: &&str| known.as_bytes() == name;
        let value = match value {
            None if LONG_WITH_VALUE.iter().any(is) => next_words.next(),
            written => written,
        };
        let verdict = VERDICTS.iter().find(|(_, known, _)| is(known));
        if let Some((_, _, verdict)) = verdict {
            self.apply(&shown, *verdict, ssh);
        }
        let reads_input = match value {
            Some(b"-") => NAMES_READING_FILES.iter().any(is),
            Some(rule) => name == b"filter" && merges_standard_input(rule),
            None => false,
        };
        if reads_input {
            self.apply(
                &shown,
                Refuse("with - reads standard input, where the paths come from"),
                ssh,
            );
        }
    }

    fn cluster<'a>(
        &mut self,
        letters: &[u8],
        next_words: &mut impl Iterator<Item = &'a [u8]>,
        ssh: bool,
    ) {
        for (index, &letter) in letters.iter().enumerate() {
            let verdict = VERDICTS.iter().find(|(known, _, _)| *known == Some(letter));
            if let Some((_, _, verdict)) = verdict {
                self.apply(&[b'-', letter], *verdict, ssh);
            }
            if SHORT_WITH_VALUE.contains(&letter) {
                let rest = &letters[index + 1..];
                let value = if rest.is_empty() { next_words.next() } else { Some(rest) };
                if letter == b'f' && value.is_some_and(merges_standard_input) {
                    self.refuse(b"-f", "with - reads standard input, where the paths come from");
                }
                return;
            }
        }
    }

    fn apply(&mut self, option: &[u8], verdict: Verdict, ssh: bool) {
        match verdict {
            Refuse(why) => self.refuse(option, &format!("cannot be used: {why}")),
            WarnWithoutSsh(_) if ssh => {}
            Warn(why) | WarnWithoutSsh(why) => {
                self.warnings.push(format!("{}: {why}", shown(&text::decode(option))));
            }
        }
    }
}

/// Whether a filter rule is a merge of standard input: `. -`, `merge -`, `merge,e -`, `.e_-`.
fn merges_standard_input(rule: &[u8]) -> bool {
    let Some(merge) = rule.strip_prefix(b"merge").or_else(|| rule.strip_prefix(b".")) else {
        return false;
    };
    let modifiers_end = merge.iter().position(|byte| matches!(byte, b' ' | b'_'));
    modifiers_end.is_some_and(|end| merge[end + 1..].trim_ascii() == b"-")
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;

    fn judged(params: &str, ssh: bool) -> Judgement {
        judge(&words::split(params.as_bytes()).unwrap(), ssh)
    }

    #[test]
    fn options_that_would_break_a_run_are_refused() {
        let cases = [
            ("--files-from=/x", "--files-from cannot be used"),
            ("--files-from /x", "--files-from cannot be used"),
            ("-a --from0", "--from0 cannot be used"),
            ("-0", "-0 cannot be used"),
            ("-artz0", "-0 cannot be used"),
            ("--include-from=-", "--include-from cannot be used: with - reads standard input"),
            ("--exclude-from -", "--exclude-from cannot be used"),
            ("--password-file=-", "--password-file cannot be used"),
            ("--filter='. -'", "--filter cannot be used"),
            ("--filter 'merge -'", "--filter cannot be used"),
            ("--filter='merge,e- -'", "--filter cannot be used"),
            ("-f '._-'", "-f with - reads"),
            ("-af'. -'", "-f with - reads"),
            ("--remove-source-files", "--remove-source-files cannot be used: it removes"),
            ("--remove-sent-files", "--remove-sent-files cannot be used"),
            ("--daemon", "--daemon cannot be used"),
            ("--server", "--server cannot be used"),
            ("--list-only", "--list-only cannot be used"),
            ("--read-batch=x", "--read-batch cannot be used"),
            ("--help", "--help cannot be used"),
            ("--version", "--version cannot be used"),
            ("-artz /data", "/data is no option"),
            ("-artz >/dev/null", ">/dev/null is no option"),
            ("-artz -", "- is no option"),
            ("-artz ''", " is no option"),
            ("-artz --", "-- ends the options"),
        ];
        for (params, expected) in cases {
            let refused = judged(params, false).refused.unwrap_or_default();
            assert!(refused.starts_with(expected), "{params}: {refused:?}");
        }
    }

    #[test]
    fn options_that_lose_changes_earn_a_warning() {
        let cases = [
            ("-artuz", false, "-u: a file that is replaced by an older one"),
            ("-a --update", false, "--update: "),
            ("--delete-excluded", false, "--delete-excluded: real-time runs"),
            ("-a -e ssh", false, "-e: with ssh off"),
            ("-ae 'ssh -p 22'", false, "-e: with ssh off"),
            ("--rsh=ssh", false, "--rsh: with ssh off"),
            ("-an", false, "-n: with it rsync only tells"),
        ];
        for (params, ssh, expected) in cases {
            let judgement = judged(params, ssh);
            assert_eq!(judgement.refused, None, "{params}");
            assert_eq!(judgement.warnings.len(), 1, "{params}");
            assert!(judgement.warnings[0].starts_with(expected), "{params}: {judgement:?}");
        }
    }

    #[test]
    fn values_are_not_taken_for_options() {
        let cases = [
            ("-artz", false),
            ("-artz --bwlimit=100 --exclude=-u", false),
            ("--exclude -u --include --update", false),
            ("-e 'ssh -u' --rsh 'ssh -0'", true),
            ("-eu0", true),
            ("-T u -B 700 --temp-dir /tmp", false),
            ("--exclude-from=/x --filter='- *.o' -f 'merge /x'", false),
            ("--filter='dir-merge -' --exclude=-", false),
            ("-h --no-perms --numeric-ids", false),
        ];
        for (params, ssh) in cases {
            assert_eq!(judged(params, ssh), Judgement::default(), "{params}");
        }
    }
}
