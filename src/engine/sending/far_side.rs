//! What is known of the far side: how it can delete, and what it cannot have.

use super::flight::{Attempt, Flight};
use crate::engine::time::Time;
use crate::rsync::asked::licence::Way;

/// Combined deletes that failed where the portable way worked, so many in a row, are taken for
/// something that this remote cannot do. Fewer are races.
const COMBINED_FAILURES_MAX: u32 = 4;

/// The far side of one remote.
#[derive(Debug)]
pub struct FarSide {
    way: Way,
    combined_failures: u32,
    has_only_ours: bool,
    /// When the last batch or sweep ended. What was created since then, no such job can have sent.
    last_end: Time,
}

impl FarSide {
    /// Nothing is known yet, but how it is to delete.
    pub fn new(way: Way) -> FarSide {
        FarSide { way, combined_failures: 0, has_only_ours: false, last_end: Time(0) }
    }

    /// How it deletes.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Whether a full sync has deleted what only the far side had, so that it has what we sent and no more.
    pub fn has_only_ours(&self) -> bool {
        self.has_only_ours
    }

    /// A full sync has arrived, which deleted what only the far side had, or did not.
    pub fn full_sync_arrived(&mut self, deleted: bool) {
        self.has_only_ours = deleted;
    }

    /// A batch or a sweep has ended.
    pub fn job_ended(&mut self, now: Time) {
        self.last_end = now;
    }

    /// Whether no job can have sent what was `created` then, under this name. Without a time it was created after all
    /// jobs that have ended. `flight`: the batch or sweep on its way.
    pub fn cannot_have(&self, path: &[u8], created: Option<Time>, flight: Option<&Flight>) -> bool {
        let since = flight.map_or(self.last_end, |flight| flight.started);
        created.is_none_or(|created| created > since)
            && !flight.is_some_and(|flight| flight.reaches(path))
    }

    /// A job has arrived; `combined` if it would have failed where combined deletes are not known. Gives `true` if it
    /// is clear by now that they are not known there: from then on deletions go the portable way.
    pub fn learn(&mut self, attempt: Attempt, combined: bool) -> bool {
        let certain = match attempt {
            Attempt::Portable { certain } => {
                self.combined_failures += 1;
                certain
            }
            Attempt::First(_) => {
                if combined {
                    self.combined_failures = 0;
                }
                false
            }
        };
        let learned = certain || self.combined_failures >= COMBINED_FAILURES_MAX;
        let learned = learned && self.way == Way::Combined;
        if learned {
            self.way = Way::Portable;
        }
        learned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rel_path::RelPath;
    use crate::engine::sending::flight::{Batch, Cargo};
    use crate::engine::sending::pending::Remembered;
    use crate::engine::JobId;

    const FIRST: Attempt = Attempt::First(Way::Combined);
    const PERHAPS: Attempt = Attempt::Portable { certain: false };

    #[test]
    fn combined_deletes_are_given_up_after_enough_failures_in_a_row_or_a_word_of_rsync() {
        let mut far = FarSide::new(Way::Combined);
        for _ in 1..COMBINED_FAILURES_MAX {
            assert!(!far.learn(PERHAPS, true));
        }
        assert!(!far.learn(FIRST, true), "it works after all: those were races");
        for _ in 1..COMBINED_FAILURES_MAX {
            assert!(!far.learn(PERHAPS, true));
            assert!(!far.learn(FIRST, false), "this one says nothing");
        }
        assert!(far.learn(PERHAPS, true));
        assert_eq!(far.way(), Way::Portable);
        assert!(!far.learn(PERHAPS, true), "it is known already");

        let mut far = FarSide::new(Way::Combined);
        assert!(far.learn(Attempt::Portable { certain: true }, true));
    }

    #[test]
    fn what_was_created_after_the_last_job_cannot_be_there() {
        let paths = vec![(RelPath::from(&b"sent"[..]), Remembered::TO_SEND)];
        let batch = Cargo::Batch(Batch::new(paths, false));
        let flight = Flight::new(JobId(1), Time(20), batch, FIRST);
        let everything = Cargo::Everything { scheduled: false };
        let sweep = Flight::new(JobId(2), Time(20), everything, FIRST);
        let mut far = FarSide::new(Way::Combined);
        far.job_ended(Time(10));
        for (created, path, flight, cannot) in [
            (Some(11), "new", None, true),
            (Some(10), "new", None, false),
            (None, "new", None, true),
            (Some(21), "new", Some(&flight), true),
            (Some(20), "new", Some(&flight), false),
            (Some(21), "sent", Some(&flight), false),
            (None, "sent", Some(&flight), false),
            (Some(21), "new", Some(&sweep), false),
            (None, "new", Some(&sweep), false),
        ] {
            let is = far.cannot_have(path.as_bytes(), created.map(Time), flight);
            assert_eq!(is, cannot, "{path} of {created:?}, {flight:?}");
        }
    }
}
