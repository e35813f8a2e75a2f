//! What a run says while it is under way: read by the worker, told to the loop from time to time.

use super::WorkerMessage;
use crate::engine::JobId;
use crate::rsync::asked::run::Purpose;
use crate::rsync::told::progress::{self, Sample};
use crate::sys::channel::Sender;
use std::time::{Duration, Instant};

/// Between two messages to the loop about one run. So few fit into its channel for hours, whatever
/// the loop does meanwhile, and no rsync waits because nobody reads what it says.
const TELL: Duration = Duration::from_millis(500);

/// Hears one run.
pub(super) struct Hearing<'a> {
    heard: progress::Hearing,
    tell: &'a Sender<WorkerMessage>,
    /// Of a full sync, the only run that says how far it has come.
    job: Option<JobId>,
    told: Option<Sample>,
    told_at: Option<Instant>,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        purpose: Purpose,
        job: JobId,
        tell: &'a Sender<WorkerMessage>,
    ) -> Hearing<'a> {
        let job = Some(job).filter(|_| purpose == Purpose::FullSync);
        let heard = progress::Hearing::default();
        Hearing { heard, tell, job, told: None, told_at: None }
    }

    /// The run has said this, or has been silent for a while.
    pub(super) fn hear(&mut self, said: &[u8]) {
        self.heard.take(said);
        let (Some(job), Some(sample)) = (self.job, self.heard.sample) else { return };
        let due = self.told_at.is_none_or(|at| at.elapsed() >= TELL);
        if due && self.told != Some(sample) {
            (self.told, self.told_at) = (Some(sample), Some(Instant::now()));
            // Nobody listens any more only while the process ends.
            let _ = self.tell.send(WorkerMessage::Progress(job, sample));
        }
    }

    /// Bytes that it has sent because the far side did not have them, if it has said so.
    pub(super) fn literal(&self) -> Option<u64> {
        self.heard.literal
    }
}
