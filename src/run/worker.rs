//! The threads that run rsync. Each takes a task, tells the loop what came of it, and keeps nothing.
//!
//! A worker looks what the paths of a job are now, has `rsync` plan the runs, and runs them one
//! after the other. Threads are started as they are needed, at most as many as rsync may have
//! processes.

mod beside;
mod followed;
mod job_paths;
mod listener;
mod looker;
mod named;
mod remote;
mod renames;
mod standby;
mod whole;

pub use self::remote::{share_connections, Excludes, WorkerRemote};
pub use self::standby::Standby;

use self::job_paths::{halves, JobPaths};
use self::listener::Listener;
use self::renames::RenamePlan;
use crate::config::Address;
use crate::engine::rel_path::RelPath;
use crate::engine::sending::trust::Deletions;
use crate::engine::watching::linked::LinkedFile;
use crate::engine::watching::settle::Stamp;
use crate::engine::{Job, JobId, RemoteId, Work};
use crate::rsync::asked::away::spared;
use crate::rsync::asked::licence::Licence;
use crate::rsync::asked::plan::PlanSettings;
use crate::rsync::asked::progress;
use crate::rsync::asked::rehearsal::counted;
use crate::rsync::asked::run::{Purpose, Run};
use crate::rsync::told::exit::{Exit, ExitStatus};
use crate::rsync::told::outcome::Outcome;
use crate::rsync::told::progress::Sample;
use crate::run::ground::HeldRoot;
use crate::sys::channel::{channel, Receiver, Sender};
use crate::sys::orphans;
use crate::sys::process::{self, Started};
use crate::sys::thread;
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

/// The program that is run. It is looked up in `PATH` each time, so that an upgrade is used at once.
pub const RSYNC: &str = "rsync";

/// What rsync ends with when a signal asks it to.
const RSYNC_INTERRUPTED: i32 = 20;
/// The variable in which rsync looks for a password before it asks for one.
const PASSWORD: &str = "RSYNC_PASSWORD";
/// The variables that name the program which OpenSSH's client runs to ask for a password, and say (from 8.4
/// on) that it is run even where there is a terminal.
const ASKPASS: &str = "SSH_ASKPASS";
const ASKPASS_REQUIRE: &str = "SSH_ASKPASS_REQUIRE";

/// How long a far side needs to see that a connection has ended, and not to count it any more.
const CONNECTION_ENDS: Duration = Duration::from_millis(100);

/// What a worker is to do.
#[derive(Debug)]
enum Task {
    /// Run a job, by the standby that its remote has.
    Job(Arc<WorkerRemote>, Job, Option<Standby>),
    /// Start a standby for a remote.
    Standby(Arc<WorkerRemote>, RemoteId, PlanSettings),
}

/// What a worker tells the loop. Each task is answered by one
/// [`WorkerMessage::Ended`] or [`WorkerMessage::StandbyStarted`].
#[derive(Debug)]
pub enum WorkerMessage {
    /// Before a job runs anything: the large files among its paths.
    Large(JobId, Vec<(RelPath, Stamp)>),
    /// Before a job of new paths runs anything: the directories, sorted, that it lists in place of what is in
    /// them.
    Whole(JobId, Vec<RelPath>),
    /// Before a job without a licence runs anything: the paths that it should delete and does not.
    Withheld(JobId, Vec<RelPath>),
    /// What a rehearsal would delete.
    Rehearsed(JobId, Deletions),
    /// Before a job runs anything: the files among its paths that have other names as well.
    Linked(JobId, Vec<LinkedFile>),
    /// Before a job runs anything: the symlinks among its paths that are sent as the directories to which they lead.
    Followed(JobId, Vec<RelPath>),
    /// A job has ended.
    Ended(RemoteId, JobId, Finished),
    /// How far the full sync of a job has come.
    Progress(JobId, Sample),
    /// The standby of a remote, if it could be started.
    StandbyStarted(RemoteId, Option<Standby>),
}

/// What came of a job, and what is to wait for the next one.
#[derive(Debug)]
pub struct Finished {
    /// What its runs mean for it.
    pub outcome: Outcome,
    /// Bytes of files that they sent because the remote did not have them, if they said so.
    pub literal: Option<u64>,
    /// Its remote has refused a run because all of its connections are used up.
    pub used_up: bool,
    /// The standby that the job was given, if it was not used and still waits.
    pub standby: Option<Standby>,
    /// A standby should be started for the remote, for runs like this.
    pub stand: Option<PlanSettings>,
}

/// The workers' side of the channel.
#[derive(Debug)]
pub struct Workers {
    tasks: Sender<Task>,
    shared: Arc<Shared>,
    threads: usize,
    threads_max: usize,
    /// Tasks that were handed over and have not come back.
    under_way: usize,
}

#[derive(Debug)]
struct Shared {
    tasks: Receiver<Task>,
    tell: Sender<WorkerMessage>,
    stop: PipeReader,
}

impl Workers {
    /// At most `threads_max` workers that tell through `tell`. When the other end of `stop` is
    /// closed, they end what they run.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new(
        threads_max: usize,
        tell: Sender<WorkerMessage>,
        stop: PipeReader,
    ) -> io::Result<Workers> {
        let (sender, tasks) = channel()?;
        let shared = Arc::new(Shared { tasks, tell, stop });
        Ok(Workers { tasks: sender, shared, threads: 0, threads_max, under_way: 0 })
    }

    /// Tasks that have not come back.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Has a job run.
    ///
    /// # Errors
    /// There is no thread, and none could be started.
    pub fn run(
        &mut self,
        remote: Arc<WorkerRemote>,
        job: Job,
        standby: Option<Standby>,
    ) -> io::Result<()> {
        self.hand_over(Task::Job(remote, job, standby))
    }

    /// Has the next run of a remote wait for its list.
    ///
    /// # Errors
    /// There is no thread, and none could be started.
    pub fn stand(
        &mut self,
        remote: Arc<WorkerRemote>,
        id: RemoteId,
        settings: PlanSettings,
    ) -> io::Result<()> {
        self.hand_over(Task::Standby(remote, id, settings))
    }

    fn hand_over(&mut self, task: Task) -> io::Result<()> {
        if self.under_way >= self.threads && self.threads < self.threads_max {
            let shared = self.shared.clone();
            let thread = thread::start("worker", move || work(&shared));
            match thread {
                Ok(_) => self.threads += 1,
                Err(error) if self.threads == 0 => return Err(error),
                // The task waits for one of the threads that there are.
                Err(_) => {}
            }
        }
        self.under_way += 1;
        // `shared` holds the receiver, so this cannot fail.
        let _ = self.tasks.send(task);
        Ok(())
    }

    /// A task has come back.
    pub fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }
}

fn work(shared: &Arc<Shared>) {
    while let Some(task) = shared.tasks.receive() {
        let message = match task {
            Task::Job(remote, job, standby) => {
                let mut runner = Runner::new(shared, &remote, job.id, standby);
                let outcome = runner.run_job(&job.work);
                WorkerMessage::Ended(job.remote, job.id, runner.finish(outcome, &job.work))
            }
            Task::Standby(remote, id, settings) => {
                let standby = Standby::start(&remote, settings);
                WorkerMessage::StandbyStarted(id, standby)
            }
        };
        let _ = shared.tell.send(message);
    }
}

/// Runs the job of one remote.
struct Runner<'a> {
    shared: &'a Arc<Shared>,
    remote: &'a Arc<WorkerRemote>,
    job: JobId,
    /// The one that was handed along, until it has been used.
    standby: Option<Standby>,
    /// The far side has refused a run because of the number of its connections.
    used_up: bool,
    /// Bytes of content that its runs have sent, as far as they have said so.
    literal: Option<u64>,
}

impl<'a> Runner<'a> {
    fn new(
        shared: &'a Arc<Shared>,
        remote: &'a Arc<WorkerRemote>,
        job: JobId,
        standby: Option<Standby>,
    ) -> Runner<'a> {
        Runner { shared, remote, job, standby, used_up: false, literal: None }
    }

    fn run_job(&mut self, work: &Work) -> Outcome {
        let remote = self.remote;
        match work {
            Work::FullSync { scheduled, licence, away } => {
                let _held = remote.hold(*licence);
                let away = remote.with_what_has_just_gone(away);
                self.run_all(vec![spared(remote.full_sync(*scheduled, *licence), &away)])
            }
            Work::Rehearsal { scheduled, licence, away } => {
                let away = remote.with_what_has_just_gone(away);
                let run = spared(remote.full_sync(*scheduled, *licence), &away);
                self.run_all(vec![counted(&run)])
            }
            Work::Level { directories, licence, away } => {
                let _held = remote.hold(*licence);
                let (runs, seen) = remote.levels(directories, *licence);
                let away = remote.with_what_has_just_gone(away);
                let runs = runs.into_iter().map(|run| spared(run, &away));
                self.run_all(runs.collect()).and(seen)
            }
            Work::Batch { licence, way, fresh, split: false, paths, joined, renames } => {
                let settings = remote.plan_settings(*licence, *way);
                let found = JobPaths::of_batch(remote, paths, joined, *fresh);
                self.tell_large(found.large.clone());
                self.tell_links(&found);
                self.tell_whole(*fresh, found.whole.clone());
                self.tell_withheld(*licence, found.withheld(paths));
                let renamed = self.rename(renames::plan(remote, settings, &found.paths, renames));
                if !renamed.gets_through() {
                    return renamed;
                }
                let outcome = self.run_all(found.runs(remote, settings));
                self.tell_followed(&found);
                renamed.and(outcome).and(found.seen())
            }
            Work::Batch { licence, way, fresh, split: true, paths, joined, renames } => {
                let settings = remote.plan_settings(*licence, *way);
                let (first, second) = halves(paths);
                let [first, second] =
                    [first, second].map(|half| JobPaths::of_batch(remote, half, joined, *fresh));
                self.tell_large([&first.large[..], &second.large].concat());
                [&first, &second].into_iter().for_each(|found| self.tell_links(found));
                self.tell_whole(*fresh, [&first.whole[..], &second.whole].concat());
                let all = [&first.paths[..], &second.paths].concat();
                let renamed = self.rename(renames::plan(remote, settings, &all, renames));
                if !renamed.gets_through() {
                    return renamed;
                }
                let [runs, others] = [&first, &second].map(|found| found.runs(remote, settings));
                let outcome = self.run_both(runs, others);
                [&first, &second].into_iter().for_each(|found| self.tell_followed(found));
                renamed.and(outcome).and(first.seen()).and(second.seen())
            }
            Work::Bulk { licence, way, fresh, sent, path, joined } => {
                let settings = remote.plan_settings(*licence, *way);
                let found = JobPaths::of_bulk(remote, path, *joined, *fresh, *sent);
                self.tell_large(found.large.clone());
                self.tell_links(&found);
                self.tell_withheld(*licence, found.withheld(std::slice::from_ref(path)));
                let outcome = self.run_all(found.runs(remote, settings));
                self.tell_followed(&found);
                outcome.and(found.seen())
            }
        }
    }

    /// Runs what saves sending renamed files again. If one of these runs fails, the others would as well: the
    /// runs of the batch send everything, or tell what is wrong. But as soon as one has begun, nothing is sent before
    /// the old names are deleted.
    fn rename(&mut self, plan: RenamePlan) -> Outcome {
        for mut run in plan.links {
            run.args = self.remote.over_connection(run.args);
            if self.run(&run) != Outcome::Done {
                break;
            }
        }
        self.run_all(plan.end.into_iter().collect())
    }

    fn finish(self, outcome: Outcome, work: &Work) -> Finished {
        let Runner { remote, standby, used_up, literal, .. } = self;
        let has_run = !matches!(outcome, Outcome::Nothing | Outcome::RootChanged);
        let literal = literal.filter(|_| has_run);
        let got_through = !used_up && outcome.gets_through();
        let stand = match work {
            Work::Batch { licence, way, .. } if remote.standby && got_through => {
                Some(remote.plan_settings(*licence, *way))
            }
            Work::Batch { .. } | Work::Bulk { .. } => None,
            Work::Level { .. } | Work::Rehearsal { .. } | Work::FullSync { .. } => None,
        };
        let waiting = standby.filter(|_| remote.is_on_its_ground());
        let standby = waiting.and_then(|mut standby| standby.is_waiting().then_some(standby));
        Finished { outcome, literal, used_up, standby, stand }
    }

    fn tell_large(&self, files: Vec<(RelPath, Stamp)>) {
        if !files.is_empty() {
            let _ = self.shared.tell.send(WorkerMessage::Large(self.job, files));
        }
    }

    fn tell_links(&self, found: &JobPaths) {
        if !found.linked.is_empty() {
            let _ = self.shared.tell.send(WorkerMessage::Linked(self.job, found.linked.clone()));
        }
    }

    fn tell_followed(&self, found: &JobPaths) {
        if !found.followed.is_empty() {
            let followed = WorkerMessage::Followed(self.job, found.followed.clone());
            let _ = self.shared.tell.send(followed);
        }
    }

    fn tell_withheld(&self, licence: Licence, paths: Vec<RelPath>) {
        if !licence.covers_seen() && !paths.is_empty() {
            let _ = self.shared.tell.send(WorkerMessage::Withheld(self.job, paths));
        }
    }

    fn tell_whole(&self, fresh: bool, mut directories: Vec<RelPath>) {
        directories.sort();
        if fresh {
            let _ = self.shared.tell.send(WorkerMessage::Whole(self.job, directories));
        }
    }

    /// Two processes at the same time.
    fn run_both(&mut self, first: Vec<Run>, second: Vec<Run>) -> Outcome {
        let (shared, remote, job) = (self.shared.clone(), self.remote.clone(), self.job);
        let runs = second.clone();
        let Ok((tell, told)) = channel() else {
            return self.run_all(first).and(self.run_all(second));
        };
        let other = thread::start("worker", move || {
            let mut runner = Runner::new(&shared, &remote, job, None);
            let outcome = runner.run_all(runs);
            // It is waited for below.
            let _ = tell.send((outcome, runner.literal));
        });
        let outcome = self.run_all(first);
        match other {
            Ok(()) => {
                let (other, literal) = told.receive().unwrap_or((Outcome::Nothing, None));
                self.sent(literal);
                outcome.and(other)
            }
            // Without another thread, one half runs after the other.
            Err(_) => outcome.and(self.run_all(second)),
        }
    }

    /// Runs one after the other, until one cannot get through.
    fn run_all(&mut self, runs: Vec<Run>) -> Outcome {
        let mut all = Outcome::Nothing;
        for mut run in runs {
            run.args = self.remote.over_connection(run.args);
            let outcome = self.run(&run);
            if matches!(outcome, Outcome::NoDirectory(_)) && !self.remote.is_on_its_ground() {
                return Outcome::RootChanged;
            }
            all = all.and(outcome);
            // After a partial failure the other runs can still get through.
            if !all.gets_through() {
                break;
            }
        }
        all
    }

    /// One run, by the best way there is.
    fn run(&mut self, run: &Run) -> Outcome {
        if let Some(outcome) = self.by_standby(run) {
            return outcome;
        }
        let connection = self.remote.connection.as_ref();
        let stood = connection.filter(|connection| connection.stands());
        let outcome = self.by_itself(run);
        if let Some(connection) = stood.filter(|_| is_broken(&outcome)) {
            // The connection has died since the last run; the remote may be all right.
            connection.close();
            return self.by_itself(run);
        }
        if outcome.failure().is_some_and(|failure| failure.connections_used_up) {
            self.used_up = true;
            // The standby holds one of these connections; and that of the run before, or of the job before, may not
            // have been given back yet.
            drop(self.standby.take());
            std::thread::sleep(CONNECTION_ENDS);
            return self.by_itself(run);
        }
        outcome
    }

    /// By the standby, if there is one that fits; `None` if that did not get through, for whatever
    /// reason but a word that the far side does not take from anybody.
    fn by_standby(&mut self, run: &Run) -> Option<Outcome> {
        let standby = self.standby.take_if(|standby| standby.fits(self.remote, run))?;
        if !self.remote.is_on_its_ground() {
            return Some(Outcome::RootChanged);
        }
        self.say(run);
        let shared = self.shared;
        let mut listener = Listener::new(run.purpose, self.job, &shared.tell);
        let ran = standby.run(run, &shared.stop, &mut |said| listener.hear(said));
        self.sent(listener.literal());
        let is_certain =
            |outcome: &Outcome| outcome.failure().is_some_and(|it| it.blame.is_certain());
        let outcome = outcome(self.remote, ran);
        (outcome.gets_through() || is_certain(&outcome)).then_some(outcome)
    }

    /// By a process of its own.
    fn by_itself(&mut self, run: &Run) -> Outcome {
        let Some(root) = self.remote.hold_root() else {
            return Outcome::RootChanged;
        };
        self.say(run);
        let shared = self.shared;
        let mut listener = Listener::new(run.purpose, self.job, &shared.tell);
        let rules = if run.reads_rules() { &*run.input } else { &[] };
        let started = started(self.remote, &root, &run.args, run.purpose, rules);
        drop(root);
        let heard = &mut |said: &[u8]| listener.hear(said);
        let ran = started.and_then(|(started, rest)| {
            let input = if run.reads_rules() { rest } else { &run.input };
            started.feed(input, &shared.stop, heard)
        });
        if let Some(deletions) = listener.deletions() {
            let _ = shared.tell.send(WorkerMessage::Rehearsed(self.job, deletions));
        }
        self.sent(listener.literal());
        outcome(self.remote, ran)
    }

    fn sent(&mut self, literal: Option<u64>) {
        self.literal = self.literal.into_iter().chain(literal).reduce(u64::saturating_add);
    }

    fn say(&self, run: &Run) {
        let shown = run.shown(&self.remote.route.root);
        log::debug!("{}", String::from_utf8_lossy(&shown));
    }
}

/// rsync with these arguments, as every run of a remote is started. It gets rules on its standard input at once; what of
/// them is still to be fed comes back.
fn started<'a>(
    remote: &WorkerRemote,
    root: &HeldRoot,
    args: &[OsString],
    purpose: Purpose,
    rules: &'a [u8],
) -> io::Result<(Started, &'a [u8])> {
    // Were it started by the root's path, a disk that is unmounted in this moment would leave it in the empty
    // directory below, and it would delete the whole copy.
    let mut command = command(&progress::telling(args, purpose, remote.route.local), &root.place);
    command.env(orphans::MARK, &remote.mark);
    let over_tcp = matches!(remote.route.address, Address::Daemon { .. });
    let (started, rest) = match rules {
        [] => (Started::new(command)?, rules),
        rules => Started::given(command, rules)?,
    };
    Ok((started.over_tcp(over_tcp), rest))
}

/// rsync with these arguments, ready to be started in the root. It never asks anybody for anything.
pub fn command(args: &[OsString], root: &Path) -> Command {
    let mut command = Command::new(RSYNC);
    // POSIXLY_CORRECT would end the options at the first operand, and there are options behind `./`.
    command.args(args).current_dir(root).env_remove("POSIXLY_CORRECT");
    if std::env::var_os(PASSWORD).is_none() {
        // Where the module wants a password and none is configured, rsync would ask for it on the terminal,
        // and a process in the background would be stopped there for ever.
        command.env(PASSWORD, "");
    }
    if std::env::var_os(ASKPASS).is_none() {
        // ssh would ask there as well.
        command.env(ASKPASS, "false").env(ASKPASS_REQUIRE, "force");
    }
    command
}

/// What rsync did, from what its process left.
pub fn exit(ran: io::Result<Output>) -> Exit {
    let output = match ran {
        Ok(output) => output,
        Err(error) => return Exit::not_started(error.kind()),
    };
    let status = match process::code_or_signal(output.status) {
        Ok(code) => ExitStatus::Code(code),
        Err(signal) => ExitStatus::Signal(signal),
    };
    let is_cut = output.stderr.len() >= process::STDERR_BYTES_MAX;
    Exit { status, stderr: output.stderr, is_cut }
}

/// What a run of a remote means for its job.
fn outcome(remote: &WorkerRemote, ran: io::Result<Output>) -> Outcome {
    let exit = exit(ran);
    let outcome = Outcome::of(&exit, remote.route.login().as_ref());
    named::naming(outcome, &exit, remote)
}

/// Whether the way to the remote is broken, and the run was not ended by somebody.
fn is_broken(outcome: &Outcome) -> bool {
    let Outcome::Unreachable(failure) = outcome else { return false };
    let ended_by_us =
        matches!(failure.status, ExitStatus::Signal(_) | ExitStatus::Code(RSYNC_INTERRUPTED));
    // A far side that does not know an option has answered, so the way to it is not broken.
    !ended_by_us && !failure.blame.is_certain()
}
