//! What the engine asks of the walk, and what the walk hands over: the words they share.
//!
//! The walk runs beside the engine and is ahead of it: it sees directories as they are now, the
//! engine knows them as of the last event that it has read. `watches` reconciles the two.

use super::event::Wd;
use super::time::Time;

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
    /// It could not be watched, and was read all the same.
    Unwatched,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Entry {
    pub name: Box<[u8]>,
    pub is_dir: bool,
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
    /// What is in it, without what the filter excludes. Empty for [`Origin::Start`], where it would
    /// not be used.
    pub entries: Vec<Entry>,
}
