//! What the loop does when another configuration brings roots, takes others out, or has other rules for them.
//!
//! A root keeps its number as long as the loop lives, as in the engine: one that is none any more has an empty path.

use super::{moving, Loop, FIRST_ROOT};
use crate::config::{self, Events};
use crate::engine::sending::settings::SendingSettings;
use crate::engine::watching::event;
use crate::engine::{NextRemote, RootId};
use crate::run::setup::Setup;
use crate::run::walk::WalkedRoot;
use crate::sorted::SortedSet;
use crate::sys::inotify::{self, Inotify};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many roots may have been taken out before everything begins anew: each keeps its number.
const LEFT_MAX: usize = 64;

/// What the walk needs to know of a root of this configuration.
pub(super) fn walked(setup: &Setup, at: usize, id: RootId, inotify: Arc<Inotify>) -> WalkedRoot {
    let root = &setup.config.roots[at];
    WalkedRoot {
        id,
        path: root.watch.clone(),
        inotify,
        mask: asked(setup.events),
        filter: setup.filters[at].clone(),
        second_names: Vec::new(),
        one_file_system: moving::stays_on_one_file_system(root),
    }
}

/// The events that are asked of each directory.
fn asked(events: Events) -> u32 {
    // Times that are set without that of access are told of as a modification.
    let wanted = events.modify || events.attrib;
    inotify::DIRECTORY | if wanted { event::mask::MODIFY } else { 0 }
}

/// What counts for all remotes.
pub(super) fn sending(setup: &Setup) -> SendingSettings {
    SendingSettings {
        timing: setup.config.batch,
        grants: setup.grants,
        max_delete: setup.config.safety.max_delete,
        way: setup.way,
        standby: setup.config.standby != config::StandbyMode::Off,
        put_aside_ms: setup.config.fail_log.every_s.saturating_mul(1000),
    }
}

impl Loop {
    /// The number of the root at this path.
    pub(super) fn root_at(&self, path: &Path) -> Option<RootId> {
        self.roots.iter().position(|root| root.path == path).map(RootId)
    }

    /// Their paths, by their numbers.
    pub(super) fn root_paths(&self) -> Vec<PathBuf> {
        self.roots.iter().map(|root| root.path.clone()).collect()
    }

    /// Whether so many have been taken out that there is no number for more, or one that stays is to be walked in
    /// another way than before.
    pub(super) fn roots_cannot_stay(&self, setup: &Setup) -> bool {
        let left = self.roots.iter().filter(|root| root.path.as_os_str().is_empty()).count();
        let walks_otherwise = |root: &config::Root| {
            let walked = self.root_at(&root.watch).map(|id| &self.roots[id.0]);
            let stays = moving::stays_on_one_file_system(root);
            walked.is_some_and(|walked| walked.one_file_system != stays)
        };
        left >= LEFT_MAX || setup.config.roots.iter().any(walks_otherwise)
    }

    /// Those that stay get their rules, and are read again if these are other ones; the others are added. Gives those:
    /// they begin when their remotes are known.
    pub(super) fn change_roots(&mut self, setup: &Setup, filter: bool) -> io::Result<Vec<RootId>> {
        let mut new = Vec::new();
        for (at, root) in setup.config.roots.iter().enumerate() {
            let Some(id) = self.root_at(&root.watch) else {
                new.push(self.add_root(setup, at)?);
                continue;
            };
            let old = &self.roots[id.0];
            let next = walked(setup, at, id, old.inotify.clone());
            let again = filter || next.mask != old.mask;
            self.engine.change_root(id, setup.events, next.filter.clone(), again);
            let second_names = old.second_names.clone();
            self.roots[id.0] = Arc::new(WalkedRoot { second_names, ..next });
        }
        Ok(new)
    }

    fn add_root(&mut self, setup: &Setup, at: usize) -> io::Result<RootId> {
        let (path, id) = (&setup.config.roots[at].watch, RootId(self.roots.len()));
        let inotify = Arc::new(Inotify::new()?);
        self.epoll.add(&*inotify, FIRST_ROOT + id.0 as u64)?;
        let ground = moving::known_ground(path, &setup.remotes);
        let below = moving::below_ground(&ground);
        self.lookout.add(path.clone(), ground.clone().map(|ground| (ground, below.clone())));
        let root = walked(setup, at, id, inotify);
        self.engine.add_root(setup.events, root.filter.clone(), setup.halts[at]);
        self.roots.push(Arc::new(root));
        self.grounds.push(ground);
        self.mounted.push(Vec::new());
        self.too_long.push(SortedSet::new());
        self.reporter.add_root(path.clone());
        self.alerts.iter_mut().for_each(|alerts| alerts.add_root(path.clone()));
        if let Some(plugins) = &mut self.plugins {
            plugins.add_root(path);
            self.engine.tell_arrivals();
        }
        self.know_second_names(id, &below);
        Ok(id)
    }

    /// They are read for the first time.
    pub(super) fn begin_roots(&mut self, new: &[RootId], next: &[NextRemote]) {
        for id in new {
            let its = next.iter().filter(|next| next.root == id.0);
            let begins: Vec<_> = its.map(|next| next.begins).collect();
            self.engine.begin_root(*id, &begins);
            self.show_ground(*id);
        }
    }

    /// Those that the configuration does not have are none any more. Their remotes have gone already.
    pub(super) fn leave_roots(&mut self, setup: &Setup) -> io::Result<()> {
        let is_root = |path: &Path| setup.config.roots.iter().any(|root| root.watch == path);
        for number in 0..self.roots.len() {
            let (old, id) = (self.roots[number].clone(), RootId(number));
            if is_root(&old.path) || old.path.as_os_str().is_empty() {
                continue;
            }
            log::info!("{}: is no root any more", old.path.display());
            self.epoll.remove(&*old.inotify)?;
            self.lookout.leave(id);
            self.engine.end_root(id);
            self.alerts.iter_mut().for_each(|alerts| alerts.leave_root(id));
            self.status.leave_root(id);
            // Its own instance ends with the last walk in it; nothing is read for it from the one of another root.
            let Some(other) = self.roots.iter().find(|root| is_root(&root.path)) else { continue };
            let (path, inotify) = (PathBuf::new(), other.inotify.clone());
            let nothing = WalkedRoot { path, inotify, ..WalkedRoot::clone(&old) };
            self.roots[number] = Arc::new(nothing);
            self.grounds[number] = None;
        }
        self.say_ready();
        Ok(())
    }

    /// Says that everything is watched, once, when it is.
    pub(super) fn say_ready(&mut self) {
        if !self.engine.is_walking().any(|is_walking| is_walking) {
            if let Some(ready) = self.ready.take() {
                ready();
            }
        }
    }
}
