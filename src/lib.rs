//! Real-time directory mirroring with inotify and rsync.
//!
//! The program turns events into a set of *changed paths* for each remote, and asks rsync to make
//! those paths equal. What a path has become is looked at when its batch leaves, not when the event
//! came. So order, duplicates and bursts cannot make the result wrong, a batch can always be
//! repeated, and after a failure the paths go back into the set.
//!
//! The way of a change: [`sys::inotify`] gives bytes, [`engine::watching::event`] makes records of them,
//! [`engine::watching::watches`] knows which directory each is about, [`engine::watching::root`] says what
//! it means for a path, [`engine::sending::pending`] remembers the path for each remote,
//! [`engine::sending::remote`] says when a batch leaves, [`run::worker`] looks at its paths,
//! [`rsync::asked::plan`] makes command lines of them, [`rsync::told::outcome`] says what the exit means.
//!
//! The modules below are the wings of the house: each may name those that stand lower in this list (start, run,
//! tell, keep, engine, rsync, config, sys), and `tests/tidy.rs` sees to it.
//!
//! `engine`, `rsync` and `config` are pure: no system call, no clock, no thread; time comes in as a
//! value. [`run::event_loop`] owns all state in one thread; the others get a message and give one back,
//! through pipes. `unsafe` is only in `sys`, and paths are bytes everywhere.
#![deny(unsafe_code)]

pub mod config;
pub mod engine;
pub mod keep;
pub mod rsync;
pub mod run;
pub mod sorted;
pub mod start;
pub mod sys;
pub mod tell;
