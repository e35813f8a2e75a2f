//! The system calls that std has no safe wrapper for, one small wrapper each.
//!
//! This is the only place with unsafe code; every use of it says why it is sound.
//!
//! Kernels from 2.6.18 on will do. Which calls there are, since when, and what happens where one is
//! missing stands in docs/KERNELS.md.

pub mod channel;
pub mod clock;
mod connection;
pub mod control;
pub mod crash;
pub mod daemon;
pub mod directory;
pub mod epoll;
pub mod file_system;
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
mod quick_ack;
pub mod signal;
pub mod sysctl;
pub mod thread;
pub mod user;
mod whole_input;
pub mod zombies;

use nix::fcntl::{fcntl, FcntlArg, OFlag};
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};

/// Makes reads and writes of a descriptor give `WouldBlock` instead of waiting.
///
/// # Errors
/// None for a descriptor that is open.
pub fn set_nonblocking(fd: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The descriptor that `call` gives, with its own flag that keeps it from the processes that are
/// started. Where the kernel does not know that call, `older` is asked, which has no flags: a process
/// that another thread starts in the moment before the flag is set inherits the descriptor.
///
/// # Errors
/// What the call gives.
fn descriptor(call: impl Fn() -> RawFd, older: impl Fn() -> RawFd) -> io::Result<OwnedFd> {
    match owned(call()) {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            let fd = owned(older())?;
            own_file::close_on_exec(&fd)?;
            Ok(fd)
        }
        result => result,
    }
}

/// Takes over what a system call has just given: a new descriptor, or -1 with its reason in errno.
#[allow(unsafe_code)]
fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all callers give what a system call has made for them, which nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
