//! When a rename is older than the watch.
//!
//! A listing may be ahead of the events: it hands a directory over while the kernel's queue still holds that the one before
//! it was moved away from there. Taken for the new one, that event would have this one elsewhere, and what happens in it from
//! then on would be told of the wrong place: a name that goes there would be deleted in a directory of another source. Which of
//! the two has left cannot be known before everything is read that was in the queue when the watch was set.

use super::super::event::Wd;
use crate::sorted::SortedSet;

/// So many are remembered one by one. Beyond that, all are taken for fresh.
const FRESH_MAX: usize = 10_000;

/// The directories that have been handed over since the queue was read to its end.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    wds: SortedSet<Wd>,
    all: bool,
}

impl Fresh {
    /// A directory has been handed over.
    pub(super) fn insert(&mut self, wd: Wd) {
        self.all |= self.wds.len() >= FRESH_MAX;
        if !self.all {
            self.wds.insert(wd);
        }
    }

    /// Whether an event that is read now may be older than its watch.
    pub(super) fn contains(&self, wd: Wd) -> bool {
        self.all || self.wds.contains(&wd)
    }

    /// The queue has been read to its end.
    pub(super) fn clear(&mut self) {
        *self = Fresh::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_all_are_fresh_until_the_queue_has_been_read() {
        let mut fresh = Fresh::default();
        fresh.insert(Wd(1));
        assert!(fresh.contains(Wd(1)) && !fresh.contains(Wd(0)));
        (2..FRESH_MAX as i32 + 2).for_each(|wd| fresh.insert(Wd(wd)));
        assert!(fresh.contains(Wd(0)));
        fresh.clear();
        assert!(!fresh.contains(Wd(1)));
    }
}
