//! What the loop does when the ground of a root has moved.

use super::{Loop, FIRST_ROOT};
use crate::engine::{Input, RootId, Shift};
use crate::run::ground::lookout::Sighting;
use crate::run::ground::Ground;
use crate::run::walk::WalkedRoot;
use crate::run::worker::WorkerRemote;
use crate::sys::inotify::Inotify;
use std::io;
use std::sync::Arc;

impl Loop {
    /// The lookout has seen what a root's path leads to.
    pub(super) fn ground_seen(&mut self) {
        let Some(Sighting { root, ground, is_empty }) = self.from_lookout.receive() else { return };
        let Ok(ground) = ground else { return self.handle(Input::GroundMissing(root)) };
        let shift = match &self.grounds[root.0] {
            Some(before) => before.shift(&ground),
            None => Shift::Directory,
        };
        if shift == Shift::None && !self.engine.root_is_halted(root) {
            return self.stand_on(root, ground);
        }
        // What is hidden by a disk is not taken for what was on it; and an empty directory may be where a
        // disk is still missing.
        if shift == Shift::Unmounted || is_empty {
            return self.handle(Input::GroundMissing(root));
        }
        if shift != Shift::None {
            if let Err(error) = self.watch_anew(root) {
                log::error!("{}: cannot be watched: {error}", self.roots[root.0].path.display());
                return self.handle(Input::GroundMissing(root));
            }
            if self.grounds[root.0].is_some() {
                self.reporter.ground_moved(root, shift, &ground.resolved);
            }
        }
        self.stand_on(root, ground);
        self.handle(Input::GroundFound(root, shift));
    }

    /// Has a root watched by a new inotify instance, so that nothing that is still told of the tree that was there
    /// before, or is still found in it, is taken for the new one.
    fn watch_anew(&mut self, root: RootId) -> io::Result<()> {
        let (inotify, number) = (Arc::new(Inotify::new()?), root.0);
        self.epoll.add(&*inotify, FIRST_ROOT + number as u64)?;
        let old = &self.roots[number];
        // A walk in the old tree may keep it open for a while.
        self.epoll.remove(&*old.inotify)?;
        let WalkedRoot { path, filter, mask, .. } = &**old;
        let (path, filter, mask) = (path.clone(), filter.clone(), *mask);
        self.roots[number] = Arc::new(WalkedRoot { id: root, path, inotify, mask, filter });
        Ok(())
    }

    /// What runs from now on runs on this ground.
    fn stand_on(&mut self, root: RootId, ground: Ground) {
        let path = &self.roots[root.0].path;
        let of_root = |remote: &&mut Arc<WorkerRemote>| remote.route.root == *path;
        for remote in self.remotes.iter_mut().filter(of_root) {
            *remote = Arc::new(WorkerRemote {
                ground: Some(ground.clone()),
                ..WorkerRemote::clone(remote)
            });
        }
        self.grounds[root.0] = Some(ground);
        // A standby in the old tree would keep its disk busy.
        let remotes = &self.remotes;
        self.standbys.let_go(|remote| !remotes[remote.0].is_on_its_ground());
    }
}
