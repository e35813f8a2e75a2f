//! What the user reads in the log: one line for each thing that happened.

use crate::engine::{Engine, Halt, JobEnd, RemoteId, Report, RootId};
use crate::rsync::login::Login;
use crate::rsync::outcome::{advice, reason, Ended, Status};
use crate::walk::{Ground, Trouble};
use crate::worker::Route;
use std::path::PathBuf;
use std::sync::Arc;

/// Knows the names of things, and what has been said already.
#[derive(Debug)]
pub struct Reporter {
    roots: Vec<PathBuf>,
    remotes: Vec<String>,
    /// Who logs in where, of those that are reached over SSH.
    logins: Vec<Option<Login>>,
    /// Directories that could not be watched because of the limit.
    over_limit: usize,
}

impl Reporter {
    /// For these roots and remotes.
    pub fn new(grounds: &[Arc<Ground>], routes: &[Arc<Route>]) -> Reporter {
        Reporter {
            roots: grounds.iter().map(|ground| ground.path.clone()).collect(),
            remotes: routes.iter().map(|route| route.target().label()).collect(),
            logins: routes.iter().map(|route| route.target().login()).collect(),
            over_limit: 0,
        }
    }

    /// Says what the engine reports.
    pub fn report(&self, report: &Report) {
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
            Report::Back(remote) => log::info!("{}: works again", self.remote(*remote)),
            Report::Failed(remote, end, pause_ms) => {
                let again = format!("everything is kept; next try in {} s", pause_ms.div_ceil(1000));
                log::error!("{}: {}; {again}", self.remote(*remote), self.failure(*remote, end));
            }
            Report::Partial(remote, ended, given_up) => {
                let next = if *given_up {
                    "gave up the full sync; what it named is not in step"
                } else {
                    "tried again later"
                };
                let reason = reason(ended);
                log::warn!("{}: not everything got through: {reason}; {next}", self.remote(*remote));
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

    fn failure(&self, id: RemoteId, end: &JobEnd) -> String {
        match end {
            JobEnd::RootChanged => "the root is not the directory that it was at start".into(),
            JobEnd::Nothing => "nothing to do".into(),
            JobEnd::Ran { ended, .. } => match advice(ended, self.logins[id.0].as_ref()) {
                Some(advice) => {
                    let advice = advice.trim_end_matches('.');
                    format!("{}: {} ({advice})", status(ended), reason(ended))
                }
                None => format!("{}: {}", status(ended), reason(ended)),
            },
        }
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
