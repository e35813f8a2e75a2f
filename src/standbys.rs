//! The standbys of all remotes: which are kept, and for how long.
//!
//! The loop gives a remote's to the worker that gets its next job, and gets another one back.

use crate::config::Standby as Kept;
use crate::engine::time::Time;
use crate::engine::RemoteId;
use crate::worker::Standby;
use std::collections::BTreeMap;

/// So many live at a time, those of the remotes that changed last: each is a process here, and another
/// one and a connection over there.
const STANDBYS_MAX: usize = 32;

/// Those that wait now.
#[derive(Debug)]
pub struct Standbys {
    kept: Kept,
    waiting: BTreeMap<RemoteId, (Time, Standby)>,
}

impl Standbys {
    /// None yet.
    pub fn new(kept: Kept) -> Standbys {
        Standbys { kept, waiting: BTreeMap::new() }
    }

    /// Keeps one until it is taken, or has waited for long enough.
    pub fn keep(&mut self, remote: RemoteId, standby: Standby, now: Time) {
        if self.kept == Kept::Off {
            return;
        }
        self.waiting.insert(remote, (now, standby));
        if self.waiting.len() > STANDBYS_MAX {
            let oldest = self.waiting.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(remote) = oldest.map(|(remote, _)| *remote) {
                self.waiting.remove(&remote);
            }
        }
    }

    /// Hands out that of a remote.
    pub fn take(&mut self, remote: RemoteId) -> Option<Standby> {
        self.waiting.remove(&remote).map(|(_, standby)| standby)
    }

    /// Lets those of some remotes go.
    pub fn let_go(&mut self, of: impl Fn(RemoteId) -> bool) {
        self.waiting.retain(|remote, _| !of(*remote));
    }

    /// When [`Standbys::expire`] has something to do.
    pub fn due(&self) -> Option<Time> {
        let Kept::For(seconds) = self.kept else { return None };
        let since = self.waiting.values().map(|(since, _)| *since).min()?;
        Some(since + seconds.saturating_mul(1000))
    }

    /// Lets those go that have waited for long enough.
    pub fn expire(&mut self, now: Time) {
        let Kept::For(seconds) = self.kept else { return };
        self.waiting.retain(|_, (since, _)| now < *since + seconds.saturating_mul(1000));
    }
}
