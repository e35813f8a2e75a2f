//! Directories that the kernel has no watch left for: when to try again.
//!
//! Nothing tells what happens in them. So every [`POLL_MS`] they are made equal as a whole, and
//! watching them is tried again. `watches` keeps them here, `root` says what that means for paths.

use super::scan::Place;
use crate::engine::time::Time;
use crate::sorted::SortedSet;

/// The time between two attempts.
pub const POLL_MS: u64 = 60_000;
/// Directories that are remembered one by one, each of which stands for all that is below it. While
/// there are more, the root as a whole is made equal instead.
const UNWATCHED_MAX: usize = 10_000;

/// The topmost directories that are not watched.
#[derive(Debug, Default)]
pub struct Unwatched {
    places: SortedSet<Place>,
    /// There were more than are remembered.
    more: bool,
    poll_at: Option<Time>,
}

impl Unwatched {
    /// A directory could not be watched.
    pub fn insert(&mut self, place: Place, now: Time) {
        self.poll_at.get_or_insert(now + POLL_MS);
        if self.places.len() < UNWATCHED_MAX {
            self.places.insert(place);
        } else {
            self.more = true;
        }
    }

    /// Whether everything is watched.
    pub fn is_empty(&self) -> bool {
        self.poll_at.is_none()
    }

    /// Whether there were more than are remembered.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Whether all that are remembered could be watched since.
    pub fn remembers_none(&self) -> bool {
        self.places.is_empty()
    }

    /// When [`Unwatched::take`] is to be called.
    pub fn next_poll(&self) -> Option<Time> {
        self.poll_at
    }

    /// The places to be tried now, if it is time. They are not remembered any longer: those that fail
    /// again come back with [`Unwatched::insert`].
    pub fn take(&mut self, now: Time) -> SortedSet<Place> {
        if self.poll_at.is_none_or(|at| at > now) {
            return SortedSet::new();
        }
        self.poll_at = self.more.then_some(now + POLL_MS);
        std::mem::take(&mut self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Wd;
    use super::*;

    fn place(number: usize) -> Place {
        Place::In { parent: Wd(1), name: number.to_string().into_bytes().into() }
    }

    #[test]
    fn what_is_not_watched_is_tried_once_a_minute() {
        let mut unwatched = Unwatched::default();
        assert_eq!(unwatched.next_poll(), None, "nothing wakes for nothing");
        unwatched.insert(place(1), Time(5));
        unwatched.insert(place(2), Time(9));
        assert_eq!(unwatched.next_poll(), Some(Time(5 + POLL_MS)));
        assert!(unwatched.take(Time(4 + POLL_MS)).is_empty());
        assert_eq!(unwatched.take(Time(5 + POLL_MS)).len(), 2);
        assert!(unwatched.is_empty());
    }

    #[test]
    fn more_than_are_remembered_are_not_forgotten() {
        let mut unwatched = Unwatched::default();
        (0..=UNWATCHED_MAX).for_each(|number| unwatched.insert(place(number), Time(0)));
        assert!(unwatched.has_more());
        assert_eq!(unwatched.take(Time(POLL_MS)).len(), UNWATCHED_MAX);
        assert_eq!(unwatched.next_poll(), Some(Time(2 * POLL_MS)));
        assert!(!unwatched.is_empty(), "the rest is not watched");
    }
}
