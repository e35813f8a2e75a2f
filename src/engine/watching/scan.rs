//! What the engine asks of the walk, and what the walk hands over: the words they share.
//!
//! The walk runs beside the engine and is ahead of it: it sees directories as they are now, the
//! engine knows them as of the last event that it has read. `watches` reconciles the two.

use super::event::Wd;
use crate::engine::time::Time;

/// Numbers the scans of a root, in the order in which they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ScanId(pub u64);

/// Where a directory lies. It is told by the descriptor of the directory above, which stays right when
/// that one is renamed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The root itself.
    Root,
    /// The entry `name` in the directory that is watched as `parent`.
    In {
        /// The descriptor of the directory above.
        parent: Wd,
        /// The name there.
        name: Box<[u8]>,
    },
}

/// Why directories are read. It decides what of that which is found is a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The program starts, or has to read the whole root again: nothing that is found is a change.
    Start,
    /// The program starts, and knows from its last run what had arrived: what has changed at this time
    /// or later is a change. In nanoseconds since 1970, by the clock that stamps files.
    Since(u64),
    /// The directory was created at this time, or at one that is not known, which is `Time(0)`. What is
    /// in it came later, by creation and writing.
    Created(Time),
    /// The directory was moved here, with all that is in it.
    Moved,
}

/// A directory to be read, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Given back when the scan has ended.
    pub id: ScanId,
    /// Where the directory lies.
    pub place: Place,
    /// Its path relative to the root, as the engine knows it now.
    pub path: Vec<u8>,
    /// Whether each directory is watched before it is read. Otherwise it is watched already.
    pub watch: bool,
    /// Why.
    pub origin: Origin,
}

/// How the walk came by a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It was watched, then read.
    Watched {
        /// Where it was.
        place: Place,
        /// Its descriptor.
        wd: Wd,
    },
    /// It was only read, as the scan had asked.
    Read,
    /// The kernel has no watch left for it. Neither it nor anything below it was read.
    Unwatched {
        /// Where it was.
        place: Place,
    },
    /// The system gave an error that says nothing about what is in it, as of a disk that fails. It is read again
    /// from this place on.
    Unread {
        /// Where it was, or the directory at which the scan began.
        place: Place,
    },
}

/// When something that was found after a restart may have changed, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// The latest time at which its content, its attributes or its place may have.
    pub changed_ns: u64,
    /// For a directory: the latest time at which it, or one above it, may have been moved to where it
    /// is. What lies below is not stamped by that.
    pub moved_ns: u64,
}

impl Stamps {
    /// Those of an entry in a directory that has these. `own_ns` is the time of the last change of the
    /// entry's inode, which nobody can set.
    pub fn of_entry(self, own_ns: u64, is_dir: bool) -> Stamps {
        if !is_dir {
            return Stamps { changed_ns: own_ns.max(self.moved_ns), moved_ns: 0 };
        }
        // A move stamps both what is moved and the directory to which it comes, so it was not moved here
        // after the earlier of the two stamps.
        let moved_ns = self.moved_ns.max(own_ns.min(self.changed_ns));
        Stamps { changed_ns: own_ns.max(moved_ns), moved_ns }
    }
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name there.
    pub name: Box<[u8]>,
    /// A real directory, and not a symlink to one.
    pub is_dir: bool,
    /// For [`Origin::Since`]: the latest time at which it may have changed; otherwise 0.
    pub changed_ns: u64,
}

/// One directory, read. A large one comes in several listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The scan it is part of.
    pub scan: ScanId,
    /// How the walk came by it.
    pub reached: Reached,
    /// The path, relative to the root, by which it was reached.
    pub path: Vec<u8>,
    /// The origin of its scan.
    pub origin: Origin,
    /// For [`Origin::Since`], if the directory itself may have changed since then: the latest time at
    /// which it may have. Something may have disappeared from it.
    pub changed_ns: Option<u64>,
    /// What is in it and not excluded by the filter. For [`Origin::Start`] nothing, since none of it is
    /// a change; for [`Origin::Since`] what has changed, without directories, since each has a listing
    /// of its own.
    pub entries: Vec<Entry>,
}

impl Listing {
    /// Of a directory in which nothing was found.
    pub fn empty(scan: ScanId, origin: Origin, reached: Reached, path: &[u8]) -> Listing {
        let (path, entries) = (path.to_vec(), Vec::new());
        Listing { scan, reached, path, origin, changed_ns: None, entries }
    }
}
