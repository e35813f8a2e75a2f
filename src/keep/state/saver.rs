//! Saves the state of a running program, on a thread of its own: a save waits for the disk.
//!
//! The loop asks it after every round whether a save is due, and hands it a state. When the file
//! cannot be written, that is said once, and everything goes on.

use super::store::Store;
use super::State;
use crate::engine::time::Time;
use crate::sys::channel::{channel, Receiver, Sender};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;

/// The least time between the starts of two saves.
const SAVE_MS: u64 = 1_000;
/// A disk that is busy gets at least this many times as long to itself as a save takes.
const PAUSES: u64 = 10;

/// The loop's side.
#[derive(Debug)]
pub struct Saver {
    states: Sender<State>,
    results: Receiver<Result<(), String>>,
    /// The version that was handed over last.
    version: Option<u64>,
    started: Time,
    /// A save is under way.
    busy: bool,
    next: Time,
    said: bool,
}

impl Saver {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread or no descriptor left.
    pub fn start(mut store: Store) -> io::Result<Saver> {
        let (states, given) = channel::<State>()?;
        let (tell, results) = channel()?;
        thread::Builder::new().name("state".into()).spawn(move || {
            while let Some(state) = given.receive() {
                let result = store.save(&state).map_err(|error| error.to_string());
                // The loop listens for as long as there is a process.
                let _ = tell.send(result);
            }
        })?;
        let (started, next) = (Time(0), Time(0));
        Ok(Saver { states, results, version: None, started, busy: false, next, said: false })
    }

    /// When a state of this version is to be saved; `None` if it has been, or while a save is under
    /// way.
    pub fn due(&self, version: u64) -> Option<Time> {
        (!self.busy && self.version != Some(version)).then_some(self.next)
    }

    /// Saves a state; [`Saver::saved`] is to be called when its descriptor can be read.
    pub fn save(&mut self, state: State, version: u64, now: Time) {
        self.version = Some(version);
        self.started = now;
        // The thread ends only with this sender.
        self.busy = self.states.send(state).is_ok();
    }

    /// A save has ended; waits for it if it has not.
    pub fn saved(&mut self, now: Time) {
        if !self.busy {
            return;
        }
        self.busy = false;
        let took_ms = now.since(self.started);
        self.next = (now + took_ms.saturating_mul(PAUSES)).max(self.started + SAVE_MS);
        match self.results.receive() {
            Some(Err(error)) => {
                self.version = None;
                if !std::mem::replace(&mut self.said, true) {
                    log::error!(
                        "the state cannot be saved: {error}; tried again (without it, only -r makes \
                         sure after a crash that the remotes have everything)"
                    );
                }
            }
            Some(Ok(())) if std::mem::take(&mut self.said) => {
                log::info!("the state is saved again");
            }
            Some(Ok(())) | None => {}
        }
    }

    /// Saves the last state of all, and waits until it is saved.
    pub fn save_last(mut self, state: State, now: Time) {
        self.saved(now);
        self.save(state, u64::MAX, now);
        self.saved(now);
    }
}

impl AsFd for Saver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.results.as_fd()
    }
}
