//! A child process that cannot outlive its test, and the ports that servers listen on.

use nix::sys::signal::{killpg, Signal};
use nix::unistd::Pid;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU16, Ordering};

/// A running process and everything that it started in its process group.
pub struct Child {
    inner: std::process::Child,
}

impl Child {
    /// Starts `command` in a process group of its own; panics with its name if it cannot be run.
    pub fn spawn(command: &mut Command) -> Child {
        command.process_group(0);
        match command.spawn() {
            Ok(inner) => Child { inner },
            Err(e) => panic!("cannot run {:?}: {e}", command.get_program()),
        }
    }

    /// Its process number, which is that of its group.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Sends `signal` to the whole group. A group that is gone already is fine.
    pub fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.inner.id() as i32), signal);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.inner.try_wait().expect("the child is ours to wait for")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.inner.wait();
    }
}

/// The first port that is tried: below the range from which the kernel takes ports for outgoing
/// connections, so that a server that is started again finds its port still free.
const PORT_FIRST: u16 = 15_000;
/// How many ports are tried before [`free_port`] gives up.
const PORT_COUNT: u16 = 15_000;

/// A TCP port on 127.0.0.1 on which nothing listens, given out once in this process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test processes at the same time start at different places.
    let start = (std::process::id() % u32::from(PORT_COUNT)) as u16;
    for _ in 0..PORT_COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORT_FIRST + start.wrapping_add(step) % PORT_COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1 from {PORT_FIRST} on");
}
