//! How everything is at one moment: the value that page, JSON, metrics and terminal are drawn from.
//!
//! Pure. It joins what the engine, the board and the system say, turns times into ages, and decides
//! what is healthy; how it is shown is for the others.

use super::board::{Board, LeadsTo};
use super::history::History;
use super::progress::{Course, Progress};
use crate::config::terminal::harmless;
use crate::engine::sending::extent::Extent;
use crate::engine::sending::trust::Deletions;
use crate::engine::snapshot::{RemoteState, RootState};
use crate::engine::tally::Tally;
use crate::engine::time::Time;
use crate::engine::{Engine, Halt};

/// A change that has not arrived after this means that its remote is behind. Batches take far less,
/// but for files of many gigabytes.
pub const BEHIND_MS: u64 = 60_000;

/// What neither the engine nor the board knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The clock on the wall: milliseconds since 1970.
    pub unix_ms: u64,
    /// How long the process has been running.
    pub up_ms: u64,
    /// It has been asked to end.
    pub is_ending: bool,
    /// `fs.inotify.max_user_watches`, where it can be read.
    pub watches_max: Option<u64>,
    /// What the process has in memory.
    pub memory_bytes: u64,
    /// How the fail log is.
    pub fail_log: FailLog,
}

/// How the fail log is, without what a terminal would obey.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailLog {
    /// The file; empty if nothing can be owed.
    pub path: String,
    /// Records in it.
    pub records: usize,
    /// Why it is not used, or cannot be written, and what to do.
    pub trouble: Option<String>,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Of the program.
    pub version: &'static str,
    /// The process.
    pub pid: u32,
    /// The configuration file, resolved.
    pub config: String,
    /// What the system says.
    pub facts: Facts,
    /// The roots.
    pub roots: Vec<RootView>,
    /// The remotes.
    pub remotes: Vec<RemoteView>,
    /// The last ten minutes: changes and longest lag in milliseconds of each step.
    pub history: Vec<(u32, u32)>,
    /// What somebody should look at, a line each; empty if everything is healthy.
    pub problems: Vec<String>,
}

/// A root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootView {
    /// Its path.
    pub path: String,
    /// What it leads to, and for how long it has; none while it leads nowhere.
    pub leads_to: Option<(LeadsTo, u64)>,
    /// What the engine knows.
    pub state: RootState,
    /// How long the walk has been under way, if one is.
    pub walk_ms: Option<u64>,
    /// How many directories it reads in a second.
    pub directories_per_s: u64,
}

/// A remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteView {
    /// Whose files it gets, counted from 0.
    pub root: usize,
    /// Its name.
    pub name: String,
    /// How it is.
    pub word: Word,
    /// Paths that have changed and have not arrived.
    pub pending: usize,
    /// Of these, the ones that do not get through by themselves.
    pub stuck: usize,
    /// What a full sync would delete, and waits for a yes.
    pub waits: Option<Deletions>,
    /// A full sync, or one of whole directories, is owed or on its way.
    pub owes_sweep: bool,
    /// How old the oldest change is that has not arrived; 0 if there is none.
    pub lag_ms: u64,
    /// What is on its way, and for how long.
    pub job: Option<(Extent, u64)>,
    /// When a remote that is down is tried next.
    pub next_try_ms: Option<u64>,
    /// How long ago something arrived.
    pub last_success_ms: Option<u64>,
    /// The last error, and how long ago that was.
    pub last_error: Option<(String, u64)>,
    /// How far the full sync that is on its way has come, if its rsync says so.
    pub course: Option<Course>,
    /// Paths that arrived in the last minute, and the bytes that were sent.
    pub last_minute: (u64, u64),
    /// Its numbers.
    pub tally: Tally,
}

/// How a remote is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It has everything.
    Up,
    /// Something is on its way.
    Sending,
    /// Something waits for its turn.
    Waiting,
    /// Some paths do not get through; the others do.
    Stuck,
    /// The last job failed as a whole.
    Down,
    /// Its root must not be synced now.
    Halted,
}

impl Word {
    /// The word, as it stands in JSON and in the terminal.
    pub fn name(self) -> &'static str {
        match self {
            Word::Up => "up",
            Word::Sending => "sending",
            Word::Waiting => "waiting",
            Word::Stuck => "stuck",
            Word::Down => "down",
            Word::Halted => "halted",
        }
    }

    /// Whether what changes now will arrive soon.
    pub fn is_up(self) -> bool {
        matches!(self, Word::Up | Word::Sending | Word::Waiting | Word::Stuck)
    }
}

impl RootView {
    /// The directories whose disk is away, for people.
    pub fn away(&self) -> impl Iterator<Item = String> + '_ {
        self.state.away.iter().map(|at| harmless(&at.escape_ascii().to_string()))
    }

    /// How the root is, in one word.
    pub fn word(&self) -> &'static str {
        match self.state.halt {
            Some(Halt::Lost | Halt::Missing) => "halted",
            None if !self.state.is_complete => "walking",
            None if self.state.has_unwatched => "unwatched",
            None => "watched",
        }
    }
}

impl Snapshot {
    /// How everything is now.
    pub fn of(
        engine: &Engine,
        board: &Board,
        history: &mut History,
        progress: &Progress,
        facts: Facts,
        now: Time,
    ) -> Snapshot {
        let names = &board.names;
        let state = engine.snapshot();
        let halted: Vec<_> = state.roots.iter().map(|root| root.halt.is_some()).collect();
        let root = |(number, state): (usize, RootState)| RootView {
            path: names.roots.get(number).cloned().unwrap_or_default(),
            leads_to: board.leads_to.get(number).cloned().flatten().map(|found| {
                let for_ms = now.since(found.since);
                (found, for_ms)
            }),
            walk_ms: progress.walk_ms(number, now),
            directories_per_s: progress.directories_per_s(number, state.directories, now),
            state,
        };
        let is_root = |number: &usize| names.roots.get(*number).is_none_or(|path| !path.is_empty());
        let roots = state.roots.into_iter().enumerate().filter(|(number, _)| is_root(number));
        let roots: Vec<_> = roots.map(root).collect();
        let remotes = state.remotes.into_iter().enumerate().map(|(number, state)| {
            let is_halted = halted.get(state.root.0) == Some(&true);
            let course = progress.course(number, state.root.0, now);
            let last_minute = history.last_minute(number, now);
            let view = remote(number, state, is_halted, board, now);
            // Those that are none any more are not counted.
            let root = (0..view.root).filter(is_root).count();
            RemoteView { course, last_minute, root, ..view }
        });
        let remotes: Vec<_> = remotes.collect();
        Snapshot {
            version: env!("CARGO_PKG_VERSION"),
            pid: names.pid,
            config: names.config.clone(),
            problems: problems(&facts, &roots, &remotes),
            facts,
            roots,
            remotes,
            history: history.steps(now).collect(),
        }
    }

    /// Whether nobody has to look at anything.
    pub fn is_healthy(&self) -> bool {
        self.problems.is_empty()
    }

    /// Directories that are watched, over all roots.
    pub fn watches(&self) -> usize {
        self.roots.iter().map(|root| root.state.directories).sum()
    }
}

fn remote(
    number: usize,
    state: RemoteState,
    is_halted: bool,
    board: &Board,
    now: Time,
) -> RemoteView {
    let word = if is_halted {
        Word::Halted
    } else if state.next_try.is_some() {
        Word::Down
    } else if state.stuck > 0 {
        Word::Stuck
    } else if state.job.is_some() {
        Word::Sending
    } else if state.pending > 0 || state.owes_sweep {
        Word::Waiting
    } else {
        Word::Up
    };
    let named = board.names.remotes.get(number);
    let error = board.error(number).map(String::from);
    RemoteView {
        root: state.root.0,
        // A plugin that runs alone has no remote.
        name: named.map_or("the plugin".into(), |named| named.name.clone()),
        word,
        pending: state.pending,
        stuck: state.stuck,
        waits: state.waits,
        owes_sweep: state.owes_sweep,
        lag_ms: state.oldest.map_or(0, |oldest| now.since(oldest)),
        job: state.job.map(|(load, started)| (load, now.since(started))),
        next_try_ms: state.next_try.map(|at| at.since(now)),
        last_success_ms: state.tally.last_success.map(|at| now.since(at)),
        last_error: error.zip(state.tally.last_failure.map(|at| now.since(at))),
        course: None,
        last_minute: (0, 0),
        tally: state.tally,
    }
}

/// What is not healthy. A walk and a full sync may take hours, and that is how it should be.
fn problems(facts: &Facts, roots: &[RootView], remotes: &[RemoteView]) -> Vec<String> {
    let of_root = |root: &RootView| {
        let what = match root.state.halt {
            Some(Halt::Lost) => "halted: the directory is not the one that it was",
            Some(Halt::Missing) => "halted: the directory is not there",
            None if root.state.has_unwatched => "not every directory can be watched",
            None => return None,
        };
        Some(format!("{}: {what}", root.path))
    };
    let of_remote = |remote: &RemoteView| {
        let name = &remote.name;
        let sweeps = matches!(remote.job, Some((Extent::Directories(_) | Extent::Everything, _)));
        let error = remote.last_error.as_ref().map_or("", |(text, _)| text);
        match remote.word {
            Word::Down => Some(format!("{name}: down: {error}")),
            Word::Stuck => {
                Some(format!("{name}: {} paths do not get through: {error}", remote.stuck))
            }
            Word::Up | Word::Sending | Word::Waiting if remote.lag_ms >= BEHIND_MS && !sweeps => {
                Some(format!("{name}: {} s behind", remote.lag_ms / 1000))
            }
            Word::Up | Word::Sending | Word::Waiting | Word::Halted => None,
        }
    };
    let of_deletions = remotes.iter().filter_map(|remote| {
        let Deletions { count, of } = remote.waits?;
        Some(format!("{count} deletions wait for a yes, of {of} entries on {}", remote.name))
    });
    // That the root is halted has been said already.
    let of_remotes = remotes.iter().filter(|remote| remote.word != Word::Halted);
    let of_fail_log = facts.fail_log.trouble.iter().map(|what| format!("fail log: {what}"));
    let of_roots = roots.iter().filter_map(of_root);
    of_roots
        .chain(of_remotes.filter_map(of_remote))
        .chain(of_deletions)
        .chain(of_fail_log)
        .collect()
}
