//! When a rename may not be taken at its word.
//!
//! Two directories can change places in one call (RENAME_EXCHANGE). Its four events cannot be told from two ordinary
//! renames, of which the first would have replaced what the second moves. So after anything that looks like a swap,
//! and after each contradiction (rule 2), renamed directories are scanned with watches for a while, as if they were
//! new: the scan finds out which directory is where.

use super::super::scan::Place;
use crate::engine::time::Time;
use std::collections::VecDeque;

/// That while.
const WARY_MS: u64 = 1_000;
/// Places of the latest arrivals that are remembered.
const LANDINGS_MAX: usize = 64;

/// Where directories have been moved to lately, and whether that may have been swaps.
#[derive(Debug, Default)]
pub(super) struct Swaps {
    wary_until: Time,
    landings: VecDeque<Place>,
}

impl Swaps {
    /// A directory was moved to a place.
    pub(super) fn note_landing(&mut self, place: Place) {
        self.landings.truncate(LANDINGS_MAX - 1);
        self.landings.push_front(place);
    }

    /// Whether a directory that leaves this place may be the other half of a swap. Then the name that
    /// it leaves is still taken.
    pub(super) fn may_end_at(&self, place: &Place) -> bool {
        self.landings.contains(place)
    }

    /// Renames are not taken at their word for a while.
    pub(super) fn be_wary(&mut self, now: Time) {
        self.wary_until = now + WARY_MS;
    }

    /// Whether that is so now.
    pub(super) fn is_wary(&self, now: Time) -> bool {
        now < self.wary_until
    }
}
