//! The two lanes of a remote: which job is in which, and how large files get from one to the other.

use super::super::flight::{Cargo, Flight, Lane};
use super::super::next::Next;
use super::super::pending::{Change, What};
use super::Remote;
use crate::engine::rel_path::{above, RelPath};
use crate::engine::time::Time;
use crate::engine::watching::settle::Stamp;
use crate::engine::{JobId, Work};
use crate::rsync::asked::plan::Deletes;

impl Remote {
    /// The jobs on their way.
    pub(super) fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flight.iter().chain(&self.bulk.flight)
    }

    /// Whether `job` is on its way.
    pub fn is_flying(&self, job: JobId) -> bool {
        self.flights().any(|flight| flight.job == job)
    }

    /// Whether the bulk lane is taken.
    pub fn sends_large_file(&self) -> bool {
        self.bulk.flight.is_some()
    }

    /// Whether `job` may send something under this name, or let it stand.
    pub fn reaches(&self, job: JobId, path: &[u8]) -> bool {
        self.flights().any(|flight| flight.job == job && flight.reaches(path))
    }

    pub(super) fn flight_mut(&mut self, job: JobId) -> Option<&mut Flight> {
        let mut flights = self.flight.iter_mut().chain(&mut self.bulk.flight);
        flights.find(|flight| flight.job == job)
    }

    pub(super) fn take_flight(&mut self, job: JobId) -> Option<Flight> {
        let is_it = |flight: &mut Flight| flight.job == job;
        self.flight.take_if(is_it).or_else(|| self.bulk.flight.take_if(is_it))
    }

    /// Whether the next job makes whole directories equal. They are not left alone with a large file:
    /// what only the far side has would be deleted, and what is half there looks like that.
    pub(super) fn may_sweep(&self, complete: bool) -> bool {
        self.wants_sweep(complete) && self.bulk.flight.is_none()
    }

    fn wants_sweep(&self, complete: bool) -> bool {
        complete && (self.full || self.scheduled || !self.levels.is_empty())
    }

    /// When the next large file may leave; `None` if there is none, or one is on its way, or whole
    /// directories are made equal first.
    pub fn bulk_due(&self, complete: bool) -> Option<Time> {
        let sweeps = self.wants_sweep(complete) || self.flight.as_ref().is_some_and(Flight::sweeps);
        let may = self.bulk.flight.is_none() && self.bulk.waiting() > 0 && !sweeps;
        may.then(|| self.backoff.until())
    }

    /// A job on its way has found large files. Of a batch, they are no part any more; of a job in the
    /// bulk lane, it is what it is about to send.
    pub fn set_apart(&mut self, job: JobId, files: &[(RelPath, Stamp)]) {
        let Some(flight) = self.flight_mut(job) else { return };
        if flight.lane == Lane::Bulk {
            flight.stamp = files.first().map(|(_, stamp)| *stamp);
            return;
        }
        let is_large = |path: &RelPath| files.binary_search_by(|(file, _)| file.cmp(path)).is_ok();
        let mut apart = flight.set_apart(is_large);
        let (retries, started) = (flight.retries, flight.started);
        // What is in a directory that is emptied without it may stay there, and be another one's.
        for (path, change) in &mut apart {
            if flight.empties_above(path) {
                *change = change.not_fresh();
            }
        }
        let since = self.tally.flying_since().unwrap_or(started);
        self.bulk.retries |= retries && !apart.is_empty();
        for (path, change) in apart {
            let emptied_later = self.stuck.empties_above(&path);
            let change = if emptied_later { change.not_fresh() } else { change };
            match self.pending.contains(&path) {
                // It has changed since, and need not be large any more.
                true => self.pending.put(path, change),
                false => self.bulk.put(path, change, since),
            }
        }
        self.standing_version += 1;
    }

    /// A job on its way lists these directories, sorted, in place of what is in them.
    pub fn set_whole(&mut self, job: JobId, whole: Vec<RelPath>) {
        if let Some(flight) = self.flight_mut(job) {
            flight.whole = Some(whole);
        }
    }

    /// What a batch carries waits nowhere else. Gives whether the far side can have nothing of what
    /// waited.
    pub(super) fn take_back(&mut self, batch: &mut [(RelPath, Change)]) -> bool {
        let mut fresh = true;
        if self.bulk.waiting() == 0 {
            return fresh;
        }
        for (path, change) in batch {
            if let Some(known) = self.bulk.forget(path) {
                *change = change.and(known);
                fresh &= known.is_fresh();
            }
        }
        fresh
    }

    /// Starts the job with the large file whose turn it is, of those that are not pending as well.
    pub fn start_bulk(&mut self, job: JobId, now: Time) -> Option<Work> {
        let (path, change, sent) = loop {
            let next = self.bulk.take()?;
            if !self.pending.contains(&next.0) {
                break next;
            }
            self.pending.put(next.0, next.1);
        };
        let fresh = self.mirrored && change.is_fresh();
        let cargo = Cargo::Batch(vec![(path, change)]);
        let flight = Flight {
            job,
            lane: Lane::Bulk,
            started: now,
            fresh,
            is_deleting: cargo.is_deleting(),
            cargo,
            split: false,
            deletes: self.deletes,
            fallback: false,
            unsupported: false,
            retries: self.bulk.retries,
            everything: false,
            seen_ns: None,
            stamp: None,
            renames: Vec::new(),
            whole: Some(Vec::new()),
        };
        self.tally.bulk_starts(self.bulk.retries || self.is_failing());
        Some(self.fly_bulk(flight, sent))
    }

    pub(super) fn fly_bulk(&mut self, flight: Flight, sent: Option<Stamp>) -> Work {
        let (path, change) = flight.batch()[0].clone();
        let Flight { deletes, fresh, .. } = flight;
        self.bulk.flight = Some(flight);
        self.bulk.had_company = false;
        Work::Bulk { deletes, fresh, sent, path: (path, change.gone) }
    }

    /// The job with a large file has ended: what happened under its name meanwhile is looked at now.
    pub(super) fn landed(&mut self, file: &RelPath, started: Time, next: &Next, now: Time) {
        let since = self.bulk.landed(file).unwrap_or(started);
        self.tally.bulk_ends(next, since, started, now);
        if self.bulk.is_idle() {
            self.bulk.retries = false;
        }
        if std::mem::take(&mut self.bulk.had_company) || self.flight.is_some() {
            // rsync sets the attributes of the directories above at its end, as they were when it began.
            self.pending.put(RelPath::from([]), Change::SEEN);
            for directory in above(file) {
                self.pending.put(RelPath::from(directory), Change::SEEN);
            }
            self.first_change.get_or_insert(now);
        }
        let is_kept = matches!(next, Next::Failed { .. });
        let meanwhile = self.bulk.take_changed_meanwhile(file, is_kept);
        if !meanwhile.is_empty() {
            self.pending.restore(meanwhile);
            self.first_change.get_or_insert(now);
        }
        for directory in self.bulk.take_crossed() {
            if self.deletes != Deletes::Never {
                self.change(&directory, What::Doubted, now);
            }
        }
    }
}
