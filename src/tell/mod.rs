//! What is told to people and to other programs: the log, the status page, alerts, plugins.
//!
//! May name `keep`, `engine`, `rsync`, `config` and `sys`. Nothing here decides anything, and nothing here holds
//! the loop up: what waits for somebody else waits in a thread of its own, behind a bounded queue.

pub mod alert;
pub mod amounts;
pub mod logging;
pub mod plugin;
pub mod report;
pub mod status;
pub mod user_command;
