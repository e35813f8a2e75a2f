//! What is known of the far side: how it can delete, and what it cannot have.

use super::flight::{Attempt, Flight};
use crate::engine::time::Time;
use crate::rsync::asked::licence::Way;
use crate::rsync::told::unwanted::Why;

/// What a far side does not do is tried again after a day: it may have been upgraded or configured anew.
const REMEMBERED_MS: u64 = 24 * 60 * 60 * 1000;

/// What a far side does not do. It is learned from what it says, and never from how often something fails: a race
/// between a list and the file system may look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lesson {
    /// To send and delete in one run.
    Combined,
    /// To delete.
    Deleting,
}

/// The far side of one remote.
#[derive(Debug)]
pub struct FarSide {
    /// How it deletes, as long as nothing else is learned.
    way: Way,
    /// What it does not do, and until when that is believed.
    lesson: Option<(Lesson, Time)>,
    /// A sweep was to delete what only it has, and has left that because it refuses to.
    is_to_be_swept: bool,
    has_only_ours: bool,
    /// A job has got through, or is getting through, since one failed as a whole.
    pub answers: bool,
    /// It takes no connection beside the one of a sweep: until when that is believed.
    crowded_until: Option<Time>,
    /// When the last batch or sweep ended. What was created since then, no such job can have sent.
    last_end: Time,
    /// Why it has something as it is, and until when that need not be said again.
    told: Vec<(Why, Time)>,
}

impl FarSide {
    /// Nothing is known yet, but how it is to delete.
    pub fn new(way: Way) -> FarSide {
        FarSide {
            way,
            lesson: None,
            is_to_be_swept: false,
            has_only_ours: false,
            answers: false,
            crowded_until: None,
            last_end: Time(0),
            told: Vec::new(),
        }
    }

    /// How the next job deletes.
    pub fn attempt(&self) -> Attempt {
        match self.lesson {
            None => Attempt::First(self.way),
            Some((Lesson::Combined, _)) => Attempt::First(Way::Portable),
            Some((Lesson::Deleting, _)) => Attempt::Withheld,
        }
    }

    /// Whether it refuses every deletion.
    pub fn refuses(&self) -> bool {
        self.attempt() == Attempt::Withheld
    }

    /// Whether a full sync has deleted what only the far side had, so that it has what we sent and no more.
    pub fn has_only_ours(&self) -> bool {
        self.has_only_ours
    }

    /// A full sync has arrived, which deleted what only the far side had, or did not.
    pub fn full_sync_arrived(&mut self, deleted: bool) {
        self.has_only_ours = deleted;
    }

    /// Something that was to be deleted stays.
    pub fn keeps_something(&mut self) {
        self.has_only_ours = false;
    }

    /// Of these reasons those that have not been told for a day.
    pub fn not_told_today(&mut self, whys: &[(Why, String)], now: Time) -> Vec<(Why, String)> {
        self.told.retain(|(_, until)| *until > now);
        let mut new = Vec::new();
        for (why, line) in whys {
            if !self.told.iter().any(|(told, _)| told == why) {
                self.told.push((*why, now + REMEMBERED_MS));
                new.push((*why, line.clone()));
            }
        }
        new
    }

    /// A sweep that was to delete what only it has left that, because it refuses to.
    pub fn is_left_unswept(&mut self) {
        self.is_to_be_swept = true;
    }

    /// Whether there is such a sweep to be made good.
    pub fn is_to_be_swept(&self) -> bool {
        self.is_to_be_swept
    }

    /// A batch or a sweep has ended.
    pub fn job_ended(&mut self, now: Time) {
        self.last_end = now;
    }

    /// Whether no job can have sent what was `created` then, under this name. Without a time it was created after all
    /// jobs that have ended. `flights`: the batch and the sweep on their way.
    pub fn cannot_have<'a>(
        &self,
        path: &[u8],
        created: Option<Time>,
        mut flights: impl Iterator<Item = &'a Flight>,
    ) -> bool {
        let is_after = |time| created.is_none_or(|created| created > time);
        is_after(self.last_end)
            && flights.all(|flight| is_after(flight.started) && !flight.reaches(path))
    }

    /// A job has arrived. Gives `true` if that shows for the first time that it does not take deletions in the run
    /// that sends: from then on they go the portable way.
    pub fn learn(&mut self, attempt: Attempt, now: Time) -> bool {
        let certain = attempt == Attempt::Portable { certain: true };
        let learned = certain && self.attempt() == Attempt::First(Way::Combined);
        if learned {
            self.lesson = Some((Lesson::Combined, now + REMEMBERED_MS));
        }
        learned
    }

    /// It has refused to delete. Gives `true` if that is new.
    pub fn refuse(&mut self, now: Time) -> bool {
        let is_new = !self.refuses();
        if is_new {
            self.lesson = Some((Lesson::Deleting, now + REMEMBERED_MS));
            self.has_only_ours = false;
        }
        is_new
    }

    /// It has refused a batch because of the number of its connections, with a sweep on its way. Gives `true` if that
    /// is new.
    pub fn is_crowded(&mut self, now: Time) -> bool {
        self.crowded_until.replace(now + REMEMBERED_MS).is_none()
    }

    /// A sweep starts: whether batches may run beside it is to be seen again after a day.
    pub fn sweep_starts(&mut self, now: Time) {
        self.crowded_until.take_if(|until| *until <= now);
    }

    /// Whether a batch finds a connection beside a sweep, as far as is known.
    pub fn takes_two(&self) -> bool {
        self.crowded_until.is_none()
    }

    /// When what it does not do is to be tried again.
    pub fn tried_again(&self) -> Option<Time> {
        self.lesson.map(|(_, until)| until)
    }

    /// What it does not do is tried again with the next job. Gives whether there was a sweep to be made good.
    pub fn try_again(&mut self) -> bool {
        (self.lesson, self.crowded_until) = (None, None);
        std::mem::take(&mut self.is_to_be_swept)
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

    #[test]
    fn combined_deletes_are_given_up_at_a_word_of_rsync_and_not_at_a_race() {
        let mut far = FarSide::new(Way::Combined);
        for _ in 0..100 {
            assert!(!far.learn(Attempt::Portable { certain: false }, Time(0)));
        }
        assert_eq!(far.attempt(), FIRST);
        assert!(far.learn(Attempt::Portable { certain: true }, Time(7)));
        assert_eq!(far.attempt(), Attempt::First(Way::Portable));
        assert!(!far.learn(Attempt::Portable { certain: true }, Time(7)), "it is known already");
        assert!(!far.learn(Attempt::First(Way::Portable), Time(7)) && !far.refuses());
        assert_eq!(far.tried_again(), Some(Time(7) + REMEMBERED_MS));
        far.try_again();
        assert_eq!((far.attempt(), far.tried_again()), (FIRST, None));
    }

    #[test]
    fn who_refuses_to_delete_is_asked_again_once_and_then_has_to_be_swept() {
        let mut far = FarSide::new(Way::Combined);
        far.full_sync_arrived(true);
        far.learn(Attempt::Portable { certain: true }, Time(0));
        assert!(far.refuse(Time(5)), "in whichever way");
        assert!(!far.refuse(Time(6)), "it is known already");
        assert_eq!((far.attempt(), far.has_only_ours()), (Attempt::Withheld, false));
        assert!(!far.learn(Attempt::Portable { certain: true }, Time(7)));
        assert!(far.refuses(), "a job that started before says nothing else");
        far.is_left_unswept();
        assert_eq!(far.tried_again(), Some(Time(5) + REMEMBERED_MS));
        assert!(far.try_again() && !far.try_again());
        assert_eq!(far.attempt(), FIRST);
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
            let is = far.cannot_have(path.as_bytes(), created.map(Time), flight.into_iter());
            assert_eq!(is, cannot, "{path} of {created:?}, {flight:?}");
        }
    }
}
