//! A job that is on its way: what it carries, and what the far side may have because of it.

use super::pending::Change;
use crate::engine::rel_path::{above, lies_in, RelPath};
use crate::engine::time::Time;
use crate::engine::watching::renames::Rename;
use crate::engine::watching::settle::Stamp;
use crate::engine::JobId;
use crate::rsync::asked::level::Depth;
use crate::rsync::asked::plan::{Deletes, Gone};
use crate::rsync::temporary::is_receivers;
use crate::sorted::SortedMap;

/// What a job carries.
#[derive(Debug)]
pub enum Cargo {
    /// Changed paths, sorted.
    Batch(Vec<(RelPath, Change)>),
    /// Whole directories.
    Levels(SortedMap<RelPath, Depth>),
    /// The whole root; `scheduled` if the schedule wants it and nothing else.
    Everything {
        /// It is nothing that is owed.
        scheduled: bool,
    },
}

/// What runs beside what, to the same remote: one job of each lane may be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Batches, level syncs and full syncs.
    Small,
    /// Large files, one at a time.
    Bulk,
}

impl Cargo {
    /// Whether paths of a batch are to be deleted.
    pub fn is_deleting(&self) -> bool {
        match self {
            Cargo::Batch(batch) => batch.iter().any(|(_, change)| change.gone != Gone::No),
            Cargo::Levels(_) | Cargo::Everything { .. } => false,
        }
    }
}

/// A job that is on its way.
#[derive(Debug)]
pub struct Flight {
    /// Which.
    pub job: JobId,
    /// Beside what.
    pub lane: Lane,
    /// When it started.
    pub started: Time,
    /// What it carries.
    pub cargo: Cargo,
    /// The far side can have none of the paths.
    pub fresh: bool,
    /// Two processes run it.
    pub split: bool,
    /// How it deletes.
    pub deletes: Deletes,
    /// Paths of the batch are to be deleted.
    pub is_deleting: bool,
    /// The same batch failed with combined deletes in a way that a version without them would.
    pub fallback: bool,
    /// And it is certain that this was why.
    pub unsupported: bool,
    /// Paths that had been stuck are among it.
    pub retries: bool,
    /// Nothing else was left to be sent when it started.
    pub everything: bool,
    /// Up to which time everything had been seen by then.
    pub seen_ns: Option<u64>,
    /// Of a large file: what the worker saw just before it was sent.
    pub stamp: Option<Stamp>,
    /// What the far side has under another name.
    pub renames: Vec<Rename>,
    /// Directories, sorted, that it lists in place of what is in them; none are known before the worker
    /// has looked.
    pub whole: Option<Vec<RelPath>>,
}

impl Flight {
    /// The paths of a batch; none for anything else.
    pub fn batch(&self) -> &[(RelPath, Change)] {
        match &self.cargo {
            Cargo::Batch(batch) => batch,
            Cargo::Levels(_) | Cargo::Everything { .. } => &[],
        }
    }

    /// Takes some paths out of a batch.
    pub fn set_apart(
        &mut self,
        mut is_apart: impl FnMut(&RelPath) -> bool,
    ) -> Vec<(RelPath, Change)> {
        let Cargo::Batch(batch) = &mut self.cargo else { return Vec::new() };
        batch.extract_if(.., |(path, _)| is_apart(path)).collect()
    }

    /// Whether it is a full sync.
    pub fn is_full(&self) -> bool {
        matches!(self.cargo, Cargo::Everything { .. })
    }

    /// Whether it may send paths that are in no list.
    pub fn sweeps(&self) -> bool {
        !matches!(self.cargo, Cargo::Batch(_))
    }

    /// Whether a path is in its batch.
    pub fn carries(&self, path: &[u8]) -> bool {
        self.listed(path).is_some()
    }

    /// What was to be deleted under this name.
    pub fn deletes(&self, path: &[u8]) -> Gone {
        if !self.is_deleting {
            return Gone::No;
        }
        self.listed(path).map_or(Gone::No, |change| change.gone)
    }

    /// Whether the far side may come to have, or may keep, something under this name.
    pub fn reaches(&self, path: &[u8]) -> bool {
        self.sweeps()
            || self.listed(path).is_some()
            || self.empties_above(path)
            || self.renames.iter().any(|rename| rename.is_dir && lies_in(path, &rename.to))
            || self.may_read_around(path)
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
                let batch = self.batch();
                let first = batch.partition_point(|(other, _)| **other < *inside);
                batch.get(first).is_some_and(|(other, _)| other.starts_with(inside))
            }
        };
        may_be_whole && !is_receivers(name)
    }

    /// Whether a directory above a path is emptied over there, of all that is not here.
    pub fn empties_above(&self, path: &[u8]) -> bool {
        let emptied =
            |above: &[u8]| self.listed(above).is_some_and(|it| it.gone == Gone::Directory);
        self.is_deleting && above(path).any(emptied)
    }

    /// Whether the batch may send, or let stand, something that lies in the directory.
    pub fn reaches_into(&self, directory: &[u8]) -> bool {
        self.batch().iter().any(|(path, change)| {
            let replaced = change.gone == Gone::Directory && lies_in(directory, path);
            replaced || lies_in(path, directory) && path.len() > directory.len()
        })
    }

    fn listed(&self, path: &[u8]) -> Option<&Change> {
        let batch = self.batch();
        let at = batch.binary_search_by(|(other, _)| (**other).cmp(path)).ok()?;
        Some(&batch[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(paths: &[&str], whole: Option<&[&str]>) -> Flight {
        let path = |path: &&str| RelPath::from(path.as_bytes());
        Flight {
            job: JobId(1),
            lane: Lane::Small,
            started: Time(0),
            cargo: Cargo::Batch(paths.iter().map(|it| (path(it), Change::SEEN)).collect()),
            fresh: whole.is_none(),
            split: false,
            deletes: Deletes::Combined,
            is_deleting: false,
            fallback: false,
            unsupported: false,
            retries: false,
            everything: false,
            seen_ns: None,
            stamp: None,
            renames: Vec::new(),
            whole: whole.map(|whole| whole.iter().map(path).collect()),
        }
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
