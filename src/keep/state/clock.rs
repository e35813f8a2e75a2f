//! Whether a state can be believed about times: the clock may have been put back since it was written.
//!
//! Then files have changed since whose times lie before the one up to which a remote is known to have everything, and no
//! look at times would find them. A state says when it was written on the clock that people set, on the one that counts from
//! the start of the machine, and in which run of the machine that was.

use super::State;
use crate::sys::clock;
use std::fs;

/// A clock that is slewed or has a leap second is right enough.
const SLACK_NS: u64 = 2_000_000_000;
/// Another one at each start of the machine (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A moment on both clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// On the clock that stamps files: nanoseconds since 1970.
    pub real_ns: u64,
    /// Nanoseconds since the start of the machine, sleep included.
    pub boot_ns: u64,
    /// In which run of the machine.
    pub boot_id: String,
}

/// What has become of the clock since a state was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// It went on, as far as can be told.
    Right,
    /// It was put back by so many nanoseconds.
    PutBack(u64),
    /// It was put back, and nobody knows by how much.
    Unknown,
}

impl Moment {
    /// Now; `None` on a kernel that does not count so (before 2.6.39), or without /proc.
    pub fn now() -> Option<Moment> {
        let boot_id = fs::read_to_string(BOOT_ID).ok()?;
        let boot_ns = clock::since_boot_ns()?;
        Some(Moment { real_ns: clock::file_stamp_ns(), boot_ns, boot_id: boot_id.trim().into() })
    }

    /// What has become of the clock between this moment and a later one.
    fn clock_until(&self, now: &Moment) -> Clock {
        let put_back_ns = if self.boot_id == now.boot_id {
            let passed_ns = now.boot_ns.saturating_sub(self.boot_ns);
            (self.real_ns + passed_ns).saturating_sub(now.real_ns)
        } else {
            // It was written before the machine was started.
            let started_ns = now.real_ns.saturating_sub(now.boot_ns);
            self.real_ns.saturating_sub(started_ns)
        };
        match put_back_ns {
            0..=SLACK_NS => Clock::Right,
            ns if self.boot_id == now.boot_id => Clock::PutBack(ns),
            // Nobody knows how long the machine was off.
            _ => Clock::Unknown,
        }
    }
}

impl State {
    /// Makes the times in it mean what they say on the clock of now.
    pub fn set_right(&mut self, now: Option<&Moment>) -> Clock {
        let (Some(written), Some(now)) = (&self.written, now) else { return Clock::Right };
        let clock = written.clock_until(now);
        for kept in &mut self.remotes {
            let Some(complete_ns) = &mut kept.complete_ns else { continue };
            // What was complete after the state was written was so by a clock that has been put back meanwhile.
            let is_known = *complete_ns <= written.real_ns.saturating_add(SLACK_NS);
            *complete_ns = match clock {
                Clock::Right if is_known => continue,
                Clock::PutBack(ns) if is_known => complete_ns.saturating_sub(ns),
                // Later than any time that a clock shows.
                Clock::Right | Clock::PutBack(_) | Clock::Unknown => u64::MAX,
            };
        }
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kept;
    use super::*;

    const S: u64 = 1_000_000_000;

    /// In seconds, and the number of the machine's run.
    fn moment(real: u64, boot: u64, run: u64) -> Moment {
        Moment { real_ns: real * S, boot_ns: boot * S, boot_id: run.to_string() }
    }

    #[test]
    fn what_has_become_of_the_clock() {
        let written = moment(1_000, 500, 1);
        for (now, complete, clock, expected) in [
            // Stopped for a while; put forward; slewed.
            (moment(1_100, 600, 1), 990, Clock::Right, 990 * S),
            (moment(5_000, 600, 1), 990, Clock::Right, 990 * S),
            (moment(1_098, 600, 1), 990, Clock::Right, 990 * S),
            // Three minutes ahead, and put right.
            (moment(920, 600, 1), 990, Clock::PutBack(180 * S), 810 * S),
            (moment(1_020, 700, 1), 990, Clock::PutBack(180 * S), 810 * S),
            // Written by the earlier clock, after which it was put back.
            (moment(1_100, 600, 1), 1_180, Clock::Right, u64::MAX),
            (moment(920, 600, 1), 1_180, Clock::PutBack(180 * S), u64::MAX),
            // The machine was started again.
            (moment(1_100, 50, 2), 990, Clock::Right, 990 * S),
            (moment(1_040, 50, 2), 990, Clock::Unknown, u64::MAX),
            (moment(900, 50, 2), 990, Clock::Unknown, u64::MAX),
        ] {
            let kept = Kept { complete_ns: Some(complete * S), ..Kept::default() };
            let mut state = State { written: Some(written.clone()), remotes: vec![kept] };
            assert_eq!(state.set_right(Some(&now)), clock, "{now:?} {complete}");
            assert_eq!(state.remotes[0].complete_ns, Some(expected), "{now:?} {complete}");
        }
    }

    #[test]
    fn this_machine_tells_the_time() {
        let (before, after) = (Moment::now().unwrap(), Moment::now().unwrap());
        assert_eq!(before.clock_until(&after), Clock::Right);
    }
}
