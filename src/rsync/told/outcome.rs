//! What the exit of an rsync run means for its job.
//!
//! Owns the table of exit codes. The meaning is decided once, with [`Outcome::of`], by whoever ran
//! rsync; everybody else is handed the value: the engine keeps, repeats or gives up by it, the log
//! tells it. Pure.

use super::exit::{Exit, ExitStatus};
use super::login::{Login, Obstacle};
use super::unwanted::{self, Blame, Why};
use super::{advice, reason};
use std::io::{self, ErrorKind};

/// What an exit means for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to run: of the paths that should have been sent, none is there any more.
    Nothing,
    /// The remote is equal.
    Done,
    /// It is equal, but for what stays there as it is, for these reasons, each with the line that told it.
    Unwanted(Vec<(Why, String)>),
    /// Some paths are not equal.
    Partial(Failure),
    /// The remote, or the way to it, does not work now. It may later, without anyone's doing.
    Unreachable(Failure),
    /// It cannot work before someone changes something.
    Refused(Failure),
    /// A directory cannot be entered: the root or, if that is still what it was, one of the far side.
    NoDirectory(Failure),
    /// The root is not the directory that it was at start, so nothing was run, or nothing that counts.
    RootChanged,
}

/// Why a run did not get everything through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How its process ended.
    pub status: ExitStatus,
    /// The most telling line of standard error, or else what the status says.
    pub reason: String,
    /// What to change, if that is known; one sentence.
    pub advice: Option<String>,
    /// The paths, relative to the root, that it said did not get through; empty if it did not say, or
    /// not reliably.
    pub named: Vec<Vec<u8>>,
    /// There is nothing behind these: they are files here. Of a directory rsync names only itself.
    pub only_files: bool,
    /// Which of its words are to blame, if the far side does not take all of them.
    pub blame: Blame,
    /// The user's own `--max-delete` was reached: what was to be deleted beyond it stays there.
    pub limited: bool,
    /// The far side ended the run at a file that it could not write, most often for lack of room. What
    /// came after that file in the list was not looked at; it may well fit. The far side's 11 gets to
    /// this side from protocol 31 (3.1.0) on; before, the connection is lost, or the run is ended for
    /// going on when all is over.
    pub is_cut_short: bool,
    /// A module refused the run because it has as many connections as it may have.
    pub connections_used_up: bool,
}

/// The outcomes that an exit can have by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Done,
    Unwanted,
    Partial,
    Unreachable,
    Refused,
    NoDirectory,
}
use Kind::{Done, NoDirectory, Partial, Refused, Unreachable, Unwanted};

/// The exit codes of rsync's manual, of ssh (255) and of shells (126, 127): what each means, unless
/// standard error tells more ([`is_refusal`]), and what is said of it where standard error is empty.
const CODES: &[(i32, Kind, &str)] = &[
    (0, Done, ""),
    (1, Refused, "it does not know its own options"),
    (2, Refused, "the two ends do not understand each other"),
    (3, NoDirectory, "a directory cannot be entered"),
    (4, Refused, "not supported by this rsync or its far side"),
    (5, Unreachable, "the far side did not let it begin"),
    (6, Unreachable, "the far side cannot write its log"),
    (10, Unreachable, "the connection failed"),
    (11, Unreachable, "a file could not be read or written"),
    (12, Unreachable, "the connection broke"),
    (13, Unreachable, "the far side's error messages broke off"),
    (14, Unreachable, "its parts lost each other"),
    (20, Unreachable, "ended by a signal"),
    (21, Unreachable, "out of memory or processes"),
    (22, Unreachable, "out of memory or processes"),
    (23, Partial, "some files did not get through"),
    // Some files vanished before they could be sent. They have events of their own.
    (24, Done, ""),
    // --max-delete of the user's parameters.
    (25, Unwanted, ""),
    (30, Unreachable, "no data in the time of --timeout"),
    (35, Unreachable, "the daemon did not answer in time"),
    (126, Refused, "rsync or ssh cannot be run"),
    (127, Refused, "rsync or ssh is not there"),
    (255, Unreachable, "ssh could not connect"),
];
/// Of whatever a later rsync adds: nothing is lost by trying again.
const ANY_OTHER: (Kind, &str) = (Unreachable, "it does not say why");

impl Outcome {
    /// What an exit means. `login` is that of a remote which is reached over SSH.
    pub fn of(exit: &Exit, login: Option<&Login>) -> Outcome {
        let failure = || Failure {
            status: exit.status,
            reason: reason::of(&exit.stderr).unwrap_or_else(|| described(exit.status)),
            advice: advice::of(exit, login),
            named: Vec::new(),
            only_files: false,
            blame: Blame::of(exit),
            limited: has_limit(&unwanted::unwanted_by(exit)),
            is_cut_short: exit.says("write failed on "),
            connections_used_up: exit.says("max connections"),
        };
        match kind(exit) {
            Done => Outcome::Done,
            Unwanted => Outcome::Unwanted(unwanted::unwanted_by(exit)),
            Partial => Outcome::Partial(failure()),
            Unreachable => Outcome::Unreachable(failure()),
            Refused => Outcome::Refused(failure()),
            NoDirectory => Outcome::NoDirectory(failure()),
        }
    }

    /// Of paths that could not be looked at on this side, so that nothing was run for them.
    pub fn not_looked_at(paths: Vec<Vec<u8>>, error: &io::Error) -> Outcome {
        Outcome::Partial(Failure {
            status: ExitStatus::NotStarted(error.kind()),
            reason: format!("cannot look at it: {error}"),
            advice: None,
            named: paths,
            only_files: false,
            blame: Blame::No,
            limited: false,
            is_cut_short: false,
            connections_used_up: false,
        })
    }

    /// The same; these are the paths that it named, if it failed, and whether all of them are files here.
    pub fn naming(mut self, paths: impl FnOnce() -> (Vec<Vec<u8>>, bool)) -> Outcome {
        if let Outcome::Partial(failure)
        | Outcome::Unreachable(failure)
        | Outcome::Refused(failure)
        | Outcome::NoDirectory(failure) = &mut self
        {
            (failure.named, failure.only_files) = paths();
            failure.only_files &= !failure.named.is_empty();
        }
        self
    }

    /// Why not everything got through, if that is rsync's to say.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Partial(failure)
            | Outcome::Unreachable(failure)
            | Outcome::Refused(failure)
            | Outcome::NoDirectory(failure) => Some(failure),
            Outcome::Nothing | Outcome::Done | Outcome::Unwanted(_) | Outcome::RootChanged => None,
        }
    }

    /// Whether everything got through, or everything but single paths.
    pub fn gets_through(&self) -> bool {
        self.rank() <= RANK_PARTIAL
    }

    /// The outcome of a job, of two of its runs: the worse one counts, and what both have left out adds
    /// up.
    pub fn and(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::Partial(mut one), Outcome::Partial(other)) => {
                // One that names nothing may mean anything.
                if one.named.is_empty() || other.named.is_empty() {
                    one.named.clear();
                } else {
                    one.named.extend(other.named);
                }
                one.limited |= other.limited;
                one.only_files &= other.only_files;
                Outcome::Partial(one)
            }
            (Outcome::Partial(mut failure), Outcome::Unwanted(whys))
            | (Outcome::Unwanted(whys), Outcome::Partial(mut failure)) => {
                failure.limited |= has_limit(&whys);
                Outcome::Partial(failure)
            }
            (Outcome::Unwanted(mut one), Outcome::Unwanted(other)) => {
                one.extend(other);
                Outcome::Unwanted(one)
            }
            (one, other) if other.rank() > one.rank() => other,
            (one, _) => one,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Outcome::Nothing => 0,
            Outcome::Done => 1,
            Outcome::Unwanted(_) => 2,
            Outcome::Partial(_) => RANK_PARTIAL,
            Outcome::Unreachable(_) | Outcome::Refused(_) | Outcome::NoDirectory(_) => 4,
            Outcome::RootChanged => 5,
        }
    }
}

fn has_limit(whys: &[(Why, String)]) -> bool {
    whys.iter().any(|(why, _)| *why == Why::Limit)
}

/// Up to here something got through.
const RANK_PARTIAL: u8 = 3;

fn kind(exit: &Exit) -> Kind {
    match exit.status {
        ExitStatus::Code(code) if is_refusal(code, exit) => Refused,
        ExitStatus::Code(code) => {
            let whys = unwanted::unwanted_by(exit);
            let kind = row(code).0;
            let nothing_else = || !whys.is_empty() && unwanted::is_nothing_but_unwanted(exit);
            if kind == Done && has_limit(&whys) || kind == Partial && nothing_else() {
                return Unwanted;
            }
            kind
        }
        ExitStatus::Signal(_) => Unreachable,
        // No such program, or no right to run it, stays so.
        ExitStatus::NotStarted(ErrorKind::NotFound | ErrorKind::PermissionDenied) => Refused,
        // A full process table does not.
        ExitStatus::NotStarted(_) => Unreachable,
    }
}

/// Whether standard error tells that something has to be changed, where the exit code leaves it open.
fn is_refusal(code: i32, exit: &Exit) -> bool {
    match code {
        5 => exit.says("auth failed") || exit.says("unknown module"),
        // The far side has no rsync: mostly 127, but 12 if the connection was seen to end first.
        12 if advice::is_to_install(exit) => true,
        // ssh could not be started, or ended before rsync's protocol began.
        12 | 14 | 255 => Obstacle::of(exit).is_some(),
        _ => false,
    }
}

fn row(code: i32) -> (Kind, &'static str) {
    let row = CODES.iter().find(|(other, ..)| *other == code);
    row.map_or(ANY_OTHER, |&(_, kind, words)| (kind, words))
}

fn described(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => row(code).1.to_string(),
        ExitStatus::Signal(_) => "by somebody, or by the kernel for lack of memory".to_string(),
        ExitStatus::NotStarted(ErrorKind::NotFound) => "there is no rsync in PATH".to_string(),
        ExitStatus::NotStarted(ErrorKind::WouldBlock) => {
            "no further process is allowed".to_string()
        }
        ExitStatus::NotStarted(kind) => format!("rsync could not be started: {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32, stderr: &str) -> Outcome {
        Outcome::of(&Exit::with_code(code, stderr), None)
    }

    #[test]
    fn every_exit_code_has_its_outcome() {
        use Blame::{No, Perhaps};
        for (code, expected, blame) in [
            (0, Done, No),
            (1, Refused, Perhaps),
            (2, Refused, Perhaps),
            (3, NoDirectory, No),
            (4, Refused, Perhaps),
            (5, Unreachable, No),
            (6, Unreachable, No),
            (10, Unreachable, Perhaps),
            (11, Unreachable, No),
            (12, Unreachable, Perhaps),
            (13, Unreachable, No),
            (14, Unreachable, No),
            (20, Unreachable, No),
            (21, Unreachable, No),
            (22, Unreachable, No),
            (23, Partial, No),
            (24, Done, No),
            (25, Unwanted, No),
            (30, Unreachable, No),
            (35, Unreachable, No),
            (126, Refused, No),
            (127, Refused, No),
            (255, Unreachable, No),
            (99, Unreachable, No),
        ] {
            let outcome = of(code, "");
            assert_eq!(kind_of(&outcome), expected, "{code}");
            let failure = outcome.failure();
            assert_eq!(failure.map_or(No, |failure| failure.blame), blame, "{code}");
            assert!(failure.is_none_or(|failure| !failure.reason.is_empty()), "{code}");
        }
    }

    #[test]
    fn what_a_signal_ended_and_what_was_not_started_have_their_outcomes() {
        for (status, expected) in [
            (ExitStatus::Signal(9), Unreachable),
            (ExitStatus::NotStarted(ErrorKind::NotFound), Refused),
            (ExitStatus::NotStarted(ErrorKind::PermissionDenied), Refused),
            (ExitStatus::NotStarted(ErrorKind::WouldBlock), Unreachable),
        ] {
            let exit = Exit { status, ..Exit::with_code(0, "") };
            let outcome = Outcome::of(&exit, None);
            assert_eq!(kind_of(&outcome), expected, "{status:?}");
            assert_eq!(outcome.failure().unwrap().blame, Blame::No);
        }
    }

    fn kind_of(outcome: &Outcome) -> Kind {
        match outcome {
            Outcome::Done => Done,
            Outcome::Unwanted(_) => Unwanted,
            Outcome::Partial(_) => Partial,
            Outcome::Unreachable(_) => Unreachable,
            Outcome::Refused(_) => Refused,
            Outcome::NoDirectory(_) => NoDirectory,
            Outcome::Nothing | Outcome::RootChanged => panic!("no exit means {outcome:?}"),
        }
    }

    /// Standard error as rsync 3.5.0, OpenSSH and shells write it, shortened to one line where more
    /// say the same: exit code, text, outcome, words of the advice, the reason.
    const ENDS: &[(i32, &str, Kind, &str, &str)] = &[
        (
            5,
            "@ERROR: auth failed on module auth\nrsync error: error starting client-server protocol (code 5) at main.c(1954) [sender=3.5.0]\n",
            Refused,
            "secrets file",
            "@ERROR: auth failed on module auth",
        ),
        (5, "@ERROR: Unknown module 'nix'\nrsync error: x\n", Refused, "rsyncd.conf", "@ERROR: Unknown module 'nix'"),
        (
            5,
            "rsync: [sender] read error: Connection reset by peer (104)\n@ERROR: max connections (4) reached -- try again later\n",
            Unreachable,
            "max connections",
            "@ERROR: max connections (4) reached -- try again later",
        ),
        (
            12,
            "bash: line 1: rsync: command not found\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]\nrsync error: x\n",
            Refused,
            "Install rsync on the far side",
            "bash: line 1: rsync: command not found",
        ),
        (1, "ERROR: module is read only\nrsync error: x\n", Refused, "read only = no", "ERROR: module is read only"),
        (
            1,
            "ERROR: password file must not be other-accessible\n",
            Refused,
            "chmod 600",
            "ERROR: password file must not be other-accessible",
        ),
        (
            10,
            "rsync: [sender] failed to connect to 127.0.0.1 (127.0.0.1): Connection refused (111)\nrsync error: error in socket IO (code 10)\n",
            Unreachable,
            "Start the rsync daemon",
            "rsync: [sender] failed to connect to 127.0.0.1 (127.0.0.1): Connection refused (111)",
        ),
        (
            255,
            "Warning: Permanently added 'h'\nroot@h: Permission denied (publickey,password).\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]\nrsync error: unexplained error (code 255)\n",
            Refused,
            "ssh-copy-id -p 5 u@h",
            "root@h: Permission denied (publickey,password).",
        ),
        (255, "Host key verification failed.\r\n", Refused, "ssh-keyscan -p 5 h", "Host key verification failed."),
        (
            255,
            "@@@@@@@@@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@@@@@@@@@@\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key for [h]:5 has changed and you have requested strict checking.\r\nHost key verification failed.\r\n",
            Refused,
            "ssh-keygen -R \"[h]:5\"",
            "Host key for [h]:5 has changed and you have requested strict checking.",
        ),
        (
            14,
            "rsync: [sender] Failed to exec ssh: No such file or directory (2)\nrsync error: error in IPC code (code 14)\n",
            Refused,
            "Install ssh",
            "rsync: [sender] Failed to exec ssh: No such file or directory (2)",
        ),
        (
            12,
            "dbclient: Caution, skipping hostkey check for h\n\ndbclient: Connection to u@h:5 exited: No auth methods could be used.\n",
            Refused,
            "ssh-copy-id",
            "dbclient: Connection to u@h:5 exited: No auth methods could be used.",
        ),
        (
            2,
            "protocol version mismatch -- is your shell clean?\n(see the rsync manpage for an explanation)\n",
            Refused,
            "silent",
            "protocol version mismatch -- is your shell clean?",
        ),
        (
            255,
            "ssh: connect to host h port 5: Connection timed out\n",
            Unreachable,
            "firewall",
            "ssh: connect to host h port 5: Connection timed out",
        ),
        (127, "fish: Unknown command: rsync\n", Refused, "far side", "fish: Unknown command: rsync"),
        (127, "bash: line 1: rsync: command not found\n", Refused, "far side", "bash: line 1: rsync: command not found"),
        (
            23,
            "rsync: [receiver] mkstemp \"a/.f.H2vlJm\" (in m) failed: Permission denied (13)\n",
            Partial,
            "right to write",
            "rsync: [receiver] mkstemp \"a/.f.H2vlJm\" (in m) failed: Permission denied (13)",
        ),
        (12, "rsync: connection unexpectedly closed\nrsync error: error in rsync protocol\n", Unreachable, "", "rsync: connection unexpectedly closed"),
        (
            11,
            "rsync: [Receiver] mkdir \"/no/such/dir\" failed: No such file or directory (2)\nrsync error: x\n",
            Unreachable,
            "Create the remote's directory",
            "rsync: [Receiver] mkdir \"/no/such/dir\" failed: No such file or directory (2)",
        ),
        (30, "", Unreachable, "", "no data in the time of --timeout"),
        (12, "bell\x07 and \x1b[1m\n", Unreachable, "", "bell\\u{7} and \\u{1b}[1m"),
    ];

    #[test]
    fn failures_are_explained() {
        let login = Login { user: Some("u".into()), host: "h".into(), port: Some("5".into()) };
        for &(code, stderr, expected, words, told) in ENDS {
            let outcome = Outcome::of(&Exit::with_code(code, stderr), Some(&login));
            assert_eq!(kind_of(&outcome), expected, "{stderr}");
            let failure = outcome.failure().unwrap();
            assert_eq!(failure.reason, told);
            match &failure.advice {
                Some(advice) => {
                    assert!(!words.is_empty() && advice.contains(words), "{stderr}: {advice}")
                }
                None => assert_eq!(words, "", "{stderr}"),
            }
        }
        assert_eq!(of(0, "Permission denied"), Outcome::Done, "an advice without a failure");
    }

    #[test]
    fn what_was_not_started_is_explained() {
        let explained = |exit: &Exit| {
            let failure = Outcome::of(exit, None).failure().unwrap().clone();
            (failure.reason, failure.advice.unwrap_or_default())
        };
        let (reason, advice) = explained(&Exit::not_started(ErrorKind::NotFound));
        assert_eq!(reason, "there is no rsync in PATH");
        assert!(advice.contains("PATH"));
        let exit = Exit { status: ExitStatus::Signal(15), ..Exit::with_code(0, "") };
        assert_eq!(explained(&exit).0, "by somebody, or by the kernel for lack of memory");
    }

    #[test]
    fn a_module_without_a_free_connection_is_known_by_what_it_says() {
        for (stderr, used_up) in [("@ERROR: max connections (4) reached\n", true), ("x\n", false)] {
            assert_eq!(of(5, stderr).failure().unwrap().connections_used_up, used_up);
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_cuts_a_run_short() {
        for (code, stderr, cut) in [
            (
                11,
                "rsync: [receiver] write failed on \"a\" (in m): No space left on device (28)\n",
                true,
            ),
            (12, "rsync: write failed on \"/far/a\": No space left on device (28)\n", true),
            (20, "rsync: write failed on \"/far/a\": No space left on device (28)\n", true),
            (11, "rsync: [Receiver] mkdir \"/far\" failed: No such file or directory (2)\n", false),
            (
                23,
                "rsync: [receiver] mkstemp \".a.aBcDeF\" failed: No space left on device (28)\n",
                false,
            ),
        ] {
            let outcome = of(code, stderr);
            let told = outcome.failure().is_some_and(|failure| failure.is_cut_short);
            assert_eq!(told, cut, "{stderr}");
        }
    }

    #[test]
    fn the_worse_outcome_counts_and_partial_ones_add_up() {
        let ran = |code, names: &[&str]| {
            of(code, "")
                .naming(|| (names.iter().map(|name| name.as_bytes().to_vec()).collect(), true))
        };
        let limited = |outcome: Outcome| {
            let failure = outcome.failure().unwrap().clone();
            Outcome::Partial(Failure { limited: true, ..failure })
        };
        for (one, other, expected) in [
            (Outcome::Nothing, ran(0, &[]), ran(0, &[])),
            (ran(0, &[]), ran(23, &["a"]), ran(23, &["a"])),
            (ran(23, &["a"]), ran(23, &["b"]), ran(23, &["a", "b"])),
            (ran(23, &["a"]), ran(23, &[]), ran(23, &[])),
            (ran(23, &["a"]), ran(12, &[]), ran(12, &[])),
            (ran(25, &[]), ran(0, &[]), ran(25, &[])),
            (ran(25, &[]), ran(23, &["a"]), limited(ran(23, &["a"]))),
            (limited(ran(23, &["a"])), ran(23, &["b"]), limited(ran(23, &["a", "b"]))),
            (ran(12, &[]), Outcome::RootChanged, Outcome::RootChanged),
        ] {
            assert_eq!(one.clone().and(other.clone()), expected, "{one:?} and {other:?}");
        }
    }
}
