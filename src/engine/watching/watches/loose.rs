//! Rules 3 and 4: watches without a directory in the tree.
//!
//! Either their directory is not in the tree yet, and what they tell is held for it; or it is not any longer, and they
//! have been taken back.

use super::super::event::{RawEvent, Wd};
use super::super::numbers::NumberMap;
use super::super::tree::Tree;

/// Events held for directories that are not handed over yet; about 10 MB. More, and the root is read
/// again as after an overflow of the kernel's own queue.
const HELD_EVENTS_MAX: usize = 65_536;

/// The watches that belong to no directory of the tree.
#[derive(Debug, Default)]
pub(super) struct Loose {
    held: NumberMap<Wd, Vec<RawEvent>>,
    held_count: usize,
    /// Those that are dead, and whether the kernel has confirmed it.
    dead: NumberMap<Wd, bool>,
    /// Those of the tree as it was before it was started over.
    earlier: Vec<Wd>,
}

impl Loose {
    /// Rule 3: holds an event until its directory is handed over; `false` if no more can be held.
    pub(super) fn hold(&mut self, event: &RawEvent) -> bool {
        if self.held_count >= HELD_EVENTS_MAX {
            return false;
        }
        self.held.entry(event.wd).or_default().push(event.clone());
        self.held_count += 1;
        true
    }

    /// Rule 3: the events that were held for a directory, which is in the tree now, or will never be.
    pub(super) fn release(&mut self, wd: Wd) -> Vec<RawEvent> {
        let events = self.held.remove(&wd).unwrap_or_default();
        self.held_count -= events.len();
        events
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
