//! Maps whose keys are numbers that the kernel or this program has given out, or hashes with a key.
//!
//! std's hash withstands names that somebody has chosen so that they collide. Nobody chooses these numbers, and each
//! event looks up several of them: with std's hash, a burst of events costs 4 to 7% more time. This hash also has no
//! seed, so that what is taken out of such a map comes in the same order each time, and a seed of the engine's model
//! always repeats the same life.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// By a number.
pub type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// 2^64 divided by the golden ratio, odd: neighbours land far from each other.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a number over 64 bits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    /// No key here is anything but a number; this is for the rest of the trait.
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    #[inline(always)]
    fn write_u64(&mut self, number: u64) {
        let product = (self.0 ^ number).wrapping_mul(GOLDEN);
        // The table takes its place from the low bits and a mark from the high ones; only the high
        // ones of a product depend on all of the number.
        self.0 = product ^ (product >> 32);
    }

    #[inline(always)]
    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    #[inline(always)]
    fn write_i32(&mut self, number: i32) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;
    use std::collections::HashSet;
    use std::hash::Hasher;

    fn spread(number: u64) -> u64 {
        let mut hasher = Spread::default();
        hasher.write_u64(number);
        hasher.finish()
    }

    /// Numbers in a row, and those that differ only in high bits, as 16 low bits and as 7 high ones.
    #[test]
    fn numbers_that_are_alike_land_apart() {
        for step in [1, 8, 1 << 12, 1 << 32] {
            let numbers = || (1..=4096).map(|number| spread(number * step));
            let low: HashSet<_> = numbers().map(|hash| hash & 0xffff).collect();
            let high: HashSet<_> = numbers().map(|hash| hash >> 57).collect();
            assert!(low.len() > 3_000, "{step}: {}", low.len());
            assert_eq!(high.len(), 128, "{step}");
        }
    }
}
