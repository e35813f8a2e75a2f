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

/// COMPAT: the two limits that sersync raises, and its values.
pub const LIMITS: [Limit; 2] = [
    Limit { name: "max_user_watches", wanted: 50_000_000 },
    Limit { name: "max_queued_events", wanted: 327_679 },
];

impl Limit {
    /// Raises the limit; a larger value stays.
    ///
    /// # Errors
    /// The file cannot be read or written: no permission, or no `/proc`.
    pub fn raise(self) -> io::Result<()> {
        let file = format!("/proc/sys/fs/inotify/{}", self.name);
        let now = fs::read_to_string(&file)?.trim().parse().unwrap_or(0u64);
        if now < self.wanted {
            fs::write(&file, self.wanted.to_string())?;
        }
        Ok(())
    }
}
