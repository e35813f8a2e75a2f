//! The kernel of an old system, as far as the program is concerned: what came later is not there.
//!
//! A seccomp filter stops each system call in question and asks a thread of the test, which looks
//! at whose call it is. Those of the program under test, in all of its threads and forks, fail as
//! they would fail there; rsync, ssh and shells, which inherit the filter but come from today, go
//! on undisturbed. So any binary can be tried as it is.
//!
//! What it does not show: flags that old kernels overlook in silence (`O_CLOEXEC` before 2.6.23),
//! calls that never reach the kernel (the clocks), and other architectures: the numbers of x86-64
//! were given out in the order of time, which is what makes the filter a single comparison.
//!
//! `SERSYNC_IT_KERNEL=2.6.18`, or another name of [`Kernel`], has every test run its programs so.
// Neither std nor nix has the calls behind this.
#![allow(unsafe_code)]

use super::sersync::binary;
use libc::{c_int, c_long, c_void, seccomp_notif, seccomp_notif_resp, sock_filter};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::{env, fs, thread};

/// Which kernel the program has.
const VARIABLE: &str = "SERSYNC_IT_KERNEL";
/// The program's name, wherever it was copied to.
const NAME: &str = "sersync";
/// The calls that the program may make. See [`Kernel::Listed`].
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/KERNELS.md");

/// What the program finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// That of CentOS 5.
    V2_6_18,
    /// That of CentOS 6.
    V2_6_32,
    /// Today's; but a call that is not in the table of docs/KERNELS.md is written down.
    Listed,
}

/// The numbers of the calls that the program made and its kernel has not; with [`Kernel::Listed`], that
/// are not in the table.
#[derive(Debug, Clone, Default)]
pub struct Strangers(Arc<Mutex<BTreeSet<i32>>>);

impl Strangers {
    /// What there were so far.
    pub fn seen(&self) -> Vec<i32> {
        self.0.lock().unwrap().iter().copied().collect()
    }
}

impl Kernel {
    /// The one that the environment asks for.
    pub fn wanted() -> Option<Kernel> {
        let wanted = env::var(VARIABLE).ok()?;
        Some(match wanted.as_str() {
            "2.6.18" => Kernel::V2_6_18,
            "2.6.32" => Kernel::V2_6_32,
            "listed" => Kernel::Listed,
            _ => panic!("{VARIABLE}={wanted}: it is 2.6.18, 2.6.32 or listed"),
        })
    }

    /// The last call that there was: 2.6.18 brought `move_pages`, 2.6.31 `perf_event_open`.
    fn last_call(self) -> u32 {
        let last = match self {
            Kernel::V2_6_18 => libc::SYS_move_pages,
            Kernel::V2_6_32 => libc::SYS_perf_event_open,
            Kernel::Listed => unreachable!("it lets everything through"),
        };
        last as u32
    }

    /// Has this command, which is or becomes the program under test, find this kernel. To be called
    /// last, just before it is started.
    pub fn confine(self, command: &mut Command) -> Strangers {
        let strangers = Strangers::default();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let filter = self.filter(theirs.as_raw_fd());
        // SAFETY: between fork and exec it makes system calls and nothing else; everything that
        // they need was made before.
        unsafe { command.pre_exec(move || install(&filter, &theirs)) };
        let written = strangers.clone();
        let list = (self == Kernel::Listed).then(listed);
        thread::spawn(move || {
            // Without one the command was never started.
            if let Some(listener) = receive(&ours) {
                drop(ours);
                answer(&listener, |asked| {
                    let known = list.as_ref().map(|list| list.contains_key(&asked.nr));
                    if known != Some(true) {
                        written.0.lock().unwrap().insert(asked.nr);
                    }
                    known.is_none().then(|| self.error(asked))
                });
            }
        });
        strangers
    }

    /// What a call that the filter stopped gives there.
    fn error(self, asked: &libc::seccomp_data) -> c_int {
        let known = asked.nr as u32 <= self.last_call();
        // Of the calls that were there, one had other operations, the others other arguments.
        match c_long::from(asked.nr) {
            libc::SYS_futex => libc::ENOSYS,
            _ if known => libc::EINVAL,
            _ => libc::ENOSYS,
        }
    }

    /// Which calls are stopped, for the kernel to decide. `channel` is the descriptor over which
    /// the filter's own is sent.
    fn filter(self, channel: RawFd) -> Vec<sock_filter> {
        let mut filter = vec![load(NUMBER)];
        if self == Kernel::Listed {
            // All but the one call that must be made before anybody can answer.
            filter.extend([
                unless(libc::BPF_JEQ, libc::SYS_sendmsg as u32, 3),
                load(argument(0)),
                unless(libc::BPF_JEQ, channel as u32, 1),
                give(libc::SECCOMP_RET_ALLOW),
                give(libc::SECCOMP_RET_USER_NOTIF),
            ]);
            return filter;
        }
        filter.push(unless(libc::BPF_JGT, self.last_call(), 1));
        filter.push(give(libc::SECCOMP_RET_USER_NOTIF));
        for (call, place, test, value) in self.arguments() {
            filter.extend([
                unless(libc::BPF_JEQ, call as u32, 4),
                load(argument(place)),
                unless(test, value, 1),
                give(libc::SECCOMP_RET_USER_NOTIF),
                give(libc::SECCOMP_RET_ALLOW),
            ]);
        }
        filter.push(give(libc::SECCOMP_RET_ALLOW));
        filter
    }

    /// The arguments that calls refuse which were there already: the call, which argument, and how
    /// it is compared with what.
    fn arguments(self) -> Vec<(c_long, u32, u32, u32)> {
        if self == Kernel::V2_6_32 {
            return Vec::new();
        }
        let flags = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u32;
        let coarse = libc::CLOCK_REALTIME_COARSE as u32;
        vec![
            // The operations up to 8 are of 2.6.18; private ones (2.6.22) have the bit 128, and
            // std's wait is 9 (2.6.25).
            (libc::SYS_futex, 1, libc::BPF_JGT, libc::FUTEX_TRYLOCK_PI as u32),
            (libc::SYS_fcntl, 1, libc::BPF_JEQ, libc::F_DUPFD_CLOEXEC as u32), // 2.6.24
            (libc::SYS_socket, 1, libc::BPF_JSET, flags),                      // 2.6.27
            (libc::SYS_socketpair, 1, libc::BPF_JSET, flags),                  // 2.6.27
            (libc::SYS_clock_gettime, 0, libc::BPF_JEQ, coarse),               // 2.6.32
        ]
    }
}

/// Where the filter finds the number of a call.
const NUMBER: u32 = 0;

/// Where it finds the lower half of an argument, on a machine that puts it first.
fn argument(place: u32) -> u32 {
    16 + 8 * place
}

fn load(offset: u32) -> sock_filter {
    let code = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    sock_filter { code, jt: 0, jf: 0, k: offset }
}

fn give(verdict: u32) -> sock_filter {
    sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: verdict }
}

/// Skips so many steps unless what was loaded compares with the value.
fn unless(comparison: u32, value: u32, skipped: u8) -> sock_filter {
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

/// Answers every call that the filter stops until no process is left under it: `None` lets it
/// through, as it does for everybody but the program.
fn answer(listener: &OwnedFd, verdict: impl Fn(&libc::seccomp_data) -> Option<c_int>) {
    loop {
        let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
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
        let error = is_program(asked.pid).then(|| verdict(&asked.data)).flatten();
        let flags = error.map_or(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32, |_| 0);
        let error = error.map_or(0, |error| -error);
        let mut answer = seccomp_notif_resp { id: asked.id, val: 0, error, flags };
        control(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut answer).cast());
    }
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

/// The table of calls: for each number its name, since which kernel it is there, and what is done
/// without it.
pub fn listed() -> BTreeMap<i32, [String; 3]> {
    let text = fs::read_to_string(LIST).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(|cell| cell.trim().to_string());
        let number = cells.next()?.parse().ok()?;
        Some((number, [cells.next()?, cells.next()?, cells.next()?]))
    });
    rows.collect()
}
