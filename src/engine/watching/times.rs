//! Files whose times may have been set by themselves.
//!
//! Whoever sets the time of modification and not that of access, as tar and `touch -m` do, gets IN_MODIFY and no IN_ATTRIB
//! (fsnotify_change in the kernel's fsnotify.h), and so does a write. A write sets the time of modification and that of the
//! last change to the same moment, and where somebody sets a time they differ. So a file is looked at some time after such
//! an event. Directories are not written to, so there the event can mean nothing else.

use super::appointments::Appointments;
use super::settle::Seen;
use crate::engine::rel_path::RelPath;
use crate::engine::time::Time;

/// How long after the event a file is looked at: however often it is written to meanwhile, it is one look.
const LOOK_MS: u64 = 1_000;
/// Files that wait at the same time. Of any more, the event is a change.
const FILES_MAX: usize = 16_384;

/// The files that wait for a look.
#[derive(Debug, Default)]
pub struct Times {
    looks: Appointments<()>,
}

impl Times {
    /// A file was written to, or its time was set; `false` if no more can wait.
    pub fn modified(&mut self, path: &RelPath, now: Time) -> bool {
        let waits = self.looks.get(path).is_some();
        let may = waits || self.looks.count() < FILES_MAX;
        if may && !waits {
            self.looks.make(path, now + LOOK_MS, ());
        }
        may
    }

    /// The file is a change for another reason.
    pub fn forget(&mut self, path: &RelPath) {
        self.looks.cancel(path);
    }

    /// When the next look is due.
    pub fn next_look(&self) -> Option<Time> {
        self.looks.next()
    }

    /// A file to look at now; the answer goes to [`Times::seen`].
    pub fn take_look(&mut self, now: Time) -> Option<RelPath> {
        self.looks.take(now)
    }

    /// What a look saw: whether the times were set. `None` if it was not a look of these.
    pub fn seen(&mut self, path: &RelPath, seen: Seen) -> Option<bool> {
        self.looks.kept(path)?;
        Some(match seen {
            Seen::Regular { times_set, .. } => times_set,
            Seen::Unknown => true,
            Seen::Missing | Seen::Directory | Seen::Other => false,
        })
    }
}
