//! What the user reads in the log: one line for each thing that happened.

use crate::config::units;
use crate::engine::sending::extent::Extent;
use crate::engine::sending::next::Retry;
use crate::engine::sending::trust::{Deletions, Doubt};
use crate::engine::succession::Succession;
use crate::engine::watching::mounts::MountChange;
use crate::engine::watching::unwatched::POLL_MS;
use crate::engine::{Engine, Halt, RemoteId, Report, RootId, Shift};
use crate::rsync::told::exit::ExitStatus;
use crate::rsync::told::outcome::Failure;
use crate::rsync::told::unwanted::Why;
use crate::sorted::SortedSet;
use crate::sys::sysctl;
use crate::tell::amounts::{count, size};
use std::io;
use std::path::{Path, PathBuf};

/// Of a long path so much is shown of either end.
const PATH_END_BYTES: usize = 60;
/// Paths in one warning; the others are counted.
const PATHS_SHOWN_MAX: usize = 10;
/// So many paths of each remote are remembered as warned of. Further ones are warned of each time
/// that they fail.
const PATHS_SAID_MAX: usize = 10_000;

/// Knows the names of things, and what has been said already.
#[derive(Debug)]
pub struct Reporter {
    /// The configuration file, as whoever has something to answer has to name it.
    config: PathBuf,
    roots: Vec<PathBuf>,
    remotes: Vec<String>,
    /// For each remote, the paths of which it was said that they do not get through; or the reason,
    /// where no path was named.
    said: Vec<SortedSet<Vec<u8>>>,
}

impl Reporter {
    /// For the roots and remotes of this configuration.
    pub fn new(config: PathBuf, roots: Vec<PathBuf>, remotes: Vec<String>) -> Reporter {
        let said = vec![SortedSet::new(); remotes.len()];
        Reporter { config, roots, remotes, said }
    }

    /// Another root, behind the others.
    pub fn add_root(&mut self, path: PathBuf) {
        self.roots.push(path);
    }

    /// The remotes have become others.
    pub fn change_remotes(&mut self, succession: &Succession, remotes: Vec<String>) {
        self.said = succession.carry(std::mem::take(&mut self.said), SortedSet::new);
        self.remotes = remotes;
    }

    /// Says what the engine reports.
    pub fn report(&mut self, report: &Report) {
        match report {
            Report::Watching(root, directories) => {
                log::info!("{}: watching {}", self.root(*root), count(*directories, "directory"));
            }
            Report::Arrived(remote, sent, took_ms, literal) => {
                let what = match sent {
                    Extent::Paths(number) => count(*number, "path"),
                    Extent::Directories(1) => "1 directory as a whole".into(),
                    Extent::Directories(number) => format!("{number} directories as a whole"),
                    Extent::Everything => "full sync".into(),
                };
                let sent = literal.map_or(String::new(), |bytes| format!(", {}", size(bytes)));
                log::info!("{}: {what}{sent}, {took_ms} ms", self.remote(*remote));
            }
            Report::Back(remote) => {
                self.said[remote.0].clear();
                log::info!("{}: works again", self.remote(*remote));
            }
            Report::Failed(remote, why, pause_ms) => {
                let again = format!("everything is kept; next try in {} s", pause_ms.div_ceil(1000));
                log::error!("{}: {}; {again}", self.remote(*remote), failure(why));
            }
            Report::Partial(remote, failure, retry) => self.partial(*remote, failure, *retry),
            Report::PortableDeletes(remote) => log::info!(
                "{}: this rsync does not take sending and deleting in one run; two runs from now on",
                self.remote(*remote)
            ),
            Report::OneConnection(remote) => log::warn!(
                "{}: takes no connection beside the one of a full sync, so changes wait until that has ended; raise \
                 `max connections` of the module in the far side's rsyncd.conf",
                self.remote(*remote)
            ),
            Report::DeletionsRefused(remote, failure) => log::warn!(
                "{}: {}; deletions wait in the fail log and are asked for again in a day, everything else goes on",
                self.remote(*remote),
                advised(failure)
            ),
            Report::Unwanted(remote, why, line) => self.unwanted(*remote, *why, line),
            Report::DeletionsWait(remote, doubt, Deletions { count, of }) => log::warn!(
                "{}: {}, and a full sync would delete {count} of {of} entries over there: everything is sent, nothing \
                 of that is deleted; if it is right that they go, run: sersync --confirm-deletions -o {}",
                self.remote(*remote),
                why(*doubt),
                self.config.display()
            ),
            Report::TooMany(remote) => log::warn!(
                "{}: more changes than are kept one by one; a full sync takes their place",
                self.remote(*remote)
            ),
            Report::TooLong(root, directory) => log::warn!(
                "{}: a path in {} is too long (Linux and rsync take 4,095 bytes): it is not sent, and full \
                 syncs leave its directory out",
                self.root(*root),
                shortened(directory)
            ),
            Report::Overflowed(root) => log::warn!(
                "{}: events were lost (the kernel's queue was full); everything is read again and \
                 synced in full; raise fs.inotify.max_queued_events",
                self.root(*root)
            ),
            Report::Forgot(root) => log::warn!(
                "{}: more disappears from directories that are still to be read than is remembered; on \
                 remotes that are no mirrors it stays",
                self.root(*root)
            ),
            Report::Unwatched(root, directories) => self.unwatched(*root, *directories),
            Report::AllWatched(root) => {
                log::info!("{}: every directory is watched again", self.root(*root));
            }
            Report::Halted(root, Halt::Lost) => log::error!(
                "{}: the directory was deleted, moved, unmounted or replaced; nothing of it is synced \
                 or deleted on any remote until it is back",
                self.root(*root)
            ),
            Report::Halted(root, Halt::Missing) => log::error!(
                "{}: is not there, or cannot be read; it is synced when it is there",
                self.root(*root)
            ),
            Report::Resumed(root) => {
                log::info!("{}: synced again, with a full sync first", self.root(*root));
            }
        }
    }

    /// Says why something stays over there as it is.
    fn unwanted(&self, remote: RemoteId, why: Why, line: &str) {
        let about = match why {
            Why::Limit => {
                "the limit of --max-delete was reached; what it left over there is not tried again before a full sync, \
                 which has the same limit"
            }
            Why::Excluded => {
                ": `exclude` or another rule of the module, in the far side's rsyncd.conf, keeps it out; it is not owed"
            }
            Why::Attributes => {
                ": everything has arrived, but not all times, modes and owners; put -O and --no-p into commonParams, \
                 or let the far side's rsync be who owns its directory (`uid` in rsyncd.conf)"
            }
        };
        let line = if why == Why::Limit { "" } else { line };
        log::warn!("{}: {line}{about}; this is said once a day", self.remote(remote));
    }

    /// Says of each path once that it did not get through, until the remote has everything again.
    fn partial(&mut self, remote: RemoteId, failure: &Failure, retry: Retry) {
        let said = &mut self.said[remote.0];
        let Failure { reason, named, .. } = failure;
        let about = if named.is_empty() { &[reason.clone().into_bytes()][..] } else { named };
        let room = PATHS_SAID_MAX.saturating_sub(said.len());
        let new: Vec<_> = about.iter().filter(|path| !said.contains(*path)).cloned().collect();
        for path in new.iter().take(room) {
            said.insert(path.clone());
        }
        if new.is_empty() && retry == Retry::Soon {
            return;
        }
        let shown = if retry == Retry::Soon { &new } else { about };
        let paths = if named.is_empty() { String::new() } else { listed(shown) };
        let next = match retry {
            Retry::Soon => "tried again later".into(),
            Retry::After(pause_ms) => {
                let pause = units::spoken(pause_ms / 1000);
                format!("it is in the fail log, and from now on tried again every {pause}")
            }
            Retry::Alone => "gave up the full sync; what it named is tried by itself".into(),
        };
        let reason = advised(failure);
        log::warn!("{}: not everything got through: {paths}{reason}; {next}", self.remote(remote));
    }

    /// Says that the path of a root leads somewhere else now.
    pub fn ground_moved(&self, root: RootId, shift: Shift, resolved: &Path) {
        let what = match shift {
            Shift::None => "the same directory",
            Shift::Directory => "another directory",
            Shift::Disk => "another disk",
            Shift::Mounted => "what has been mounted there",
            Shift::Unmounted => "what was hidden below a mount",
        };
        log::warn!(
            "{}: leads to {what} now, {}; it is read again, and synced in full",
            self.root(root),
            resolved.display()
        );
    }

    /// Says that something was mounted or unmounted below a root.
    pub fn mount_changed(&self, root: RootId, at: &[u8], change: MountChange) {
        let what = match change {
            MountChange::Came => "a disk is mounted there now; it is synced",
            MountChange::Went => "its disk is away; what was on it stays on the remotes",
            MountChange::LeftOut => return,
        };
        log::info!("{}/{}: {what}", self.root(root), at.escape_ascii());
    }

    /// Says what could not be done with a directory.
    pub fn trouble(&self, root: RootId, path: &[u8], tried: &str, error: &io::Error) {
        log::warn!("{}/{}: cannot {tried}: {error}", self.root(root), path.escape_ascii());
    }

    fn unwatched(&self, root: RootId, directories: usize) {
        let limit = sysctl::WATCHES.value().ok();
        let now = limit.map_or(String::new(), |limit| format!(", now {limit}"));
        // How many directories there are in all is not known: what is not watched is not read.
        let enough = limit.unwrap_or(0).max(directories as u64).saturating_mul(2);
        log::error!(
            "{}: only {} could be watched, then the limit was reached (or the kernel's memory); the \
             rest is made equal every {} s instead; raise the limit (fs.inotify.max_user_watches{now}): \
             sysctl fs.inotify.max_user_watches={enough}",
            self.root(root),
            count(directories, "directory"),
            POLL_MS / 1000
        );
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
        // A plugin that runs alone has no remote.
        self.remotes.get(id.0).map_or("the plugin", String::as_str)
    }
}

/// Why it is not certain that a root is what its remote has a copy of.
fn why(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::First => "it has never had a full sync",
        Doubt::Directory => "the root is another directory than before",
        Doubt::Empty => "the root was empty at the start",
        Doubt::Disk => "the root is on another disk than before, or its disk is not mounted",
    }
}

/// The beginning and the end of a path that would fill the screen.
fn shortened(path: &[u8]) -> String {
    match (path.get(..PATH_END_BYTES), path.len().checked_sub(PATH_END_BYTES)) {
        (Some(start), Some(rest)) if rest > PATH_END_BYTES => {
            format!("{}...{}", start.escape_ascii(), path[rest..].escape_ascii())
        }
        _ => path.escape_ascii().to_string(),
    }
}

/// How a run failed, why, and what to do about it.
pub fn failure(failure: &Failure) -> String {
    format!("{}: {}", status(failure.status), advised(failure))
}

/// Why it failed, with what to do about it behind that.
pub fn advised(failure: &Failure) -> String {
    let Failure { reason, advice, .. } = failure;
    match advice {
        Some(advice) => format!("{reason} ({})", advice.trim_end_matches('.')),
        None => reason.clone(),
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

fn status(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("rsync ended with {code}"),
        ExitStatus::Signal(signal) => format!("rsync was ended by signal {signal}"),
        ExitStatus::NotStarted(_) => "not run".into(),
    }
}
