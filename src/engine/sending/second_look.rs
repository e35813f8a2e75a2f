//! What has arrived beside a sweep, and is looked at once more when that has ended.
//!
//! rsync reads a directory, compares it with the far side's, and sends and deletes, each at a moment of its own. Beside a
//! batch a sweep may therefore do over there what was right when it read, and is not any more:
//!
//! | a batch has | the sweep had read, and now | in a mirror | elsewhere |
//! |---|---|---|---|
//! | sent what a file has become | what it was before; puts that in its place | sent again | sent again |
//! | sent something new | a list without it; deletes it | sent again | does not happen |
//! | deleted something | that it is here; makes it again | deleted again | deleted again |
//! | set a directory's times | what they were; sets those at its end | sent again | sent again |
//!
//! So each path of such a batch is pending again when the sweep has ended, however it did, with the deletion that it was
//! licensed for: the second time nothing else is on its way, and what is there is compared by content. What had not left
//! before the sweep ended needs no second look, since it leaves after it; nor does what the sweep undoes that no batch
//! had done, since the change is pending then.
//!
//! Until then the remote does not count as complete. After a crash, what was sent is found again by its times, which are
//! later than the remote's standing, and what was deleted is known by name; the sweep's rsync is ended before anything
//! else starts (`sys::orphans`).

use super::pending::{Pending, Remembered};
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::plan::Gone;

/// The paths that have arrived beside the sweep on its way.
#[derive(Debug, Default)]
pub struct SecondLook {
    paths: Pending,
}

impl SecondLook {
    /// Number of paths.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether a path is among them.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.paths.contains(path)
    }

    /// The paths, and what disappeared under each.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        self.paths.iter()
    }

    /// Those that have to be kept by name after a restart.
    pub fn by_name(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        self.paths.by_name()
    }

    /// The paths of a batch have arrived.
    pub fn arrived(&mut self, paths: Vec<(RelPath, Remembered)>) {
        self.paths.restore(paths);
    }

    /// A directory has disappeared: what is deleted with it needs no look of its own.
    pub fn forget_below(&mut self, directory: &RelPath) {
        self.paths.forget_below(directory);
    }

    /// A full sync takes their place, except of what disappeared if `keep_gone`.
    pub fn clear(&mut self, keep_gone: bool) {
        self.paths.clear(keep_gone);
    }

    /// The sweep has ended: they are to be looked at now.
    pub fn take(&mut self) -> Vec<(RelPath, Remembered)> {
        self.paths.take(usize::MAX)
    }
}
