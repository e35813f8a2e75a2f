//! The fail log of a running program: keeps the file equal to what is owed.
//!
//! The event loop asks it after every round; it has the thread of `keep::disk` write when something has
//! changed, but not more often than a disk can bear. When the file cannot be written, the program goes
//! on: everything owed is in memory as well, and is tried again.

use super::place::{Left, Place, Places};
use super::record::Creditor;
use super::script::{count_commands, parse, render, Found, Owed};
use crate::engine::time::Time;
use crate::keep::disk::{Disk, Write};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

/// The time between two writes.
const WRITE_MS: u64 = 1_000;
/// And with so many paths or more in the file, which takes a while to write.
const LARGE_PATHS_MIN: usize = 1_000;
const WRITE_LARGE_MS: u64 = 10_000;

/// The fail log.
#[derive(Debug)]
pub struct Ledger {
    /// The file that is used or, if none may be, that should be.
    path: PathBuf,
    /// The file may be used; otherwise what is owed is in memory only.
    is_usable: bool,
    /// Why it is not used, or not as it should be.
    trouble: Option<String>,
    unread: Vec<Vec<u8>>,
    /// The state of the engine's owed paths that the file has.
    written: u64,
    next_write: Time,
    /// What the disk has not written yet, first of all what it has been given first.
    under_way: VecDeque<UnderWay>,
    /// Commands in the file.
    commands: usize,
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
    pub fn open(places: &Places, creditors: &[Creditor]) -> (Ledger, Option<Place>, Vec<Owed>) {
        let (place, Left { text, elsewhere }) = match Place::open(places) {
            Ok(opened) => opened,
            Err(refused) => {
                log::error!("{refused}; until then what fails is kept in memory only");
                let trouble = Some(format!("not used: {refused}"));
                let path = places.configured.clone();
                let owed = vec![Owed::default(); creditors.len()];
                return (Ledger { path, trouble, ..Ledger::absent() }, None, owed);
            }
        };
        let Found { mut owed, mut unread } = parse(&text, creditors);
        let other = parse(&elsewhere, creditors);
        owed.iter_mut().zip(other.owed).for_each(|(owed, other)| owed.join(other));
        // The file of another instance is left to it.
        if !place.is_aside() {
            unread.extend(other.unread);
        }
        if !unread.is_empty() {
            log::warn!(
                "{}: {} of its records are none of this configuration's; they stay in it as comments",
                place.path().display(),
                unread.len()
            );
        }
        let (path, commands) = (place.path().into(), count_commands(&text));
        let ledger = Ledger { path, is_usable: true, unread, commands, ..Ledger::absent() };
        (ledger, Some(place), owed)
    }

    /// One that has no file, for a run that owes nothing to anybody.
    pub fn absent() -> Ledger {
        Ledger {
            path: PathBuf::new(),
            is_usable: false,
            trouble: None,
            unread: Vec::new(),
            written: 0,
            next_write: Time(0),
            under_way: VecDeque::new(),
            commands: 0,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Commands in the file.
    pub fn commands(&self) -> usize {
        self.commands
    }

    /// Why the file is not used, or cannot be written, and what to do.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
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
    pub fn written(&mut self, result: io::Result<PathBuf>) {
        let Some(UnderWay { version, commands, forgotten }) = self.under_way.pop_front() else {
            return;
        };
        match result {
            Ok(path) => {
                self.path = path;
                self.written = version;
                self.commands = commands;
                self.trouble = None;
                if forgotten > 0 {
                    log::warn!("the fail log has no room for {forgotten} deletions");
                }
            }
            Err(error) => {
                let trouble = format!("cannot be written: {error}; tried again, nothing is lost");
                if self.trouble.replace(trouble.clone()).is_none() {
                    log::error!("the fail log {trouble}");
                }
            }
        }
    }
}
