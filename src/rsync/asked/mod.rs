//! What we say to rsync: command lines, lists, patterns, and what a version understands.
//!
//! Pure. `run::worker` looks at the paths of a job, asks [`plan`] for the runs, and starts them.

pub mod anew;
pub mod away;
pub mod capability;
pub(crate) mod deleting;
mod expression;
mod guards;
mod hiding;
pub mod letter_case;
pub mod level;
pub mod licence;
pub mod links;
pub mod only;
#[cfg(test)]
mod oracle;
pub mod pattern;
pub mod plan;
pub mod progress;
pub mod rehearsal;
pub mod remote_shell;
pub mod rename;
pub mod repair;
pub mod route;
pub mod run;
mod timeout;
pub mod whole;
