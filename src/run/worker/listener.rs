//! What a run says while it is under way: read by the worker, told to the loop from time to time.

use super::WorkerMessage;
use crate::engine::sending::trust::Deletions;
use crate::engine::JobId;
use crate::rsync::asked::run::Purpose;
use crate::rsync::told::progress::{ProgressReader, Sample};
use crate::rsync::told::rehearsal::Counter;
use crate::sys::channel::Sender;
use std::time::{Duration, Instant};

/// Between two messages to the loop about one run. So few fit into its channel for hours, whatever
/// the loop does meanwhile, and no rsync waits because nobody reads what it says.
const TELL: Duration = Duration::from_millis(500);

/// Hears one run.
pub(super) struct Listener<'a> {
    reader: ProgressReader,
    /// Of a rehearsal.
    counter: Option<Counter>,
    tell: &'a Sender<WorkerMessage>,
    /// Of a full sync, the only run that says how far it has come.
    job: Option<JobId>,
    told: Option<Sample>,
    told_at: Option<Instant>,
}

impl<'a> Listener<'a> {
    pub(super) fn new(
        purpose: Purpose,
        job: JobId,
        tell: &'a Sender<WorkerMessage>,
    ) -> Listener<'a> {
        let job = Some(job).filter(|_| purpose == Purpose::FullSync);
        let counter = (purpose == Purpose::Rehearsal).then(Counter::default);
        let reader = ProgressReader::default();
        Listener { reader, counter, tell, job, told: None, told_at: None }
    }

    /// The run has said this, or has been silent for a while.
    pub(super) fn hear(&mut self, said: &[u8]) {
        if let Some(counter) = &mut self.counter {
            counter.take(said);
        }
        self.reader.take(said);
        let (Some(job), Some(sample)) = (self.job, self.reader.sample) else { return };
        let due = self.told_at.is_none_or(|at| at.elapsed() >= TELL);
        if due && self.told != Some(sample) {
            (self.told, self.told_at) = (Some(sample), Some(Instant::now()));
            // Nobody listens any more only while the process ends.
            let _ = self.tell.send(WorkerMessage::Progress(job, sample));
        }
    }

    /// What a rehearsal would delete, if it has told all.
    pub(super) fn deletions(&self) -> Option<Deletions> {
        let (count, of) = self.counter.as_ref()?.deletions()?;
        Some(Deletions { count, of })
    }

    /// Bytes that it has sent because the far side did not have them, if it has said so.
    pub(super) fn literal(&self) -> Option<u64> {
        self.reader.literal
    }
}
