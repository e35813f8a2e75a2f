//! What the loop is started with: made by `start::prepare`, once at the start and once for each
//! configuration that is read again.

use crate::config::{self, Config, PluginKind};
use crate::engine::sending::licence::Grants;
use crate::engine::watching::filter::Filter;
use crate::engine::Halt;
use crate::keep::faillog::place::Places;
use crate::keep::state::resume::Resume;
use crate::keep::state::store::Store;
use crate::keep::state::Kept;
use crate::rsync::asked::licence::Way;
use crate::run::worker::WorkerRemote;
use crate::sys::lock::Lock;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// What the loop is started with.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// `-n`: rsync processes at the same time.
    pub workers: usize,
    /// Which events count, by the configuration and the command line.
    pub events: config::Events,
    /// For each root, what it leaves out.
    pub filters: Vec<Arc<Filter>>,
    /// The plugin that is told what has arrived.
    pub plugin: Option<PluginKind>,
    /// Each remote, in the order of the configuration; none if the plugin runs alone.
    pub remotes: Vec<Arc<WorkerRemote>>,
    /// What each remote may lose.
    pub grants: Grants,
    /// How a remote is asked to delete, until it turns out not to take that.
    pub way: Way,
    /// `-r`: every remote gets a full sync first.
    pub full_sync: bool,
    /// For each remote, where to go on.
    pub resumes: Vec<Resume>,
    /// What the state has of remotes that are not in the configuration.
    pub away: Vec<Kept>,
    /// Where the state is kept.
    pub state: Store,
    /// For each root, why it must not be synced yet.
    pub halts: Vec<Option<Halt>>,
    /// Called once, when everything is watched.
    pub ready: Box<dyn FnOnce()>,
    /// The lock that keeps a second instance out, where there is one.
    pub lock: Option<Rc<RefCell<Lock>>>,
    /// Reads the configuration again.
    pub read_again: ReadAgain,
    /// Where the fail log is.
    pub fail_log: Places,
    /// Where commands ask the running instance.
    pub control: PathBuf,
}

/// Reads the configuration again, in the way of the start; nothing if it says the same as the one that runs. The
/// loop then says where each remote goes on. An error is a line for the log, and everything stays as it is.
pub type ReadAgain = Rc<dyn Fn() -> Result<Option<Setup>, String>>;
