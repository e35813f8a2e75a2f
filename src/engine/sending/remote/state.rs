//! A remote as it is shown.

use super::super::flight::{Cargo, Flight};
use super::Remote;
use crate::engine::snapshot::RemoteState;
use crate::engine::tally::Load;
use crate::engine::time::Time;
use crate::engine::RootId;

impl Remote {
    /// What there is to be seen of it.
    pub fn state(&self, root: RootId) -> RemoteState {
        let flying: usize = self.flights().map(|flight| flight.batch().len()).sum();
        RemoteState {
            root,
            pending: self.pending.len() + self.stuck.len() + self.bulk.waiting() + flying,
            stuck: self.stuck.len(),
            owes_sweep: self.owes_full_sync() || self.flies_levels() || !self.levels.is_empty(),
            next_try: self.is_failing().then(|| self.backoff.until()),
            job: self.flights().next().map(|flight| (load(flight), flight.started)),
            oldest: self.oldest(),
            tally: self.tally.clone(),
        }
    }

    /// When the oldest change happened that has not arrived.
    pub fn oldest(&self) -> Option<Time> {
        let sweep = self.full || self.scheduled || !self.levels.is_empty();
        let stuck = !self.stuck.is_empty() || self.stuck_full;
        let small =
            self.tally.oldest(!self.pending.is_empty(), self.flight.is_some(), stuck, sweep);
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
        self.flight.as_ref().is_some_and(Flight::is_full)
    }

    fn flies_levels(&self) -> bool {
        let levels = |flight: &Flight| matches!(flight.cargo, Cargo::Levels(_));
        self.flight.as_ref().is_some_and(levels)
    }
}

/// What a job carries.
pub(super) fn load(flight: &Flight) -> Load {
    match &flight.cargo {
        Cargo::Batch(batch) => Load::Paths(batch.len()),
        Cargo::Levels(_) => Load::Levels,
        Cargo::Everything { .. } => Load::Everything,
    }
}
