//! A run that only tells what it would do.
//!
//! Owns how a run becomes such a rehearsal; what the lines mean that rsync prints of it is for `told::rehearsal`. Pure.
//! `--dry-run` and `--check` have them run, and so has a full sync that is in doubt; nothing on the far side changes.

use super::run::{Purpose, Run};
use crate::config::options::{self, FoundOption};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// `-n`, and a line for each change as `-i` writes it, which every rsync from 2.6.7 on does. They stand first;
/// the user's own options of this kind are left out.
const WORDS: [&str; 2] = ["-n", "--out-format=%i %n%L"];

/// Options of the user's that would add other lines to these, hide them, or write a file here.
const TALK: &[&str] = &[
    "quiet",
    "verbose",
    "itemize-changes",
    "out-format",
    "log-format",
    "log-file",
    "log-file-format",
    "write-batch",
    "info",
    "debug",
    "stats",
    "progress",
    "stderr",
    "msgs2stderr",
];

/// The same run, which changes nothing and tells on standard output what it would change.
pub fn rehearsed(run: &Run) -> Run {
    let args: Vec<Vec<u8>> = run.args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
    let talks = |option: &FoundOption| option.is_any(TALK);
    let words = WORDS.iter().map(|word| word.as_bytes().to_vec());
    let args = words.chain(options::without(&args, talks)).map(OsString::from_vec).collect();
    Run { args, ..run.clone() }
}

/// The same for a full sync whose deletions are to be counted.
pub fn counted(run: &Run) -> Run {
    Run { purpose: Purpose::Rehearsal, ..rehearsed(run) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_tells_in_one_form_whatever_the_user_wants_to_see() {
        for (args, expected) in [
            (&["-artz", "-R", "./", "h::m"][..], &["-artz", "-R", "./", "h::m"][..]),
            (
                &["-avvziP", "--stats", "--log-file", "/x", "-q", "-e", "ssh -v", "./", "h:/m"],
                &["-az", "-e", "ssh -v", "./", "h:/m"],
            ),
            (
                &["-rv", "--exclude", "-q", "--info=all", "--out-format=x", "./", "/m"],
                &["-r", "--exclude", "-q", "./", "/m"],
            ),
        ] {
            let args = args.iter().map(OsString::from).collect();
            let run = Run { args, input: b"list\0".to_vec(), purpose: Purpose::FullSync };
            let rehearsed = rehearsed(&run);
            let words: Vec<_> = rehearsed.args.iter().filter_map(|arg| arg.to_str()).collect();
            assert_eq!(words, [&WORDS[..], expected].concat());
            assert_eq!(rehearsed.input, run.input);
        }
    }
}
