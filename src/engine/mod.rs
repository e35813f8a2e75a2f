//! What to do, without doing it: events in, actions out.
//!
//! The engine makes no system call, reads no clock and starts no thread. Its owner hands it
//! [`Input`]s with [`Engine::handle`], then takes [`Action`]s with [`Engine::poll_action`] until
//! there are none, does them, and waits for the next input or for the time that
//! [`Engine::poll_timeout`] gives, whichever is first. Time only goes forward, and every call that
//! takes it may be given the same time again.

pub mod backoff;
pub mod event;
pub mod filter;
#[cfg(test)]
mod model;
pub mod pending;
pub mod remote;
pub mod root;
pub mod scan;
pub mod schedule;
pub mod settle;
pub mod time;
pub mod tree;
pub mod watches;

use self::event::{RawEvent, Wd};
use self::filter::Filter;
use self::pending::Path;
use self::remote::{Remote, Verdict};
use self::root::{Fate, Root};
use self::scan::{Listing, Scan, ScanId};
use self::settle::Seen;
use self::time::Time;
use self::watches::Order;
use crate::config;
use crate::rsync::outcome::{classify, reason, Class, Ended, Status};
use crate::rsync::plan::{Deletes, Gone};
use std::collections::VecDeque;
use std::sync::Arc;

/// A root, by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub usize);

/// A remote, counted over all roots in the order of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteId(pub usize);

/// Numbers the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What the engine needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Jobs at the same time, all remotes together (`-n`); at least 1.
    pub workers: usize,
    /// When batches leave.
    pub batch: config::Batch,
    /// Which events count.
    pub events: config::Events,
    /// Push everything once, as soon as everything is watched (`-r`).
    pub full_sync: bool,
    /// Full syncs delete what only the far side has.
    pub mirror: bool,
    /// How deletions are tried first on every remote.
    pub deletes: Deletes,
    /// The roots.
    pub roots: Vec<RootSettings>,
}

/// What the engine needs to know of a root.
#[derive(Debug, Clone)]
pub struct RootSettings {
    /// What it leaves out.
    pub filter: Arc<Filter>,
    /// How many remotes it has.
    pub remotes: usize,
    /// It is empty, and a full sync would delete everything on its remotes: that looks like a disk
    /// that is not mounted, so nothing is synced before something is in it.
    pub empty: bool,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The kernel told something about a root.
    Event(RootId, RawEvent),
    /// The walk has read a directory.
    Listing(RootId, Listing),
    /// The walk has ended a scan.
    ScanEnded(RootId, ScanId),
    /// The answer to [`Action::Look`].
    Seen(RootId, Path, Seen),
    /// The answer to [`Action::CheckRoot`], if it can be synced again.
    RootBack(RootId),
    /// A job has ended. Events that the kernel had told before are to be handed in first: then
    /// whatever the job can have seen is known to have been there.
    JobEnded(JobId, JobEnd),
    /// Time has passed.
    Time,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// rsync ran, or could not be started.
    Ran {
        /// How it ended.
        ended: Ended,
        /// The paths, relative to the root, that it said did not get through; empty if it did not
        /// say, or not reliably.
        named: Vec<Vec<u8>>,
    },
    /// There was nothing to do: of the paths that should have been sent, none is there any more.
    Nothing,
    /// The root is not the directory that it was at start, so nothing was run.
    RootChanged,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Have a directory read, and watched if the scan says so.
    Scan(RootId, Scan),
    /// Take a watch back.
    RemoveWatch(RootId, Wd),
    /// Look what a created file is, at once.
    Look(RootId, Path),
    /// Look whether a root that is gone is back, with something in it.
    CheckRoot(RootId),
    /// Have a job run.
    Run(Job),
    /// Tell the user.
    Report(Report),
}

/// One piece of work for a worker: one rsync run, or two where deletions need their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Given back with its end.
    pub id: JobId,
    /// Whose files.
    pub root: RootId,
    /// To where.
    pub remote: RemoteId,
    /// What.
    pub work: Work,
}

/// What a job has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Make paths equal, whatever they are now.
    Batch {
        /// How deletions are done.
        deletes: Deletes,
        /// The far side can have none of them, so that nothing has to be compared.
        fresh: bool,
        /// Run it as two processes at the same time, each with one half.
        split: bool,
        /// The paths, sorted, and what disappeared under each name.
        paths: Vec<(Path, Gone)>,
    },
    /// Make the whole root equal.
    FullSync {
        /// The schedule wants it, and nothing else: then its own filter counts as well.
        scheduled: bool,
        /// Delete what only the far side has.
        delete: bool,
    },
}

/// What the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A root is watched completely for the first time, or again after an overflow.
    Watching(RootId, usize),
    /// A batch has arrived; so many paths, or a full sync if `None`.
    Arrived(RemoteId, Option<usize>, u64),
    /// A remote that had failed works again.
    Back(RemoteId),
    /// A job failed as a whole; said once until the remote is back or fails for another reason.
    Failed(RemoteId, JobEnd, u64),
    /// Some paths of a job did not get through, these if rsync named them; tried again unless given
    /// up.
    Partial(RemoteId, Ended, Vec<Vec<u8>>, bool),
    /// A remote's rsync does not know combined deletes.
    PortableDeletes(RemoteId),
    /// More paths were pending than fit; they became a full sync.
    TooMany(RemoteId),
    /// The kernel's queue overflowed: everything is read again.
    Overflowed(RootId),
    /// A root halts; nothing of it is synced until it is back.
    Halted(RootId, Halt),
    /// A halted root is synced again, with a full sync first.
    Resumed(RootId),
}

/// Why a root must not be synced now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// It was deleted, moved, unmounted, or is not the directory that it was.
    Lost,
    /// It is empty, and a full sync would delete everything on its remotes.
    Empty,
}

/// How often a halted root is looked at.
const CHECK_MS: u64 = 1_000;

#[derive(Debug)]
struct WatchedRoot {
    root: Root,
    remotes: std::ops::Range<usize>,
    was_complete: bool,
    halt: Option<Halt>,
    /// When a halted root is looked at next.
    check_at: Time,
}

#[derive(Debug)]
struct Served {
    remote: Remote,
    root: usize,
    /// What was said of its last failure.
    said: Option<String>,
}

/// The engine; the module's page says how it is driven.
#[derive(Debug)]
pub struct Engine {
    workers: usize,
    roots: Vec<WatchedRoot>,
    remotes: Vec<Served>,
    actions: VecDeque<Action>,
    last_job: u64,
    stopping: bool,
}

impl Engine {
    /// Builds it; the first actions are the scans of the roots.
    pub fn new(settings: Settings) -> Engine {
        let mut engine = Engine {
            workers: settings.workers.max(1),
            roots: Vec::new(),
            remotes: Vec::new(),
            actions: VecDeque::new(),
            last_job: 0,
            stopping: false,
        };
        for (number, settled) in settings.roots.into_iter().enumerate() {
            let first = engine.remotes.len();
            for seed in first..first + settled.remotes {
                let mut remote =
                    Remote::new(settings.batch, settings.deletes, settings.mirror, seed as u64);
                if settings.full_sync {
                    remote.need_full_sync();
                }
                engine.remotes.push(Served { remote, root: number, said: None });
            }
            let mut root = Root::new(settings.events, settled.filter);
            root.start();
            let remotes = first..first + settled.remotes;
            let halt = settled.empty.then_some(Halt::Empty);
            if let Some(halt) = halt {
                engine.report(Report::Halted(RootId(number), halt));
            }
            let (was_complete, check_at) = (false, Time(0));
            engine.roots.push(WatchedRoot { root, remotes, was_complete, halt, check_at });
        }
        engine
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Time) {
        match input {
            Input::Event(id, event) => {
                let fate = self.roots[id.0].root.handle_event(&event, now);
                self.after(id, fate, now);
            }
            Input::Listing(id, listing) => {
                let fate = self.roots[id.0].root.handle_listing(&listing, now);
                self.after(id, fate, now);
            }
            Input::ScanEnded(id, scan) => {
                let path = self.roots[id.0].root.handle_scan_ended(scan);
                for served in &mut self.remotes[self.roots[id.0].remotes.clone()] {
                    if let Some(path) = &path {
                        served.remote.seen(path, now);
                    }
                }
                self.after(id, Fate::Fine, now);
            }
            Input::Seen(id, path, seen) => {
                self.roots[id.0].root.handle_seen(&path, seen, now);
                self.after(id, Fate::Fine, now);
            }
            Input::RootBack(id) => self.root_back(id),
            Input::JobEnded(job, end) => self.job_ended(job, end, now),
            Input::Time => {
                for number in 0..self.roots.len() {
                    self.roots[number].root.handle_time(now);
                    self.after(RootId(number), Fate::Fine, now);
                }
            }
        }
    }

    /// The next thing to do; `None` when there is nothing more at this time.
    pub fn poll_action(&mut self, now: Time) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        for (number, watched) in self.roots.iter_mut().enumerate() {
            let id = RootId(number);
            if let Some(order) = watched.root.take_order() {
                return Some(match order {
                    Order::Scan(scan) => Action::Scan(id, scan),
                    Order::RemoveWatch(wd) => Action::RemoveWatch(id, wd),
                });
            }
            if let Some(path) = watched.root.take_look(now) {
                return Some(Action::Look(id, path));
            }
            if watched.halt == Some(Halt::Lost) && watched.check_at <= now {
                watched.check_at = now + CHECK_MS;
                return Some(Action::CheckRoot(id));
            }
        }
        self.start_job(now).map(Action::Run)
    }

    /// When [`Input::Time`] is to be handed in, if nothing happens before; `None`: never.
    pub fn poll_timeout(&self) -> Option<Time> {
        let roots = self.roots.iter().filter_map(|watched| watched.root.next_deadline());
        let may_start = !self.stopping && self.running() < self.workers;
        let jobs = may_start.then(|| self.next_job()).flatten();
        let halted = self.roots.iter().filter(|watched| watched.halt == Some(Halt::Lost));
        let checks = halted.map(|watched| watched.check_at);
        roots.chain(jobs.map(|(due, _)| due)).chain(checks).min()
    }

    /// Directories known of a root.
    pub fn directories(&self, id: RootId) -> usize {
        self.roots[id.0].root.directories()
    }

    /// Starts no job any more; those on their way may end.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Before the first call of [`Engine::poll_action`]: what a remote was owed when the program ran
    /// last.
    pub fn owe(&mut self, id: RemoteId, full: bool, paths: impl IntoIterator<Item = (Path, Gone)>) {
        self.remotes[id.0].remote.owe(full, paths);
    }

    /// The schedule wants a full sync of a remote.
    pub fn schedule_full_sync(&mut self, id: RemoteId) {
        self.remotes[id.0].remote.schedule_full_sync();
    }

    /// Whether a full sync of a remote is on its way, or is to run.
    pub fn owes_full_sync(&self, id: RemoteId) -> bool {
        self.remotes[id.0].remote.owes_full_sync()
    }

    /// What a remote is owed, as far as it belongs into the fail log, or at the `end` all of it: a
    /// full sync, paths, and how the last failed job ended.
    pub fn owed(&self, id: RemoteId, end: bool) -> (bool, Vec<(Path, Gone)>, Option<Status>) {
        let remote = &self.remotes[id.0].remote;
        let (full, paths) = remote.owed(end);
        (full, paths, remote.last_failure())
    }

    /// A number that changes with what belongs into the fail log.
    pub fn owed_version(&self) -> u64 {
        self.remotes.iter().map(|served| served.remote.owed_version()).sum()
    }

    /// Whether a remote is owed nothing, and nothing is on its way to it.
    pub fn remote_is_in_step(&self, id: RemoteId) -> bool {
        self.remotes[id.0].remote.is_in_step()
    }

    /// What an input did to a root: its changes go to its remotes.
    fn after(&mut self, id: RootId, fate: Fate, now: Time) {
        let watched = &mut self.roots[id.0];
        let changes = watched.root.take_changes();
        if watched.halt == Some(Halt::Empty) && !changes.is_empty() {
            watched.halt = None;
            self.actions.push_back(Action::Report(Report::Resumed(id)));
        }
        for (path, what) in changes {
            for number in watched.remotes.clone() {
                if self.remotes[number].remote.change(&path, what, now) {
                    self.actions.push_back(Action::Report(Report::TooMany(RemoteId(number))));
                }
            }
        }
        match fate {
            Fate::Fine => {}
            Fate::Overflowed => {
                watched.root.start();
                for served in &mut self.remotes[watched.remotes.clone()] {
                    served.remote.need_full_sync();
                }
                self.actions.push_back(Action::Report(Report::Overflowed(id)));
            }
            Fate::Lost => self.halt(id, now),
        }
        let watched = &mut self.roots[id.0];
        let complete = watched.root.is_complete();
        if complete && !watched.was_complete {
            let report = Report::Watching(id, watched.root.directories());
            self.actions.push_back(Action::Report(report));
        }
        watched.was_complete = complete;
    }

    /// Nothing of a root is synced until [`Input::RootBack`].
    fn halt(&mut self, id: RootId, now: Time) {
        let watched = &mut self.roots[id.0];
        if watched.halt.replace(Halt::Lost) != Some(Halt::Lost) {
            watched.check_at = now + CHECK_MS;
            self.report(Report::Halted(id, Halt::Lost));
        }
    }

    fn root_back(&mut self, id: RootId) {
        let watched = &mut self.roots[id.0];
        if watched.halt.take().is_none() {
            return;
        }
        watched.root.start();
        for served in &mut self.remotes[watched.remotes.clone()] {
            served.remote.need_full_sync();
        }
        self.report(Report::Resumed(id));
    }

    fn job_ended(&mut self, job: JobId, end: JobEnd, now: Time) {
        let flying = self.remotes.iter().position(|served| served.remote.is_flying(job));
        let Some(number) = flying else { return };
        let id = RemoteId(number);
        let (class, ended, named) = match &end {
            JobEnd::Ran { ended, named } => {
                // The worker has looked: the root is there, so it is the remote that fails.
                let class = Some(classify(ended)).filter(|class| *class != Class::SourceGone);
                (class.unwrap_or(Class::Unreachable), ended.clone(), named.as_slice())
            }
            JobEnd::Nothing => (Class::Done, nothing_ran(), &[][..]),
            JobEnd::RootChanged => (Class::SourceGone, nothing_ran(), &[][..]),
        };
        let served = &mut self.remotes[number];
        for path in self.roots[served.root].root.unseen() {
            served.remote.unseen_when_job_ends(path);
        }
        let Some(verdict) = served.remote.finish(class, &ended, named, now) else { return };
        match verdict {
            Verdict::Arrived { paths, took_ms, back, learned } => {
                if learned {
                    self.report(Report::PortableDeletes(id));
                }
                if back {
                    self.report(Report::Back(id));
                }
                if end != JobEnd::Nothing {
                    self.report(Report::Arrived(id, paths, took_ms));
                }
                self.remotes[number].said = None;
            }
            Verdict::Again => {
                self.last_job += 1;
                let (job, root) = (JobId(self.last_job), RootId(served.root));
                if let Some(work) = served.remote.start_again(job, now) {
                    self.actions.push_back(Action::Run(Job { id: job, root, remote: id, work }));
                }
            }
            Verdict::Partial { given_up } => {
                self.report(Report::Partial(id, ended, named.to_vec(), given_up));
            }
            Verdict::Failed { .. } if end == JobEnd::RootChanged => {
                let root = RootId(served.root);
                self.halt(root, now);
            }
            Verdict::Failed { pause_ms } => {
                let reason = reason(&ended);
                if served.said.as_ref() != Some(&reason) {
                    served.said = Some(reason);
                    self.report(Report::Failed(id, end, pause_ms));
                }
            }
        }
    }

    fn report(&mut self, report: Report) {
        self.actions.push_back(Action::Report(report));
    }

    /// rsync processes, by what the jobs on their way may start.
    fn running(&self) -> usize {
        self.remotes.iter().map(|served| served.remote.processes()).sum()
    }

    /// The remote whose job is due first, of those that may start one, and when.
    fn next_job(&self) -> Option<(Time, usize)> {
        // Remotes that fail, perhaps by hanging, get at most half of the workers: those that work
        // always find one.
        let failing = |served: &&Served| served.remote.is_failing();
        let failing_now =
            self.remotes.iter().filter(failing).filter(|served| served.remote.is_busy()).count();
        let failing_max = (self.workers / 2).max(1);
        let candidates = self.remotes.iter().enumerate().filter(|(_, served)| {
            self.roots[served.root].halt.is_none()
                && (failing_now < failing_max || !served.remote.is_failing())
        });
        candidates
            .filter_map(|(number, served)| {
                let complete = self.roots[served.root].root.is_complete();
                served.remote.due(complete).map(|due| (due, number))
            })
            .min()
    }

    fn start_job(&mut self, now: Time) -> Option<Job> {
        let free = self.workers.saturating_sub(self.running());
        if self.stopping || free == 0 {
            return None;
        }
        let (_, number) = self.next_job().filter(|(due, _)| *due <= now)?;
        let served = &mut self.remotes[number];
        let complete = self.roots[served.root].root.is_complete();
        self.last_job += 1;
        let id = JobId(self.last_job);
        let work = served.remote.start(id, complete, free, now);
        Some(Job { id, root: RootId(served.root), remote: RemoteId(number), work })
    }
}

/// The end of a job for which no process was needed.
fn nothing_ran() -> Ended {
    Ended { status: Status::Exited(0), stderr: Vec::new() }
}
