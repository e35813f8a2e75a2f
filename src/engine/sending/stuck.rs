//! What did not arrive although its job got through: it waits by itself, so that an unreadable file holds up nothing
//! else, and leaves again with growing pauses. Deletions that the far side refuses wait until it is asked again.

use super::backoff::Backoff;
use super::next::Retry;
use super::pending::{Pending, Remembered};
use crate::engine::rel_path::RelPath;
use crate::engine::time::Time;
use crate::rsync::asked::plan::Gone;

/// What does not get through by itself is tried so often with growing pauses, over some five minutes,
/// before it has to wait for `timeToExecute`.
const TRIES_MAX: u32 = 10;
/// A full sync that leaves nothing but single files out is run so often, with growing pauses.
const PARTIAL_FULL_SYNCS_MAX: u32 = 4;
/// Deletions that are kept for a far side that refuses them. What disappears after these stays there.
const REFUSED_PATHS_MAX: usize = 500_000;
/// So many runs in a row that the far side cuts short at a file leave at once, each without the file
/// of the one before. After that the disk over there is taken for full altogether, and they pause.
const CUTS_AT_ONCE_MAX: u32 = 16;

/// What is stuck on its way to one remote.
#[derive(Debug)]
pub struct Stuck {
    paths: Pending,
    /// Deletions that the far side refuses.
    refused: Pending,
    /// A full sync left something out; the next one waits as well.
    full: bool,
    /// And so often in a row.
    partial_full_syncs: u32,
    backoff: Backoff,
    /// `timeToExecute`: what does not get through, however often it is tried, is tried again after this.
    pub put_aside_ms: u64,
    /// Runs in a row that the far side cut short. Until one gets through, what is stuck waits:
    /// otherwise the first that does not fit would keep those behind it from ever being tried.
    cuts: u32,
}

impl Stuck {
    /// Nothing is stuck. `seed` differs from remote to remote.
    pub fn new(put_aside_ms: u64, seed: u64) -> Stuck {
        Stuck {
            paths: Pending::default(),
            refused: Pending::default(),
            full: false,
            partial_full_syncs: 0,
            backoff: Backoff::new(seed),
            put_aside_ms,
            cuts: 0,
        }
    }

    /// The paths, without a full sync that may be stuck as well.
    pub fn paths(&self) -> &Pending {
        &self.paths
    }

    /// The deletions that the far side refuses.
    pub fn refused(&self) -> &Pending {
        &self.refused
    }

    /// All paths that are stuck, with what disappeared under each.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        self.paths.iter().chain(self.refused.iter())
    }

    /// Whether a full sync is.
    pub fn has_full_sync(&self) -> bool {
        self.full
    }

    /// Whether neither paths nor a full sync are, but for deletions that are refused.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.full
    }

    /// Forgets what is below a directory that disappeared.
    pub fn forget_below(&mut self, path: &RelPath) {
        self.paths.forget_below(path);
        self.refused.forget_below(path);
    }

    /// When the paths are tried again, if there are any that can leave beside as many `pending` paths.
    pub fn due(&self, pending: usize) -> Option<Time> {
        let any = !self.paths.is_empty() && self.may_leave(pending);
        any.then(|| self.backoff.until())
    }

    /// When the full sync is.
    pub fn full_sync_due(&self, pending: usize) -> Option<Time> {
        (self.full && self.may_leave(pending)).then(|| self.backoff.until())
    }

    fn may_leave(&self, pending: usize) -> bool {
        self.cuts == 0 || pending == 0
    }

    /// Takes the paths out that are tried again with the batch that starts now.
    pub fn take(&mut self, pending: usize, now: Time) -> Vec<(RelPath, Remembered)> {
        match self.due(pending) {
            Some(due) if due <= now => self.paths.take(usize::MAX),
            Some(_) | None => Vec::new(),
        }
    }

    /// Whether a full sync that was stuck is tried again with the sweep that starts now.
    pub fn take_full_sync(&mut self, pending: usize, now: Time) -> bool {
        let is_due = self.full_sync_due(pending).is_some_and(|due| due <= now);
        is_due && std::mem::take(&mut self.full)
    }

    /// Whatever waits for a pause to end is tried at once.
    pub fn try_now(&mut self) {
        self.backoff.try_now();
    }

    /// A job that left something out has ended; `retried` if some of that had been stuck before. Gives when it is tried
    /// again; to be called before what it left out is put in.
    pub fn left_out(&mut self, retried: bool, now: Time) -> Retry {
        // New paths that get stuck do not push out the time of those that are.
        if !retried && !self.is_empty() {
            return Retry::Soon;
        }
        self.backoff.fail(now);
        if self.backoff.failures() < TRIES_MAX {
            return Retry::Soon;
        }
        self.backoff.wait_until(now + self.put_aside_ms);
        Retry::After(self.put_aside_ms)
    }

    /// These paths of a batch did not arrive.
    pub fn put(&mut self, paths: Vec<(RelPath, Remembered)>) {
        let kept = |(path, remembered): (_, Remembered)| (path, remembered.kept_by_name());
        self.paths.restore(paths.into_iter().map(kept));
    }

    /// The far side refuses to delete these paths.
    pub fn put_refused(&mut self, paths: Vec<(RelPath, Gone)>) {
        let room = REFUSED_PATHS_MAX.saturating_sub(self.refused.len());
        self.refused.owe(paths.into_iter().take(room));
    }

    /// Takes out what the far side has refused to delete, to ask it again.
    pub fn take_refused(&mut self) -> Vec<(RelPath, Remembered)> {
        self.refused.take(usize::MAX)
    }

    /// Paths that were named, by a job that had not listed them, did not arrive.
    pub fn put_named(&mut self, named: &[Vec<u8>]) {
        self.paths.owe(named.iter().map(|path| (RelPath::from(&path[..]), Gone::No)));
    }

    /// A full sync left more out than it named. It is run again until it has arrived.
    pub fn put_full_sync(&mut self) {
        self.partial_full_syncs += 1;
        self.full = true;
    }

    /// A full sync left these files out, and perhaps what it should have deleted. It is run again, unless that has been
    /// done often enough: then the files are tried by themselves. Gives whether it is run again.
    pub fn put_full_sync_for_a_while(&mut self, named: &[Vec<u8>]) -> bool {
        self.partial_full_syncs += 1;
        self.full = self.partial_full_syncs < PARTIAL_FULL_SYNCS_MAX;
        if !self.full {
            self.partial_full_syncs = 0;
            self.put_named(named);
        }
        self.full
    }

    /// A full sync has arrived.
    pub fn full_sync_arrived(&mut self) {
        self.partial_full_syncs = 0;
    }

    /// The far side cut a run short. Gives whether there have been so many in a row that the remote has to pause.
    pub fn cut_short(&mut self) -> bool {
        self.cuts += 1;
        self.cuts > CUTS_AT_ONCE_MAX
    }

    /// A run got to its end.
    pub fn not_cut_short(&mut self) {
        self.cuts = 0;
    }

    /// What had been stuck has arrived: the next that gets stuck is tried soon.
    pub fn all_arrived(&mut self) {
        self.backoff.succeed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT_ASIDE_MS: u64 = 3_600_000;

    fn put(stuck: &mut Stuck, path: &str) {
        stuck.put(vec![(RelPath::from(path.as_bytes()), Remembered::TO_SEND)]);
    }

    #[test]
    fn pauses_grow_until_what_is_stuck_is_put_aside() {
        let mut stuck = Stuck::new(PUT_ASIDE_MS, 0);
        let mut now = Time(1_000);
        let mut retried = false;
        let mut pauses_ms = Vec::new();
        loop {
            let retry = stuck.left_out(retried, now);
            put(&mut stuck, "a");
            let due = stuck.due(0).expect("a is stuck");
            if retry != Retry::Soon {
                assert_eq!((retry, due), (Retry::After(PUT_ASIDE_MS), now + PUT_ASIDE_MS));
                break;
            }
            pauses_ms.push(due.since(now));
            assert!(stuck.take(0, Time(due.0 - 1)).is_empty(), "not before its time");
            assert_eq!(stuck.take(0, due).len(), 1);
            (now, retried) = (due, true);
        }
        assert_eq!(pauses_ms.len(), TRIES_MAX as usize - 1);
        assert!(pauses_ms.windows(2).take(5).all(|pair| pair[0] < pair[1]), "{pauses_ms:?}");
        stuck.try_now();
        assert!(!stuck.take(0, now).is_empty(), "somebody wants it now");
    }

    #[test]
    fn what_gets_stuck_later_does_not_push_out_what_is_stuck() {
        let mut stuck = Stuck::new(PUT_ASIDE_MS, 0);
        stuck.left_out(false, Time(0));
        put(&mut stuck, "a");
        let due = stuck.due(0);
        assert_eq!(stuck.left_out(false, Time(900)), Retry::Soon);
        put(&mut stuck, "b");
        assert_eq!(stuck.due(0), due);
    }

    #[test]
    fn what_does_not_fit_waits_for_what_does() {
        let mut stuck = Stuck::new(PUT_ASIDE_MS, 0);
        assert!(!stuck.cut_short());
        put(&mut stuck, "large");
        assert_eq!(stuck.due(1), None, "others are pending");
        assert!(stuck.take(1, Time(9)).is_empty(), "others are pending");
        assert!(stuck.due(0).is_some(), "no others are");
        stuck.not_cut_short();
        assert!(stuck.due(1).is_some(), "one has got through");
        let pauses: Vec<_> = (0..=CUTS_AT_ONCE_MAX).map(|_| stuck.cut_short()).collect();
        assert_eq!(pauses.iter().position(|pauses| *pauses), Some(CUTS_AT_ONCE_MAX as usize));
    }

    #[test]
    fn a_full_sync_that_left_more_out_than_it_named_is_run_again_without_end() {
        let mut stuck = Stuck::new(PUT_ASIDE_MS, 0);
        for _ in 0..10 * PARTIAL_FULL_SYNCS_MAX {
            stuck.put_full_sync();
            assert!(stuck.take_full_sync(0, Time(0)));
        }
        stuck.put_full_sync();
        assert!(stuck.has_full_sync() && stuck.paths().is_empty());
    }

    #[test]
    fn a_full_sync_is_run_again_until_that_has_been_done_often_enough() {
        let named = [b"a".to_vec()];
        let mut stuck = Stuck::new(PUT_ASIDE_MS, 0);
        for _ in 1..PARTIAL_FULL_SYNCS_MAX {
            assert!(stuck.put_full_sync_for_a_while(&named) && stuck.has_full_sync());
            assert_eq!((stuck.due(0), stuck.full_sync_due(0)), (None, Some(Time(0))));
            assert!(stuck.take_full_sync(0, Time(0)) && !stuck.has_full_sync());
        }
        assert!(!stuck.put_full_sync_for_a_while(&named) && !stuck.has_full_sync());
        assert_eq!(stuck.paths().iter().map(|(path, _)| &**path).collect::<Vec<_>>(), [b"a"]);
        // One that arrives in between begins the count anew.
        for _ in 0..PARTIAL_FULL_SYNCS_MAX {
            assert!(stuck.put_full_sync_for_a_while(&named));
            stuck.full_sync_arrived();
        }
    }
}
