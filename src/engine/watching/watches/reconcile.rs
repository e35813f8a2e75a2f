//! Whether a listing is believed: where the walk and the events say different things.
//!
//! The rules are on the page of [`super`].

use super::super::event::Wd;
use super::super::scan::{Listing, Origin, Place, ScanId};
use super::super::tree::NodeId;
use super::{Watches, AGAIN_DOUBLINGS_MAX, AGAIN_MS, CONTRADICTIONS_MAX, DOUBT_MS};
use crate::engine::rel_path::join;
use crate::engine::time::Time;

impl Watches {
    /// Puts the directory of a listing into the tree; `false` if the listing is not believed.
    pub(super) fn put(&mut self, place: &Place, wd: Wd, listing: &Listing, now: Time) -> bool {
        let Place::In { parent: parent_wd, name } = place else {
            self.tree.set_root_wd(wd);
            return true;
        };
        // The directory above is not believed either, or gone; its own place is looked after.
        let Some(parent) = self.tree.node(*parent_wd) else { return false };
        let expected = self.tree.path(parent).map(|above| join(&above, name));
        let in_place = expected.as_ref() == Some(&listing.path);
        if !in_place || self.dead.contains_key(&wd) {
            self.scan_again(place.clone(), listing.origin, now);
            return false;
        }
        if let Some(touched) = self.last_touch(parent, place).filter(|at| *at >= listing.scan) {
            // Unless that has been ordered since, and the walk will find it there.
            let latest = self.scanned.get(place).filter(|latest| **latest > touched);
            if latest.and_then(|latest| self.scans.get(latest)) != Some(&listing.path) {
                self.scan_again(place.clone(), listing.origin, now);
            }
            return false;
        }
        if self.forgotten.get(&wd).is_some_and(|latest| *latest >= listing.scan) {
            // What happened in it since the walk was there has been told, but of another place.
            self.scan_again(place.clone(), listing.origin, now);
        }
        match (self.tree.node(wd), self.tree.child(parent, name)) {
            (Some(here), Some(there)) if here == there => true,
            (Some(node), _) if self.tree.is_within(parent, node) => {
                self.contradicted(wd, [place.clone()], listing.origin, now);
                false
            }
            (Some(node), there) => {
                let places = [self.place_of(node), Some(place.clone())].into_iter().flatten();
                self.contradicted(wd, places, listing.origin, now);
                self.departed.retain(|departed| departed.node != node);
                self.tree.detach(node);
                if let Some(there) = there {
                    self.forget(there);
                }
                self.tree.attach(node, parent, name);
                true
            }
            (None, Some(there)) => {
                self.contradicted(wd, [place.clone()], listing.origin, now);
                self.forget(there);
                self.tree.insert(parent, name, wd);
                true
            }
            (None, None) => {
                self.tree.insert(parent, name, wd);
                true
            }
        }
    }

    /// Something happened to a place.
    pub(super) fn touch(&mut self, parent: NodeId, name: &[u8]) {
        if self.scans.is_empty() {
            return;
        }
        if let Some(parent) = self.tree.wd(parent) {
            let place = Place::In { parent, name: name.into() };
            self.touched.insert(place, self.last_scan);
        }
    }

    /// When something has happened last to a place in `parent` or to one above it: the latest scan
    /// that had been ordered by then.
    pub(super) fn last_touch(&self, parent: NodeId, place: &Place) -> Option<ScanId> {
        if self.touched.is_empty() {
            return None;
        }
        let touched = |place: &Place| self.touched.get(place).copied();
        let up = |&at: &NodeId| self.tree.place(at).map(|(up, _)| up);
        let above = std::iter::successors(Some(parent), up).filter_map(|at| self.place_of(at));
        above.filter_map(|place| touched(&place)).chain(touched(place)).max()
    }

    pub(super) fn contradicted(
        &mut self,
        wd: Wd,
        places: impl IntoIterator<Item = Place>,
        origin: Origin,
        now: Time,
    ) {
        self.doubt_until = now + DOUBT_MS;
        let count = self.contradictions.entry(wd).or_default();
        *count += 1;
        if *count > CONTRADICTIONS_MAX {
            return;
        }
        let pause_ms = AGAIN_MS << (*count - 1).min(AGAIN_DOUBLINGS_MAX);
        for place in places {
            self.scan_after(pause_ms, place, origin, now);
        }
    }
}
