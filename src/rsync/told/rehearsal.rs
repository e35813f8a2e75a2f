//! What a rehearsal tells: what each line is about, and how much would be deleted. A list of any length takes no memory.
//!
//! Owns how that is read; the words that make rsync tell it are those of `asked::rehearsal`. Pure; the worker hands over what it hears, in pieces of any length.

use super::progress::number;

/// What stands before the number of entries that are here: files, directories and all else.
const ENTRIES: &[u8] = b"Number of files: ";
/// So much of a line is looked at. What it is about stands at its beginning.
const LINE_BYTES_MAX: usize = 160;

/// Whether a line is about something that the far side does not have yet.
pub fn is_new(line: &[u8]) -> bool {
    line.get(2) == Some(&b'+')
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

/// Counts what is told.
#[derive(Debug, Default)]
pub struct Counter {
    /// What only the far side has, and would be deleted.
    deleted: u64,
    /// What the far side does not have yet.
    created: u64,
    /// What is here.
    entries: Option<u64>,
    line: Vec<u8>,
}

impl Counter {
    /// Takes what was told next.
    pub fn take(&mut self, told: &[u8]) {
        for part in told.split_inclusive(|&byte| byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < part.len() {
                self.read_line();
                self.line.clear();
            }
        }
    }

    fn read_line(&mut self) {
        match Change::of(&self.line) {
            Some(Change::Deleted) => self.deleted += 1,
            Some(Change::Sent | Change::Other) => self.created += u64::from(is_new(&self.line)),
            None => {
                let entries = self.line.strip_prefix(ENTRIES);
                // Since 3.1 it says behind the number how many of each kind there are.
                let digits = entries.and_then(|rest| rest.split(|&byte| byte == b' ').next());
                self.entries = digits.and_then(number).or(self.entries);
            }
        }
    }

    /// How many entries of the far side would be deleted, and how many it has of those that are or would be ours;
    /// `None` if it has not been told to the end.
    pub fn deletions(&self) -> Option<(u64, u64)> {
        let both_have = self.entries?.saturating_sub(self.created);
        Some((self.deleted, both_have.saturating_add(self.deleted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn what_would_go_is_counted_beside_what_the_far_side_has() {
        let told = "sending incremental file list\n*deleting   old/deep\n*deleting   old/\n\
                    .d..t...... ./\n<f+++++++++ new\ncd+++++++++ dir/\n<f.st...... changed\n\n\
                    Number of files: 1,204 (reg: 1,000, dir: 204)\nNumber of created files: 2\n";
        for size in [1, 7, 1000] {
            let mut counter = Counter::default();
            for part in told.as_bytes().chunks(size) {
                counter.take(part);
            }
            assert_eq!(counter.deletions(), Some((2, 1204)), "in pieces of {size}");
        }
    }

    #[test]
    fn what_an_old_rsync_tells_is_counted_and_half_of_it_is_not_believed() {
        let mut counter = Counter::default();
        let long = "x".repeat(5000);
        counter
            .take(format!("*deleting {long}\n<f+++++++ {long}\nNumber of files: 3\n").as_bytes());
        assert_eq!(counter.deletions(), Some((1, 3)));
        let mut counter = Counter::default();
        counter.take(b"*deleting a\n*deleting b\nNumber of fil");
        assert_eq!(counter.deletions(), None);
    }
}
