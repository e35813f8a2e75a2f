//! Long work: walks of whole roots, and full syncs. Since when they are under way, how far they have
//! come, and when log and terminal say so again. Pure; the loop tells it of every round.

use crate::engine::succession::Succession;
use crate::engine::time::Time;
use crate::rsync::told::progress::Sample;
use crate::tell::amounts::{age, size};
use std::fmt;

/// Between two lines in the log about the same work.
const SAY_MS: u64 = 30_000;
/// Work that is over before this is not drawn on a terminal.
const DRAW_AFTER_MS: u64 = 500;
/// Between two drawings of the line.
const DRAW_MS: u64 = 500;
/// A rate is taken over this time at least, and over twice this time at most.
const RATE_MS: u64 = 5_000;
/// Only after a file does rsync say whether it has read all directories. Before the first one that
/// is unknown; but it reads ahead this many files at least, so of a smaller tree it knows all.
const READ_AHEAD: u64 = 1_000;

/// Work that takes long, and for how many milliseconds it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Long {
    /// The walk of this root.
    Walk(usize, u64),
    /// The full sync of this remote.
    FullSync(usize, u64),
}

/// How far a full sync has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Course {
    /// Files that it has sent.
    pub files: u64,
    /// Their size, and as much of the one that is on its way as is through.
    pub bytes: u64,
    /// The rate of the last seconds.
    pub bytes_per_s: u64,
    /// Files and directories that it is done with, sent or not.
    pub checked: u64,
    /// All that it will be; as far as rsync knows, or as the walk has counted.
    pub total: u64,
    /// The part of its work that is done, as far as anybody can know.
    pub percent: Option<u8>,
    /// What the rest will take at this rate.
    pub left_ms: Option<u64>,
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.percent {
            Some(percent) => write!(f, "{percent}%")?,
            None => write!(f, "{} of {} or more checked", self.checked, self.total)?,
        }
        let (bytes, rate) = (size(self.bytes), size(self.bytes_per_s));
        write!(f, ", {} files, {bytes}, {rate}/s", self.files)?;
        self.left_ms.map_or(Ok(()), |left_ms| write!(f, ", {} left", age(left_ms.max(1_000))))
    }
}

/// The long work of all roots and remotes.
#[derive(Debug, Default)]
pub struct Progress {
    walks: Vec<Work>,
    full_syncs: Vec<Work>,
    /// Files and directories that the last walk of each root has counted.
    entries: Vec<u64>,
    draw_at: Time,
    is_drawn: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Work {
    since: Option<Time>,
    say_at: Time,
    heard: Option<Heard>,
}

/// What rsync has said.
#[derive(Debug, Clone, Copy)]
struct Heard {
    latest: Sample,
    /// Two moments and how many bytes were through then: the one from which the rate is reckoned
    /// now, and the one that takes its place.
    from: (Time, u64),
    next: (Time, u64),
}

impl Work {
    fn begin(&mut self, now: Time) -> Time {
        *self.since.get_or_insert_with(|| {
            self.say_at = now + SAY_MS;
            now
        })
    }

    /// Gives how long it has taken, if that is to be said now.
    fn note(&mut self, is_under_way: bool, now: Time) -> Option<u64> {
        if !is_under_way {
            *self = Work::default();
            return None;
        }
        let since = self.begin(now);
        if now < self.say_at {
            return None;
        }
        self.say_at = now + SAY_MS;
        Some(now.since(since))
    }

    fn hear(&mut self, sample: Sample, now: Time) {
        let since = self.begin(now);
        let start = Heard { latest: sample, from: (since, 0), next: (since, 0) };
        let heard = self.heard.get_or_insert(start);
        heard.latest = sample;
        if now.since(heard.next.0) >= RATE_MS {
            (heard.from, heard.next) = (heard.next, (now, sample.bytes));
        }
    }

    fn course(&self, entries: u64, now: Time) -> Option<Course> {
        let Heard { latest, from: (at, bytes), .. } = self.heard?;
        let took_ms = now.since(self.since?);
        let (done, of) = share(&latest, entries).unzip();
        let percent = done.zip(of).map(|(done, of)| (done.saturating_mul(100) / of).min(100) as u8);
        let left_ms = done.zip(of).filter(|(done, _)| *done > 0).map(|(done, of)| {
            // Years of many millions of files are still counted.
            took_ms.saturating_mul(of.saturating_sub(done)) / done
        });
        let more = latest.bytes.saturating_sub(bytes);
        Some(Course {
            files: latest.files,
            bytes: latest.bytes,
            bytes_per_s: more.saturating_mul(1000) / now.since(at).max(1),
            checked: latest.checked,
            total: total(&latest, entries),
            percent,
            left_ms,
        })
    }
}

/// The number of all files and directories. rsync reads directories while it sends; before it has
/// read the last one, it knows of fewer than the walk has counted.
fn total(sample: &Sample, entries: u64) -> u64 {
    if sample.knows_all {
        sample.known
    } else {
        sample.known.max(entries)
    }
}

/// The part of a full sync that is done, as so much of so much.
///
/// Where most of what has been looked at had to be sent, the rest will have to be, and what is done is
/// told by its size. Otherwise most is there already, and nobody knows the size of what is not: then
/// each file counts alike, sent or not.
fn share(sample: &Sample, entries: u64) -> Option<(u64, u64)> {
    let knows_all = sample.knows_all || sample.known == 0 && entries < READ_AHEAD;
    let is_new = sample.files.saturating_mul(2) >= sample.checked;
    if is_new && knows_all && sample.percent > 0 {
        // rsync cuts off what is behind the point.
        return Some((u64::from(sample.percent) * 10 + 5, 1_000));
    }
    let total = total(sample, entries);
    let is_known = sample.knows_all || entries > 0;
    (is_known && total > 0).then_some((sample.checked.min(total), total))
}

impl Progress {
    /// The remotes have become others.
    pub fn change_remotes(&mut self, succession: &Succession) {
        self.full_syncs = succession.carry(std::mem::take(&mut self.full_syncs), Work::default);
    }

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
            let took_ms = at(&mut self.walks, number).note(is_under_way, now);
            said.extend(took_ms.map(|took_ms| Long::Walk(number, took_ms)));
        }
        for (number, is_under_way) in full_syncs.enumerate() {
            let took_ms = at(&mut self.full_syncs, number).note(is_under_way, now);
            said.extend(took_ms.map(|took_ms| Long::FullSync(number, took_ms)));
        }
        said
    }

    /// The full sync of a remote says how far it has come.
    pub fn hear(&mut self, remote: usize, sample: Sample, now: Time) {
        at(&mut self.full_syncs, remote).hear(sample, now);
    }

    /// The walk of a root has found so many files and directories.
    pub fn count(&mut self, root: usize, entries: u64) {
        *at(&mut self.entries, root) = entries;
    }

    /// When something is to be said, or drawn if there is a terminal, although nothing happens.
    pub fn due(&self, on_terminal: bool) -> Option<Time> {
        let due = |work: &Work| match on_terminal {
            true => Some((work.since? + DRAW_AFTER_MS).max(self.draw_at)),
            false => work.since.map(|_| work.say_at),
        };
        self.walks.iter().chain(&self.full_syncs).filter_map(due).min()
    }

    /// What a terminal is to show now, if it is to show something else: the work that has been under
    /// way for longest, and how many others are; or nothing any more.
    pub fn draw(&mut self, now: Time) -> Option<Option<(Long, usize)>> {
        let took =
            |work: &Work| Some(now.since(work.since?)).filter(|took_ms| *took_ms >= DRAW_AFTER_MS);
        let walks = self.walks.iter().map(took).enumerate();
        let walks = walks.filter_map(|(root, took)| Some((took?, Long::Walk(root, took?))));
        let syncs = self.full_syncs.iter().map(took).enumerate();
        let syncs = syncs.filter_map(|(remote, took)| Some((took?, Long::FullSync(remote, took?))));
        let all: Vec<_> = walks.chain(syncs).collect();
        let Some((_, first)) = all.iter().rev().max_by_key(|(took_ms, _)| took_ms) else {
            return std::mem::take(&mut self.is_drawn).then_some(None);
        };
        if now < self.draw_at {
            return None;
        }
        (self.draw_at, self.is_drawn) = (now + DRAW_MS, true);
        Some(Some((*first, all.len() - 1)))
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

    /// How far the full sync of a remote has come, if its rsync says so.
    pub fn course(&self, remote: usize, root: usize, now: Time) -> Option<Course> {
        let entries = self.entries.get(root).copied().unwrap_or(0);
        self.full_syncs.get(remote)?.course(entries, now)
    }
}

fn at<T: Clone + Default>(all: &mut Vec<T>, number: usize) -> &mut T {
    if all.len() <= number {
        all.resize(number + 1, T::default());
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
        assert_eq!(progress.due(false), None, "nothing wakes for nothing");
        assert_eq!(note(&mut progress, true, false, 1_000), []);
        assert_eq!(progress.due(false), Some(Time(31_000)));
        assert_eq!(note(&mut progress, true, true, 30_999), []);
        assert_eq!(note(&mut progress, true, true, 31_000), [Long::Walk(0, 30_000)]);
        assert_eq!(progress.directories_per_s(0, 600, Time(31_000)), 20);
        assert_eq!(note(&mut progress, true, true, 60_998), []);
        let both = [Long::Walk(0, 60_000), Long::FullSync(1, 30_001)];
        assert_eq!(note(&mut progress, true, true, 61_000), both);
        assert_eq!(note(&mut progress, false, false, 100_000), []);
        assert_eq!((progress.due(false), progress.walk_ms(0, Time(100_000))), (None, None));
        assert_eq!(note(&mut progress, false, true, 100_001), []);
    }

    #[test]
    fn a_terminal_shows_the_oldest_work_twice_a_second_until_it_is_over() {
        let mut progress = Progress::default();
        assert_eq!((progress.due(true), progress.draw(Time(0))), (None, None));
        note(&mut progress, true, false, 1_000);
        assert_eq!((progress.due(true), progress.draw(Time(1_499))), (Some(Time(1_500)), None));
        assert_eq!(progress.draw(Time(1_500)), Some(Some((Long::Walk(0, 500), 0))));
        note(&mut progress, true, true, 1_501);
        assert_eq!((progress.due(true), progress.draw(Time(1_999))), (Some(Time(2_000)), None));
        assert_eq!(progress.draw(Time(2_001)), Some(Some((Long::Walk(0, 1_001), 1))));
        note(&mut progress, false, true, 2_002);
        assert_eq!(progress.draw(Time(2_501)), Some(Some((Long::FullSync(1, 1_000), 0))));
        note(&mut progress, false, false, 2_502);
        assert_eq!(progress.draw(Time(2_502)), Some(None), "it is wiped off");
        assert_eq!((progress.due(true), progress.draw(Time(9_000))), (None, None));
    }

    const SAMPLE: Sample =
        Sample { files: 0, bytes: 0, percent: 0, checked: 0, known: 0, knows_all: false };

    #[test]
    fn what_is_done_is_told_by_size_where_most_is_sent_and_by_number_elsewhere() {
        let few = Sample { files: 10, checked: 300, known: 2_000, percent: 1, ..SAMPLE };
        let many = Sample { files: 250, percent: 7, ..few };
        for (sample, entries, percent, left_s) in [
            // One large file that is on its way first, in a small tree and in one that may be large.
            (Sample { percent: 49, ..SAMPLE }, 3, Some(49), Some(10)),
            (Sample { percent: 49, ..SAMPLE }, 1_000, Some(0), None),
            (Sample { bytes: 5, ..SAMPLE }, 0, None, None),
            // Directories are still being read: by what the walk has counted, or not at all.
            (many, 3_000, Some(10), Some(90)),
            (few, 3_000, Some(10), Some(90)),
            (few, 1_000, Some(15), Some(56)),
            (few, 0, None, None),
            // All have been read.
            (Sample { knows_all: true, ..many }, 9_000, Some(7), Some(123)),
            (Sample { knows_all: true, ..few }, 9_000, Some(15), Some(56)),
            (Sample { percent: 100, knows_all: true, ..many }, 0, Some(100), Some(0)),
            (Sample { checked: 2_000, knows_all: true, ..few }, 0, Some(100), Some(0)),
        ] {
            let mut progress = Progress::default();
            progress.count(0, entries);
            progress.hear(1, sample, Time(0));
            let course = progress.course(1, 0, Time(10_000)).unwrap();
            let found = (course.percent, course.left_ms.map(|left_ms| left_ms / 1000));
            assert_eq!(found, (percent, left_s), "{sample:?} of {entries}");
        }
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds_and_falls_when_nothing_comes() {
        let mut progress = Progress::default();
        note(&mut progress, false, true, 1_000);
        let rate = |progress: &Progress, now| progress.course(1, 0, Time(now)).unwrap().bytes_per_s;
        assert_eq!(progress.course(1, 0, Time(1_000)), None);
        let hear = |progress: &mut Progress, bytes, now| {
            progress.hear(1, Sample { bytes, ..SAMPLE }, Time(now));
        };
        hear(&mut progress, 1_000, 2_000);
        assert_eq!(rate(&progress, 2_000), 1_000);
        hear(&mut progress, 5_000, 6_000);
        hear(&mut progress, 105_000, 11_000);
        hear(&mut progress, 205_000, 16_000);
        assert_eq!(rate(&progress, 16_000), 20_000);
        assert_eq!(rate(&progress, 26_000), 6_666);
        note(&mut progress, false, false, 30_000);
        assert_eq!(progress.course(1, 0, Time(30_000)), None, "the next one begins anew");
    }

    #[test]
    fn a_course_is_one_short_line() {
        let known = Course {
            files: 3100,
            bytes: 3 << 29,
            bytes_per_s: 52 << 20,
            percent: Some(42),
            left_ms: Some(185_000),
            ..Course::default()
        };
        let unknown = Course { checked: 5, total: 10, percent: None, left_ms: None, ..known };
        let text = "42%, 3100 files, 1.5 GiB, 52 MiB/s, 3 min left";
        assert_eq!(known.to_string(), text);
        let text = "5 of 10 or more checked, 3100 files, 1.5 GiB, 52 MiB/s";
        assert_eq!(unknown.to_string(), text);
    }
}
