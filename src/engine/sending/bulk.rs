//! The large files that wait, each for a job of its own beside the batches, so that no small change waits behind one.
//!
//! `remote` hands over what a worker has found to be large, and asks for the next. While a file is on
//! its way, whatever happens under its name stays here until it has arrived: two jobs never send the
//! same path. After a restart everything here is known by name.

use super::change::Change;
use super::pending::{Pending, Remembered};
use crate::engine::rel_path::{lies_in, RelPath};
use crate::engine::time::Time;
use crate::engine::watching::settle::Stamp;
use crate::sorted::SortedMap;

/// Files from this size on travel by themselves. Smaller ones are through a local network in less
/// than a second, and each run of its own costs a connection.
pub const LARGE_BYTES_MIN: u64 = 64 << 20;
/// Files of which is remembered what the far side got. Of any other, the next version is compared by
/// content, which is slower and nothing else.
const SENT_MAX: usize = 1_000;

/// The large files that wait for one remote.
#[derive(Debug, Default)]
pub struct Bulk {
    waiting: Pending,
    /// Since when each of them waits, and the one on its way.
    since: SortedMap<RelPath, Time>,
    /// The one that left last. They take turns, so that one that changes all the time holds up no
    /// other.
    last: Option<RelPath>,
    /// What the far side got last.
    sent: SortedMap<RelPath, Stamp>,
    /// Directories that disappeared over the head of the file on its way.
    crossed: Vec<RelPath>,
    /// Another job ended while the large file was on its way, so the directories above it are sent once more.
    pub had_company: bool,
    /// Some of them had been stuck, and it is not known yet whether they get through now.
    pub retries: bool,
}

/// Where a change is remembered.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// With the large file.
    Bulk,
    /// Among the pending paths; with what was remembered of its path here, which is no longer.
    Pending(Option<Remembered>),
}

impl Bulk {
    /// The files that wait.
    pub fn waiting(&self) -> &Pending {
        &self.waiting
    }

    /// Since when the oldest change waits.
    pub fn oldest(&self) -> Option<Time> {
        self.since.values().min().copied()
    }

    /// A file is large, and was owed `since` then.
    pub fn put(&mut self, path: RelPath, remembered: Remembered, since: Time) {
        self.since.entry(path.clone()).or_insert(since);
        self.waiting.put(path, remembered.kept_by_name());
    }

    /// A path has changed while this file was on its way, if one was.
    pub fn change(
        &mut self,
        path: &RelPath,
        change: Change,
        flying: Option<&RelPath>,
        now: Time,
    ) -> Place {
        // What was put in its place may be another file of the same size and time.
        if !matches!(change, Change::Send | Change::SendNew { .. }) {
            self.sent.remove(path);
        }
        let is_delete = matches!(change, Change::Delete { .. });
        if let Some(flying) = flying {
            if lies_in(path, flying) {
                self.waiting.apply(path, change, |_| false);
                self.since.entry(path.clone()).or_insert(now);
                return Place::Bulk;
            }
            if is_delete && lies_in(flying, path) && !self.crossed.contains(path) {
                self.crossed.push(path.clone());
            }
        }
        if is_delete {
            if change.empties() {
                self.forget_below(path, flying);
            }
            return Place::Pending(self.forget(path));
        }
        if !self.waiting.contains(path) {
            return Place::Pending(None);
        }
        // What it is now is looked at when its turn has come.
        self.waiting.apply(path, change, |_| false);
        Place::Bulk
    }

    /// Forgets what is below a directory that disappeared.
    fn forget_below(&mut self, directory: &RelPath, flying: Option<&RelPath>) {
        let before = self.waiting.len();
        self.waiting.forget_below(directory);
        let waiting = &self.waiting;
        if waiting.len() < before {
            self.since.retain(|path, _| waiting.contains(path) || flying == Some(path));
        }
    }

    /// Forgets a path, and gives what was remembered of it.
    pub fn forget(&mut self, path: &[u8]) -> Option<Remembered> {
        let remembered = self.waiting.forget(path)?;
        self.since.remove(path);
        Some(remembered.kept_by_name())
    }

    /// Takes the one out whose turn it is, with what the far side got of it last.
    pub fn take(&mut self) -> Option<(RelPath, Remembered, Option<Stamp>)> {
        let path = self.waiting.next_after(self.last.as_ref())?.clone();
        let remembered = self.waiting.forget(&path)?;
        self.last = Some(path.clone());
        let sent = self.sent.get(&path).copied();
        Some((path, remembered.kept_by_name(), sent))
    }

    /// A job starts that may send paths which are not in any list.
    pub fn sweep_starts(&mut self) {
        self.waiting.sweep_starts();
        self.sent.clear();
    }

    /// A full sync takes the place of what waits, except of what disappeared if `keep_gone`.
    pub fn clear(&mut self, keep_gone: bool) {
        self.waiting.clear(keep_gone);
        let waiting = &self.waiting;
        self.since.retain(|path, _| waiting.contains(path));
    }

    /// The job on its way has been taken out, and has not got through: its file waits again.
    pub fn restore(&mut self, file: Vec<(RelPath, Remembered)>) {
        self.waiting.restore(file);
    }

    /// The job with this file has ended. Gives since when the file had been owed.
    pub fn ended(&mut self, path: &RelPath) -> Option<Time> {
        match self.waiting.contains(path) {
            true => self.since.get(path).copied(),
            false => self.since.remove(path),
        }
    }

    /// The file has arrived as the worker saw it, unless it has changed since.
    pub fn has_sent(&mut self, path: &RelPath, stamp: Option<Stamp>) {
        let Some(stamp) = stamp.filter(|_| !self.waiting.contains(path)) else { return };
        self.sent.insert(path.clone(), stamp);
        if self.sent.len() > SENT_MAX {
            self.sent.pop_first();
        }
    }

    /// What changed under its name while it was on its way, to be looked at with the rest; without
    /// the file itself if it has to be sent again in any case.
    pub fn take_changed_meanwhile(
        &mut self,
        file: &RelPath,
        again: bool,
    ) -> Vec<(RelPath, Remembered)> {
        let meant = |path: &[u8]| lies_in(path, file) && !(again && *path == **file);
        let waiting = self.waiting.iter().map(|(path, _)| path);
        let paths: Vec<RelPath> = waiting.filter(|path| meant(path)).cloned().collect();
        let taken = paths.into_iter();
        taken.filter_map(|path| self.forget(&path).map(|it| (path, it))).collect()
    }

    /// Directories that disappeared while something was on its way into them. Its run may have made
    /// them again over there.
    pub fn take_crossed(&mut self) -> Vec<RelPath> {
        std::mem::take(&mut self.crossed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsync::asked::plan::Gone;

    const DELETE: Change = Change::Delete { gone: Gone::Entry, unsent: false };
    const DELETE_DIR: Change = Change::Delete { gone: Gone::Directory, unsent: false };

    fn path(path: &str) -> RelPath {
        RelPath::from(path.as_bytes())
    }

    fn names(paths: Vec<(RelPath, Remembered)>) -> Vec<String> {
        paths.iter().map(|(path, _)| String::from_utf8_lossy(path).into_owned()).collect()
    }

    /// Every cell of where the path is x what is to be done with it.
    #[test]
    fn where_a_change_is_remembered() {
        for (waits, flies, change, expected) in [
            (false, false, Change::Send, Place::Pending(None)),
            (false, false, DELETE, Place::Pending(None)),
            (true, false, Change::Send, Place::Bulk),
            (true, false, DELETE, Place::Pending(Some(Remembered::TO_SEND.kept_by_name()))),
            (false, true, Change::Send, Place::Bulk),
            (false, true, DELETE, Place::Bulk),
            (true, true, Change::Send, Place::Bulk),
            (true, true, DELETE, Place::Bulk),
        ] {
            let mut bulk = Bulk::default();
            let file = path("file");
            if waits {
                bulk.put(file.clone(), Remembered::TO_SEND, Time(1));
            }
            let place = bulk.change(&file, change, flies.then_some(&file), Time(2));
            assert_eq!(place, expected, "{waits} {flies} {change:?}");
            assert_eq!(bulk.waiting().contains(&file), expected == Place::Bulk);
        }
    }

    #[test]
    fn large_files_take_turns() {
        let mut bulk = Bulk::default();
        for name in ["a", "b"] {
            bulk.put(path(name), Remembered::TO_SEND, Time(1));
        }
        let mut left = Vec::new();
        for _ in 0..3 {
            let (name, remembered, _) = bulk.take().expect("both are owed");
            bulk.put(name.clone(), remembered, Time(2));
            left.push(String::from_utf8_lossy(&name).into_owned());
        }
        assert_eq!(left, ["a", "b", "a"], "a changes all the time");
    }

    #[test]
    fn what_changes_under_a_files_name_waits_for_its_end() {
        let mut bulk = Bulk::default();
        let file = path("d/file");
        bulk.put(path("d/other"), Remembered::TO_SEND, Time(1));
        for (changed, change) in [("d/file", DELETE), ("d/file/inside", Change::Send)] {
            assert_eq!(bulk.change(&path(changed), change, Some(&file), Time(2)), Place::Bulk);
        }
        bulk.change(&path("d"), DELETE_DIR, Some(&file), Time(3));
        assert_eq!(bulk.take_crossed().iter().map(|it| &**it).collect::<Vec<_>>(), [b"d"]);
        assert!(!bulk.waiting().contains(b"d/other"), "it went with its directory");
        let mut bulk = Bulk::default();
        bulk.change(&file, Change::Send, Some(&file), Time(2));
        bulk.change(&path("d/file/inside"), Change::Send, Some(&file), Time(2));
        assert_eq!(names(bulk.take_changed_meanwhile(&file, true)), ["d/file/inside"]);
        assert_eq!(names(bulk.take_changed_meanwhile(&file, false)), ["d/file"]);
    }

    #[test]
    fn what_the_far_side_got_is_known_until_something_else_may_be_there() {
        let stamp = Stamp { size: 1 << 30, modified_ns: 7 };
        for (change, is_known) in
            [(Change::Send, true), (Change::SendInPlace, false), (DELETE, false)]
        {
            let mut bulk = Bulk::default();
            bulk.has_sent(&path("file"), Some(stamp));
            bulk.change(&path("file"), change, None, Time(1));
            bulk.put(path("file"), Remembered::TO_SEND, Time(1));
            let known = bulk.take().and_then(|(_, _, sent)| sent);
            assert_eq!(known, is_known.then_some(stamp), "{change:?}");
        }
    }
}
