//! What an event means can depend on what comes after it, or on what came before.
//!
//! [`Creations`]: a created file is not a change yet, since its content is complete with the close-write
//! event. But symlinks, hard links, fifos and files that appear by `linkat` never get one. So each
//! created file is looked at soon after, and again later, until it is clear what it is. A file that
//! another rsync receives here has a temporary name until it is complete, and waits for its right one.
//!
//! [`Recent`]: programs write, close, and only then set mode, owner and times. Where attribute
//! events do not count by themselves, they still count for a path that changed a moment ago.

use super::numbers::NumberMap;
use crate::engine::rel_path::RelPath;
use crate::engine::sending::change::Change;
use crate::engine::time::Time;
use crate::rsync::asked::plan::Gone;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};

/// A created file is looked at for the first time after this. Nearly all writers are done by then, which
/// spares the look, and a symlink waits no longer than this.
const FIRST_LOOK_MS: u64 = 5;
/// A file that is the same at two looks this far apart is taken for complete, although nothing told that
/// it was closed. So is one that was closed under a receiver's name and has it still after this.
const CREATE_SETTLE_MS: u64 = 1_000;
/// The same for a file that is being received and not closed: rsync writes 256 KiB at a time, and
/// lines may be slow.
const RECEIVE_SETTLE_MS: u64 = 60_000;
/// How long each kind of [`Look`] is put off.
const LOOKS_MS: [u64; 3] = [FIRST_LOOK_MS, CREATE_SETTLE_MS, RECEIVE_SETTLE_MS];
/// Created files that wait at the same time. Of any more, the creation is a change at once.
const CREATIONS_MAX: usize = 65_536;
/// An attribute event counts for a path that changed this long ago or less.
const SETTLE_MS: u64 = 5_000;
/// Paths, and directories above them, whose last change is remembered in each of two tables, which takes
/// some 2 MB. While there are more, every attribute event counts.
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
        /// Its time of modification is not that of its last change: nobody has written to it since somebody set the one or
        /// changed something else.
        times_set: bool,
    },
    /// A symlink, fifo, socket or device.
    Other,
    /// It could not be looked at. Then it is a change, and whoever sends it looks again.
    Unknown,
}

/// Size in bytes and modification time in nanoseconds. They are equal at two looks if nobody has
/// written in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stamp {
    pub size: u64,
    pub modified_ns: i128,
}

/// Which look at a file comes next; the numbers are those of [`LOOKS_MS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    First,
    Later,
    /// At what is being received and not closed.
    Receiving,
}

#[derive(Debug)]
struct Creation {
    since: Time,
    look_at: Time,
    look: Look,
    stamp: Option<Stamp>,
    /// It has a receiver's name, and was closed under that: it may get its right name at once.
    closed: bool,
    /// A job that has ended may have sent it.
    sent: bool,
    /// Remotes whose jobs that have ended were to delete what had its name, with a directory above, and may have kept that.
    kept: Vec<usize>,
}

/// A file that need not wait any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// When it was created.
    pub since: Time,
    kept: bool,
}

impl Created {
    /// What it means; `by_name` if that is a while ago.
    pub fn change(self, by_name: bool) -> Change {
        match self.kept {
            true => Change::SendBack { by_name },
            false => Change::SendNew { created: self.since, by_name },
        }
    }
}

/// Files that were created and not closed by their writer yet, or not renamed to what they shall be.
#[derive(Debug, Default)]
pub struct Creations {
    waiting: HashMap<RelPath, Creation>,
    /// A queue for each kind of [`Look`], in the order of time. A file that does not wait any more, or
    /// not for this look, stays in its queue until it comes to the front, and is dropped there. So the
    /// first of a queue is always wanted.
    looks: [VecDeque<(Time, RelPath)>; LOOKS_MS.len()],
}

impl Creations {
    /// A file was created; `false` if no more can wait.
    pub fn insert(&mut self, path: &RelPath, now: Time) -> bool {
        self.wait(path, Look::First, false, now, now)
    }

    /// A file was found that has a receiver's name and was created at `since` or later; `false` if no
    /// more can wait.
    pub fn find(&mut self, path: &RelPath, since: Time, now: Time) -> bool {
        self.wait(path, Look::First, false, since, now)
    }

    /// A file was created that [may soon have another name or none](crate::rsync::temporary::may_be_brief), and perhaps closed at once;
    /// `false` if no more can wait.
    pub fn receive(&mut self, path: &RelPath, closed: bool, now: Time) -> bool {
        self.wait(path, if closed { Look::Later } else { Look::Receiving }, closed, now, now)
    }

    /// The writer of a file that waits and has a receiver's name is done.
    pub fn received(&mut self, path: &RelPath, now: Time) {
        let Some(creation) = self.waiting.get_mut(path) else { return };
        creation.closed = true;
        self.look(path, Look::Later, now);
    }

    fn wait(&mut self, path: &RelPath, look: Look, closed: bool, since: Time, now: Time) -> bool {
        self.remove(path);
        if self.waiting.len() >= CREATIONS_MAX {
            return false;
        }
        let (sent, kept) = (false, Vec::new());
        let creation = Creation { since, look_at: now, look, stamp: None, closed, sent, kept };
        self.waiting.insert(path.clone(), creation);
        self.look(path, look, now);
        true
    }

    /// The file need not wait any more; gives what is known of its creation if it did.
    pub fn remove(&mut self, path: &[u8]) -> Option<Created> {
        let Creation { since, kept, .. } = self.waiting.remove(path)?;
        self.tidy();
        Some(Created { since, kept: !kept.is_empty() })
    }

    /// The file has disappeared. Whether it waited, and no job that has ended can have sent it.
    pub fn removed(&mut self, path: &[u8]) -> bool {
        let sent = self.waiting.get(path).is_none_or(|creation| creation.sent);
        self.remove(path).is_some() && !sent
    }

    /// Whether a file waits.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.waiting.contains_key(path)
    }

    /// A job has ended that may have sent what it `reaches`.
    pub fn may_be_sent(&mut self, reaches: impl Fn(&[u8]) -> bool) {
        for (path, creation) in &mut self.waiting {
            creation.sent |= reaches(path);
        }
    }

    /// A job has ended that was to delete what had the names of files which it `keeps`, at this remote; `None` if it was not.
    pub fn may_be_kept(&mut self, remote: usize, keeps: impl Fn(&[u8]) -> Option<bool>) {
        for (path, creation) in &mut self.waiting {
            if let Some(keeps) = keeps(path) {
                creation.kept.retain(|other| *other != remote);
                creation.kept.extend(keeps.then_some(remote));
            }
        }
    }

    /// The remotes have other numbers: `after` gives that of one that stays.
    pub fn renumber(&mut self, after: impl Fn(usize) -> Option<usize>) {
        for creation in self.waiting.values_mut() {
            creation.kept = creation.kept.iter().filter_map(|remote| after(*remote)).collect();
        }
    }

    /// The files that wait, and what disappeared under their names before and may still be at this remote.
    pub fn paths(&self, remote: usize) -> impl Iterator<Item = (&RelPath, Gone)> {
        let gone = move |creation: &Creation| match creation.kept.contains(&remote) {
            true => Gone::Entry,
            false => Gone::No,
        };
        self.waiting.iter().map(move |(path, creation)| (path, gone(creation)))
    }

    /// When the next look is due.
    pub fn next_look(&self) -> Option<Time> {
        self.looks.iter().filter_map(|looks| looks.front()).map(|(time, _)| *time).min()
    }

    /// A file to look at now; the answer goes to [`Creations::seen`].
    pub fn take_look(&mut self, now: Time) -> Option<RelPath> {
        let is_due = |looks: &&mut VecDeque<(Time, RelPath)>| {
            looks.front().is_some_and(|(time, _)| *time <= now)
        };
        let (_, path) = self.looks.iter_mut().find(is_due)?.pop_front()?;
        self.tidy();
        Some(path)
    }

    /// What the look saw. Gives what is known of its creation if the file is a change now. A regular file with
    /// one link is one only `if_regular`: the user may have switched off the events that tell of
    /// content.
    pub fn seen(
        &mut self,
        path: &RelPath,
        seen: Seen,
        if_regular: bool,
        now: Time,
    ) -> Option<Created> {
        let creation = self.waiting.get_mut(path)?;
        let complete = match seen {
            Seen::Missing | Seen::Directory => false,
            Seen::Other | Seen::Unknown => true,
            Seen::Regular { links, .. } if links > 1 => true,
            Seen::Regular { .. } if !if_regular => false,
            Seen::Regular { .. } if creation.closed => true,
            Seen::Regular { stamp, .. } if creation.stamp == Some(stamp) => true,
            Seen::Regular { stamp, .. } => {
                creation.stamp = Some(stamp);
                let receiving = creation.look == Look::Receiving;
                self.look(path, if receiving { Look::Receiving } else { Look::Later }, now);
                return None;
            }
        };
        self.remove(path).filter(|_| complete)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Creations::default();
    }

    /// Puts a look at a file that waits at the end of its queue.
    fn look(&mut self, path: &RelPath, look: Look, now: Time) {
        let look_at = now + LOOKS_MS[look as usize];
        if let Some(creation) = self.waiting.get_mut(path) {
            creation.look_at = look_at;
            creation.look = look;
        }
        let (looks, waiting) = (&mut self.looks[look as usize], &self.waiting);
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

fn is_wanted(waiting: &HashMap<RelPath, Creation>, (time, path): &(Time, RelPath)) -> bool {
    waiting.get(path).is_some_and(|creation| creation.look_at == *time)
}

/// Paths whose content changed within the last [`SETTLE_MS`].
///
/// They are known by their hashes. Where two paths have the same one, an attribute event may count that
/// need not. With each path that is noted, it is noted of every directory above that something below
/// it has changed.
#[derive(Debug, Default)]
pub struct Recent {
    hasher: RandomState,
    /// The last time of each that was noted since `begun`, and of each that was noted before.
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
            // To drop the old table, and not to clear it, gives the memory of a burst back.
            self.old = std::mem::take(&mut self.young);
            self.begun = now;
        }
    }
}

/// The hash of a path. Those of the directories above it are handed to `above`, the root's first.
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

    fn created(since: u64) -> Option<Created> {
        Some(Created { since: Time(since), kept: false })
    }

    fn path(name: &str) -> RelPath {
        RelPath::from(name.as_bytes())
    }

    fn regular(links: u64, size: u64) -> Seen {
        let stamp = Stamp { size, modified_ns: 7 };
        Seen::Regular { links, stamp, times_set: false }
    }

    #[test]
    fn what_a_first_look_decides() {
        let table = [
            (Seen::Missing, None, false),
            (Seen::Directory, None, false),
            (Seen::Other, created(10), false),
            (Seen::Unknown, created(10), false),
            (regular(2, 0), created(10), false),
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
        assert_eq!(creations.seen(&path("f"), regular(1, 30), true, now), created(0));
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
        assert_eq!(creations.remove(&path("f")), created(3));
        assert_eq!((creations.remove(&path("f")), creations.next_look()), (None, None));
        assert_eq!(creations.seen(&path("f"), Seen::Other, true, Time(9)), None, "a late answer");
    }

    #[test]
    fn what_is_received_waits_for_its_name() {
        let name = path(".f.A1b2C3");
        let mut creations = Creations::default();
        creations.receive(&name, false, Time(0));
        // However slowly it comes.
        let mut now = Time(0);
        for size in [10, 20] {
            now = creations.next_look().unwrap();
            assert_eq!(creations.take_look(now), Some(name.clone()));
            assert_eq!(creations.seen(&name, regular(1, size), true, now), None);
        }
        assert_eq!(now, Time(2 * RECEIVE_SETTLE_MS));
        creations.received(&name, now);
        assert_eq!(creations.next_look(), Some(now + CREATE_SETTLE_MS));
        // It is somebody's name after all.
        now = now + CREATE_SETTLE_MS;
        creations.take_look(now);
        assert_eq!(creations.seen(&name, regular(1, 30), true, now), created(0));
        // The usual case.
        creations.receive(&name, true, now);
        assert!(creations.removed(&name) && creations.next_look().is_none());
    }

    #[test]
    fn what_disappears_before_it_counted_was_sent_only_by_a_job_that_reached_it() {
        let mut creations = Creations::default();
        for name in ["a", "b"] {
            creations.insert(&path(name), Time(0));
        }
        creations.may_be_sent(|path| path == b"b");
        assert!(creations.removed(b"a") && !creations.removed(b"b") && !creations.removed(b"c"));
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
