//! The kernel's word that something has been mounted or unmounted.
//!
//! It does not say what: whoever is told looks at the mounts that matter to them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The mounts of this process's own namespace, so that those of others do not count.
const MOUNTS: &str = "/proc/self/mounts";

/// Tells, through its descriptor's exceptional state, that the mounts have changed since the last wait.
#[derive(Debug)]
pub struct Mounts(File);

impl Mounts {
    /// Starts to listen.
    ///
    /// # Errors
    /// There is no `/proc`, or no descriptor left.
    pub fn new() -> io::Result<Mounts> {
        File::open(MOUNTS).map(Mounts)
    }
}

impl AsFd for Mounts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
