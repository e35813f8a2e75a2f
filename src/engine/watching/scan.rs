//! What the engine asks of the walk, and what the walk hands over: the words they share.
//!
//! The walk runs beside the engine and is ahead of it: it sees directories as they are now, the
//! engine knows them as of the last event that it has read. `watches` reconciles the two.

use super::event::Wd;
use crate::engine::time::Time;

/// Numbers the scans of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ScanId(pub u64);

/// Where a directory lies, told by descriptor: that stays right when a directory above is renamed.
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

/// Why directories are read; decides which of the things found are changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The program starts, or starts over after an overflow: nothing found is a change.
    Start,
    /// The program starts again: what has changed at this time or later is a change. In nanoseconds
    /// since 1970 on the clock that stamps files.
    Since(u64),
    /// The directory was created, at this time; what is in it came later, by creation and writing.
    /// The zero of time stands for a time that is not known.
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
    /// Watch each directory before it is read. Otherwise they are watched already, and only read.
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
}

/// When something that was found after a restart may have changed, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps {
    /// The latest time at which its content, its attributes or its place may have.
    pub changed_ns: u64,
    /// For a directory: the latest time at which it, or one above, may have been moved to where it
    /// is. A rename stamps what it moves, but nothing that lies below.
    pub moved_ns: u64,
}

impl Stamps {
    /// Of an entry in a directory that has these stamps. `own_ns` is the time of the last change of
    /// its inode, which nobody can set.
    pub fn of_entry(self, own_ns: u64, is_dir: bool) -> Stamps {
        if !is_dir {
            return Stamps { changed_ns: own_ns.max(self.moved_ns), moved_ns: 0 };
        }
        // Whatever comes to the directory above stamps that one as well.
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
    /// How it was reached.
    pub reached: Reached,
    /// The path, relative to the root, by which it was reached.
    pub path: Vec<u8>,
    /// The origin of its scan.
    pub origin: Origin,
    /// For [`Origin::Since`], if the directory itself has changed since: the latest time at which it
    /// may have. Something may then have disappeared from it.
    pub changed_ns: Option<u64>,
    /// What is in it, without what the filter excludes. Empty for [`Origin::Start`], where it would
    /// not be used; for [`Origin::Since`] what has changed, without directories, which have listings
    /// of their own.
    pub entries: Vec<Entry>,
}
