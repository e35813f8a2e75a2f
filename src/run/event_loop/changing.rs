//! What the loop does with another configuration: only what has changed is replaced.
//!
//! Remotes come and go, and what is kept for each moves to its new place; roots do, too (`roots`). Where the fail log is and
//! what may be deleted depends on more than that: then everything begins anew, by another loop (`ending`).

use super::{alerts, plugins, roots, showing, Loop, ALERTS, PLUGINS};
use crate::config::{Difference, StandbyMode};
use crate::engine::rel_path::RelPath;
use crate::engine::sending::standing::Standing;
use crate::engine::sending::trust::Trust;
use crate::engine::succession::Succession;
use crate::engine::{NextRemote, RemoteId};
use crate::keep::state::resume::Resume;
use crate::keep::state::{self, Kept};
use crate::run::crontab::Crontab;
use crate::run::ground::{is_empty, Ground};
use crate::run::setup::Setup;
use crate::run::worker::{share_connections, WorkerRemote};
use crate::sys::clock;
use crate::tell::plugin::Plugins;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// So often there may be new SSH connections before everything begins anew: each time takes a directory.
const SOCKETS_MAX: usize = 16;

impl Loop {
    /// Which parts of this configuration are to be replaced.
    pub(super) fn difference(&self, setup: &Setup) -> Difference {
        let difference = Difference::between(&self.config, &setup.config);
        // What runs for a remote that was taken out may still send and delete there when it is back.
        let is_back = |remote: &Arc<WorkerRemote>| self.away.iter().any(|kept| remote.is_of(kept));
        let meets_itself = self.left_jobs > 0 && setup.remotes.iter().any(is_back);
        let everything = difference.everything
            || meets_itself
            || setup.remotes.is_empty()
            || setup.grants != self.grants
            || self.roots_cannot_stay(setup)
            || self.sockets.len() >= SOCKETS_MAX;
        Difference { everything, ..difference }
    }

    /// Goes on with another configuration.
    ///
    /// # Errors
    /// The system has no pipes, threads or inotify instances left for what is new.
    pub(super) fn change(&mut self, setup: Setup, what: Difference) -> io::Result<()> {
        // What the engine has said so far names the remotes as they were.
        self.carry_out()?;
        let new = self.change_roots(&setup, what.filter)?;
        if what.plugin {
            self.change_plugin(plugins(&setup, self.root_paths(), &self.stop)?)?;
        }
        let now = self.now();
        let timetable = setup.config.crontab.as_ref();
        if what.timetable {
            self.crontab = Crontab::new(timetable, self.remotes.len(), now);
        }
        self.engine.change_sending(roots::sending(&setup));
        self.standbys.change_kept(setup.config.standby);
        let next = self.change_remotes(&setup);
        self.begin_roots(&new, &next);
        self.leave_roots(&setup)?;
        if what.filter && setup.full_sync {
            self.engine.full_sync_now();
        }
        if what.alert {
            let new = alerts(&setup, self.root_paths(), &self.stop)?;
            if let Some(old) = std::mem::replace(&mut self.alerts, new) {
                self.epoll.remove(&old)?;
            }
            if let Some(new) = &self.alerts {
                self.epoll.add(new, ALERTS)?;
            }
        }
        if what.status {
            self.change_status(&setup)?;
        }
        self.debug = setup.config.debug;
        self.config = setup.config;
        Ok(())
    }

    fn change_plugin(&mut self, new: Option<Plugins>) -> io::Result<()> {
        if let Some(old) = &self.plugins {
            self.epoll.remove(old)?;
        }
        self.plugins = new;
        if let Some(plugins) = &self.plugins {
            self.epoll.add(plugins, PLUGINS)?;
            self.engine.tell_arrivals();
        }
        Ok(())
    }

    fn change_remotes(&mut self, setup: &Setup) -> Vec<NextRemote> {
        let name = |remote: &Arc<WorkerRemote>| (remote.route.root.clone(), remote.route.kept_as());
        let names: Vec<_> = self.remotes.iter().map(name).collect();
        let next_names: Vec<_> = setup.remotes.iter().map(name).collect();
        let succession = Succession::of(&names, &next_names);
        self.take_leave(&succession);
        let (resumes, next) = self.begin(setup, &succession);
        self.engine.change_remotes(&succession, &next);
        self.last_grounds = succession.carry(std::mem::take(&mut self.last_grounds), || None);
        for (number, resume) in resumes.into_iter().enumerate() {
            if let Some(resume) = resume {
                self.engine.owe(RemoteId(number), resume.full, resume.paths, false);
                self.last_grounds[number] = resume.ground;
            }
        }
        let now = self.now();
        let replaced: Vec<RemoteId> = self.replace(&setup.remotes, &succession);
        self.standbys.change_remotes(&succession);
        self.standbys.let_go(|remote| replaced.contains(&remote));
        self.crontab.change_remotes(&succession, setup.config.crontab.as_ref(), now);
        let shown: Vec<_> = self.remotes.iter().map(|remote| remote.route.name()).collect();
        self.reporter.change_remotes(&succession, shown.clone());
        if let Some(alerts) = &mut self.alerts {
            alerts.change_remotes(&succession, shown);
        }
        let names = showing::names(setup, &self.roots, &self.remotes);
        self.status.change_remotes(&succession, names);
        next
    }

    /// What is known of those that are taken out is kept.
    fn take_leave(&mut self, succession: &Succession) {
        for (number, kept) in self.known().into_iter().enumerate() {
            if succession.after(RemoteId(number)).is_some() {
                continue;
            }
            let (full, paths, _) = self.engine.owed(RemoteId(number), true);
            let owed = match (full, paths.len()) {
                (false, 0) => "nothing was owed to it",
                (_, _) => "what it is owed is no longer in the fail log",
            };
            log::info!(
                "{}: is no remote any more; {owed}; if it comes back, it gets a full sync",
                self.remotes[number].route.name()
            );
            self.left_jobs += self.engine.jobs_of(RemoteId(number));
            self.away.push(kept);
        }
        let more = self.away.len().saturating_sub(state::AWAY_MAX);
        self.away.drain(..more);
    }

    /// Where each new remote begins.
    fn begin(
        &mut self,
        setup: &Setup,
        succession: &Succession,
    ) -> (Vec<Option<Resume>>, Vec<NextRemote>) {
        let now_ns = clock::file_stamp_ns();
        let (mut resumes, mut next) = (Vec::new(), Vec::new());
        for (remote, before) in setup.remotes.iter().zip(succession.iter()) {
            let root = self.root_at(&remote.route.root).map_or(0, |id| id.0);
            let resume = before.is_none().then(|| {
                let kept = self.take_back(remote);
                let everything = setup.full_sync || kept.is_some();
                if kept.is_some() {
                    log::info!("{}: is a remote again: a full sync", remote.route.name());
                }
                let shift = remote.shift_since(kept.as_ref());
                let resume = Resume::from(kept.as_ref(), shift, now_ns, everything);
                match setup.grants.of_sweeps().covers_unseen() && is_empty(&remote.route.root) {
                    true => resume.with_empty_root(setup.config.safety.empty_root),
                    false => resume,
                }
            });
            let begins = resume.as_ref().map(|resume| (resume.standing, resume.trust));
            let begins = begins.unwrap_or((Standing::Nothing, Trust::default()));
            next.push(NextRemote { root, begins });
            resumes.push(resume);
        }
        (resumes, next)
    }

    fn take_back(&mut self, remote: &WorkerRemote) -> Option<Kept> {
        let at = self.away.iter().position(|kept| remote.is_of(kept))?;
        Some(self.away.remove(at))
    }

    /// Puts the new ones in place; gives those that are called by other words now.
    fn replace(&mut self, next: &[Arc<WorkerRemote>], succession: &Succession) -> Vec<RemoteId> {
        let mut new: Vec<_> = next.to_vec();
        let stood_by = self.config.standby != StandbyMode::Off;
        let is_new = succession.iter().map(|before| before.is_none());
        let mut fresh: Vec<_> = next
            .iter()
            .zip(is_new)
            .filter(|(_, is_new)| *is_new)
            .map(|(it, _)| it.clone())
            .collect();
        self.sockets.extend(share_connections(&mut fresh));
        let (mut fresh, mut replaced) = (fresh.into_iter(), Vec::new());
        for ((number, remote), before) in new.iter_mut().enumerate().zip(succession.iter()) {
            let Some(before) = before.map(|id| &self.remotes[id.0]) else {
                let ground = self.ground_at(&remote.route.root);
                let own = fresh.next().unwrap_or_else(|| remote.clone());
                *remote = Arc::new(WorkerRemote { ground, ..WorkerRemote::clone(&own) });
                continue;
            };
            if before.route != remote.route {
                replaced.push(RemoteId(number));
            }
            let same_client = before.ssh_client == remote.ssh_client;
            *remote = Arc::new(WorkerRemote {
                ground: before.ground.clone(),
                connection: before.connection.clone().filter(|_| same_client),
                // A host may have refused them.
                standby: remote.standby && (before.standby || !stood_by),
                ..WorkerRemote::clone(remote)
            });
        }
        self.remotes = new;
        for (walked, (mounted, too_long)) in
            self.roots.iter().zip(self.mounted.iter().zip(&self.too_long))
        {
            let mounted: Arc<[RelPath]> = mounted.iter().cloned().collect();
            for remote in self.remotes.iter_mut().filter(|it| it.route.root == walked.path) {
                let remote = Arc::make_mut(remote);
                remote.mounted = mounted.clone();
                for directory in too_long.iter() {
                    remote.excludes = remote.excludes.with(directory);
                }
            }
        }
        replaced
    }

    fn ground_at(&self, root: &Path) -> Option<Ground> {
        self.grounds[self.root_at(root)?.0].clone()
    }
}
