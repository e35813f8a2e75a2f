//! The disk of the root goes while the program runs, and it or another one comes in its place. Nothing is unmounted
//! under a job: rsync's working directory keeps the disk busy.

use super::deeds::NAMES;
use super::file_system::{Kind, Queued, ROOT};
use super::{Fault, Input, RootId, World};
use crate::engine::watching::event::{mask, RawEvent};
use crate::engine::Shift;
use std::collections::BTreeMap;

/// What the path of the root leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mounted {
    /// The disk of which the remotes have a copy.
    Own,
    /// Another one; each is new.
    Other(u64),
    /// None.
    Nothing,
}

/// What is there, and what is known of it.
pub(super) struct Ground {
    mounted: Mounted,
    /// The disk on which the engine stands, with its jobs.
    known: Mounted,
    /// Somebody is to look.
    is_asked: bool,
}

impl Ground {
    pub(super) fn new() -> Ground {
        Ground { mounted: Mounted::Own, known: Mounted::Own, is_asked: false }
    }

    /// Whether what jobs find is what the engine knows of.
    pub(super) fn is_known(&self) -> bool {
        self.mounted == self.known
    }

    pub(super) fn is_other(&self) -> bool {
        matches!(self.mounted, Mounted::Other(_))
    }

    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    pub(super) fn ask(&mut self) {
        self.is_asked = true;
    }
}

impl World {
    /// The disk of the root goes, or one comes.
    pub(super) fn move_ground(&mut self) {
        match self.ground.mounted {
            Mounted::Own | Mounted::Other(_) if self.jobs.is_empty() => self.unmount_ground(),
            Mounted::Own | Mounted::Other(_) => {}
            Mounted::Nothing if self.random.one_in(2) => self.mount_own_ground(),
            Mounted::Nothing => self.mount_another(),
        }
    }

    /// The disk of which the remotes have a copy is there again, whatever is there now.
    pub(super) fn bring_ground_back(&mut self) {
        while !self.jobs.is_empty() {
            self.job_step();
        }
        if self.ground.is_other() {
            self.unmount_ground();
        }
        if self.ground.mounted == Mounted::Nothing {
            self.mount_own_ground();
        }
        // An empty one is taken for one that is still missing.
        if self.fs.entries(ROOT).is_empty() {
            self.fs.add(ROOT, NAMES[0], Kind::Dir(BTreeMap::new()));
        }
    }

    fn unmount_ground(&mut self) {
        self.name_what_was_seen();
        while !self.fs.open.is_empty() {
            self.fs.close(0);
        }
        for inode in &mut self.fs.inodes {
            let wd = inode.wd.take();
            for mask in [mask::UNMOUNT, mask::IGNORED] {
                let told = wd.map(|wd| RawEvent { wd, mask, cookie: 0, name: Box::default() });
                self.fs.queue.extend(told.map(|event| Queued { event, went: None }));
            }
        }
        let disk = self.fs.unmount_root();
        if self.ground.mounted == Mounted::Own {
            self.root_disk = Some(disk);
        }
        self.now_mounted(Mounted::Nothing);
    }

    fn mount_own_ground(&mut self) {
        self.bring_root_back();
        self.now_mounted(Mounted::Own);
    }

    /// A disk with something on it.
    fn mount_another(&mut self) {
        let number = self.fs.fresh();
        for _ in 0..=self.random.below(3) {
            let name = NAMES[self.random.below(NAMES.len())];
            let content = self.fs.fresh();
            if !self.fs.entries(ROOT).contains_key(name) {
                self.fs.add(ROOT, name, Kind::File { content, modified: content, links: 1 });
            }
        }
        self.now_mounted(Mounted::Other(number));
    }

    fn now_mounted(&mut self, mounted: Mounted) {
        self.ground.mounted = mounted;
        // The kernel tells that the table of mounts is another one.
        self.ground.ask();
    }

    /// Somebody looks what the path of the root leads to. Another disk has a new inotify instance; nothing is taken for
    /// one that is empty.
    pub(super) fn look_at_ground(&mut self) {
        self.ground.is_asked = false;
        let is_halted = self.engine.root_is_halted(RootId(0));
        let (old_rule, known) =
            (self.fault == Some(Fault::AnyDiskIsTheRoot), self.ground.is_known());
        let is_empty = self.fs.entries(ROOT).is_empty();
        if self.ground.mounted == Mounted::Nothing || is_empty && (is_halted || !known) {
            return self.handle(Input::GroundMissing(RootId(0)));
        }
        self.ground.known = self.ground.mounted;
        if known || old_rule {
            if is_halted {
                self.handle(Input::GroundFound(RootId(0), Shift::None));
            }
            return;
        }
        self.fs.forget_watches();
        self.fs.last_wd = 0;
        self.walk.stop();
        self.handle(Input::GroundFound(RootId(0), Shift::Disk));
    }
}
