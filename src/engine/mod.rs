//! What to do, without doing it: events in, actions out.
//!
//! The engine makes no system call, reads no clock and starts no thread. Its owner hands it
//! [`Input`]s with [`Engine::handle`], then takes [`Action`]s with [`Engine::poll_action`] until
//! there are none, does them, and waits for the next input or for the time that
//! [`Engine::poll_timeout`] gives, whichever is first. Time only goes forward, and every call that
//! takes it may be given the same time again.

mod ground;
mod interface;
#[cfg(test)]
mod model;
mod next_job;
pub mod rel_path;
mod remotes;
mod roots;
pub mod sending;
pub mod snapshot;
pub mod succession;
pub mod tally;
pub mod time;
pub mod watching;

pub use self::interface::{
    Action, Halt, Input, Job, JobId, RemoteId, Report, RootId, RootSettings, Settings, Shift, Work,
};
pub use self::remotes::NextRemote;

use self::sending::arrivals::Arrivals;
use self::sending::change::Change;
use self::sending::next::Next;
use self::sending::remote::Remote;
use self::sending::settings::SendingSettings;
use self::sending::standing::Standing;
use self::sending::trust::{Deletions, Trust};
use self::time::Time;
use self::watching::mounts::{MountChange, Mounts};
use self::watching::root::{Fate, Root};
use self::watching::scan::Origin;
use self::watching::watches::WatchAction;
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::plan::Gone;
use crate::rsync::told::exit::ExitStatus;
use crate::rsync::told::outcome::Outcome;
use std::collections::VecDeque;

/// How often a halted root is looked at.
const CHECK_MS: u64 = 1_000;

#[derive(Debug)]
struct WatchedRoot {
    root: Root,
    remotes: std::ops::Range<usize>,
    was_complete: bool,
    was_unwatched: bool,
    halt: Option<Halt>,
    /// Whether the halt has been reported. It is not before it is known that the path of the root does not
    /// lead to another directory, as it does when a symlink has been switched.
    halt_is_said: bool,
    /// When a halted root is looked at next.
    check_at: Time,
    /// The last job that started on what the root's path led to before.
    last_job_before: JobId,
    mounts: Mounts,
    /// What a plugin is to be told, if there is one.
    arrivals: Option<Arrivals>,
    /// Events, what they meant, and overflows, since the start.
    events: u64,
    changes: u64,
    overflows: u64,
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
    sending: SendingSettings,
    roots: Vec<WatchedRoot>,
    remotes: Vec<Served>,
    actions: VecDeque<Action>,
    last_job: u64,
    /// How often the remotes have become others.
    successions: u64,
    stopping: bool,
}

impl Engine {
    /// Builds it; the first actions are the scans of the roots.
    pub fn new(settings: Settings) -> Engine {
        let mut engine = Engine {
            workers: settings.workers.max(1),
            sending: settings.sending,
            roots: Vec::new(),
            remotes: Vec::new(),
            actions: VecDeque::new(),
            last_job: 0,
            successions: 0,
            stopping: false,
        };
        for (number, settled) in settings.roots.into_iter().enumerate() {
            let first = engine.remotes.len();
            let remotes = first..first + settled.remotes.len();
            for (seed, (standing, trust)) in remotes.clone().zip(&settled.remotes) {
                let remote = Remote::new(settings.sending, *standing, *trust, seed as u64);
                // What an earlier run has found is said again, since nobody may have read what that said.
                if let Some((doubt, deletions)) = trust.waits_for() {
                    let report = Report::DeletionsWait(RemoteId(seed), doubt, deletions);
                    engine.actions.push_back(Action::Report(report));
                }
                engine.remotes.push(Served { remote, root: number, said: None });
            }
            let mut root = Root::new(settings.events, settled.filter);
            let halt = settled.halt;
            let is_there = halt != Some(Halt::Missing);
            if is_there {
                root.start(origin(&settled.remotes));
            }
            if let Some(halt) = halt {
                engine.report(Report::Halted(RootId(number), halt));
            }
            let was_complete = !is_there;
            engine.roots.push(WatchedRoot {
                remotes,
                was_complete,
                ..WatchedRoot::new(root, halt)
            });
        }
        engine
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Time) {
        match input {
            Input::Event(id, event) => {
                let watched = &mut self.roots[id.0];
                watched.events += event.records();
                let fate = watched.root.handle_event(&event, now);
                self.after(id, fate, now);
            }
            Input::Listing(id, listing) => {
                let fate = self.roots[id.0].root.handle_listing(&listing, now);
                self.after(id, fate, now);
            }
            Input::ScanEnded(id, scan) => {
                let path = self.roots[id.0].root.handle_scan_ended(scan, now);
                for served in &mut self.remotes[self.roots[id.0].remotes.clone()] {
                    if let Some(path) = &path {
                        served.remote.is_read(path, now);
                    }
                }
                self.after(id, Fate::Fine, now);
            }
            Input::ReadUpTo(id, stamp_ns) => {
                let watched = &mut self.roots[id.0];
                watched.root.queue_was_read();
                if watched.root.is_complete() && watched.root.sees_everything() {
                    for served in &mut self.remotes[watched.remotes.clone()] {
                        served.remote.read_up_to(stamp_ns);
                    }
                }
            }
            Input::Seen(id, path, seen) => {
                self.roots[id.0].root.handle_seen(&path, seen, now);
                self.after(id, Fate::Fine, now);
            }
            Input::GroundFound(id, shift) => self.ground_found(id, shift),
            Input::GroundMissing(id) => self.ground_missing(id),
            Input::SecondNames(id, names) => self.roots[id.0].mounts.set_second_names(names),
            Input::Mount(id, at, change) => self.mount_changed(id, &at, change, now),
            Input::Large(job, files) => {
                if let Some(served) = self.served(job) {
                    served.remote.set_apart(job, &files);
                }
            }
            Input::Whole(job, directories) => {
                if let Some(served) = self.served(job) {
                    served.remote.set_whole(job, directories);
                }
            }
            Input::Rehearsed(job, found) => {
                if let Some(served) = self.served(job) {
                    served.remote.set_found(job, found);
                }
            }
            Input::Linked(job, files) => {
                if let Some(root) = self.served(job).map(|served| served.root) {
                    let root = &mut self.roots[root];
                    root.root.sent_linked(files, root.remotes.len() == 1, now);
                }
            }
            Input::Followed(job, links) => {
                if let Some(id) = self.served(job).map(|served| RootId(served.root)) {
                    self.roots[id.0].root.handle_followed(links);
                    self.after(id, Fate::Fine, now);
                }
            }
            Input::Names(id, names, took_ms) => {
                self.roots[id.0].root.handle_names(names, took_ms, now);
                self.after(id, Fate::Fine, now);
            }
            Input::Withheld(job, paths) => {
                if let Some(served) = self.served(job) {
                    served.remote.set_withheld(job, paths);
                }
            }
            Input::Answered(job) => {
                if let Some(served) = self.served(job) {
                    served.remote.has_answered();
                }
            }
            Input::JobEnded(job, outcome, literal) => self.job_ended(job, outcome, literal, now),
            Input::Time => {
                for number in 0..self.roots.len() {
                    let fate = self.roots[number].root.handle_time(now);
                    self.after(RootId(number), fate, now);
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
            if let Some(action) = watched.root.take_action() {
                return Some(match action {
                    WatchAction::Scan(scan) => Action::Scan(id, scan),
                    WatchAction::RemoveWatch(wd) => Action::RemoveWatch(id, wd),
                });
            }
            if let Some(path) = watched.root.take_look(now) {
                return Some(Action::Look(id, path));
            }
            if let Some(wanted) = watched.root.take_search(now) {
                return Some(Action::FindNames(id, wanted));
            }
            if watched.is_gone() && watched.check_at <= now {
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
        let gone = self.roots.iter().filter(|watched| watched.is_gone());
        let checks = gone.map(|watched| watched.check_at);
        roots.chain(jobs.map(|(due, ..)| due)).chain(checks).min()
    }

    /// Whether nothing that has happened is still to be found out about.
    pub fn sees_everything(&self) -> bool {
        self.roots
            .iter()
            .all(|watched| watched.root.is_complete() && watched.root.sees_everything())
    }

    /// Whether the root of a remote is halted.
    pub fn is_halted(&self, id: RemoteId) -> bool {
        self.remotes.get(id.0).is_some_and(|served| self.roots[served.root].halt.is_some())
    }

    /// Whether a root is halted.
    pub fn root_is_halted(&self, id: RootId) -> bool {
        self.roots[id.0].halt.is_some()
    }

    /// The remote that a job on its way is for.
    pub fn remote_of(&self, job: JobId) -> Option<RemoteId> {
        self.remotes.iter().position(|served| served.remote.is_flying(job)).map(RemoteId)
    }

    fn served(&mut self, job: JobId) -> Option<&mut Served> {
        self.remotes.iter_mut().find(|served| served.remote.is_flying(job))
    }

    /// Directories known of a root.
    pub fn directories(&self, id: RootId) -> usize {
        self.roots[id.0].root.directories()
    }

    /// Starts no job any more; those on their way may end.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// From now on somebody wants [`Action::Arrived`].
    pub fn tell_arrivals(&mut self) {
        for watched in &mut self.roots {
            watched.arrivals.get_or_insert_default();
        }
    }

    /// Before the first call of [`Engine::poll_action`]: a disk that was mounted here below a root is away.
    pub fn miss(&mut self, id: RootId, at: &RelPath) {
        self.roots[id.0].mounts.changed(at, MountChange::Went);
        self.spare_what_is_away(id);
    }

    /// Where disks below a root are away. The next run of the program has to know that.
    pub fn away(&self, id: RootId) -> Vec<RelPath> {
        self.roots[id.0].mounts.away()
    }

    /// Before the first call of [`Engine::poll_action`]: what a remote was owed when the program ran
    /// last; `logged` if the fail log says so.
    pub fn owe(
        &mut self,
        id: RemoteId,
        full: bool,
        paths: impl IntoIterator<Item = (RelPath, Gone)>,
        logged: bool,
    ) {
        self.remotes[id.0].remote.owe(full, paths, logged);
    }

    /// What the next run of the program has to know of a remote: up to which time everything has
    /// arrived, whether a full sync is owed, and what else has to be looked at, as far as no look at
    /// the times of files would find it.
    pub fn standing(&self, id: RemoteId) -> (Option<u64>, bool, Vec<(RelPath, Gone)>) {
        let served = &self.remotes[id.0];
        let (complete_ns, full, paths) = served.remote.standing();
        let created = self.roots[served.root].root.created(id.0);
        let paths = paths.chain(created).map(|(path, gone)| (path.clone(), gone));
        (complete_ns, full, paths.collect())
    }

    /// Whether a remote may lose what nobody saw disappear. The next run of the program has to know that as well.
    pub fn trust(&self, id: RemoteId) -> Trust {
        self.remotes[id.0].remote.trust()
    }

    /// A number that changes with what [`Engine::standing`] and [`Engine::trust`] give.
    pub fn standing_version(&self) -> u64 {
        let versions = self.remotes.iter().map(|served| served.remote.standing_version());
        self.version(versions)
    }

    /// Whoever runs the program wants a full sync of everything.
    pub fn full_sync_now(&mut self) {
        self.remotes.iter_mut().for_each(|served| served.remote.need_full_sync());
    }

    /// And whatever waits for a pause to end to be tried at once.
    pub fn try_now(&mut self) {
        self.remotes.iter_mut().for_each(|served| served.remote.try_now());
    }

    /// Whoever runs the program says yes to the deletions that wait. Gives which did.
    pub fn confirm_deletions(&mut self) -> Vec<(RemoteId, Deletions)> {
        let confirmed = |(number, served): (usize, &mut Served)| {
            let (_, deletions) = served.remote.trust().waits_for()?;
            served.remote.confirm_deletions().then_some((RemoteId(number), deletions))
        };
        self.remotes.iter_mut().enumerate().filter_map(confirmed).collect()
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
    pub fn owed(
        &self,
        id: RemoteId,
        end: bool,
    ) -> (bool, Vec<(RelPath, Gone)>, Option<ExitStatus>) {
        let remote = &self.remotes[id.0].remote;
        let (full, paths) = remote.owed(end);
        (full, paths, remote.last_failure())
    }

    /// A number that changes with what belongs into the fail log.
    pub fn owed_version(&self) -> u64 {
        self.version(self.remotes.iter().map(|served| served.remote.owed_version()))
    }

    /// Whether a remote is owed nothing, and nothing is on its way to it.
    pub fn remote_is_in_step(&self, id: RemoteId) -> bool {
        self.remotes[id.0].remote.is_in_step()
    }

    /// What an input did to a root: its changes go to its remotes.
    fn after(&mut self, id: RootId, fate: Fate, now: Time) {
        let watched = &mut self.roots[id.0];
        let mut changes = watched.root.take_changes();
        for at in 0..changes.len() {
            let (path, change) = changes[at].clone();
            changes.extend(watched.mounts.other_names(&path).map(|other| (other, change)));
        }
        watched.changes += changes.len() as u64;
        let is_gone = |(_, change): &&(RelPath, Change)| matches!(change, Change::Delete { .. });
        let gone = changes.iter().filter(is_gone);
        if gone.fold(false, |any, (path, _)| watched.mounts.deleted(path) || any) {
            self.spare_what_is_away(id);
        }
        let watched = &mut self.roots[id.0];
        for (path, change) in changes {
            for number in watched.remotes.clone() {
                if self.remotes[number].remote.change(&path, change, now) {
                    self.actions.push_back(Action::Report(Report::TooMany(RemoteId(number))));
                }
            }
            if let Some(arrivals) = &mut watched.arrivals {
                let remotes = &self.remotes[watched.remotes.clone()];
                arrivals.change(&path, change, remotes.iter().map(|served| &served.remote));
            }
        }
        for directory in watched.root.take_too_long() {
            self.actions.push_back(Action::Report(Report::TooLong(id, directory)));
        }
        for rename in watched.root.take_renames() {
            for served in &mut self.remotes[watched.remotes.clone()] {
                served.remote.renamed(&rename);
            }
        }
        match fate {
            Fate::Fine => {}
            Fate::Overflowed => {
                watched.overflows += 1;
                self.start_over(id);
                self.report(Report::Overflowed(id));
            }
            Fate::Forgot => self.report(Report::Forgot(id)),
            Fate::LostCount => self.start_over(id),
            Fate::Lost => self.halt(id, now),
        }
        let watched = &mut self.roots[id.0];
        let complete = watched.root.is_complete();
        if complete && !watched.was_complete {
            let report = Report::Watching(id, watched.root.directories());
            self.actions.push_back(Action::Report(report));
        }
        watched.was_complete = complete;
        let unwatched = watched.root.has_unwatched();
        if unwatched != watched.was_unwatched && (unwatched || watched.root.sees_everything()) {
            watched.was_unwatched = unwatched;
            let directories = watched.root.directories();
            self.report(match unwatched {
                true => Report::Unwatched(id, directories),
                false => Report::AllWatched(id),
            });
        }
    }

    fn job_ended(&mut self, job: JobId, outcome: Outcome, literal: Option<u64>, now: Time) {
        let flying = self.remotes.iter().position(|served| served.remote.is_flying(job));
        let Some(number) = flying else { return };
        self.remote_is_free(RemoteId(number), job, outcome, literal, now);
        let id = self.remotes[number].root;
        let watched = &mut self.roots[id];
        if let Some(arrivals) = &mut watched.arrivals {
            let remotes = &self.remotes[watched.remotes.clone()];
            let arrived = arrivals.take(remotes.iter().map(|served| &served.remote));
            if !arrived.is_empty() {
                self.actions.push_back(Action::Arrived(RootId(id), arrived));
            }
        }
    }

    /// The job of a remote has ended: what follows from that for the remote.
    fn remote_is_free(
        &mut self,
        id: RemoteId,
        job: JobId,
        outcome: Outcome,
        literal: Option<u64>,
        now: Time,
    ) {
        let number = id.0;
        let served = &mut self.remotes[number];
        served.remote.sent(literal.unwrap_or(0));
        let root = &mut self.roots[served.root].root;
        for path in root.unseen() {
            served.remote.is_half_read(job, path);
        }
        root.may_be_sent(|path| served.remote.reaches(job, path));
        root.may_be_kept(number, |path| served.remote.may_keep(job, path));
        let Some(next) = served.remote.finish(job, &outcome, now) else { return };
        match next {
            Next::Arrived { sent, took_ms, back, learned, unwanted } => {
                if learned {
                    self.report(Report::PortableDeletes(id));
                }
                for (why, line) in unwanted {
                    self.report(Report::Unwanted(id, why, line));
                }
                if back {
                    self.report(Report::Back(id));
                }
                if outcome != Outcome::Nothing {
                    self.report(Report::Arrived(id, sent, took_ms, literal));
                }
                self.remotes[number].said = None;
            }
            Next::Rehearsed(waits) => {
                self.start_again(id, job, now);
                if let Some((doubt, deletions)) = waits {
                    self.report(Report::DeletionsWait(id, doubt, deletions));
                }
            }
            Next::Again { refused } => {
                self.start_again(id, job, now);
                if let Some(failure) = outcome.failure().filter(|_| refused) {
                    self.report(Report::DeletionsRefused(id, failure.clone()));
                }
            }
            Next::Waits { learned } => {
                if learned {
                    self.report(Report::OneConnection(id));
                }
            }
            Next::Partial(retry) => {
                if let Some(failure) = outcome.failure() {
                    self.report(Report::Partial(id, failure.clone(), retry));
                }
            }
            Next::Failed { pause_ms } => match outcome.failure() {
                Some(failure) if served.said.as_ref() != Some(&failure.reason) => {
                    served.said = Some(failure.reason.clone());
                    self.report(Report::Failed(id, failure.clone(), pause_ms));
                }
                Some(_) => {}
                // rsync has not failed: the root is another directory than when the job started.
                None => {
                    let root = RootId(served.root);
                    if job > self.roots[root.0].last_job_before {
                        self.halt(root, now);
                    }
                }
            },
        }
    }

    /// A job leaves again at once.
    fn start_again(&mut self, id: RemoteId, job: JobId, now: Time) {
        self.last_job += 1;
        let (again, served) = (JobId(self.last_job), &mut self.remotes[id.0]);
        let root = RootId(served.root);
        if let Some(work) = served.remote.start_again(job, again, now) {
            self.actions.push_back(Action::Run(Job { id: again, root, remote: id, work }));
        }
    }

    fn report(&mut self, report: Report) {
        self.actions.push_back(Action::Report(report));
    }
}

/// What the first walk looks for.
fn origin(remotes: &[(Standing, Trust)]) -> Origin {
    let since = remotes.iter().filter_map(|(standing, _)| standing.since_ns());
    since.min().map_or(Origin::Start, Origin::Since)
}
