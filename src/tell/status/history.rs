//! The last ten minutes: how much changed, how far the remotes were behind, what arrived. Pure.
//!
//! The loop tells it of every round, and no timer is needed: between two rounds nothing happens, so
//! the earlier round says how everything was in between. The page draws it.

use crate::engine::succession::Succession;
use crate::engine::time::Time;

/// What one column of the page's lines stands for.
pub const STEP_MS: u64 = 5_000;
/// Ten minutes of them.
pub const STEPS: usize = 120;
/// Those of the last minute.
const MINUTE_STEPS: usize = 12;

/// The last ten minutes.
#[derive(Debug)]
pub struct History {
    /// Changes in each step, and the longest lag in milliseconds; used as rings.
    changes: [u32; STEPS],
    lags_ms: [u32; STEPS],
    /// For each remote, the paths that arrived and the bytes that were sent in each step of the last
    /// minute.
    arrived: Vec<[(u64, u64); MINUTE_STEPS]>,
    /// The latest step, counted from the start of time.
    step: u64,
    /// What the last round saw.
    oldest: Option<Time>,
    changes_seen: u64,
    arrived_seen: Vec<(u64, u64)>,
}

impl History {
    /// Nothing has happened yet; for so many remotes.
    pub fn new(remotes: usize) -> History {
        History {
            changes: [0; STEPS],
            lags_ms: [0; STEPS],
            arrived: vec![[(0, 0); MINUTE_STEPS]; remotes],
            step: 0,
            oldest: None,
            changes_seen: 0,
            arrived_seen: vec![(0, 0); remotes],
        }
    }

    /// The remotes have become others.
    pub fn change_remotes(&mut self, succession: &Succession) {
        let nothing = || [(0, 0); MINUTE_STEPS];
        self.arrived = succession.carry(std::mem::take(&mut self.arrived), nothing);
        self.arrived_seen = succession.carry(std::mem::take(&mut self.arrived_seen), || (0, 0));
    }

    /// A round of the loop: so many changes there have been in all, this is when the oldest one
    /// happened that has not arrived, and so many paths have arrived in all at each remote, for which
    /// so many bytes were sent.
    pub fn note(
        &mut self,
        changes: u64,
        oldest: Option<Time>,
        arrived: impl Iterator<Item = (u64, u64)>,
        now: Time,
    ) {
        self.pass(now);
        let at = self.step as usize % STEPS;
        add(&mut self.changes[at], changes.saturating_sub(self.changes_seen));
        self.changes_seen = changes;
        // A lag that ends now was there until now.
        let lag_ms = lag_ms(self.oldest, now).max(lag_ms(oldest, now));
        self.lags_ms[at] = self.lags_ms[at].max(lag_ms);
        self.oldest = oldest;
        let seen = self.arrived.iter_mut().zip(&mut self.arrived_seen);
        for ((steps, seen), arrived) in seen.zip(arrived) {
            let step = &mut steps[self.step as usize % MINUTE_STEPS];
            step.0 += arrived.0.saturating_sub(seen.0);
            step.1 += arrived.1.saturating_sub(seen.1);
            *seen = arrived;
        }
    }

    /// Changes and longest lag in milliseconds of each step, the oldest first.
    pub fn steps(&mut self, now: Time) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.pass(now);
        let first = self.step as usize + 1;
        (first..first + STEPS).map(|at| (self.changes[at % STEPS], self.lags_ms[at % STEPS]))
    }

    /// Paths that arrived at a remote in the last minute, and the bytes that were sent to it.
    pub fn last_minute(&mut self, remote: usize, now: Time) -> (u64, u64) {
        self.pass(now);
        let steps = self.arrived.get(remote).into_iter().flatten();
        steps.fold((0, 0), |sum, step| (sum.0 + step.0, sum.1 + step.1))
    }

    /// Time has passed, and what was owed at the last round is owed still.
    fn pass(&mut self, now: Time) {
        let step = now.0 / STEP_MS;
        if step <= self.step {
            return;
        }
        let last_ms = lag_ms(self.oldest, Time((self.step + 1) * STEP_MS));
        let latest = &mut self.lags_ms[self.step as usize % STEPS];
        *latest = last_ms.max(*latest);
        // Further back than there are steps, nothing is kept.
        for passed in (self.step + 1).max((step + 1).saturating_sub(STEPS as u64))..=step {
            let end = Time((passed + 1) * STEP_MS).min(now);
            self.changes[passed as usize % STEPS] = 0;
            self.lags_ms[passed as usize % STEPS] = lag_ms(self.oldest, end);
            for steps in &mut self.arrived {
                steps[passed as usize % MINUTE_STEPS] = (0, 0);
            }
        }
        self.step = step;
    }
}

fn add(to: &mut u32, more: u64) {
    *to = to.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
}

fn lag_ms(oldest: Option<Time>, now: Time) -> u32 {
    oldest.map_or(0, |oldest| u32::try_from(now.since(oldest)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter::once;

    fn steps(history: &mut History, now: u64, last: usize) -> Vec<(u32, u32)> {
        let all: Vec<_> = history.steps(Time(now)).collect();
        assert_eq!(all.len(), STEPS);
        all[STEPS - last..].to_vec()
    }

    #[test]
    fn a_lag_grows_while_nothing_wakes_the_loop() {
        let mut history = History::new(1);
        history.note(0, None, once((0, 0)), Time(0));
        history.note(3, Some(Time(1_000)), once((0, 0)), Time(1_000));
        assert_eq!(
            steps(&mut history, 17_000, 4),
            [(3, 4_000), (0, 9_000), (0, 14_000), (0, 16_000)]
        );
        // It arrives, and the next change is a moment old.
        history.note(4, Some(Time(18_000)), once((3, 70)), Time(18_000));
        history.note(4, None, once((4, 80)), Time(18_100));
        assert_eq!(steps(&mut history, 24_000, 3), [(0, 14_000), (1, 17_000), (0, 0)]);
        assert_eq!(history.last_minute(0, Time(24_000)), (4, 80));
        assert_eq!(history.last_minute(0, Time(74_999)), (4, 80));
        assert_eq!(history.last_minute(0, Time(75_000)), (0, 0));
    }

    #[test]
    fn what_is_longer_ago_than_ten_minutes_is_gone() {
        let mut history = History::new(0);
        history.note(7, None, once((0, 0)), Time(0));
        let ten_minutes_ms = STEP_MS * STEPS as u64;
        assert_eq!(steps(&mut history, ten_minutes_ms - 1, STEPS)[0], (7, 0));
        assert_eq!(steps(&mut history, ten_minutes_ms, STEPS)[0], (0, 0));
        history.note(9, Some(Time(0)), once((0, 0)), Time(u64::MAX / 2));
        let latest = steps(&mut history, u64::MAX / 2, 2);
        assert_eq!(latest, [(0, 0), (2, u32::MAX)]);
    }
}
