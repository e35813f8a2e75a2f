//! What to change after a failed run, in one sentence.
//!
//! Owns the table from what rsync, daemons and shells say to what helps. What SSH clients say, whose
//! remedies need the user and the host, is `login`'s. Pure; `outcome` asks.

use super::exit::{Exit, ExitStatus};
use super::login::{Login, Obstacle};
use std::io::ErrorKind;

/// What to change after the exit of a run that failed, if it tells. `login` is that of a remote which
/// is reached over SSH.
pub(super) fn of(exit: &Exit, login: Option<&Login>) -> Option<String> {
    if let ExitStatus::NotStarted(kind) = exit.status {
        return START_ADVICE
            .iter()
            .find(|(other, _)| *other == kind)
            .map(|(_, advice)| (*advice).into());
    }
    if let (Some(login), Some(obstacle)) = (login, Obstacle::of(exit)) {
        return Some(obstacle.advice(login));
    }
    let not_there = (exit.status == ExitStatus::Code(127)).then_some(INSTALL_THERE);
    advised(exit).or(not_there).map(String::from)
}

/// Whether it tells that the far side has no rsync.
pub(super) fn is_to_install(exit: &Exit) -> bool {
    advised(exit) == Some(INSTALL_THERE)
}

/// What standard error advises, by the table below.
fn advised(exit: &Exit) -> Option<&'static str> {
    ADVICE.iter().find(|(words, _)| exit.says(words)).map(|&(_, advice)| advice)
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

const REFUSED: &str =
    "Take that option out of commonParams, or out of the module's `refuse options`.";
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
        "configured to refuse --delete",
        "Take `delete` out of the module's `refuse options` on the far side, or turn `delete` off in the configuration.",
    ),
    (
        "configured to refuse --force",
        "Take `force` out of the module's `refuse options` on the far side, or turn `delete` off in the configuration.",
    ),
    ("configured to refuse", REFUSED),
    ("refused by server", REFUSED),
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
