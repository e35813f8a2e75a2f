//! Rules 1 and 2: the places that are scanned again, and how soon.
//!
//! A place waits a moment, so that the events about it come first. Where one directory contradicts the tree again and
//! again, it waits longer each time.

use super::super::event::Wd;
use super::super::numbers::NumberMap;
use super::super::scan::{Origin, Place};
use crate::engine::time::Time;
use crate::sorted::SortedMap;

/// A place is scanned again after this, so that the events about it can come first.
const AGAIN_MS: u64 = 10;
/// Each further contradiction about one directory doubles that, so often at most (to 2.6 s): in a
/// tree that many move about in, the events get time to catch up.
const AGAIN_DOUBLINGS_MAX: u32 = 8;
/// So often in a row may one directory be found somewhere else. More than that is no race but one
/// directory in two places (a bind mount); it then stays where it was found last.
const CONTRADICTIONS_MAX: u32 = 64;

/// What is to be scanned again.
#[derive(Debug, Default)]
pub(super) struct Again {
    places: SortedMap<Place, (Time, Origin)>,
    contradictions: NumberMap<Wd, u32>,
}

impl Again {
    /// A place is to be scanned again. `origin` is that of the scan which it was to be known by.
    pub(super) fn add(&mut self, place: Place, origin: Origin, now: Time) {
        self.add_after(AGAIN_MS, place, origin, now);
    }

    /// Rule 2: a directory was found elsewhere than in the tree, which concerns these places.
    pub(super) fn add_contradicted(
        &mut self,
        wd: Wd,
        places: impl IntoIterator<Item = Place>,
        origin: Origin,
        now: Time,
    ) {
        let count = self.contradictions.entry(wd).or_default();
        *count += 1;
        if *count > CONTRADICTIONS_MAX {
            return;
        }
        let pause_ms = AGAIN_MS << (*count - 1).min(AGAIN_DOUBLINGS_MAX);
        for place in places {
            self.add_after(pause_ms, place, origin, now);
        }
    }

    fn add_after(&mut self, pause_ms: u64, place: Place, origin: Origin, now: Time) {
        let origin = match origin {
            // What is found now may have come since the start, and when it was created nobody knows.
            Origin::Start | Origin::Since(_) | Origin::Created(_) => Origin::Created(Time(0)),
            Origin::Moved => Origin::Moved,
        };
        self.places.entry(place).or_insert((now + pause_ms, origin));
    }

    /// Takes out the places whose time has come.
    pub(super) fn take_due(&mut self, now: Time) -> Vec<(Place, Origin)> {
        let due = self.places.iter().filter(|(_, (due, _))| *due <= now);
        let due: Vec<_> = due.map(|(place, (_, origin))| (place.clone(), *origin)).collect();
        for (place, _) in &due {
            self.places.remove(place);
        }
        due
    }

    /// When the first of them is due.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.places.values().map(|(due, _)| *due).min()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The places.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.places.keys()
    }

    /// The tree is started over.
    pub(super) fn clear(&mut self) {
        self.places.clear();
    }

    /// Nothing contradicts the tree any more.
    pub(super) fn forget_contradictions(&mut self) {
        self.contradictions.clear();
    }
}
