//! Which directory is where: keeps the tree of one root true to the file system.
//!
//! Two sources tell about directories, and they are not at the same point in time. *Events* come in
//! the order in which things happened, but late. *Listings* of the walk are new, but they come at
//! any time: what they say may be ahead of the events or, once the events have been read, behind
//! them. Reconciling them rests on four rules:
//!
//! 1. *What is out of date does not count* ([`scans`]). A listing says "the entry `name` of the
//!    directory watched as `parent` has descriptor `wd`". It counts only if the tree still has
//!    `parent` where the walk went, and no event has told of that place, or of one above, since the
//!    scan was asked for; otherwise the place is scanned again. It is also scanned again, although
//!    the listing counts, if `wd` was elsewhere in the tree meanwhile: events told what happened in it
//!    of the wrong place. An event that may be older than a watch moves nothing ([`fresh`]).
//! 2. *A listing that contradicts the tree wins* ([`reconcile`]), and the places that it contradicts
//!    are scanned again ([`again`]). The last scan of a place comes after everything that happened
//!    there, so this comes to an end as soon as nothing moves.
//! 3. *Events wait for their directory* ([`loose`]). Those of an unknown descriptor are held while a
//!    listing may come, and replayed when its directory is handed over. Where they are too many, only
//!    what was seen to go is remembered, and the directory is read once more when it is handed over: so
//!    the walk gets on, however long it takes. When no listing can come, an unknown descriptor is a
//!    stray: its directory has left the tree, and is not watched any longer.
//! 4. *What was taken back is dead* ([`loose`]). A listing of a watch that has been taken back, or
//!    ended by the kernel, was made before that, and is not believed.
//!
//! This knows directories only; which of the things that happen are changes is for `root` to say.

mod again;
mod fresh;
mod loose;
mod reconcile;
mod scans;
mod swaps;
#[cfg(test)]
mod tests;

use self::again::Again;
use self::fresh::Fresh;
use self::loose::Loose;
use self::scans::{Purpose, Scans};
use self::swaps::Swaps;
use super::event::{RawEvent, Wd};
use super::scan::{Listing, Origin, Place, Reached, Scan, ScanId};
use super::tree::{NodeId, Tree};
use super::unread::Unread;
use super::unwatched::Unwatched;
use crate::engine::rel_path::{join, lies_in};
use crate::engine::time::Time;
use std::collections::VecDeque;

/// The halves of a rename follow each other in the kernel's queue; one whose other half has not come
/// after this left the root.
const PAIR_MS: u64 = 100;

/// What is to be done in the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchAction {
    /// Have a directory read.
    Scan(Scan),
    /// Take a watch back.
    RemoveWatch(Wd),
}

/// Whose event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A directory of the tree.
    Node(NodeId),
    /// Nobody's yet: it is held. Or nobody's any more: it is dropped.
    Nobody,
    /// The same, and more had to be held than fits: what went from directories that are still to be read is forgotten.
    TooMany,
}

/// A directory that was moved away, to where is not known yet.
#[derive(Debug)]
struct Departed {
    cookie: u32,
    node: NodeId,
    until: Time,
}

/// The directories of one root.
#[derive(Debug, Default)]
pub struct Watches {
    tree: Tree,
    departed: Vec<Departed>,
    scans: Scans,
    again: Again,
    loose: Loose,
    fresh: Fresh,
    swaps: Swaps,
    unwatched: Unwatched,
    unread: Unread,
    actions: VecDeque<WatchAction>,
}

/// Questions.
impl Watches {
    /// Whether the scan of the root is over: everything is watched.
    pub fn is_complete(&self) -> bool {
        self.scans.have_seen_root()
    }

    /// Whether everything that has happened so far is known, as soon as the kernel's queue has been
    /// read: nothing is being scanned, and nothing is left unwatched or unread.
    pub fn sees_everything(&self) -> bool {
        !self.awaits_listings() && self.unwatched.is_empty() && self.unread.is_empty()
    }

    /// Whether directories are without a watch.
    pub fn has_unwatched(&self) -> bool {
        !self.unwatched.is_empty()
    }

    /// Whether it is time to try them again.
    pub fn poll_is_due(&self, now: Time) -> bool {
        self.unwatched.next_poll().is_some_and(|at| at <= now)
    }

    /// Whether more directories are without a watch than are remembered one by one.
    pub fn has_lost_count(&self) -> bool {
        self.unwatched.has_more()
    }

    /// Whether that is all that is left without one.
    pub fn misses_only_the_uncounted(&self) -> bool {
        !self.awaits_listings() && self.unwatched.remembers_none()
    }

    /// Number of directories in the tree.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Appends the path of a directory; `None` while it is on its way between two places.
    pub fn write_path(&self, node: NodeId, to: &mut Vec<u8>) -> Option<()> {
        self.tree.write_path(node, to)
    }

    /// The paths that are being scanned or about to be, but for the whole root: what lies below them
    /// may change without being told.
    pub fn unseen(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let under_way = self.scans.paths().cloned();
        let again = self.again.places().filter_map(|place| self.path_of(place));
        under_way.chain(again).filter(|path| !path.is_empty())
    }

    /// Whether this scan tries once more to watch what is not watched; to be asked before its end.
    pub fn is_retry(&self, scan: ScanId) -> bool {
        self.scans.purpose(scan) == Some(Purpose::Retry)
    }

    /// When [`Watches::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        let departed = self.departed.iter().map(|departed| departed.until);
        let polls = self.unwatched.next_poll().into_iter().chain(self.unread.next_try());
        departed.chain(self.again.next_due()).chain(polls).min()
    }
}

/// What happens.
impl Watches {
    /// Starts, or starts over: the tree is empty until the scan of the root has been handed over.
    pub fn start(&mut self, origin: Origin) {
        self.unwatched = Unwatched::default();
        self.unread = Unread::default();
        self.loose.start_over(&self.tree);
        self.departed.clear();
        self.tree.clear();
        self.again.clear();
        let id = self.scans.start_over();
        let (place, path) = (Place::Root, Vec::new());
        self.actions.push_back(WatchAction::Scan(Scan { id, place, path, watch: true, origin }));
    }

    /// Forgets everything, since another inotify instance tells of the root from now on: its descriptors have
    /// nothing to do with those that are known. Actions that were not yet taken for those are dropped.
    pub fn forget(&mut self) {
        *self = Watches { scans: self.scans.next_after_all(), ..Watches::default() };
    }

    /// The next thing to be done in the system.
    pub fn take_action(&mut self) -> Option<WatchAction> {
        self.actions.pop_front()
    }

    /// Whose event this is; holds it if its directory may yet be handed over (rule 3).
    pub fn whose(&mut self, event: &RawEvent) -> Whose {
        if let Some(node) = self.tree.node(event.wd) {
            return Whose::Node(node);
        }
        if self.loose.is_dead(event.wd) {
            return Whose::Nobody;
        }
        if !self.awaits_listings() {
            self.take_back(event.wd);
            return Whose::Nobody;
        }
        if self.loose.hold(event) {
            Whose::Nobody
        } else {
            Whose::TooMany
        }
    }

    /// A directory was created.
    pub fn created(&mut self, parent: NodeId, name: &[u8], now: Time) {
        self.note_event(parent, name);
        // A known one has been handed over already, by a scan that was ahead of this event: before
        // a directory can be created, whatever had that name has been deleted or moved away.
        if self.tree.child(parent, name).is_none() {
            self.scan(parent, name, true, Origin::Created(now), now);
        }
    }

    /// The mode or the owner of a directory has changed. One that could not be watched for lack of a
    /// right may be now; whatever is in it then is new to us.
    pub fn rights_changed(&mut self, parent: NodeId, name: &[u8], now: Time) {
        let known = !self.is_complete() || self.tree.child(parent, name).is_some();
        let Some(above) = self.tree.path(parent).filter(|_| !known) else { return };
        // A new directory is not in the tree yet either: its own scan finds it as it is.
        let path = join(&above, name);
        if !self.unseen().any(|scanned| lies_in(&path, &scanned)) {
            self.scan(parent, name, true, Origin::Moved, now);
        }
    }

    /// A directory was deleted.
    pub fn deleted(&mut self, parent: NodeId, name: &[u8]) {
        self.note_event(parent, name);
        if let Some(node) = self.tree.child(parent, name) {
            self.take_out(node);
        }
    }

    /// A directory was moved away; to where, the event with the same cookie may tell.
    pub fn moved_from(&mut self, parent: NodeId, name: &[u8], cookie: u32, now: Time) {
        self.note_event(parent, name);
        let Some(node) = self.tree.child(parent, name) else { return };
        if self.tree.wd(node).is_some_and(|wd| self.fresh.contains(wd)) {
            // Where it is now is found out by scans: of this place, and of the one that the other half tells.
            self.take_out(node);
            self.scan(parent, name, true, Origin::Moved, now);
            return;
        }
        if let Some(place) = self.place_of(node).filter(|place| self.swaps.may_end_at(place)) {
            self.swaps.be_wary(now);
            self.again.add(place, Origin::Moved, now);
        }
        self.tree.detach(node);
        self.departed.push(Departed { cookie, node, until: now + PAIR_MS });
    }

    /// A directory was moved here. It keeps its watches, and those below it, if `keep` and it came
    /// from within the tree; otherwise it is watched and read like a new one.
    pub fn moved_to(&mut self, parent: NodeId, name: &[u8], cookie: u32, keep: bool, now: Time) {
        self.note_event(parent, name);
        if let Some(place) = self.place_in(parent, name) {
            self.swaps.note_landing(place);
        }
        let departed = self.departed.iter().position(|departed| departed.cookie == cookie);
        match departed.map(|at| self.departed.swap_remove(at).node) {
            Some(node) if keep && !self.tree.is_within(parent, node) => {
                if let Some(other) = self.tree.child(parent, name) {
                    self.take_out(other);
                    self.swaps.be_wary(now);
                }
                self.tree.attach(node, parent, name);
                self.scan(parent, name, self.swaps.is_wary(now), Origin::Moved, now);
            }
            Some(node) => {
                self.take_out_and_unwatch(node);
                self.scan(parent, name, true, Origin::Moved, now);
            }
            None => self.scan(parent, name, true, Origin::Moved, now),
        }
    }

    /// Something was mounted or unmounted on a directory: what was there is out of sight with its watches, and what is
    /// there now is watched and read. If it `came`, the end of the scan says so. `false` if the directory above is
    /// not known yet.
    pub fn mount_changed(&mut self, at: &[u8], came: bool, now: Time) -> bool {
        let slash = at.iter().rposition(|&byte| byte == b'/');
        let (above, name) = (&at[..slash.unwrap_or(0)], &at[slash.map_or(0, |slash| slash + 1)..]);
        let Some(parent) = self.tree.find(above).filter(|it| self.tree.wd(*it).is_some()) else {
            // If nothing is to come, it is left out.
            return !self.awaits_listings();
        };
        self.note_event(parent, name);
        if let Some(node) = self.tree.child(parent, name) {
            self.take_out_and_unwatch(node);
        }
        match self.place_in(parent, name) {
            Some(place) if came => {
                self.ask_for_scan(place, at.to_vec(), true, Origin::Start, Purpose::Retry);
            }
            Some(place) => self.scan_place(place, true, Origin::Start, now),
            None => {}
        }
        true
    }

    /// Everything that was in the kernel's queue has been handed in.
    pub fn queue_was_read(&mut self) {
        self.fresh.clear();
    }

    /// The kernel has ended a watch. Says whether it was the root's own.
    pub fn ignored(&mut self, wd: Wd, now: Time) -> bool {
        self.loose.ended(wd);
        let Some(node) = self.tree.node(wd) else {
            self.forget_the_past();
            return false;
        };
        if node == NodeId::ROOT {
            return true;
        }
        // Its deletion should have come first. Better to look again than to guess.
        let place = self.place_of(node);
        self.take_out(node);
        if let Some(place) = place {
            self.again.add(place, Origin::Created(Time(0)), now);
        }
        false
    }

    /// A directory was read. `None` if the listing does not count (then its place is scanned again);
    /// otherwise the events that were held for it, to be handled now.
    pub fn listed(&mut self, listing: &Listing, now: Time) -> Option<Vec<RawEvent>> {
        if self.scans.purpose(listing.scan)? == Purpose::Void {
            return None;
        }
        match &listing.reached {
            Reached::Watched { place, wd } => {
                let held = self.put(place, *wd, listing, now).then(|| self.loose.release(*wd))?;
                if held.is_thinned {
                    let (place, path) = (place.clone(), listing.path.clone());
                    self.ask_for_scan(place, path, true, Origin::Start, Purpose::Retry);
                }
                Some(held.events)
            }
            Reached::Read => {
                // Not there any more: whatever moved it has had it scanned again.
                let node = self.tree.find(&listing.path)?;
                for entry in listing.entries.iter().filter(|entry| entry.is_dir) {
                    if self.tree.child(node, &entry.name).is_none() {
                        self.scan(node, &entry.name, true, listing.origin, now);
                    }
                }
                Some(Vec::new())
            }
            Reached::Unwatched { place } => {
                self.unwatched.insert(place.clone(), now);
                Some(Vec::new())
            }
            Reached::Unread { place } => {
                if let Some(place) = self.unread.insert(place.clone(), now) {
                    self.unwatched.insert(place, now);
                }
                Some(Vec::new())
            }
        }
    }

    /// A scan has ended; gives its path.
    pub fn scan_ended(&mut self, scan: ScanId) -> Option<Vec<u8>> {
        let was_complete = self.is_complete();
        let path = self.scans.end(scan);
        if !self.awaits_listings() && self.unread.is_empty() {
            self.unread.all_read();
        }
        if self.is_complete() && !was_complete {
            // What was watched before the tree was started over and has not been found since has left it.
            for wd in self.loose.take_earlier() {
                if self.tree.node(wd).is_none() && !self.scans.displaced_since(scan, wd) {
                    self.take_back(wd);
                }
            }
        }
        self.forget_the_past();
        path
    }

    /// Time has passed: directories that did not arrive anywhere have left, and places whose time has
    /// come are scanned again.
    pub fn expire(&mut self, now: Time) {
        while let Some(at) = self.departed.iter().position(|departed| departed.until <= now) {
            let node = self.departed.swap_remove(at).node;
            self.take_out_and_unwatch(node);
        }
        for (place, origin) in self.again.take_due(now) {
            self.scan_place(place, true, origin, now);
        }
        let unwatched = self.unwatched.take(now).into_iter();
        for place in unwatched.chain(self.unread.take(now)) {
            // Where it has gone since, if it has, its own events have told.
            if let Some(path) = self.path_of(&place) {
                self.ask_for_scan(place, path, true, Origin::Moved, Purpose::Retry);
            }
        }
        self.forget_the_past();
    }
}

/// What follows.
impl Watches {
    /// An event has told of a place: what a scan says of it that was asked for before is out of date
    /// (rule 1).
    fn note_event(&mut self, parent: NodeId, name: &[u8]) {
        if self.scans.are_over() {
            return;
        }
        if let Some(place) = self.place_in(parent, name) {
            self.scans.note_event(place);
        }
    }

    fn scan(&mut self, parent: NodeId, name: &[u8], watch: bool, origin: Origin, now: Time) {
        if let Some(place) = self.place_in(parent, name) {
            self.scan_place(place, watch, origin, now);
        }
    }

    fn scan_place(&mut self, place: Place, watch: bool, origin: Origin, now: Time) {
        if let Some(path) = self.path_of(&place) {
            self.ask_for_scan(place, path, watch, origin, Purpose::Look);
        } else if self.has_parent(&place) {
            // On its way between two places: what has no path now is read when it has arrived.
            self.again.add(place, origin, now);
        }
    }

    fn ask_for_scan(
        &mut self,
        place: Place,
        path: Vec<u8>,
        watch: bool,
        origin: Origin,
        purpose: Purpose,
    ) {
        let id = self.scans.begin(&place, &path, purpose);
        self.actions.push_back(WatchAction::Scan(Scan { id, place, path, watch, origin }));
    }

    /// Takes a directory out of the tree. Its watches stay, and those below it: it may turn up
    /// elsewhere, or the kernel ends them itself.
    fn take_out(&mut self, node: NodeId) -> Vec<Wd> {
        self.departed.retain(|departed| departed.node != node);
        let wds = self.tree.remove(node);
        self.scans.note_displaced(&wds);
        wds
    }

    /// Takes a directory that has left out of the tree, and its watches back.
    fn take_out_and_unwatch(&mut self, node: NodeId) {
        for wd in self.take_out(node) {
            self.take_back(wd);
        }
    }

    /// Takes a watch back: it is dead from now on (rule 4).
    fn take_back(&mut self, wd: Wd) {
        if self.loose.take_back(wd) {
            self.actions.push_back(WatchAction::RemoveWatch(wd));
        }
    }

    /// Whether a listing may still come that hands over a directory.
    fn awaits_listings(&self) -> bool {
        !self.scans.are_over() || !self.again.is_empty()
    }

    /// If no listing may come any more, nothing has to be remembered for one. What has not found its
    /// directory by now is a stray (rule 3).
    fn forget_the_past(&mut self) {
        if self.awaits_listings() {
            return;
        }
        for wd in self.loose.holding() {
            self.take_back(wd);
        }
        self.loose.forget_confirmed();
        self.again.forget_contradictions();
        self.scans.forget_the_past();
    }

    /// The place of a directory; `None` for the root, and for one on its way between two places.
    fn place_of(&self, node: NodeId) -> Option<Place> {
        let (parent, name) = self.tree.place(node)?;
        self.place_in(parent, name)
    }

    /// The place `name` in a directory; `None` only in a root that is not watched yet.
    fn place_in(&self, parent: NodeId, name: &[u8]) -> Option<Place> {
        Some(Place::In { parent: self.tree.wd(parent)?, name: name.into() })
    }

    /// The path of a place; `None` if the directory above it is not in the tree, or is on its way
    /// between two places.
    fn path_of(&self, place: &Place) -> Option<Vec<u8>> {
        match place {
            Place::Root => Some(Vec::new()),
            Place::In { parent, name } => {
                let above = self.tree.path(self.tree.node(*parent)?)?;
                Some(join(&above, name))
            }
        }
    }

    fn has_parent(&self, place: &Place) -> bool {
        match place {
            Place::Root => false,
            Place::In { parent, .. } => self.tree.node(*parent).is_some(),
        }
    }
}
