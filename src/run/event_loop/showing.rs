//! What the loop does to be seen at work: it tells `status` of each round, and lets it answer.

use super::{Loop, STATUS};
use crate::config::terminal::harmless;
use crate::engine::{Input, JobId};
use crate::keep::faillog::ledger::Ledger;
use crate::rsync::asked::route::RemoteRoute;
use crate::rsync::told::progress::Sample;
use crate::run::setup::Setup;
use crate::run::walk::WalkedRoot;
use crate::run::worker::WorkerRemote;
use crate::sys::{clock, memory, sysctl};
use crate::tell::logging;
use crate::tell::status::snapshot::{Facts, FailLog};
use crate::tell::status::{Named, Names, StatusPage};
use std::io;
use std::sync::Arc;

/// What is shown.
pub(super) fn status(
    setup: &Setup,
    roots: &[Arc<WalkedRoot>],
    remotes: &[Arc<WorkerRemote>],
) -> io::Result<StatusPage> {
    StatusPage::new(names(setup, roots, remotes), &setup.config.status)
}

/// Names what is shown.
pub(super) fn names(
    setup: &Setup,
    roots: &[Arc<WalkedRoot>],
    remotes: &[Arc<WorkerRemote>],
) -> Names {
    let config = &setup.config;
    let resolved = config.file.canonicalize().unwrap_or_else(|_| config.file.clone());
    Names {
        instance: crate::keep::state::number(&resolved),
        config: resolved.display().to_string(),
        pid: std::process::id(),
        roots: roots.iter().map(|root| root.path.display().to_string()).collect(),
        remotes: remotes.iter().map(|remote| named(roots, remotes, &remote.route)).collect(),
    }
}

fn fail_log(ledger: &Ledger) -> FailLog {
    FailLog {
        path: harmless(&ledger.path().display().to_string()),
        records: ledger.commands(),
        trouble: ledger.trouble().map(harmless),
    }
}

/// Two modules of the same name on one host are told from each other by the daemons' ports.
fn named(roots: &[Arc<WalkedRoot>], remotes: &[Arc<WorkerRemote>], route: &RemoteRoute) -> Named {
    let name = route.name();
    let same = remotes.iter().filter(|it| it.route.root == route.root && it.route.name() == name);
    let name = match route.rsync.port {
        Some(port) if same.count() > 1 => format!("{name} port {port}"),
        Some(_) | None => name,
    };
    let root = roots.iter().position(|root| root.path == route.root);
    Named { root: root.unwrap_or(0), name }
}

impl Loop {
    /// The status page is somewhere else now, or nowhere.
    pub(super) fn change_status(&mut self, setup: &Setup) -> io::Result<()> {
        let resting = std::mem::take(&mut self.status_rests);
        if let Some(old) = self.status.change_address(&setup.config.status)?.filter(|_| !resting) {
            self.epoll.remove(&old)?;
        }
        if let Some(new) = &self.status.server {
            self.epoll.add(new, STATUS)?;
        }
        Ok(())
    }

    /// After each round: what is remembered for those who look, and what the log says of long work.
    pub(super) fn keep_status(&mut self) {
        let now = self.now();
        for line in self.status.round(&self.engine, now) {
            if !logging::draws() {
                log::info!("{line}");
            }
        }
        if logging::has_terminal() {
            if let Some(line) = self.status.draw(&self.engine, now) {
                logging::draw(&line);
            }
        }
        if self.status.server.as_ref().and_then(|server| server.due()).is_some_and(|due| due <= now)
        {
            self.answer();
        }
    }

    /// The full sync of a job says how far it has come.
    pub(super) fn full_sync_told(&mut self, job: JobId, sample: Sample) {
        self.handle(Input::Answered(job));
        let now = self.now();
        if let Some(remote) = self.engine.remote_of(job) {
            self.status.hear(remote, sample, now);
        }
    }

    /// Somebody asks.
    pub(super) fn answer(&mut self) {
        let (now, ledger) = (self.now(), &self.ledger);
        let up_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let is_ending = self.stop_at.is_some() && self.next.is_none();
        let facts = || Facts {
            unix_ms: clock::unix_ms(),
            up_ms,
            is_ending,
            watches_max: sysctl::WATCHES.value().ok(),
            memory_bytes: memory::resident_bytes(),
            fail_log: fail_log(ledger),
        };
        self.status.serve(&self.engine, facts, now);
        let Some(server) = &self.status.server else { return };
        // It reads no request while it rests, and a descriptor with something unread would wake the loop
        // again and again.
        if server.rests() != self.status_rests {
            let changed = match server.rests() {
                true => self.epoll.remove(server),
                false => self.epoll.add(server, STATUS),
            };
            self.status_rests = server.rests() == changed.is_ok();
        }
    }
}
