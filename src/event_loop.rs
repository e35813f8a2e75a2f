//! The loop: the one place that waits, and the one thread that owns all state.
//!
//! It translates between the system and the engine: what a descriptor tells becomes an
//! [`Input`], and each [`Action`] becomes a system call or a message to another thread.

use crate::config::{self, Config};
use crate::crontab::Crontab;
use crate::engine::filter::Filter;
use crate::engine::pending::Path as PathBytes;
use crate::engine::settle::{Seen, Stamp};
use crate::engine::time::Time;
use crate::engine::{event, Action, Engine, Input, Job, JobEnd, JobId, Report, RootId};
use crate::engine::{RemoteId, RootSettings, Settings};
use crate::faillog::ledger::Ledger;
use crate::faillog::script::{wait_status, Owed};
use crate::report::Reporter;
use crate::rsync::outcome::{Ended, Status};
use crate::ssh::Sockets;
use crate::sys::channel::{channel, Receiver};
use crate::sys::epoll::Epoll;
use crate::sys::inotify::{self, Inotify};
use crate::sys::signal::Signals;
use crate::walk::{below, Ground, Told, Walks};
use crate::worker::{is_empty, Footing, Route, Workers};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Read from the kernel's queue at once: some thousand events.
const EVENT_BYTES_MAX: usize = 64 * 1024;
/// Reads of one root's queue before a job's end is handed in: more than the largest queue that is
/// set by default fills, so that only a writer faster than this loop could keep a job's end waiting.
const READS_BEFORE_JOB_END_MAX: usize = 256;
/// Reads of events in a row, each within [`READ_PAUSE`] of the last, that make a burst. In a burst
/// the loop pauses before it reads, so that it wakes once a millisecond and not once an event: half
/// of the processor time that a burst of small files cost went into waking.
const BURST_READS: u32 = 8;
/// Too short for any queue to overflow: the kernel makes about a thousand events in it.
const READ_PAUSE: Duration = Duration::from_millis(1);
/// Running jobs get this long when the program is asked to end; then they are ended.
const STOP_MS: u64 = 10_000;
/// What they get after that to be gone.
const KILL_MS: u64 = 2_000;

/// Tokens of the descriptors; the roots' follow the last.
const SIGNALS: u64 = 0;
const JOBS: u64 = 1;
const WALKS: u64 = 2;
const FIRST_ROOT: u64 = 3;

/// What the loop is started with.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// `-r`: push everything first.
    pub full_sync: bool,
    /// `-n`: rsync processes at the same time.
    pub workers: usize,
    /// Which events count, the command line's word included.
    pub events: config::Events,
    /// The compiled filter.
    pub filter: Arc<Filter>,
    /// Each remote, in the order of the configuration.
    pub routes: Vec<Arc<Route>>,
    /// The SSH client with which the runs of a remote share a connection, if they can.
    pub ssh_client: Option<OsString>,
    /// How deletions are tried first.
    pub deletes: crate::rsync::plan::Deletes,
    /// Full syncs delete what only the far side has.
    pub mirror: bool,
    /// For each root: it is empty, and must not be synced while it is.
    pub empty: Vec<bool>,
    /// Called once, when everything is watched.
    pub ready: Box<dyn FnOnce()>,
}

struct Loop {
    engine: Engine,
    epoll: Epoll,
    signals: Signals,
    grounds: Vec<Arc<Ground>>,
    routes: Vec<Arc<Route>>,
    /// Of the SSH connections; they are closed at the end.
    _sockets: Option<Sockets>,
    workers: Workers,
    job_ends: Receiver<(JobId, JobEnd)>,
    walks: Walks,
    told: Receiver<Told>,
    reporter: Reporter,
    ledger: Ledger,
    crontab: Crontab,
    clock: Instant,
    last_read: Instant,
    reads_in_a_row: u32,
    /// Roots that have yet to be watched before `ready` is called.
    unwatched: usize,
    ready: Option<Box<dyn FnOnce()>>,
    debug: bool,
    /// When the running jobs are ended, once the program has been asked to end.
    stop_at: Option<Time>,
    /// Closed to end the running jobs.
    running: Option<PipeWriter>,
}

/// Watches and syncs until a signal asks it to end.
///
/// # Errors
/// What the program needs to start with is not to be had: descriptors, an inotify instance, threads.
pub fn run(setup: Setup) -> io::Result<()> {
    let mut it = Loop::new(setup)?;
    while it.carry_out()? {
        let timeout = it.timeout();
        for token in it.epoll.wait(timeout)? {
            match token {
                SIGNALS => it.signals_came(),
                JOBS => it.job_ended()?,
                WALKS => it.walk_told()?,
                root => {
                    it.pause_in_a_burst();
                    it.events_came(RootId((root - FIRST_ROOT) as usize))?;
                }
            }
        }
        it.handle(Input::Time);
        it.keep_ledger();
        it.keep_schedule();
    }
    it.write_ledger(true);
    it.reporter.owed(&it.engine);
    Ok(())
}

impl Loop {
    fn new(mut setup: Setup) -> io::Result<Loop> {
        let epoll = Epoll::new()?;
        // SIGUSR1, SIGUSR2 and SIGHUP have no meaning yet, and must not end the program either.
        let signals =
            [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];
        let signals = Signals::catch(&signals)?;
        epoll.add(&signals, SIGNALS)?;
        let (ends, job_ends) = channel()?;
        epoll.add(&job_ends, JOBS)?;
        let (tell, told) = channel()?;
        epoll.add(&told, WALKS)?;
        let (stop, running) = io::pipe()?;
        let client = setup.ssh_client.take();
        let sockets = client.and_then(|client| Sockets::open(client, &mut setup.routes));

        let modify = if setup.events.modify { event::mask::MODIFY } else { 0 };
        let mut grounds = Vec::new();
        for (number, root) in setup.config.roots.iter().enumerate() {
            let inotify = Arc::new(Inotify::new()?);
            epoll.add(&*inotify, FIRST_ROOT + number as u64)?;
            grounds.push(Arc::new(Ground {
                id: RootId(number),
                path: root.watch.clone(),
                inotify,
                mask: inotify::DIRECTORY | modify,
                filter: setup.filter.clone(),
            }));
        }
        let root = |(root, empty): (&config::Root, &bool)| RootSettings {
            filter: setup.filter.clone(),
            remotes: root.remotes.len(),
            empty: *empty,
        };
        let mut engine = Engine::new(Settings {
            workers: setup.workers,
            batch: setup.config.batch,
            events: setup.events,
            full_sync: setup.full_sync,
            mirror: setup.mirror,
            deletes: setup.deletes,
            roots: setup.config.roots.iter().zip(&setup.empty).map(root).collect(),
        });
        let (ledger, owed) =
            Ledger::open(&setup.config.fail_log.path, &setup.routes, setup.deletes, setup.mirror);
        for (number, owed) in owed.into_iter().enumerate() {
            engine.owe(RemoteId(number), owed.full_sync, owed.paths);
        }
        Ok(Loop {
            ledger,
            crontab: Crontab::new(setup.config.crontab.as_ref(), setup.routes.len(), Time(0)),
            engine,
            epoll,
            signals,
            unwatched: grounds.len(),
            reporter: Reporter::new(&grounds, &setup.routes),
            grounds,
            routes: setup.routes,
            _sockets: sockets,
            workers: Workers::new(setup.workers, ends, stop)?,
            job_ends,
            walks: Walks::new(tell),
            told,
            clock: Instant::now(),
            last_read: Instant::now(),
            reads_in_a_row: 0,
            ready: Some(setup.ready),
            debug: setup.config.debug,
            stop_at: None,
            running: Some(running),
        })
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
                    self.walks.start(self.grounds[root.0].clone(), scan)?;
                }
                Action::RemoveWatch(root, wd) => self.grounds[root.0].inotify.remove(wd),
                Action::Look(root, path) => {
                    let seen = look(&self.grounds[root.0], &path);
                    self.handle(Input::Seen(root, path, seen));
                }
                Action::CheckRoot(root) => self.check_root(root),
                Action::Run(job) => self.start(job),
                Action::Report(report) => self.report(&report),
            }
        }
        let Some(stop_at) = self.stop_at else { return Ok(true) };
        let now = self.now();
        if now >= stop_at {
            self.running = None;
        }
        Ok(self.workers.under_way() > 0 && now < stop_at + KILL_MS)
    }

    /// Whether a root is back. An empty directory is not what has gone.
    fn check_root(&mut self, root: RootId) {
        let path = &self.grounds[root.0].path;
        let Ok(later) = Footing::of(path) else { return };
        let known = self.routes.iter().find(|route| route.root == *path);
        let fits = known.is_some_and(|route| route.footing.may_become(&later));
        if !fits || is_empty(path) {
            return;
        }
        let path = path.clone();
        for route in self.routes.iter_mut().filter(|route| route.root == path) {
            *route = Arc::new(Route { footing: later, ..Route::clone(route) });
        }
        self.handle(Input::RootBack(root));
    }

    fn start(&mut self, job: Job) {
        let id = job.id;
        if let Err(error) = self.workers.start(self.routes[job.remote.0].clone(), job) {
            let status = Status::NotStarted(error.kind());
            let ended = Ended { status, stderr: Vec::new() };
            self.handle(Input::JobEnded(id, JobEnd::Ran { ended, named: Vec::new() }));
        }
    }

    fn keep_schedule(&mut self) {
        let (now, engine) = (self.now(), &self.engine);
        for remote in self.crontab.due(now, |remote| engine.owes_full_sync(remote)) {
            self.engine.schedule_full_sync(remote);
        }
    }

    fn keep_ledger(&mut self) {
        let now = self.now();
        if self.ledger.due(self.engine.owed_version()).is_some_and(|due| due <= now) {
            self.write_ledger(false);
        }
    }

    fn write_ledger(&mut self, end: bool) {
        let owed: Vec<_> = (0..self.routes.len())
            .map(|number| {
                let (full_sync, paths, status) = self.engine.owed(RemoteId(number), end);
                let mut owed = Owed { full_sync, ..Owed::default() };
                owed.status = status.map_or(0, wait_status);
                paths.into_iter().for_each(|(path, gone)| owed.add(path, gone));
                owed
            })
            .collect();
        let (version, now) = (self.engine.owed_version(), self.now());
        self.ledger.write(&self.routes, &owed, version, now);
    }

    fn report(&mut self, report: &Report) {
        self.reporter.report(report);
        if let Report::Watching(..) = report {
            self.unwatched = self.unwatched.saturating_sub(1);
            if self.unwatched == 0 {
                if let Some(ready) = self.ready.take() {
                    ready();
                }
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let now = self.now();
        let stop = self.stop_at.map(|at| if self.running.is_some() { at } else { at + KILL_MS });
        let ledger = self.ledger.due(self.engine.owed_version());
        let schedule = self.crontab.timeout(now, |remote| self.engine.owes_full_sync(remote));
        let all = [self.engine.poll_timeout(), stop, ledger, schedule];
        let due = all.into_iter().flatten().min()?;
        Some(Duration::from_millis(due.since(now)))
    }

    fn signals_came(&mut self) {
        for signal in self.signals.take() {
            if !matches!(signal, Signal::SIGTERM | Signal::SIGINT) {
                log::info!("{signal} has no meaning yet; ignored");
                continue;
            }
            let now = self.now();
            match self.stop_at {
                None => {
                    log::info!("{signal}: ending; what runs gets {} s", STOP_MS / 1000);
                    self.stop_at = Some(now + STOP_MS);
                    self.engine.stop();
                }
                Some(_) => self.stop_at = Some(now),
            }
        }
    }

    fn job_ended(&mut self) -> io::Result<()> {
        let Some((job, end)) = self.job_ends.receive() else { return Ok(()) };
        self.workers.ended();
        // The engine wants to know first of everything that the job can have seen.
        for root in 0..self.grounds.len() {
            let reads = 0..READS_BEFORE_JOB_END_MAX;
            for _ in reads {
                if !self.events_came(RootId(root))? {
                    break;
                }
            }
        }
        self.handle(Input::JobEnded(job, end));
        Ok(())
    }

    fn walk_told(&mut self) -> io::Result<()> {
        match self.told.receive() {
            Some(Told::Listings(root, listings)) => {
                for listing in listings {
                    self.handle(Input::Listing(root, listing));
                }
            }
            Some(Told::Ended(root, scan)) => {
                self.walks.ended()?;
                self.handle(Input::ScanEnded(root, scan));
            }
            Some(Told::Trouble(root, path, trouble)) => {
                self.reporter.trouble(root, &path, &trouble);
            }
            None => {}
        }
        Ok(())
    }

    fn pause_in_a_burst(&mut self) {
        if self.last_read.elapsed() >= READ_PAUSE {
            self.reads_in_a_row = 0;
        } else {
            self.reads_in_a_row = self.reads_in_a_row.saturating_add(1);
        }
        if self.reads_in_a_row > BURST_READS {
            std::thread::sleep(READ_PAUSE);
        }
        self.last_read = Instant::now();
    }

    /// Reads once; `false` if nothing was there.
    fn events_came(&mut self, root: RootId) -> io::Result<bool> {
        let mut buffer = vec![0; EVENT_BYTES_MAX];
        let count = self.grounds[root.0].inotify.read(&mut buffer)?;
        for event in event::parse(&buffer[..count]) {
            if self.debug {
                println!(
                    "inotify wd:{}\tname:{}\tmask:{}",
                    event.wd.0,
                    event.name.escape_ascii(),
                    event.mask
                );
            }
            self.handle(Input::Event(root, event));
        }
        Ok(count > 0)
    }
}

/// What a created file is now.
fn look(ground: &Ground, path: &PathBytes) -> Seen {
    let Ok(found) = below(&ground.path, path).symlink_metadata() else { return Seen::Missing };
    if found.is_dir() {
        return Seen::Directory;
    }
    if !found.is_file() {
        return Seen::Other;
    }
    let modified_ns = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    Seen::Regular { links: found.nlink(), stamp: Stamp { size: found.len(), modified_ns } }
}
