//! A remote as it is shown.

use super::super::flight::{Cargo, Flight};
use super::Remote;
use crate::engine::snapshot::RemoteState;
use crate::engine::time::Time;
use crate::engine::RootId;

impl Remote {
    /// What there is to be seen of it.
    pub fn state(&self, root: RootId) -> RemoteState {
        let stuck = self.stuck.iter().count();
        let waiting = self.pending.len() + stuck + self.bulk.waiting().len();
        let flying: usize = self.lanes.iter().map(|flight| flight.paths().len()).sum();
        let has_levels = self.sweep.has_levels() || self.flies_levels();
        RemoteState {
            root,
            pending: waiting + flying,
            stuck,
            waits: self.trust.waits_for().map(|(_, deletions)| deletions),
            owes_sweep: self.owes_full_sync() || has_levels,
            next_try: self.is_failing().then(|| self.backoff.until()),
            job: self.lanes.iter().next().map(|flight| (flight.cargo.extent(), flight.started)),
            oldest: self.oldest(),
            tally: self.tally.clone(),
        }
    }

    /// When the oldest change happened that has not arrived.
    pub fn oldest(&self) -> Option<Time> {
        let pending = !self.pending.is_empty();
        let (stuck, sweep) = (!self.stuck.is_empty(), !self.sweep.is_nothing());
        let small = self.tally.oldest(pending, stuck, sweep);
        small.into_iter().chain(self.bulk.oldest()).min()
    }

    /// Paths that have arrived since the start.
    pub fn paths_arrived(&self) -> u64 {
        self.tally.counts.paths
    }

    /// A job has sent so many bytes of files, whatever its end.
    pub fn sent(&mut self, literal: u64) {
        self.tally.counts.literal_bytes += literal;
    }

    /// Bytes of files that have been sent since the start.
    pub fn literal_bytes(&self) -> u64 {
        self.tally.counts.literal_bytes
    }

    /// Whether a full sync is on its way.
    pub fn is_syncing_fully(&self) -> bool {
        self.lanes.iter().any(Flight::is_full)
    }

    pub(super) fn flies_levels(&self) -> bool {
        self.lanes.iter().any(|flight| matches!(flight.cargo, Cargo::Levels(_)))
    }
}
