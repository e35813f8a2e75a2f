//! What is kept on the disk and what the clock asks for, looked at after each round of the loop.

use super::Loop;
use crate::engine::time::Time;
use crate::engine::RemoteId;
use crate::keep::disk::Written;
use crate::keep::faillog::script::{wait_status, Owed};
use crate::keep::state::ground::KeptGround;
use crate::keep::state::{Kept, State};
use crate::run::ground::Ground;
use crate::run::worker::WorkerRemote;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

impl Loop {
    pub(super) fn keep_schedule(&mut self) {
        let (now, engine) = (self.now(), &self.engine);
        for remote in self.crontab.due(now, |remote| engine.owes_full_sync(remote)) {
            self.engine.schedule_full_sync(remote);
        }
    }

    pub(super) fn keep_state(&mut self) {
        if self.remotes.is_empty() {
            return;
        }
        let (version, now) = (self.engine.standing_version(), self.now());
        if self.saver.due(version).is_some_and(|due| due <= now) {
            self.saver.save(&self.disk, self.state(), version, now);
        }
    }

    /// What the next run of the program has to know.
    pub(super) fn state(&self) -> State {
        let mut remotes = self.known();
        remotes.extend(self.away.iter().cloned());
        State { written: None, remotes }
    }

    /// What is known of each remote.
    pub(super) fn known(&self) -> Vec<Kept> {
        let kept = |(number, remote): (usize, &Arc<WorkerRemote>)| {
            let (complete_ns, full_sync, paths) = self.engine.standing(RemoteId(number));
            Kept {
                root: remote.route.root.as_os_str().as_bytes().to_vec(),
                destination: remote.route.kept_as(),
                trust: self.engine.trust(RemoteId(number)),
                ground: self.ground_of(number, remote),
                mounted: self.mounted_below(remote),
                complete_ns,
                full_sync,
                paths: paths.into_iter().collect(),
            }
        };
        self.remotes.iter().enumerate().map(kept).collect()
    }

    /// As long as a root is missing, what it was in the last run.
    fn ground_of(&self, number: usize, remote: &WorkerRemote) -> Option<KeptGround> {
        let now = remote.ground.as_ref().map(Ground::kept);
        now.or_else(|| self.last_grounds[number].clone())
    }

    pub(super) fn keep_ledger(&mut self) {
        let now = self.now();
        if self.ledger.due(self.engine.owed_version()).is_some_and(|due| due <= now) {
            self.write_ledger(false);
        }
    }

    pub(super) fn write_ledger(&mut self, end: bool) {
        let owed: Vec<_> = (0..self.remotes.len())
            .map(|number| {
                let (full_sync, paths, status) = self.engine.owed(RemoteId(number), end);
                let mut owed = Owed { full_sync, ..Owed::default() };
                owed.status = status.map_or(0, wait_status);
                owed.add_all(paths);
                owed
            })
            .collect();
        let (version, now) = (self.engine.owed_version(), self.now());
        // Whoever runs the script has not been asked, and does not look which disks are there.
        let is_sure = |number: usize| {
            let has_disks = !self.mounted_below(&self.remotes[number]).is_empty();
            self.engine.trust(RemoteId(number)).permits() && !has_disks
        };
        let grants = |number| match is_sure(number) {
            true => self.grants,
            false => self.grants.in_doubt(),
        };
        let remotes = self.remotes.iter().enumerate();
        let creditors = remotes.map(|(number, remote)| remote.creditor(grants(number)));
        let all: Vec<_> = creditors.zip(&owed).collect();
        self.ledger.write(&self.disk, &all, version, now);
        if let Some(alerts) = &mut self.alerts {
            alerts.owed(owed.iter().any(|owed| !owed.is_nothing()), now);
        }
    }

    /// The disk has written something.
    pub(super) fn disk_told(&mut self) {
        if let Some(written) = self.disk.written() {
            self.written(written);
        }
    }

    fn written(&mut self, written: Written) {
        let now = self.now();
        match written {
            Written::State(result) => self.saver.saved(result, now),
            Written::FailLog(result) => self.ledger.written(result),
        }
    }

    /// Waits until everything is written that the disk has been given, but not beyond `deadline`: a disk that hangs
    /// must not keep the program from ending. Gives whether it is.
    pub(super) fn await_disk(&mut self, deadline: Time) -> bool {
        while self.ledger.is_busy() || self.saver.is_busy() {
            let Some(written) = self.disk.written_by(deadline, self.now()) else {
                log::error!(
                    "the disk with the fail log and the state does not answer: they are as they were some time ago; \
                     start with -r, which makes sure that the remotes have everything"
                );
                return false;
            };
            self.written(written);
        }
        true
    }

    pub(super) fn reap(&mut self) {
        let now = self.now();
        self.reaper.iter_mut().for_each(|reaper| reaper.reap(now));
    }

    pub(super) fn keep_alerts(&mut self) {
        let now = self.now();
        if let Some(alerts) = &mut self.alerts {
            for remote in (0..self.remotes.len()).map(RemoteId) {
                alerts.trusts(remote, self.engine.trust(remote), now);
            }
            alerts.run_due(now);
        }
    }
}
