//! The system calls that std has no safe wrapper for, one small wrapper each.
//!
//! This is the only place with unsafe code; every use of it says why it is sound.

pub mod channel;
pub mod clock;
pub mod daemon;
pub mod epoll;
pub mod inotify;
pub mod lock;
pub mod memory;
pub mod mounts;
pub mod orphans;
pub mod output;
pub mod own_file;
pub mod pid_file;
pub mod private_directory;
pub mod process;
pub mod signal;
pub mod sysctl;
pub mod user;

use nix::fcntl::{fcntl, FcntlArg, OFlag};
use std::io;
use std::os::fd::AsFd;

/// Makes reads and writes of a descriptor give `WouldBlock` instead of waiting.
///
/// # Errors
/// None for a descriptor that is open.
pub fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
