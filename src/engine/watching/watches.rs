//! Which directory is where: keeps the tree of one root true to the file system.
//!
//! Two sources tell about directories, and they are not at the same point in time. *Events* come in
//! the order in which things happened, but late. *Listings* of the walk are new, but they come at
//! any time, and what they say may be ahead of the events or, once the events have been read, behind
//! them. Reconciling them rests on four rules:
//!
//! 1. A listing says "the entry `name` of the directory watched as `parent` has descriptor `wd`". It
//!    counts only if the tree still has `parent` where the walk went, and no event has told of that
//!    place, or of one above, since the scan was ordered; otherwise the place is scanned again.
//! 2. A listing that contradicts the tree wins, and the places it contradicts are scanned again. The
//!    last scan of a place comes after everything that happened there, so this settles as soon as
//!    nothing moves.
//! 3. Events for an unknown descriptor are held while a scan is under way, and replayed when its
//!    directory is handed over. When nothing is under way, an unknown descriptor is a stray (its
//!    directory has left the tree) and is not watched any longer.
//! 4. A descriptor that was taken back is dead; a listing made before that is not believed.
//!
//! This knows directories only; which of the things that happen are changes is for `root` to say.

mod reconcile;

use super::event::{RawEvent, Wd};
use super::numbers::{NumberMap, NumberSet};
use super::scan::{Listing, Origin, Place, Reached, Scan, ScanId};
use super::tree::{NodeId, Tree};
use super::unwatched::Unwatched;
use crate::engine::rel_path::{join, lies_in};
use crate::engine::time::Time;
use crate::sorted::SortedMap;
use std::collections::{HashMap, VecDeque};

/// The halves of a rename follow each other in the kernel's queue; one whose other half has not come
/// after this left the root.
const PAIR_MS: u64 = 100;
/// A contradicted place is scanned again after this, so that the events about it can come first.
const AGAIN_MS: u64 = 10;
/// Each further contradiction about one directory doubles that, so often at most (to 2.6 s): in a
/// tree that many move about in, the events get time to catch up.
const AGAIN_DOUBLINGS_MAX: u32 = 8;
/// So often in a row may one directory be found somewhere else. More than that is no race but one
/// directory in two places (a bind mount); it then stays where it was found last.
const CONTRADICTIONS_MAX: u32 = 64;
/// After a contradiction, renames are not taken at their word for so long: their target is scanned
/// with watches. A swap of two directories (RENAME_EXCHANGE) is one: its four events cannot be told
/// from two ordinary renames.
const DOUBT_MS: u64 = 1_000;
/// Places of the latest arrivals that are remembered, to recognise such a swap.
const LANDINGS_MAX: usize = 64;
/// Events held for directories that are not handed over yet; about 10 MB. More, and the root is read
/// again as after an overflow of the kernel's own queue.
const HELD_EVENTS_MAX: usize = 65_536;

/// What is to be done in the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
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
    /// Nobody's yet: it is held, or nobody's any more: it is dropped.
    Nobody,
    /// More had to be held than fits: events are lost.
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
    held: NumberMap<Wd, Vec<RawEvent>>,
    held_count: usize,
    /// Descriptors that were taken back, and whether the kernel has confirmed it.
    dead: NumberMap<Wd, bool>,
    again: SortedMap<Place, (Time, Origin)>,
    contradictions: NumberMap<Wd, u32>,
    doubt_until: Time,
    /// Where directories have been moved to lately.
    landings: VecDeque<Place>,
    /// The scans under way, and the path of each.
    scans: NumberMap<ScanId, Vec<u8>>,
    /// The latest scan of each place; may have ended.
    scanned: HashMap<Place, ScanId>,
    /// Places to which something happened while scans were under way, and the latest scan that had
    /// been ordered by then: what that one, or an earlier one, says of the place is out of date.
    touched: HashMap<Place, ScanId>,
    /// Directories that were taken out of the tree while scans were under way, and the latest scan
    /// that had been ordered by then. Their events counted for the place where they were.
    forgotten: NumberMap<Wd, ScanId>,
    last_scan: ScanId,
    /// The scan of the whole root that must end before the tree is complete.
    root_scan: Option<ScanId>,
    /// Scans before this one were ordered before an overflow; what they say is void.
    valid_from: ScanId,
    /// Before an overflow: what was watched then and has not been found again.
    before_overflow: NumberSet<Wd>,
    unwatched: Unwatched,
    /// Scans under way that try once more to watch what is not watched.
    retries: NumberSet<ScanId>,
    orders: VecDeque<Order>,
}

impl Watches {
    /// Starts, or starts over: the tree is empty until the scan of the root has been handed over.
    pub fn start(&mut self, origin: Origin) {
        self.unwatched = Unwatched::default();
        self.retries.clear();
        self.before_overflow.extend(self.tree.wds());
        for departed in std::mem::take(&mut self.departed) {
            self.tree.remove(departed.node);
        }
        self.tree.remove(NodeId::ROOT);
        self.held.clear();
        self.held_count = 0;
        self.again.clear();
        let scan = self.order_scan(Place::Root, Vec::new(), true, origin);
        self.root_scan = Some(scan);
        self.valid_from = scan;
    }

    /// Whether the scan of the root is over: everything is watched.
    pub fn is_complete(&self) -> bool {
        self.root_scan.is_none()
    }

    /// Whether everything that has happened so far is known, as soon as the kernel's queue has been
    /// read: nothing is being scanned, and nothing is left unwatched.
    pub fn sees_everything(&self) -> bool {
        self.is_settled() && self.unwatched.is_empty()
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
        self.is_settled() && self.unwatched.remembers_none()
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

    /// Whether `name` in `parent` should be a known directory by now, and is not.
    pub fn lacks(&self, parent: NodeId, name: &[u8]) -> bool {
        self.sees_everything() && self.tree.child(parent, name).is_none()
    }

    /// The next thing to be done in the system.
    pub fn take_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`Watches::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        let departed = self.departed.iter().map(|departed| departed.until);
        let again = self.again.values().map(|(due, _)| *due);
        departed.chain(again).chain(self.unwatched.next_poll()).min()
    }

    /// Whose event this is; holds it if its directory may yet be handed over.
    pub fn whose(&mut self, event: &RawEvent) -> Whose {
        if let Some(node) = self.tree.node(event.wd) {
            return Whose::Node(node);
        }
        if self.dead.contains_key(&event.wd) {
            return Whose::Nobody;
        }
        if self.is_settled() {
            self.take_back(event.wd);
            return Whose::Nobody;
        }
        if self.held_count >= HELD_EVENTS_MAX {
            return Whose::TooMany;
        }
        self.held.entry(event.wd).or_default().push(event.clone());
        self.held_count += 1;
        Whose::Nobody
    }

    /// A directory was created.
    pub fn created(&mut self, parent: NodeId, name: &[u8], now: Time) {
        self.touch(parent, name);
        // A known one has been handed over already, by a scan that was ahead of this event: before
        // a directory can be created, whatever had that name has been deleted or moved away.
        if self.tree.child(parent, name).is_none() {
            self.scan(parent, name, true, Origin::Created(now), now);
        }
    }

    /// The mode or the owner of a directory has changed. One that could not be watched for lack of a
    /// right may be now; whatever is in it then is new to us.
    pub fn opened(&mut self, parent: NodeId, name: &[u8], now: Time) {
        let known = self.root_scan.is_some() || self.tree.child(parent, name).is_some();
        let Some(above) = self.tree.path(parent).filter(|_| !known) else { return };
        // A new directory is not in the tree yet either: its own scan finds it as it is.
        let path = join(&above, name);
        if !self.unseen().any(|scanned| lies_in(&path, &scanned)) {
            self.scan(parent, name, true, Origin::Moved, now);
        }
    }

    /// A directory was deleted.
    pub fn deleted(&mut self, parent: NodeId, name: &[u8]) {
        self.touch(parent, name);
        if let Some(node) = self.tree.child(parent, name) {
            self.forget(node);
        }
    }

    /// A directory was moved away; to where, the event with the same cookie may tell.
    pub fn moved_from(&mut self, parent: NodeId, name: &[u8], cookie: u32, now: Time) {
        self.touch(parent, name);
        let Some(node) = self.tree.child(parent, name) else { return };
        // What leaves just after something was moved there may be the other half of a swap, and then
        // the name is still taken.
        if let Some(place) = self.place_of(node).filter(|place| self.landings.contains(place)) {
            self.doubt_until = now + DOUBT_MS;
            self.scan_again(place, Origin::Moved, now);
        }
        self.tree.detach(node);
        self.departed.push(Departed { cookie, node, until: now + PAIR_MS });
    }

    /// A directory was moved here. It keeps its watches, and those below it, if `keep` and it came
    /// from within the tree; otherwise it is watched and read like a new one.
    pub fn moved_to(&mut self, parent: NodeId, name: &[u8], cookie: u32, keep: bool, now: Time) {
        self.touch(parent, name);
        if let Some(parent) = self.tree.wd(parent) {
            self.landings.truncate(LANDINGS_MAX - 1);
            self.landings.push_front(Place::In { parent, name: name.into() });
        }
        let departed = self.departed.iter().position(|departed| departed.cookie == cookie);
        let node = departed.map(|at| self.departed.swap_remove(at).node);
        match node {
            Some(node) if keep && !self.tree.is_within(parent, node) => {
                if let Some(other) = self.tree.child(parent, name) {
                    self.forget(other);
                    self.doubt_until = now + DOUBT_MS;
                }
                self.tree.attach(node, parent, name);
                self.scan(parent, name, now < self.doubt_until, Origin::Moved, now);
            }
            Some(node) => {
                self.unwatch(node);
                self.scan(parent, name, true, Origin::Moved, now);
            }
            None => self.scan(parent, name, true, Origin::Moved, now),
        }
    }

    /// The kernel has ended a watch. Says whether it was the root's own.
    pub fn ignored(&mut self, wd: Wd, now: Time) -> bool {
        self.before_overflow.remove(&wd);
        if let Some(events) = self.held.remove(&wd) {
            self.held_count -= events.len();
        }
        self.dead.insert(wd, true);
        let Some(node) = self.tree.node(wd) else {
            self.tidy();
            return false;
        };
        if node == NodeId::ROOT {
            return true;
        }
        // Its deletion should have come first. Better to look again than to guess.
        let place = self.place_of(node);
        self.forget(node);
        if let Some(place) = place {
            self.scan_again(place, Origin::Created(Time(0)), now);
        }
        false
    }

    /// A directory was read. `None` if the listing cannot be trusted (then its place is scanned
    /// again); otherwise the events that were held for it, to be handled now.
    pub fn listed(&mut self, listing: &Listing, now: Time) -> Option<Vec<RawEvent>> {
        if listing.scan < self.valid_from {
            return None;
        }
        match &listing.reached {
            Reached::Watched { place, wd } => {
                if !self.put(place, *wd, listing, now) {
                    return None;
                }
                self.before_overflow.remove(wd);
                let held = self.held.remove(wd).unwrap_or_default();
                self.held_count -= held.len();
                Some(held)
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
        }
    }

    /// The paths of the scans that are under way or about to be, but for the whole root: what lies
    /// below them may change unseen.
    pub fn unseen(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let again = self.again.keys().filter_map(|place| match place {
            Place::Root => None,
            Place::In { parent, name } => {
                let above = self.tree.path(self.tree.node(*parent)?)?;
                Some(join(&above, name))
            }
        });
        self.scans.values().filter(|path| !path.is_empty()).cloned().chain(again)
    }

    /// Whether this scan tries once more to watch what is not watched; to be asked before its end.
    pub fn is_retry(&self, id: ScanId) -> bool {
        self.retries.contains(&id)
    }

    /// A scan has ended; gives its path.
    pub fn scan_ended(&mut self, id: ScanId) -> Option<Vec<u8>> {
        self.retries.remove(&id);
        let path = self.scans.remove(&id);
        if self.root_scan == Some(id) {
            self.root_scan = None;
            for wd in std::mem::take(&mut self.before_overflow) {
                self.take_back(wd);
            }
        }
        self.tidy();
        path
    }

    /// Time has passed: directories that did not arrive anywhere have left, and contradicted places
    /// are scanned again.
    pub fn expire(&mut self, now: Time) {
        while let Some(at) = self.departed.iter().position(|departed| departed.until <= now) {
            let node = self.departed.swap_remove(at).node;
            self.unwatch(node);
        }
        let due: Vec<_> = self.again.iter().filter(|(_, (due, _))| *due <= now).collect();
        let due: Vec<_> =
            due.into_iter().map(|(place, (_, origin))| (place.clone(), *origin)).collect();
        for (place, origin) in due {
            self.again.remove(&place);
            match &place {
                Place::Root => {
                    self.order_scan(Place::Root, Vec::new(), true, origin);
                }
                Place::In { parent, name } => {
                    if let Some(parent) = self.tree.node(*parent) {
                        self.scan(parent, name, true, origin, now);
                    }
                }
            }
        }
        for place in self.unwatched.take(now) {
            let path = match &place {
                Place::Root => Some(Vec::new()),
                // Where it has gone since, its own events have told.
                Place::In { parent, name } => self
                    .tree
                    .node(*parent)
                    .and_then(|parent| Some(join(&self.tree.path(parent)?, name))),
            };
            if let Some(path) = path {
                let scan = self.order_scan(place, path, true, Origin::Moved);
                self.retries.insert(scan);
            }
        }
        self.tidy();
    }

    fn scan_again(&mut self, place: Place, origin: Origin, now: Time) {
        self.scan_after(AGAIN_MS, place, origin, now);
    }

    fn scan_after(&mut self, pause_ms: u64, place: Place, origin: Origin, now: Time) {
        let origin = match origin {
            // A start that is contradicted is a change: something happened meanwhile. And when what
            // is there now was created, nobody knows.
            Origin::Start | Origin::Since(_) | Origin::Created(_) => Origin::Created(Time(0)),
            Origin::Moved => Origin::Moved,
        };
        self.again.get_or_insert(place, (now + pause_ms, origin));
    }

    fn scan(&mut self, parent: NodeId, name: &[u8], watch: bool, origin: Origin, now: Time) {
        let Some(above) = self.tree.path(parent) else {
            // On its way between two places: what has no path now is read when it has arrived.
            if let Some(parent) = self.tree.wd(parent) {
                self.scan_again(Place::In { parent, name: name.into() }, origin, now);
            }
            return;
        };
        let Some(parent) = self.tree.wd(parent) else { return };
        let place = Place::In { parent, name: name.into() };
        self.order_scan(place, join(&above, name), watch, origin);
    }

    fn order_scan(&mut self, place: Place, path: Vec<u8>, watch: bool, origin: Origin) -> ScanId {
        self.last_scan.0 += 1;
        let id = self.last_scan;
        self.scans.insert(id, path.clone());
        self.scanned.insert(place.clone(), id);
        self.orders.push_back(Order::Scan(Scan { id, place, path, watch, origin }));
        id
    }

    fn place_of(&self, node: NodeId) -> Option<Place> {
        let (parent, name) = self.tree.place(node)?;
        Some(Place::In { parent: self.tree.wd(parent)?, name: name.into() })
    }

    /// Takes a directory out of the tree without taking its watches back: it may turn up elsewhere.
    fn forget(&mut self, node: NodeId) -> Vec<Wd> {
        self.departed.retain(|departed| departed.node != node);
        let wds = self.tree.remove(node);
        if !self.scans.is_empty() {
            self.forgotten.extend(wds.iter().map(|wd| (*wd, self.last_scan)));
        }
        wds
    }

    /// Takes a directory that has left out of the tree, with its watches.
    fn unwatch(&mut self, node: NodeId) {
        for wd in self.forget(node) {
            self.take_back(wd);
        }
    }

    fn take_back(&mut self, wd: Wd) {
        if let Some(events) = self.held.remove(&wd) {
            self.held_count -= events.len();
        }
        if self.dead.insert(wd, false).is_none() {
            self.orders.push_back(Order::RemoveWatch(wd));
        }
    }

    /// Whether no listing is to come: then every descriptor that matters is in the tree.
    fn is_settled(&self) -> bool {
        self.scans.is_empty() && self.again.is_empty()
    }

    fn tidy(&mut self) {
        if !self.is_settled() {
            return;
        }
        let strays: Vec<_> = self.held.keys().copied().collect();
        for wd in strays {
            self.take_back(wd);
        }
        self.dead.retain(|_, confirmed| !*confirmed);
        self.contradictions.clear();
        self.scanned.clear();
        self.touched.clear();
        self.forgotten.clear();
    }
}
