//! Signals, and how the loop ends: for good, or for one with another configuration.

use super::{Heirloom, Loop, KILL_MS, STOP_MS};
use crate::config::Difference;
use crate::engine::sending::trust::Deletions;
use crate::keep::state::resume::Resume;
use crate::keep::state::{Kept, State};
use crate::run::control::{Answer, Control, Request};
use crate::run::reaper::Reaper;
use crate::run::setup::Setup;
use crate::run::worker::WorkerRemote;
use crate::sys::clock;
use crate::tell::alert::Alerts;
use crate::tell::logging;
use crate::tell::plugin::Plugins;
use nix::sys::signal::Signal;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// The disk gets at least this long for the last writes, if the running jobs have needed all of their time.
const LAST_WRITES_MS: u64 = 3_000;

impl Loop {
    /// Writes the fail log and the state for the next run of the program, and hands over to the next loop
    /// if there is to be one.
    pub(super) fn end(mut self) -> Option<(Setup, Heirloom)> {
        self.write_ledger(true);
        // The next loop does not know what this one has drawn on the terminal.
        logging::draw("");
        let (state, now) = (self.state(), self.now());
        if !self.remotes.is_empty() {
            self.saver.save(&self.disk, state.clone(), u64::MAX, now);
        }
        let deadline = self.stop_at.map_or(now, |at| at + KILL_MS).max(now + LAST_WRITES_MS);
        let is_written = self.await_disk(deadline);
        let Some(mut setup) = self.next else {
            self.reporter.owed(&self.engine);
            return None;
        };
        // Otherwise the next loop finds its fail log in use.
        if is_written {
            self.disk.close();
        }
        let everything = setup.full_sync && setup.config.filter != self.config.filter;
        setup.resumes = resumes(&setup, &state, &self.away, everything);
        let remotes = &setup.remotes;
        setup.away = state.away(|kept| remotes.iter().any(|remote| remote.is_of(kept)));
        setup.lock = self.lock;
        setup.read_again = self.read_again;
        let Loop { signals, mut control, control_at, mut reaper, roots, started, .. } = self;
        if setup.control != control_at {
            drop(control);
            control = super::control(&setup.control);
        }
        // The clock of the next loop begins anew.
        reaper.iter_mut().for_each(Reaper::start_over);
        Some((setup, Heirloom { signals, control, reaper, roots, started }))
    }

    pub(super) fn signals_came(&mut self) {
        for signal in self.signals.take() {
            if signal == Signal::SIGCHLD {
                let now = self.now();
                self.reaper.iter_mut().for_each(|reaper| reaper.child_ended(now));
                self.standbys.let_go_ended(|standby| !standby.is_waiting());
            } else if signal == Signal::SIGHUP {
                // Whoever sends a signal hears nothing: the log says what came of it.
                let _ = self.reload();
            } else if signal == Signal::SIGUSR1 {
                log::info!("{signal}: a full sync of everything");
                self.engine.full_sync_now();
                self.engine.try_now();
            } else if signal == Signal::SIGUSR2 {
                log::info!("{signal}: what is owed is tried at once");
                self.engine.try_now();
            } else {
                self.stop(signal);
            }
        }
    }

    /// A command asks.
    pub(super) fn asked(&mut self) {
        let Some(asked) = self.control.as_ref().and_then(Control::take) else { return };
        match asked.request {
            Request::Reload => asked.answer(self.reload()),
            Request::ConfirmDeletions => asked.answer(self.confirm_deletions()),
            Request::FailLog => asked.answer(Ok(self.ledger.trouble().unwrap_or_default().into())),
        }
    }

    /// Somebody says yes to the deletions that wait.
    fn confirm_deletions(&mut self) -> Answer {
        if self.stop_at.is_some() {
            return Err("sersync is ending, or is about to work by another configuration".into());
        }
        let confirmed = self.engine.confirm_deletions();
        if confirmed.is_empty() {
            return Err("no deletion waits for a yes".into());
        }
        let said = confirmed.iter().map(|(remote, Deletions { count, of })| {
            let name = self.remotes[remote.0].route.name();
            format!("{name}: {count} of {of} entries may be deleted; a full sync does it now")
        });
        let said: Vec<_> = said.collect();
        said.iter().for_each(|line| log::info!("{line}"));
        Ok(said.join("\n"))
    }

    fn stop(&mut self, signal: Signal) {
        let now = self.now();
        // If the loop was ending for a new configuration, it ends for good instead. Asked a second time,
        // it does not wait for what runs.
        let again = self.next.take().is_none() && self.stop_at.is_some();
        if again {
            self.stop_at = Some(now);
            return;
        }
        log::info!("{signal}: ending; what runs gets {} s", STOP_MS / 1000);
        self.stop_at = Some(now + STOP_MS);
        if let Some(lock) = &self.lock {
            lock.borrow().tell_ending();
        }
        self.stop_all();
        // Whoever is less patient kills this process before the running transfers have ended.
        self.write_ledger(true);
    }

    fn stop_all(&mut self) {
        self.standbys.let_go(|_| true);
        self.engine.stop();
        self.plugins.iter_mut().for_each(Plugins::stop);
        self.alerts.iter_mut().for_each(Alerts::stop);
    }

    /// Opens the log again, and has this loop end for one with the new configuration, if that is another one: log
    /// files are renamed every day, and nothing else must notice. The next loop keeps the inotify instances, and
    /// goes on from the state of this one, as after a restart.
    fn reload(&mut self) -> Answer {
        logging::reopen();
        if self.stop_at.is_some() {
            return Err("sersync is ending, or has not yet ended the last reload".into());
        }
        match (self.read_again)() {
            Ok(None) => {
                let done = "the configuration has been read again: it is the same";
                log::info!("{done}");
                Ok(done.into())
            }
            Ok(Some(setup)) => {
                let done = "the configuration has been read again";
                log::info!("{done}");
                let difference = self.difference(&setup);
                if !difference.everything {
                    return self.change_parts(setup, difference, done);
                }
                self.next = Some(setup);
                self.stop_at = Some(self.now() + STOP_MS);
                self.stop_all();
                Ok(done.into())
            }
            Err(error) => {
                let refused = format!("{error} (the configuration stays as it was)");
                log::error!("{refused}");
                Err(refused)
            }
        }
    }

    fn change_parts(&mut self, setup: Setup, difference: Difference, done: &str) -> Answer {
        match self.change(setup, difference) {
            Ok(()) => {
                log::info!("what has changed in it counts from now on");
                Ok(done.into())
            }
            Err(error) => {
                let refused =
                    format!("not all of it could be put in place: {error}; restart sersync");
                log::error!("{refused}");
                Err(refused)
            }
        }
    }
}

/// Where the remotes of a new configuration go on, by the state of the old one.
fn resumes(setup: &Setup, state: &State, away: &[Kept], everything: bool) -> Vec<Resume> {
    let now_ns = clock::file_stamp_ns();
    let resume = |remote: &Arc<WorkerRemote>| {
        let kept = state.of(remote.route.root.as_os_str().as_bytes(), &remote.route.kept_as());
        let is_back = away.iter().any(|kept| remote.is_of(kept));
        if is_back {
            log::info!("{}: is a remote again: a full sync", remote.route.name());
        }
        let everything = everything || is_back || setup.full_sync && kept.is_none();
        Resume::from(kept, remote.shift_since(kept), now_ns, everything)
    };
    setup.remotes.iter().map(resume).collect()
}
