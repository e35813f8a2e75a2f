//! The standbys of all remotes: when they are started, which are kept, and for how long.
//!
//! After each batch that got through, its remote is to have a standby. The loop hands it to the worker that
//! gets the next job of that remote.

use crate::config::StandbyMode;
use crate::engine::succession::Succession;
use crate::engine::time::Time;
use crate::engine::RemoteId;
use crate::rsync::asked::plan::PlanSettings;

/// How many live at a time: those of the remotes that got something last. Each is a process here, and a
/// process and a connection on the far side.
const STANDBYS_MAX: usize = 32;
/// How long the start of one is put off while every processor is busy. A start costs both ends as much as a
/// small batch, and would delay the batches of other remotes that are on their way: where eight remotes get
/// the same files, their batches end at about the same time. A batch that takes longer than this waits for
/// the network or the far side, and needs no processor.
const PUT_OFF_MS: u64 = 200;

/// Those that wait now, and those that are to be started. Dropping a standby ends it.
#[derive(Debug)]
pub struct Standbys<Standby> {
    kept: StandbyMode,
    /// Since when each waits.
    waiting: Vec<(RemoteId, Time, Standby)>,
    /// Since when each is wanted, and for which runs.
    wanted: Vec<(RemoteId, Time, PlanSettings)>,
}

impl<Standby> Standbys<Standby> {
    /// None yet.
    pub fn new(kept: StandbyMode) -> Standbys<Standby> {
        Standbys { kept, waiting: Vec::new(), wanted: Vec::new() }
    }

    /// They wait for so long from now on.
    pub fn change_kept(&mut self, kept: StandbyMode) {
        self.kept = kept;
        if kept == StandbyMode::Off {
            self.let_go(|_| true);
        }
    }

    /// A remote is to have one, unless it has.
    pub fn want(&mut self, remote: RemoteId, settings: PlanSettings, now: Time) {
        if self.kept == StandbyMode::Off || self.waiting.iter().any(|(of, _, _)| *of == remote) {
            return;
        }
        put(&mut self.wanted, remote, now, settings);
    }

    /// Which one is to be started now: the one that has been wanted for the longest time. `busy` is whether
    /// every processor has something to do.
    pub fn to_start(&mut self, busy: bool, now: Time) -> Option<(RemoteId, PlanSettings)> {
        let oldest = oldest(&self.wanted)?;
        if busy && now < self.wanted[oldest].1 + PUT_OFF_MS {
            return None;
        }
        let (remote, _, settings) = self.wanted.remove(oldest);
        Some((remote, settings))
    }

    /// Keeps one until it is taken, or has waited for long enough.
    pub fn keep(&mut self, remote: RemoteId, standby: Standby, now: Time) {
        if self.kept == StandbyMode::Off {
            return;
        }
        put(&mut self.waiting, remote, now, standby);
    }

    /// Hands out the standby of a remote for a job. The remote is not to have another one before that job has
    /// ended.
    pub fn take(&mut self, remote: RemoteId) -> Option<Standby> {
        self.wanted.retain(|(of, _, _)| *of != remote);
        let at = self.waiting.iter().position(|(of, _, _)| *of == remote)?;
        Some(self.waiting.remove(at).2)
    }

    /// The remotes have become others: those of remotes that are there no more go.
    pub fn change_remotes(&mut self, succession: &Succession) {
        let follow = |remote| succession.after(remote);
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        self.waiting =
            waiting.filter_map(|(of, since, it)| Some((follow(of)?, since, it))).collect();
        let wanted = std::mem::take(&mut self.wanted).into_iter();
        self.wanted = wanted.filter_map(|(of, since, it)| Some((follow(of)?, since, it))).collect();
    }

    /// Lets those of some remotes go.
    pub fn let_go(&mut self, of: impl Fn(RemoteId) -> bool) {
        self.wanted.retain(|(remote, _, _)| !of(*remote));
        self.waiting.retain(|(remote, _, _)| !of(*remote));
    }

    /// Lets those go that have ended.
    pub fn let_go_ended(&mut self, mut has_ended: impl FnMut(&mut Standby) -> bool) {
        self.waiting.retain_mut(|(_, _, standby)| !has_ended(standby));
    }

    /// When [`Standbys::to_start`] or [`Standbys::expire`] has something to do.
    pub fn due(&self) -> Option<Time> {
        let start = oldest(&self.wanted).map(|at| self.wanted[at].1 + PUT_OFF_MS);
        let StandbyMode::For(seconds) = self.kept else { return start };
        let expire =
            oldest(&self.waiting).map(|at| self.waiting[at].1 + seconds.saturating_mul(1000));
        start.into_iter().chain(expire).min()
    }

    /// Lets those go that have waited for long enough.
    pub fn expire(&mut self, now: Time) {
        let StandbyMode::For(seconds) = self.kept else { return };
        self.waiting.retain(|(_, since, _)| now < *since + seconds.saturating_mul(1000));
    }
}

/// Puts one in, in place of the one that its remote has, and forgets the oldest if there are too many.
fn put<T>(into: &mut Vec<(RemoteId, Time, T)>, remote: RemoteId, now: Time, value: T) {
    into.retain(|(of, _, _)| *of != remote);
    into.push((remote, now, value));
    if into.len() > STANDBYS_MAX {
        oldest(into).map(|at| into.remove(at));
    }
}

/// Where the one is that has been there for the longest time.
fn oldest<T>(of: &[(RemoteId, Time, T)]) -> Option<usize> {
    (0..of.len()).min_by_key(|&at| of[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsync::asked::licence::{Licence, Way};

    const SETTINGS: PlanSettings =
        PlanSettings { licence: Licence::Seen, way: Way::Combined, standby: true };

    fn numbers(standbys: &Standbys<usize>) -> Vec<usize> {
        let mut numbers: Vec<_> = standbys.waiting.iter().map(|(_, _, number)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn each_waits_for_as_long_as_it_should() {
        for (kept, due, before, after) in [
            (StandbyMode::Off, None, &[][..], &[][..]),
            (StandbyMode::For(1), Some(Time(1_010)), &[1, 2], &[2]),
            (StandbyMode::For(u64::MAX), Some(Time(u64::MAX)), &[1, 2], &[1, 2]),
            (StandbyMode::Always, None, &[1, 2], &[1, 2]),
        ] {
            let mut standbys = Standbys::new(kept);
            standbys.keep(RemoteId(1), 1, Time(10));
            standbys.keep(RemoteId(2), 2, Time(11));
            assert_eq!(standbys.due(), due, "{kept:?}");
            standbys.expire(Time(1_009));
            assert_eq!(numbers(&standbys), before, "{kept:?}");
            standbys.expire(Time(1_010));
            assert_eq!(numbers(&standbys), after, "{kept:?}");
        }
    }

    #[test]
    fn a_remote_has_one_at_most_and_it_is_handed_out_once() {
        let mut standbys = Standbys::new(StandbyMode::default());
        standbys.keep(RemoteId(1), 1, Time(1));
        standbys.keep(RemoteId(1), 2, Time(2));
        assert_eq!(standbys.take(RemoteId(1)), Some(2));
        assert_eq!((standbys.take(RemoteId(1)), standbys.due()), (None, None));
    }

    #[test]
    fn one_that_has_ended_goes() {
        let mut standbys = Standbys::new(StandbyMode::Always);
        (1..=2).for_each(|it| standbys.keep(RemoteId(it), it, Time(1)));
        standbys.let_go_ended(|number| *number == 1);
        assert_eq!(numbers(&standbys), [2]);
    }

    #[test]
    fn those_of_the_remotes_that_changed_last_are_kept() {
        let mut standbys = Standbys::new(StandbyMode::Always);
        for number in 0..STANDBYS_MAX {
            standbys.keep(RemoteId(number), number, Time(number as u64));
        }
        standbys.keep(RemoteId(0), 0, Time(100));
        standbys.keep(RemoteId(STANDBYS_MAX), STANDBYS_MAX, Time(101));
        let expected: Vec<_> = (0..=STANDBYS_MAX).filter(|&number| number != 1).collect();
        assert_eq!(numbers(&standbys), expected);
        standbys.let_go(|remote| remote.0 > 2);
        assert_eq!(numbers(&standbys), [0, 2]);
    }

    #[test]
    fn one_is_started_when_a_processor_is_free_or_has_been_waited_for() {
        let mut standbys: Standbys<usize> = Standbys::new(StandbyMode::Always);
        let to_start = |standbys: &mut Standbys<usize>, busy, now| {
            standbys.to_start(busy, Time(now)).map(|(remote, _)| remote.0)
        };
        for (remote, now) in [(3, 10), (1, 20), (2, 30)] {
            standbys.want(RemoteId(remote), SETTINGS, Time(now));
        }
        assert_eq!(to_start(&mut standbys, true, 30), None);
        assert_eq!(to_start(&mut standbys, false, 30), Some(3));
        assert_eq!(standbys.due(), Some(Time(20 + PUT_OFF_MS)));
        assert_eq!(to_start(&mut standbys, true, 19 + PUT_OFF_MS), None);
        assert_eq!(to_start(&mut standbys, true, 20 + PUT_OFF_MS), Some(1));
        standbys.let_go(|remote| remote.0 == 2);
        assert_eq!((to_start(&mut standbys, false, u64::MAX), standbys.due()), (None, None));
    }

    #[test]
    fn what_is_to_be_done_first_is_due() {
        let mut standbys = Standbys::new(StandbyMode::For(1));
        standbys.keep(RemoteId(1), 1, Time(10));
        standbys.want(RemoteId(2), SETTINGS, Time(1_000));
        assert_eq!(standbys.due(), Some(Time(1_010)));
        standbys.want(RemoteId(3), SETTINGS, Time(20));
        assert_eq!(standbys.due(), Some(Time(20 + PUT_OFF_MS)));
    }

    #[test]
    fn none_is_wanted_for_who_has_one_or_a_job_and_none_where_none_is_kept() {
        let mut standbys = Standbys::new(StandbyMode::Always);
        standbys.keep(RemoteId(1), 1, Time(1));
        standbys.want(RemoteId(1), SETTINGS, Time(2));
        assert_eq!(standbys.to_start(false, Time(2)), None);
        standbys.want(RemoteId(2), SETTINGS, Time(2));
        assert_eq!(standbys.take(RemoteId(2)), None);
        assert_eq!(standbys.to_start(false, Time(2)), None);
        let mut off: Standbys<usize> = Standbys::new(StandbyMode::Off);
        off.want(RemoteId(1), SETTINGS, Time(1));
        assert_eq!(off.to_start(false, Time(1)), None);
    }

    #[test]
    fn of_many_that_are_wanted_the_last_are_started() {
        let mut standbys: Standbys<usize> = Standbys::new(StandbyMode::Always);
        for number in 0..=STANDBYS_MAX {
            standbys.want(RemoteId(number), SETTINGS, Time(number as u64));
        }
        let start = |_| standbys.to_start(false, Time(100)).map(|(remote, _)| remote.0);
        let started: Vec<_> = (0..=STANDBYS_MAX).filter_map(start).collect();
        assert_eq!(started, (1..=STANDBYS_MAX).collect::<Vec<_>>());
    }
}
