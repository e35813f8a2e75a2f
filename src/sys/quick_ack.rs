//! Has the kernel acknowledge at once what a child receives over TCP.
//!
//! An rsync daemon as it comes sends many small messages, and its kernel keeps each of them back
//! until the one before it is acknowledged (Nagle's algorithm). The kernel on this side delays the
//! acknowledgement by up to 40 ms, to send it along with something else. So a run of a few
//! milliseconds takes 50, or 100. rsync has an option against the first (`TCP_NODELAY`), which
//! works for its own side only, and none against the second. But from Linux 5.6 on a parent may
//! borrow the socket of its child and turn the delay off (`TCP_QUICKACK`).
//!
//! That has to be done again and again: whenever the child sends something, the kernel takes the
//! connection for a dialogue, and delays acknowledgements from then on. Where it cannot be done
//! (older kernels; containers without `CAP_SYS_PTRACE` whose seccomp profile asks for it)
//! everything works, and is slower.
#![allow(unsafe_code)]

use super::owned;
use std::io;
use std::mem::size_of;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// The numbers that the socket can have: after the three standard descriptors, and few, since rsync
/// has few files open.
const SOCKETS: RangeInclusive<RawFd> = 3..=9;
/// The shortest pause.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Pauses are this part of the time that has passed, so that no run is delayed by more than that.
const PAUSE_PART: u32 = 4;
/// Pauses as long as that are of no use: by then the kernel acknowledges by itself.
const PAUSE_MAX: Duration = Duration::from_millis(40);

/// For one child, from now on.
#[derive(Debug)]
pub struct QuickAck {
    child: OwnedFd,
    began: Instant,
    /// The time after which the next look is due, counted from `began`.
    due: Duration,
}

impl QuickAck {
    /// For this process, which has not been waited for; `None` where that cannot be done.
    pub fn of(pid: u32) -> Option<QuickAck> {
        // SAFETY: no pointers are involved.
        let child = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd).ok()?;
        Some(QuickAck { child, began: Instant::now(), due: Duration::ZERO })
    }

    /// How long nothing is to be done; `None` if that is for ever.
    pub fn pause(&self) -> Option<Duration> {
        let passed = self.began.elapsed();
        let of_use = pause(passed) < PAUSE_MAX && self.due < Duration::MAX;
        of_use.then(|| self.due.saturating_sub(passed))
    }

    /// Does what is due.
    pub fn keep_on(&mut self) {
        let passed = self.began.elapsed();
        if passed >= self.due {
            self.due = passed + pause(passed);
            self.acknowledge();
        }
    }

    fn acknowledge(&mut self) {
        for number in SOCKETS {
            match self.borrow(number) {
                Ok(socket) if acknowledge(&socket) => return,
                Ok(_) => {}
                // It has nothing under that number.
                Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
                // It has ended, or we may not: for good.
                Err(_) => {
                    self.due = Duration::MAX;
                    return;
                }
            }
        }
    }

    /// Closed as soon as possible: as long as we hold it, the far side does not see the child's end.
    fn borrow(&self, number: RawFd) -> io::Result<OwnedFd> {
        let child = self.child.as_raw_fd();
        // SAFETY: no pointers are involved.
        owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, child, number, 0) } as RawFd)
    }
}

/// How long nothing is done after a look, when so much time has passed.
fn pause(passed: Duration) -> Duration {
    (passed / PAUSE_PART).max(PAUSE_MIN)
}

/// `false` if that is no TCP socket.
fn acknowledge(socket: &OwnedFd) -> bool {
    let (on, length): (libc::c_int, _) = (1, size_of::<libc::c_int>());
    // SAFETY: the option is an int, and `on` outlives the call.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_QUICKACK,
            (&raw const on).cast(),
            length as libc::socklen_t,
        )
    };
    set == 0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};

    /// Where a child of these tests has its connection.
    const NUMBER: RawFd = *SOCKETS.end();

    /// A shell that connects to the listener, and then sleeps.
    pub fn connects(listener: &TcpListener) -> Command {
        let port = listener.local_addr().unwrap().port();
        let mut command = Command::new("bash");
        let script = format!("exec {NUMBER}<>/dev/tcp/127.0.0.1/{port}; exec sleep 1000");
        command.args(["-c", &script]);
        command
    }

    /// Our hold on the connection of such a child, once it has one; and the other end.
    pub fn connection(child: u32, listener: &TcpListener) -> (OwnedFd, TcpStream) {
        let far = listener.accept().unwrap().0;
        let child = QuickAck::of(child).expect("this kernel is newer than 5.3");
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match child.borrow(NUMBER) {
                Ok(near) if acknowledge(&near) => return (near, far),
                // Until the shell connects, it has there what whoever runs the tests had open.
                Ok(_) => assert!(Instant::now() < deadline, "no connection under {NUMBER}"),
                // "Operation not permitted" in a container: it needs CAP_SYS_PTRACE.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(PAUSE_MIN);
        }
    }

    /// Whether the kernel acknowledges at once.
    pub fn is_quick(socket: &OwnedFd) -> bool {
        option(socket, None) == 1
    }

    /// As after an answer.
    pub fn wait(socket: &OwnedFd) {
        option(socket, Some(0));
        assert!(!is_quick(socket));
    }

    fn option(socket: &OwnedFd, set: Option<libc::c_int>) -> libc::c_int {
        let (fd, level, name) = (socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_QUICKACK);
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
    struct Killed(Child);

    impl Killed {
        fn spawn(mut command: Command) -> Killed {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            Killed(command.spawn().unwrap())
        }

        fn end(&mut self) {
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

    #[test]
    fn the_connection_of_a_child_is_found_and_does_not_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut child = Killed::spawn(connects(&listener));
        let mut quick = QuickAck::of(child.0.id()).unwrap();
        let (near, _far) = connection(child.0.id(), &listener);
        for _ in 0..3 {
            wait(&near);
            quick.due = Duration::ZERO;
            quick.keep_on();
            assert!(is_quick(&near));
        }
        child.end();
        quick.due = Duration::ZERO;
        quick.keep_on();
        assert_eq!(quick.pause(), None, "there is nobody any more");
    }

    #[test]
    fn what_has_no_connection_is_left_alone_and_asked_again_later() {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000");
        let child = Killed::spawn(sleep);
        let mut quick = QuickAck::of(child.0.id()).unwrap();
        quick.keep_on();
        assert!(quick.pause().is_some());
        quick.began -= PAUSE_MAX * PAUSE_PART;
        assert_eq!(quick.pause(), None, "the kernel acknowledges as soon as that");
    }

    #[test]
    fn no_run_is_delayed_by_more_than_a_part_of_its_time() {
        let ms = Duration::from_millis;
        for (passed, expected) in [(0, 1), (3, 1), (8, 2), (100, 25)] {
            assert_eq!(pause(ms(passed)), ms(expected));
        }
    }
}
