//! A job that is on its way: what it carries, and what the far side may have because of it.

use super::pending::Remembered;
use super::trust::Deletions;
use crate::engine::rel_path::{above, lies_in, RelPath};
use crate::engine::sending::extent::Extent;
use crate::engine::time::Time;
use crate::engine::watching::renames::Rename;
use crate::engine::watching::settle::Stamp;
use crate::engine::JobId;
use crate::rsync::asked::level::Depth;
use crate::rsync::asked::licence::Way;
use crate::rsync::asked::plan::Gone;
use crate::rsync::temporary::is_receivers;
use crate::sorted::SortedMap;

/// What a job carries.
#[derive(Debug)]
pub enum Cargo {
    /// Changed paths.
    Batch(Batch),
    /// One large file.
    File(File),
    /// Whole directories.
    Levels(SortedMap<RelPath, Depth>),
    /// The whole root; `scheduled` if the schedule wants it and nothing else.
    Everything {
        /// It is nothing that is owed.
        scheduled: bool,
    },
}

impl Cargo {
    /// How much it makes equal.
    pub fn extent(&self) -> Extent {
        match self {
            Cargo::Batch(batch) => Extent::Paths(batch.paths.len()),
            Cargo::File(_) => Extent::Paths(1),
            Cargo::Levels(levels) => Extent::Directories(levels.len()),
            Cargo::Everything { .. } => Extent::Everything,
        }
    }
}

/// Changed paths that leave together.
#[derive(Debug)]
pub struct Batch {
    /// The paths, sorted.
    pub paths: Vec<(RelPath, Remembered)>,
    /// Some of them are to be deleted. Asked with every change, so it is not looked for each time.
    deletes: bool,
    /// The far side can have none of them.
    pub fresh: bool,
    /// Two processes send it.
    pub split: bool,
    /// What the far side has under another name.
    pub renames: Vec<Rename>,
    /// Directories, sorted, that are listed in place of what is in them; `None` as long as the worker has not looked
    /// which.
    pub whole: Option<Vec<RelPath>>,
}

impl Batch {
    /// Paths, sorted; `fresh` if the far side can have none of them.
    pub fn new(paths: Vec<(RelPath, Remembered)>, fresh: bool) -> Batch {
        let deletes = paths.iter().any(|(_, remembered)| remembered.gone != Gone::No);
        // Of other batches nothing is listed whole.
        let whole = (!fresh).then(Vec::new);
        Batch { paths, deletes, fresh, split: false, renames: Vec::new(), whole }
    }

    /// Takes some paths out.
    pub fn set_apart(
        &mut self,
        mut is_apart: impl FnMut(&RelPath) -> bool,
    ) -> Vec<(RelPath, Remembered)> {
        self.paths.extract_if(.., |(path, _)| is_apart(path)).collect()
    }

    /// Whether it may send a path that is not in it.
    fn may_take_along(&self, path: &[u8]) -> bool {
        self.renames(path) || self.may_read_around(path)
    }

    /// Whether a path is the new name of something that it renames, or lies in such a directory, which takes along whatever
    /// is in it.
    pub fn renames(&self, path: &[u8]) -> bool {
        let reaches = |it: &Rename| *it.to == *path || it.is_dir && lies_in(path, &it.to);
        self.renames.iter().any(reaches)
    }

    /// Whether it may list the directory of a path in place of what is known to be in there, so that rsync
    /// may find this path as well: see [`crate::rsync::asked::whole`].
    fn may_read_around(&self, path: &[u8]) -> bool {
        let Some(slash) = path.iter().rposition(|&byte| byte == b'/') else { return false };
        let (inside, name) = path.split_at(slash + 1);
        let may_be_whole = match &self.whole {
            Some(whole) => {
                whole.binary_search_by(|directory| (**directory).cmp(&path[..slash])).is_ok()
            }
            None => {
                let first = self.paths.partition_point(|(other, _)| **other < *inside);
                self.paths.get(first).is_some_and(|(other, _)| other.starts_with(inside))
            }
        };
        may_be_whole && !is_receivers(name)
    }
}

/// A large file.
#[derive(Debug)]
pub struct File {
    /// Its path.
    pub listed: (RelPath, Remembered),
    /// The far side cannot have it.
    pub fresh: bool,
    /// What the worker saw of it just before it was sent.
    pub stamp: Option<Stamp>,
}

/// How a job deletes what disappeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// In the way that is right for this remote, as far as is known.
    First(Way),
    /// The portable way, because the same job has failed as it would with an rsync that cannot delete in the combined
    /// way.
    Portable {
        /// That this was the reason is certain: rsync has said so.
        certain: bool,
    },
    /// Not at all: the far side refuses every deletion, so what disappeared stays owed.
    Withheld,
}

impl Attempt {
    /// The way itself.
    pub fn way(self) -> Way {
        match self {
            Attempt::First(way) => way,
            // Without a deletion the two ways have the same words.
            Attempt::Portable { .. } | Attempt::Withheld => Way::Portable,
        }
    }
}

/// How far a full sync has come with being rehearsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// It has not been, and need not be as far as is known.
    None,
    /// That is what is on its way, and what it has found so far as is known.
    Flying(Option<Deletions>),
    /// The same, but the ground has moved since it started.
    Stale,
    /// It has been.
    Over,
}

impl Rehearsal {
    /// Whether a rehearsal is what is on its way.
    pub fn flies(self) -> bool {
        match self {
            Rehearsal::Flying(_) | Rehearsal::Stale => true,
            Rehearsal::None | Rehearsal::Over => false,
        }
    }
}

/// A job that is on its way.
#[derive(Debug)]
pub struct Flight {
    /// Which.
    pub job: JobId,
    /// When it started.
    pub started: Time,
    /// What it carries.
    pub cargo: Cargo,
    /// How it deletes.
    pub attempt: Attempt,
    /// Paths that had been stuck are among it.
    pub retries: bool,
    /// Nothing else was left to be sent when it started.
    pub is_all: bool,
    /// A sweep was on its way at the same time, and may have undone some of it.
    pub is_beside_sweep: bool,
    /// Up to which time the kernel's events had been read by then.
    pub read_ns: Option<u64>,
    /// Its paths that are not deleted, because nothing may be asked to be, although they should.
    pub withheld: Vec<RelPath>,
    /// Of a sweep: it deletes whatever only the far side has.
    pub unseen: bool,
    /// Of a full sync: whether it is rehearsed first.
    pub rehearsal: Rehearsal,
}

impl Flight {
    /// One that starts now, with nothing that had been stuck.
    pub fn new(job: JobId, started: Time, cargo: Cargo, attempt: Attempt) -> Flight {
        Flight {
            job,
            started,
            cargo,
            attempt,
            retries: false,
            is_all: false,
            is_beside_sweep: false,
            read_ns: None,
            withheld: Vec::new(),
            unseen: false,
            rehearsal: Rehearsal::None,
        }
    }

    /// It has not arrived, or not as a whole: what renames have joined over there may not have been parted again.
    pub fn may_leave_joined(&mut self) {
        if let Cargo::Batch(Batch { paths, renames, .. }) = &mut self.cargo {
            if !renames.is_empty() {
                paths.iter_mut().for_each(|(_, it)| *it = it.perhaps_joined());
            }
        }
    }

    /// The paths that are listed; none where whole directories are made equal.
    pub fn paths(&self) -> &[(RelPath, Remembered)] {
        match &self.cargo {
            Cargo::Batch(batch) => &batch.paths,
            Cargo::File(file) => std::slice::from_ref(&file.listed),
            Cargo::Levels(_) | Cargo::Everything { .. } => &[],
        }
    }

    /// rsync processes that it may run at the same time.
    pub fn processes(&self) -> usize {
        match &self.cargo {
            Cargo::Batch(batch) => 1 + usize::from(batch.split),
            Cargo::File(_) | Cargo::Levels(_) | Cargo::Everything { .. } => 1,
        }
    }

    /// Whether it is a full sync.
    pub fn is_full(&self) -> bool {
        matches!(self.cargo, Cargo::Everything { .. })
    }

    /// Whether it may send paths that are in no list.
    pub fn sweeps(&self) -> bool {
        match self.cargo {
            Cargo::Batch(_) | Cargo::File(_) => false,
            Cargo::Levels(_) | Cargo::Everything { .. } => true,
        }
    }

    /// Whether some of its paths are to be deleted.
    pub fn is_deleting(&self) -> bool {
        match &self.cargo {
            Cargo::Batch(batch) => batch.deletes,
            Cargo::File(file) => file.listed.1.gone != Gone::No,
            Cargo::Levels(_) | Cargo::Everything { .. } => false,
        }
    }

    fn listed(&self, path: &[u8]) -> Option<&Remembered> {
        let paths = self.paths();
        let at = paths.binary_search_by(|(other, _)| (**other).cmp(path)).ok()?;
        Some(&paths[at].1)
    }

    /// Whether it deletes something under this name or in it.
    pub fn deletes_at(&self, path: &[u8]) -> bool {
        self.deletes(path) != Gone::No || self.empties_above(path)
    }

    /// Whether a path is in its list.
    pub fn carries(&self, path: &[u8]) -> bool {
        self.listed(path).is_some()
    }

    /// What was to be deleted under this name.
    pub fn deletes(&self, path: &[u8]) -> Gone {
        let listed = if self.is_deleting() { self.listed(path) } else { None };
        listed.map_or(Gone::No, |remembered| remembered.gone)
    }

    /// Whether a directory above a path is emptied over there, of all that is not here.
    pub fn empties_above(&self, path: &[u8]) -> bool {
        let emptied = |above| self.deletes(above) == Gone::Directory;
        self.is_deleting() && above(path).any(emptied)
    }

    /// Whether the far side may come to have, or may keep, something under this name.
    pub fn reaches(&self, path: &[u8]) -> bool {
        self.sweeps()
            || self.carries(path)
            || self.empties_above(path)
            || matches!(&self.cargo, Cargo::Batch(batch) if batch.may_take_along(path))
    }

    /// The topmost of a directory and those above it that is replaced, so that what disappeared with the old one is
    /// deleted over there.
    pub fn replaced(&self, directory: &RelPath) -> Option<RelPath> {
        let itself = [&**directory];
        let replaced = |path: &&[u8]| self.deletes(path) == Gone::Directory;
        above(directory).chain(itself).find(replaced).map(RelPath::from)
    }

    /// Whether it may send something that lies in the directory: its list has that, or it is where a renamed directory
    /// is made anew with whatever is in there by then.
    pub fn sends_into(&self, directory: &[u8]) -> bool {
        let listed = |path: &[u8]| lies_in(path, directory) && path.len() > directory.len();
        let renamed = |to: &[u8]| lies_in(to, directory) || lies_in(directory, to);
        let renames = match &self.cargo {
            Cargo::Batch(batch) => batch.renames.iter().any(|it| it.is_dir && renamed(&it.to)),
            Cargo::File(_) | Cargo::Levels(_) | Cargo::Everything { .. } => false,
        };
        renames || self.paths().iter().any(|(path, _)| listed(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(paths: &[&str], whole: Option<&[&str]>) -> Flight {
        let path = |path: &&str| RelPath::from(path.as_bytes());
        let paths = paths.iter().map(|it| (path(it), Remembered::TO_SEND)).collect();
        let whole = whole.map(|whole| whole.iter().map(path).collect());
        let cargo = Cargo::Batch(Batch { whole, ..Batch::new(paths, true) });
        Flight::new(JobId(1), Time(0), cargo, Attempt::First(Way::Combined))
    }

    #[test]
    fn what_lies_in_a_directory_that_is_listed_whole_may_be_sent_unlisted() {
        let paths = ["d", "d-x", "d/a", "d/b/c", "e/a"];
        // Before the worker has told: every directory with something in the batch. Then: what it told.
        for (path, undecided, told_d) in [
            ("d/a", true, true),
            ("d/new", true, true),
            ("d/b/new", true, false),
            ("e/new", true, false),
            ("d/b/below/new", false, false),
            ("d/.new.a1B2c3", false, false),
            ("new", false, false),
            ("dd/new", false, false),
        ] {
            assert_eq!(flight(&paths, None).reaches(path.as_bytes()), undecided, "{path}");
            assert_eq!(flight(&paths, Some(&["d"])).reaches(path.as_bytes()), told_d, "{path}");
            let listed = paths.contains(&path);
            assert_eq!(flight(&paths, Some(&[])).reaches(path.as_bytes()), listed, "{path}");
        }
    }
}
