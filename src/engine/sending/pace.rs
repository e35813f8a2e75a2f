//! How soon one batch may follow another.
//!
//! A change after a rest leaves at once, but where changes come without end an rsync for each would keep
//! both ends busy with nothing but starting it: 100 changes a second were 95 runs, and 60% of a processor
//! on either side. So there is an allowance of batches that may leave as they come, which comes back with
//! time; who has spent it has his changes collected for a moment.

use crate::engine::time::Time;

/// Without an interval of the user's, batches of steady work leave so far apart: nobody sees it, and
/// their number is a fifth of what it would be.
const STEADY_MS: u64 = 50;
/// So many may leave as they come before that: what people do by hand, and most programs.
const ALLOWANCE: u64 = 20;

/// The pace of one remote.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    period_ms: u64,
    allowance: u64,
    /// When the whole allowance is there again.
    restored: Time,
}

impl Pace {
    /// At rest. `interval_ms` is the least time between two starts, if the user has set one.
    pub fn new(interval_ms: Option<u64>) -> Pace {
        let (period_ms, allowance) =
            interval_ms.map_or((STEADY_MS, ALLOWANCE), |interval_ms| (interval_ms, 1));
        Pace { period_ms, allowance, restored: Time(0) }
    }

    /// A batch starts, whether its time has come or not.
    pub fn spend(&mut self, now: Time) {
        let restored = self.restored.max(now) + self.period_ms;
        self.restored = restored.min(now + self.period_ms.saturating_mul(self.allowance));
    }

    /// When the next one may start; in the past as long as some of the allowance is left.
    pub fn next(&self) -> Time {
        Time(self.restored.since(Time(self.period_ms * (self.allowance - 1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts batches as soon as they may from `now` on, each of which takes `run_ms`; when they started.
    fn starts(pace: &mut Pace, mut now: Time, run_ms: u64, count: usize) -> Vec<u64> {
        let mut start = || {
            now = now.max(pace.next());
            pace.spend(now);
            let started = now;
            now = now + run_ms;
            started.0
        };
        (0..count).map(|_| start()).collect()
    }

    #[test]
    fn batches_leave_as_they_come_until_the_allowance_is_spent() {
        let mut pace = Pace::new(None);
        let started = starts(&mut pace, Time(1_000_000), 1, 25);
        let (quick, steady) = started.split_at(20);
        assert!(quick.windows(2).all(|pair| pair[1] - pair[0] == 1), "{quick:?}");
        // What came back meanwhile is spent as well: the first of them waits less.
        assert!(steady[0] - quick[19] <= STEADY_MS, "{steady:?}");
        assert!(steady.windows(2).all(|pair| pair[1] - pair[0] == STEADY_MS), "{steady:?}");
        // After a rest they leave at once again, and after half of one, half of them.
        let rest = steady[4] + STEADY_MS * ALLOWANCE;
        assert_eq!(starts(&mut pace, Time(rest), 0, 20), [rest; 20]);
        let half = rest + STEADY_MS * ALLOWANCE / 2;
        let started = starts(&mut pace, Time(half), 0, 11);
        assert_eq!((started[9], started[10]), (half, half + STEADY_MS));
    }

    #[test]
    fn batches_that_take_longer_than_the_steady_pace_wait_for_nothing() {
        let mut pace = Pace::new(None);
        let started = starts(&mut pace, Time(0), STEADY_MS, 100);
        assert!(started.windows(2).all(|pair| pair[1] - pair[0] == STEADY_MS), "{started:?}");
    }

    #[test]
    fn an_interval_of_the_users_counts_from_each_start_and_zero_is_none() {
        let started = starts(&mut Pace::new(Some(5_000)), Time(7), 1, 3);
        assert_eq!(started, [7, 5_007, 10_007]);
        assert_eq!(starts(&mut Pace::new(Some(0)), Time(7), 1, 100)[99], 106);
    }

    #[test]
    fn what_starts_before_its_time_puts_the_next_off_by_one_period_at_most() {
        let mut pace = Pace::new(None);
        (0..1_000).for_each(|_| pace.spend(Time(10)));
        assert_eq!(pace.next(), Time(10 + STEADY_MS));
    }
}
