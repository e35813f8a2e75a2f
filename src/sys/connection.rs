//! The TCP connection of another process, held beside it, so that it ends with the process.
//!
//! Owns how the socket is found, and what becomes of it. What a process has written, its kernel sends, even when the
//! process is gone: where the network was cut, half a minute later, or more. Of an rsync that would mean that a run
//! which has failed, and whose paths have been sent again since, puts its old files in their place. So the socket is told
//! beforehand to drop what it has not sent when it is closed (`SO_LINGER` with no time), by whoever closes it last and
//! whatever ends us; and a run that has heard the far side's last word takes that back.
//!
//! From Linux 5.6 on, for a process that we may trace: our own children, unless Yama, a container's seccomp profile without
//! `CAP_SYS_PTRACE`, or a program file with capabilities of its own forbids it. Elsewhere no socket is found, and what was
//! written is sent for as long as the kernel tries, a minute or two.
#![allow(unsafe_code)]

use super::owned;
use std::io;
use std::mem::size_of;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The numbers that the socket can have: after the three standard descriptors, and few, since rsync
/// has few files open.
const SOCKETS: RangeInclusive<RawFd> = 3..=9;

/// A process, however its number is used again.
#[derive(Debug)]
pub struct Peer(OwnedFd);

/// Its process has ended, or its sockets are not ours to hold: for good.
#[derive(Debug, PartialEq, Eq)]
pub struct Never;

/// The connection of a process.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Peer {
    /// A process that has not been waited for; `None` where that cannot be done.
    pub fn of(pid: u32) -> Option<Peer> {
        // SAFETY: no pointers are involved.
        owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd).ok().map(Peer)
    }

    /// Its connection, which is held from now on, if it has one.
    ///
    /// # Errors
    /// It will never be found.
    pub fn connection(&self) -> Result<Option<Connection>, Never> {
        for number in SOCKETS {
            match self.borrow(number) {
                Ok(socket) => {
                    let held = Connection(TcpStream::from(socket));
                    // Others are asked for names, or have not reached anybody yet.
                    if held.acknowledge() && held.0.peer_addr().is_ok() && held.drop_unsent(true) {
                        return Ok(Some(held));
                    }
                }
                // It has nothing under that number.
                Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
                Err(_) => return Err(Never),
            }
        }
        Ok(None)
    }

    fn borrow(&self, number: RawFd) -> io::Result<OwnedFd> {
        let process = self.0.as_raw_fd();
        // SAFETY: no pointers are involved.
        owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, number, 0) } as RawFd)
    }
}

impl Connection {
    /// Has the kernel acknowledge at once what comes; `false` if that is no TCP socket.
    pub fn acknowledge(&self) -> bool {
        let on: libc::c_int = 1;
        self.set(libc::IPPROTO_TCP, libc::TCP_QUICKACK, &on)
    }

    /// The far side has said its last word: what is left to be sent is nothing but the end.
    pub fn end_well(self) {
        self.drop_unsent(false);
    }

    fn drop_unsent(&self, on: bool) -> bool {
        let linger = libc::linger { l_onoff: on.into(), l_linger: 0 };
        self.set(libc::SOL_SOCKET, libc::SO_LINGER, &linger)
    }

    fn set<T>(&self, level: libc::c_int, option: libc::c_int, value: &T) -> bool {
        let length = size_of::<T>() as libc::socklen_t;
        let value = std::ptr::from_ref(value).cast();
        // SAFETY: `value` outlives the call, and has the type that each caller's option takes.
        unsafe { libc::setsockopt(self.0.as_raw_fd(), level, option, value, length) == 0 }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// Where a child of these tests has its connection.
    pub const NUMBER: RawFd = *SOCKETS.end();

    /// A shell that connects to the listener, and then does this.
    pub fn connects(listener: &TcpListener, then: &str) -> Command {
        let port = listener.local_addr().unwrap().port();
        let mut command = Command::new("bash");
        command.args(["-c", &format!("exec {NUMBER}<>/dev/tcp/127.0.0.1/{port}; {then}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Our hold on the connection of such a child, once it has one; and the other end.
    pub fn connection(child: u32, listener: &TcpListener) -> (Connection, TcpStream) {
        let far = listener.accept().unwrap().0;
        let child = Peer::of(child).expect("this kernel is newer than 5.3");
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            // An error is "Operation not permitted" in a container: it needs CAP_SYS_PTRACE.
            match child.connection() {
                Ok(Some(near)) => return (near, far),
                // Until the shell connects, it has nothing there.
                Ok(None) | Err(Never) => assert!(Instant::now() < deadline, "no connection"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether the kernel acknowledges at once.
    pub fn is_quick(connection: &Connection) -> bool {
        option(connection, None) == 1
    }

    /// As after an answer.
    pub fn wait(connection: &Connection) {
        option(connection, Some(0));
        assert!(!is_quick(connection));
    }

    fn option(connection: &Connection, set: Option<libc::c_int>) -> libc::c_int {
        let (fd, level, name) = (connection.0.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_QUICKACK);
        let mut value = set.unwrap_or(-1);
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        let at: *mut libc::c_int = &raw mut value;
        // SAFETY: the option is an int, and `value` and `length` outlive the calls.
        let done = unsafe {
            match set {
                Some(_) => libc::setsockopt(fd, level, name, at.cast(), length),
                None => libc::getsockopt(fd, level, name, at.cast(), &raw mut length),
            }
        };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
        value
    }

    /// A child that is killed at the end of its test, however that ends.
    pub struct Killed(pub Child);

    impl Killed {
        pub fn spawn(mut command: Command) -> Killed {
            Killed(command.spawn().unwrap())
        }

        pub fn end(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// What its kernel could not send yet is still on its way when it is gone: here, since nobody reads.
    #[test]
    fn a_process_that_ends_leaves_nothing_to_be_sent_unless_it_ended_well() {
        for ends_well in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let more = format!("head -c 100000000 /dev/zero >&{NUMBER}");
            let mut child = Killed::spawn(connects(&listener, &more));
            let (near, mut far) = connection(child.0.id(), &listener);
            // It has written all that the kernel takes as soon as one more byte would have to wait.
            let deadline = Instant::now() + Duration::from_secs(30);
            let fd = near.0.try_clone().unwrap();
            fd.set_nonblocking(true).unwrap();
            while (&fd).write(b"x").is_ok() {
                assert!(Instant::now() < deadline);
            }
            drop(fd);
            child.end();
            match ends_well {
                true => near.end_well(),
                false => drop(near),
            }
            let read = far.read_to_end(&mut Vec::new());
            assert_eq!(read.is_ok(), ends_well, "{read:?}");
            let _ = far.shutdown(Shutdown::Both);
        }
    }

    #[test]
    fn a_process_without_a_connection_has_none_and_one_that_is_gone_never_will() {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000");
        let mut child = Killed::spawn(sleep);
        let peer = Peer::of(child.0.id()).unwrap();
        assert!(matches!(peer.connection(), Ok(None)));
        child.end();
        assert_eq!(peer.connection().map(|_| ()), Err(Never));
    }
}
