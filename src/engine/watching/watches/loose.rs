//! Rules 3 and 4: watches without a directory in the tree.
//!
//! Either their directory is not in the tree yet, and what they tell is held for it; or it is not any longer, and they
//! have been taken back.

use super::super::event::{mask, RawEvent, Wd};
use super::super::numbers::NumberMap;
use super::super::tree::Tree;

/// Events held for directories that are not handed over yet; about 10 MB. With more, only what was seen to go is
/// remembered of each directory, which is then read once more.
const HELD_MAX: usize = if cfg!(test) { 8 } else { NAMES_MAX };
/// Names that were seen to go, at most. With more, they are forgotten.
pub(super) const NAMES_MAX: usize = 65_536;

/// The watches that belong to no directory of the tree.
#[derive(Debug, Default)]
pub(super) struct Loose {
    held: NumberMap<Wd, Held>,
    held_count: usize,
    /// How many may be held until they are thinned out again: twice of what was left the last time.
    held_max: usize,
    /// Those that are dead, and whether the kernel has confirmed it.
    dead: NumberMap<Wd, bool>,
    /// Those of the tree as it was before it was started over.
    earlier: Vec<Wd>,
}

/// What is held for a directory until it is handed over.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What happened in it, in order; or, thinned out, one event for each name that was seen to go.
    pub(super) events: Vec<RawEvent>,
    /// What else happened in it is not known: it has to be read once more.
    pub(super) is_thinned: bool,
}

impl Held {
    fn thin_out(&mut self) {
        self.is_thinned = true;
        self.events.retain(tells_of_going);
        self.events.sort_by(|one, other| one.name.cmp(&other.name));
        self.events.dedup_by(|later, kept| {
            let is_same = later.name == kept.name;
            if is_same {
                // If it was a directory once, a directory may be deleted over there.
                kept.mask |= later.mask;
            }
            is_same
        });
    }
}

fn tells_of_going(event: &RawEvent) -> bool {
    event.has(mask::DELETE | mask::MOVED_FROM)
}

impl Loose {
    /// Rule 3: holds an event until its directory is handed over; `false` if too much had to be forgotten.
    pub(super) fn hold(&mut self, event: &RawEvent) -> bool {
        let knows_all = self.held_count < self.held_max.max(HELD_MAX) || self.thin_out();
        let held = self.held.entry(event.wd).or_default();
        if !held.is_thinned || tells_of_going(event) {
            held.events.push(event.clone());
            self.held_count += 1;
        }
        knows_all
    }

    /// Of all that is held, only the names that were seen to go are kept; not even those, and `false`, if they are too many.
    fn thin_out(&mut self) -> bool {
        self.held.values_mut().for_each(Held::thin_out);
        self.held_count = self.held.values().map(|held| held.events.len()).sum();
        let knows_all = self.held_count < NAMES_MAX;
        if !knows_all {
            self.held.values_mut().for_each(|held| held.events.clear());
            self.held_count = 0;
        }
        self.held_max = 2 * self.held_count;
        knows_all
    }

    /// Rule 3: what was held for a directory, which is in the tree now, or will never be.
    pub(super) fn release(&mut self, wd: Wd) -> Held {
        let held = self.held.remove(&wd).unwrap_or_default();
        self.held_count -= held.events.len();
        held
    }

    /// Rule 3: those for which events are held.
    pub(super) fn holding(&self) -> Vec<Wd> {
        self.held.keys().copied().collect()
    }

    /// Rule 4: whether a watch was taken back, or was ended by the kernel.
    pub(super) fn is_dead(&self, wd: Wd) -> bool {
        self.dead.contains_key(&wd)
    }

    /// Rule 4: a watch is dead from now on. Whether the kernel has to be told.
    pub(super) fn take_back(&mut self, wd: Wd) -> bool {
        self.release(wd);
        let is_new = !self.is_dead(wd);
        self.dead.entry(wd).or_insert(false);
        is_new
    }

    /// Rule 4: the kernel has ended a watch.
    pub(super) fn ended(&mut self, wd: Wd) {
        self.release(wd);
        self.dead.insert(wd, true);
    }

    /// The kernel tells no more of what it has confirmed, and no listing is to come that could.
    pub(super) fn forget_confirmed(&mut self) {
        self.dead.retain(|_, confirmed| !*confirmed);
    }

    /// The tree is started over. What it has now may turn up again.
    pub(super) fn start_over(&mut self, tree: &Tree) {
        self.held.clear();
        self.held_count = 0;
        self.earlier.retain(|wd| tree.node(*wd).is_none());
        self.earlier.extend(tree.wds());
    }

    /// What the tree had before it was started over. What it does not have now has left it.
    pub(super) fn take_earlier(&mut self) -> Vec<Wd> {
        std::mem::take(&mut self.earlier)
    }
}
