//! The words that make a run say how far it has come and what it has sent.
//!
//! Pure; the worker adds them to what it runs, and `told::progress` reads what comes of them. They are
//! in no command that is shown or kept: they change nothing of what a run does.

use super::capability::Capability;
use super::run::Purpose;
use crate::config::options;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Options of the user's that would hide what is to be read, or round it to `1.23M`.
const HIDING: &[&str] = &["quiet", "human-readable"];
/// Options that would have it said on standard error, where the faults are.
const ELSEWHERE: &[&str] = &["stderr", "msgs2stderr"];

/// The arguments of a run, with the words for what is to be read of it. They stand last: of two words
/// the later one counts.
pub fn telling(args: &[OsString], purpose: Purpose, local: Capability) -> Vec<OsString> {
    let words: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
    if options::has_any(&words, ELSEWHERE) {
        return args.to_vec();
    }
    let mut words = options::without(&words, |option| option.is_any(HIDING));
    // Every far side knows it. With what the user says of --info, it counts least.
    words.push(b"--stats".to_vec());
    if purpose == Purpose::FullSync && local.progress() {
        words.push(b"--info=progress2".to_vec());
    }
    words.into_iter().map(OsString::from_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsync::asked::capability::Version;

    fn capability(minor: u16) -> Capability {
        Capability { version: Version { major: 3, minor, patch: 0 } }
    }

    #[test]
    fn what_is_to_be_read_is_said_whatever_the_user_wants_to_see() {
        use Purpose::{Flat, FullSync, Level, Prune};
        let end = ["--stats", "--info=progress2"];
        for (args, purpose, minor, expected) in [
            (&["-artuz", "-R", "./", "h::m"][..], FullSync, 1, &["-artuz", "-R", "./", "h::m"][..]),
            (&["-a", "./"], FullSync, 0, &["-a", "./"]),
            (&["-a", "./"], Flat, 2, &["-a", "./"]),
            (&["-a", "./"], Level, 2, &["-a", "./"]),
            (&["-a", "./"], Prune, 2, &["-a", "./"]),
            (
                &["-aqhhP", "--quiet", "-e", "ssh -q", "--info=none", "./"],
                FullSync,
                2,
                &["-aP", "-e", "ssh -q", "--info=none", "./"],
            ),
        ] {
            let args: Vec<_> = args.iter().map(OsString::from).collect();
            let added = if purpose == FullSync && minor > 0 { 2 } else { 1 };
            let expected: Vec<_> =
                expected.iter().chain(&end[..added]).map(OsString::from).collect();
            assert_eq!(telling(&args, purpose, capability(minor)), expected);
        }
        for elsewhere in ["--stderr=all", "--msgs2stderr"] {
            let args: Vec<_> = ["-a", elsewhere, "./"].iter().map(OsString::from).collect();
            assert_eq!(telling(&args, FullSync, capability(2)), args);
        }
    }
}
