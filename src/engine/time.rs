//! Time as the engine sees it: a value that is handed in, never a clock that is read.

use std::ops::Add;

/// Milliseconds on a clock that only goes forward; the zero is the caller's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Time(pub u64);

impl Time {
    /// Milliseconds from `earlier` until `self`; 0 if `earlier` is later.
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<u64> for Time {
    type Output = Time;

    /// `self` and so many milliseconds.
    fn add(self, duration_ms: u64) -> Time {
        Time(self.0.saturating_add(duration_ms))
    }
}
