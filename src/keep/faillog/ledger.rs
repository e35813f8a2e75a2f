//! The fail log of a running program: keeps the file equal to what is owed.
//!
//! The event loop asks it after every round; it writes when something has changed, but not more
//! often than a disk can bear. When the file cannot be written, the program goes on: everything
//! owed is in memory as well, and the next round tries again.

use super::record::Creditor;
use super::script::{count_commands, parse, render, Found, Owed};
use super::store::Store;
use crate::engine::time::Time;
use std::path::Path;

/// The time between two writes.
const WRITE_MS: u64 = 1_000;
/// And with so many paths or more in the file, which takes a while to write.
const LARGE_PATHS_MIN: usize = 1_000;
const WRITE_LARGE_MS: u64 = 10_000;

/// The fail log.
#[derive(Debug)]
pub struct Ledger {
    /// `None` where the file may not be used: then what is owed is in memory only.
    store: Option<Store>,
    unread: Vec<Vec<u8>>,
    /// The state of the engine's owed paths that the file has.
    written: u64,
    next_write: Time,
    /// Commands in the file.
    commands: usize,
    /// It has been said that the file cannot be written.
    said: bool,
}

impl Ledger {
    /// Opens the file; gives what each creditor is owed by what an earlier run left in it.
    pub fn open(path: &Path, creditors: &[Creditor]) -> (Ledger, Vec<Owed>) {
        let (store, text) = match Store::open(path) {
            Ok((store, text)) => (Some(store), text),
            Err(refused) => {
                log::error!("{refused}; until then what fails is kept in memory only");
                (None, Vec::new())
            }
        };
        let Found { owed, unread } = parse(&text, creditors);
        if !unread.is_empty() {
            log::warn!(
                "{}: {} of its records are none of this configuration's; they stay in it as comments",
                path.display(),
                unread.len()
            );
        }
        let (commands, next_write) = (count_commands(&text), Time(0));
        let ledger = Ledger { store, unread, written: 0, next_write, commands, said: false };
        (ledger, owed)
    }

    /// One that has no file, for a run that owes nothing to anybody.
    pub fn absent() -> Ledger {
        let (unread, next_write) = (Vec::new(), Time(0));
        Ledger { store: None, unread, written: 0, next_write, commands: 0, said: false }
    }

    /// Commands in the file.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// When the file has to be written, if what is owed is in the state `version`.
    pub fn due(&self, version: u64) -> Option<Time> {
        (self.store.is_some() && version != self.written).then_some(self.next_write)
    }

    /// Writes what each creditor is owed.
    pub fn write(&mut self, all: &[(Creditor, &Owed)], version: u64, now: Time) {
        let Some(store) = &mut self.store else { return };
        let script = render(all, &self.unread);
        let paths: usize = all.iter().map(|(_, owed)| owed.paths.len()).sum();
        self.next_write = now + if paths < LARGE_PATHS_MIN { WRITE_MS } else { WRITE_LARGE_MS };
        match store.replace(&script.text) {
            Ok(()) => {
                self.written = version;
                self.commands = count_commands(&script.text);
                self.said = false;
                if script.forgotten > 0 {
                    log::warn!("the fail log has no room for {} deletions", script.forgotten);
                }
            }
            Err(error) if !self.said => {
                self.said = true;
                log::error!(
                    "the fail log cannot be written: {error}; tried again, nothing is lost"
                );
            }
            Err(_) => {}
        }
    }
}
