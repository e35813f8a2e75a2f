//! Disks below the root that are not there for a while. They go and come while the program is not running: how it
//! hears of it otherwise is not modelled.

use super::file_system::{FileSystem, Is, Name, Random, ROOT};
use super::{Fault, Saved, World};
use crate::engine::rel_path::lies_in;
use crate::engine::Shift;
use std::collections::BTreeMap;

/// A disk that is away: the directory on which it was mounted, and what it holds.
pub(super) struct Disk {
    mount_point: usize,
    entries: BTreeMap<Name, usize>,
    /// What was made since it went has a later stamp than this.
    away_since: u64,
}

impl FileSystem {
    /// What is in a directory turns out to be a disk, and is not there any more.
    fn unmount(&mut self, random: &mut Random) -> Option<Disk> {
        let mut dirs = Vec::new();
        self.dirs(ROOT, &mut dirs);
        let mount_point = dirs[random.below(dirs.len())];
        let entries = match mount_point {
            ROOT => return None,
            below => std::mem::take(self.entries_mut(below)),
        };
        Some(Disk { mount_point, entries, away_since: self.stamp })
    }

    /// The disk of the root is not there, and the directory below it is empty.
    pub(super) fn unmount_root(&mut self) -> Disk {
        let entries = std::mem::take(self.entries_mut(ROOT));
        Disk { mount_point: ROOT, entries, away_since: self.stamp }
    }

    /// The disk is back, and hides what has been put in its place.
    fn mount(&mut self, disk: Disk) {
        *self.entries_mut(disk.mount_point) = disk.entries;
    }
}

impl World {
    /// A disk goes or comes, at random. Gives whether one did.
    pub(super) fn move_disks(&mut self) -> bool {
        match self.disk.take() {
            // Without its mount point it is gone for good, and that was a deletion like any other.
            Some(disk) if self.fs.path_of(disk.mount_point).is_none() => false,
            Some(disk) if self.random.one_in(2) => {
                self.fs.mount(disk);
                true
            }
            None if self.random.one_in(2) => {
                self.disk = self.fs.unmount(&mut self.random);
                self.disk.is_some()
            }
            same @ (Some(_) | None) => {
                self.disk = same;
                false
            }
        }
    }

    /// The disk that is away comes back. Gives whether there was one.
    pub(super) fn bring_disk_back(&mut self) -> bool {
        let disk = self.disk.take().filter(|disk| self.fs.path_of(disk.mount_point).is_some());
        disk.map(|disk| self.fs.mount(disk)).is_some()
    }

    /// The disk of the root goes or comes, at random. Gives whether it did.
    pub(super) fn move_root(&mut self) -> bool {
        match self.root_disk.take() {
            Some(disk) if self.random.one_in(2) => self.fs.mount(disk),
            None if self.random.one_in(2) => self.root_disk = Some(self.fs.unmount_root()),
            same @ (Some(_) | None) => {
                self.root_disk = same;
                return false;
            }
        }
        true
    }

    /// The disk of the root comes back, if it is away. Gives whether it was.
    pub(super) fn bring_root_back(&mut self) -> bool {
        self.root_disk.take().map(|disk| self.fs.mount(disk)).is_some()
    }

    /// The program starts. On another ground than before, what is owed by name is of the one before.
    pub(super) fn doubt_root(&mut self) {
        let is_away = self.root_disk.is_some();
        let shift = if is_away { Shift::Unmounted } else { Shift::Mounted };
        let doubt = shift.doubt().filter(|_| self.fault != Some(Fault::AnyDiskIsTrusted));
        for saved in self.saved.iter_mut().filter(|saved| saved.root_was_away != is_away) {
            saved.standing.2.clear();
            if let Some(doubt) = doubt {
                saved.trust.doubt(doubt);
            }
        }
    }

    pub(super) fn root_has_moved_since(&self, saved: &Saved) -> bool {
        saved.root_was_away != self.root_disk.is_some()
    }

    /// Whether something that is gone over there is the copy of what is on the disk of the root, and that is not there.
    /// What was made in its place since then may go again. Where another disk is in its place, the far side becomes a copy of
    /// that as far as this costs nothing; and what is empty makes way for what has its name there, or goes when that does, of
    /// which nobody need have been told yet.
    pub(super) fn is_missed(&self, path: &[u8], is: Is) -> bool {
        let Some(disk) = &self.root_disk else { return false };
        let mut names = path.split(|&byte| byte == b'/');
        let first = names.next().and_then(|name| disk.entries.get(name).copied());
        let found = names.try_fold(first, |dir, name| {
            let dir = dir.filter(|&dir| self.fs.is_dir(dir))?;
            Some(self.fs.entries(dir).get(name).copied())
        });
        let is_copy = found.flatten().is_some_and(|ino| self.fs.describe(ino) == is);
        let mut going = self.fs.queue.iter().filter_map(|queued| queued.went.as_ref());
        let is_free = self.fs.find(path).is_none() && !going.any(|went| went.path == path);
        match self.ground.is_other() {
            true => is_copy && is_free,
            false => is.mode <= disk.away_since,
        }
    }

    /// Whether there is anything in whose place things happen.
    pub(super) fn root_is_there(&self) -> bool {
        self.root_disk.is_none() || self.ground.is_other()
    }

    /// Whether a path lies below the mount point of a disk that is away.
    pub(super) fn is_away(&self, path: &[u8]) -> bool {
        let mount_point = self.disk.as_ref().and_then(|disk| self.fs.path_of(disk.mount_point));
        mount_point.is_some_and(|at| path.len() > at.len() && lies_in(path, &at))
    }
}
