//! System calls of the program under test that are stopped, so that the test can say how they end.
//!
//! A seccomp filter stops each system call in question and asks a thread of the test, which looks
//! at whose call it is. Those of the program under test, in all of its threads and forks, fail as
//! the test says; rsync, ssh and shells, which inherit the filter, go on undisturbed.
// Neither std nor nix has the calls behind this.
#![allow(unsafe_code)]

use super::sersync::binary;
use libc::{c_int, c_void, seccomp_notif, seccomp_notif_resp, sock_filter};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::{fs, io, thread};

/// The program's name, wherever it was copied to.
const NAME: &str = "sersync";

/// How a stopped call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As if it had not been stopped.
    Pass,
    /// It fails with this error.
    Fail(c_int),
    /// It waits, and is judged again soon.
    Wait,
}

/// How often a call that waits is judged again.
const AGAIN_MS: u8 = 5;

/// Has the calls of this command, which is or becomes the program under test, stopped by a filter. To be
/// called last, just before it is started. The filter is made for the descriptor over which its own is
/// sent. `verdict` says how a stopped call goes on.
pub fn stop(
    command: &mut Command,
    filter: impl FnOnce(RawFd) -> Vec<sock_filter>,
    verdict: impl Fn(&seccomp_notif) -> Verdict + Send + 'static,
) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let filter = filter(theirs.as_raw_fd());
    // SAFETY: between fork and exec it makes system calls and nothing else; everything that
    // they need was made before.
    unsafe { command.pre_exec(move || install(&filter, &theirs)) };
    thread::spawn(move || {
        // Without one the command was never started.
        if let Some(listener) = receive(&ours) {
            drop(ours);
            answer(&listener, verdict);
        }
    });
}

/// Where the filter finds the number of a call.
pub const NUMBER: u32 = 0;

/// Where it finds the lower half of an argument, on a machine that puts it first.
pub fn argument(place: u32) -> u32 {
    16 + 8 * place
}

/// Reads what the next comparison is with.
pub fn load(offset: u32) -> sock_filter {
    let code = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    sock_filter { code, jt: 0, jf: 0, k: offset }
}

/// Ends the filter with this verdict.
pub fn give(verdict: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: verdict }
}

/// Skips so many steps unless what was loaded compares with the value.
pub fn unless(comparison: u32, value: u32, skipped: u8) -> sock_filter {
    let code = (libc::BPF_JMP | comparison | libc::BPF_K) as u16;
    sock_filter { code, jt: 0, jf: skipped, k: value }
}

/// Puts this process, and all that it will become and start, under the filter; the descriptor for
/// the answers goes out over `channel`.
fn install(filter: &[sock_filter], channel: &UnixStream) -> io::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // The flag keeps signals from interrupting a call that is being answered; it is of 5.19.
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let quiet = listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let set = |flags: libc::c_ulong| {
        // SAFETY: the pointer is to a program that outlives the call, which copies it.
        unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            )
        }
    };
    // SAFETY: no pointers are involved. Without it only root may set a filter.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = match set(quiet) {
        -1 => set(listener),
        fd => fd,
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    send(channel, fd as RawFd)
}

/// Room for a message's one descriptor, aligned as its header must be.
const CONTROL_WORDS: usize = 4;

/// A message of one byte, to which a descriptor is attached.
fn message(byte: &mut libc::iovec, control: &mut [u64; CONTROL_WORDS]) -> libc::msghdr {
    // SAFETY: zeros are a valid message without anything.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = byte;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: it computes a number.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as _;
    message
}

fn send(channel: &UnixStream, fd: RawFd) -> io::Result<()> {
    let (mut byte, mut control) = (0u8, [0; CONTROL_WORDS]);
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let message = message(&mut part, &mut control);
    // SAFETY: the message has room for one header and one descriptor; all that it points to
    // outlives the call.
    let sent = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        libc::sendmsg(channel.as_raw_fd(), &raw const message, 0)
    };
    match sent {
        1 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The descriptor that [`send`] has sent; `None` if the other end is gone.
fn receive(channel: &UnixStream) -> Option<OwnedFd> {
    let (mut byte, mut control) = (0u8, [0; CONTROL_WORDS]);
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut message = message(&mut part, &mut control);
    // SAFETY: as in `send`; the descriptor is new and nobody else's.
    unsafe {
        let flags = libc::MSG_CMSG_CLOEXEC;
        if libc::recvmsg(channel.as_raw_fd(), &raw mut message, flags) != 1 {
            return None;
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let fd = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
        Some(OwnedFd::from_raw_fd(fd))
    }
}

/// Answers every call that the filter stops until no process is left under it; everybody's but the program's pass.
fn answer(listener: &OwnedFd, verdict: impl Fn(&seccomp_notif) -> Verdict) {
    let mut waiting: Vec<seccomp_notif> = Vec::new();
    loop {
        waiting.retain(|asked| !judge(listener, asked, verdict(asked)));
        let timeout =
            if waiting.is_empty() { PollTimeout::NONE } else { PollTimeout::from(AGAIN_MS) };
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Err(nix::errno::Errno::EINTR) | Ok(0) => continue,
            Err(error) => panic!("the filter's descriptor cannot be waited for: {error}"),
            Ok(_) => {}
        }
        if !fds[0].revents().is_some_and(|ready| ready.contains(PollFlags::POLLIN)) {
            return;
        }
        // SAFETY: zeros are a valid record, and what the kernel wants to be given.
        let mut asked: seccomp_notif = unsafe { std::mem::zeroed() };
        // Whoever asked may have been killed meanwhile.
        if !control(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut asked).cast()) {
            continue;
        }
        let judged = if is_program(asked.pid) { verdict(&asked) } else { Verdict::Pass };
        if !judge(listener, &asked, judged) {
            waiting.push(asked);
        }
    }
}

/// Has a call go on; `false` if it has to wait.
fn judge(listener: &OwnedFd, asked: &seccomp_notif, verdict: Verdict) -> bool {
    let (error, flags) = match verdict {
        Verdict::Pass => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Verdict::Fail(error) => (-error, 0),
        Verdict::Wait => return false,
    };
    let mut answer = seccomp_notif_resp { id: asked.id, val: 0, error, flags };
    control(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut answer).cast());
    true
}

fn control(listener: &OwnedFd, request: libc::Ioctl, record: *mut c_void) -> bool {
    // SAFETY: each caller gives the record of its request, which outlives the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), request, record) == 0 }
}

/// Whether a thread belongs to the program under test and has not become another one.
fn is_program(thread: u32) -> bool {
    // One that is gone does not wait for the answer.
    let Ok(program) = fs::read_link(format!("/proc/{thread}/exe")) else { return false };
    let name = program.file_name();
    name == Some(NAME.as_ref()) || name == Path::new(&binary()).file_name()
}
