//! The plugins: whoever wants to know which paths have arrived is told of each.
//!
//! [`Plugins`] is all that the loop knows of them. It is given the paths of a root that have arrived
//! ([`Plugins::give`]), keeps them in a bounded [`queue`], and hands them one by one to the threads of
//! [`worker`]; when its descriptor is readable, one has come back ([`Plugins::ended`]). Nothing of it
//! ever waits, so however slow a plugin is, syncing does not notice.
//!
//! `command`, `socket`, `http` and `refresh_cdn` say how a path is told of; `request` and `answer` are
//! bytes alone; `connection` is the network. A new plugin has a file beside these and its
//! kind in `worker::Target`; its block is read in `config::plugins`, has its type in `config::settings` and its elements in
//! `config::schema`, and its name stands in the help (`start::cli`).

mod answer;
mod command;
pub mod connection;
mod error_log;
mod http;
mod notice;
mod queue;
mod refresh_cdn;
mod request;
mod socket;
mod trouble;
mod worker;

use self::command::Command;
pub use self::error_log::error_log_beside;

use self::error_log::ErrorLog;
use self::http::Http;
use self::queue::{Entry, Queue, QUEUE_PATHS_MAX};
use self::refresh_cdn::RefreshCdn;
use self::socket::Socket;
use self::trouble::Trouble;
use self::worker::{work, End, Shared, Target};
use crate::config::{self, Config, PluginKind};
use crate::engine::rel_path::{lies_in, RelPath};
use crate::engine::time::Time;
use crate::rsync::asked::plan::Gone;
use crate::sys::channel::{channel, Receiver, Sender};
use crate::sys::thread;
use std::ffi::OsStr;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The plugin that is turned on, and what it has yet to be told.
#[derive(Debug)]
pub struct Plugins {
    name: &'static str,
    /// Its own `watch`, if it has one.
    watch: Option<Vec<u8>>,
    /// Of each root, by its number: the directory, and what of it is told.
    trees: Vec<Tree>,
    queue: Queue,
    entries: Sender<(PathBuf, Entry)>,
    ends: Receiver<End>,
    shared: Arc<Shared>,
    threads: usize,
    threads_max: usize,
    under_way: usize,
    trouble: Trouble,
    /// It has been said that paths are folded, and the queue has not been empty since.
    said_folded: bool,
    is_stopping: bool,
}

/// What the plugin is told of a root.
#[derive(Debug)]
struct Tree {
    root: Vec<u8>,
    /// Paths in this directory: the plugin's own `watch`, if that lies deeper than the root.
    top: Vec<u8>,
}

impl Plugins {
    /// The plugin `kind` of the configuration, for these roots; `command` runs at most `workers`
    /// processes. When the other end of `stop` is closed, they are ended.
    ///
    /// # Errors
    /// No block configures it, or the system has no pipes left.
    pub fn new(
        kind: PluginKind,
        config: &Config,
        roots: Vec<PathBuf>,
        workers: usize,
        stop: PipeReader,
    ) -> io::Result<Plugins> {
        let block = config.plugin_block(kind).ok_or(io::ErrorKind::NotFound)?;
        let target = target(block, config)?;
        let (entries, to_thread) = channel()?;
        let (from_thread, ends) = channel()?;
        let mut plugins = Plugins {
            name: kind.name(),
            queue: Queue::default(),
            watch: block.watch().map(|watch| watch.as_os_str().as_bytes().to_vec()),
            trees: Vec::new(),
            entries,
            ends,
            shared: Arc::new(Shared { target, entries: to_thread, ends: from_thread, stop }),
            threads: 0,
            // Connections one after the other: so they come in the order of the paths.
            threads_max: if kind == PluginKind::Command { workers.max(1) } else { 1 },
            under_way: 0,
            trouble: Trouble::default(),
            said_folded: false,
            is_stopping: false,
        };
        roots.iter().for_each(|root| plugins.add_root(root));
        Ok(plugins)
    }

    /// Another root, behind the others.
    pub fn add_root(&mut self, root: &Path) {
        let root = root.as_os_str().as_bytes();
        let watch = self.watch.as_deref().filter(|watch| is_within(watch, root));
        let top = watch.unwrap_or(root).to_vec();
        self.queue.add_tree(top.clone());
        self.trees.push(Tree { root: root.to_vec(), top });
    }

    /// Paths of a root have arrived; in order, relative to the root, with what disappeared there.
    pub fn give(&mut self, root: usize, paths: impl IntoIterator<Item = (RelPath, Gone)>) {
        if self.is_stopping {
            return;
        }
        let mut folded = false;
        for (path, gone) in paths {
            let tree = &self.trees[root];
            let path = full_path(&tree.root, &path);
            if is_within(&path, &tree.top) {
                folded |= self.queue.push(root, path, gone);
            }
        }
        if folded && !self.said_folded {
            self.said_folded = true;
            log::warn!(
                "plugin {}: more than {QUEUE_PATHS_MAX} paths wait for it; of the oldest it is told \
                 only the directories",
                self.name
            );
        }
        self.hand_out();
    }

    /// To be called when the descriptor is readable: a path has come back.
    pub fn ended(&mut self, now: Time) {
        let Some((entry, end)) = self.ends.receive() else { return };
        self.under_way = self.under_way.saturating_sub(1);
        self.queue.finish(&entry);
        let line = match end {
            Ok(()) => self.trouble.passed(),
            Err(why) => self.trouble.failed(&entry.path, &why, now),
        };
        if let Some(line) = line.filter(|_| !self.is_stopping) {
            log::warn!("plugin {}: {line}", self.name);
        }
        self.said_folded &= !self.queue.is_empty();
        self.hand_out();
    }

    /// From now on nothing is started; what waits is given up.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        let waiting = self.queue.clear();
        if waiting > 0 {
            log::warn!("plugin {}: ended before it was told of {waiting} paths", self.name);
        }
    }

    /// Whether the program should wait for what is under way: for commands, whose work may be half
    /// done, and not for a server.
    pub fn is_busy(&self) -> bool {
        self.under_way > 0 && matches!(self.shared.target, Target::Command(_))
    }

    /// Keeps every thread busy that there may be.
    fn hand_out(&mut self) {
        while self.under_way < self.threads_max {
            let Some(entry) = self.queue.take() else { return };
            if self.under_way >= self.threads && !self.start_thread() {
                log::error!(
                    "plugin {}: no thread to be had; {} was not told of",
                    self.name,
                    entry.path.escape_ascii()
                );
                self.queue.finish(&entry);
                continue;
            }
            self.under_way += 1;
            let root = Path::new(OsStr::from_bytes(&self.trees[entry.tree].root)).to_path_buf();
            // The threads hold the receiver, so there is one.
            let _ = self.entries.send((root, entry));
        }
    }

    /// Starts one more thread; `false` if there is none at all.
    fn start_thread(&mut self) -> bool {
        let shared = self.shared.clone();
        let thread = thread::start("plugin", move || work(&shared));
        self.threads += usize::from(thread.is_ok());
        self.threads > 0
    }
}

impl AsFd for Plugins {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ends.as_fd()
    }
}

fn target(block: &config::Plugin, config: &Config) -> io::Result<Target> {
    use config::Plugin;
    Ok(match block {
        Plugin::Command { prefix, suffix, ignore_error, includes } => Target::Command(
            Command::new(prefix, suffix, *ignore_error, includes).map_err(io::Error::other)?,
        ),
        Plugin::Socket { host, port, .. } => {
            Target::Socket(Socket { host: host.clone(), port: *port })
        }
        Plugin::Http { host, port, path, .. } => {
            Target::Http(Http { host: host.clone(), port: *port, path: path.clone() })
        }
        Plugin::RefreshCdn { watch, domain, port, user, password, base, pattern } => {
            let pattern = pattern.as_deref().map(regex_lite::Regex::new).transpose();
            Target::RefreshCdn(RefreshCdn {
                watch: watch.clone(),
                domain: domain.clone(),
                port: *port,
                user: user.clone(),
                password: password.clone(),
                base: base.clone(),
                pattern: pattern.map_err(io::Error::other)?,
                log: ErrorLog::beside(&config.fail_log.path),
            })
        }
    })
}

/// Whether a full path is a directory or lies in it.
fn is_within(path: &[u8], directory: &[u8]) -> bool {
    directory == b"/" || lies_in(path, directory)
}

fn full_path(root: &[u8], path: &[u8]) -> Arc<[u8]> {
    match (root, path) {
        (root, b"") => Arc::from(root),
        (b"/", path) => [b"/", path].concat().into(),
        (root, path) => [root, b"/", path].concat().into(),
    }
}

#[cfg(test)]
mod tests;
