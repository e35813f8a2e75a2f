//! What a change means for one remote, and what becomes of more paths than may be pending.

use super::super::bulk::Place;
use super::super::change::Change;
use super::super::flight::Flight;
use super::super::lanes::Lane;
use super::super::pending;
use super::Remote;
use crate::engine::rel_path::{above, RelPath};
use crate::engine::time::Time;
use crate::engine::watching::renames::Rename;
use crate::engine::JobId;
use crate::rsync::asked::level::Depth;
use crate::rsync::asked::plan::Gone;

/// What one remote has to do about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// Nothing: it does not lack it, or is not to get it.
    Nothing,
    /// Send the path, and delete what disappeared there.
    Path,
    /// Make the directory equal as a whole.
    Level(Depth),
    /// Both: something may have disappeared in the directory, unseen.
    LevelAndPath,
}

impl Remote {
    /// A path has changed. Gives `true` when that was one too many, so that the paths have become a
    /// full sync.
    pub fn change(&mut self, path: &RelPath, change: Change, now: Time) -> bool {
        match self.task(change) {
            Task::Nothing => false,
            Task::Path => self.remember(path, change, now),
            Task::Level(depth) => self.make_equal(path, depth),
            Task::LevelAndPath => {
                let too_many = self.make_equal(path, Depth::One);
                self.remember(path, change, now) || too_many
            }
        }
    }

    fn task(&self, change: Change) -> Task {
        let looks_back = self.standing.looks_back() && self.deletes_unseen();
        match change {
            // What was replaced is sent by a change of its own.
            Change::Delete { .. } if !self.deletes_seen() => Task::Nothing,
            Change::SendNewer { changed_ns, is_dir }
                if !self.standing.concerns(changed_ns, is_dir) =>
            {
                Task::Nothing
            }
            Change::SendNewer { is_dir: true, .. } if looks_back => Task::Level(Depth::One),
            // Another one may have disappeared under its name, unseen and with all that was in it.
            Change::SendDirectory if looks_back => Task::LevelAndPath,
            Change::MakeEqual => Task::Level(Depth::All),
            Change::Send
            | Change::SendNew { .. }
            | Change::SendBack { .. }
            | Change::SendInPlace
            | Change::SendTime
            | Change::SendDirectory
            | Change::SendNewer { .. }
            | Change::DeleteAgain
            | Change::Delete { .. } => Task::Path,
        }
    }

    /// Makes a directory equal as a whole. Gives `true` as [`Remote::change`] does.
    pub(super) fn make_equal(&mut self, path: &RelPath, depth: Depth) -> bool {
        let was_full = self.sweep.is_full();
        let too_many = self.sweep.need_level(path, depth).is_err();
        if self.sweep.is_full() && !was_full {
            self.standing.names_changed();
        }
        too_many
    }

    /// Remembers a path until it has arrived. Gives `true` as [`Remote::change`] does.
    fn remember(&mut self, path: &RelPath, change: Change, now: Time) -> bool {
        let by_name = matches!(change, Change::SendNew { by_name: true, .. });
        if by_name || matches!(change, Change::Delete { .. } | Change::SendBack { .. }) {
            self.standing.names_changed();
        }
        match self.bulk.change(path, change, self.lanes.file(), now) {
            Place::Bulk => {
                self.tally.changed(false, false, now);
                self.standing.names_changed();
                self.owed.changed();
                return false;
            }
            Place::Pending(Some(large)) => self.pending.put(path.clone(), large),
            Place::Pending(None) => {}
        }
        if change.empties() {
            self.stuck.forget_below(path);
            self.second_look.forget_below(path);
        }
        if self.pend(path, change, now) {
            self.owed.changed();
            self.departs(change, now);
            return self.limit_paths();
        }
        self.time_of_directory_changed(path, now);
        false
    }

    /// Puts a path among the pending ones. Gives `false` if it is gone again before anybody had it.
    fn pend(&mut self, path: &RelPath, change: Change, now: Time) -> bool {
        let before = self.pending.len();
        let flights = self.lanes.small();
        let is_unsent = |created| self.far_side.cannot_have(path, created, flights.clone());
        let gone_again = self.pending.apply(path, change, is_unsent);
        self.tally.changed(before == 0, self.pending.len() > before, now);
        if let (Some(flight), false) =
            (self.lanes.in_lane(Lane::Small), gone_again || matches!(change, Change::Delete { .. }))
        {
            let inside = if flight.empties_above(path) { Gone::Entry } else { Gone::No };
            self.pending.delete_again(path, flight.deletes(path).max(inside));
        }
        if !gone_again && self.was_kept_unseen(path) {
            self.pending.delete_again(path, Gone::Entry);
        }
        !gone_again
    }

    /// Whether a path lies in a directory that is still being read since a job was to empty it, or one above: the job
    /// may have kept what had this name.
    fn was_kept_unseen(&self, path: &[u8]) -> bool {
        let is_deleted = |above: &[u8]| matches!(self.half_read.get(above), Some(Left::Deleted(_)));
        !self.half_read.is_empty() && above(path).any(is_deleted)
    }

    /// A change is pending: when it leaves.
    fn departs(&mut self, change: Change, now: Time) {
        match change {
            Change::SendTime => self.departure.time_changed(now),
            Change::Send
            | Change::SendNew { .. }
            | Change::SendBack { .. }
            | Change::SendInPlace
            | Change::SendDirectory
            | Change::SendNewer { .. }
            | Change::MakeEqual
            | Change::DeleteAgain
            | Change::Delete { .. } => self.departure.changed(now),
        }
    }

    /// Something came and went in a directory and is not worth a run; but the directory's time is
    /// another one now. It goes with the next batch, or by itself after a while.
    fn time_of_directory_changed(&mut self, path: &[u8], now: Time) {
        // The root's own time goes with every batch.
        if let Some(slash) = path.iter().rposition(|&byte| byte == b'/') {
            self.pending.apply(&RelPath::from(&path[..slash]), Change::SendTime, |_| false);
            self.departure.time_changed(now);
        }
        if self.pending.is_empty() {
            self.departure.emptied();
        }
    }

    /// Makes a full sync of the pending paths if they are too many. One that deletes nothing cannot stand for deletions:
    /// those go on waiting, unless they alone are too many. Gives whether there were.
    fn limit_paths(&mut self) -> bool {
        let are_too_many = |remote: &Remote| remote.waiting_for_their_turn() > pending::PATHS_MAX;
        if !are_too_many(self) {
            return false;
        }
        for keep_gone in [!self.deletes_unseen(), false] {
            if are_too_many(self) {
                self.pending.clear(keep_gone);
                self.bulk.clear(keep_gone);
                self.second_look.clear(keep_gone);
            }
        }
        self.need_full_sync();
        true
    }

    fn waiting_for_their_turn(&self) -> usize {
        self.pending.len() + self.bulk.waiting().len() + self.second_look.len()
    }

    /// Something got another name. Worth knowing only while the far side still has the old one.
    pub fn renamed(&mut self, rename: &Rename) {
        if self.deletes_seen() && self.pending.deletes(&rename.from) {
            self.renames.add(rename.clone());
        }
    }

    /// The directory at `path` is being read while this job ends. What the job has sent of it may be gone before the
    /// directory is watched, and nobody would tell.
    pub fn is_half_read(&mut self, job: JobId, path: RelPath) {
        if let Some(left) = self.may_have_left(&path, |flight| flight.job == job) {
            let known = self.half_read.remove(&path);
            self.half_read.insert(path, left.and(known));
        }
    }

    /// The directory at `path` has been read: from now on nothing in it changes unseen.
    pub fn is_read(&mut self, path: &RelPath, now: Time) {
        let known = self.half_read.remove(path);
        match self.may_have_left(path, |_| true).map(|left| left.and(known.clone())).or(known) {
            None => {}
            Some(Left::Unseen) => {
                self.make_equal(path, Depth::All);
            }
            Some(Left::Deleted(directory)) => {
                self.change(&directory, Change::DeleteAgain, now);
            }
        }
    }

    /// What these jobs on their way may send, or let stand, in the directory, though it is gone from there before
    /// anybody watches.
    fn may_have_left(&self, directory: &RelPath, jobs: impl Fn(&&Flight) -> bool) -> Option<Left> {
        if !self.deletes_seen() {
            return None;
        }
        let flights = || self.lanes.iter().filter(&jobs);
        let replaced = flights().filter_map(|flight| flight.replaced(directory));
        let deleted = replaced.map(Left::Deleted).reduce(|one, other| one.and(Some(other)));
        let reaches = |flight: &Flight| flight.sweeps() || flight.sends_into(directory);
        let unseen = self.deletes_unseen() && flights().any(reaches);
        deleted.or(unseen.then_some(Left::Unseen))
    }
}

/// What the far side may have been left with in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// Something that nobody saw disappear here. Only a mirror deletes it.
    Unseen,
    /// Something of this directory, which is the same one or above it, and was seen to disappear.
    Deleted(RelPath),
}

impl Left {
    /// What covers both.
    fn and(self, other: Option<Left>) -> Left {
        match (self, other) {
            (Left::Deleted(one), Some(Left::Deleted(other))) => Left::Deleted(one.min(other)),
            (Left::Unseen, Some(deleted @ Left::Deleted(_))) => deleted,
            (left, None | Some(Left::Unseen)) => left,
        }
    }
}
