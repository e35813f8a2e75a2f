//! Has the kernel acknowledge at once what a child receives over TCP, and holds its connection.
//!
//! An rsync daemon as it comes sends many small messages, and its kernel keeps each of them back
//! until the one before it is acknowledged (Nagle's algorithm). The kernel on this side delays the
//! acknowledgement by up to 40 ms, to send it along with something else. So a run of a few
//! milliseconds takes 50, or 100. rsync has an option against the first (`TCP_NODELAY`), which
//! works for its own side only, and none against the second. But a parent may [borrow the
//! socket](super::connection) of its child and turn the delay off (`TCP_QUICKACK`).
//!
//! That has to be done again and again: whenever the child sends something, the kernel takes the
//! connection for a dialogue, and delays acknowledgements from then on. Where it cannot be done
//! everything works, and is slower.

use super::connection::{Connection, Never, Peer};
use std::time::{Duration, Instant};

/// The shortest pause.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Pauses are this part of the time that has passed, so that no run is delayed by more than that.
const PAUSE_PART: u32 = 4;
/// Pauses as long as that are of no use: by then the kernel acknowledges by itself.
const PAUSE_MAX: Duration = Duration::from_millis(40);
/// But as long as there is no connection, it is looked for again after so long at most.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// For one child, from now on.
#[derive(Debug)]
pub struct QuickAck {
    child: Peer,
    connection: Option<Connection>,
    began: Instant,
    /// The time after which the next look is due, counted from `began`.
    due: Duration,
}

impl QuickAck {
    /// For this process, which has not been waited for; `None` where that cannot be done.
    pub fn of(pid: u32) -> Option<QuickAck> {
        let child = Peer::of(pid)?;
        Some(QuickAck { child, connection: None, began: Instant::now(), due: Duration::ZERO })
    }

    /// How long nothing is to be done; `None` if that is for ever.
    pub fn pause(&self) -> Option<Duration> {
        let passed = self.began.elapsed();
        let of_use = self.connection.is_none() || pause(passed) < PAUSE_MAX;
        (of_use && self.due < Duration::MAX).then(|| self.due.saturating_sub(passed))
    }

    /// Does what is due.
    pub fn keep_on(&mut self) {
        let passed = self.began.elapsed();
        if passed < self.due {
            return;
        }
        self.due = passed + pause(passed);
        if let Some(connection) = &self.connection {
            connection.acknowledge();
            return;
        }
        match self.child.connection() {
            Ok(found) => self.connection = found,
            Err(Never) => self.due = Duration::MAX,
        }
    }

    /// The connection of a child that has ended, if it has been found.
    pub fn take(self) -> Option<Connection> {
        self.connection
    }
}

/// How long nothing is done after a look, when so much time has passed.
fn pause(passed: Duration) -> Duration {
    (passed / PAUSE_PART).clamp(PAUSE_MIN, LOOK_MAX)
}

#[cfg(test)]
mod tests {
    use super::super::connection::tests::{connection, connects, is_quick, wait, Killed};
    use super::*;
    use std::net::TcpListener;
    use std::process::Command;

    #[test]
    fn the_connection_of_a_child_is_found_and_does_not_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut child = Killed::spawn(connects(&listener, "exec sleep 1000"));
        let mut quick = QuickAck::of(child.0.id()).unwrap();
        let (near, _far) = connection(child.0.id(), &listener);
        for _ in 0..3 {
            wait(&near);
            quick.due = Duration::ZERO;
            quick.keep_on();
            assert!(is_quick(&near));
        }
        child.end();
        assert!(quick.take().is_some(), "it is held when there is nobody any more");
    }

    #[test]
    fn what_has_no_connection_is_asked_again_later_until_it_is_gone() {
        let mut sleep = Command::new("sleep");
        sleep.arg("1000");
        let mut child = Killed::spawn(sleep);
        let mut quick = QuickAck::of(child.0.id()).unwrap();
        quick.keep_on();
        quick.began -= PAUSE_MAX * PAUSE_PART;
        assert!(quick.pause().is_some());
        child.end();
        quick.due = Duration::ZERO;
        quick.keep_on();
        assert_eq!(quick.pause(), None);
        assert!(quick.take().is_none());
    }

    #[test]
    fn no_run_is_delayed_by_more_than_a_part_of_its_time() {
        let ms = Duration::from_millis;
        for (passed, expected) in [(0, 1), (3, 1), (8, 2), (100, 25), (60_000, 1_000)] {
            assert_eq!(pause(ms(passed)), ms(expected));
        }
    }
}
