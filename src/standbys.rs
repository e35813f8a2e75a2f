//! The standbys of all remotes: which are kept, and for how long.
//!
//! The loop gives a remote's to the worker that gets its next job, and gets another one back.

use crate::config::Standby as Kept;
use crate::engine::time::Time;
use crate::engine::RemoteId;
use crate::sorted::SortedMap;

/// So many live at a time, those of the remotes that changed last: each is a process here, and another
/// one and a connection over there.
const STANDBYS_MAX: usize = 32;

/// Those that wait now. One that is not kept any more is dropped, which ends it.
#[derive(Debug)]
pub struct Standbys<Standby> {
    kept: Kept,
    waiting: SortedMap<RemoteId, (Time, Standby)>,
}

impl<Standby> Standbys<Standby> {
    /// None yet.
    pub fn new(kept: Kept) -> Standbys<Standby> {
        Standbys { kept, waiting: SortedMap::new() }
    }

    /// Keeps one until it is taken, or has waited for long enough.
    pub fn keep(&mut self, remote: RemoteId, standby: Standby, now: Time) {
        if self.kept == Kept::Off {
            return;
        }
        self.waiting.insert(remote, (now, standby));
        if self.waiting.len() > STANDBYS_MAX {
            let oldest = self.waiting.iter().min_by_key(|(_, (since, _))| *since);
            if let Some(remote) = oldest.map(|(remote, _)| *remote) {
                self.waiting.remove(&remote);
            }
        }
    }

    /// Hands out that of a remote.
    pub fn take(&mut self, remote: RemoteId) -> Option<Standby> {
        self.waiting.remove(&remote).map(|(_, standby)| standby)
    }

    /// Lets those of some remotes go.
    pub fn let_go(&mut self, of: impl Fn(RemoteId) -> bool) {
        self.waiting.retain(|remote, _| !of(*remote));
    }

    /// When [`Standbys::expire`] has something to do.
    pub fn due(&self) -> Option<Time> {
        let Kept::For(seconds) = self.kept else { return None };
        let since = self.waiting.values().map(|(since, _)| *since).min()?;
        Some(since + seconds.saturating_mul(1000))
    }

    /// Lets those go that have waited for long enough.
    pub fn expire(&mut self, now: Time) {
        let Kept::For(seconds) = self.kept else { return };
        self.waiting.retain(|_, (since, _)| now < *since + seconds.saturating_mul(1000));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(standbys: &Standbys<usize>) -> Vec<usize> {
        standbys.waiting.values().map(|(_, number)| *number).collect()
    }

    #[test]
    fn each_waits_for_as_long_as_it_should() {
        for (kept, due, before, after) in [
            (Kept::Off, None, &[][..], &[][..]),
            (Kept::For(1), Some(Time(1_010)), &[1, 2], &[2]),
            (Kept::For(u64::MAX), Some(Time(u64::MAX)), &[1, 2], &[1, 2]),
            (Kept::Always, None, &[1, 2], &[1, 2]),
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
        let mut standbys = Standbys::new(Kept::default());
        standbys.keep(RemoteId(1), 1, Time(1));
        standbys.keep(RemoteId(1), 2, Time(2));
        assert_eq!(standbys.take(RemoteId(1)), Some(2));
        assert_eq!((standbys.take(RemoteId(1)), standbys.due()), (None, None));
    }

    #[test]
    fn those_of_the_remotes_that_changed_last_are_kept() {
        let mut standbys = Standbys::new(Kept::Always);
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
}
