//! What the end of an rsync run means.
//!
//! Owns the table of exit codes and what is said to the user about a failure. Decides nothing: the
//! engine keeps, repeats or gives up by the class. Pure: it gets the status and the text of
//! standard error, which the worker collected.

use std::io::ErrorKind;

pub use super::failed::failed_paths;
use super::login::{Login, Obstacle};

/// A reason is cut after this many bytes: it shares a log line with other things.
const REASON_BYTES_MAX: usize = 300;
/// No more of standard error than this is looked through.
pub const STDERR_BYTES_MAX: usize = 64 * 1024;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The process's own end.
    pub status: Status,
    /// Its standard error, at most the first [`STDERR_BYTES_MAX`] bytes.
    pub stderr: Vec<u8>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// It could not be started.
    NotStarted(ErrorKind),
}

/// What an end means for the paths of the run and for its remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The remote is equal.
    Done,
    /// Some paths are not equal; standard error names them.
    Partial,
    /// The remote, or the way to it, does not work now. It may later, without anyone's doing.
    Unreachable,
    /// It cannot work before someone changes something.
    Refused,
    /// The root must be looked at before anything else is done.
    SourceGone,
}

/// The class of an end, after the exit codes of rsync's manual, ssh (255) and shells (126, 127).
pub fn classify(ended: &Ended) -> Class {
    let code = match ended.status {
        Status::Exited(code) => code,
        Status::Signaled(_) => return Class::Unreachable,
        Status::NotStarted(kind) => return class_of_start(kind),
    };
    match code {
        // 24: some files vanished before they could be sent. They have events of their own.
        0 | 24 => Class::Done,
        23 => Class::Partial,
        3 => Class::SourceGone,
        5 if says(&ended.stderr, "auth failed") || says(&ended.stderr, "unknown module") => {
            Class::Refused
        }
        // 25: --max-delete of the user's parameters stopped a deletion.
        1 | 2 | 4 | 25 | 126 | 127 => Class::Refused,
        // ssh could not be started, or ended before rsync's protocol began.
        12 | 14 | 255 if Obstacle::of(&ended.stderr).is_some() => Class::Refused,
        // The far side has no rsync: mostly 127, but 12 if the connection was seen to end first.
        12 if advised(&ended.stderr) == Some(INSTALL_THERE) => Class::Refused,
        // 5, 10 to 14, 20 to 22, 30, 35, 255 and whatever a later rsync adds: nothing is lost by
        // trying again.
        _ => Class::Unreachable,
    }
}

/// No such program, or no right to run it, stays so; a full process table does not.
fn class_of_start(kind: ErrorKind) -> Class {
    if matches!(kind, ErrorKind::NotFound | ErrorKind::PermissionDenied) {
        Class::Refused
    } else {
        Class::Unreachable
    }
}

/// Did the far side end the run at a file that it could not write, most often for lack of room? Then
/// what came after that file in the list was not looked at; it may well fit. The far side's 11 gets to
/// this side from protocol 31 (3.1.0) on; before, the connection is lost, or the run is ended for
/// going on when all is over.
pub fn cut_short(ended: &Ended) -> bool {
    classify(ended) == Class::Unreachable && says(&ended.stderr, "write failed on ")
}

/// Did this end come because one side does not take `--delete-missing-args`? Then the same job must
/// be run the portable way. Asked only of runs that had it in their words.
pub fn combined_unsupported(ended: &Ended) -> bool {
    matches!(ended.status, Status::Exited(1 | 2 | 4 | 10 | 12))
}

/// Is it certain that one side does not know an option? Any of the codes above may also come from a
/// race between the list and the file system.
pub fn option_unknown(ended: &Ended) -> bool {
    combined_unsupported(ended) && says(&ended.stderr, "unknown option")
}

/// Whether a module refused the run because it has as many connections as it may have.
pub fn connections_used_up(ended: &Ended) -> bool {
    classify(ended) != Class::Done && says(&ended.stderr, "max connections")
}

/// What to change, where standard error tells; one sentence. `login` is that of a remote which is
/// reached over SSH.
pub fn advice(ended: &Ended, login: Option<&Login>) -> Option<String> {
    if let Status::NotStarted(kind) = ended.status {
        return START_ADVICE
            .iter()
            .find(|(other, _)| *other == kind)
            .map(|(_, advice)| (*advice).into());
    }
    if classify(ended) == Class::Done {
        return None;
    }
    if let (Some(login), Some(obstacle)) = (login, Obstacle::of(&ended.stderr)) {
        return Some(obstacle.advice(login));
    }
    let not_there = (ended.status == Status::Exited(127)).then_some(INSTALL_THERE);
    advised(&ended.stderr).or(not_there).map(String::from)
}

/// What standard error advises, by the table below.
fn advised(stderr: &[u8]) -> Option<&'static str> {
    ADVICE.iter().find(|(needle, _)| says(stderr, needle)).map(|&(_, advice)| advice)
}

/// What to change where rsync cannot be started.
const START_ADVICE: &[(ErrorKind, &str)] = &[
    (ErrorKind::NotFound, "Install rsync, or put its directory into PATH."),
    (ErrorKind::PermissionDenied, "Make the rsync in PATH executable: chmod +x."),
    (
        ErrorKind::WouldBlock,
        "Raise the limit of processes of the user that runs sersync: ulimit -u.",
    ),
];

const NETWORK: &str = "Check the network and the far side's firewall.";
const INSTALL_THERE: &str =
    "Install rsync on the far side, or name its place there with --rsync-path in commonParams.";
/// For whoever sees in another way than by what was said that it is not there.
pub const MAKE_DIRECTORY: &str =
    "Create the remote's directory on the far side, with the one above it.";
const QUIET_LOGIN: &str =
    "Make the login of that user on the far side silent: no output in ~/.bashrc \
                           and the like, and a shell that runs commands.";

/// What standard error says (in lower case), and what to change then. The first that fits is
/// taken, so that what is more special stands before what is more general.
const ADVICE: &[(&str, &str)] = &[
    (
        "password file must not be other-accessible",
        "Make the password file readable by its owner only: chmod 600.",
    ),
    (
        "password file must be owned by root",
        "Give the password file to root: chown root.",
    ),
    (
        "could not open password file",
        "Create the password file, or correct passwordfile in the configuration.",
    ),
    (
        "auth failed on module",
        "Make the user and the password file of auth in the configuration those of the module's `auth users` and `secrets file`.",
    ),
    (
        "unknown module",
        "Make the remote's name in the configuration that of a module in the far side's rsyncd.conf.",
    ),
    ("module is read only", "Set `read only = no` for the module in the far side's rsyncd.conf."),
    (
        "max connections",
        "Raise `max connections` of the module in the far side's rsyncd.conf, or start with a smaller -n.",
    ),
    (
        "access denied to",
        "Add this machine to `hosts allow` of the module in the far side's rsyncd.conf.",
    ),
    (
        "chdir failed",
        "Create the directory that the module's `path` names on the far side.",
    ),
    (
        "refused by server",
        "Take that option out of commonParams, or out of the module's `refuse options`.",
    ),
    ("rsync: permission denied", "Make rsync executable on the far side: chmod +x."),
    ("rsync: command not found", INSTALL_THERE),
    ("rsync: not found", INSTALL_THERE),
    ("command not found: rsync", INSTALL_THERE),
    ("/rsync: no such file or directory", INSTALL_THERE),
    ("remote command not found", INSTALL_THERE),
    ("is your shell clean", QUIET_LOGIN),
    ("account is currently not available", QUIET_LOGIN),
    ("[receiver] mkdir ", MAKE_DIRECTORY),
    ("rsync: mkdir ", MAKE_DIRECTORY),
    (
        "could not resolve hostname",
        "Correct the remote's ip in the configuration, or the name service.",
    ),
    ("error resolving", "Correct the remote's ip in the configuration, or the name service."),
    ("getaddrinfo", "Correct the remote's ip in the configuration, or the name service."),
    (
        "connection refused",
        "Start the rsync daemon or SSH server on the far side, or correct the port in the configuration.",
    ),
    ("no route to host", NETWORK),
    ("connection timed out", NETWORK),
    ("network is unreachable", NETWORK),
    ("no space left on device", "Make room on the far side's disk."),
    ("disk quota exceeded", "Raise the far side's disk quota."),
    ("read-only file system", "Mount the far side's file system writable."),
    ("unknown option", "Take that option out of commonParams, or update the older of the two rsyncs."),
    (
        "operation not permitted",
        "Let the far side's rsync run as root (`uid = root` in rsyncd.conf), or take -o and -g out of commonParams.",
    ),
    (
        "permission denied",
        "Give the far side's rsync (`uid` in rsyncd.conf) the right to write there, and sersync the right to read here.",
    ),
    // What a rehearsal says, which makes no directory: rsync from 3.0 on, and before.
    ("change_dir#3 ", MAKE_DIRECTORY),
    ("push_dir#3 ", MAKE_DIRECTORY),
];

/// The most telling line of standard error, for a log line: bounded, without control characters.
/// Without one, what the status says.
pub fn reason(ended: &Ended) -> String {
    let lines =
        ended.stderr[..ended.stderr.len().min(STDERR_BYTES_MAX)].split(|&byte| byte == b'\n');
    let lines = lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    // min_by_key keeps the first of equals: what went wrong first explains the rest.
    match lines.min_by_key(|line| dullness(line)) {
        Some(line) => visible(line),
        None => described(ended.status),
    }
}

/// How little a line of standard error tells: 0 is what a daemon says in words, 1 any other error,
/// 2 what merely follows from an error, 3 what is no error.
fn dullness(line: &[u8]) -> u8 {
    let starts = |prefix: &[u8]| line.starts_with(prefix);
    let of_key = starts(b"Host key for") || says(line, "host key is known for");
    if says(line, "@error:") || starts(b"ERROR:") || of_key {
        0
    } else if starts(b"rsync error:")
        || says(line, "connection unexpectedly closed")
        || starts(b"***")
    {
        2
    } else if starts(b"Warning:")
        || says(line, "vanished")
        || starts(b"debug1:")
        || CHATTER.iter().any(|said| says(line, said))
    {
        3
    } else {
        1
    }
}

/// What SSH clients say, in lower case, when something is not as it should be and they go on.
const CHATTER: &[&str] = &[
    "ignoring unknown configuration option",
    "skipping hostkey check",
    "disabling multiplexing",
    "mux_client_request_session",
    "@@@@@",
];

fn visible(line: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&line[..line.len().min(REASON_BYTES_MAX)]);
    let mut text = String::with_capacity(shown.len());
    for character in shown.chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    if line.len() > REASON_BYTES_MAX {
        text.push_str("...");
    }
    text
}

fn described(status: Status) -> String {
    match status {
        Status::Exited(code) => meaning(code).to_string(),
        Status::Signaled(_) => "by somebody, or by the kernel for lack of memory".to_string(),
        Status::NotStarted(ErrorKind::NotFound) => "there is no rsync in PATH".to_string(),
        Status::NotStarted(ErrorKind::WouldBlock) => "no further process is allowed".to_string(),
        Status::NotStarted(kind) => format!("rsync could not be started: {kind}"),
    }
}

/// The exit codes of rsync's manual, of ssh and of shells, in words.
fn meaning(code: i32) -> &'static str {
    match code {
        1 => "it does not know its own options",
        2 => "the two ends do not understand each other",
        3 => "a directory cannot be entered",
        4 => "not supported by this rsync or its far side",
        5 => "the far side did not let it begin",
        6 => "the far side cannot write its log",
        10 => "the connection failed",
        11 => "a file could not be read or written",
        12 => "the connection broke",
        13 => "the far side's error messages broke off",
        14 => "its parts lost each other",
        20 => "ended by a signal",
        21 | 22 => "out of memory or processes",
        23 => "some files did not get through",
        25 => "--max-delete stopped deletions",
        30 => "no data in the time of --timeout",
        35 => "the daemon did not answer in time",
        126 => "rsync or ssh cannot be run",
        127 => "rsync or ssh is not there",
        255 => "ssh could not connect",
        _ => "it does not say why",
    }
}

/// Does the text hold this, which is in lower case, in whatever case?
pub(super) fn says(text: &[u8], needle: &str) -> bool {
    let text = &text[..text.len().min(STDERR_BYTES_MAX)];
    text.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exited(code: i32, stderr: &str) -> Ended {
        Ended { status: Status::Exited(code), stderr: stderr.as_bytes().to_vec() }
    }

    #[test]
    fn every_exit_code_has_its_class() {
        let table: &[(Class, &[i32])] = &[
            (Class::Done, &[0, 24]),
            (Class::Partial, &[23]),
            (Class::Unreachable, &[5, 10, 11, 12, 13, 14, 20, 21, 22, 30, 35, 255, 6, 99]),
            (Class::Refused, &[1, 2, 4, 25, 126, 127]),
            (Class::SourceGone, &[3]),
        ];
        for (class, codes) in table {
            for &code in *codes {
                assert_eq!(classify(&exited(code, "")), *class, "{code}");
                let portable = [1, 2, 4, 10, 12].contains(&code);
                assert_eq!(combined_unsupported(&exited(code, "")), portable, "{code}");
            }
        }
        for (status, class) in [
            (Status::Signaled(9), Class::Unreachable),
            (Status::NotStarted(ErrorKind::NotFound), Class::Refused),
            (Status::NotStarted(ErrorKind::PermissionDenied), Class::Refused),
            (Status::NotStarted(ErrorKind::WouldBlock), Class::Unreachable),
        ] {
            let ended = Ended { status, stderr: Vec::new() };
            assert_eq!(classify(&ended), class, "{status:?}");
            assert!(!combined_unsupported(&ended));
        }
    }

    /// Standard error as rsync 3.5.0, OpenSSH and shells write it, shortened to one line where more
    /// say the same: exit code, text, class, words of the advice, the reason.
    const ENDS: &[(i32, &str, Class, &str, &str)] = &[
        (
            5,
            "@ERROR: auth failed on module auth\nrsync error: error starting client-server protocol (code 5) at main.c(1954) [sender=3.5.0]\n",
            Class::Refused,
            "secrets file",
            "@ERROR: auth failed on module auth",
        ),
        (5, "@ERROR: Unknown module 'nix'\nrsync error: x\n", Class::Refused, "rsyncd.conf", "@ERROR: Unknown module 'nix'"),
        (
            5,
            "rsync: [sender] read error: Connection reset by peer (104)\n@ERROR: max connections (4) reached -- try again later\n",
            Class::Unreachable,
            "max connections",
            "@ERROR: max connections (4) reached -- try again later",
        ),
        (
            12,
            "bash: line 1: rsync: command not found\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]\nrsync error: x\n",
            Class::Refused,
            "Install rsync on the far side",
            "bash: line 1: rsync: command not found",
        ),
        (1, "ERROR: module is read only\nrsync error: x\n", Class::Refused, "read only = no", "ERROR: module is read only"),
        (
            1,
            "ERROR: password file must not be other-accessible\n",
            Class::Refused,
            "chmod 600",
            "ERROR: password file must not be other-accessible",
        ),
        (
            10,
            "rsync: [sender] failed to connect to 127.0.0.1 (127.0.0.1): Connection refused (111)\nrsync error: error in socket IO (code 10)\n",
            Class::Unreachable,
            "Start the rsync daemon",
            "rsync: [sender] failed to connect to 127.0.0.1 (127.0.0.1): Connection refused (111)",
        ),
        (
            255,
            "Warning: Permanently added 'h'\nroot@h: Permission denied (publickey,password).\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]\nrsync error: unexplained error (code 255)\n",
            Class::Refused,
            "ssh-copy-id -p 5 u@h",
            "root@h: Permission denied (publickey,password).",
        ),
        (255, "Host key verification failed.\r\n", Class::Refused, "ssh-keyscan -p 5 h", "Host key verification failed."),
        (
            255,
            "@@@@@@@@@@@@@@@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n@@@@@@@@@@@@@@@@@\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\nHost key for [h]:5 has changed and you have requested strict checking.\r\nHost key verification failed.\r\n",
            Class::Refused,
            "ssh-keygen -R \"[h]:5\"",
            "Host key for [h]:5 has changed and you have requested strict checking.",
        ),
        (
            14,
            "rsync: [sender] Failed to exec ssh: No such file or directory (2)\nrsync error: error in IPC code (code 14)\n",
            Class::Refused,
            "Install ssh",
            "rsync: [sender] Failed to exec ssh: No such file or directory (2)",
        ),
        (
            12,
            "dbclient: Caution, skipping hostkey check for h\n\ndbclient: Connection to u@h:5 exited: No auth methods could be used.\n",
            Class::Refused,
            "ssh-copy-id",
            "dbclient: Connection to u@h:5 exited: No auth methods could be used.",
        ),
        (
            2,
            "protocol version mismatch -- is your shell clean?\n(see the rsync manpage for an explanation)\n",
            Class::Refused,
            "silent",
            "protocol version mismatch -- is your shell clean?",
        ),
        (
            255,
            "ssh: connect to host h port 5: Connection timed out\n",
            Class::Unreachable,
            "firewall",
            "ssh: connect to host h port 5: Connection timed out",
        ),
        (127, "fish: Unknown command: rsync\n", Class::Refused, "far side", "fish: Unknown command: rsync"),
        (127, "bash: line 1: rsync: command not found\n", Class::Refused, "far side", "bash: line 1: rsync: command not found"),
        (
            23,
            "rsync: [receiver] mkstemp \"a/.f.H2vlJm\" (in m) failed: Permission denied (13)\n",
            Class::Partial,
            "right to write",
            "rsync: [receiver] mkstemp \"a/.f.H2vlJm\" (in m) failed: Permission denied (13)",
        ),
        (12, "rsync: connection unexpectedly closed\nrsync error: error in rsync protocol\n", Class::Unreachable, "", "rsync: connection unexpectedly closed"),
        (
            11,
            "rsync: [Receiver] mkdir \"/no/such/dir\" failed: No such file or directory (2)\nrsync error: x\n",
            Class::Unreachable,
            "Create the remote's directory",
            "rsync: [Receiver] mkdir \"/no/such/dir\" failed: No such file or directory (2)",
        ),
        (30, "", Class::Unreachable, "", "no data in the time of --timeout"),
        (12, "bell\x07 and \x1b[1m\n", Class::Unreachable, "", "bell\\u{7} and \\u{1b}[1m"),
    ];

    #[test]
    fn failures_are_explained() {
        let login = Login { user: Some("u".into()), host: "h".into(), port: Some("5".into()) };
        for &(code, stderr, class, words, told) in ENDS {
            let ended = exited(code, stderr);
            assert_eq!(classify(&ended), class, "{stderr}");
            assert_eq!(reason(&ended), told);
            match advice(&ended, Some(&login)) {
                Some(advice) => {
                    assert!(!words.is_empty() && advice.contains(words), "{stderr}: {advice}")
                }
                None => assert_eq!(words, "", "{stderr}"),
            }
        }
        assert_eq!(
            advice(&exited(0, "Permission denied"), None),
            None,
            "an advice without a failure"
        );
    }

    #[test]
    fn what_was_not_started_is_explained() {
        let ended = Ended { status: Status::NotStarted(ErrorKind::NotFound), stderr: Vec::new() };
        assert_eq!(reason(&ended), "there is no rsync in PATH");
        assert!(advice(&ended, None).unwrap().contains("PATH"));
        let ended = Ended { status: Status::Signaled(15), stderr: Vec::new() };
        assert_eq!(reason(&ended), "by somebody, or by the kernel for lack of memory");
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
            assert_eq!(cut_short(&exited(code, stderr)), cut, "{stderr}");
        }
    }

    #[test]
    fn reason_is_bounded() {
        let ended = exited(23, &"x".repeat(10_000));
        assert_eq!(reason(&ended).len(), REASON_BYTES_MAX + 3);
    }
}
