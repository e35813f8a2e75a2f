//! The loop: the one place that waits, and the one thread that owns all state.
//!
//! It translates between the system and the engine: what a descriptor tells becomes an
//! [`Input`], and each [`Action`] becomes a system call or a message to another thread.

mod changing;
mod ending;
mod keeping;
mod looking;
mod moving;
mod reading;
mod roots;
mod showing;
mod standing_by;
mod too_long;

use self::reading::Reading;
use crate::config::{self, Config};
use crate::engine::rel_path::RelPath;
use crate::engine::sending::licence::Grants;
use crate::engine::sending::standing::Standing;
use crate::engine::sending::trust::Trust;
use crate::engine::time::Time;
use crate::engine::watching::filter::Filter;
use crate::engine::{Action, Engine, Halt, Input, Job, JobId, Report, RootId};
use crate::engine::{RemoteId, RootSettings, Settings, Work};
use crate::keep::disk::Disk;
use crate::keep::faillog::ledger::Ledger;
use crate::keep::state::ground::KeptGround;
use crate::keep::state::saver::Saver;
use crate::keep::state::Kept;
use crate::rsync::told::exit::Exit;
use crate::rsync::told::outcome::Outcome;
use crate::run::control::Control;
use crate::run::crontab::Crontab;
use crate::run::ground::below::Below;
use crate::run::ground::lookout::{Lookout, Sighting};
use crate::run::ground::Ground;
use crate::run::reaper::Reaper;
use crate::run::setup::{ReadAgain, Setup};
use crate::run::ssh::Sockets;
use crate::run::standbys::Standbys;
use crate::run::walk::{Trouble, WalkMessage, WalkedRoot, Walks};
use crate::run::worker::{
    share_connections, Finished, Standby, WorkerMessage, WorkerRemote, Workers,
};
use crate::sorted::SortedSet;
use crate::sys::channel::{channel, Receiver};
use crate::sys::clock;
use crate::sys::epoll::Epoll;
use crate::sys::inotify::Inotify;
use crate::sys::lock::Lock;
use crate::sys::signal::Signals;
use crate::sys::thread;
use crate::tell::alert::Alerts;
use crate::tell::logging;
use crate::tell::plugin::Plugins;
use crate::tell::report::Reporter;
use crate::tell::status::StatusPage;
use nix::sys::signal::Signal;
use std::cell::RefCell;
use std::io::{self, PipeReader, PipeWriter};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Running jobs get this long when the program is asked to end; then they are ended.
const STOP_MS: u64 = 7_000;
/// What they get after that to be gone.
const KILL_MS: u64 = 2_000;

/// What epoll gives back for each descriptor that is waited for. The inotify instances of the roots are
/// numbered from `FIRST_ROOT` on.
const SIGNALS: u64 = 0;
const JOBS: u64 = 1;
const WALKS: u64 = 2;
const DISK: u64 = 3;
const PLUGINS: u64 = 4;
const ALERTS: u64 = 5;
const STATUS: u64 = 6;
const GROUNDS: u64 = 7;
const CONTROL: u64 = 8;
const FIRST_ROOT: u64 = 9;

struct Loop {
    engine: Engine,
    epoll: Epoll,
    signals: Signals,
    roots: Vec<Arc<WalkedRoot>>,
    remotes: Vec<Arc<WorkerRemote>>,
    /// The sockets of shared SSH connections; dropping them closes the connections.
    sockets: Vec<Sockets>,
    workers: Workers,
    from_workers: Receiver<WorkerMessage>,
    standbys: Standbys<Standby>,
    /// How many processors there are for this program.
    processors: usize,
    /// What each root's path leads to, as far as is known; none if it has led nowhere so far.
    grounds: Vec<Option<Ground>>,
    /// For each remote, what its root's path led to in the last run.
    last_grounds: Vec<Option<KeptGround>>,
    /// For each root, where disks are mounted below it.
    mounted: Vec<Vec<RelPath>>,
    /// For each root, directories that are left out because something in them has too long a path.
    too_long: Vec<SortedSet<RelPath>>,
    lookout: Lookout,
    from_lookout: Receiver<Sighting>,
    walks: Walks,
    from_walks: Receiver<WalkMessage>,
    reporter: Reporter,
    ledger: Ledger,
    /// What the remotes may lose by what the fail log says.
    grants: Grants,
    crontab: Crontab,
    disk: Disk,
    saver: Saver,
    plugins: Option<Plugins>,
    alerts: Option<Alerts>,
    status: StatusPage,
    /// The status server has answered enough for now, and its descriptor is not waited for.
    status_rests: bool,
    /// When the process started.
    started: Instant,
    clock: Instant,
    reading: Reading,
    /// Called when every root that is there is watched.
    ready: Option<Box<dyn FnOnce()>>,
    debug: bool,
    /// When the running jobs are ended, once the program has been asked to end.
    stop_at: Option<Time>,
    /// Closed to end the running jobs.
    running: Option<PipeWriter>,
    /// Told when this instance ends.
    lock: Option<Rc<RefCell<Lock>>>,
    read_again: ReadAgain,
    /// Commands ask here; without a socket none can.
    control: Option<Control>,
    /// Where they ask.
    control_at: PathBuf,
    /// Lets go of what has lost its parent, where that is this process's to do.
    reaper: Option<Reaper>,
    /// A configuration that has been read again: this loop ends, and the next one begins with it.
    next: Option<Setup>,
    /// This configuration, to be compared with the next one.
    config: Config,
    /// What is known of remotes that are in no configuration now.
    away: Vec<Kept>,
    /// Jobs on their way to remotes that have been taken out.
    left_jobs: usize,
    /// Becomes readable when the running jobs are to end.
    stop: PipeReader,
}

/// What one loop leaves to the next when the configuration has been read again.
struct Heirloom {
    signals: Signals,
    control: Option<Control>,
    reaper: Option<Reaper>,
    roots: Vec<Arc<WalkedRoot>>,
    started: Instant,
}

/// Watches and syncs until a signal asks it to end.
///
/// # Errors
/// What the program needs to start with is not to be had: descriptors, an inotify instance, threads.
pub fn run(mut setup: Setup) -> io::Result<()> {
    let asks = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];
    let (signals, roots) = (Signals::catch(&[&asks[..], &[Signal::SIGCHLD]].concat())?, Vec::new());
    let reaper = Reaper::new();
    let control = control(&setup.control);
    let mut heirloom = Heirloom { signals, control, reaper, roots, started: Instant::now() };
    loop {
        let mut it = Loop::new(setup, heirloom)?;
        it.run()?;
        match it.end() {
            Some(next) => (setup, heirloom) = next,
            None => return Ok(()),
        }
    }
}

/// Whatever keeps commands from asking is no reason not to run.
fn control(path: &Path) -> Option<Control> {
    let control = Control::start(path);
    control.map_err(|error| log::warn!("--reload will not reach this instance: {error}")).ok()
}

impl Loop {
    fn new(mut setup: Setup, heirloom: Heirloom) -> io::Result<Loop> {
        let epoll = Epoll::new()?;
        logging::print_without_waiting(setup.config.debug);
        let Heirloom { signals, control, reaper, roots: old, started } = heirloom;
        epoll.add(&signals, SIGNALS)?;
        if let Some(control) = &control {
            epoll.add(control, CONTROL)?;
        }
        let (workers_tell, from_workers) = channel()?;
        epoll.add(&from_workers, JOBS)?;
        let (walks_tell, from_walks) = channel()?;
        epoll.add(&from_walks, WALKS)?;
        let (lookout_tells, from_lookout) = channel()?;
        epoll.add(&from_lookout, GROUNDS)?;
        let (stop, running) = io::pipe()?;
        let sockets = share_connections(&mut setup.remotes);

        let mut walked = Vec::new();
        for (number, root) in setup.config.roots.iter().enumerate() {
            // The next loop keeps the inotify instance of a root, so that no event is missed between two
            // configurations.
            let kept = old.iter().find(|old| old.path == root.watch);
            let inotify = match kept {
                Some(old) => old.inotify.clone(),
                None => Arc::new(Inotify::new()?),
            };
            epoll.add(&*inotify, FIRST_ROOT + number as u64)?;
            walked.push(Arc::new(roots::walked(&setup, number, RootId(number), inotify)));
        }
        let mut standings = setup.resumes.iter().map(|resume| (resume.standing, resume.trust));
        let root =
            |((root, filter), halt): ((&config::Root, &Arc<Filter>), &Option<Halt>)| RootSettings {
                filter: filter.clone(),
                // A plugin that runs alone counts as a remote of the root, for which every job has ended at once.
                remotes: match root.remotes.len() {
                    0 => vec![(Standing::From(clock::file_stamp_ns()), Trust::Certain)],
                    number => standings.by_ref().take(number).collect(),
                },
                halt: *halt,
            };
        let roots =
            setup.config.roots.iter().zip(&setup.filters).zip(&setup.halts).map(root).collect();
        let mut engine = Engine::new(Settings {
            workers: setup.workers,
            events: setup.events,
            sending: roots::sending(&setup),
            roots,
        });
        for (number, resume) in setup.resumes.iter().enumerate() {
            engine.owe(RemoteId(number), resume.full, resume.paths.clone(), false);
        }
        let (ledger, fail_log, owed) = if setup.remotes.is_empty() {
            (Ledger::absent(), None, Vec::new())
        } else {
            let creditors: Vec<_> =
                setup.remotes.iter().map(|it| it.creditor(setup.grants)).collect();
            Ledger::open(&setup.fail_log, &creditors)
        };
        let paths: Vec<_> = walked.iter().map(|root| root.path.clone()).collect();
        let plugins = plugins(&setup, paths.clone(), &stop)?;
        let mut alerts = alerts(&setup, paths.clone(), &stop)?;
        let status = showing::status(&setup, &walked, &setup.remotes)?;
        if let Some(server) = &status.server {
            epoll.add(server, STATUS)?;
        }
        let disk = Disk::start(setup.state, fail_log)?;
        epoll.add(&disk, DISK)?;
        if let Some(plugins) = &plugins {
            epoll.add(plugins, PLUGINS)?;
            engine.tell_arrivals();
        }
        if let Some(alerts) = &mut alerts {
            epoll.add(&*alerts, ALERTS)?;
            alerts.owed(owed.iter().any(|owed| !owed.is_nothing()), Time(0));
        }
        for (number, owed) in owed.into_iter().enumerate() {
            engine.owe(RemoteId(number), owed.full_sync, owed.paths, true);
        }
        let grounds: Vec<_> =
            paths.iter().map(|path| moving::known_ground(path, &setup.remotes)).collect();
        let belows: Vec<Vec<Below>> = grounds.iter().map(moving::below_ground).collect();
        let seen = grounds.iter().cloned().zip(belows.clone());
        let seen = seen.map(|(ground, below)| Some((ground?, below))).collect();
        let mut it = Loop {
            ledger,
            grants: setup.grants,
            crontab: Crontab::new(setup.config.crontab.as_ref(), setup.remotes.len(), Time(0)),
            plugins,
            alerts,
            status,
            status_rests: false,
            started,
            engine,
            signals,
            reporter: Reporter::new(
                setup.config.file.clone(),
                paths.clone(),
                setup.remotes.iter().map(|remote| remote.route.name()).collect(),
            ),
            mounted: vec![Vec::new(); walked.len()],
            too_long: vec![SortedSet::new(); walked.len()],
            roots: walked,
            remotes: setup.remotes,
            sockets: sockets.into_iter().collect(),
            away: setup.away,
            left_jobs: 0,
            workers: Workers::new(setup.workers, workers_tell, stop.try_clone()?)?,
            from_workers,
            standbys: Standbys::new(setup.config.standby),
            processors: thread::processors(),
            grounds,
            last_grounds: setup.resumes.iter().map(|resume| resume.ground.clone()).collect(),
            lookout: Lookout::start(paths, seen, lookout_tells)?,
            from_lookout,
            epoll,
            walks: Walks::new(walks_tell)?,
            from_walks,
            clock: Instant::now(),
            reading: Reading::new(),
            ready: Some(setup.ready),
            debug: setup.config.debug,
            stop_at: None,
            running: Some(running),
            lock: setup.lock,
            read_again: setup.read_again,
            control,
            control_at: setup.control,
            reaper,
            next: None,
            stop,
            config: setup.config,
            disk,
            saver: Saver::default(),
        };
        for (root, below) in belows.iter().enumerate() {
            it.know_second_names(RootId(root), below);
            it.show_ground(RootId(root));
        }
        for (number, resume) in setup.resumes.iter().enumerate() {
            it.miss_what_was_mounted(number, &resume.mounted);
        }
        Ok(it)
    }

    fn run(&mut self) -> io::Result<()> {
        while self.carry_out()? {
            self.start_standbys();
            let timeout = self.timeout();
            for token in self.epoll.wait(timeout)? {
                match token {
                    SIGNALS => self.signals_came(),
                    JOBS => self.worker_told()?,
                    WALKS => self.walk_told()?,
                    DISK => self.disk_told(),
                    PLUGINS => self.plugin_told(),
                    ALERTS => self.alerts.iter_mut().for_each(Alerts::ended),
                    STATUS => self.answer(),
                    GROUNDS => self.ground_seen(),
                    CONTROL => self.asked(),
                    root => {
                        self.reading.pause_in_a_burst();
                        self.events_came(RootId((root - FIRST_ROOT) as usize))?;
                    }
                }
            }
            self.handle(Input::Time);
            self.keep_ledger();
            self.keep_state();
            self.standbys.expire(self.now());
            self.keep_schedule();
            self.reap();
            self.keep_alerts();
            self.keep_status();
        }
        Ok(())
    }

    fn now(&self) -> Time {
        Time(self.clock.elapsed().as_millis() as u64)
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        self.engine.handle(input, now);
    }

    /// Does what the engine wants done; `false` when the program may end.
    fn carry_out(&mut self) -> io::Result<bool> {
        while let Some(action) = self.engine.poll_action(self.now()) {
            match action {
                Action::Scan(root, scan) => {
                    self.walks.start(self.roots[root.0].clone(), scan);
                }
                Action::RemoveWatch(root, wd) => self.roots[root.0].inotify.remove(wd.0),
                Action::Look(root, path) => self.look(root, path),
                Action::FindNames(root, wanted) => self.find_names(root, wanted),
                Action::CheckRoot(root) => self.lookout.look(root),
                Action::Run(job) => self.start(job),
                Action::Report(Report::TooLong(root, directory)) => self.too_long(root, directory),
                Action::Report(report) => self.report(&report),
                Action::Arrived(root, paths) => {
                    if let Some(plugins) = &mut self.plugins {
                        plugins.give(root.0, paths);
                    }
                }
            }
        }
        let Some(stop_at) = self.stop_at else { return Ok(true) };
        let now = self.now();
        if now >= stop_at {
            self.running = None;
        }
        let commands = self.plugins.as_ref().is_some_and(Plugins::is_busy)
            || self.alerts.as_ref().is_some_and(Alerts::is_busy);
        // The next loop learns of changes found by a scan only from the state, so the scans have to end first.
        let unseen = self.next.is_some() && !self.engine.sees_everything() && now < stop_at;
        let busy = self.workers.under_way() > 0 || commands || unseen;
        Ok(busy && now < stop_at + KILL_MS)
    }

    fn start(&mut self, job: Job) {
        let id = job.id;
        let Some(remote) = self.remotes.get(job.remote.0) else {
            return self.handle(Input::JobEnded(id, Outcome::Nothing, None));
        };
        // The others have no use for it, and it must not wait for their end.
        let is_batch = matches!(job.work, Work::Batch { .. });
        let standby = if is_batch { self.standbys.take(job.remote) } else { None };
        if let Err(error) = self.workers.run(remote.clone(), job, standby) {
            let outcome = Outcome::of(&Exit::not_started(error.kind()), None);
            self.handle(Input::JobEnded(id, outcome, None));
        }
    }

    fn plugin_told(&mut self) {
        let now = self.now();
        if let Some(plugins) = &mut self.plugins {
            plugins.ended(now);
        }
    }

    fn report(&mut self, report: &Report) {
        self.reporter.report(report);
        self.status.report(report);
        let now = self.now();
        if let Some(alerts) = &mut self.alerts {
            alerts.report(report, now);
        }
        if let Report::Halted(root, _) = report {
            // They have their working directory in the one that is gone, and would keep its disk busy.
            let (remotes, path) = (&self.remotes, &self.roots[root.0].path);
            self.standbys.let_go(|remote| remotes[remote.0].route.root == *path);
        }
        if let Report::Watching(..) = report {
            self.say_ready();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let now = self.now();
        let stop = self.stop_at.map(|at| if self.running.is_some() { at } else { at + KILL_MS });
        let ledger = self.ledger.due(self.engine.owed_version());
        let schedule = self.crontab.timeout(now, |remote| self.engine.owes_full_sync(remote));
        let state = self.saver.due(self.engine.standing_version());
        let alerts = self.alerts.as_ref().and_then(Alerts::due);
        let standbys = self.standbys.due();
        let status = self.status.due(logging::has_terminal());
        let engine = self.engine.poll_timeout();
        let reaper = self.reaper.as_ref().and_then(Reaper::due);
        let all = [engine, stop, ledger, state, schedule, alerts, standbys, status, reaper];
        let due = all.into_iter().flatten().min()?;
        Some(Duration::from_millis(due.since(now)))
    }

    fn worker_told(&mut self) -> io::Result<()> {
        match self.from_workers.receive() {
            Some(WorkerMessage::Ended(_, job, finished)) => self.job_ended(job, finished)?,
            Some(WorkerMessage::StandbyStarted(remote, standby)) => {
                self.workers.ended();
                standby.into_iter().for_each(|standby| self.keep_standby(remote, standby));
            }
            Some(WorkerMessage::Large(job, files)) => self.handle(Input::Large(job, files)),
            Some(WorkerMessage::Followed(job, links)) => self.handle(Input::Followed(job, links)),
            Some(WorkerMessage::Linked(job, files)) => self.handle(Input::Linked(job, files)),
            Some(WorkerMessage::Whole(job, whole)) => self.handle(Input::Whole(job, whole)),
            Some(WorkerMessage::Withheld(job, paths)) => {
                self.handle(Input::Withheld(job, paths));
            }
            Some(WorkerMessage::Rehearsed(job, found)) => {
                self.handle(Input::Rehearsed(job, found));
            }
            Some(WorkerMessage::Progress(job, sample)) => self.full_sync_told(job, sample),
            None => {}
        }
        Ok(())
    }

    fn job_ended(&mut self, job: JobId, finished: Finished) -> io::Result<()> {
        let Finished { outcome, literal, used_up, standby, stand } = finished;
        self.workers.ended();
        // It may have been taken out meanwhile, or have got another place.
        let Some(remote) = self.engine.remote_of(job) else {
            self.left_jobs = self.left_jobs.saturating_sub(1);
            return Ok(());
        };
        standby.into_iter().for_each(|standby| self.keep_standby(remote, standby));
        if used_up {
            self.do_without_standbys(remote);
        }
        if let Some(deletes) = stand.filter(|_| self.stop_at.is_none()) {
            self.standbys.want(remote, deletes, self.now());
        }
        // What the job can have seen must be known to the engine before the end of the job is.
        self.read_before_job_end()?;
        self.handle(Input::JobEnded(job, outcome, literal));
        Ok(())
    }

    fn walk_told(&mut self) -> io::Result<()> {
        match self.from_walks.receive() {
            Some(WalkMessage::Listings(root, listings)) => {
                for listing in listings {
                    self.handle(Input::Listing(root, listing));
                }
            }
            Some(WalkMessage::Ended(root, scan, entries)) => {
                self.walks.ended();
                entries.into_iter().for_each(|entries| self.status.count(root, entries));
                self.handle(Input::ScanEnded(root, scan));
                // Even where nothing happens, this tells the engine up to when it has seen all events.
                self.events_came(root)?;
            }
            Some(WalkMessage::Names(root, names, took_ms)) => {
                self.handle(Input::Names(root, names, took_ms));
            }
            Some(WalkMessage::TooLong(root, directory)) => self.too_long(root, directory),
            Some(WalkMessage::Trouble(root, path, trouble)) => {
                let Trouble(tried, error) = trouble;
                self.reporter.trouble(root, &path, tried, &error);
            }
            None => {}
        }
        Ok(())
    }
}

fn plugins(setup: &Setup, roots: Vec<PathBuf>, stop: &PipeReader) -> io::Result<Option<Plugins>> {
    let Some(kind) = setup.plugin else { return Ok(None) };
    Plugins::new(kind, &setup.config, roots, setup.workers, stop.try_clone()?).map(Some)
}

fn alerts(setup: &Setup, roots: Vec<PathBuf>, stop: &PipeReader) -> io::Result<Option<Alerts>> {
    let Some(alert) = &setup.config.alert else { return Ok(None) };
    let remotes = setup.remotes.iter().map(|remote| remote.route.name()).collect();
    Alerts::new(alert, remotes, roots, stop.try_clone()?).map(Some)
}
