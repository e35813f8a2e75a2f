//! The last line of a program that stops itself.
//!
//! The static builds have no text for a panic: each panic is an instruction that no processor
//! knows, which is far smaller. What is left to say is the address; `docs/OPERATIONS.md` says how
//! to read it. Builds with a panic hook say more, and get here only by a signal from outside.
//! Called by `main` and by `output`, which knows where the log is.
#![allow(unsafe_code)]

use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::OnceLock;

/// The signal that such an instruction becomes; which one depends on the processor.
const SIGNALS: [Signal; 2] = [Signal::SIGILL, Signal::SIGTRAP];
/// Longer than the line ever is.
const LINE_BYTES_MAX: usize = 256;
/// How long the line waits for a reader of the log that does not read.
const WAIT_MS: libc::c_int = 1_000;

/// Where the last line goes: a descriptor of its own, since standard error may be a pipe whose
/// reader, a thread of this process, no longer runs by then.
static LOG: AtomicI32 = AtomicI32::new(libc::STDERR_FILENO);

/// What the line begins with: which program this is, and which build of it.
static BUILD: OnceLock<&str> = OnceLock::new();

/// Has the program say where it stopped. `build` is what it calls itself.
pub fn catch(build: &'static str) {
    let _ = BUILD.set(build);
    let handler = SigHandler::SigAction(last_words);
    // Once: the instruction is run again after the handler, and then ends the process as it should.
    let action = SigAction::new(handler, SaFlags::SA_RESETHAND, SigSet::empty());
    for signal in SIGNALS {
        // SAFETY: the handler does only what a signal handler may do. An error leaves all as it was.
        let _ = unsafe { sigaction(signal, &action) };
    }
}

/// The last line goes to `log` from now on, which stays open until the next one is named.
pub(super) fn tell(log: &OwnedFd) {
    LOG.store(log.as_raw_fd(), Ordering::Relaxed);
}

extern "C" fn last_words(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid pointer. The address is there where the kernel itself has
    // sent the signal; where a process did, these bytes are that one's number and user.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let (mut line, mut length) = ([0; LINE_BYTES_MAX], 0);
    let mut add = |bytes: &[u8]| {
        for (place, byte) in line[length..].iter_mut().zip(bytes) {
            *place = *byte;
            length += 1;
        }
    };
    // It is set before the handler is, so that this waits for nobody.
    add(BUILD.get().copied().unwrap_or_default().as_bytes());
    if code > 0 {
        add(b": ended by a fault of its own, at 0x");
        for digit in (0..usize::BITS / 4).rev() {
            add(&[b"0123456789abcdef"[address >> (digit * 4) & 15]]);
        }
        add(b"; please report this line\n");
    } else {
        add(b": ended by a signal from another process\n");
    }
    let fd = LOG.load(Ordering::Relaxed);
    let mut log = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: the bytes outlive the call; poll(2), write(2) and raise(3) may be called in a signal
    // handler.
    unsafe {
        if libc::poll(&raw mut log, 1, WAIT_MS) == 1 {
            libc::write(fd, line.as_ptr().cast(), length);
        }
        // A signal that another process has sent is not repeated by running the instruction again.
        if code <= 0 {
            libc::raise(signal);
        }
    }
}
