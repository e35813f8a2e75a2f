//! What the engine wants to be looked at: a file, at once; the names of inodes, by a thread.

use super::Loop;
use crate::engine::rel_path::RelPath;
use crate::engine::watching::linked::Wanted;
use crate::engine::watching::settle::{Seen, Stamp};
use crate::engine::{Input, RootId};
use crate::run::names;
use crate::run::walk::{below, WalkedRoot};
use std::io;
use std::os::unix::fs::MetadataExt;

impl Loop {
    /// What a file is now.
    pub(super) fn look(&mut self, root: RootId, path: RelPath) {
        let seen = look(&self.roots[root.0], &path);
        let seen = seen.unwrap_or_else(|error| {
            self.reporter.trouble(root, &path, "look at it", &error);
            Seen::Unknown
        });
        self.handle(Input::Seen(root, path, seen));
    }

    /// Which names these inodes have in a root. Without a thread none are found, until a file is changed again.
    pub(super) fn find_names(&mut self, root: RootId, wanted: Wanted) {
        let (walked, tell) = (self.roots[root.0].clone(), self.walks.tell());
        if names::start(walked, wanted, tell).is_err() {
            self.handle(Input::Names(root, Vec::new(), 0));
        }
    }
}

fn look(root: &WalkedRoot, path: &RelPath) -> io::Result<Seen> {
    let found = match below(&root.path, path).symlink_metadata() {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
            return Ok(Seen::Missing);
        }
        found => found?,
    };
    if found.is_dir() {
        return Ok(Seen::Directory);
    }
    if !found.is_file() {
        return Ok(Seen::Other);
    }
    let modified_ns = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    let stamp = Stamp { size: found.len(), modified_ns };
    let times_set = (found.mtime(), found.mtime_nsec()) != (found.ctime(), found.ctime_nsec());
    Ok(Seen::Regular { links: found.nlink(), stamp, times_set })
}
