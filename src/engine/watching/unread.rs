//! Directories that could not be read because of an error which says nothing about them: when to try again.
//!
//! A disk or a server that fails for a moment must not cost more than that moment. So the pause is short
//! at first, and grows while nothing changes. `watches` keeps them here, `root` says what that means for
//! paths.

use super::scan::Place;
use crate::engine::time::Time;
use crate::sorted::SortedSet;

/// The first pause, and the longest.
const PAUSE_MS: (u64, u64) = (1_000, 60_000);
/// Directories that are remembered one by one, each of which stands for all that is below it.
const UNREAD_MAX: usize = 10_000;

/// The directories that are to be read again.
#[derive(Debug, Default)]
pub struct Unread {
    places: SortedSet<Place>,
    again_at: Option<Time>,
    /// How long the last pause was; 0 before the first.
    pause_ms: u64,
}

impl Unread {
    /// A directory could not be read; gives its place back if no more can be remembered.
    pub fn insert(&mut self, place: Place, now: Time) -> Option<Place> {
        if self.places.len() >= UNREAD_MAX {
            return Some(place);
        }
        if self.again_at.is_none() {
            self.pause_ms = (2 * self.pause_ms).clamp(PAUSE_MS.0, PAUSE_MS.1);
            self.again_at = Some(now + self.pause_ms);
        }
        self.places.insert(place);
        None
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// When [`Unread::take`] is to be called.
    pub fn next_try(&self) -> Option<Time> {
        self.again_at
    }

    /// The places to be tried now, if it is time. They are not remembered any longer: those that fail
    /// again come back with [`Unread::insert`].
    pub fn take(&mut self, now: Time) -> SortedSet<Place> {
        if self.again_at.is_none_or(|at| at > now) {
            return SortedSet::new();
        }
        self.again_at = None;
        std::mem::take(&mut self.places)
    }

    /// All have been read: the next one is tried soon.
    pub fn all_read(&mut self) {
        self.pause_ms = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_all_have_been_read() {
        let mut unread = Unread::default();
        assert_eq!(unread.next_try(), None, "nothing wakes for nothing");
        let (mut now, mut pauses_ms) = (Time(5), Vec::new());
        for _ in 0..8 {
            assert_eq!(unread.insert(Place::Root, now), None);
            let due = unread.next_try().unwrap();
            assert!(unread.take(Time(due.0 - 1)).is_empty());
            assert_eq!(unread.take(due).len(), 1);
            assert!(unread.is_empty() && unread.next_try().is_none());
            pauses_ms.push(due.since(now));
            now = due;
        }
        assert_eq!(pauses_ms, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        unread.all_read();
        unread.insert(Place::Root, now);
        assert_eq!(unread.next_try(), Some(now + 1_000));
    }
}
