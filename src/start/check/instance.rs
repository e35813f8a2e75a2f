//! Whether an instance runs with this configuration.

use super::finding::Finding;
use crate::config::Config;
use crate::keep::state::beside;
use crate::start::prepare::resolved;
use crate::sys::lock::{self, Holder};

/// The instance that runs with this configuration, if there is one.
pub(super) fn holder(config: &Config) -> Option<Holder> {
    let resolved = resolved(config).ok()?;
    lock::holder(&resolved, &beside(&config.fail_log.path, &resolved, "lock"))
}

pub(super) fn finding(config: &Config, holder: Holder) -> Finding {
    let file = config.file.display().to_string();
    let who = holder.pid.map_or("another instance".into(), |pid| format!("process {pid}"));
    let text = format!("{who} runs with it; a second start ends with 3, SIGHUP reads it again");
    Finding::note(file, text)
}
