//! The thread that writes what is kept: a write waits for the disk, and nobody else may.
//!
//! The loop hands it whole texts, in the order in which they are to be on the disk, and hears of each what came of it.
//! `faillog::ledger` and `state::saver` say when something is written, and what follows from the result.

use super::faillog::place::Place;
use super::state::store::Store;
use super::state::State;
use crate::engine::time::Time;
use crate::sys::channel::{channel, Receiver, Sender};
use crate::sys::own_file;
use crate::sys::thread;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

/// What is to be written.
#[derive(Debug)]
pub enum Write {
    /// What the next run of the program has to know.
    State(State),
    /// The text of the fail log.
    FailLog(Vec<u8>),
}

/// What came of it.
#[derive(Debug)]
pub enum Written {
    /// The state.
    State(Result<(), own_file::Error>),
    /// The fail log: the file that has it now.
    FailLog(io::Result<PathBuf>),
}

/// The loop's side. The thread ends with it, after the last write.
#[derive(Debug)]
pub struct Disk {
    writes: Sender<Write>,
    written: Receiver<Written>,
}

impl Disk {
    /// Starts the thread. Without a place for it, no fail log is written.
    ///
    /// # Errors
    /// No thread or no descriptor left.
    pub fn start(mut state: Store, mut fail_log: Option<Place>) -> io::Result<Disk> {
        let (writes, given) = channel::<Write>()?;
        let (tell, written) = channel()?;
        thread::start("disk", move || {
            while let Some(write) = given.receive() {
                let result = match write {
                    Write::State(it) => Written::State(state.save(&it)),
                    Write::FailLog(text) => {
                        let replaced = fail_log.as_mut().map(|place| place.replace(&text));
                        Written::FailLog(replaced.unwrap_or(Ok(PathBuf::new())))
                    }
                };
                // The loop listens for as long as there is a process.
                let _ = tell.send(result);
            }
            // Whoever waits for the end of this thread may open the fail log again.
            drop(fail_log);
            drop(tell);
        })?;
        Ok(Disk { writes, written })
    }

    /// Has something written; [`Disk::written`] gives what came of it, when its descriptor can be read.
    pub fn write(&self, write: Write) {
        // The thread ends only with this sender.
        let _ = self.writes.send(write);
    }

    /// What came of the write that has ended first; waits for it if none has.
    pub fn written(&self) -> Option<Written> {
        self.written.receive()
    }

    /// Ends the thread, and lets go of the fail log; waits for what is not written yet.
    pub fn close(self) {
        let Disk { writes, written } = self;
        drop(writes);
        while written.receive().is_some() {}
    }

    /// The same as [`Disk::written`], but waits no longer than from `now` until `deadline`.
    pub fn written_by(&self, deadline: Time, now: Time) -> Option<Written> {
        let timeout = PollTimeout::try_from(deadline.since(now)).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.written.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, timeout), Ok(1..)).then(|| self.written()).flatten()
    }
}

impl AsFd for Disk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.written.as_fd()
    }
}
