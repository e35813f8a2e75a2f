//! What every measurement needs of the system: processes that end with it, waiting, ports, and errors. Knows nothing of
//! programs and stages.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{kill, killpg, Signal};
use nix::unistd::Pid;

/// A server that does not answer after this time is taken for broken, and so is a program that does not watch. A
/// change that has not arrived counts as never.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks: short beside the milliseconds that are measured, and still no burden for the rsync
/// processes on a small machine.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// How long a program gets to end by itself.
const STOP_TIME: Duration = Duration::from_secs(15);

/// Why something could not be measured, in one sentence.
pub struct Unmeasurable(pub String);

/// Turns an error of the system into an [`Unmeasurable`] that says what was being done.
pub fn while_doing(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Unmeasurable {
    move |error| Unmeasurable(format!("{what}: {error}"))
}

/// A process that is asked to end, and waited for, when it is no longer needed.
pub struct Running {
    /// The process itself.
    pub child: Child,
    /// Whether it leads a group, all of which ends with it.
    pub group: bool,
}

impl Running {
    /// A process that ends its children itself.
    pub fn alone(child: Child) -> Running {
        Running { child, group: false }
    }

    /// Sends it a signal.
    pub fn send(&self, signal: Signal) {
        let Ok(pid) = i32::try_from(self.child.id()) else { return };
        let pid = Pid::from_raw(pid);
        // A failure means that it has ended.
        let _ = if self.group { killpg(pid, signal) } else { kill(pid, signal) };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.send(Signal::SIGTERM);
        let asked = Instant::now();
        while asked.elapsed() < STOP_TIME {
            if let Ok(Some(_)) = self.child.try_wait() {
                if self.group {
                    self.send(Signal::SIGKILL);
                }
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.send(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// A port that is free now, and will hardly be taken in the next millisecond.
pub fn free_port() -> Result<u16, Unmeasurable> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(while_doing("looking for a free port"))?.port())
}

/// Whether somebody takes connections at a port of this machine.
pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits for what must happen for anything to be measured.
pub fn wait_until(what: &str, happened: impl FnMut() -> bool) -> Result<(), Unmeasurable> {
    match waited(PATIENCE, happened) {
        true => Ok(()),
        false => Err(Unmeasurable(format!("waited {} s for {what}", PATIENCE.as_secs()))),
    }
}

/// Waits for `patience` at most, and gives whether it has happened.
pub fn waited(patience: Duration, mut happened: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    while !happened() {
        if started.elapsed() > patience {
            return false;
        }
        thread::sleep(LOOK_EVERY);
    }
    true
}
