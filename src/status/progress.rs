//! Long work: walks of whole roots, and full syncs. Since when they are under way, and when the log
//! says so again. Pure; the loop tells it of every round.

use crate::engine::time::Time;

/// Between two lines in the log about the same work.
const SAY_MS: u64 = 30_000;

/// What a line in the log is to be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Long {
    /// The walk of this root, for so many milliseconds.
    Walk(usize, u64),
    /// The full sync of this remote, for so many milliseconds.
    FullSync(usize, u64),
}

/// The long work of all roots and remotes.
#[derive(Debug, Default)]
pub struct Progress {
    walks: Vec<Work>,
    full_syncs: Vec<Work>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Work {
    since: Option<Time>,
    say_at: Time,
}

impl Work {
    /// Gives how long it has taken, if that is to be said now.
    fn note(&mut self, is_under_way: bool, now: Time) -> Option<u64> {
        if !is_under_way {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert_with(|| {
            self.say_at = now + SAY_MS;
            now
        });
        if now < self.say_at {
            return None;
        }
        self.say_at = now + SAY_MS;
        Some(now.since(since))
    }
}

impl Progress {
    /// A round of the loop: whether a walk of each root and a full sync of each remote is under way.
    /// Gives what is to be said.
    pub fn note(
        &mut self,
        walks: impl Iterator<Item = bool>,
        full_syncs: impl Iterator<Item = bool>,
        now: Time,
    ) -> Vec<Long> {
        let mut said = Vec::new();
        for (number, is_under_way) in walks.enumerate() {
            let took_ms = work(&mut self.walks, number).note(is_under_way, now);
            said.extend(took_ms.map(|took_ms| Long::Walk(number, took_ms)));
        }
        for (number, is_under_way) in full_syncs.enumerate() {
            let took_ms = work(&mut self.full_syncs, number).note(is_under_way, now);
            said.extend(took_ms.map(|took_ms| Long::FullSync(number, took_ms)));
        }
        said
    }

    /// When something is to be said although nothing happens.
    pub fn due(&self) -> Option<Time> {
        let all = self.walks.iter().chain(&self.full_syncs);
        all.filter(|work| work.since.is_some()).map(|work| work.say_at).min()
    }

    /// How long the walk of a root has been under way.
    pub fn walk_ms(&self, root: usize, now: Time) -> Option<u64> {
        self.walks.get(root)?.since.map(|since| now.since(since))
    }

    /// How many directories the walk of a root reads in a second.
    pub fn directories_per_s(&self, root: usize, directories: usize, now: Time) -> u64 {
        let took_ms = self.walk_ms(root, now).unwrap_or(u64::MAX).max(1);
        (directories as u64).saturating_mul(1000) / took_ms
    }
}

fn work(all: &mut Vec<Work>, number: usize) -> &mut Work {
    if all.len() <= number {
        all.resize(number + 1, Work::default());
    }
    &mut all[number]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(progress: &mut Progress, walk: bool, full: bool, now: u64) -> Vec<Long> {
        progress.note([walk].into_iter(), [false, full].into_iter(), Time(now))
    }

    #[test]
    fn long_work_is_told_of_every_thirty_seconds_and_short_work_never() {
        let mut progress = Progress::default();
        assert_eq!(progress.due(), None, "nothing wakes for nothing");
        assert_eq!(note(&mut progress, true, false, 1_000), []);
        assert_eq!(progress.due(), Some(Time(31_000)));
        assert_eq!(note(&mut progress, true, true, 30_999), []);
        assert_eq!(note(&mut progress, true, true, 31_000), [Long::Walk(0, 30_000)]);
        assert_eq!(progress.directories_per_s(0, 600, Time(31_000)), 20);
        assert_eq!(note(&mut progress, true, true, 60_998), []);
        let both = [Long::Walk(0, 60_000), Long::FullSync(1, 30_001)];
        assert_eq!(note(&mut progress, true, true, 61_000), both);
        assert_eq!(note(&mut progress, false, false, 100_000), []);
        assert_eq!((progress.due(), progress.walk_ms(0, Time(100_000))), (None, None));
        assert_eq!(note(&mut progress, false, true, 100_001), []);
    }
}
