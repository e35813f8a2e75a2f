//! One remote: what it is owed. When its next job starts and what that carries is in `starts`, how soon one may follow
//! another in `pace`, what the end of one means in `ends`.

mod ends;
mod lanes;
mod pace;
mod starts;
mod state;

use self::pace::Pace;

use super::backoff::Backoff;
use super::bulk::Bulk;
use super::flight::{Cargo, Flight};
use super::pending::{Pending, What};
use super::standing::{Known, Standing};
use crate::config::Batch;
use crate::engine::rel_path::RelPath;
use crate::engine::tally::Tally;
use crate::engine::time::Time;
use crate::engine::watching::renames::{Rename, Renames};
use crate::rsync::asked::level::Depth;
use crate::rsync::asked::plan::{Deletes, Gone};
use crate::rsync::told::exit::ExitStatus;
use crate::sorted::SortedMap;
use std::collections::HashSet;

/// Paths that may be pending for one remote. More become a full sync of the root: by then that is
/// about as much work, and needs no memory.
const PENDING_PATHS_MAX: usize = 500_000;
/// A directory of which nothing but its time has changed waits so long for another change to go with.
const DIRECTORY_TIME_MS: u64 = 1_000;
/// Directories that may wait to be made equal one by one; more become a full sync.
const LEVELS_MAX: usize = 10_000;

/// A remote.
#[derive(Debug)]
pub struct Remote {
    timing: Batch,
    deletes: Deletes,
    pending: Pending,
    /// Directories to be made equal as a whole, because nobody saw what happened in them.
    levels: SortedMap<RelPath, Depth>,
    full: bool,
    /// The schedule wants a full sync. If it fails, the next one is tried soon, but it is nothing
    /// that is owed.
    scheduled: bool,
    /// A full sync deletes what only the far side has; otherwise it cannot stand for deletions.
    mirror: bool,
    standby: bool,
    first_change: Option<Time>,
    last_change: Time,
    pace: Pace,
    last_end: Time,
    /// A full sync has deleted what only the far side had, so that it has what we sent and no more.
    mirrored: bool,
    /// The job of the small lane.
    flight: Option<Flight>,
    bulk: Bulk,
    renames: Renames,
    backoff: Backoff,
    /// Paths that did not arrive although their job got through: they wait by themselves, so that
    /// an unreadable file holds up nothing else.
    stuck: Pending,
    /// A full sync left something out; the next one waits as well.
    stuck_full: bool,
    /// And so often in a row.
    partial_full_syncs: u32,
    stuck_backoff: Backoff,
    /// `timeToExecute`.
    put_aside_ms: u64,
    /// Runs in a row that the far side cut short. Until one gets through, what is stuck waits:
    /// otherwise the first that does not fit would keep those behind it from ever being tried.
    cuts: u32,
    combined_failures: u32,
    /// What is owed stands in the fail log, since a job has failed: until everything has arrived that
    /// was owed then.
    logged: bool,
    /// Changes with what a logged remote is owed.
    version: u64,
    last_failure: Option<ExitStatus>,
    /// Directories whose scan was under way when a job ended that may have sent what is in them.
    doubtful: HashSet<RelPath>,
    standing: Standing,
    /// Changes with what the next run of the program has to know.
    standing_version: u64,
    /// What has happened, in numbers.
    tally: Tally,
}

/// What all remotes have in common.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// When batches leave.
    pub timing: Batch,
    /// How deletions are tried first.
    pub deletes: Deletes,
    /// Full syncs delete what only the far side has.
    pub mirror: bool,
    /// Flat runs may be done by a standby, whose words delete whatever the batch is.
    pub standby: bool,
    /// What does not get through, however often it is tried, is tried again after this.
    pub put_aside_ms: u64,
}

impl Remote {
    /// A remote at the start. `seed` differs from remote to remote.
    pub fn new(manner: Manner, known: Known, seed: u64) -> Remote {
        let Manner { timing, deletes, mirror, standby, put_aside_ms } = manner;
        Remote {
            timing,
            deletes,
            pending: Pending::default(),
            levels: SortedMap::new(),
            full: known == Known::Nothing,
            scheduled: false,
            mirror,
            standby,
            first_change: None,
            last_change: Time(0),
            pace: Pace::new(timing.interval_ms),
            last_end: Time(0),
            mirrored: false,
            flight: None,
            bulk: Bulk::default(),
            renames: Renames::default(),
            backoff: Backoff::new(seed),
            stuck: Pending::default(),
            stuck_full: false,
            partial_full_syncs: 0,
            stuck_backoff: Backoff::new(seed),
            put_aside_ms,
            cuts: 0,
            combined_failures: 0,
            logged: false,
            version: 0,
            last_failure: None,
            doubtful: HashSet::new(),
            standing: Standing::new(known),
            standing_version: 0,
            tally: Tally::default(),
        }
    }

    /// What an earlier run of the program was owed; `logged` if that stands in the fail log.
    pub fn owe(
        &mut self,
        full: bool,
        paths: impl IntoIterator<Item = (RelPath, Gone)>,
        logged: bool,
    ) {
        self.full |= full;
        self.pending.owe(paths);
        if !self.pending.is_empty() {
            self.first_change.get_or_insert(Time(0));
            self.tally.owed();
        }
        self.logged |= logged && (full || !self.pending.is_empty());
    }

    /// Whether a full sync is owed, and which paths, of what stands in the fail log or, at the `end`,
    /// of everything.
    pub fn owed(&self, end: bool) -> (bool, Vec<(RelPath, Gone)>) {
        if !self.logged && !end {
            return (false, Vec::new());
        }
        let flights = self.flights().flat_map(Flight::batch);
        let mut paths: Vec<_> = flights.map(|(path, change)| (path.clone(), change.gone)).collect();
        let waiting = self.pending.iter().chain(self.stuck.iter()).chain(self.bulk.iter());
        paths.extend(waiting.map(|(path, gone)| (path.clone(), gone)));
        // A shell script knows no level sync.
        let levels = |flight: &Flight| matches!(flight.cargo, Cargo::Levels(_));
        let levels = !self.levels.is_empty() || self.flight.as_ref().is_some_and(levels);
        (self.full_sync_is_owed() || levels, paths)
    }

    fn full_sync_is_owed(&self) -> bool {
        let owed = |flight: &Flight| matches!(flight.cargo, Cargo::Everything { scheduled: false });
        self.full || self.stuck_full || self.flight.as_ref().is_some_and(owed)
    }

    /// What the next run of the program has to know: up to which time everything has arrived, whether
    /// a full sync is owed, and what no look at the files could find, because it has disappeared or
    /// has not changed since.
    pub fn standing(&self) -> (Option<u64>, bool, impl Iterator<Item = (&RelPath, Gone)> + '_) {
        let flights = self.flights().flat_map(Flight::batch);
        let flights = flights.filter(|(_, change)| change.is_by_name());
        let flights = flights.map(|(path, change)| (path, change.gone));
        let waiting = self.pending.by_name().chain(self.stuck.by_name()).chain(self.bulk.iter());
        let paths = flights.chain(waiting);
        (self.standing.complete_ns(), self.full_sync_is_owed(), paths)
    }

    /// A number that changes with what [`Remote::standing`] gives.
    pub fn standing_version(&self) -> u64 {
        self.standing_version
    }

    /// Everything that happened before this time has been handed in.
    pub fn see_up_to(&mut self, stamp_ns: u64) {
        let first = self.standing.seen_ns().is_none();
        self.standing.see_up_to(stamp_ns);
        if first {
            self.completed(None);
        }
    }

    /// What has arrived may have been all: of what was seen up to `seen_ns` or, if nothing at all is
    /// left to be sent, of everything that has been seen.
    fn completed(&mut self, seen_ns: Option<u64>) {
        let idle = self.pending.is_empty() && self.flight.is_none() && self.nothing_unseen();
        let seen_ns = if idle { self.standing.seen_ns() } else { seen_ns };
        self.standing.arrived(seen_ns);
        self.standing_version += 1;
    }

    /// Whether there is nothing to be sent of which it is not known what it is.
    fn nothing_unseen(&self) -> bool {
        !self.full && !self.stuck_full && self.levels.is_empty()
    }

    /// A number that changes with what [`Remote::owed`] gives.
    pub fn owed_version(&self) -> u64 {
        self.version
    }

    /// How the last job that failed ended.
    pub fn last_failure(&self) -> Option<ExitStatus> {
        self.last_failure
    }

    /// Whether everything has arrived.
    pub fn is_in_step(&self) -> bool {
        let paths = self.pending.len() + self.stuck.len();
        paths == 0 && self.flight.is_none() && self.bulk.is_idle() && self.nothing_unseen()
    }

    /// The paths that do not get through by themselves.
    pub fn stuck(&self) -> impl Iterator<Item = &RelPath> {
        self.stuck.iter().map(|(path, _)| path)
    }

    /// Whether a path has not arrived yet, or a full sync stands for it.
    pub fn owes(&self, path: &[u8]) -> bool {
        self.full_sync_is_owed()
            || self.pending.contains(path)
            || self.stuck.contains(path)
            || self.bulk.contains(path)
            || self.flights().any(|flight| flight.carries(path))
    }

    /// Whether the last job failed as a whole.
    pub fn is_failing(&self) -> bool {
        self.backoff.is_failing()
    }

    /// Whether a job is on its way.
    pub fn is_busy(&self) -> bool {
        self.flights().next().is_some()
    }

    /// rsync processes that the jobs on their way may run at the same time.
    pub fn processes(&self) -> usize {
        self.flights().map(|flight| 1 + usize::from(flight.split)).sum()
    }

    /// A path has changed. Gives `true` when that was one too many, so that the paths have become a
    /// full sync.
    pub fn change(&mut self, path: &RelPath, what: What, now: Time) -> bool {
        match what {
            // Nothing is ever deleted there, but a file that was replaced is sent by its own event.
            What::Removed { .. } if self.deletes == Deletes::Never => return false,
            What::Newer { changed_ns, is_dir } if !self.standing.concerns(changed_ns, is_dir) => {
                return false;
            }
            What::Newer { is_dir: true, .. }
                if self.standing.looks_back() && self.deletes_unseen() =>
            {
                return self.make_level(path, Depth::One);
            }
            What::Unwatched => return self.make_level(path, Depth::All),
            // Another one may have disappeared under its name, unseen and with all that was in it.
            What::Folder if self.standing.looks_back() && self.deletes_unseen() => {
                self.make_level(path, Depth::One);
            }
            What::Created(_)
            | What::Settled(_)
            | What::Changed
            | What::Touched
            | What::Folder
            | What::Landed
            | What::Doubted
            | What::Newer { .. }
            | What::Removed { .. } => {}
        }
        let by_name = matches!(what, What::Removed { .. } | What::Settled(_));
        self.standing_version += u64::from(by_name);
        match self.bulk.change(path, what, now) {
            Ok(()) => {
                self.tally.changed(false, false, now);
                self.standing_version += 1;
                self.version += u64::from(self.logged);
                return false;
            }
            Err(Some(known)) => self.pending.put(path.clone(), known),
            Err(None) => {}
        }
        if let What::Removed { gone: Gone::Directory, .. } = what {
            self.stuck.absorb_below(path);
        }
        let (flight, last_end) = (&self.flight, self.last_end);
        let before = self.pending.len();
        let gone_again = self.pending.apply(path, what, |created| match flight {
            None => created.is_none_or(|created| created > last_end),
            Some(flight) => {
                let began = created.is_none_or(|created| created > flight.started);
                began && !flight.reaches(path)
            }
        });
        self.tally.changed(before == 0, self.pending.len() > before, now);
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
        if what == What::Touched {
            self.may_wait(now);
        } else {
            // A directory's time may be waiting until later.
            self.first_change = Some(self.first_change.map_or(now, |first| first.min(now)));
            self.last_change = now;
        }
        if self.pending.len() + self.bulk.waiting() <= PENDING_PATHS_MAX {
            return false;
        }
        for keep_gone in [!self.mirror, false] {
            if self.pending.len() + self.bulk.waiting() > PENDING_PATHS_MAX {
                self.pending.clear(keep_gone);
                self.bulk.clear(keep_gone);
            }
        }
        self.need_full_sync();
        true
    }

    /// Something got another name. Worth knowing only while the far side still has the old one.
    pub fn renamed(&mut self, rename: &Rename) {
        if self.deletes != Deletes::Never && self.pending.deletes(&rename.from) {
            self.renames.add(rename.clone());
        }
    }

    /// Whether it may delete what nobody saw disappear.
    fn deletes_unseen(&self) -> bool {
        self.mirror && self.deletes != Deletes::Never
    }

    /// Makes a directory equal as a whole. Gives `true` if there are too many of them.
    fn make_level(&mut self, path: &RelPath, depth: Depth) -> bool {
        let whole = path.is_empty() && depth == Depth::All;
        if whole || self.levels.len() >= LEVELS_MAX {
            self.levels.clear();
            self.need_full_sync();
            return !whole;
        }
        if !self.full {
            let known = self.levels.get_or_insert(path.clone(), depth);
            *known = depth.max(*known);
        }
        false
    }

    /// Something came and went in a directory and is not worth a run; but the directory's time is
    /// another one now. It goes with the next batch, or by itself after a while.
    fn time_of_directory_changed(&mut self, path: &[u8], now: Time) -> bool {
        // The root's own time goes with every batch.
        if let Some(slash) = path.iter().rposition(|&byte| byte == b'/') {
            self.pending.apply(&RelPath::from(&path[..slash]), What::Touched, |_| false);
            self.may_wait(now);
        }
        if self.pending.is_empty() {
            self.first_change = None;
        }
        false
    }

    /// What was just added is the time of a directory: it goes with the next batch, or by itself later.
    fn may_wait(&mut self, now: Time) {
        if self.first_change.is_none() {
            self.first_change = Some(now + DIRECTORY_TIME_MS);
            self.last_change = now + DIRECTORY_TIME_MS;
        }
    }

    /// The directory at `path` is being scanned while the job on its way ends. What the job has sent
    /// of it may be gone before the directory is watched, and nobody would tell.
    pub fn unseen_when_job_ends(&mut self, path: RelPath) {
        if self.flight_reaches(&path) {
            self.doubtful.insert(path);
        }
    }

    /// The directory at `path` has been scanned: from now on nothing in it changes unseen.
    pub fn seen(&mut self, path: &RelPath, now: Time) {
        if self.doubtful.remove(path) || self.flight_reaches(path) {
            self.change(path, What::Doubted, now);
        }
    }

    /// Whether the job on its way may send, or let stand, something that lies in the directory.
    fn flight_reaches(&self, directory: &[u8]) -> bool {
        // Without a mirror only what was seen to disappear may be deleted.
        let reaches =
            |flight: &Flight| flight.sweeps() && self.mirror || flight.reaches_into(directory);
        self.deletes != Deletes::Never && self.flights().any(reaches)
    }

    /// The schedule wants a full sync.
    pub fn schedule_full_sync(&mut self) {
        self.scheduled = true;
    }

    /// Whether a full sync is on its way, or is to run.
    pub fn owes_full_sync(&self) -> bool {
        let flying = self.flight.as_ref().is_some_and(Flight::is_full);
        flying || self.full || self.scheduled || self.stuck_full
    }

    /// Everything has to be made equal.
    pub fn need_full_sync(&mut self) {
        self.full = true;
        self.levels.clear();
        self.standing_version += 1;
    }

    /// Whatever waits for a pause to end is tried at once.
    pub fn try_now(&mut self) {
        self.backoff.try_now();
        self.stuck_backoff.try_now();
    }
}
