//! How every remote is treated, from the configuration.

use crate::config;
use crate::rsync::asked::plan::Deletes;

/// What all remotes have in common.
#[derive(Debug, Clone, Copy)]
pub struct SendingSettings {
    /// When batches leave.
    pub timing: config::Batch,
    /// How deletions are tried first.
    pub deletes: Deletes,
    /// Full syncs delete what only the far side has.
    pub mirror: bool,
    /// Flat runs may be done by a standby, whose words delete whatever the batch is.
    pub standby: bool,
    /// What does not get through, however often it is tried, is tried again after this.
    pub put_aside_ms: u64,
}
