//! Two waits without which being fast would make mistakes.
//!
//! [`Creations`]: a created file is not a change yet, since its content comes with the close-write
//! event. But symlinks, hard links, fifos and files that appear by `linkat` never get one. So each
//! created file is looked at soon after, and again later, until it is clear what it is.
//!
//! [`Recent`]: programs write, close, and only then set mode, owner and times. Where attribute
//! events do not count by themselves, they still count for a path that changed a moment ago.

use super::numbers::NumberMap;
use super::pending::Path;
use super::time::Time;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};

/// A created file is looked at for the first time after this: writers that are done by then (nearly
/// all) cost no look, and a symlink waits no longer than this.
const FIRST_LOOK_MS: u64 = 5;
/// A file that is the same at two looks this far apart, and was not closed by its writer under this
/// name, is taken for complete.
const CREATE_SETTLE_MS: u64 = 1_000;
/// Created files that wait at the same time; more are taken for changed at once.
const CREATIONS_MAX: usize = 65_536;
/// An attribute event counts for a path whose content changed this long ago or less.
const SETTLE_MS: u64 = 5_000;
/// Paths and directories above them whose last change is remembered, in each of two tables (some 2 MB);
/// while there are more, every attribute event counts.
const RECENT_MAX: usize = 65_536;

/// What a look at a created file saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing is there.
    Missing,
    /// A directory; it has its own events.
    Directory,
    /// A regular file.
    Regular {
        /// Its number of hard links.
        links: u64,
        /// Size and modification time, to compare two looks.
        stamp: Stamp,
    },
    /// A symlink, fifo, socket or device.
    Other,
}

/// Size in bytes and modification time in nanoseconds: equal at two looks if nobody wrote between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stamp {
    pub size: u64,
    pub modified_ns: i128,
}

#[derive(Debug)]
struct Creation {
    since: Time,
    look_at: Time,
    stamp: Option<Stamp>,
}

/// Files that were created and not closed by their writer yet.
#[derive(Debug, Default)]
pub struct Creations {
    waiting: HashMap<Path, Creation>,
    /// The first looks and those after, each in the order of time. Files that do not wait any more, or
    /// not for this look, stay in until they come to the front: whoever is first is always wanted.
    looks: [VecDeque<(Time, Path)>; 2],
}

impl Creations {
    /// A file was created; `false` if no more can wait.
    pub fn insert(&mut self, path: &Path, now: Time) -> bool {
        self.remove(path);
        if self.waiting.len() >= CREATIONS_MAX {
            return false;
        }
        let look_at = now + FIRST_LOOK_MS;
        self.waiting.insert(path.clone(), Creation { since: now, look_at, stamp: None });
        self.look(path, look_at, 0);
        true
    }

    /// The file need not wait any more; gives the time of its creation if it did.
    pub fn remove(&mut self, path: &[u8]) -> Option<Time> {
        let creation = self.waiting.remove(path)?;
        self.tidy();
        Some(creation.since)
    }

    /// The files that wait.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.waiting.keys()
    }

    /// When the next look is due.
    pub fn next_look(&self) -> Option<Time> {
        self.looks.iter().filter_map(|looks| looks.front()).map(|(time, _)| *time).min()
    }

    /// A file to look at now; the answer goes to [`Creations::seen`].
    pub fn take_look(&mut self, now: Time) -> Option<Path> {
        let is_due = |looks: &&mut VecDeque<(Time, Path)>| {
            looks.front().is_some_and(|(time, _)| *time <= now)
        };
        let (_, path) = self.looks.iter_mut().find(is_due)?.pop_front()?;
        self.tidy();
        Some(path)
    }

    /// What the look saw. Gives the time of creation if the file is a change now. A regular file
    /// with one link counts only `if_regular`: its user may have turned off what tells of content.
    pub fn seen(&mut self, path: &Path, seen: Seen, if_regular: bool, now: Time) -> Option<Time> {
        let creation = self.waiting.get_mut(path)?;
        let complete = match seen {
            Seen::Missing | Seen::Directory => false,
            Seen::Other => true,
            Seen::Regular { links, .. } if links > 1 => true,
            Seen::Regular { .. } if !if_regular => false,
            Seen::Regular { stamp, .. } if creation.stamp == Some(stamp) => true,
            Seen::Regular { stamp, .. } => {
                creation.stamp = Some(stamp);
                creation.look_at = now + CREATE_SETTLE_MS;
                let look_at = creation.look_at;
                self.look(path, look_at, 1);
                return None;
            }
        };
        self.remove(path).filter(|_| complete)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Creations::default();
    }

    /// Puts a look at the end of its queue.
    fn look(&mut self, path: &Path, look_at: Time, queue: usize) {
        let (looks, waiting) = (&mut self.looks[queue], &self.waiting);
        if looks.len() >= 2 * CREATIONS_MAX {
            looks.retain(|look| is_wanted(waiting, look));
        }
        looks.push_back((look_at, path.clone()));
        self.tidy();
    }

    fn tidy(&mut self) {
        for looks in &mut self.looks {
            while looks.front().is_some_and(|look| !is_wanted(&self.waiting, look)) {
                looks.pop_front();
            }
        }
    }
}

fn is_wanted(waiting: &HashMap<Path, Creation>, (time, path): &(Time, Path)) -> bool {
    waiting.get(path).is_some_and(|creation| creation.look_at == *time)
}

/// Paths whose content changed within the last [`SETTLE_MS`].
///
/// It knows them by a hash: two names with one hash cost an attribute event that counts though it
/// need not. With a path, what lies below each directory above it is noted.
#[derive(Debug, Default)]
pub struct Recent {
    hasher: RandomState,
    /// Noted since `begun`, and in the time before: the last time of each.
    young: NumberMap<u64, Time>,
    old: NumberMap<u64, Time>,
    begun: Time,
    /// Until then the table is not complete, and everything counts as recent.
    flooded_until: Time,
}

impl Recent {
    /// The content of a path changed, or a directory was made.
    pub fn note(&mut self, path: &[u8], now: Time) {
        self.expire(now);
        if self.young.len() >= RECENT_MAX {
            self.flooded_until = now + SETTLE_MS;
            return;
        }
        let (hasher, young) = (&self.hasher, &mut self.young);
        let own = hash(hasher, path, |above| {
            young.insert(below(above), now);
        });
        young.insert(own, now);
    }

    /// Whether a path changed a moment ago or, for a directory, something below it.
    pub fn contains(&mut self, path: &[u8], is_dir: bool, now: Time) -> bool {
        self.expire(now);
        if now < self.flooded_until {
            return true;
        }
        let is_recent = |hash: u64| {
            let noted = [&self.young, &self.old].map(|times| times.get(&hash).copied());
            noted.into_iter().flatten().any(|time| now.since(time) <= SETTLE_MS)
        };
        let own = hash(&self.hasher, path, |_| ());
        is_recent(own) || is_dir && is_recent(below(own))
    }

    fn expire(&mut self, now: Time) {
        if now.since(self.begun) > SETTLE_MS {
            // What is dropped here gives a burst's memory back.
            self.old = std::mem::take(&mut self.young);
            self.begun = now;
        }
    }
}

/// The hash of a path; those of the directories above it go to `above`, the root's first.
fn hash(hasher: &RandomState, path: &[u8], mut above: impl FnMut(u64)) -> u64 {
    let mut hash = hasher.build_hasher();
    if !path.is_empty() {
        above(hash.finish());
    }
    let mut rest = path;
    while let Some(slash) = rest.iter().position(|&byte| byte == b'/') {
        hash.write(&rest[..slash]);
        above(hash.finish());
        hash.write(b"/");
        rest = &rest[slash + 1..];
    }
    hash.write(rest);
    hash.finish()
}

/// What stands for all that lies below a directory with this hash.
fn below(hash: u64) -> u64 {
    !hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> Path {
        Path::from(name.as_bytes())
    }

    fn regular(links: u64, size: u64) -> Seen {
        Seen::Regular { links, stamp: Stamp { size, modified_ns: 7 } }
    }

    #[test]
    fn what_a_first_look_decides() {
        let table = [
            (Seen::Missing, None, false),
            (Seen::Directory, None, false),
            (Seen::Other, Some(Time(10)), false),
            (regular(2, 0), Some(Time(10)), false),
            (regular(1, 0), None, true),
        ];
        for (seen, change, still_waits) in table {
            let mut creations = Creations::default();
            assert!(creations.insert(&path("f"), Time(10)));
            assert_eq!(creations.take_look(Time(10)), None, "too early");
            assert_eq!(creations.take_look(Time(15)), Some(path("f")));
            assert_eq!(creations.seen(&path("f"), seen, true, Time(15)), change, "{seen:?}");
            assert_eq!(creations.next_look().is_some(), still_waits, "{seen:?}");
        }
    }

    #[test]
    fn a_file_that_is_being_written_is_looked_at_until_it_rests() {
        let mut creations = Creations::default();
        creations.insert(&path("f"), Time(0));
        let mut now = Time(5);
        for size in [10, 20, 30] {
            assert_eq!(creations.take_look(now), Some(path("f")));
            assert_eq!(creations.seen(&path("f"), regular(1, size), true, now), None);
            now = creations.next_look().unwrap();
        }
        assert_eq!(now, Time(5 + 3 * CREATE_SETTLE_MS));
        creations.take_look(now);
        assert_eq!(creations.seen(&path("f"), regular(1, 30), true, now), Some(Time(0)));
        assert_eq!(creations.next_look(), None);
    }

    #[test]
    fn a_file_whose_content_does_not_count_is_forgotten() {
        let mut creations = Creations::default();
        creations.insert(&path("f"), Time(0));
        assert_eq!(creations.seen(&path("f"), regular(1, 3), false, Time(5)), None);
        assert_eq!(creations.next_look(), None);
    }

    #[test]
    fn a_close_write_ends_the_wait() {
        let mut creations = Creations::default();
        creations.insert(&path("f"), Time(3));
        assert_eq!(creations.remove(&path("f")), Some(Time(3)));
        assert_eq!((creations.remove(&path("f")), creations.next_look()), (None, None));
        assert_eq!(creations.seen(&path("f"), Seen::Other, true, Time(9)), None, "a late answer");
    }

    #[test]
    fn attributes_count_for_a_while_and_for_the_directories_above() {
        let mut recent = Recent::default();
        recent.note(&path("a/b/c"), Time(0));
        for (name, is_dir, counts) in [
            ("a/b/c", false, true),
            ("a/b", true, true),
            ("a", true, true),
            ("", true, true),
            ("a", false, false),
            ("a/b/c/d", false, false),
            ("a/bb", true, false),
        ] {
            assert_eq!(recent.contains(&path(name), is_dir, Time(SETTLE_MS)), counts, "{name}");
        }
        recent.note(&path("a/b/c"), Time(3_000));
        assert!(recent.contains(&path("a/b/c"), false, Time(SETTLE_MS + 1)), "the later change");
        assert!(!recent.contains(&path("a/b/c"), false, Time(SETTLE_MS + 3_001)));
    }

    #[test]
    fn too_many_changes_make_every_attribute_event_count() {
        let mut recent = Recent::default();
        for number in 0..=RECENT_MAX {
            recent.note(&path(&number.to_string()), Time(1));
        }
        assert!(recent.contains(&path("never seen"), false, Time(SETTLE_MS)));
        assert!(!recent.contains(&path("never seen"), false, Time(SETTLE_MS + 2)));
    }
}
