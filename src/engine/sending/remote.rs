//! One remote: what it is owed, what is on its way to it, and what becomes of that. Its parts, by what they own:
//!
//! | part | owns |
//! |---|---|
//! | [`pending`](super::pending), [`departure`](super::departure) | the changed paths that wait; when they leave |
//! | [`sweep`](super::sweep) | what is to be made equal as a whole |
//! | [`bulk`](super::bulk) | the large files that wait |
//! | [`lanes`](super::lanes), [`flight`](super::flight) | what is on its way; what may start beside it |
//! | [`second_look`](super::second_look) | what has arrived beside a sweep, which may undo it |
//! | [`stuck`](super::stuck), [`backoff`](super::backoff) | what failed, and when it is tried again |
//! | [`standing`](super::standing), [`owed`](super::owed) | what has arrived for certain; what stands in the fail log |
//! | [`far_side`](super::far_side) | what the far side can do, and cannot have |
//! | [`trust`](super::trust) | whether a sweep may delete what nobody saw disappear |
//!
//! What happens next depends on what is on its way: nothing, a batch (B), a large file (F), both, a sweep (S), or a batch
//! beside one. Jobs start only while the remote works (after a failure, when its pause has ended), and sweeps only while
//! the whole root is watched.
//!
//! | event | nothing | B | F | B and F | S | B and S |
//! |---|---|---|---|---|---|---|
//! | a path changes | it pends | it pends | it pends; what is F's waits for the end of F | as with F | it pends | it pends |
//! | what was created after the last job disappears | it is forgotten | it pends if B may send it, or else is forgotten | it is forgotten | as with B | it pends | it pends |
//! | pending paths are due | B starts | they wait | B starts | they wait | B starts, unless one connection is all that there is | they wait |
//! | a sweep is due | S starts, before any B or F | it waits | it waits | it waits | it waits | it waits |
//! | a large file is due | F starts | F starts, unless a sweep waits | it waits | it waits | it waits | it waits |
//! | a job ends | - | *see below* | *see below*; what happened to F meanwhile pends | *see below* | *see below* | *see below*; what B carried pends when S has ended |
//!
//! What a job leaves behind when it ends depends on what it carried. A pause is one of the remote: until it has ended,
//! nothing else starts either.
//!
//! | outcome | batch | large file | levels | full sync |
//! |---|---|---|---|---|
//! | done, nothing to do, unwanted there | nothing | nothing | nothing | nothing |
//! | partial, files named | the named paths and all deletions are stuck | it is stuck | they are stuck; in a mirror, a full sync is, and they are after four in a row | the same |
//! | partial, others named | the same, with what lies below | it is stuck | a full sync is stuck | the same |
//! | partial, without | all of it is stuck | it is stuck | a full sync is stuck | the same |
//! | cut short at a named file | that file is stuck, the rest pends | it is stuck | levels, and a pause | full sync, and a pause |
//! | no connection beside a sweep | all of it pends, until that has ended | - | - | - |
//! | unreachable, refused | all of it pends, and a pause | it waits, and a pause | levels, and a pause | full sync, and a pause |
//! | the root has changed | all of it pends | it waits | levels | full sync |
//! | combined deletes may be unknown there, or have failed | the same job starts again, with portable ones | the same | levels, and a pause | full sync, and a pause |
//! | deletions are refused there | the same job starts again, without any; they are stuck | the same | the same job starts again, without any | the same |
//!
//! A full sync that is in doubt is rehearsed first. The rehearsal is the same job to the lanes; when it has got through,
//! the full sync starts at once, and when it has not, what is said of the full sync holds.
//!
//! Where a full sync is left that only the schedule wanted, it is one that the schedule wants. What gets stuck is owed in
//! any case.
//!
//! `changes` has the first two rows, `starts` and `files` the next three, `ends` the last one and the second table;
//! `refused` has what becomes of deletions that the far side refuses, `rehearsed` of those that are in doubt.

mod changes;
mod ends;
mod files;
mod refused;
mod rehearsed;
mod shown;
mod starts;
#[cfg(test)]
mod tests;

use self::changes::Left;
use super::backoff::Backoff;
use super::bulk::Bulk;
use super::departure::Departure;
use super::far_side::FarSide;
use super::flight::{Attempt, Cargo, Flight};
use super::lanes::{Lane, Lanes};
use super::licence::Grants;
use super::owed::Owed;
use super::pending::Pending;
use super::second_look::SecondLook;
use super::settings::SendingSettings;
use super::standing::{Standing, Watermark};
use super::stuck::Stuck;
use super::sweep::Sweep;
use super::trust::Trust;
use crate::engine::rel_path::RelPath;
use crate::engine::tally::Tally;
use crate::engine::time::Time;
use crate::engine::watching::renames::Renames;
use crate::engine::JobId;
use crate::rsync::asked::plan::Gone;
use crate::rsync::told::exit::ExitStatus;
use std::collections::HashMap;

/// A remote.
#[derive(Debug)]
pub struct Remote {
    settings: SendingSettings,
    /// The changed paths, but for those that are on their way, stuck or large.
    pending: Pending,
    departure: Departure,
    /// What the far side has under another name, for the next batch.
    renames: Renames,
    sweep: Sweep,
    bulk: Bulk,
    lanes: Lanes,
    second_look: SecondLook,
    /// After jobs that failed as a whole.
    backoff: Backoff,
    stuck: Stuck,
    owed: Owed,
    far_side: FarSide,
    standing: Watermark,
    trust: Trust,
    /// Directories that were being read when a job ended that may have sent what is in them.
    half_read: HashMap<RelPath, Left>,
    /// Places that are spared when directories are made equal as a whole: what they hold is away here.
    away: Vec<RelPath>,
    tally: Tally,
}

impl Remote {
    /// A remote at the start. `seed` differs from remote to remote.
    pub fn new(settings: SendingSettings, standing: Standing, trust: Trust, seed: u64) -> Remote {
        Remote {
            settings,
            pending: Pending::default(),
            departure: Departure::new(settings.timing),
            renames: Renames::default(),
            sweep: match standing {
                Standing::Nothing => Sweep::Full,
                Standing::From(_) | Standing::Until(_) => Sweep::Nothing,
            },
            bulk: Bulk::default(),
            lanes: Lanes::default(),
            second_look: SecondLook::default(),
            backoff: Backoff::new(seed),
            stuck: Stuck::new(settings.put_aside_ms, seed),
            owed: Owed::default(),
            far_side: FarSide::new(settings.way),
            standing: Watermark::new(standing),
            trust,
            half_read: HashMap::new(),
            away: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// From now on it is treated like this.
    pub fn change_settings(&mut self, settings: SendingSettings) {
        self.settings = settings;
        self.departure.change_timing(settings.timing);
        self.stuck.put_aside_ms = settings.put_aside_ms;
    }

    /// Its root is read again, to find what has changed since it had everything.
    pub fn look_back(&mut self) -> Standing {
        self.standing.look_back()
    }

    /// What an earlier run of the program was owed; `logged` if that stands in the fail log.
    pub fn owe(
        &mut self,
        full: bool,
        paths: impl IntoIterator<Item = (RelPath, Gone)>,
        logged: bool,
    ) {
        if full {
            self.sweep.need_full();
        }
        self.pending.owe(paths);
        if !self.pending.is_empty() {
            self.departure.added(Time(0));
            self.tally.owed();
        }
        if logged && (full || !self.pending.is_empty()) {
            self.owed.stays();
        }
    }

    /// Whether a full sync is owed, and which paths, of what stands in the fail log or, at the `end`,
    /// of everything.
    pub fn owed(&self, end: bool) -> (bool, Vec<(RelPath, Gone)>) {
        if !self.owed.is_logged() && !end {
            return (false, Vec::new());
        }
        let flying = self.lanes.iter().flat_map(Flight::paths);
        let mut paths: Vec<_> = flying.map(|(path, flies)| (path.clone(), flies.gone)).collect();
        let waiting = self.pending.iter().chain(self.stuck.iter());
        let waiting = waiting.chain(self.bulk.waiting().iter()).chain(self.second_look.iter());
        paths.extend(waiting.map(|(path, gone)| (path.clone(), gone)));
        // A shell script knows no level sync.
        let levels = self.sweep.has_levels() || self.flies_levels();
        (self.full_sync_is_owed() || levels, paths)
    }

    fn full_sync_is_owed(&self) -> bool {
        let owed = |flight: &Flight| matches!(flight.cargo, Cargo::Everything { scheduled: false });
        self.sweep.is_full() || self.stuck.has_full_sync() || self.lanes.iter().any(owed)
    }

    /// What the next run of the program has to know: up to which time everything has arrived, whether
    /// a full sync is owed, and what no look at the files could find, because it has disappeared or
    /// has not changed since.
    pub fn standing(&self) -> (Option<u64>, bool, impl Iterator<Item = (&RelPath, Gone)> + '_) {
        let flying = self.lanes.iter().flat_map(Flight::paths);
        let flying = flying.filter(|(_, flies)| flies.is_by_name());
        let flying = flying.map(|(path, flies)| (path, flies.gone));
        let stuck = self.stuck.paths().by_name().chain(self.stuck.refused().by_name());
        let waiting = self.pending.by_name().chain(stuck).chain(self.second_look.by_name());
        let paths = flying.chain(waiting).chain(self.bulk.waiting().iter());
        (self.standing.complete_ns(), self.full_sync_is_owed(), paths)
    }

    /// A number that changes with what [`Remote::standing`] gives.
    pub fn standing_version(&self) -> u64 {
        self.standing.version()
    }

    /// Everything that happened before this time has been handed in.
    pub fn read_up_to(&mut self, stamp_ns: u64) {
        if self.standing.read_up_to(stamp_ns) {
            self.completed(None);
        }
    }

    /// What has arrived may have been all: of what had been handed in up to `read_ns` or, if nothing at all is
    /// left to be sent, of everything that has been.
    fn completed(&mut self, read_ns: Option<u64>) {
        let nothing_flies = self.lanes.small().next().is_none();
        let nothing_waits = self.pending.is_empty() && self.second_look.is_empty();
        let rests = nothing_waits && nothing_flies && self.owes_no_sweep();
        let read_ns = if rests { self.standing.read_ns() } else { read_ns };
        self.standing.arrived(read_ns);
    }

    /// Whether nothing is to be made equal as a whole, but for what the schedule wants.
    fn owes_no_sweep(&self) -> bool {
        self.sweep.owes_nothing() && !self.stuck.has_full_sync()
    }

    /// A number that changes with what [`Remote::owed`] gives.
    pub fn owed_version(&self) -> u64 {
        self.owed.version()
    }

    /// How the last job that failed ended.
    pub fn last_failure(&self) -> Option<ExitStatus> {
        self.owed.last_failure()
    }

    /// Whether everything has arrived.
    pub fn is_in_step(&self) -> bool {
        let stuck = [self.stuck.paths(), self.stuck.refused()];
        let waiting = [&self.pending, self.bulk.waiting()].into_iter().chain(stuck);
        waiting.into_iter().all(|paths| paths.is_empty())
            && self.second_look.is_empty()
            && self.lanes.are_free()
            && self.owes_no_sweep()
    }

    /// The paths that do not get through by themselves.
    pub fn stuck(&self) -> impl Iterator<Item = &RelPath> {
        self.stuck.iter().map(|(path, _)| path)
    }

    /// Whether a path has not arrived yet, or a full sync stands for it.
    pub fn owes(&self, path: &[u8]) -> bool {
        self.full_sync_is_owed()
            || self.pending.contains(path)
            || self.stuck.paths().contains(path)
            || self.stuck.refused().contains(path)
            || self.bulk.waiting().contains(path)
            || self.second_look.contains(path)
            || self.lanes.iter().any(|flight| flight.carries(path))
    }

    /// Whether the last job failed as a whole.
    pub fn is_failing(&self) -> bool {
        self.backoff.is_failing()
    }

    /// The far side takes what a job on its way brings.
    pub fn has_answered(&mut self) {
        self.far_side.answers = true;
    }

    /// Whether it has answered since it failed last as a whole.
    pub fn answers(&self) -> bool {
        self.far_side.answers
    }

    /// Whether a job is on its way.
    pub fn is_busy(&self) -> bool {
        !self.lanes.are_free()
    }

    /// Whether this job is.
    pub fn is_flying(&self, job: JobId) -> bool {
        self.lanes.has(job)
    }

    /// How many are.
    pub fn jobs(&self) -> usize {
        self.lanes.iter().count()
    }

    /// Whether a large file is.
    pub fn sends_large_file(&self) -> bool {
        self.lanes.in_lane(Lane::Bulk).is_some()
    }

    /// Whether a sweep is.
    pub fn sweeps(&self) -> bool {
        self.lanes.has_sweep()
    }

    /// Whether `job` may send something under this name, or let it stand.
    pub fn reaches(&self, job: JobId, path: &[u8]) -> bool {
        self.lanes.iter().any(|flight| flight.job == job && flight.reaches(path))
    }

    /// Whether `job`, which is to delete what had this name over there, may keep it: with a directory above it may, and by
    /// its own name it does not. `None` if it is not to.
    pub fn may_keep(&self, job: JobId, path: &[u8]) -> Option<bool> {
        let flight = self.lanes.get(job)?;
        match flight.deletes(path) {
            Gone::No => flight.empties_above(path).then_some(true),
            Gone::Entry | Gone::Directory => Some(false),
        }
    }

    /// rsync processes that the jobs on their way may run at the same time.
    pub fn processes(&self) -> usize {
        self.lanes.iter().map(Flight::processes).sum()
    }

    /// Whether it may delete what nobody saw disappear.
    fn deletes_unseen(&self) -> bool {
        let grants = self.grants(self.far_side.attempt());
        let flies = self.lanes.iter().any(|flight| flight.unseen);
        grants.of_sweeps().covers_unseen() && (self.trust.permits() || flies)
    }

    /// What a job may be allowed to delete where nothing is in doubt.
    fn grants(&self, attempt: Attempt) -> Grants {
        match attempt {
            Attempt::First(_) | Attempt::Portable { .. } => self.settings.grants,
            Attempt::Withheld => self.settings.grants.withheld(),
        }
    }

    /// Whether what was seen to disappear is deleted there.
    fn deletes_seen(&self) -> bool {
        self.settings.grants.of_paths().covers_seen()
    }

    /// The schedule wants a full sync.
    pub fn schedule_full_sync(&mut self) {
        self.sweep.schedule();
    }

    /// Whether a full sync is on its way, or is to run.
    pub fn owes_full_sync(&self) -> bool {
        let flies = self.is_syncing_fully();
        flies || self.sweep.is_full_or_scheduled() || self.stuck.has_full_sync()
    }

    /// What has arrived beside a sweep is taken for certain: a fault for the model to find.
    #[cfg(test)]
    pub fn forget_second_look(&mut self) {
        self.second_look.take();
    }

    /// What lies below these places is away from now on, and stays on the far side.
    pub fn spare(&mut self, away: Vec<RelPath>) {
        self.away = away;
        self.standing.names_changed();
        self.owed.changed();
    }

    /// Everything has to be made equal.
    pub fn need_full_sync(&mut self) {
        self.sweep.need_full();
        self.standing.names_changed();
    }

    /// Whatever waits for a pause to end is tried at once, and so is what the far side has refused.
    pub fn try_now(&mut self) {
        self.backoff.try_now();
        self.stuck.try_now();
        self.ask_again();
    }
}
