//! What follows from the outcome of a job for what its remote is owed.

use super::super::flight::{Cargo, Flight, Lane};
use super::super::next::{Next, Retry, Sent};
use super::super::pending::Change;
use super::{state, Remote};
use crate::engine::rel_path::{lies_in, RelPath};
use crate::engine::time::Time;
use crate::engine::JobId;
use crate::rsync::asked::plan::{Deletes, Gone};
use crate::rsync::told::outcome::{Blame, Outcome};

/// Combined deletes that failed where the portable way worked, so many in a row, are taken for
/// something that this remote cannot do. Fewer are races.
const COMBINED_FAILURES_MAX: u32 = 4;
/// What does not get through by itself is tried so often with growing pauses, over some five minutes,
/// before it has to wait for `timeToExecute`.
const STUCK_TRIES_MAX: u32 = 10;
/// A full sync that leaves single paths out is run so often, with growing pauses.
const PARTIAL_FULL_SYNCS_MAX: u32 = 4;
/// So many runs in a row that the far side cuts short at a file leave at once, each without the file
/// of the one before. After that the disk over there is taken for full altogether, and they pause.
const CUTS_AT_ONCE_MAX: u32 = 16;

impl Remote {
    /// A job on its way has ended.
    pub fn finish(&mut self, job: JobId, outcome: &Outcome, now: Time) -> Option<Next> {
        let standby = self.standby;
        let flight = self.flight_mut(job)?;
        let option = outcome.failure().map_or(Blame::No, |failure| failure.option);
        // Where nothing is deleted but a standby's words are used, the words may be to blame, but nothing
        // that a broken connection looks like.
        let by_words = matches!(outcome, Outcome::Refused(_)) || option == Blame::Certain;
        let may_be = flight.is_deleting || standby && !flight.sweeps() && by_words;
        if flight.deletes == Deletes::Combined && may_be && option != Blame::No {
            flight.unsupported = option == Blame::Certain;
            return Some(Next::Again);
        }
        let flight = self.take_flight(job)?;
        let lane = flight.lane;
        if lane == Lane::Small {
            self.last_end = now;
            self.bulk.had_company |= *outcome != Outcome::Nothing;
        }
        let file = flight.batch().first().map(|(path, _)| path.clone());
        if !matches!(outcome, Outcome::Nothing | Outcome::Done) {
            self.logged = true;
            self.last_failure = outcome.failure().map(|failure| failure.status);
        }
        self.version += u64::from(self.logged);
        self.standing_version += 1;
        let (load, started) = (state::load(&flight), flight.started);
        let next = match outcome {
            Outcome::Nothing => self.arrived(flight, false, now),
            Outcome::Done => self.arrived(flight, true, now),
            Outcome::Partial(failure) => self.partial(flight, &failure.named, now),
            // The root halts, so that nothing is started; the remote is not to blame.
            Outcome::RootChanged => self.keep(flight, now),
            Outcome::Unreachable(failure)
                if failure.is_cut_short && !failure.named.is_empty() && !flight.sweeps() =>
            {
                self.cut_short(flight, &failure.named, now)
            }
            // The worker has looked: the root is there, so the directory is one of the far side.
            Outcome::Unreachable(_) | Outcome::NoDirectory(_) => {
                self.backoff.fail(now);
                self.keep(flight, now)
            }
            Outcome::Refused(_) => {
                self.backoff.refuse(now);
                self.keep(flight, now)
            }
        };
        match (lane, file) {
            (Lane::Bulk, Some(file)) => self.landed(&file, started, &next, now),
            (Lane::Small | Lane::Bulk, _) => self.tally.ends(load, &next, started, now),
        }
        Some(next)
    }

    fn arrived(&mut self, flight: Flight, ran: bool, now: Time) -> Next {
        if let (Lane::Bulk, [(path, _)]) = (flight.lane, flight.batch()) {
            self.bulk.has_sent(path, flight.stamp);
        }
        // Where what was stuck is large, whether it gets through is still to be seen.
        let unknown = self.bulk.retries && !self.bulk.is_idle();
        let nothing_is_stuck = self.stuck.is_empty() && !self.stuck_full && !unknown;
        let retries = flight.retries || self.bulk.retries;
        // With nothing run, nothing is known of the remote, and a large file may have to find out.
        let works = ran || self.bulk.is_idle();
        let back = works && (self.backoff.is_failing() || retries && nothing_is_stuck);
        if works {
            self.backoff.succeed();
            self.cuts = 0;
        }
        let all = self.bulk.is_idle() && nothing_is_stuck && !self.full;
        if all && (flight.everything || self.is_in_step()) {
            self.logged = false;
        }
        if flight.is_full() {
            self.partial_full_syncs = 0;
            self.mirrored = self.deletes_unseen();
        }
        if nothing_is_stuck {
            self.stuck_backoff.succeed();
        }
        self.completed(flight.seen_ns.filter(|_| flight.everything));
        Next::Arrived {
            sent: match &flight.cargo {
                Cargo::Batch(batch) => Sent::Paths(batch.len()),
                Cargo::Levels(levels) => Sent::Directories(levels.len()),
                Cargo::Everything { .. } => Sent::Everything,
            },
            took_ms: now.since(flight.started),
            back,
            learned: self.learned(&flight),
        }
    }

    /// Whether this job's way to its end shows that the remote cannot do combined deletes.
    fn learned(&mut self, flight: &Flight) -> bool {
        if flight.fallback {
            self.combined_failures += 1;
        } else if flight.is_deleting || self.standby && !flight.sweeps() {
            self.combined_failures = 0;
        }
        let learned = flight.unsupported || self.combined_failures >= COMBINED_FAILURES_MAX;
        let learned = learned && self.deletes == Deletes::Combined;
        if learned {
            self.deletes = Deletes::Portable;
        }
        learned
    }

    fn partial(&mut self, flight: Flight, named: &[Vec<u8>], now: Time) -> Next {
        self.backoff.succeed();
        let mut next = self.more_is_stuck(&flight, now);
        match flight.cargo {
            Cargo::Batch(batch) => {
                self.keep_stuck(stuck_of(batch, named));
            }
            // One that deletes leaves the rest of its deletions out once it has met an error.
            Cargo::Levels(_) if !named.is_empty() && !self.deletes_unseen() => {
                let named = named.iter().map(|path| (RelPath::from(&path[..]), Gone::No));
                self.stuck.owe(named);
            }
            Cargo::Levels(_) | Cargo::Everything { .. } => {
                self.partial_full_syncs += 1;
                self.stuck_full = self.partial_full_syncs < PARTIAL_FULL_SYNCS_MAX;
                if !self.stuck_full {
                    self.partial_full_syncs = 0;
                    next = Retry::Alone;
                    self.stuck.owe(named.iter().map(|path| (RelPath::from(&path[..]), Gone::No)));
                }
            }
        }
        self.completed(flight.seen_ns.filter(|_| flight.everything && !self.stuck_full));
        Next::Partial(next)
    }

    /// The far side could not write the named file, and did nothing more: that one waits by itself,
    /// and the rest leaves again.
    fn cut_short(&mut self, mut flight: Flight, named: &[Vec<u8>], now: Time) -> Next {
        let next = self.more_is_stuck(&flight, now);
        let is_named = |path: &RelPath| named.iter().any(|name| **name == **path);
        let all = flight.batch().to_vec();
        let (stuck, rest) = all.into_iter().partition::<Vec<_>, _>(|(path, _)| is_named(path));
        flight.cargo = Cargo::Batch(rest);
        self.cuts += 1;
        if stuck.is_empty() || self.cuts > CUTS_AT_ONCE_MAX {
            self.backoff.fail(now);
        }
        self.keep_stuck(stuck);
        self.keep(flight, now);
        Next::Partial(next)
    }

    /// Something did not get through by itself.
    fn more_is_stuck(&mut self, flight: &Flight, now: Time) -> Retry {
        // New paths that get stuck do not push out the time of those that are.
        if !flight.retries && (!self.stuck.is_empty() || self.stuck_full) {
            return Retry::Soon;
        }
        self.stuck_backoff.fail(now);
        if self.stuck_backoff.failures() < STUCK_TRIES_MAX {
            return Retry::Soon;
        }
        self.stuck_backoff.wait_until(now + self.put_aside_ms);
        Retry::After(self.put_aside_ms)
    }

    fn keep_stuck(&mut self, mut batch: Vec<(RelPath, Change)>) {
        batch.iter_mut().for_each(|(_, change)| change.by_name = true);
        self.stuck.restore(batch);
    }

    fn keep(&mut self, flight: Flight, now: Time) -> Next {
        self.renames.restore(flight.renames);
        match flight.cargo {
            Cargo::Batch(batch) if flight.lane == Lane::Bulk => self.bulk.restore(batch),
            Cargo::Batch(batch) => self.pending.restore(batch),
            Cargo::Levels(levels) if !self.full => {
                for (path, depth) in levels {
                    self.make_level(&path, depth);
                }
            }
            // The full sync that is owed makes them equal as well.
            Cargo::Levels(_) => {}
            Cargo::Everything { scheduled: true } => self.scheduled = true,
            Cargo::Everything { scheduled: false } => self.full = true,
        }
        if !self.pending.is_empty() {
            self.first_change.get_or_insert(now);
        }
        Next::Failed { pause_ms: self.backoff.until().since(now) }
    }
}

/// The paths of a batch that did not get through, going by the names that rsync told.
fn stuck_of(mut batch: Vec<(RelPath, Change)>, named: &[Vec<u8>]) -> Vec<(RelPath, Change)> {
    if batch.iter().any(|(path, _)| named.iter().any(|name| lies_in(name, path))) {
        batch.retain(|(path, change)| {
            let meant = |name: &Vec<u8>| lies_in(name, path) || lies_in(path, name);
            // rsync deletes nothing more once it has met an error.
            change.gone != Gone::No || named.iter().any(meant)
        });
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::super::Manner;
    use super::*;
    use crate::config::Batch;
    use crate::engine::sending::pending::What;
    use crate::engine::sending::standing::Known;
    use crate::engine::JobId;
    use crate::rsync::told::exit::Exit;

    const PUT_ASIDE_MS: u64 = 3_600_000;

    fn remote(known: Known) -> Remote {
        let (timing, deletes) = (Batch::default(), Deletes::Combined);
        let manner =
            Manner { timing, deletes, mirror: true, standby: false, put_aside_ms: PUT_ASIDE_MS };
        Remote::new(manner, known, 0)
    }

    /// Runs what is due next, which names `stuck`; gives what comes of it, and when that was.
    fn fail(remote: &mut Remote, stuck: &str, job: u64) -> (Next, Time) {
        let now = remote.due(true).expect("something is due");
        remote.start(JobId(job), true, 1, now);
        let named = vec![stuck.as_bytes().to_vec()];
        let outcome = Outcome::of(&Exit::with_code(23, ""), None).naming(|| named);
        (remote.finish(JobId(job), &outcome, now).expect("it was flying"), now)
    }

    #[test]
    fn what_does_not_get_through_is_tried_often_and_then_put_aside() {
        let mut remote = remote(Known::From(0));
        let path = RelPath::from(b"stuck".as_slice());
        remote.change(&path, What::Changed, Time(1));
        for job in 1..STUCK_TRIES_MAX {
            assert_eq!(fail(&mut remote, "stuck", job.into()).0, Next::Partial(Retry::Soon));
        }
        for job in 0..3 {
            let (next, now) = fail(&mut remote, "stuck", 100 + job);
            assert_eq!(next, Next::Partial(Retry::After(PUT_ASIDE_MS)));
            assert_eq!(remote.due(true), Some(now + PUT_ASIDE_MS));
        }
        remote.try_now();
        assert!(remote.due(true).is_some_and(|due| due <= Time(1)), "somebody wants it now");
        let (_, _, owed) = remote.standing();
        assert_eq!(owed.collect::<Vec<_>>(), [(&path, Gone::No)], "a restart must know of it");
    }

    #[test]
    fn a_full_sync_that_never_gets_through_leaves_what_it_named() {
        let mut remote = remote(Known::Nothing);
        for job in 1..PARTIAL_FULL_SYNCS_MAX {
            assert_eq!(fail(&mut remote, "stuck", job.into()).0, Next::Partial(Retry::Soon));
            assert!(remote.owes_full_sync());
        }
        assert_eq!(fail(&mut remote, "stuck", 100).0, Next::Partial(Retry::Alone));
        assert!(!remote.owes_full_sync());
        assert_eq!(remote.owed(false).1, [(RelPath::from(b"stuck".as_slice()), Gone::No)]);
    }

    /// What a server before 3.1 says.
    const UNKNOWN: &str = "rsync: on remote machine: --delete-missing-args: unknown option\n";

    /// What follows from the exit of a batch with this path, if combined deletes and a standby are used.
    fn end(what: What, code: i32, stderr: &str) -> Next {
        let timing = Batch::default();
        let (deletes, standby) = (Deletes::Combined, true);
        let manner = Manner { timing, deletes, mirror: false, standby, put_aside_ms: 0 };
        let mut remote = Remote::new(manner, Known::From(0), 0);
        remote.change(&RelPath::from(&b"path"[..]), what, Time(1));
        remote.start(JobId(1), true, 1, Time(10));
        let outcome = Outcome::of(&Exit::with_code(code, stderr), None);
        remote.finish(JobId(1), &outcome, Time(20)).unwrap()
    }

    #[test]
    fn another_way_to_delete_is_tried_if_the_first_one_may_be_to_blame() {
        let removed = What::Removed { gone: Gone::Entry, unsent: false };
        for (what, code, stderr, again) in [
            (removed, 12, "", true),
            (removed, 10, UNKNOWN, true),
            (removed, 30, "", false),
            // The words of a standby are in it, but it has nothing to delete.
            (What::Changed, 10, UNKNOWN, true),
            (What::Changed, 1, UNKNOWN, true),
            (What::Changed, 2, "", true),
            (What::Changed, 12, "", false),
            (What::Changed, 10, "", false),
        ] {
            let next = end(what, code, stderr);
            assert_eq!(next == Next::Again, again, "{what:?} {code}: {next:?}");
        }
    }
}
