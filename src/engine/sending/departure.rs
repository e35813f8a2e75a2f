//! When the pending paths of a remote leave: after a quiet period, but not too late, and not too often.

use super::pace::Pace;
use crate::config;
use crate::engine::time::Time;

/// So many pending paths leave without waiting for quiet: sending them takes as long as starting
/// rsync does, and a burst is sent while it is still being written. Batches then grow by themselves,
/// since the next one collects for as long as the last one takes.
const WORTHWHILE_PATHS: usize = 1_000;
/// A directory of which nothing but its time has changed waits so long for another change to go with.
const DIRECTORY_TIME_MS: u64 = 1_000;

/// When pending paths leave.
#[derive(Debug)]
pub struct Departure {
    timing: config::Batch,
    pace: Pace,
    /// The first change of what is pending; `None` if nothing is. Later than now for what may wait.
    first: Option<Time>,
    /// The last change: the quiet period begins with it.
    last: Time,
}

impl Departure {
    /// Nothing is pending.
    pub fn new(timing: config::Batch) -> Departure {
        Departure { timing, pace: Pace::new(timing.interval_ms), first: None, last: Time(0) }
    }

    /// Batches leave by other times from now on.
    pub fn change_timing(&mut self, timing: config::Batch) {
        if timing != self.timing {
            (self.timing, self.pace) = (timing, Pace::new(timing.interval_ms));
        }
    }

    /// A path has changed.
    pub fn changed(&mut self, now: Time) {
        // The time of a directory may be waiting until later.
        self.first = Some(self.first.map_or(now, |first| first.min(now)));
        self.last = now;
    }

    /// The time of a directory has changed: it leaves with the next change, or by itself later.
    pub fn time_changed(&mut self, now: Time) {
        if self.first.is_none() {
            self.first = Some(now + DIRECTORY_TIME_MS);
            self.last = now + DIRECTORY_TIME_MS;
        }
    }

    /// Paths have become pending that changed earlier: they wait for no quiet period of their own.
    pub fn added(&mut self, now: Time) {
        self.first.get_or_insert(now);
    }

    /// Nothing is pending any more.
    pub fn emptied(&mut self) {
        self.first = None;
    }

    /// The paths have been taken out that leave now; `rest` if others stay pending.
    pub fn taken(&mut self, rest: bool, now: Time) {
        self.first = rest.then_some(now);
    }

    /// A batch or a sweep starts.
    pub fn starts(&mut self, now: Time) {
        self.pace.spend(now);
    }

    /// When as many `paths` as are pending leave; `None` if none are.
    pub fn due(&self, paths: usize) -> Option<Time> {
        let first = self.first?;
        let quiet = self.last + self.timing.quiet_ms;
        let latest = first + self.timing.delay_ms_max;
        let waited = if paths < WORTHWHILE_PATHS { quiet.min(latest) } else { first };
        Some(waited.max(self.pace.next()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn departure() -> Departure {
        Departure::new(config::Batch { quiet_ms: 5, delay_ms_max: 100, interval_ms: Some(0) })
    }

    #[test]
    fn paths_leave_after_a_quiet_period_that_each_change_begins_anew() {
        let mut departure = departure();
        assert_eq!(departure.due(0), None);
        for now in [1_000, 1_004, 1_008] {
            departure.changed(Time(now));
            assert_eq!(departure.due(3), Some(Time(now + 5)));
        }
        departure.taken(false, Time(1_013));
        assert_eq!(departure.due(0), None);
    }

    #[test]
    fn changes_without_end_leave_after_the_longest_delay_and_many_at_once() {
        let mut departure = departure();
        for now in 1_000..1_098 {
            departure.changed(Time(now));
        }
        assert_eq!(departure.due(WORTHWHILE_PATHS - 1), Some(Time(1_100)));
        assert_eq!(departure.due(WORTHWHILE_PATHS), Some(Time(1_000)));
    }

    #[test]
    fn the_time_of_a_directory_waits_for_a_change_to_go_with_but_not_for_ever() {
        let mut departure = departure();
        departure.time_changed(Time(1_000));
        departure.time_changed(Time(1_500));
        assert_eq!(departure.due(1), Some(Time(2_005)));
        departure.changed(Time(1_600));
        assert_eq!(departure.due(2), Some(Time(1_605)));
    }

    #[test]
    fn what_changed_earlier_waits_for_no_quiet_period() {
        let mut departure = departure();
        departure.changed(Time(1_000));
        departure.taken(true, Time(1_005));
        assert_eq!(departure.due(1), Some(Time(1_005)), "the rest of a large batch");
        departure.taken(false, Time(1_005));
        departure.added(Time(2_000));
        assert!(departure.due(1).is_some_and(|due| due <= Time(2_000)), "after a failure");
    }
}
