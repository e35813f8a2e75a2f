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
//!
//! More than [`PATHS_MAX`] of them become a full sync: `remote::changes` sees to that, since large files that wait count
//! as well.

use super::change::Change;
use crate::engine::rel_path::{above, RelPath};
use crate::engine::time::Time;
use crate::rsync::asked::plan::Gone;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// Paths that may be pending for one remote. More become a full sync of the root: by then that is
/// about as much work, and needs no memory.
pub const PATHS_MAX: usize = 500_000;

/// What is remembered of a changed path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// What disappeared under this name since the remote was last in step.
    pub gone: Gone,
    /// The far side cannot have it: it was created when no job could have sent it.
    fresh: bool,
    /// After a restart its times would not tell that it is owed.
    pub by_name: bool,
    /// What the far side has under this name may be one file with what it has under another one: the run of a
    /// rename makes it so, and what was to part them may not have come through.
    pub joined: bool,
}

impl Remembered {
    /// What is there has to be sent.
    pub const TO_SEND: Remembered =
        Remembered { gone: Gone::No, fresh: false, by_name: false, joined: false };

    /// Whether it has to be kept by name after a restart: what disappeared has no times at all.
    pub fn is_by_name(&self) -> bool {
        self.by_name || self.gone != Gone::No
    }

    /// What two sets remember of the same path, in one.
    pub fn and(self, other: Remembered) -> Remembered {
        Remembered {
            gone: self.gone.max(other.gone),
            fresh: self.fresh && other.fresh,
            by_name: self.by_name || other.by_name,
            joined: self.joined || other.joined,
        }
    }

    /// The same, to be kept by name after a restart.
    pub fn kept_by_name(self) -> Remembered {
        Remembered { by_name: true, ..self }
    }

    /// The same, where the far side may have it.
    pub fn not_fresh(self) -> Remembered {
        Remembered { fresh: false, ..self }
    }

    /// The same, after a job that may have joined what disappeared with something else.
    pub fn perhaps_joined(self) -> Remembered {
        Remembered { joined: self.joined || self.gone != Gone::No, ..self }
    }

    /// Something was under this name over there when that disappeared: by itself, or in a directory.
    fn came_back(&mut self, joined: bool) {
        self.gone = self.gone.max(Gone::Entry);
        self.fresh = false;
        self.joined |= joined;
    }

    /// Whether no job can have sent what is there.
    pub fn is_fresh(&self) -> bool {
        self.fresh && self.gone == Gone::No
    }
}

/// The changed paths of one remote, sorted by their bytes.
#[derive(Debug, Default)]
pub struct Pending {
    paths: BTreeMap<RelPath, Remembered>,
}

impl Pending {
    /// Number of paths.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether the remote is owed nothing.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The paths that have to be kept by name after a restart, with what disappeared under each.
    pub fn by_name(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        let by_name = self.paths.iter().filter(|(_, remembered)| remembered.is_by_name());
        by_name.map(|(path, remembered)| (path, remembered.gone))
    }

    /// The paths and what disappeared under each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, Gone)> {
        self.paths.iter().map(|(path, remembered)| (path, remembered.gone))
    }

    /// Whether a path is among them.
    pub fn contains(&self, path: &[u8]) -> bool {
        self.paths.contains_key(path)
    }

    /// Forgets a path, and gives what was remembered of it.
    pub fn forget(&mut self, path: &[u8]) -> Option<Remembered> {
        self.paths.remove(path)
    }

    /// Remembers a path as another set has remembered it, beside what is remembered of it here.
    pub fn put(&mut self, path: RelPath, other: Remembered) {
        let remembered = self.paths.entry(path).or_insert(other);
        *remembered = remembered.and(other);
    }

    /// Whether something has disappeared under this name.
    pub fn deletes(&self, path: &[u8]) -> bool {
        self.paths.get(path).is_some_and(|remembered| remembered.gone != Gone::No)
    }

    /// Whether a directory above a path has disappeared, and what was in it is still to be deleted.
    pub fn empties_above(&self, path: &[u8]) -> bool {
        let emptied = |above| self.paths.get(above).is_some_and(|it| it.gone == Gone::Directory);
        above(path).any(emptied)
    }

    /// The first path after another one, in order; after the last follows the first.
    pub fn next_after(&self, path: Option<&RelPath>) -> Option<&RelPath> {
        let after = path.and_then(|path| {
            let after = (Bound::Excluded(path.clone()), Bound::Unbounded);
            self.paths.range(after).next()
        });
        after.or_else(|| self.paths.first_key_value()).map(|(path, _)| path)
    }

    /// Takes out the paths that are `wanted`, in order.
    pub fn extract(&mut self, wanted: impl Fn(&[u8]) -> bool) -> Vec<(RelPath, Gone)> {
        let mut taken = Vec::new();
        self.paths.retain(|path, remembered| {
            let stays = !wanted(path);
            if !stays {
                taken.push((path.clone(), remembered.gone));
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
        change: Change,
        is_unsent: impl Fn(Option<Time>) -> bool,
    ) -> bool {
        match change {
            Change::SendNew { created, by_name } => {
                let new = || Remembered { fresh: is_unsent(Some(created)), ..Remembered::TO_SEND };
                let remembered = self.paths.entry(path.clone()).or_insert_with(new);
                remembered.by_name |= by_name;
            }
            Change::SendBack { .. } => {
                let remembered = self.paths.entry(path.clone()).or_insert(Remembered::TO_SEND);
                remembered.came_back(true);
            }
            // A remote makes a directory equal by a level sync; for a plugin it is a path like any other.
            Change::Send
            | Change::SendTime
            | Change::SendDirectory
            | Change::SendNewer { .. }
            | Change::MakeEqual => {
                self.paths.entry(path.clone()).or_insert(Remembered::TO_SEND);
            }
            Change::SendInPlace => {
                let remembered = self.paths.entry(path.clone()).or_insert(Remembered::TO_SEND);
                remembered.fresh = false;
            }
            Change::DeleteAgain => {
                let remembered = self.paths.entry(path.clone()).or_insert(Remembered::TO_SEND);
                *remembered = Remembered { gone: Gone::Directory, fresh: false, ..*remembered };
            }
            Change::Delete { gone, unsent } => {
                return self.delete(path, gone, unsent && is_unsent(None));
            }
        }
        false
    }

    /// Something disappeared; `unsent` if it was no change yet and no job can have sent it. Gives `true` if nothing
    /// has to be remembered.
    fn delete(&mut self, path: &RelPath, gone: Gone, unsent: bool) -> bool {
        if gone == Gone::Directory {
            self.forget_below(path);
        }
        match self.paths.get_mut(path) {
            Some(remembered) if remembered.is_fresh() => {
                self.paths.remove(path);
                return true;
            }
            Some(remembered) => {
                remembered.gone = remembered.gone.max(gone);
                remembered.fresh = false;
            }
            None if unsent => return true,
            None => {
                self.paths.insert(path.clone(), Remembered { gone, ..Remembered::TO_SEND });
            }
        }
        false
    }

    /// A path of which something had disappeared before is back, while a job may be deleting what disappeared: the far
    /// side may still have it, or may have it no more.
    pub fn delete_again(&mut self, path: &RelPath, gone: Gone) {
        if gone == Gone::No {
            return;
        }
        if let Some(remembered) = self.paths.get_mut(path) {
            remembered.gone = remembered.gone.max(gone);
            remembered.fresh = false;
        }
    }

    /// What lies in a directory that disappeared has come back with it, whatever is known of its own name: the far
    /// side has the directory's old content until the job that empties it has ended. `others` are paths that do not
    /// leave with the next job.
    pub fn come_back(&mut self, others: [&Pending; 2]) {
        let mut emptied: HashMap<RelPath, bool> = HashMap::new();
        for (path, it) in others.into_iter().chain([&*self]).flat_map(|set| &set.paths) {
            if it.gone == Gone::Directory {
                *emptied.entry(path.clone()).or_default() |= it.joined;
            }
        }
        if emptied.is_empty() {
            return;
        }
        for (path, remembered) in &mut self.paths {
            for joined in above(path).filter_map(|above| emptied.get(above)) {
                remembered.came_back(*joined);
            }
        }
    }

    /// Takes at most `paths_max` paths out, in order, for a job that starts now.
    pub fn take(&mut self, paths_max: usize) -> Vec<(RelPath, Remembered)> {
        if self.paths.len() <= paths_max {
            return std::mem::take(&mut self.paths).into_iter().collect();
        }
        let mut taken = Vec::with_capacity(paths_max);
        while taken.len() < paths_max {
            let Some(first) = self.paths.pop_first() else { break };
            taken.push(first);
        }
        taken
    }

    /// Takes out the paths that the far side cannot have, if there are at least `paths_min`, and at
    /// most `paths_max` of them.
    pub fn take_fresh(&mut self, paths_min: usize, paths_max: usize) -> Vec<(RelPath, Remembered)> {
        if self.paths.values().filter(|remembered| remembered.is_fresh()).count() < paths_min {
            return Vec::new();
        }
        let mut taken = Vec::new();
        let mut left = Vec::new();
        for path in std::mem::take(&mut self.paths) {
            let leaves = path.1.is_fresh() && taken.len() < paths_max;
            let list = if leaves { &mut taken } else { &mut left };
            list.push(path);
        }
        self.paths = left.into_iter().collect();
        taken
    }

    /// A job starts that may send paths which are not in any list: from now on the far side may have
    /// whatever is pending.
    pub fn sweep_starts(&mut self) {
        self.paths.values_mut().for_each(|remembered| remembered.fresh = false);
    }

    /// Adds paths that have to be sent again, and kept by name after a restart. What came of the job that carried
    /// them last is not known.
    pub fn owe(&mut self, paths: impl IntoIterator<Item = (RelPath, Gone)>) {
        let owed =
            |gone| Remembered { gone, by_name: true, ..Remembered::TO_SEND }.perhaps_joined();
        self.restore(paths.into_iter().map(|(path, gone)| (path, owed(gone))));
    }

    /// Puts back what did not get through. What has happened since stays; and since nobody knows
    /// how far the failed job got, the far side may have any of it.
    pub fn restore(&mut self, paths: impl IntoIterator<Item = (RelPath, Remembered)>) {
        for (path, failed) in paths {
            self.put(path, failed.not_fresh());
        }
    }

    /// Forgets every path, because a full sync takes their place; paths that disappeared stay if
    /// `keep_gone`, because a full sync that deletes nothing cannot stand for them.
    pub fn clear(&mut self, keep_gone: bool) {
        self.paths.retain(|_, remembered| keep_gone && remembered.gone != Gone::No);
    }

    /// Forgets what is below a directory that disappeared.
    pub fn forget_below(&mut self, path: &RelPath) {
        // What lies below `a` sorts from `a/` up to, but not including, `a0`: 0 follows the slash.
        let [mut from, mut to] = [path.to_vec(), path.to_vec()];
        from.push(b'/');
        to.push(b'/' + 1);
        let below = (Bound::Included(RelPath::from(from)), Bound::Excluded(RelPath::from(to)));
        // A loop, since std has no stable way to remove a range from a map.
        while let Some((first, _)) = self.paths.range(below.clone()).next() {
            let first = first.clone();
            self.paths.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: fn(Option<Time>) -> bool = |created| created.is_none_or(|it| it > Time(100));
    const NEW: Change = Change::SendNew { created: Time(101), by_name: false };
    const DELETE_FILE: Change = Change::Delete { gone: Gone::Entry, unsent: false };
    const DELETE_DIR: Change = Change::Delete { gone: Gone::Directory, unsent: false };

    fn pending(
        history: &[(&str, Change)],
        is_unsent: fn(Option<Time>) -> bool,
    ) -> Vec<(String, Gone)> {
        let mut pending = Pending::default();
        for (path, change) in history {
            pending.apply(&RelPath::from(path.as_bytes()), *change, is_unsent);
        }
        let text = |path: RelPath| String::from_utf8(path.to_vec()).unwrap();
        pending.take(usize::MAX).into_iter().map(|(p, c)| (text(p), c.gone)).collect()
    }

    /// Every cell of old change x new change, for one path.
    #[test]
    fn what_is_remembered_of_two_changes_of_a_path() {
        use Change::{DeleteAgain, Send, SendInPlace};
        let (no, entry, directory) = (Some(Gone::No), Some(Gone::Entry), Some(Gone::Directory));
        let changes = [NEW, Send, SendInPlace, DeleteAgain, DELETE_FILE, DELETE_DIR];
        let table = [
            (NEW, [no, no, no, directory, None, None]),
            (Send, [no, no, no, directory, entry, directory]),
            (SendInPlace, [no, no, no, directory, entry, directory]),
            (DeleteAgain, [directory; 6]),
            (DELETE_FILE, [entry, entry, entry, directory, entry, directory]),
            (DELETE_DIR, [directory; 6]),
        ];
        for (old, row) in table {
            for (new, expected) in changes.into_iter().zip(row) {
                let remembered = pending(&[("a", old), ("a", new)], IDLE);
                let expected: Vec<_> =
                    expected.map(|gone| ("a".to_string(), gone)).into_iter().collect();
                assert_eq!(remembered, expected, "{old:?} then {new:?}");
            }
        }
    }

    #[test]
    fn what_only_has_to_be_sent_is_remembered_like_any_change() {
        let back = [("a", Change::SendBack { by_name: false })];
        assert_eq!(pending(&back, IDLE), [("a".to_string(), Gone::Entry)]);
        let newer = Change::SendNewer { changed_ns: 7, is_dir: false };
        for change in [Change::SendTime, Change::SendDirectory, newer] {
            let alike = pending(&[("a", change)], IDLE);
            assert_eq!(alike, pending(&[("a", Change::Send)], IDLE), "{change:?}");
            let kept = pending(&[("a", DELETE_DIR), ("a", change)], IDLE);
            assert_eq!(kept, [("a".to_string(), Gone::Directory)], "{change:?}");
        }
    }

    #[test]
    fn what_a_job_may_have_sent_is_deleted_and_not_dropped() {
        let short_life = [("a", NEW), ("a", DELETE_FILE)];
        assert_eq!(pending(&short_life, IDLE), []);
        let owed = [("a".to_string(), Gone::Entry)];
        assert_eq!(pending(&short_life, |_| false), owed);
    }

    #[test]
    fn a_creation_that_was_never_pending_is_dropped_the_same_way() {
        let removed = |unsent| Change::Delete { gone: Gone::Entry, unsent };
        assert_eq!(pending(&[("a", removed(true))], IDLE), []);
        let owed = [("a".to_string(), Gone::Entry)];
        assert_eq!(pending(&[("a", removed(true))], |_| false), owed);
        assert_eq!(pending(&[("a", removed(false))], IDLE), owed);
        let earlier = [("a", Change::Send), ("a", removed(true))];
        assert_eq!(pending(&earlier, IDLE), owed, "something was pending under that name");
    }

    #[test]
    fn a_removed_directory_absorbs_exactly_what_is_below_it() {
        let changed = ["a", "a/b", "a/b/c", "a!", "a-b", "a.b/c", "a0", "ab", "b/a/c"];
        let mut history: Vec<_> = changed.iter().map(|path| (*path, Change::Send)).collect();
        history.push(("a", DELETE_DIR));
        let left: Vec<_> = pending(&history, IDLE).into_iter().map(|(path, _)| path).collect();
        assert_eq!(left, ["a", "a!", "a-b", "a.b/c", "a0", "ab", "b/a/c"]);
    }

    #[test]
    fn a_failed_batch_comes_back_with_what_it_knew() {
        let path = |name: &str| RelPath::from(name.as_bytes());
        let mut pending = Pending::default();
        pending.apply(&path("gone"), DELETE_DIR, IDLE);
        pending.apply(&path("new"), NEW, IDLE);
        let batch = pending.take(usize::MAX);
        assert!(pending.is_empty());
        pending.apply(&path("gone"), NEW, IDLE);
        pending.restore(batch);
        pending.apply(&path("new"), DELETE_FILE, IDLE);
        let left: Vec<_> = pending.take(usize::MAX).into_iter().map(|(p, c)| (p, c.gone)).collect();
        assert_eq!(left, [(path("gone"), Gone::Directory), (path("new"), Gone::Entry)]);
    }

    #[test]
    fn a_batch_has_a_limit_and_the_rest_stays() {
        let mut pending = Pending::default();
        for name in ["c", "a", "b"] {
            pending.apply(&RelPath::from(name.as_bytes()), Change::Send, IDLE);
        }
        let first: Vec<_> = pending.take(2).into_iter().map(|(path, _)| path.to_vec()).collect();
        assert_eq!(first, [b"a", b"b"]);
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn fresh_paths_leave_by_themselves_when_they_are_many() {
        let mut pending = Pending::default();
        for (name, change) in [
            ("a", NEW),
            ("b", Change::Send),
            ("c", DELETE_DIR),
            ("c/new", NEW),
            ("d", NEW),
            ("d", Change::SendInPlace),
            ("e", NEW),
        ] {
            pending.apply(&RelPath::from(name.as_bytes()), change, IDLE);
        }
        pending.come_back([&Pending::default(); 2]);
        assert_eq!(pending.take_fresh(3, 9), [], "there are two");
        let fresh: Vec<_> = pending.take_fresh(2, 9).into_iter().map(|(p, _)| p.to_vec()).collect();
        assert_eq!(fresh, [b"a", b"e"]);
        assert_eq!(pending.len(), 4);
        pending.apply(&RelPath::from(&b"f"[..]), NEW, IDLE);
        pending.sweep_starts();
        assert_eq!(pending.take_fresh(1, 9), [], "a full sync may have sent it");
    }

    #[test]
    fn what_lies_in_a_directory_that_disappeared_has_come_back_with_it() {
        let path = |name: &str| RelPath::from(name.as_bytes());
        let set = |history: &[(&str, Change)]| {
            let mut set = Pending::default();
            for (name, change) in history {
                set.apply(&path(name), *change, IDLE);
            }
            set
        };
        let mut stuck = Pending::default();
        stuck.owe([(path("stuck"), Gone::Directory)]);
        let names = ["a", "a-b", "a-b/x", "a/x", "a/y/z", "b/x", "stuck/x"];
        let mut history = vec![("a", DELETE_DIR), ("a-b", DELETE_DIR)];
        history.extend(names.map(|name| (name, NEW)));
        let mut pending = set(&history);
        pending.come_back([&stuck, &Pending::default()]);
        let left = pending.take(usize::MAX).into_iter();
        let left = left.map(|(path, it)| (String::from_utf8(path.to_vec()).unwrap(), it));
        let left: Vec<_> = left.map(|(path, it)| (path, it.gone, it.joined)).collect();
        let expected = [
            ("a", Gone::Directory, false),
            ("a-b", Gone::Directory, false),
            ("a-b/x", Gone::Entry, false),
            ("a/x", Gone::Entry, false),
            ("a/y/z", Gone::Entry, false),
            ("b/x", Gone::No, false),
            ("stuck/x", Gone::Entry, true),
        ];
        assert_eq!(left, expected.map(|(path, gone, joined)| (path.to_string(), gone, joined)));
    }

    #[test]
    fn a_full_sync_that_deletes_nothing_cannot_stand_for_what_disappeared() {
        for (keep_gone, left) in [(true, 1), (false, 0)] {
            let mut pending = Pending::default();
            pending.apply(&RelPath::from(&b"a"[..]), Change::Send, IDLE);
            pending.apply(&RelPath::from(&b"b"[..]), DELETE_FILE, IDLE);
            pending.clear(keep_gone);
            assert_eq!(pending.len(), left);
        }
    }
}
