//! The ground of a root: which directory its path leads to now.
//!
//! An emptied, unmounted or replaced directory must not be taken for the one that was there before. The
//! loop looks at the ground when a root is back, and a worker before each run.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u64, u64);

impl Identity {
    /// The number of the directory in its file system.
    pub fn inode(self) -> u64 {
        self.1
    }

    /// Of the directory at `path`.
    ///
    /// # Errors
    /// Whatever stat(2) gives.
    pub fn of(path: &Path) -> io::Result<Identity> {
        std::fs::metadata(path).map(|found| Identity(found.dev(), found.ino()))
    }
}

/// What a root's path leads to, to be recognised when it has been away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// Which directory it is.
    pub identity: Identity,
    /// Whether a file system is mounted there: it is on another device than the directory above.
    is_mount: bool,
}

impl Ground {
    /// Of the directory at `path`.
    ///
    /// # Errors
    /// Whatever stat(2) gives.
    pub fn of(path: &Path) -> io::Result<Ground> {
        let identity = Identity::of(path)?;
        let above = Identity::of(&path.join(".."))?;
        Ok(Ground { identity, is_mount: identity.0 != above.0 })
    }

    /// Whether `path` leads to the very same directory still.
    pub fn is_still_at(&self, path: &Path) -> bool {
        Identity::of(path).ok() == Some(self.identity)
    }

    /// Whether a directory that is found later at the same path may take this one's place. A disk
    /// that is mounted again may have another device number; but what lies under a mount point is not
    /// what was mounted there, nor the other way round.
    pub fn may_become(&self, later: &Ground) -> bool {
        self.is_mount == later.is_mount && (self.is_mount || self.identity.0 == later.identity.0)
    }
}

/// Whether nothing is in a directory; also if that cannot be seen.
pub fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}
