//! What the user reads in the log: one line for each thing that happened.

use crate::engine::{Engine, Halt, JobEnd, RemoteId, Report, RootId};
use crate::rsync::outcome::{advice, reason, Ended, Status};
use crate::walk::{Ground, Trouble};
use crate::worker::Route;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// Paths in one warning; the others are counted.
const PATHS_SHOWN_MAX: usize = 10;
/// Paths of one remote of which it is remembered that they were warned of. More are warned of each
/// time that they fail.
const PATHS_SAID_MAX: usize = 10_000;

/// Knows the names of things, and what has been said already.
#[derive(Debug)]
pub struct Reporter {
    roots: Vec<PathBuf>,
    remotes: Vec<String>,
    /// What was said, of each remote, not to get through; or the reason where no path was named.
    said: Vec<BTreeSet<Vec<u8>>>,
    /// Directories that could not be watched because of the limit.
    over_limit: usize,
}

impl Reporter {
    /// For these roots and remotes.
    pub fn new(grounds: &[Arc<Ground>], routes: &[Arc<Route>]) -> Reporter {
        Reporter {
            roots: grounds.iter().map(|ground| ground.path.clone()).collect(),
            remotes: routes.iter().map(|route| route.target().label()).collect(),
            said: vec![BTreeSet::new(); routes.len()],
            over_limit: 0,
        }
    }

    /// Says what the engine reports.
    pub fn report(&mut self, report: &Report) {
        match report {
            Report::Watching(root, directories) => {
                log::info!("{}: watching {}", self.root(*root), count(*directories, "directory"));
            }
            Report::Arrived(remote, Some(paths), took_ms) => {
                log::info!("{}: {}, {took_ms} ms", self.remote(*remote), count(*paths, "path"));
            }
            Report::Arrived(remote, None, took_ms) => {
                log::info!("{}: full sync, {took_ms} ms", self.remote(*remote));
            }
            Report::Back(remote) => {
                self.said[remote.0].clear();
                log::info!("{}: works again", self.remote(*remote));
            }
            Report::Failed(remote, end, pause_ms) => {
                let again = format!("everything is kept; next try in {} s", pause_ms.div_ceil(1000));
                log::error!("{}: {}; {again}", self.remote(*remote), failure(end));
            }
            Report::Partial(remote, ended, named, given_up) => {
                self.partial(*remote, ended, named, *given_up);
            }
            Report::PortableDeletes(remote) => log::info!(
                "{}: this rsync does not take sending and deleting in one run; two runs from now on",
                self.remote(*remote)
            ),
            Report::TooMany(remote) => log::warn!(
                "{}: more changes than are kept one by one; a full sync takes their place",
                self.remote(*remote)
            ),
            Report::Overflowed(root) => log::warn!(
                "{}: events were lost (the kernel's queue was full); everything is read again and \
                 synced in full; raise fs.inotify.max_queued_events",
                self.root(*root)
            ),
            Report::Halted(root, Halt::Lost) => log::error!(
                "{}: the directory was deleted, moved, unmounted or replaced; nothing of it is synced \
                 or deleted on any remote until it is back",
                self.root(*root)
            ),
            Report::Halted(root, Halt::Empty) => log::error!(
                "{}: the directory is empty, and -r would delete everything on its remotes; if no disk \
                 is missing here, put a file into it, or write <safety emptyRoot=\"sync\"/> into <sersync>",
                self.root(*root)
            ),
            Report::Resumed(root) => {
                log::info!("{}: synced again, with a full sync first", self.root(*root));
            }
        }
    }

    /// Says of each path once that it did not get through, until the remote has everything again.
    fn partial(&mut self, remote: RemoteId, ended: &Ended, named: &[Vec<u8>], given_up: bool) {
        let said = &mut self.said[remote.0];
        let reason = reason(ended);
        let about = if named.is_empty() { &[reason.clone().into_bytes()][..] } else { named };
        let room = PATHS_SAID_MAX.saturating_sub(said.len());
        let new: Vec<_> = about.iter().filter(|path| !said.contains(*path)).cloned().collect();
        said.extend(new.iter().take(room).cloned());
        if new.is_empty() && !given_up {
            return;
        }
        let paths = if named.is_empty() { String::new() } else { listed(&new) };
        let next = if given_up {
            "gave up the full sync; what it named is tried by itself"
        } else {
            "tried again later"
        };
        let reason = advised(&reason, ended);
        log::warn!("{}: not everything got through: {paths}{reason}; {next}", self.remote(remote));
    }

    /// Says what the walk could not do.
    pub fn trouble(&mut self, root: RootId, path: &[u8], trouble: &Trouble) {
        let place = format!("{}/{}", self.root(root), path.escape_ascii());
        match trouble {
            Trouble::WatchLimit => {
                self.over_limit += 1;
                if self.over_limit == 1 {
                    log::error!(
                        "{place}: the watch limit is reached; changes in this and further \
                         directories go unnoticed; raise fs.inotify.max_user_watches and start again"
                    );
                }
            }
            Trouble::Other(tried, error) => log::warn!("{place}: cannot {tried}: {error}"),
        }
    }

    /// Says, at the end, what did not arrive.
    pub fn owed(&self, engine: &Engine) {
        for (number, name) in self.remotes.iter().enumerate() {
            let remote = RemoteId(number);
            if !engine.remote_is_in_step(remote) {
                let (full, paths, _) = engine.owed(remote, true);
                let what = match (full, paths.len()) {
                    (true, _) => "a full sync".to_string(),
                    (false, paths) => count(paths, "path"),
                };
                log::warn!("{name}: {what} had not arrived; the fail log has what is owed");
            }
        }
    }

    fn root(&self, id: RootId) -> String {
        self.roots[id.0].display().to_string()
    }

    fn remote(&self, id: RemoteId) -> &str {
        &self.remotes[id.0]
    }
}

fn failure(end: &JobEnd) -> String {
    match end {
        JobEnd::RootChanged => "the root is not the directory that it was at start".into(),
        JobEnd::Nothing => "nothing to do".into(),
        JobEnd::Ran { ended, .. } => {
            format!("{}: {}", status(ended), advised(&reason(ended), ended))
        }
    }
}

/// The reason, with what to change behind it.
fn advised(reason: &str, ended: &Ended) -> String {
    match advice(ended) {
        Some(advice) => format!("{reason} ({})", advice.trim_end_matches('.')),
        None => reason.to_string(),
    }
}

/// Paths for a log line, with a colon behind them; nothing for none.
fn listed(paths: &[Vec<u8>]) -> String {
    let shown = paths.iter().take(PATHS_SHOWN_MAX).map(|path| path.escape_ascii().to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match paths.len().checked_sub(PATHS_SHOWN_MAX) {
        None | Some(0) if paths.is_empty() => String::new(),
        None | Some(0) => format!("{shown}: "),
        Some(more) => format!("{shown} and {more} more: "),
    }
}

fn status(ended: &Ended) -> String {
    match &ended.status {
        Status::Exited(code) => format!("rsync ended with {code}"),
        Status::Signaled(signal) => format!("rsync was ended by signal {signal}"),
        Status::NotStarted(_) => "not run".into(),
    }
}

fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}
