//! The fail log of a running program: keeps the file equal to what is owed.
//!
//! The event loop asks it after every round; it has the thread of `keep::disk` write when something has
//! changed, but not more often than a disk can bear. When the file cannot be written, the program goes
//! on: everything owed is in memory as well, and is tried again.

use super::record::Creditor;
use super::script::{count_commands, parse, render, Found, Owed};
use super::store::Store;
use crate::engine::time::Time;
use crate::keep::disk::{Disk, Write};
use std::collections::VecDeque;
use std::io;
use std::path::Path;

/// The time between two writes.
const WRITE_MS: u64 = 1_000;
/// And with so many paths or more in the file, which takes a while to write.
const LARGE_PATHS_MIN: usize = 1_000;
const WRITE_LARGE_MS: u64 = 10_000;

/// The fail log.
#[derive(Debug)]
pub struct Ledger {
    /// The file may be used; otherwise what is owed is in memory only.
    is_usable: bool,
    unread: Vec<Vec<u8>>,
    /// The state of the engine's owed paths that the file has.
    written: u64,
    next_write: Time,
    /// What the disk has not written yet, first of all what it has been given first.
    under_way: VecDeque<UnderWay>,
    /// Commands in the file.
    commands: usize,
    /// It has been said that the file cannot be written.
    said: bool,
}

/// A text on its way to the disk.
#[derive(Debug)]
struct UnderWay {
    version: u64,
    commands: usize,
    /// Deletions that found no room in it.
    forgotten: usize,
}

impl Ledger {
    /// Opens the file; gives what writes it, if it may be used, and what each creditor is owed by what an
    /// earlier run left in it.
    pub fn open(path: &Path, creditors: &[Creditor]) -> (Ledger, Option<Store>, Vec<Owed>) {
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
        let (is_usable, commands) = (store.is_some(), count_commands(&text));
        (Ledger { is_usable, unread, commands, ..Ledger::absent() }, store, owed)
    }

    /// One that has no file, for a run that owes nothing to anybody.
    pub fn absent() -> Ledger {
        Ledger {
            is_usable: false,
            unread: Vec::new(),
            written: 0,
            next_write: Time(0),
            under_way: VecDeque::new(),
            commands: 0,
            said: false,
        }
    }

    /// Commands in the file.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// Whether the disk is writing it.
    pub fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// When the file has to be written, if what is owed is in the state `version`; `None` if it has that, or
    /// while it is being written.
    pub fn due(&self, version: u64) -> Option<Time> {
        let due = self.is_usable && !self.is_busy() && version != self.written;
        due.then_some(self.next_write)
    }

    /// Has written what each creditor is owed; [`Ledger::written`] is to be called when the disk has.
    pub fn write(&mut self, disk: &Disk, all: &[(Creditor, &Owed)], version: u64, now: Time) {
        if !self.is_usable {
            return;
        }
        let script = render(all, &self.unread);
        let paths: usize = all.iter().map(|(_, owed)| owed.paths.len()).sum();
        self.next_write = now + if paths < LARGE_PATHS_MIN { WRITE_MS } else { WRITE_LARGE_MS };
        let (commands, forgotten) = (count_commands(&script.text), script.forgotten);
        self.under_way.push_back(UnderWay { version, commands, forgotten });
        disk.write(Write::FailLog(script.text));
    }

    /// The disk has written a text, or has not.
    pub fn written(&mut self, result: io::Result<()>) {
        let Some(UnderWay { version, commands, forgotten }) = self.under_way.pop_front() else {
            return;
        };
        match result {
            Ok(()) => {
                self.written = version;
                self.commands = commands;
                self.said = false;
                if forgotten > 0 {
                    log::warn!("the fail log has no room for {forgotten} deletions");
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
