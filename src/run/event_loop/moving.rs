//! What the loop does when the ground of a root has moved.

use super::{Loop, FIRST_ROOT};
use crate::config::{self, options};
use crate::engine::rel_path::RelPath;
use crate::engine::watching::mounts::MountChange;
use crate::engine::{Input, RootId, Shift};
use crate::keep::state::MOUNTED_MAX;
use crate::run::ground::below::Below;
use crate::run::ground::lookout::Sighting;
use crate::run::ground::Ground;
use crate::run::walk::{below, WalkedRoot};
use crate::run::worker::WorkerRemote;
use crate::sys::inotify::Inotify;
use crate::sys::mounts;
use crate::tell::status::LeadsTo;
use std::io;
use std::path::Path;
use std::sync::Arc;

impl Loop {
    /// The lookout has seen what a root's path leads to, and what is mounted below.
    pub(super) fn ground_seen(&mut self) {
        let Some(sighting) = self.from_lookout.receive() else { return };
        let Sighting { root, ground, is_empty, below, came, went } = sighting;
        if self.roots[root.0].path.as_os_str().is_empty() {
            return;
        }
        let Ok(ground) = ground else { return self.leads_nowhere(root) };
        let shift = match &self.grounds[root.0] {
            Some(before) => before.shift(&ground),
            None => self.shift_since_the_last_run(root, &ground),
        };
        let is_halted = self.engine.root_is_halted(root);
        // What is hidden by a disk is not taken for what was on it; and an empty directory may be where a
        // disk is still missing.
        if shift == Shift::Unmounted || is_empty && (is_halted || shift != Shift::None) {
            return self.leads_nowhere(root);
        }
        if shift != Shift::None {
            if let Err(error) = self.watch_anew(root) {
                log::error!("{}: cannot be watched: {error}", self.roots[root.0].path.display());
                return self.leads_nowhere(root);
            }
            if self.grounds[root.0].is_some() {
                self.reporter.ground_moved(root, shift, &ground.resolved);
            }
        }
        self.stand_on(root, ground);
        self.know_second_names(root, &below);
        if shift != Shift::None || is_halted {
            self.handle(Input::GroundFound(root, shift));
        }
        self.mounts_changed(root, came, went);
    }

    /// For a root that has been missing since the start: what it is, beside what it was in the last run.
    fn shift_since_the_last_run(&self, root: RootId, ground: &Ground) -> Shift {
        let is_of_root = |remote: &WorkerRemote| remote.route.root == self.roots[root.0].path;
        let remotes = self.remotes.iter().zip(&self.last_grounds);
        let mut befores = remotes.filter(|(remote, _)| is_of_root(remote));
        match befores.find_map(|(_, before)| before.as_ref()).map(|before| ground.since(before)) {
            // It has never been read in this run.
            None | Some(Shift::None | Shift::Directory) => Shift::Directory,
            Some(Shift::Mounted) => Shift::Mounted,
            Some(Shift::Disk | Shift::Unmounted) => Shift::Disk,
        }
    }

    /// Whoever looks at the status sees where a root leads.
    pub(super) fn show_ground(&mut self, root: RootId) {
        let since = self.now();
        let shown = self.grounds[root.0].as_ref().map(|ground| LeadsTo {
            path: ground.resolved.display().to_string(),
            file_system: ground.kind.escape_ascii().to_string(),
            since,
        });
        self.status.leads_to(root, shown);
    }

    fn leads_nowhere(&mut self, root: RootId) {
        self.status.leads_to(root, None);
        self.handle(Input::GroundMissing(root));
    }

    /// What is seen twice in a root is watched once, and goes to both places.
    pub(super) fn know_second_names(&mut self, root: RootId, below: &[Below]) {
        self.mounted[root.0] = below.iter().map(|it| it.at.clone()).collect();
        let names: Vec<_> = below.iter().filter_map(Below::second_name).collect();
        let walked = &self.roots[root.0];
        let second_names = names.iter().map(|name| name.at.clone()).collect();
        self.roots[root.0] = Arc::new(WalkedRoot { second_names, ..WalkedRoot::clone(walked) });
        let mounted: Arc<[RelPath]> = below.iter().map(|below| below.at.clone()).collect();
        self.change_remotes_of(root, |remote| remote.mounted = mounted.clone());
        self.handle(Input::SecondNames(root, names));
    }

    /// At the start: what was mounted below the root of a remote in the last run, and is not now, is away. Without its
    /// directory it was deleted, like anything else.
    pub(super) fn miss_what_was_mounted(&mut self, remote: usize, mounted: &[RelPath]) {
        let path = &self.remotes[remote].route.root;
        let Some(root) = self.roots.iter().position(|root| root.path == *path) else { return };
        let (walked, id) = (self.roots[root].clone(), RootId(root));
        let is_there = |at: &RelPath| {
            let found = below(&walked.path, at).symlink_metadata();
            !at.is_empty() && found.is_ok_and(|found| found.is_dir())
        };
        let known = self.engine.away(id);
        for at in mounted.iter().filter(|at| !self.mounted[root].contains(at) && is_there(at)) {
            if !known.contains(at) && !walked.one_file_system {
                self.reporter.mount_changed(id, at, MountChange::Went);
                self.engine.miss(id, at);
            }
        }
    }

    /// Where disks are mounted below the root of a remote, or were and are away.
    pub(super) fn mounted_below(&self, remote: &WorkerRemote) -> Vec<RelPath> {
        let root = self.roots.iter().position(|root| root.path == remote.route.root);
        let Some(root) = root.filter(|root| !self.roots[*root].one_file_system) else {
            return Vec::new();
        };
        let away = self.engine.away(RootId(root)).into_iter().filter(|at| !at.is_empty());
        self.mounted[root].iter().cloned().chain(away).take(MOUNTED_MAX).collect()
    }

    fn mounts_changed(&mut self, root: RootId, came: Vec<RelPath>, went: Vec<RelPath>) {
        let is_left_out = self.roots[root.0].one_file_system;
        let known = |change| if is_left_out { MountChange::LeftOut } else { change };
        let went = went.into_iter().map(|at| (at, known(MountChange::Went)));
        let came = came.into_iter().map(|at| (at, known(MountChange::Came)));
        for (at, change) in went.chain(came).collect::<Vec<_>>() {
            self.reporter.mount_changed(root, &at, change);
            self.handle(Input::Mount(root, at, change));
        }
    }

    /// Has a root watched by a new inotify instance, so that nothing that is still told of the tree that was there
    /// before, or is still found in it, is taken for the new one.
    fn watch_anew(&mut self, root: RootId) -> io::Result<()> {
        let (inotify, number) = (Arc::new(Inotify::new()?), root.0);
        self.epoll.add(&*inotify, FIRST_ROOT + number as u64)?;
        let old = &self.roots[number];
        // A walk in the old tree may keep it open for a while.
        self.epoll.remove(&*old.inotify)?;
        self.roots[number] = Arc::new(WalkedRoot { inotify, ..WalkedRoot::clone(old) });
        Ok(())
    }

    /// What runs from now on has other settings.
    fn change_remotes_of(&mut self, root: RootId, change: impl Fn(&mut WorkerRemote)) {
        let path = &self.roots[root.0].path;
        let of_root = |remote: &&mut Arc<WorkerRemote>| remote.route.root == *path;
        for remote in self.remotes.iter_mut().filter(of_root) {
            change(Arc::make_mut(remote));
        }
    }

    /// What runs from now on runs on this ground.
    fn stand_on(&mut self, root: RootId, ground: Ground) {
        self.change_remotes_of(root, |remote| remote.ground = Some(ground.clone()));
        self.grounds[root.0] = Some(ground);
        self.show_ground(root);
        // A standby in the old tree would keep its disk busy.
        let remotes = &self.remotes;
        self.standbys.let_go(|remote| !remotes[remote.0].is_on_its_ground());
    }
}

/// What a root's path leads to by what its remotes know, or else now: a plugin that runs alone has none.
pub(super) fn known_ground(path: &Path, remotes: &[Arc<WorkerRemote>]) -> Option<Ground> {
    match remotes.iter().find(|remote| remote.route.root == *path) {
        Some(remote) => remote.ground.clone(),
        None => Ground::of(path).ok(),
    }
}

/// What is mounted below it; the kernel's table is no file on a disk, so that nothing is waited for.
pub(super) fn below_ground(ground: &Option<Ground>) -> Vec<Below> {
    match (ground, mounts::table()) {
        (Some(ground), Ok(table)) => Below::all(&table, &ground.resolved),
        (None, _) | (_, Err(_)) => Vec::new(),
    }
}

/// Whether rsync leaves other file systems out for every remote of a root, so that their changes go nowhere.
pub(super) fn stays_on_one_file_system(root: &config::Root) -> bool {
    let stays = |remote: &config::RemoteSettings| {
        options::read(&remote.rsync.params).iter().any(|option| option.is("one-file-system"))
    };
    !root.remotes.is_empty() && root.remotes.iter().all(stays)
}
