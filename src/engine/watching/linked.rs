//! Files that have more than one name.
//!
//! The kernel tells of a change under the name by which it was made. What was sent and has other names is remembered here
//! for two reasons. Its other names inside the root have changed as well: the walk is asked for them, by the number of the
//! inode. And whoever writes to it may have opened it by a name outside of the root, so that nothing tells when he is done:
//! it is looked at again until it rests.

use super::appointments::Appointments;
use super::settle::{Seen, Stamp};
use crate::engine::rel_path::RelPath;
use crate::engine::time::Time;
use crate::sorted::SortedMap;
use std::collections::HashMap;

/// A file is looked at again after this; each time that it has not changed, after twice as long as before.
const PAUSE_MS_MIN: u64 = 1_000;
/// When it has not changed for this long, it rests.
const PAUSE_MS_MAX: u64 = 64_000;
/// So many files are looked at again, all together. Of any more, what is written by names outside of the root is found by
/// full syncs alone.
const RESTLESS_MAX: usize = 4_096;
/// So many inodes are remembered with the change for which their names were looked for. Beyond that, all are forgotten: it
/// costs looking for them once more.
const INODES_MAX: usize = 65_536;
/// So many names are looked for or found at once. Where there are more, the root is made equal as a whole.
pub const NAMES_MAX: usize = 10_000;
/// To look for names takes a read of all directories. What that takes is waited for so many times before the next one, which
/// then has one twentieth of a disk and a processor at most.
const PAUSES: u64 = 20;

/// An inode: the numbers of its device and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub struct Inode {
    pub device: u64,
    pub number: u64,
}

/// A file with more than one name, as a job has found it before it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedFile {
    /// The name by which it is sent.
    pub path: RelPath,
    /// What it is.
    pub inode: Inode,
    /// How many names it has, outside of the root as well.
    pub links: u64,
    /// Size and time of modification.
    pub stamp: Stamp,
    /// When anything about it has changed last, in nanoseconds.
    pub changed_ns: i128,
    /// The far side is to have links as well (`-H`): that takes one run with all names.
    pub together: bool,
    /// Only this name came into being: what has the others is what was sent for them.
    pub only_named: bool,
}

/// What is to be looked for: for each inode the number of its names.
pub type Wanted = SortedMap<Inode, u64>;

/// What was found: a name of an inode.
pub type Name = (Inode, RelPath);

/// The files of one root.
#[derive(Debug, Default)]
pub struct Linked {
    looks: Appointments<Resting>,
    /// For which change the names of an inode have been looked for.
    done: HashMap<Inode, i128>,
    /// Whose names are to be looked for next.
    wanted: SortedMap<Inode, Sought>,
    /// Whose names are being looked for.
    sought: Option<SortedMap<Inode, Sought>>,
    /// When they may be looked for again.
    search_at: Time,
}

/// How a file was when it was looked at, and how long that is to be.
#[derive(Debug, Clone, Copy)]
struct Resting {
    stamp: Stamp,
    pause_ms: u64,
}

#[derive(Debug)]
struct Sought {
    links: u64,
    /// The name that has been sent already, if it need not be sent again.
    sent: Option<RelPath>,
}

impl Linked {
    /// A file with more than one name is on its way, `to_all` remotes or to one of several. `restless`, if its content
    /// counts.
    pub fn sent(&mut self, file: LinkedFile, restless: bool, to_all: bool, now: Time) {
        let LinkedFile { path, inode, links, stamp, changed_ns, together, only_named } = file;
        let known = self.looks.get(&path).map(|resting| resting.stamp);
        if restless && known != Some(stamp) && self.looks.count() < RESTLESS_MAX {
            self.look_again(&path, Resting { stamp, pause_ms: PAUSE_MS_MIN }, now);
        }
        if only_named && !together || self.done.get(&inode) == Some(&changed_ns) {
            return;
        }
        if self.done.len() >= INODES_MAX {
            self.done.clear();
        }
        self.done.insert(inode, changed_ns);
        if self.wanted.len() <= NAMES_MAX {
            // What this remote gets, others may have got before.
            let sent = Some(path).filter(|_| !together && to_all);
            self.wanted.insert(inode, Sought { links, sent });
        }
    }

    fn look_again(&mut self, path: &RelPath, resting: Resting, now: Time) {
        self.looks.make(path, now + resting.pause_ms, resting);
    }

    /// When the next look is due.
    pub fn next_look(&self) -> Option<Time> {
        self.looks.next()
    }

    /// A file to look at now; the answer goes to [`Linked::seen`].
    pub fn take_look(&mut self, now: Time) -> Option<RelPath> {
        self.looks.take(now)
    }

    /// What a look saw: whether the file has changed. `None` if it was not a look of these.
    pub fn seen(&mut self, path: &RelPath, seen: Seen, now: Time) -> Option<bool> {
        let before = self.looks.kept(path)?;
        let Seen::Regular { stamp, .. } = seen else { return Some(seen == Seen::Unknown) };
        let has_changed = stamp != before.stamp;
        let pause_ms = if has_changed { PAUSE_MS_MIN } else { 2 * before.pause_ms };
        if pause_ms <= PAUSE_MS_MAX {
            self.look_again(path, Resting { stamp, pause_ms }, now);
        }
        Some(has_changed)
    }

    /// When names are to be looked for, if they are.
    pub fn next_search(&self) -> Option<Time> {
        let may = self.sought.is_none() && !self.wanted.is_empty();
        may.then_some(self.search_at)
    }

    /// Whose names are to be looked for now; the answer goes to [`Linked::found`].
    pub fn take_search(&mut self, now: Time) -> Option<Wanted> {
        self.next_search().filter(|at| *at <= now)?;
        let sought = std::mem::take(&mut self.wanted);
        let wanted = sought.iter().map(|(inode, sought)| (*inode, sought.links)).collect();
        self.sought = Some(sought);
        Some(wanted)
    }

    /// The names that were found, in so many milliseconds: those that are to be sent; `None` if there are too many, and
    /// the root has to be made equal as a whole.
    pub fn found(&mut self, names: Vec<Name>, took_ms: u64, now: Time) -> Option<Vec<RelPath>> {
        let sought = self.sought.take().unwrap_or_default();
        self.search_at = now + took_ms.saturating_mul(PAUSES);
        if sought.len() > NAMES_MAX || names.len() > NAMES_MAX {
            return None;
        }
        let is_new = |(inode, path): &Name| {
            let sent = sought.get(inode).and_then(|sought| sought.sent.as_ref());
            sent != Some(path)
        };
        Some(names.into_iter().filter(is_new).map(|(_, path)| path).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> RelPath {
        RelPath::from(name.as_bytes())
    }

    fn file(name: &str, number: u64, changed_ns: i128) -> LinkedFile {
        LinkedFile {
            path: path(name),
            inode: Inode { device: 1, number },
            links: 2,
            stamp: Stamp { size: 1, modified_ns: changed_ns },
            changed_ns,
            together: false,
            only_named: false,
        }
    }

    fn seen(size: u64) -> Seen {
        let stamp = Stamp { size, modified_ns: 7 };
        Seen::Regular { links: 2, stamp, times_set: false }
    }

    #[test]
    fn a_file_is_looked_at_with_growing_pauses_until_it_rests() {
        let mut linked = Linked::default();
        let first = LinkedFile { stamp: Stamp { size: 1, modified_ns: 7 }, ..file("a", 1, 7) };
        linked.sent(first, true, true, Time(0));
        let (mut pauses, mut before) = (Vec::new(), 0);
        // It changes at the third look.
        for size in [1, 1, 2].into_iter().chain([2; 20]) {
            let Some(now) = linked.next_look() else { break };
            assert_eq!(linked.take_look(now), Some(path("a")));
            assert_eq!(linked.seen(&path("a"), seen(size), now), Some(pauses.len() == 2));
            pauses.push((now.0 - before) / PAUSE_MS_MIN);
            before = now.0;
        }
        assert_eq!(pauses, [1, 2, 4, 1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(linked.looks.count(), 0);
    }

    #[test]
    fn names_are_looked_for_once_for_each_change() {
        let mut linked = Linked::default();
        let name = |number, name| (Inode { device: 1, number }, path(name));
        linked.sent(file("a", 1, 10), false, true, Time(0));
        let together = LinkedFile { together: true, only_named: true, ..file("c", 2, 10) };
        linked.sent(together, false, true, Time(0));
        linked.sent(LinkedFile { only_named: true, ..file("e", 3, 10) }, false, true, Time(0));
        let wanted = linked.take_search(Time(0)).unwrap();
        assert_eq!(wanted.keys().map(|inode| inode.number).collect::<Vec<_>>(), [1, 2]);
        let names = vec![name(1, "a"), name(1, "b"), name(2, "c"), name(2, "d")];
        let found = linked.found(names, 3, Time(5)).unwrap();
        assert_eq!(found, ["b", "c", "d"].map(path), "what was sent alone is not sent again");
        // They are on their way, and then one has changed again.
        linked.sent(file("b", 1, 10), false, true, Time(6));
        assert_eq!(linked.next_search(), None);
        linked.sent(file("b", 1, 11), false, true, Time(6));
        assert_eq!(linked.next_search(), Some(Time(5 + 3 * PAUSES)));
    }

    #[test]
    fn what_one_of_several_remotes_gets_goes_to_all() {
        let mut linked = Linked::default();
        linked.sent(file("a", 1, 10), false, false, Time(0));
        linked.take_search(Time(0)).unwrap();
        let name = |name| (Inode { device: 1, number: 1 }, path(name));
        let found = linked.found(vec![name("a"), name("b")], 3, Time(5)).unwrap();
        assert_eq!(found, ["a", "b"].map(path));
    }

    #[test]
    fn too_many_names_are_a_change_of_everything() {
        let mut linked = Linked::default();
        for number in 0..=NAMES_MAX as u64 + 9 {
            linked.sent(file(&number.to_string(), number, 1), true, true, Time(0));
        }
        assert_eq!(linked.looks.count(), RESTLESS_MAX);
        assert_eq!(linked.take_search(Time(0)).unwrap().len(), NAMES_MAX + 1);
        assert_eq!(linked.found(Vec::new(), 0, Time(0)), None);
        assert_eq!((linked.next_search(), linked.take_search(Time(9))), (None, None));
    }
}
