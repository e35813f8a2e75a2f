//! One remote: what it is owed, when the next batch leaves, and what a job's end means for it.

use super::backoff::Backoff;
use super::pending::{lies_in, Change, Path, Pending, What};
use super::time::Time;
use super::{JobId, Work};
use crate::config::Batch;
use crate::rsync::outcome::{combined_unsupported, cut_short, option_unknown};
use crate::rsync::outcome::{Class, Ended, Status};
use crate::rsync::plan::{Deletes, Gone};
use std::collections::HashSet;

/// Paths that may be pending for one remote. More become a full sync of the root: by then that is
/// about as much work, and needs no memory.
const PENDING_PATHS_MAX: usize = 500_000;
/// Paths in one job: bounds what has to be done again when it fails, and the memory of its list.
const BATCH_PATHS_MAX: usize = 50_000;
/// So many pending paths leave without waiting for quiet: sending them takes as long as starting
/// rsync does, and a burst is sent while it is still being written. Batches then grow by themselves,
/// since the next one collects for as long as the last one takes.
const WORTHWHILE_PATHS: usize = 256;
/// A directory of which nothing but its time has changed waits so long for another change to go with.
const DIRECTORY_TIME_MS: u64 = 1_000;
/// From so many new files on it is worth a run of their own that does not compare by checksum.
const FRESH_PATHS_MIN: usize = 512;
/// From so many new files on a batch is run as two processes, if there is room for them: rsync takes
/// longer to read a list than to find the same files by itself, and so the two ends and the two
/// halves work at the same time (measured for 10,000 files: 0.40 s instead of 0.55).
const SPLIT_PATHS_MIN: usize = 3_000;
/// Combined deletes that failed where the portable way worked, so many in a row, are taken for
/// something that this remote cannot do. Fewer are races.
const COMBINED_FAILURES_MAX: u32 = 4;
/// A full sync that leaves single files out is run again so often, with growing pauses.
const PARTIAL_FULL_SYNCS_MAX: u32 = 4;
/// So many runs in a row that the far side cuts short at a file leave at once, each without the file
/// of the one before. After that the disk over there is taken for full altogether, and they pause.
const CUTS_AT_ONCE_MAX: u32 = 16;

/// A job that is on its way.
#[derive(Debug)]
struct Flight {
    job: JobId,
    started: Time,
    /// Nothing for a full sync.
    batch: Vec<(Path, Change)>,
    full: bool,
    /// The full sync is one of the schedule.
    scheduled: bool,
    /// The far side can have none of the paths.
    fresh: bool,
    /// Two processes run it.
    split: bool,
    deletes: Deletes,
    /// The same batch failed with combined deletes in a way that a version without them would.
    fallback: bool,
    /// And it is certain that this was why.
    unsupported: bool,
    /// Paths that had been stuck are among it.
    retries: bool,
    /// Nothing was left pending when it started.
    everything: bool,
}

impl Flight {
    fn is_deleting(&self) -> bool {
        self.batch.iter().any(|(_, change)| change.gone != Gone::No)
    }

    /// What was to be deleted under this name.
    fn deletes(&self, path: &[u8]) -> Gone {
        let at = self.batch.binary_search_by(|(other, _)| (**other).cmp(path));
        at.map_or(Gone::No, |at| self.batch[at].1.gone)
    }

    /// Whether the far side may come to have, or may keep, something under this name.
    fn reaches(&self, path: &[u8]) -> bool {
        let listed = |path: &[u8]| self.batch.binary_search_by(|(other, _)| (**other).cmp(path));
        let emptied =
            |above: &[u8]| listed(above).is_ok_and(|at| self.batch[at].1.gone == Gone::Directory);
        let slashes = path.iter().enumerate().filter(|(_, &byte)| byte == b'/');
        self.full || listed(path).is_ok() || slashes.map(|(at, _)| &path[..at]).any(emptied)
    }
}

/// What the end of a job meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The batch has arrived.
    Arrived {
        /// Paths in it; `None` for a full sync.
        paths: Option<usize>,
        /// How long it took.
        took_ms: u64,
        /// The remote had been failing before.
        back: bool,
        /// From now on deletions go the portable way, because the other way does not work here.
        learned: bool,
    },
    /// The same batch leaves again at once, with deletions the portable way.
    Again,
    /// Some of it did not arrive; that is tried again later, while other changes go on.
    Partial {
        /// No further attempt is made (a full sync that never gets everything through).
        given_up: bool,
    },
    /// Nothing can be said to have arrived; everything is kept and tried again after a pause.
    Failed {
        /// How long the pause is.
        pause_ms: u64,
    },
}

/// A remote.
#[derive(Debug)]
pub struct Remote {
    timing: Batch,
    deletes: Deletes,
    pending: Pending,
    full: bool,
    /// The schedule wants a full sync. If it fails, the next one is tried soon, but it is nothing
    /// that is owed.
    scheduled: bool,
    /// A full sync deletes what only the far side has; otherwise it cannot stand for deletions.
    mirror: bool,
    first_change: Option<Time>,
    last_change: Time,
    last_start: Option<Time>,
    last_end: Time,
    /// A full sync has deleted what only the far side had, so that it has what we sent and no more.
    mirrored: bool,
    flight: Option<Flight>,
    backoff: Backoff,
    /// Paths that did not arrive although their job got through: they wait by themselves, so that
    /// an unreadable file holds up nothing else.
    stuck: Pending,
    stuck_full: u32,
    stuck_backoff: Backoff,
    /// Runs in a row that the far side cut short. Until one gets through, what is stuck waits:
    /// otherwise the first that does not fit would keep those behind it from ever being tried.
    cuts: u32,
    combined_failures: u32,
    /// What is owed stands in the fail log, since a job has failed: until everything has arrived that
    /// was owed then.
    logged: bool,
    /// Changes with what a logged remote is owed.
    version: u64,
    last_failure: Option<Status>,
    /// Directories whose scan was under way when a job ended that may have sent what is in them.
    doubtful: HashSet<Path>,
}

impl Remote {
    /// A remote that is owed nothing. `seed` differs from remote to remote.
    pub fn new(timing: Batch, deletes: Deletes, mirror: bool, seed: u64) -> Remote {
        Remote {
            timing,
            deletes,
            pending: Pending::default(),
            full: false,
            scheduled: false,
            mirror,
            first_change: None,
            last_change: Time(0),
            last_start: None,
            last_end: Time(0),
            mirrored: false,
            flight: None,
            backoff: Backoff::new(seed),
            stuck: Pending::default(),
            stuck_full: 0,
            stuck_backoff: Backoff::new(seed),
            cuts: 0,
            combined_failures: 0,
            logged: false,
            version: 0,
            last_failure: None,
            doubtful: HashSet::new(),
        }
    }

    /// What an earlier run of the program was owed, by its fail log.
    pub fn owe(&mut self, full: bool, paths: impl IntoIterator<Item = (Path, Gone)>) {
        self.full |= full;
        self.pending.owe(paths);
        if !self.pending.is_empty() {
            self.first_change.get_or_insert(Time(0));
        }
        self.logged |= full || !self.pending.is_empty();
    }

    /// Whether a full sync is owed, and which paths, of what stands in the fail log or, at the `end`,
    /// of everything.
    pub fn owed(&self, end: bool) -> (bool, Vec<(Path, Gone)>) {
        if !self.logged && !end {
            return (false, Vec::new());
        }
        let flight = self.flight.iter().flat_map(|flight| &flight.batch);
        let mut paths: Vec<_> = flight.map(|(path, change)| (path.clone(), change.gone)).collect();
        let waiting = self.pending.iter().chain(self.stuck.iter());
        paths.extend(waiting.map(|(path, gone)| (path.clone(), gone)));
        let owed = |flight: &Flight| flight.full && !flight.scheduled;
        let flying = self.flight.as_ref().is_some_and(owed);
        (self.full || flying || self.stuck_full > 0, paths)
    }

    /// A number that changes with what [`Remote::owed`] gives.
    pub fn owed_version(&self) -> u64 {
        self.version
    }

    /// How the last job that failed ended.
    pub fn last_failure(&self) -> Option<Status> {
        self.last_failure
    }

    /// Whether everything has arrived.
    pub fn is_in_step(&self) -> bool {
        let paths = self.pending.len() + self.stuck.len();
        paths == 0 && !self.full && self.flight.is_none() && self.stuck_full == 0
    }

    /// Whether the last job failed as a whole.
    pub fn is_failing(&self) -> bool {
        self.backoff.is_failing()
    }

    /// Whether a job is on its way.
    pub fn is_busy(&self) -> bool {
        self.flight.is_some()
    }

    /// rsync processes that the job on its way may run at the same time.
    pub fn processes(&self) -> usize {
        self.flight.as_ref().map_or(0, |flight| 1 + usize::from(flight.split))
    }

    /// A path has changed. Gives `true` when that was one too many, so that the paths have become a
    /// full sync.
    pub fn change(&mut self, path: &Path, what: What, now: Time) -> bool {
        if matches!(what, What::Removed { .. }) && self.deletes == Deletes::Never {
            // Nothing is ever deleted there, but a file that was replaced is sent by its own event.
            return false;
        }
        if let What::Removed { gone: Gone::Directory, .. } = what {
            self.stuck.absorb_below(path);
        }
        let (flight, last_end) = (&self.flight, self.last_end);
        let gone_again = self.pending.apply(path, what, |created| match flight {
            None => created > last_end,
            Some(flight) => created > flight.started && !flight.reaches(path),
        });
        if gone_again {
            return self.time_of_directory_changed(path, now);
        }
        self.version += u64::from(self.logged);
        if let (Some(flight), false) = (flight, matches!(what, What::Removed { .. })) {
            // Back while it is being deleted: whether it was before or after, nobody knows.
            self.pending.doubt_deletion(path, flight.deletes(path));
        }
        if self.pending.is_empty() {
            self.first_change = None;
            return false;
        }
        // A directory's time may be waiting until later.
        self.first_change = Some(self.first_change.map_or(now, |first| first.min(now)));
        self.last_change = now;
        if self.pending.len() <= PENDING_PATHS_MAX {
            return false;
        }
        self.pending.clear(!self.mirror);
        if self.pending.len() > PENDING_PATHS_MAX {
            self.pending.clear(false);
        }
        self.full = true;
        true
    }

    /// Something came and went in a directory and is not worth a run; but the directory's time is
    /// another one now. It goes with the next batch, or by itself after a while.
    fn time_of_directory_changed(&mut self, path: &[u8], now: Time) -> bool {
        // The root's own time goes with every batch.
        if let Some(slash) = path.iter().rposition(|&byte| byte == b'/') {
            self.pending.apply(&Path::from(&path[..slash]), What::Changed, |_| false);
            if self.first_change.is_none() {
                self.first_change = Some(now + DIRECTORY_TIME_MS);
                self.last_change = now + DIRECTORY_TIME_MS;
            }
        }
        if self.pending.is_empty() {
            self.first_change = None;
        }
        false
    }

    /// The directory at `path` is being scanned while the job on its way ends. What the job has sent
    /// of it may be gone before the directory is watched, and nobody would tell.
    pub fn unseen_when_job_ends(&mut self, path: Path) {
        if self.flight_reaches(&path) {
            self.doubtful.insert(path);
        }
    }

    /// The directory at `path` has been scanned: from now on nothing in it changes unseen.
    pub fn seen(&mut self, path: &Path, now: Time) {
        if self.doubtful.remove(path) || self.flight_reaches(path) {
            self.change(path, What::Doubted, now);
        }
    }

    /// Whether the job on its way may send, or let stand, something that lies in the directory.
    fn flight_reaches(&self, directory: &[u8]) -> bool {
        let Some(flight) = &self.flight else { return false };
        if self.deletes == Deletes::Never {
            return false;
        }
        // Without a mirror only what was seen to disappear may be deleted.
        flight.full && self.mirror
            || flight.batch.iter().any(|(path, change)| {
                let replaced = change.gone == Gone::Directory && lies_in(directory, path);
                replaced || lies_in(path, directory) && path.len() > directory.len()
            })
    }

    /// The schedule wants a full sync.
    pub fn schedule_full_sync(&mut self) {
        self.scheduled = true;
    }

    /// Whether a full sync is on its way, or is to run.
    pub fn owes_full_sync(&self) -> bool {
        let flying = self.flight.as_ref().is_some_and(|flight| flight.full);
        flying || self.full || self.scheduled || self.stuck_full > 0
    }

    /// Everything has to be made equal.
    pub fn need_full_sync(&mut self) {
        self.full = true;
    }

    /// When the next job may start; `None` if there is nothing to do, or one is on its way.
    /// `complete`: the root is watched, so that a full sync misses nothing.
    pub fn due(&self, complete: bool) -> Option<Time> {
        if self.flight.is_some() {
            return None;
        }
        let full = ((self.full || self.scheduled) && complete).then_some(Time(0));
        let changes = self.first_change.map(|first| {
            let quiet = self.last_change + self.timing.quiet_ms;
            let latest = first + self.timing.delay_ms_max;
            let interval = self.last_start.map_or(Time(0), |last| last + self.timing.interval_ms);
            let waited =
                if self.pending.len() < WORTHWHILE_PATHS { quiet.min(latest) } else { first };
            waited.max(interval)
        });
        let stuck =
            (!self.stuck.is_empty() || self.stuck_full > 0 && complete) && self.tries_stuck();
        let stuck = stuck.then(|| self.stuck_backoff.until());
        let earliest = full.into_iter().chain(changes).chain(stuck).min()?;
        Some(earliest.max(self.backoff.until()))
    }

    /// Whether what is stuck may leave with the next job.
    fn tries_stuck(&self) -> bool {
        self.cuts == 0 || self.pending.is_empty()
    }

    /// Starts the job that is due. It may use at most `free` processes, at least one.
    pub fn start(&mut self, job: JobId, complete: bool, free: usize, now: Time) -> Work {
        let mut retries = false;
        if self.stuck_backoff.until() <= now && self.tries_stuck() {
            retries = !self.stuck.is_empty() || self.stuck_full > 0;
            self.pending.restore(self.stuck.take(usize::MAX));
            self.full |= self.stuck_full > 0;
        }
        let full = (self.full || self.scheduled) && complete;
        let scheduled = full && !self.full;
        let mut batch = Vec::new();
        let mut fresh = false;
        if full {
            self.full = false;
            self.scheduled = false;
            self.pending.full_sync_starts();
        } else {
            if self.mirrored {
                batch = self.pending.take_fresh(FRESH_PATHS_MIN, BATCH_PATHS_MAX);
                fresh = !batch.is_empty();
            }
            if !fresh {
                batch = self.pending.take(BATCH_PATHS_MAX);
            }
        }
        self.first_change = (!self.pending.is_empty()).then_some(now);
        let deletes = self.deletes;
        let split = fresh && batch.len() >= SPLIT_PATHS_MIN && free > 1;
        let (fallback, unsupported) = (false, false);
        self.fly(Flight {
            job,
            started: now,
            batch,
            full,
            scheduled,
            fresh,
            split,
            deletes,
            fallback,
            unsupported,
            retries,
            everything: self.pending.is_empty(),
        })
    }

    fn fly(&mut self, flight: Flight) -> Work {
        let work = if flight.full {
            let delete = self.mirror && self.deletes != Deletes::Never;
            Work::FullSync { scheduled: flight.scheduled, delete }
        } else {
            let paths = flight.batch.iter().map(|(path, change)| (path.clone(), change.gone));
            let Flight { deletes, fresh, split, .. } = flight;
            Work::Batch { deletes, fresh, split, paths: paths.collect() }
        };
        self.last_start = Some(flight.started);
        self.flight = Some(flight);
        work
    }

    /// After [`Verdict::Again`]: the same batch, with deletions the portable way.
    pub fn start_again(&mut self, job: JobId, now: Time) -> Option<Work> {
        let flight = self.flight.take()?;
        let deletes = Deletes::Portable;
        Some(self.fly(Flight { job, started: now, deletes, fallback: true, ..flight }))
    }

    /// Whether `job` is the one on its way.
    pub fn is_flying(&self, job: JobId) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.job == job)
    }

    /// The job on its way has ended.
    pub fn finish(
        &mut self,
        class: Class,
        ended: &Ended,
        named: &[Vec<u8>],
        now: Time,
    ) -> Option<Verdict> {
        let flight = self.flight.as_mut()?;
        if flight.deletes == Deletes::Combined
            && flight.is_deleting()
            && combined_unsupported(ended)
        {
            flight.unsupported = option_unknown(ended);
            return Some(Verdict::Again);
        }
        let flight = self.flight.take()?;
        self.last_end = now;
        if class != Class::Done {
            self.logged = true;
            self.last_failure = Some(ended.status);
        }
        self.version += u64::from(self.logged);
        Some(match class {
            Class::Done => self.arrived(flight, now),
            Class::Partial => self.partial(flight, named, now),
            // The root halts, so that nothing is started; the remote is not to blame.
            Class::SourceGone => self.keep(flight, now),
            Class::Unreachable if !named.is_empty() && cut_short(ended) && !flight.full => {
                self.cut_short(flight, named, now)
            }
            Class::Unreachable => {
                self.backoff.fail(now);
                self.keep(flight, now)
            }
            Class::Refused => {
                self.backoff.refuse(now);
                self.keep(flight, now)
            }
        })
    }

    fn arrived(&mut self, flight: Flight, now: Time) -> Verdict {
        let unstuck = flight.retries && self.stuck.is_empty() && self.stuck_full == 0;
        let back = self.backoff.is_failing() || unstuck;
        self.backoff.succeed();
        self.cuts = 0;
        if flight.everything && self.stuck.is_empty() && !self.full {
            self.logged = false;
        }
        if flight.full {
            self.stuck_full = 0;
            self.mirrored = self.mirror && self.deletes != Deletes::Never;
        }
        if self.stuck.is_empty() && self.stuck_full == 0 {
            self.stuck_backoff.succeed();
        }
        Verdict::Arrived {
            paths: (!flight.full).then_some(flight.batch.len()),
            took_ms: now.since(flight.started),
            back,
            learned: self.learned(&flight),
        }
    }

    /// Whether this job's way to its end shows that the remote cannot do combined deletes.
    fn learned(&mut self, flight: &Flight) -> bool {
        if flight.fallback {
            self.combined_failures += 1;
        } else if flight.is_deleting() {
            self.combined_failures = 0;
        }
        let learned = flight.unsupported || self.combined_failures >= COMBINED_FAILURES_MAX;
        let learned = learned && self.deletes == Deletes::Combined;
        if learned {
            self.deletes = Deletes::Portable;
        }
        learned
    }

    fn partial(&mut self, flight: Flight, named: &[Vec<u8>], now: Time) -> Verdict {
        self.backoff.succeed();
        // New paths that get stuck do not push out the time of those that are.
        if flight.retries || self.stuck.is_empty() && self.stuck_full == 0 {
            self.stuck_backoff.fail(now);
        }
        let stuck = |(path, change): &(Path, Change)| {
            let meant = |name: &Vec<u8>| lies_in(name, path) || lies_in(path, name);
            // rsync deletes nothing more once it has met an error.
            change.gone != Gone::No || named.iter().any(meant)
        };
        let mut batch = flight.batch;
        if batch.iter().any(|(path, _)| named.iter().any(|name| lies_in(name, path))) {
            batch.retain(stuck);
        }
        self.stuck.restore(batch);
        if !flight.full {
            return Verdict::Partial { given_up: false };
        }
        self.stuck_full += 1;
        let given_up = self.stuck_full >= PARTIAL_FULL_SYNCS_MAX;
        if given_up {
            self.stuck_full = 0;
            // They are owed all the same.
            self.stuck.owe(named.iter().map(|name| (Path::from(&name[..]), Gone::No)));
        }
        Verdict::Partial { given_up }
    }

    /// The far side could not write the named file, and did nothing more: that one waits by itself,
    /// and the rest leaves again.
    fn cut_short(&mut self, mut flight: Flight, named: &[Vec<u8>], now: Time) -> Verdict {
        if flight.retries || self.stuck.is_empty() && self.stuck_full == 0 {
            self.stuck_backoff.fail(now);
        }
        let is_named = |path: &Path| named.iter().any(|name| **name == **path);
        let all = std::mem::take(&mut flight.batch);
        let (stuck, rest) = all.into_iter().partition::<Vec<_>, _>(|(path, _)| is_named(path));
        flight.batch = rest;
        self.cuts += 1;
        if stuck.is_empty() || self.cuts > CUTS_AT_ONCE_MAX {
            self.backoff.fail(now);
        }
        self.stuck.restore(stuck);
        self.keep(flight, now);
        Verdict::Partial { given_up: false }
    }

    fn keep(&mut self, flight: Flight, now: Time) -> Verdict {
        self.full |= flight.full && !flight.scheduled;
        self.scheduled |= flight.scheduled;
        self.pending.restore(flight.batch);
        if !self.pending.is_empty() {
            self.first_change.get_or_insert(now);
        }
        Verdict::Failed { pause_ms: self.backoff.until().since(now) }
    }
}
