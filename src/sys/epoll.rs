//! epoll(7), level-triggered: whatever was not read is told again.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// So many descriptors are told by one wait; the next wait tells the others.
const EVENTS_MAX: usize = 16;

/// Which state of a descriptor ends the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// That it can be read.
    Read,
    /// That it can be written to.
    Write,
    /// To be in an exceptional state.
    Exception,
}

/// A set of descriptors to wait for. It is one itself, readable when one of its own is.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// No descriptor or no memory left.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: no pointers are involved.
        let call = || unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        // Before 2.6.27. The size says nothing, but must not be 0.
        // SAFETY: no pointers are involved.
        let older = || unsafe { libc::epoll_create(1) };
        Ok(Epoll { fd: super::descriptor(call, older)? })
    }

    /// Adds a descriptor; `token` comes back when it is readable. It leaves the set when it is
    /// closed.
    ///
    /// # Errors
    /// No memory left, or the descriptor cannot be waited for.
    pub fn add(&self, fd: &impl AsFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, Interest::Read)
    }

    /// Adds a descriptor that tells by an exceptional state, and may always be readable.
    ///
    /// # Errors
    /// No memory left, or the descriptor cannot be waited for.
    pub fn add_exceptional(&self, fd: &impl AsFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, Interest::Exception)
    }

    /// Waits for something else of a descriptor from now on.
    ///
    /// # Errors
    /// It is not in the set.
    pub fn change(&self, fd: &impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    /// Takes a descriptor out that stays open.
    ///
    /// # Errors
    /// It is not in the set.
    pub fn remove(&self, fd: &impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, Interest::Read)
    }

    fn control(&self, what: i32, fd: &impl AsFd, token: u64, wanted: Interest) -> io::Result<()> {
        let events = match wanted {
            Interest::Read => libc::EPOLLIN,
            Interest::Write => libc::EPOLLOUT,
            Interest::Exception => libc::EPOLLPRI,
        };
        // Kernels before 2.6.9 want an event for EPOLL_CTL_DEL, too.
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        let (epoll, fd) = (self.fd.as_raw_fd(), fd.as_fd().as_raw_fd());
        // SAFETY: `event` outlives the call, which copies it.
        match unsafe { libc::epoll_ctl(epoll, what, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Waits until a descriptor is readable, `timeout` is over (`None`: for ever) or a signal comes;
    /// gives the tokens of those that are readable.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Vec<u64>> {
        let timeout_ms = match timeout {
            None => -1,
            Some(timeout) => i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
        };
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        // SAFETY: `events` has room for the number of entries that is given with it.
        let count = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                events.as_mut_ptr(),
                EVENTS_MAX as i32,
                timeout_ms,
            )
        };
        match usize::try_from(count) {
            Ok(count) => Ok(events[..count].iter().map(|event| event.u64).collect()),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(Vec::new()),
                error => Err(error),
            },
        }
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
