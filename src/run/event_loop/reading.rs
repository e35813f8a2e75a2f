//! How the kernel's events are read: many at once, with a pause before each read in a burst.

use super::Loop;
use crate::engine::watching::event;
use crate::engine::{Input, RootId};
use crate::sys::clock;
use crate::tell::logging;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// What is read from the kernel's queue at once: some thousand events.
const EVENT_BYTES_MAX: usize = 64 * 1024;
/// The most that one event takes. If a read leaves so much room, the queue is empty.
const EVENT_BYTES: usize = 16 + 256;
/// How often one root's queue is read before the end of a job is handed to the engine. A queue of the
/// kernel's default size is empty by then, even if it was full, unless somebody writes faster than this
/// loop reads: then the end of the job must not wait for ever.
const READS_BEFORE_JOB_END_MAX: usize = 256;
/// Reads of events in a row, each within [`READ_GAP`] of the last, that make a burst. In a burst the
/// loop pauses before it reads, so that it wakes a few hundred times a second and not once an event:
/// half of the processor time that a burst of small files cost went into waking.
const BURST_READS: u32 = 8;
const READ_GAP: Duration = Duration::from_millis(1);
/// Too short for any queue to overflow: the kernel makes some thousand events in it.
const READ_PAUSE: Duration = Duration::from_millis(3);

/// The buffer for events, and how many reads have followed closely on each other.
pub(super) struct Reading {
    records: Box<[u8]>,
    last: Instant,
    in_a_row: u32,
}

impl Reading {
    pub(super) fn new() -> Reading {
        Reading { records: vec![0; EVENT_BYTES_MAX].into(), last: Instant::now(), in_a_row: 0 }
    }

    pub(super) fn pause_in_a_burst(&mut self) {
        if self.last.elapsed() >= READ_GAP {
            self.in_a_row = 0;
        } else {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        if self.in_a_row > BURST_READS {
            thread::sleep(READ_PAUSE);
        }
        self.last = Instant::now();
    }
}

impl Loop {
    /// Hands in everything that a job which has just ended can have seen.
    pub(super) fn read_before_job_end(&mut self) -> io::Result<()> {
        for root in 0..self.roots.len() {
            for _ in 0..READS_BEFORE_JOB_END_MAX {
                if !self.events_came(RootId(root))? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads once; `false` if nothing was there.
    pub(super) fn events_came(&mut self, root: RootId) -> io::Result<bool> {
        if self.roots[root.0].path.as_os_str().is_empty() {
            return Ok(false);
        }
        let stamp_ns = clock::file_stamp_ns();
        let count = self.roots[root.0].inotify.read(&mut self.reading.records)?;
        let now = self.now();
        for event in event::parse(&self.reading.records[..count]) {
            if self.debug {
                logging::print(
                    format!(
                        "inotify wd:{}\tname:{}\tmask:{}\n",
                        event.wd.0,
                        event.name.escape_ascii(),
                        event.mask
                    )
                    .as_bytes(),
                );
            }
            self.engine.handle(Input::Event(root, event), now);
        }
        if count < EVENT_BYTES_MAX - EVENT_BYTES {
            self.handle(Input::ReadUpTo(root, stamp_ns));
        }
        Ok(count > 0)
    }
}
