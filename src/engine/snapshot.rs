//! What the engine looks like at one moment: values for the status page and whoever else looks.
//!
//! Made by [`Engine::snapshot`] and thrown away; the engine keeps nothing for it but the numbers of
//! `tally`. What is looked at in every round of the loop has calls of its own, which copy nothing.

use super::rel_path::RelPath;
use super::sending::extent::Extent;
use super::sending::trust::Deletions;
use super::tally::Tally;
use super::time::Time;
use super::{Engine, Halt, RootId, Served, WatchedRoot};

/// All roots and remotes, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The roots.
    pub roots: Vec<RootState>,
    /// The remotes, counted over all roots.
    pub remotes: Vec<RemoteState>,
}

/// A root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RootState {
    /// Directories known.
    pub directories: usize,
    /// Everything is watched that there is to watch, or nothing more can be.
    pub is_complete: bool,
    /// Directories are without a watch.
    pub has_unwatched: bool,
    /// Why it must not be synced now.
    pub halt: Option<Halt>,
    /// The directories in it whose disk is away; the root itself if there are too many.
    pub away: Vec<RelPath>,
    /// Events of the kernel.
    pub events: u64,
    /// What they, and listings, meant: changes of paths.
    pub changes: u64,
    /// Times that the kernel's queue was full.
    pub overflows: u64,
}

/// A remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteState {
    /// Whose files it gets.
    pub root: RootId,
    /// Paths that have changed and have not arrived, those on their way included.
    pub pending: usize,
    /// Of these, the ones that do not get through by themselves.
    pub stuck: usize,
    /// What a full sync would delete, and waits for a yes.
    pub waits: Option<Deletions>,
    /// A full sync or a level sync is owed, or on its way.
    pub owes_sweep: bool,
    /// The last job failed as a whole; then the next one is tried at this time.
    pub next_try: Option<Time>,
    /// The job on its way, and when it started.
    pub job: Option<(Extent, Time)>,
    /// When the oldest change happened that has not arrived.
    pub oldest: Option<Time>,
    /// Its numbers.
    pub tally: Tally,
}

impl Engine {
    /// Everything that is shown of roots and remotes.
    pub fn snapshot(&self) -> Snapshot {
        let root = |watched: &WatchedRoot| RootState {
            directories: watched.root.directories(),
            is_complete: watched.root.is_complete(),
            has_unwatched: watched.root.has_unwatched(),
            halt: watched.halt,
            away: watched.mounts.away(),
            events: watched.events,
            changes: watched.changes,
            overflows: watched.overflows,
        };
        let remote = |served: &Served| served.remote.state(RootId(served.root));
        Snapshot {
            roots: self.roots.iter().map(root).collect(),
            remotes: self.remotes.iter().map(remote).collect(),
        }
    }

    /// Changes of paths since the start, over all roots.
    pub fn changes(&self) -> u64 {
        self.roots.iter().map(|watched| watched.changes).sum()
    }

    /// When the oldest change happened that has not arrived at some remote.
    pub fn oldest(&self) -> Option<Time> {
        self.remotes.iter().filter_map(|served| served.remote.oldest()).min()
    }

    /// Paths that have arrived at each remote since the start.
    pub fn paths_arrived(&self) -> impl Iterator<Item = u64> + '_ {
        self.remotes.iter().map(|served| served.remote.paths_arrived())
    }

    /// Bytes of files that have been sent to each remote since the start.
    pub fn literal_bytes(&self) -> impl Iterator<Item = u64> + '_ {
        self.remotes.iter().map(|served| served.remote.literal_bytes())
    }

    /// Whether each root's first walk or, after an overflow, its next one is under way.
    pub fn is_walking(&self) -> impl Iterator<Item = bool> + '_ {
        self.roots.iter().map(|watched| !watched.root.is_complete())
    }

    /// Whether a full sync of each remote is on its way.
    pub fn is_syncing_fully(&self) -> impl Iterator<Item = bool> + '_ {
        self.remotes.iter().map(|served| served.remote.is_syncing_fully())
    }
}
