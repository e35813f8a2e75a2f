//! The set of changed paths of one remote: what must be looked at and made equal there.
//!
//! It holds paths, not events: however often a path changes before its batch leaves, it is here
//! once, with what cannot be seen any more when the batch leaves, namely whether something
//! *disappeared* under that name. Three rules, and nothing else is guessed:
//!
//! - Something that was created and is gone again, all since the remote was last idle, costs
//!   nothing: it is dropped.
//! - A directory that disappears absorbs what is pending below it.
//! - `gone` only grows: a directory that was deleted and made again still has its old content on
//!   the far side.

use crate::engine::rel_path::{above, lies_in, RelPath};
use crate::engine::time::Time;
use crate::rsync::asked::plan::Gone;
use std::collections::BTreeMap;
use std::ops::Bound;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It came into being, under a name that was free, at this time.
    Created(Time),
    /// The same, but it took a while to see what it is.
    Settled(Time),
    /// It is there and has changed, or may have.
    Changed,
    /// It is a directory in which something has changed a moment ago, and its own attributes have now: as
    /// a rule its time, set by who wrote there, and nobody waits for that.
    Touched,
    /// It is a directory that came into being, or was moved here, and has just been read.
    Folder,
    /// It may have changed while nobody watched, at the latest at this time (nanoseconds since 1970).
    Newer {
        /// When.
        changed_ns: u64,
        /// It is a directory, and something may have disappeared from it.
        is_dir: bool,
    },
    /// It is a directory that cannot be watched: whatever is in it may have changed.
    Unwatched,
    /// Something was moved here, perhaps over something else. In a swap of two files this comes
    /// before the news that the other one has left, so what is here is not gone after that.
    Landed,
    /// It is a directory that has just been watched, and the far side may hold things in it that
    /// were gone before it was: what it holds and we have not must go.
    Doubted,
    /// It disappeared.
    Removed {
        /// What disappeared; never [`Gone::No`].
        gone: Gone,
        /// It had come into being a while ago, under a name that was free, and was no change yet: no
        /// job that has ended can have sent it.
        unsent: bool,
    },
}

/// What is remembered of a pending path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What disappeared under this name since the remote was last in step.
    pub gone: Gone,
    /// The far side cannot have it: it was created while no job could have sent it.
    fresh: bool,
    /// After a restart its times would not tell that it is owed.
    pub by_name: bool,
}

impl Change {
    /// Something is there that may have changed.
    pub const SEEN: Change = Change { gone: Gone::No, fresh: false, by_name: false };

    /// Whether it has to be known by name after a restart: what disappeared has no times at all.
    pub fn is_by_name(&self) -> bool {
        self.by_name || self.gone != Gone::No
    }

    /// What two sets know of the same path.
    pub fn and(self, other: Change) -> Change {
        Change {
            gone: self.gone.max(other.gone),
            fresh: self.fresh && other.fresh,
            by_name: self.by_name || other.by_name,
        }
    }

    /// The same, to be known by name.
    pub fn known_by_name(self) -> Change {
        Change { by_name: true, ..self }
    }

    /// The same, without knowing what the far side has.
    pub fn not_fresh(self) -> Change {
        Change { fresh: false, ..self }
    }

    /// Whether no job can have sent what is there.
    pub fn is_fresh(&self) -> bool {
        self.fresh && self.gone == Gone::No
    }
}

/// The changed paths of one remote, sorted by their bytes.
#[derive(Debug, Default)]
pub struct Pending {
    changes: BTreeMap<RelPath, Change>,
}

impl Pending {
    /// Number of paths.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether the remote is owed nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The paths that have to be known by name after a restart, with what disappeared under each.
    pub fn by_name(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        let changes = self.changes.iter().filter(|(_, change)| change.is_by_name());
        changes.map(|(path, change)| (path, change.gone))
    }

    /// The paths and what disappeared under each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        self.changes.iter().map(|(path, change)| (path, change.gone))
    }

    /// Whether a path is among them.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.changes.contains_key(path)
    }

    /// Forgets a path, and gives what was remembered of it.
    pub fn forget(&mut self, path: &[u8]) -> Option<Change> {
        self.changes.remove(path)
    }

    /// Remembers a path as another set has remembered it, beside what is known of it here.
    pub fn put(&mut self, path: RelPath, change: Change) {
        let known = self.changes.entry(path).or_insert(change);
        *known = known.and(change);
    }

    /// Whether something has disappeared under this name.
    pub fn deletes(&self, path: &[u8]) -> bool {
        self.changes.get(path).is_some_and(|change| change.gone != Gone::No)
    }

    /// Whether a directory above a path has disappeared, and what was in it is still to be deleted.
    pub fn empties_above(&self, path: &[u8]) -> bool {
        let emptied = |above| self.changes.get(above).is_some_and(|it| it.gone == Gone::Directory);
        above(path).any(emptied)
    }

    /// The first path after another one, in order; after the last follows the first.
    pub fn next_after(&self, path: Option<&RelPath>) -> Option<&RelPath> {
        let after = path.and_then(|path| {
            let after = (Bound::Excluded(path.clone()), Bound::Unbounded);
            self.changes.range(after).next()
        });
        after.or_else(|| self.changes.first_key_value()).map(|(path, _)| path)
    }

    /// Takes out the paths that are `wanted`, in order.
    pub fn extract(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Vec<(RelPath, Gone)> {
        let mut taken = Vec::new();
        self.changes.retain(|path, change| {
            let stays = !wanted(path);
            if !stays {
                taken.push((path.clone(), change.gone));
            }
            stays
        });
        taken
    }

    /// Remembers a change. `is_unsent` says whether no job can have sent what was created at a time or,
    /// without one, whether the job on its way cannot. Gives `true` if nothing has to be remembered,
    /// because it is gone again.
    pub fn apply(
        &mut self,
        path: &RelPath,
        what: What,
        is_unsent: impl Fn(Option<Time>) -> bool,
    ) -> bool {
        match what {
            What::Created(created) | What::Settled(created) => {
                let new = || Change { fresh: is_unsent(Some(created)), ..Change::SEEN };
                let change = self.changes.entry(path.clone()).or_insert_with(new);
                change.by_name |= matches!(what, What::Settled(_));
            }
            // Of a directory without a watch a level sync takes care, whatever it is here.
            What::Changed | What::Touched | What::Folder | What::Newer { .. } | What::Unwatched => {
                self.changes.entry(path.clone()).or_insert(Change::SEEN);
            }
            What::Landed => {
                let change = self.changes.entry(path.clone()).or_insert(Change::SEEN);
                change.fresh = false;
            }
            What::Doubted => {
                let doubted = Change { gone: Gone::Directory, ..Change::SEEN };
                self.changes.insert(path.clone(), doubted);
            }
            What::Removed { gone, unsent } => {
                if gone == Gone::Directory {
                    self.absorb_below(path);
                }
                match self.changes.get_mut(path) {
                    Some(Change { fresh: true, gone: Gone::No, .. }) => {
                        self.changes.remove(path);
                        return true;
                    }
                    Some(change) => {
                        change.gone = change.gone.max(gone);
                        change.fresh = false;
                    }
                    None if unsent && is_unsent(None) => return true,
                    None => {
                        self.changes.insert(path.clone(), Change { gone, ..Change::SEEN });
                    }
                }
            }
        }
        false
    }

    /// A path of which something had disappeared before: whether that has been deleted over there is
    /// not known.
    pub fn doubt_deletion(&mut self, path: &RelPath, gone: Gone) {
        let change = self.changes.get_mut(path).filter(|_| gone != Gone::No);
        if let Some(change) = change {
            change.gone = change.gone.max(gone);
            change.fresh = false;
        }
    }

    /// Takes at most `paths_max` paths out, in order, for a job that starts now.
    pub fn take(&mut self, paths_max: usize) -> Vec<(RelPath, Change)> {
        if self.changes.len() <= paths_max {
            return std::mem::take(&mut self.changes).into_iter().collect();
        }
        let mut taken = Vec::with_capacity(paths_max);
        while taken.len() < paths_max {
            let Some(first) = self.changes.pop_first() else { break };
            taken.push(first);
        }
        taken
    }

    /// Takes out the paths that the far side cannot have, if there are at least `paths_min`, and at
    /// most `paths_max` of them. What lies in a directory that is still to be emptied over there may
    /// be there under its name.
    pub fn take_fresh(&mut self, paths_min: usize, paths_max: usize) -> Vec<(RelPath, Change)> {
        let mut emptied: Option<&RelPath> = None;
        let mut fresh = Vec::with_capacity(self.changes.len());
        for (path, change) in &self.changes {
            let inside = emptied.is_some_and(|above| lies_in(path, above));
            fresh.push(change.fresh && change.gone == Gone::No && !inside);
            if change.gone == Gone::Directory && !inside {
                emptied = Some(path);
            }
        }
        if fresh.iter().filter(|is_fresh| **is_fresh).count() < paths_min {
            return Vec::new();
        }
        let mut taken = Vec::new();
        let mut left = Vec::new();
        for (change, is_fresh) in std::mem::take(&mut self.changes).into_iter().zip(fresh) {
            let list = if is_fresh && taken.len() < paths_max { &mut taken } else { &mut left };
            list.push(change);
        }
        self.changes = left.into_iter().collect();
        taken
    }

    /// A job starts that may send paths which are not in any list: from now on the far side may have
    /// whatever is pending.
    pub fn sweep_starts(&mut self) {
        self.changes.values_mut().for_each(|change| change.fresh = false);
    }

    /// Adds what an earlier run of the program was owed.
    pub fn owe(&mut self, paths: impl IntoIterator<Item = (RelPath, Gone)>) {
        let owed = |gone| Change { gone, by_name: true, ..Change::SEEN };
        self.restore(paths.into_iter().map(|(path, gone)| (path, owed(gone))));
    }

    /// Puts back what did not get through. What has happened since stays; and since nobody knows
    /// how far the failed job got, nothing of it counts as unseen by the far side.
    pub fn restore(&mut self, paths: impl IntoIterator<Item = (RelPath, Change)>) {
        for (path, failed) in paths {
            self.put(path, failed.not_fresh());
        }
    }

    /// Forgets every path, because a full sync takes their place; paths that disappeared stay if
    /// `keep_gone`, because a full sync that deletes nothing cannot stand for them.
    pub fn clear(&mut self, keep_gone: bool) {
        self.changes.retain(|_, change| keep_gone && change.gone != Gone::No);
    }

    /// Forgets what is below a directory that disappeared.
    pub fn absorb_below(&mut self, path: &RelPath) {
        // What lies below `a` sorts from `a/` up to, but not including, `a0`: 0 follows the slash.
        let [mut from, mut to] = [path.to_vec(), path.to_vec()];
        from.push(b'/');
        to.push(b'/' + 1);
        let below = (Bound::Included(RelPath::from(from)), Bound::Excluded(RelPath::from(to)));
        // A loop, since std has no stable way to remove a range from a map.
        while let Some((first, _)) = self.changes.range(below.clone()).next() {
            let first = first.clone();
            self.changes.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: fn(Option<Time>) -> bool = |created| created.is_none_or(|it| it > Time(100));
    const BORN: What = What::Created(Time(101));
    const REMOVED_FILE: What = What::Removed { gone: Gone::Entry, unsent: false };
    const REMOVED_DIR: What = What::Removed { gone: Gone::Directory, unsent: false };

    fn pending(
        history: &[(&str, What)],
        is_unsent: fn(Option<Time>) -> bool,
    ) -> Vec<(String, Gone)> {
        let mut pending = Pending::default();
        for (path, what) in history {
            pending.apply(&RelPath::from(path.as_bytes()), *what, is_unsent);
        }
        let text = |path: RelPath| String::from_utf8(path.to_vec()).unwrap();
        pending.take(usize::MAX).into_iter().map(|(p, c)| (text(p), c.gone)).collect()
    }

    /// Every cell of old change x new change, for one path.
    #[test]
    fn what_is_remembered_of_two_changes_of_a_path() {
        use Gone::{Directory, Entry, No};
        use What::Changed;
        let table: [(What, What, Option<Gone>); 16] = [
            (BORN, BORN, Some(No)),
            (BORN, Changed, Some(No)),
            (BORN, REMOVED_FILE, None),
            (BORN, REMOVED_DIR, None),
            (Changed, BORN, Some(No)),
            (Changed, Changed, Some(No)),
            (Changed, REMOVED_FILE, Some(Entry)),
            (Changed, REMOVED_DIR, Some(Directory)),
            (REMOVED_FILE, BORN, Some(Entry)),
            (REMOVED_FILE, Changed, Some(Entry)),
            (REMOVED_FILE, REMOVED_FILE, Some(Entry)),
            (REMOVED_FILE, REMOVED_DIR, Some(Directory)),
            (REMOVED_DIR, BORN, Some(Directory)),
            (REMOVED_DIR, Changed, Some(Directory)),
            (REMOVED_DIR, REMOVED_FILE, Some(Directory)),
            (REMOVED_DIR, REMOVED_DIR, Some(Directory)),
        ];
        for (old, new, expected) in table {
            let seen = pending(&[("a", old), ("a", new)], IDLE);
            let expected: Vec<_> =
                expected.map(|gone| ("a".to_string(), gone)).into_iter().collect();
            assert_eq!(seen, expected, "{old:?} then {new:?}");
        }
    }

    #[test]
    fn what_a_job_may_have_sent_is_deleted_and_not_dropped() {
        let short_life = [("a", BORN), ("a", REMOVED_FILE)];
        assert_eq!(pending(&short_life, IDLE), []);
        let owed = [("a".to_string(), Gone::Entry)];
        assert_eq!(pending(&short_life, |_| false), owed);
    }

    #[test]
    fn a_creation_that_was_never_pending_is_dropped_the_same_way() {
        let removed = |unsent| What::Removed { gone: Gone::Entry, unsent };
        assert_eq!(pending(&[("a", removed(true))], IDLE), []);
        let owed = [("a".to_string(), Gone::Entry)];
        assert_eq!(pending(&[("a", removed(true))], |_| false), owed);
        assert_eq!(pending(&[("a", removed(false))], IDLE), owed);
        let earlier = [("a", What::Changed), ("a", removed(true))];
        assert_eq!(pending(&earlier, IDLE), owed, "something was pending under that name");
    }

    #[test]
    fn a_removed_directory_absorbs_exactly_what_is_below_it() {
        let changed = ["a", "a/b", "a/b/c", "a!", "a-b", "a.b/c", "a0", "ab", "b/a/c"];
        let mut history: Vec<_> = changed.iter().map(|path| (*path, What::Changed)).collect();
        history.push(("a", REMOVED_DIR));
        let left: Vec<_> = pending(&history, IDLE).into_iter().map(|(path, _)| path).collect();
        assert_eq!(left, ["a", "a!", "a-b", "a.b/c", "a0", "ab", "b/a/c"]);
    }

    #[test]
    fn a_failed_batch_comes_back_with_what_it_knew() {
        let path = |name: &str| RelPath::from(name.as_bytes());
        let mut pending = Pending::default();
        pending.apply(&path("gone"), REMOVED_DIR, IDLE);
        pending.apply(&path("new"), BORN, IDLE);
        let batch = pending.take(usize::MAX);
        assert!(pending.is_empty());
        pending.apply(&path("gone"), BORN, IDLE);
        pending.restore(batch);
        pending.apply(&path("new"), REMOVED_FILE, IDLE);
        let left: Vec<_> = pending.take(usize::MAX).into_iter().map(|(p, c)| (p, c.gone)).collect();
        assert_eq!(left, [(path("gone"), Gone::Directory), (path("new"), Gone::Entry)]);
    }

    #[test]
    fn a_batch_has_a_limit_and_the_rest_stays() {
        let mut pending = Pending::default();
        for name in ["c", "a", "b"] {
            pending.apply(&RelPath::from(name.as_bytes()), What::Changed, IDLE);
        }
        let first: Vec<_> = pending.take(2).into_iter().map(|(path, _)| path.to_vec()).collect();
        assert_eq!(first, [b"a", b"b"]);
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn fresh_paths_leave_by_themselves_when_they_are_many() {
        let mut pending = Pending::default();
        for (name, what) in [
            ("a", BORN),
            ("b", What::Changed),
            ("c", REMOVED_DIR),
            ("c/new", BORN),
            ("d", BORN),
            ("d", What::Landed),
            ("e", BORN),
        ] {
            pending.apply(&RelPath::from(name.as_bytes()), what, IDLE);
        }
        assert_eq!(pending.take_fresh(3, 9), [], "there are two");
        let fresh: Vec<_> = pending.take_fresh(2, 9).into_iter().map(|(p, _)| p.to_vec()).collect();
        assert_eq!(fresh, [b"a", b"e"]);
        assert_eq!(pending.len(), 4);
        pending.apply(&RelPath::from(&b"f"[..]), BORN, IDLE);
        pending.sweep_starts();
        assert_eq!(pending.take_fresh(1, 9), [], "a full sync may have sent it");
    }

    #[test]
    fn a_full_sync_that_deletes_nothing_cannot_stand_for_what_disappeared() {
        for (keep_gone, left) in [(true, 1), (false, 0)] {
            let mut pending = Pending::default();
            pending.apply(&RelPath::from(&b"a"[..]), What::Changed, IDLE);
            pending.apply(&RelPath::from(&b"b"[..]), REMOVED_FILE, IDLE);
            pending.clear(keep_gone);
            assert_eq!(pending.len(), left);
        }
    }
}
