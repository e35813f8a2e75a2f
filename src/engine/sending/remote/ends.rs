//! What follows from the outcome of a job for what its remote is owed.

use super::super::flight::{Attempt, Cargo, Flight};
use super::super::next::{Next, Retry};
use super::super::pending::Remembered;
use super::Remote;
use crate::engine::rel_path::{lies_in, RelPath};
use crate::engine::time::Time;
use crate::engine::JobId;
use crate::rsync::asked::licence::Way;
use crate::rsync::asked::plan::Gone;
use crate::rsync::told::outcome::{Failure, Outcome};
use crate::rsync::told::unwanted::{Blame, Why};

impl Remote {
    /// A job on its way has ended.
    pub fn finish(&mut self, job: JobId, outcome: &Outcome, now: Time) -> Option<Next> {
        let attempt = self.another_attempt(self.lanes.get(job)?, outcome);
        let is_done = matches!(outcome, Outcome::Nothing | Outcome::Done | Outcome::Unwanted(_));
        if !is_done {
            self.lanes.get_mut(job)?.may_leave_joined();
        }
        if let Some(attempt) = attempt {
            self.lanes.get_mut(job)?.attempt = attempt;
            let refused = attempt == Attempt::Withheld && self.far_side.refuse(now);
            return Some(Next::Again { refused });
        }
        if outcome.gets_through() && self.lanes.get(job)?.rehearsal.flies() {
            self.far_side.answers = true;
            return self.rehearsed(job);
        }
        let mut flight = self.lanes.take(job)?;
        if flight.sweeps() {
            self.look_again(now);
        }
        let (extent, started) = (flight.cargo.extent(), flight.started);
        let file = match &flight.cargo {
            Cargo::File(file) => Some(file.listed.0.clone()),
            Cargo::Batch(_) | Cargo::Levels(_) | Cargo::Everything { .. } => None,
        };
        if file.is_none() {
            self.far_side.job_ended(now);
            self.bulk.had_company |= *outcome != Outcome::Nothing;
        }
        if !is_done {
            self.owed.failed(outcome.failure().map(|failure| failure.status));
        }
        self.owed.changed();
        if !outcome.gets_through() || matches!(outcome, Outcome::Partial(_)) {
            self.lanes.one_has_failed();
        }
        if *outcome != Outcome::Nothing {
            self.far_side.answers = outcome.gets_through();
        }
        if outcome.gets_through() {
            self.keep_withheld(&mut flight);
            self.keep_for_second_look(&flight, now);
        }
        let next = self.follow(flight, outcome, now);
        match file {
            Some(file) => self.file_ended(&file, started, &next, now),
            None => self.tally.ends(extent, &next, started, now),
        }
        Some(next)
    }

    /// How the same job is to leave again at once, if it may have failed by the way in which it deletes.
    fn another_attempt(&self, flight: &Flight, outcome: &Outcome) -> Option<Attempt> {
        let failure = outcome.failure().filter(|_| self.deletes_seen())?;
        let combined = flight.attempt.way() == Way::Combined;
        // Where nothing is deleted but a standby's words are used, the words may be to blame, but nothing
        // that a broken connection looks like.
        let by_words = matches!(outcome, Outcome::Refused(_)) || failure.blame.is_certain();
        let by_standby = self.settings.standby && !flight.sweeps() && by_words;
        let again = match failure.blame {
            Blame::Deleting => flight.attempt != Attempt::Withheld,
            Blame::Combined | Blame::Perhaps => combined && (flight.is_deleting() || by_standby),
            // In a directory that nobody may write to, only a run that deletes by itself makes room.
            Blame::No => {
                let is_deleted = |path: &Vec<u8>| flight.deletes_at(path);
                combined && failure.named.iter().any(is_deleted)
            }
        };
        let attempt = match failure.blame {
            Blame::Deleting => Attempt::Withheld,
            Blame::Combined => Attempt::Portable { certain: true },
            Blame::Perhaps | Blame::No => Attempt::Portable { certain: false },
        };
        again.then_some(attempt)
    }

    fn follow(&mut self, flight: Flight, outcome: &Outcome, now: Time) -> Next {
        match outcome {
            Outcome::Nothing | Outcome::Done => self.arrived(&flight, outcome, &[], now),
            Outcome::Unwanted(whys) => self.arrived(&flight, outcome, whys, now),
            Outcome::Partial(failure) => self.partial(flight, failure, now),
            // The root halts, so that nothing is started; the remote is not to blame.
            Outcome::RootChanged => self.failed(flight, now),
            Outcome::Unreachable(failure)
                if failure.is_cut_short && !failure.named.is_empty() && !flight.sweeps() =>
            {
                self.cut_short(flight, &failure.named, now)
            }
            Outcome::Unreachable(failure)
                if failure.connections_used_up
                    && flight.is_beside_sweep
                    && self.lanes.has_sweep() =>
            {
                self.keep(flight.cargo, now);
                Next::Waits { learned: self.far_side.is_crowded(now) }
            }
            // The worker has looked: the root is there, so the directory is one of the far side.
            Outcome::Unreachable(_) | Outcome::NoDirectory(_) => {
                self.backoff.fail(now);
                self.failed(flight, now)
            }
            Outcome::Refused(_) => {
                self.backoff.refuse(now);
                self.failed(flight, now)
            }
        }
    }

    /// What a batch has brought may be undone by the sweep beside it, which may have ended meanwhile.
    fn keep_for_second_look(&mut self, flight: &Flight, now: Time) {
        if !flight.is_beside_sweep {
            return;
        }
        self.second_look.arrived(flight.paths().to_vec());
        if !self.lanes.has_sweep() {
            self.look_again(now);
        }
    }

    /// The sweep on its way has ended: what has arrived beside it is pending again.
    fn look_again(&mut self, now: Time) {
        if self.second_look.is_empty() {
            return;
        }
        self.tally.pends_again(self.pending.is_empty(), now);
        self.pending.restore(self.second_look.take());
        self.departure.added(now);
    }

    fn arrived(
        &mut self,
        flight: &Flight,
        outcome: &Outcome,
        unwanted: &[(Why, String)],
        now: Time,
    ) -> Next {
        let ran = *outcome != Outcome::Nothing;
        if let Cargo::File(file) = &flight.cargo {
            self.bulk.has_sent(&file.listed.0, file.stamp);
        }
        // Where what was stuck is large, whether it gets through is still to be seen.
        let unknown = self.bulk.retries && !self.bulk_is_idle();
        let is_retried = self.lanes.iter().any(|flight| flight.retries);
        let nothing_is_stuck = self.stuck.is_empty() && !unknown && !is_retried;
        let retries = flight.retries || self.bulk.retries;
        // With nothing run, nothing is known of the remote, and a large file may have to find out.
        let works = ran || self.bulk_is_idle();
        let back = works && (self.backoff.is_failing() || retries && nothing_is_stuck);
        if works {
            self.backoff.succeed();
            self.stuck.not_cut_short();
        }
        let nothing_is_owed = nothing_is_stuck && self.stuck.refused().is_empty();
        let all = self.bulk_is_idle() && nothing_is_owed && !self.sweep.is_full();
        if all && (flight.is_all || self.is_in_step()) {
            self.owed.all_arrived();
        }
        if flight.is_full() {
            self.stuck.full_sync_arrived();
            self.far_side.full_sync_arrived(flight.unseen);
            if flight.unseen {
                self.trust.is_equal();
                self.standing.names_changed();
            }
        }
        if unwanted.iter().any(|(why, _)| *why != Why::Attributes) {
            self.far_side.keeps_something();
        }
        if nothing_is_stuck {
            self.stuck.all_arrived();
        }
        self.completed(flight.read_ns.filter(|_| flight.is_all));
        Next::Arrived {
            sent: flight.cargo.extent(),
            took_ms: now.since(flight.started),
            back,
            learned: self.far_side.learn(flight.attempt, now),
            unwanted: self.far_side.not_told_today(unwanted, now),
        }
    }

    fn partial(&mut self, flight: Flight, failure: &Failure, now: Time) -> Next {
        let Failure { named, limited, .. } = failure;
        self.backoff.succeed();
        if *limited {
            self.far_side.keeps_something();
        }
        let mut retry = self.stuck.left_out(flight.retries, now);
        match flight.cargo {
            Cargo::Batch(batch) => self.stuck.put(not_arrived(batch.paths, failure)),
            Cargo::File(file) => self.stuck.put(not_arrived(vec![file.listed], failure)),
            // Of a directory it names nothing that is in it, and what only the far side has may have stayed as well.
            Cargo::Levels(_) | Cargo::Everything { .. } if !failure.only_files => {
                self.stuck.put_full_sync();
            }
            // One that deletes leaves the rest of its deletions out once it has met an error.
            Cargo::Levels(_) | Cargo::Everything { .. } if flight.unseen => {
                if !self.stuck.put_full_sync_for_a_while(named) {
                    retry = Retry::Alone;
                }
            }
            Cargo::Levels(_) | Cargo::Everything { .. } => self.stuck.put_named(named),
        }
        let is_all = flight.is_all && !self.stuck.has_full_sync();
        self.completed(flight.read_ns.filter(|_| is_all));
        Next::Partial(retry)
    }

    /// The far side could not write the named file, and did nothing more: that one waits by itself,
    /// and the rest leaves again.
    fn cut_short(&mut self, flight: Flight, named: &[Vec<u8>], now: Time) -> Next {
        let retry = self.stuck.left_out(flight.retries, now);
        let is_named = |path: &RelPath| named.iter().any(|name| **name == **path);
        let (stuck, rest) = match flight.cargo {
            Cargo::Batch(mut batch) => (batch.set_apart(is_named), Some(Cargo::Batch(batch))),
            Cargo::File(file) if is_named(&file.listed.0) => (vec![file.listed], None),
            unnamed @ (Cargo::File(_) | Cargo::Levels(_) | Cargo::Everything { .. }) => {
                (Vec::new(), Some(unnamed))
            }
        };
        if self.stuck.cut_short() || stuck.is_empty() {
            self.backoff.fail(now);
        }
        self.stuck.put(stuck);
        if let Some(rest) = rest {
            self.keep(rest, now);
        }
        Next::Partial(retry)
    }

    /// Nothing can be said to have arrived: all that the job carried waits again.
    fn failed(&mut self, flight: Flight, now: Time) -> Next {
        self.keep(flight.cargo, now);
        Next::Failed { pause_ms: self.backoff.until().since(now) }
    }

    fn keep(&mut self, cargo: Cargo, now: Time) {
        match cargo {
            Cargo::Batch(batch) => {
                self.renames.restore(batch.renames);
                self.pending.restore(batch.paths);
            }
            Cargo::File(file) => self.bulk.restore(vec![file.listed]),
            Cargo::Levels(levels) => {
                for (path, depth) in levels {
                    self.make_equal(&path, depth);
                }
            }
            Cargo::Everything { scheduled: true } => self.sweep.schedule(),
            Cargo::Everything { scheduled: false } => self.sweep.need_full(),
        }
        if !self.pending.is_empty() {
            self.departure.added(now);
        }
    }
}

/// The paths of a batch that did not get through, going by the names that rsync told.
fn not_arrived(
    mut batch: Vec<(RelPath, Remembered)>,
    failure: &Failure,
) -> Vec<(RelPath, Remembered)> {
    let Failure { named, limited, .. } = failure;
    if batch.iter().any(|(path, _)| named.iter().any(|name| lies_in(name, path))) {
        batch.retain(|(path, remembered)| {
            let meant = |name: &Vec<u8>| lies_in(name, path) || lies_in(path, name);
            // rsync deletes nothing more once it has met an error. What it leaves at the user's limit is done with.
            remembered.gone != Gone::No && !limited || named.iter().any(meant)
        });
    }
    batch
}
