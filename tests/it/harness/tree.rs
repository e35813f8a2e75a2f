//! Directory trees as values, and what differs between two of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// At most so many lines of difference are shown: the first ones tell the story.
const DIFFERENCES_MAX: usize = 25;
/// At most so many bytes of a file are shown.
const CONTENT_SHOWN_MAX: usize = 60;

/// Everything that must be equal on the far side, by path below the top, as bytes. The top itself
/// is the entry with the empty path.
#[derive(Debug, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<Vec<u8>, Entry>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    mode: u32,
    mtime_s: i64,
    uid: u32,
    gid: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    File { content: Vec<u8> },
    Directory,
    Symlink { target: Vec<u8> },
    Fifo,
    Other,
}

impl Tree {
    /// Reads the tree at `top`. An error if it changes while it is read: look again then.
    pub fn read(top: &Path) -> io::Result<Tree> {
        let mut entries = BTreeMap::new();
        let mut left = vec![Vec::new()];
        while let Some(path) = left.pop() {
            let here = top.join(OsStr::from_bytes(&path));
            let metadata = fs::symlink_metadata(&here)?;
            if metadata.is_dir() {
                for child in fs::read_dir(&here)? {
                    let mut below = path.clone();
                    if !below.is_empty() {
                        below.push(b'/');
                    }
                    below.extend_from_slice(child?.file_name().as_bytes());
                    left.push(below);
                }
            }
            entries.insert(path, Entry::read(&here, &metadata)?);
        }
        Ok(Tree { entries })
    }

    /// Reads a tree that nobody is changing; panics if it cannot be read.
    pub fn read_still(top: &Path) -> Tree {
        Tree::read(top).unwrap_or_else(|e| panic!("cannot read the tree {}: {e}", top.display()))
    }

    /// What `there` lacks, has too much, or has otherwise, one line each; empty if it is equal.
    pub fn differences(&self, there: &Tree) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, entry) in &self.entries {
            match there.entries.get(path) {
                None => {
                    lines.push(format!("{}: missing there ({})", show(path), entry.kind.show()))
                }
                Some(other) => entry.differences(other, &show(path), &mut lines),
            }
        }
        for (path, entry) in &there.entries {
            if !self.entries.contains_key(path) {
                lines.push(format!("{}: only there ({})", show(path), entry.kind.show()));
            }
        }
        lines
    }

    /// Compares two directories. An error says what differs, or that one changed under the reading.
    pub fn compare(here: &Path, there: &Path) -> Result<(), String> {
        let read = |top: &Path| Tree::read(top).map_err(|e| format!("{}: {e}", top.display()));
        let lines = read(here)?.differences(&read(there)?);
        if lines.is_empty() {
            return Ok(());
        }
        let shown = lines[..lines.len().min(DIFFERENCES_MAX)].join("\n  ");
        Err(format!("{} differences, {} being there:\n  {shown}", lines.len(), there.display()))
    }

    /// Whether there is something at a path.
    pub fn has(&self, path: &[u8]) -> bool {
        self.entries.contains_key(path)
    }

    /// Leaves out what does not fulfil `keep`.
    pub fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.entries.retain(|path, _| keep(path));
    }

    /// The paths of what is no directory in this tree, and is one in the other.
    pub fn in_the_place_of_directories(&self, other: &Tree) -> Vec<Vec<u8>> {
        let is_directory = |entry: &Entry| entry.kind == Kind::Directory;
        let here = self.entries.iter().filter(|(_, entry)| !is_directory(entry));
        let replaced = here.filter(|(path, _)| other.entries.get(*path).is_some_and(is_directory));
        replaced.map(|(path, _)| path.clone()).collect()
    }

    /// The paths of all entries below the top, in plain ASCII.
    pub fn paths(&self) -> Vec<String> {
        self.entries.keys().filter(|path| !path.is_empty()).map(|path| show(path)).collect()
    }

    /// The number of entries, the top included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Entry {
    fn read(path: &Path, metadata: &Metadata) -> io::Result<Entry> {
        let file_type = metadata.file_type();
        let kind = if file_type.is_dir() {
            Kind::Directory
        } else if file_type.is_symlink() {
            Kind::Symlink { target: fs::read_link(path)?.as_os_str().as_bytes().to_vec() }
        } else if file_type.is_file() {
            Kind::File { content: fs::read(path)? }
        } else if file_type.is_fifo() {
            Kind::Fifo
        } else {
            Kind::Other
        };
        Ok(Entry {
            kind,
            mode: metadata.mode() & 0o7777,
            mtime_s: metadata.mtime(),
            uid: metadata.uid(),
            gid: metadata.gid(),
        })
    }

    fn differences(&self, there: &Entry, path: &str, lines: &mut Vec<String>) {
        if self.kind != there.kind {
            let (here, there) = (self.kind.show(), there.kind.show());
            lines.push(format!("{path}: {here} here, {there} there"));
        }
        if self.mode != there.mode {
            lines.push(format!("{path}: mode {:o} here, {:o} there", self.mode, there.mode));
        }
        if self.mtime_s != there.mtime_s {
            lines.push(format!("{path}: mtime {} here, {} there", self.mtime_s, there.mtime_s));
        }
        if (self.uid, self.gid) != (there.uid, there.gid) {
            let (here, there) = ((self.uid, self.gid), (there.uid, there.gid));
            lines.push(format!("{path}: owner {here:?} here, {there:?} there"));
        }
    }
}

impl Kind {
    fn show(&self) -> String {
        match self {
            Kind::File { content } => {
                let first = &content[..content.len().min(CONTENT_SHOWN_MAX)];
                format!("a file of {} bytes \"{}\"", content.len(), show(first))
            }
            Kind::Directory => "a directory".to_string(),
            Kind::Symlink { target } => format!("a symlink to {}", show(target)),
            Kind::Fifo => "a fifo".to_string(),
            Kind::Other => "another kind".to_string(),
        }
    }
}

/// Bytes in one line of plain ASCII; the top of the tree is shown as a dot.
fn show(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return ".".to_string();
    }
    bytes.escape_ascii().to_string()
}
