//! What outlives a run: the state of each remote, and the fail log, which is a script that anybody can run. `disk` has
//! the thread that writes them.
//!
//! May name `engine`, `rsync`, `config` and `sys`. Both are written whole and put in place by one rename, so that
//! whoever is killed leaves the old one or the new one.

pub mod disk;
pub mod faillog;
pub mod state;
