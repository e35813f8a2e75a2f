//! How every remote is treated, from the configuration.

use crate::config;
use crate::engine::sending::licence::Grants;
use crate::rsync::asked::licence::Way;

/// What all remotes have in common.
#[derive(Debug, Clone, Copy)]
pub struct SendingSettings {
    /// When batches leave.
    pub timing: config::Batch,
    /// What runs may delete on a remote.
    pub grants: Grants,
    /// How much may be deleted unasked where it is not certain that the root is what it was.
    pub max_delete: config::MaxDelete,
    /// How deletions are tried first.
    pub way: Way,
    /// Flat runs may be done by a standby, whose words delete whatever the batch is.
    pub standby: bool,
    /// What does not get through, however often it is tried, is tried again after this.
    pub put_aside_ms: u64,
}
