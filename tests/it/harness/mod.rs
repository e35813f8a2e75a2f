//! What the tests stand on: processes that end with their test, trees that can be compared, and
//! waiting that is polling with a deadline. It knows nothing about any single test.

mod browser;
mod child;
mod confxml;
mod daemon;
mod disk;
mod faults;
mod gate;
mod in_background;
mod json;
mod large;
mod link;
mod machine;
mod memory;
mod mirror;
mod mounts;
mod old_daemon;
mod old_kernel;
mod old_rsync;
mod rest;
mod sersync;
mod sshd;
mod stand_in;
mod stopped_calls;
mod traceless;
mod tree;
mod wait;

pub use browser::Browser;
pub use child::{free_port, Child};
pub use confxml::ConfXml;
pub use daemon::Daemon;
pub use disk::Disk;
pub use faults::{Call, Faults};
pub use gate::{Gate, Rsync};
pub use in_background::{in_background, terminal, InBackground};
pub use json::Json;
pub use large::{slow, write_large, Held, LARGE_BYTES, SLOW};
pub use link::{Far, Link, FAR};
pub use machine::Machine;
pub use memory::memory_kib;
pub use mirror::{change_arrives, Mirror, Plan};
pub use mounts::{Image, Mounts};
pub use old_kernel::{listed, Kernel};
pub use old_rsync::{path, path_of, Version};
pub use rest::{rest_for, switches};
pub use sersync::{binary, program, run_to_end, Exit};
pub use sshd::Sshd;
pub use stand_in::{End, StandIn};
pub use traceless::run_without_trace;
pub use tree::Tree;
pub use wait::{eventually, until, DEADLINE};

use std::path::Path;
use tempfile::TempDir;

/// With this environment variable the directory of a failed test stays, and `debug` is on: the
/// program's standard output then has every event and every command.
pub const KEEP: &str = "SERSYNC_IT_KEEP";

/// A new directory for everything of one test: in memory if the machine has a tmpfs at the usual
/// place, because a disk would only make the same test slower.
pub fn scratch() -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("sersync-it-");
    // The attempt is the check; a container may have the directory but no right to it.
    builder.tempdir_in(Path::new("/dev/shm")).unwrap_or_else(|_| builder.tempdir().unwrap())
}
