//! Which directory a root is: an emptied, unmounted or replaced one must not be taken for it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode of a directory: whether it is still the same one.
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

/// What is known of a root's directory, to recognise it when it has been away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footing {
    /// Which directory it is.
    pub identity: Identity,
    /// Whether a file system is mounted there: it is on another device than the directory above.
    is_mount: bool,
}

impl Footing {
    /// Of the directory at `path`.
    ///
    /// # Errors
    /// Whatever stat(2) gives.
    pub fn of(path: &Path) -> io::Result<Footing> {
        let identity = Identity::of(path)?;
        let above = Identity::of(&path.join(".."))?;
        Ok(Footing { identity, is_mount: identity.0 != above.0 })
    }

    /// Whether a directory that is found later at the same path may take this one's place. A disk
    /// that is mounted again may have another number; but what lies under a mount point is not
    /// what was mounted there, nor the other way round.
    pub fn may_become(&self, later: &Footing) -> bool {
        self.is_mount == later.is_mount && (self.is_mount || self.identity.0 == later.identity.0)
    }
}

/// Whether nothing is in a directory; also if that cannot be seen.
pub fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}
