//! The bulk lane of one remote: large files, each in a job of its own beside the batches, so that no
//! small change waits behind one.
//!
//! `remote` hands it what a worker has found to be large, and asks for the next. While a file is on
//! its way, whatever happens under its name stays here until it has arrived: two jobs never send the
//! same path. After a restart everything here is known by name.

use super::flight::Flight;
use super::pending::{Change, Pending, What};
use crate::engine::rel_path::{lies_in, RelPath};
use crate::engine::time::Time;
use crate::engine::watching::settle::Stamp;
use crate::rsync::asked::plan::Gone;
use crate::sorted::{SortedMap, SortedSet};

/// Files from this size on travel by themselves. Smaller ones are through a local network in less
/// than a second, and each run of its own costs a connection.
pub const LARGE_BYTES_MIN: u64 = 64 << 20;
/// Files of which is remembered what the far side got. Of any other, the next version is compared by
/// content, which is slower and nothing else.
const SENT_MAX: usize = 1_000;

/// The large files that one remote is owed.
#[derive(Debug, Default)]
pub struct Bulk {
    waiting: Pending,
    /// Since when each of them waits, and the one on its way.
    since: SortedMap<RelPath, Time>,
    /// The one on its way.
    pub flight: Option<Flight>,
    /// The one that left last. They take turns, so that one that changes all the time holds up no
    /// other.
    last: Option<RelPath>,
    /// What the far side got last.
    sent: SortedMap<RelPath, Stamp>,
    /// Directories that disappeared over the head of the file on its way.
    crossed: SortedSet<RelPath>,
    /// Something else has been sent while the one on its way was.
    pub had_company: bool,
    /// Some of them had been stuck, and it is not known yet whether they get through now.
    pub retries: bool,
}

impl Bulk {
    /// Whether nothing waits, and nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.flight.is_none()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What waits, and what disappeared under each name.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        self.waiting.iter()
    }

    /// Whether a path waits.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.waiting.contains(path)
    }

    /// Since when the oldest change waits.
    pub fn oldest(&self) -> Option<Time> {
        self.since.values().min().copied()
    }

    /// A file is large, and was owed `since` then.
    pub fn put(&mut self, path: RelPath, change: Change, since: Time) {
        self.since.get_or_insert(path.clone(), since);
        self.waiting.put(path, change.known_by_name());
    }

    /// The file that is on its way.
    fn flying(&self) -> Option<&RelPath> {
        self.flight.as_ref()?.batch().first().map(|(path, _)| path)
    }

    /// A path has changed: remembered here, or an error with what was remembered of it so far, which
    /// is not from now on.
    ///
    /// # Errors
    /// It is for the small lane.
    pub fn change(&mut self, path: &RelPath, what: What, now: Time) -> Result<(), Option<Change>> {
        // What comes by another name, or is not known, may be anything.
        if !matches!(what, What::Created(_) | What::Settled(_) | What::Changed) {
            self.sent.remove(path);
        }
        if let Some(flying) = self.flying() {
            if lies_in(path, flying) {
                self.waiting.apply(path, what, |_| false);
                self.since.get_or_insert(path.clone(), now);
                return Ok(());
            }
            if let (true, What::Removed { .. }) = (lies_in(flying, path), what) {
                self.crossed.insert(path.clone());
            }
        }
        if let What::Removed { gone, .. } = what {
            if gone == Gone::Directory {
                self.forget_below(path);
            }
            return Err(self.forget(path));
        }
        if !self.waiting.contains(path) {
            return Err(None);
        }
        // What it is now is looked at when its turn has come.
        self.waiting.apply(path, what, |_| false);
        Ok(())
    }

    /// Forgets what is below a directory that disappeared.
    fn forget_below(&mut self, directory: &RelPath) {
        let before = self.waiting.len();
        self.waiting.absorb_below(directory);
        let Bulk { waiting, since, flight, .. } = self;
        if waiting.len() == before {
            return;
        }
        since.retain(|path, _| {
            waiting.contains(path) || flight.as_ref().is_some_and(|flight| flight.carries(path))
        });
    }

    /// Forgets a path, and gives what was known of it.
    pub fn forget(&mut self, path: &[u8]) -> Option<Change> {
        let change = self.waiting.forget(path)?;
        self.since.remove(path);
        Some(change.known_by_name())
    }

    /// Takes the one out whose turn it is, with what the far side got of it last.
    pub fn take(&mut self) -> Option<(RelPath, Change, Option<Stamp>)> {
        let path = self.waiting.next_after(self.last.as_ref())?.clone();
        let change = self.waiting.forget(&path)?;
        self.last = Some(path.clone());
        let sent = self.sent.get(&path).copied();
        Some((path, change.known_by_name(), sent))
    }

    /// A job starts that may send paths which are not in any list.
    pub fn sweep_starts(&mut self) {
        self.waiting.sweep_starts();
        self.sent.clear();
    }

    /// A full sync takes the place of what waits, except of what disappeared if `keep_gone`.
    pub fn clear(&mut self, keep_gone: bool) {
        self.waiting.clear(keep_gone);
        let waiting = &self.waiting;
        self.since.retain(|path, _| waiting.contains(path));
    }

    /// The job on its way has been taken out, and has not got through: its file waits again.
    pub fn restore(&mut self, batch: Vec<(RelPath, Change)>) {
        self.waiting.restore(batch);
    }

    /// The job with this file has ended. Gives since when the file had been owed.
    pub fn landed(&mut self, path: &RelPath) -> Option<Time> {
        match self.waiting.contains(path) {
            true => self.since.get(path).copied(),
            false => self.since.remove(path),
        }
    }

    /// The file has arrived as the worker saw it, unless it has changed since.
    pub fn has_sent(&mut self, path: &RelPath, stamp: Option<Stamp>) {
        let Some(stamp) = stamp.filter(|_| !self.waiting.contains(path)) else { return };
        self.sent.insert(path.clone(), stamp);
        if self.sent.len() > SENT_MAX {
            self.sent.pop_first();
        }
    }

    /// What changed under its name while it was on its way, to be looked at with the rest; without
    /// the file itself if it has to be sent again in any case.
    pub fn take_changed_meanwhile(
        &mut self,
        file: &RelPath,
        again: bool,
    ) -> Vec<(RelPath, Change)> {
        let meant = |path: &[u8]| lies_in(path, file) && !(again && *path == **file);
        let paths: Vec<RelPath> =
            self.waiting.iter().map(|(path, _)| path).filter(|path| meant(path)).cloned().collect();
        let taken = paths.into_iter();
        taken.filter_map(|path| self.forget(&path).map(|change| (path, change))).collect()
    }

    /// Directories that disappeared while something was on its way into them. Its run may have made
    /// them again over there.
    pub fn take_crossed(&mut self) -> SortedSet<RelPath> {
        std::mem::take(&mut self.crossed)
    }
}
