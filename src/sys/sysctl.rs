//! The kernel's limits for inotify, which sersync raises at its start.

use nix::unistd::{access, AccessFlags};
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
/// How many inotify instances one user may have; each root takes one. It is left as it is.
pub const INSTANCES: Limit = Limit { name: "max_user_instances", wanted: 0 };
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

    /// What it will be once the program has raised it, where it may.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn value_after_start(self) -> io::Result<u64> {
        let may_raise = access(self.file().as_str(), AccessFlags::W_OK).is_ok();
        Ok(if may_raise { self.value()?.max(self.wanted) } else { self.value()? })
    }

    fn file(self) -> String {
        format!("/proc/sys/fs/inotify/{}", self.name)
    }
}
