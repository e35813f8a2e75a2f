//! What follows when the ground of a root moves, goes or comes, and when something is mounted below.
//!
//! A root that has gone is halted at once. That is reported only when it is known that its path does not lead to
//! another directory, which is then read and synced in its place.

use super::watching::mounts::MountChange;
use super::watching::root::Fate;
use super::watching::scan::Origin;
use super::{Engine, Halt, JobId, Report, RootId, Shift, WatchedRoot};
use crate::engine::rel_path::RelPath;
use crate::engine::time::Time;

impl WatchedRoot {
    /// Whether its path leads to nothing that can be synced, as far as is known.
    pub(super) fn is_gone(&self) -> bool {
        self.halt.is_some()
    }
}

impl Engine {
    /// Reads a root again, and makes all its remotes equal.
    pub(super) fn start_over(&mut self, id: RootId) {
        let watched = &mut self.roots[id.0];
        watched.root.start(Origin::Start);
        for served in &mut self.remotes[watched.remotes.clone()] {
            served.remote.need_full_sync();
        }
    }

    /// Nothing of a root is synced until [`Input::GroundFound`]. It is looked for at once.
    pub(super) fn halt(&mut self, id: RootId, now: Time) {
        let watched = &mut self.roots[id.0];
        if watched.halt.replace(Halt::Lost) != Some(Halt::Lost) {
            (watched.check_at, watched.halt_is_said) = (now, false);
        }
    }

    /// The path of a root leads to a directory, which is read and synced from now on if it is another one, or if
    /// the root has halted.
    pub(super) fn ground_found(&mut self, id: RootId, shift: Shift) {
        let watched = &mut self.roots[id.0];
        let was_halted = watched.halt.take().is_some();
        match shift {
            Shift::None if !was_halted => return,
            Shift::None => {}
            Shift::Directory | Shift::Disk | Shift::Mounted | Shift::Unmounted => {
                watched.root.forget();
                watched.mounts.forget_away();
            }
        }
        if let Some(doubt) = shift.doubt() {
            for served in &mut self.remotes[watched.remotes.clone()] {
                served.remote.doubt(doubt);
            }
        }
        watched.last_job_before = JobId(self.last_job);
        self.spare_what_is_away(id);
        let watched = &mut self.roots[id.0];
        let was_said = std::mem::replace(&mut watched.halt_is_said, false);
        self.start_over(id);
        if was_said {
            self.report(Report::Resumed(id));
        }
    }

    /// Something was mounted or unmounted below a root.
    pub(super) fn mount_changed(
        &mut self,
        id: RootId,
        at: &RelPath,
        change: MountChange,
        now: Time,
    ) {
        let watched = &mut self.roots[id.0];
        watched.mounts.changed(at, change);
        // A halted root is read from the beginning.
        if watched.halt.is_none() {
            watched.root.mount_changed(at, change == MountChange::Came, now);
        }
        self.spare_what_is_away(id);
        self.after(id, Fate::Fine, now);
    }

    /// What lies on a disk that is away stays on the far sides.
    pub(super) fn spare_what_is_away(&mut self, id: RootId) {
        let watched = &self.roots[id.0];
        for served in &mut self.remotes[watched.remotes.clone()] {
            served.remote.spare(watched.mounts.away());
        }
    }

    /// The path of a root leads nowhere, or to what must not take the root's place.
    pub(super) fn ground_missing(&mut self, id: RootId) {
        let watched = &mut self.roots[id.0];
        watched.halt.get_or_insert(Halt::Lost);
        if !std::mem::replace(&mut watched.halt_is_said, true) {
            self.report(Report::Halted(id, Halt::Lost));
        }
    }
}

#[cfg(test)]
mod tests;
