//! What has happened to one remote, in numbers: for whoever wants to see it work.
//!
//! `remote` adds to it as changes come and jobs end; `snapshot` hands it out. Nothing here decides
//! anything, and each call is a few additions: it stands in the way of every change.

use super::sending::extent::Extent;
use super::sending::next::Next;
use super::time::Time;

/// Upper bounds of the buckets of a [`Histogram`], in milliseconds: from less than the fastest rsync
/// takes to five minutes. One more bucket has what lies above.
pub const BOUNDS_MS: [u64; 14] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// One for each of [`BOUNDS_MS`], and one for what lies above; each counts only its own.
    pub buckets: [u64; BOUNDS_MS.len() + 1],
    /// Everything added up.
    pub sum_ms: u64,
}

impl Histogram {
    /// It took so long.
    pub fn add(&mut self, took_ms: u64) {
        let bucket = BOUNDS_MS.iter().position(|&bound_ms| took_ms <= bound_ms);
        self.buckets[bucket.unwrap_or(BOUNDS_MS.len())] += 1;
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
    }
}

/// What is counted from the start on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Changes of paths that this remote was to get.
    pub changes: u64,
    /// Of these, how many cost nothing: the path was waiting already, or was gone again.
    pub coalesced: u64,
    /// Batches that arrived.
    pub batches: u64,
    /// The paths in them.
    pub paths: u64,
    /// Full syncs that arrived.
    pub full_syncs: u64,
    /// Jobs that arrived and made directories equal as a whole.
    pub level_syncs: u64,
    /// Jobs that started after one that had failed, or with paths that had not got through.
    pub retries: u64,
    /// Jobs that failed as a whole.
    pub failures: u64,
    /// Jobs that left single paths out.
    pub partial: u64,
    /// Bytes of files that were sent because the remote did not have them, as far as rsync says.
    pub literal_bytes: u64,
}

/// The numbers of one remote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// How often what happened.
    pub counts: Counts,
    /// How long batches were on their way.
    pub durations: Histogram,
    /// How long the oldest change of each batch took to arrive.
    pub lags: Histogram,
    /// When something arrived last.
    pub last_success: Option<Time>,
    /// When a job failed last, or left something out.
    pub last_failure: Option<Time>,
    /// The oldest change: of what is pending, of the batch on its way, of what is stuck; and when the
    /// full sync or level sync that is owed was tried first, and the one that is on its way.
    pending: Option<Time>,
    flying: Option<Time>,
    stuck: Option<Time>,
    sweep: Option<Time>,
    sweeping: Option<Time>,
}

impl Tally {
    /// A path has changed. `first`: nothing was pending before; `new`: one path more is now.
    pub fn changed(&mut self, first: bool, new: bool, now: Time) {
        self.counts.changes += 1;
        self.counts.coalesced += u64::from(!new);
        if first {
            self.pending = Some(now);
        }
    }

    /// Paths are owed from an earlier run.
    pub fn owed(&mut self) {
        self.pending = Some(Time(0));
    }

    /// What was stuck waits with the rest. `first`: nothing else was pending.
    pub fn unstuck(&mut self, first: bool) {
        let pending = self.pending.filter(|_| !first);
        self.pending = earliest(pending, self.stuck.take());
    }

    /// A full sync that was stuck is to run with the rest.
    pub fn full_sync_unstuck(&mut self) {
        self.sweep = earliest(self.sweep, self.stuck);
    }

    /// What has arrived is pending once more. `first`: nothing else was.
    pub fn pends_again(&mut self, first: bool, now: Time) {
        if first {
            self.pending = Some(now);
        }
    }

    /// A batch or a sweep starts.
    pub fn starts(&mut self, extent: Extent, retries: bool, now: Time) {
        self.counts.retries += u64::from(retries);
        match extent {
            // What stays pending is younger, but nobody knows by how much.
            Extent::Paths(_) => self.flying = Some(self.pending.unwrap_or(now)),
            Extent::Directories(_) | Extent::Everything => {
                self.sweeping = Some(self.sweep.take().unwrap_or(now));
            }
        }
    }

    /// It has ended, which had `started` then.
    pub fn ends(&mut self, extent: Extent, next: &Next, started: Time, now: Time) {
        let since = match extent {
            Extent::Paths(_) => self.flying.take(),
            Extent::Directories(_) | Extent::Everything => self.sweeping.take(),
        };
        match (next, extent) {
            (Next::Arrived { .. }, Extent::Paths(paths)) => {
                self.arrived(paths, since.unwrap_or(started), started, now);
            }
            (Next::Arrived { .. }, Extent::Directories(_)) => self.counts.level_syncs += 1,
            (Next::Arrived { .. }, Extent::Everything) => self.counts.full_syncs += 1,
            (Next::Partial(_), _) => {
                self.counts.partial += 1;
                self.stuck = earliest(self.stuck, since);
                // Where the far side cut the run short, the rest waits as before.
                self.pending = earliest(self.pending, since);
            }
            (
                Next::Waits { .. } | Next::Failed { .. } | Next::Again { .. } | Next::Rehearsed(_),
                Extent::Paths(_),
            ) => self.pending = earliest(self.pending, since),
            (
                Next::Waits { .. } | Next::Failed { .. } | Next::Again { .. } | Next::Rehearsed(_),
                Extent::Directories(_) | Extent::Everything,
            ) => self.sweep = since,
        }
        self.ended(next, now);
    }

    /// Since when the oldest change in the job on its way waits.
    pub fn flying_since(&self) -> Option<Time> {
        self.flying
    }

    /// A job with a large file starts; `retries` as in [`Tally::starts`].
    pub fn bulk_starts(&mut self, retries: bool) {
        self.counts.retries += u64::from(retries);
    }

    /// It has ended, whose file had waited `since` then.
    pub fn bulk_ends(&mut self, next: &Next, since: Time, started: Time, now: Time) {
        match next {
            Next::Arrived { .. } => self.arrived(1, since, started, now),
            Next::Partial(_) => {
                self.counts.partial += 1;
                self.stuck = earliest(self.stuck, Some(since));
            }
            Next::Waits { .. } | Next::Failed { .. } | Next::Again { .. } | Next::Rehearsed(_) => {}
        }
        self.ended(next, now);
    }

    fn arrived(&mut self, paths: usize, since: Time, started: Time, now: Time) {
        self.counts.batches += 1;
        self.counts.paths += paths as u64;
        self.durations.add(now.since(started));
        self.lags.add(now.since(since));
    }

    fn ended(&mut self, next: &Next, now: Time) {
        match next {
            Next::Arrived { .. } => self.last_success = Some(now),
            Next::Waits { .. } => {}
            Next::Partial(_) => self.last_failure = Some(now),
            Next::Rehearsed(_) => {}
            Next::Failed { .. } | Next::Again { .. } => {
                self.counts.failures += 1;
                self.last_failure = Some(now);
            }
        }
    }

    /// Since when the oldest change waits, or is on its way; each flag says whether there is any of its kind.
    pub fn oldest(&self, pending: bool, stuck: bool, sweep: bool) -> Option<Time> {
        let all = [
            self.pending.filter(|_| pending),
            self.stuck.filter(|_| stuck),
            self.sweep.filter(|_| sweep),
            self.flying,
            self.sweeping,
        ];
        all.into_iter().flatten().min()
    }
}

fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sending::next::Retry;

    const ARRIVED: Next = Next::Arrived {
        sent: Extent::Everything,
        took_ms: 10,
        back: false,
        learned: false,
        unwanted: Vec::new(),
    };

    #[test]
    fn buckets_take_what_is_not_above_their_bound() {
        let mut histogram = Histogram::default();
        [0, 5, 6, 300_000, 300_001].into_iter().for_each(|took_ms| histogram.add(took_ms));
        assert_eq!(histogram.buckets[..3], [2, 1, 0]);
        assert_eq!(histogram.buckets[BOUNDS_MS.len() - 1..], [1, 1]);
        assert_eq!(histogram.sum_ms, 600_012);
    }

    #[test]
    fn the_lag_of_a_batch_is_that_of_its_oldest_change_over_all_its_failures() {
        let (mut tally, extent) = (Tally::default(), Extent::Paths(2));
        tally.changed(true, true, Time(10));
        tally.changed(false, true, Time(20));
        tally.changed(false, false, Time(30));
        tally.starts(extent, false, Time(40));
        assert_eq!(tally.oldest(false, false, false), Some(Time(10)));
        tally.changed(true, true, Time(50));
        tally.ends(extent, &Next::Failed { pause_ms: 0 }, Time(40), Time(60));
        assert_eq!(tally.oldest(true, false, false), Some(Time(10)));
        tally.starts(extent, true, Time(1000));
        tally.ends(extent, &ARRIVED, Time(1000), Time(1010));
        assert_eq!(tally.oldest(false, false, false), None);
        assert_eq!((tally.lags.sum_ms, tally.durations.sum_ms), (1000, 10));
        let counts = &tally.counts;
        assert_eq!((counts.changes, counts.coalesced), (4, 1));
        assert_eq!((counts.batches, counts.paths), (1, 2));
        assert_eq!((counts.failures, counts.retries), (1, 1));
    }

    #[test]
    fn what_is_stuck_and_what_is_swept_are_as_old_as_their_first_attempt() {
        let mut tally = Tally::default();
        tally.changed(true, true, Time(10));
        tally.starts(Extent::Paths(1), false, Time(20));
        tally.ends(Extent::Paths(1), &Next::Partial(Retry::Soon), Time(20), Time(30));
        assert_eq!(tally.oldest(false, true, false), Some(Time(10)));
        tally.unstuck(true);
        assert_eq!(tally.oldest(true, false, false), Some(Time(10)));
        tally.starts(Extent::Everything, false, Time(100));
        tally.ends(Extent::Everything, &Next::Failed { pause_ms: 0 }, Time(100), Time(200));
        tally.starts(Extent::Everything, true, Time(300));
        assert_eq!(tally.oldest(false, false, false), Some(Time(100)));
        tally.ends(Extent::Everything, &ARRIVED, Time(300), Time(400));
        assert_eq!((tally.counts.full_syncs, tally.lags.sum_ms), (1, 0));
    }
}
