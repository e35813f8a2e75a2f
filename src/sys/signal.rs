//! Signals as bytes in a pipe, so that the loop can wait for them like for everything else.
//!
//! Not signalfd: it needs the signals blocked, and a blocked mask would be inherited by rsync.
#![allow(unsafe_code)]

use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// Where the handler writes; -1 before there is a pipe. It is never closed.
static PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn tell(signal: libc::c_int) {
    let byte = signal as u8;
    // SAFETY: the byte outlives the call, write(2) may be called in a signal handler, and errno is
    // put back for the code that was interrupted. A full pipe (65,536 signals that nobody has read)
    // loses the signal, since the descriptor does not block.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(PIPE.load(Ordering::Relaxed), (&raw const byte).cast(), 1);
        *libc::__errno_location() = errno;
    }
}

/// The caught signals.
#[derive(Debug)]
pub struct Signals {
    pipe: PipeReader,
}

impl Signals {
    /// Catches `signals` from now on. To be called once.
    ///
    /// # Errors
    /// No descriptor left, or a signal that cannot be caught.
    pub fn catch(signals: &[Signal]) -> io::Result<Signals> {
        let (pipe, writer) = io::pipe()?;
        super::set_nonblocking(&pipe)?;
        super::set_nonblocking(&writer)?;
        PIPE.store(writer.into_raw_fd(), Ordering::Relaxed);
        let handler = SigHandler::Handler(tell);
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        for signal in signals {
            // SAFETY: the handler does only what a signal handler may do.
            unsafe { sigaction(*signal, &action) }?;
        }
        Ok(Signals { pipe })
    }

    /// The signals that have come since the last call.
    pub fn take(&mut self) -> Vec<Signal> {
        let mut bytes = [0; 64];
        let count = self.pipe.read(&mut bytes).unwrap_or(0);
        bytes[..count].iter().filter_map(|byte| Signal::try_from(i32::from(*byte)).ok()).collect()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
