//! How long to wait before a failed remote is tried again.

use crate::engine::time::Time;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The pause after the first failure.
const FIRST_MS: u64 = 1_000;
/// No pause is longer: a remote that is back must not wait for long.
const LONGEST_MS: u64 = 60_000;
/// A pause is stretched by up to one part in this many, so that remotes that went down together are
/// not probed together for ever.
const JITTER: u64 = 8;

/// The growing pauses of one remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    until: Time,
    /// Differs from remote to remote; all the randomness that the jitter needs.
    seed: u64,
}

impl Backoff {
    /// A remote that has not failed.
    pub fn new(seed: u64) -> Backoff {
        Backoff { failures: 0, until: Time(0), seed }
    }

    /// Whether the last attempt failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// When the next attempt may start; in the past for one that has not failed.
    pub fn until(&self) -> Time {
        self.until
    }

    /// An attempt failed: the pause doubles, up to a minute.
    pub fn fail(&mut self, now: Time) {
        let pause_ms = (FIRST_MS << self.failures.min(10)).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        self.until = now + pause_ms + self.jitter_ms(pause_ms);
    }

    /// An attempt failed for a reason that time alone does not mend: the longest pause at once.
    pub fn refuse(&mut self, now: Time) {
        self.failures = self.failures.saturating_add(1);
        self.until = now + LONGEST_MS + self.jitter_ms(LONGEST_MS);
    }

    /// Attempts that have failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// No attempt before this time.
    pub fn wait_until(&mut self, time: Time) {
        self.until = time;
    }

    /// The next attempt may start at once.
    pub fn try_now(&mut self) {
        self.until = Time(0);
    }

    /// An attempt succeeded.
    pub fn succeed(&mut self) {
        self.failures = 0;
        self.until = Time(0);
    }

    fn jitter_ms(&self, pause_ms: u64) -> u64 {
        // Hashing is all the randomness that is needed: spread is wanted, not secrecy.
        let mut hasher = DefaultHasher::new();
        (self.seed, self.failures).hash(&mut hasher);
        hasher.finish() % (pause_ms / JITTER + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(3);
        let now = Time(1_000_000);
        for expected_ms in [1, 2, 4, 8, 16, 32, 60, 60, 60].map(|s| s * 1000) {
            backoff.fail(now);
            let pause_ms = backoff.until().since(now);
            let longest_ms = expected_ms + expected_ms / JITTER;
            assert!((expected_ms..=longest_ms).contains(&pause_ms), "{pause_ms} {expected_ms}");
        }
        assert!(backoff.is_failing());
        backoff.succeed();
        assert!(!backoff.is_failing() && backoff.until() <= now);
        backoff.fail(now);
        assert!(backoff.until().since(now) < 2_000);
    }

    #[test]
    fn a_refusal_waits_the_longest_pause_at_once() {
        let mut backoff = Backoff::new(0);
        backoff.refuse(Time(5));
        assert!(backoff.until().since(Time(5)) >= LONGEST_MS);
    }

    #[test]
    fn remotes_that_fail_together_are_tried_apart() {
        let pauses: crate::sorted::SortedSet<_> = (0..8)
            .map(|seed| {
                let mut backoff = Backoff::new(seed);
                backoff.fail(Time(0));
                backoff.until()
            })
            .collect();
        assert!(pauses.len() >= 6, "{pauses:?}");
    }
}
