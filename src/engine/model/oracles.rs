//! What has to hold over there at all times, and when everything rests.

use super::file_system::{trace, Is, Name, Went, ROOT};
use super::World;
use crate::engine::rel_path::{above, join, lies_in};
use crate::engine::RemoteId;
use crate::rsync::asked::licence::Licence;
use crate::rsync::asked::plan::Gone;
use std::collections::BTreeSet;

/// What was seen to go here and need not have gone over there yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) paths: BTreeSet<Vec<u8>>,
    /// By the directories that it went from: events may be handled when these are elsewhere by now.
    entries: BTreeSet<(usize, Name)>,
}

impl World {
    /// The kernel has told that something went: it may go over there, with all that is below it. It need not, if the
    /// directory that it went from is being read, since then it may have no path.
    pub(super) fn license(&mut self, went: &Went) {
        if self.walk.reads_above(&went.path) {
            self.fs.untold.insert(went.path.clone());
        }
        for seen in &mut self.seen {
            seen.paths.insert(went.path.clone());
            seen.entries.insert(went.from.clone());
        }
    }

    /// Something is about to happen. The program knows what was seen to go by the paths that its directory has had, and
    /// need not have been told yet that the directory itself goes, or is another one after a crash.
    pub(super) fn name_what_was_seen(&mut self) {
        if self.seen.iter().all(|seen| seen.entries.is_empty()) {
            return;
        }
        let dirs = self.fs.paths_of_dirs();
        for seen in &mut self.seen {
            let path_of = |(dir, name): &(usize, Name)| dirs.get(dir).map(|dir| join(dir, name));
            let paths: Vec<_> = seen.entries.iter().filter_map(path_of).collect();
            seen.paths.extend(paths);
        }
    }

    /// What has been deleted over there was seen to go here, or the job may delete what nobody saw. What is there again
    /// at once has only made way for what is here.
    pub(super) fn judge_deletions(&mut self, remote: usize, licence: Licence) {
        for (path, is) in self.remotes[remote].take_deleted() {
            trace(|| format!("        deleted at {remote}: {}", path.escape_ascii()));
            let was_seen = itself_and_above(&path).any(|path| self.was_seen(remote, path));
            let is_away = self.is_missed(&path, is) || self.is_away(&path);
            let may_be_unseen = self.mirror && licence.covers_unseen() && !is_away;
            assert!(
                was_seen && licence.covers_seen() || may_be_unseen,
                "seed {}: {} was deleted by {licence:?}, and nobody saw it go",
                self.seed,
                path.escape_ascii(),
            );
        }
    }

    fn was_seen(&self, remote: usize, path: &[u8]) -> bool {
        let seen = &self.seen[remote];
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let (parent, name) = (&path[..slash.unwrap_or(0)], &path[slash.map_or(0, |at| at + 1)..]);
        let entry = self.fs.find(parent).map(|dir| (dir, name.into()));
        seen.paths.contains(path) || entry.is_some_and(|entry| seen.entries.contains(&entry))
    }

    /// Once a remote has everything, whatever goes there has to be seen to go from then on. It has not while something
    /// waits to be closed under a name whose old file the far side may have kept.
    pub(super) fn expire_licences(&mut self) {
        let walks = !self.walk.is_idle();
        if walks || !self.fs.queue.is_empty() || !self.engine.sees_everything() {
            return;
        }
        for (remote, seen) in self.seen.iter_mut().enumerate() {
            let id = RemoteId(remote);
            let may_be_kept = self.engine.standing(id).2.iter().any(|(_, gone)| *gone != Gone::No);
            if self.engine.remotes[remote].remote.is_in_step() && !may_be_kept {
                *seen = Seen::default();
            }
        }
    }

    /// Two names over there are one file only if they are here, or while one of them is still to be deleted. Where
    /// the root is in doubt, that deletion may wait for a yes.
    pub(super) fn judge_joined(&self, remote: usize) {
        let waits = self.engine.trust(RemoteId(remote)).waits_for().is_some();
        if self.root_disk.is_some() || waits {
            return;
        }
        let served = &self.engine.remotes[remote].remote;
        let owes = |path: &[u8]| itself_and_above(path).any(|path| served.owes(path));
        for (one, other) in self.remotes[remote].joined() {
            let here = self.fs.find(one).filter(|_| self.fs.find(one) == self.fs.find(other));
            assert!(
                here.is_some() || owes(one) || owes(other),
                "seed {}: {} and {} are one file at {remote}",
                self.seed,
                one.escape_ascii(),
                other.escape_ascii(),
            );
        }
    }

    /// Everything rests: each remote has what is here, and besides only what nobody may delete.
    pub(super) fn judge_rest(&self) {
        let here = self.fs.image();
        for (remote, far) in self.remotes.iter().enumerate() {
            let only_here: Vec<_> = here
                .iter()
                .filter(|(path, _)| !self.is_equal(remote, path))
                .filter(|(path, is)| {
                    !self.is_kept_out(remote, path) && !self.is_kept(remote, path, **is)
                })
                .map(|(path, is)| (path.escape_ascii().to_string(), is, far.get(path)))
                .collect();
            let only_far: Vec<_> = far
                .iter()
                .filter(|(path, _)| !here.contains_key(*path))
                .filter(|(path, _)| !far.has_of_others(path))
                .filter(|(path, _)| self.mirror || !self.is_untold(path))
                .map(|(path, it)| (path.escape_ascii().to_string(), it))
                .collect();
            assert!(
                only_here.is_empty() && only_far.is_empty(),
                "seed {}: only here {only_here:?}, only at {remote} {only_far:?}",
                self.seed,
            );
        }
        self.judge_watches();
    }

    /// What is here has a directory in its way over there that nobody may delete.
    pub(super) fn is_kept_out(&self, remote: usize, path: &[u8]) -> bool {
        let far = &self.remotes[remote];
        let is = self.fs.find(path).map(|ino| self.fs.describe(ino));
        is.is_some_and(|is| far.is_in_the_way(path, is))
            && (far.has_of_others(path)
                || !self.mirror
                    && far.iter().any(|(it, _)| lies_in(it, path) && self.is_untold(it)))
    }

    /// With `-u` it is kept over there, since it is newer and nobody saw it go.
    fn is_kept(&self, remote: usize, path: &[u8], is: Is) -> bool {
        self.update && self.is_untold(path) && self.remotes[remote].has_newer(path, is)
    }

    pub(super) fn is_equal(&self, remote: usize, path: &[u8]) -> bool {
        let here = self.fs.find(path).map(|ino| self.fs.describe(ino));
        self.remotes[remote].get(path) == here
    }

    /// It went, or a directory above it did, and nobody was told.
    fn is_untold(&self, path: &[u8]) -> bool {
        itself_and_above(path).any(|path| self.fs.untold.contains(path))
    }

    fn judge_watches(&self) {
        for dir in 0..self.fs.inodes.len() {
            let inside = self.fs.is_dir(dir) && self.fs.holds(ROOT, dir);
            let is_watched = self.fs.inodes[dir].wd.is_some();
            assert!(!inside || is_watched, "seed {}: {dir} is not watched", self.seed);
        }
        let mut dirs = Vec::new();
        self.fs.dirs(ROOT, &mut dirs);
        let known = self.engine.directories(crate::engine::RootId(0));
        assert_eq!(known, dirs.len(), "seed {}: the tree", self.seed);
    }
}

fn itself_and_above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    above(path).chain([path])
}
