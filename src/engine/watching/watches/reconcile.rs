//! Rules 1, 2 and 4 at work: a directory was listed, and comes into the tree.
//!
//! The rules are on the page of [`super`].

use super::super::event::Wd;
use super::super::scan::{Listing, Origin, Place};
use super::super::tree::NodeId;
use super::Watches;
use crate::engine::time::Time;

/// What a listing is good for.
enum Worth {
    /// The directory is there, and that is what is in it.
    All,
    /// The directory is there. What is in it has to be read once more.
    Place,
    /// Nothing. The place has to be scanned again.
    Nothing,
    /// Nothing, and the place is being scanned again already.
    Replaced,
}

/// A directory that was found, and where.
struct Found<'a> {
    wd: Wd,
    place: &'a Place,
    parent: NodeId,
    name: &'a [u8],
}

impl Watches {
    /// Puts the directory of a listing into the tree; `false` if the listing does not count.
    pub(super) fn put(&mut self, place: &Place, wd: Wd, listing: &Listing, now: Time) -> bool {
        let Place::In { parent, name } = place else {
            self.tree.set_root_wd(wd);
            return true;
        };
        // Without the directory above there is no such place, and that one has a place of its own.
        let Some(parent) = self.tree.node(*parent) else { return false };
        let found = Found { wd, place, parent, name };
        let worth = self.worth(&found, listing);
        if matches!(worth, Worth::Place | Worth::Nothing) {
            self.again.add(place.clone(), listing.origin, now);
        }
        match worth {
            Worth::All | Worth::Place => self.listing_wins(&found, listing.origin, now),
            Worth::Nothing | Worth::Replaced => false,
        }
    }

    /// Rules 1 and 4: what a listing is still good for.
    fn worth(&self, found: &Found<'_>, listing: &Listing) -> Worth {
        let is_there = self.path_of(found.place).as_ref() == Some(&listing.path);
        if !is_there || self.loose.is_dead(found.wd) {
            return Worth::Nothing;
        }
        let up = |node: &NodeId| self.tree.place(*node).map(|(parent, _)| parent);
        let above = std::iter::successors(Some(found.parent), up);
        let above = above.filter_map(|node| self.place_of(node));
        match self.scans.stale_since(listing.scan, found.place, above) {
            Some(event) if self.scans.will_revisit(found.place, &listing.path, event) => {
                Worth::Replaced
            }
            Some(_) => Worth::Nothing,
            None if self.scans.displaced_since(listing.scan, found.wd) => Worth::Place,
            None => Worth::All,
        }
    }

    /// Rule 2: the directory is where it was found, whatever the tree has there and wherever it has
    /// that directory. `false` if that cannot be yet: the tree has the place inside the directory.
    fn listing_wins(&mut self, found: &Found<'_>, origin: Origin, now: Time) -> bool {
        let Found { wd, place, parent, name } = *found;
        let (node, there) = (self.tree.node(wd), self.tree.child(parent, name));
        match node {
            Some(_) if node == there => return true,
            Some(node) if self.tree.is_within(parent, node) => {
                // What the tree has it for is another one, or it would not lie inside itself: found out by a scan of
                // that place, since whatever is found below it is said to be elsewhere until then.
                let places = [self.place_of(node), Some(place.clone())].into_iter().flatten();
                self.contradicted(wd, places, origin, now);
                return false;
            }
            Some(node) => {
                let places = [self.place_of(node), Some(place.clone())].into_iter().flatten();
                self.contradicted(wd, places, origin, now);
                self.departed.retain(|departed| departed.node != node);
                self.tree.detach(node);
            }
            None if there.is_some() => self.contradicted(wd, [place.clone()], origin, now),
            None => {}
        }
        if let Some(there) = there {
            self.take_out(there);
        }
        self.fresh.insert(wd);
        match node {
            Some(node) => self.tree.attach(node, parent, name),
            None => {
                self.tree.insert(parent, name, wd);
            }
        }
        true
    }

    /// Rule 2: what a listing contradicts is scanned again.
    fn contradicted(
        &mut self,
        wd: Wd,
        places: impl IntoIterator<Item = Place>,
        origin: Origin,
        now: Time,
    ) {
        self.swaps.be_wary(now);
        self.again.add_contradicted(wd, places, origin, now);
    }
}
