//! A run that only tells what it would do.
//!
//! Owns how a run becomes such a rehearsal, and what the lines mean that rsync prints of it. Pure.
//! `--dry-run` and `--check` have them run; nothing on the far side changes.

use super::run::Run;
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

/// What a line of a rehearsal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A file's content is sent.
    Sent,
    /// Something that only the far side has is deleted.
    Deleted,
    /// Something is made without content (a directory, a link), or only its attributes change.
    Other,
}

impl Change {
    /// Of one line; `None` if it tells of no change.
    pub fn of(line: &[u8]) -> Option<Change> {
        // The code has 9 letters up to 2.6.9 and 11 later; its second one is the kind of entry.
        match line {
            [b'*', rest @ ..] if rest.starts_with(b"deleting ") => Some(Change::Deleted),
            [b'<' | b'>', b'f', ..] => Some(Change::Sent),
            [b'<' | b'>' | b'c' | b'h' | b'.', b'f' | b'd' | b'L' | b'D' | b'S', ..] => {
                Some(Change::Other)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::Purpose;
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

    #[test]
    fn each_line_says_what_it_is_about() {
        for (line, expected) in [
            ("<f+++++++++ new file", Some(Change::Sent)),
            (">f.st...... of a copy on this machine", Some(Change::Sent)),
            ("<f.st.... from 2.6.9", Some(Change::Sent)),
            ("*deleting   old", Some(Change::Deleted)),
            ("*deleting old", Some(Change::Deleted)),
            ("cd+++++++++ dir/", Some(Change::Other)),
            ("cL+++++++++ link -> a", Some(Change::Other)),
            ("hf+++++++++ twin => a", Some(Change::Other)),
            (".d..t...... ./", Some(Change::Other)),
            ("<L+++++++++ link -> a", Some(Change::Other)),
            ("sending incremental file list", None),
            ("created directory x", None),
            ("deleting old", None),
            ("", None),
        ] {
            assert_eq!(Change::of(line.as_bytes()), expected, "{line}");
        }
    }
}
