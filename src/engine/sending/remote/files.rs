//! How large files get from the batches to a lane of their own, and what becomes of them there.

use super::super::change::Change;
use super::super::flight::{Cargo, File, Flight};
use super::super::lanes::Kind;
use super::super::next::Next;
use super::super::pending::Remembered;
use super::Remote;
use crate::engine::rel_path::{above, lies_in, RelPath};
use crate::engine::time::Time;
use crate::engine::watching::settle::Stamp;
use crate::engine::{JobId, Work};

impl Remote {
    /// When the next large file may leave; `None` if there is none, or one is on its way, or whole
    /// directories are made equal first.
    pub fn bulk_due(&self, complete: bool) -> Option<Time> {
        let may = !self.bulk.waiting().is_empty()
            && self.lanes.admit(Kind::File)
            // It would wait for ever for a moment without a large file on its way.
            && !self.wants_sweep(complete);
        may.then(|| self.backoff.until())
    }

    /// A job on its way has found large files. Of a batch, they are no part any more; of a job with a large file, it is
    /// what it is about to send.
    pub fn set_apart(&mut self, job: JobId, files: &[(RelPath, Stamp)]) {
        let Some(flight) = self.lanes.get_mut(job) else { return };
        let mut apart = match &mut flight.cargo {
            Cargo::File(file) => {
                file.stamp = files.first().map(|(_, stamp)| *stamp);
                return;
            }
            Cargo::Batch(batch) => {
                batch.set_apart(|path| files.binary_search_by(|(file, _)| file.cmp(path)).is_ok())
            }
            Cargo::Levels(_) | Cargo::Everything { .. } => Vec::new(),
        };
        if let Cargo::Batch(batch) = &flight.cargo {
            // The run of a rename has made it over there, or takes whatever is in a directory.
            let renamed = apart.iter_mut().filter(|(path, _)| batch.renames(path));
            renamed.for_each(|(_, remembered)| *remembered = remembered.not_fresh());
        }
        // What is in a directory that is emptied without it may stay there, and be another one's.
        for (path, remembered) in &mut apart {
            if flight.empties_above(path) || self.stuck.paths().empties_above(path) {
                *remembered = remembered.not_fresh();
            }
        }
        let since = self.tally.flying_since().unwrap_or(flight.started);
        self.bulk.retries |= flight.retries && !apart.is_empty();
        for (path, remembered) in apart {
            match self.pending.contains(&path) || self.pending.empties_above(&path) {
                // It has changed since, or went with a directory, and need not be large any more.
                true => self.pending.put(path, remembered),
                false => self.bulk.put(path, remembered, since),
            }
        }
        self.standing.names_changed();
    }

    /// A job on its way lists these directories, sorted, in place of what is in them.
    pub fn set_whole(&mut self, job: JobId, whole: Vec<RelPath>) {
        if let Some(Flight { cargo: Cargo::Batch(batch), .. }) = self.lanes.get_mut(job) {
            batch.whole = Some(whole);
        }
    }

    /// Starts the job with the large file whose turn it is, of those that are not pending as well.
    pub fn start_bulk(&mut self, job: JobId, now: Time) -> Option<Work> {
        let (path, remembered, sent) = loop {
            let next = self.bulk.take()?;
            if !self.pending.contains(&next.0) {
                break next;
            }
            self.pending.put(next.0, next.1);
        };
        let fresh = self.far_side.has_only_ours() && remembered.is_fresh();
        let retries = self.bulk.retries;
        self.tally.bulk_starts(retries || self.is_failing());
        let cargo = Cargo::File(File { listed: (path, remembered), fresh, stamp: None });
        let attempt = self.far_side.attempt();
        let flight = Flight { retries, ..Flight::new(job, now, cargo, attempt) };
        Some(self.depart(flight, sent))
    }

    /// The job with a large file has ended: what happened under its name meanwhile is looked at now.
    pub(super) fn file_ended(&mut self, file: &RelPath, started: Time, next: &Next, now: Time) {
        let since = self.bulk.ended(file).unwrap_or(started);
        self.tally.bulk_ends(next, since, started, now);
        if self.bulk_is_idle() {
            self.bulk.retries = false;
        }
        if std::mem::take(&mut self.bulk.had_company) || !self.lanes.are_free() {
            // rsync sets the attributes of the directories above at its end, as they were when it began.
            self.pending.put(RelPath::from([]), Remembered::TO_SEND);
            for directory in above(file) {
                self.pending.put(RelPath::from(directory), Remembered::TO_SEND);
            }
            self.departure.added(now);
        }
        let crossed = self.bulk.take_crossed();
        let is_kept = matches!(next, Next::Failed { .. });
        // With the directory that went, whatever has its name now is to come back in one batch.
        let again = is_kept && !crossed.iter().any(|above| lies_in(file, above));
        let meanwhile = self.bulk.take_changed_meanwhile(file, again);
        if !meanwhile.is_empty() {
            self.pending.restore(meanwhile);
            self.departure.added(now);
        }
        for directory in crossed {
            if self.deletes_seen() {
                self.change(&directory, Change::DeleteAgain, now);
            }
        }
    }

    /// Whether no large file waits or is on its way.
    pub(super) fn bulk_is_idle(&self) -> bool {
        self.bulk.waiting().is_empty() && !self.sends_large_file()
    }
}
