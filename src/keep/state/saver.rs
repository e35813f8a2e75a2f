//! When the state of a running program is saved, and what is said if it cannot be.
//!
//! The loop asks after every round whether a save is due, and hands a state to the thread of `keep::disk`. When the file
//! cannot be written, that is said once, and everything goes on.

use super::State;
use crate::engine::time::Time;
use crate::keep::disk::{Disk, Write};
use crate::sys::own_file;

/// The least time between the starts of two saves.
const SAVE_MS: u64 = 1_000;
/// A disk that is busy gets at least this many times as long to itself as a save takes.
const PAUSES: u64 = 10;

/// The saves.
#[derive(Debug, Default)]
pub struct Saver {
    /// The version that was handed over last.
    version: Option<u64>,
    started: Time,
    /// Saves that have not ended.
    under_way: usize,
    next: Time,
    said: bool,
}

impl Saver {
    /// When a state of this version is to be saved; `None` if it has been, or while a save is under
    /// way.
    pub fn due(&self, version: u64) -> Option<Time> {
        (!self.is_busy() && self.version != Some(version)).then_some(self.next)
    }

    /// Whether a save is under way.
    pub fn is_busy(&self) -> bool {
        self.under_way > 0
    }

    /// Saves a state; [`Saver::saved`] is to be called when the disk has.
    pub fn save(&mut self, disk: &Disk, state: State, version: u64, now: Time) {
        self.version = Some(version);
        self.started = now;
        self.under_way += 1;
        disk.write(Write::State(state));
    }

    /// A save has ended.
    pub fn saved(&mut self, result: Result<(), own_file::Error>, now: Time) {
        self.under_way -= 1;
        let took_ms = now.since(self.started);
        self.next = (now + took_ms.saturating_mul(PAUSES)).max(self.started + SAVE_MS);
        match result {
            Err(error) => {
                self.version = None;
                if !std::mem::replace(&mut self.said, true) {
                    log::error!(
                        "the state cannot be saved: {error}; tried again (without it, only -r makes \
                         sure after a crash that the remotes have everything)"
                    );
                }
            }
            Ok(()) if std::mem::take(&mut self.said) => {
                log::info!("the state is saved again");
            }
            Ok(()) => {}
        }
    }
}
