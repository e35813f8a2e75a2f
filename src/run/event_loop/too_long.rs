//! Paths that are longer than any call and any rsync takes.
//!
//! rsync counts such a path as an error of the disk, and deletes nothing more in that run. So the directory in
//! which it lies is left out of full and level syncs; what else is in there is still sent when it changes.

use super::Loop;
use crate::engine::rel_path::RelPath;
use crate::engine::{Report, RootId};
use crate::run::worker::WorkerRemote;
use std::sync::Arc;

/// So many directories of a root are left out. Each takes up to 4 KB of a command, and kernels before 2.6.23 take
/// 128 KiB for all words.
const LEFT_OUT_MAX: usize = 16;

impl Loop {
    /// Something in a directory has a path that is too long. It is said of the first such directory of a root.
    pub(super) fn too_long(&mut self, root: RootId, directory: RelPath) {
        let known = &mut self.too_long[root.0];
        if directory.is_empty() || known.len() >= LEFT_OUT_MAX || known.contains(&directory) {
            return;
        }
        let is_first = known.is_empty();
        known.insert(directory.clone());
        let path = &self.roots[root.0].path;
        for remote in self.remotes.iter_mut().filter(|remote| remote.route.root == *path) {
            let excludes = remote.excludes.with(&directory);
            *remote = Arc::new(WorkerRemote { excludes, ..WorkerRemote::clone(remote) });
        }
        if is_first {
            self.report(&Report::TooLong(root, directory));
        }
    }
}
