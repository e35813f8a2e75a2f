//! Rule 1: which listings are out of date.
//!
//! Scans are numbered in the order in which they are asked for, and these numbers are the clock: whatever happens is
//! noted with the number of the latest scan. A listing whose scan has that number or a lower one may have been made
//! before it happened; one with a higher number was made after it. When no scan is under way and none is about to be,
//! no listing can be out of date, and what was noted is forgotten.

use super::super::event::Wd;
use super::super::numbers::NumberMap;
use super::super::scan::{Place, ScanId};
use std::collections::HashMap;

/// The scans of a root that are under way, and what has happened since they were asked for.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// The latest one.
    last: ScanId,
    under_way: NumberMap<ScanId, UnderWay>,
    /// The one that must end before the tree is complete.
    first_of_root: Option<ScanId>,
    places: HashMap<Place, Noted>,
    /// When an event has told of any place.
    last_event: ScanId,
    /// When a directory was taken out of the tree. What has happened in it until then was told of the
    /// place that it had.
    displaced: NumberMap<Wd, ScanId>,
}

#[derive(Debug)]
struct UnderWay {
    path: Vec<u8>,
    purpose: Purpose,
}

/// What a scan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To find out what is there.
    Look,
    /// To watch what could not be watched before.
    Retry,
    /// None any more: the tree has been started over since.
    Void,
}

/// What was noted of a place; zero stands for never.
#[derive(Debug, Default)]
struct Noted {
    /// Its latest scan.
    scan: ScanId,
    /// When an event has told of it.
    event: ScanId,
}

impl Scans {
    /// A scan is asked for; gives its number.
    pub(super) fn begin(&mut self, place: &Place, path: &[u8], purpose: Purpose) -> ScanId {
        self.last.0 += 1;
        self.under_way.insert(self.last, UnderWay { path: path.into(), purpose });
        self.places.entry(place.clone()).or_default().scan = self.last;
        self.last
    }

    /// None under way, and numbers that none had before: what comes of earlier scans belongs to none then.
    pub(super) fn next_after_all(&self) -> Scans {
        Scans { last: self.last, ..Scans::default() }
    }

    /// The tree is started over by a scan of the whole root. All others are void.
    pub(super) fn start_over(&mut self) -> ScanId {
        self.under_way.values_mut().for_each(|scan| scan.purpose = Purpose::Void);
        let scan = self.begin(&Place::Root, b"", Purpose::Look);
        self.first_of_root = Some(scan);
        scan
    }

    /// A scan has ended; gives its path.
    pub(super) fn end(&mut self, scan: ScanId) -> Option<Vec<u8>> {
        if self.first_of_root == Some(scan) {
            self.first_of_root = None;
        }
        self.under_way.remove(&scan).map(|ended| ended.path)
    }

    /// Whether all have ended.
    pub(super) fn are_over(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether the whole root has been scanned since the start.
    pub(super) fn have_seen_root(&self) -> bool {
        self.first_of_root.is_none()
    }

    /// What a scan that has not ended is for.
    pub(super) fn purpose(&self, scan: ScanId) -> Option<Purpose> {
        self.under_way.get(&scan).map(|scan| scan.purpose)
    }

    /// The paths of those that are under way.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.under_way.values().map(|scan| &scan.path)
    }

    /// An event has told of a place.
    pub(super) fn note_event(&mut self, place: Place) {
        self.last_event = self.last;
        self.places.entry(place).or_default().event = self.last;
    }

    /// Directories were taken out of the tree, and stay watched.
    pub(super) fn note_displaced(&mut self, wds: &[Wd]) {
        if !self.are_over() {
            self.displaced.extend(wds.iter().map(|wd| (*wd, self.last)));
        }
    }

    /// Rule 1: when an event told last of a place or of one `above` it, if that was after a scan had
    /// been asked for.
    pub(super) fn stale_since(
        &self,
        scan: ScanId,
        place: &Place,
        above: impl Iterator<Item = Place>,
    ) -> Option<ScanId> {
        if scan > self.last_event {
            return None;
        }
        let event = |place: &Place| self.places.get(place).map(|noted| noted.event);
        let latest = above.filter_map(|place| event(&place)).chain(event(place)).max();
        latest.filter(|event| *event >= scan)
    }

    /// Rule 1: whether a scan that was asked for after that event is on its way to the same place by
    /// the same path. Then no other is needed.
    pub(super) fn will_revisit(&self, place: &Place, path: &[u8], event: ScanId) -> bool {
        let scan = self.places.get(place).map(|noted| noted.scan).filter(|scan| *scan > event);
        scan.and_then(|scan| self.under_way.get(&scan)).is_some_and(|scan| scan.path == path)
    }

    /// Rule 1: whether a directory was taken out of the tree since a scan was asked for.
    pub(super) fn displaced_since(&self, scan: ScanId, wd: Wd) -> bool {
        self.displaced.get(&wd).is_some_and(|displaced| *displaced >= scan)
    }

    /// No listing is to come: nothing has to be remembered for one.
    pub(super) fn forget_the_past(&mut self) {
        self.places.clear();
        self.displaced.clear();
    }
}
