//! When this process lets go of what it has inherited and what has ended, so that nothing fills the table of
//! processes: an SSH master that outlives its rsync, whatever a plugin leaves behind.
//!
//! The kernel tells of each child that has ended, and of our own as well. So a moment passes before anybody is looked
//! for, and only who is found twice is let go: whoever waits for a child of ours has seen its end by then.

use crate::engine::time::Time;
use crate::sys::zombies;
use nix::unistd::Pid;

/// Before each look.
const LOOK_MS: u64 = 1_000;

/// Who has been found so far.
#[derive(Debug)]
pub struct Reaper {
    found: Vec<Pid>,
    due: Option<Time>,
}

impl Reaper {
    /// None where nothing is inherited. What was before the start is looked for as well.
    pub fn new() -> Option<Reaper> {
        zombies::are_inherited().then(|| Reaper { found: Vec::new(), due: Some(Time(0)) })
    }

    /// The time begins anew.
    pub fn start_over(&mut self) {
        self.due = Some(Time(0));
    }

    /// A child has ended, ours or not.
    pub fn child_ended(&mut self, now: Time) {
        self.due.get_or_insert(now + LOOK_MS);
    }

    /// When [`Reaper::reap`] has something to do.
    pub fn due(&self) -> Option<Time> {
        self.due
    }

    /// Looks, if it is time.
    pub fn reap(&mut self, now: Time) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let (again, new) =
            zombies::inherited().into_iter().partition(|pid| self.found.contains(pid));
        let again: Vec<Pid> = again;
        again.into_iter().for_each(zombies::reap);
        self.found = new;
        self.due = (!self.found.is_empty()).then(|| now + LOOK_MS);
    }
}
