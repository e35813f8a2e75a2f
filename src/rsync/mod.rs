//! rsync as this program uses it: command lines, lists, what a version can do, what an end means.
//!
//! Pure: nothing here starts a process or looks at a file. `worker` looks at the paths of a job,
//! asks [`plan`] for the runs, and starts them; the engine asks [`outcome`] what an end means.

pub mod capability;
pub mod command;
mod expression;
pub mod failed;
pub mod level;
pub mod login;
pub mod outcome;
pub(crate) mod params;
pub mod pattern;
pub mod plan;
pub mod progress;
pub mod rehearsal;
pub mod remote_shell;
pub mod rename;
pub mod repair;
pub mod shell;
pub mod whole;
