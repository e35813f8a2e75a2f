//! What a plugin is told of one path, looked at when its turn comes.
//!
//! `worker` makes it; each plugin puts it into its own words.

use super::queue::Entry;
use crate::rsync::asked::plan::Gone;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is there, new or changed.
    Upsert,
    /// It is not there any more.
    Delete,
}

/// One path, as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice<'a> {
    /// The watched directory.
    pub root: &'a Path,
    /// The full path.
    pub path: &'a [u8],
    /// Whether it is there.
    pub event: Event,
    /// Whether it is a directory, or was one.
    pub is_dir: bool,
    /// It is a directory that stands for changed paths in it, of which there were too many.
    pub folded: bool,
}

impl<'a> Notice<'a> {
    /// Looks what the path is now, not following a symlink.
    pub fn look(root: &'a Path, entry: &'a Entry) -> Notice<'a> {
        let found = Path::new(OsStr::from_bytes(&entry.path)).symlink_metadata();
        let (event, is_dir) = match found {
            Ok(found) => (Event::Upsert, found.is_dir()),
            Err(_) => (Event::Delete, entry.gone == Gone::Directory),
        };
        Notice { root, path: &entry.path, event, is_dir, folded: entry.folded }
    }
}
