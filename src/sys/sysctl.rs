//! The kernel's limits for inotify, which sersync raises at its start.

use std::fs;
use std::io;

/// A limit under `/proc/sys/fs/inotify` and what it is raised to.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The file's name.
    pub name: &'static str,
    /// The least value that is wanted.
    pub wanted: u64,
}

/// How many directories one user may watch.
pub const WATCHES: Limit = Limit { name: "max_user_watches", wanted: 50_000_000 };
/// COMPAT: the two limits that sersync raises, and its values.
pub const LIMITS: [Limit; 2] = [WATCHES, Limit { name: "max_queued_events", wanted: 327_679 }];

impl Limit {
    /// Raises the limit; a larger value stays.
    ///
    /// # Errors
    /// The file cannot be read or written: no permission, or no `/proc`.
    pub fn raise(self) -> io::Result<()> {
        if self.value()? < self.wanted {
            fs::write(self.file(), self.wanted.to_string())?;
        }
        Ok(())
    }

    /// What it is now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn value(self) -> io::Result<u64> {
        Ok(fs::read_to_string(self.file())?.trim().parse().unwrap_or(0))
    }

    fn file(self) -> String {
        format!("/proc/sys/fs/inotify/{}", self.name)
    }
}
