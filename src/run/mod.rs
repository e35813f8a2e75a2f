//! What runs: the loop that waits and owns all state, and the threads that work for it.
//!
//! May name `tell`, `keep`, `engine`, `rsync`, `config` and `sys`, and never `start`. What happens is decided in
//! `engine`; here it is done: directories read, rsync started, answers handed back.

pub mod control;
pub mod crontab;
pub mod event_loop;
pub mod ground;
pub mod names;
pub mod reaper;
pub mod setup;
pub mod ssh;
pub mod standbys;
pub mod walk;
pub mod worker;
