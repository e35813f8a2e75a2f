//! What got another name inside its root: hints by which a far side can be spared what it has already.
//!
//! `root` pairs the halves that the kernel tells, `remote` remembers what its next batch may take along.
//! Nothing rests on them: the batch has the old and the new paths as if there had been no rename. So
//! whatever is odd is left out, and forgotten with the program.

use crate::engine::rel_path::{lies_in, RelPath};
use std::collections::VecDeque;

/// Halves that wait for the other one. The kernel tells both in a row, seldom with others between.
const DEPARTED_MAX: usize = 16;
/// Renamed directories that a batch may take along: each is a run of its own.
const DIRECTORIES_MAX: usize = 32;
/// Renamed files, which share runs.
const FILES_MAX: usize = 10_000;

/// Something has another name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Where it was, and where the far side has it.
    pub from: RelPath,
    /// Where it went. It may have gone on from there, by another rename.
    pub to: RelPath,
    /// A directory, or a file.
    pub is_dir: bool,
}

/// Pairs what left a name with what came to one.
#[derive(Debug, Default)]
pub struct Halves {
    departed: VecDeque<(u32, RelPath)>,
}

impl Halves {
    /// Something left its name.
    pub fn left(&mut self, cookie: u32, path: &RelPath) {
        self.departed.truncate(DEPARTED_MAX - 1);
        self.departed.push_front((cookie, path.clone()));
    }

    /// Something came to a name; from where, if that was seen. Only what keeps the last part of its
    /// name counts for a file: rsync looks for nothing else in the other directory.
    pub fn came(&mut self, cookie: u32, to: &RelPath, is_dir: bool) -> Option<Rename> {
        let at = self.departed.iter().position(|(other, _)| *other == cookie)?;
        let (_, from) = self.departed.remove(at)?;
        let keeps_name = last_part(&from) == last_part(to);
        (is_dir || keeps_name).then(|| Rename { from, to: to.clone(), is_dir })
    }
}

/// What the next batch of a remote may take along, in the order in which it happened.
#[derive(Debug, Default)]
pub struct Renames {
    list: Vec<Rename>,
    directories: usize,
}

impl Renames {
    /// Remembers one, unless there are too many.
    pub fn add(&mut self, rename: Rename) {
        if let Some(last) = self.list.last_mut() {
            if rename.is_dir && last.is_dir && last.to == rename.from {
                // It only passed through.
                last.to = rename.to;
                return;
            }
        }
        let count = if rename.is_dir { self.directories } else { self.list.len() };
        let max = if rename.is_dir { DIRECTORIES_MAX } else { FILES_MAX };
        if count < max {
            self.directories += usize::from(rename.is_dir);
            self.list.push(rename);
        }
    }

    /// Takes all of them out.
    pub fn take(&mut self) -> Vec<Rename> {
        self.directories = 0;
        std::mem::take(&mut self.list)
    }

    /// The batch did not get through: they happened before those that came since.
    pub fn restore(&mut self, earlier: Vec<Rename>) {
        let later = self.take();
        earlier.into_iter().chain(later).for_each(|rename| self.add(rename));
    }
}

/// Where the far side may have what was at `from` when the rename with this number happened: there, or
/// where an earlier one had brought it from.
pub fn far_names(renames: &[Rename], number: usize) -> Vec<Vec<u8>> {
    let mut names = vec![renames[number].from.to_vec()];
    for earlier in renames[..number].iter().rev().filter(|earlier| earlier.is_dir) {
        let name = names.last().map(Vec::as_slice).unwrap_or_default();
        if lies_in(name, &earlier.to) {
            names.push([&earlier.from, &name[earlier.to.len()..]].concat());
        }
    }
    names
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> RelPath {
        RelPath::from(name.as_bytes())
    }

    fn directory(from: &str, to: &str) -> Rename {
        Rename { from: path(from), to: path(to), is_dir: true }
    }

    #[test]
    fn halves_meet_by_their_cookie_whatever_is_between() {
        let mut halves = Halves::default();
        halves.left(1, &path("a"));
        halves.left(2, &path("b/file"));
        halves.left(3, &path("c"));
        assert_eq!(halves.came(1, &path("new"), true), Some(directory("a", "new")));
        assert_eq!(halves.came(1, &path("new"), true), None, "once");
        let file = Rename { from: path("b/file"), to: path("d/file"), is_dir: false };
        assert_eq!(halves.came(2, &path("d/file"), false), Some(file));
        assert_eq!(halves.came(3, &path("other"), false), None, "a file under another name");
        for cookie in 10..10 + DEPARTED_MAX as u32 {
            halves.left(cookie, &path("x"));
        }
        halves.left(100, &path("y"));
        assert_eq!(halves.came(10, &path("z"), true), None, "the oldest is forgotten");
    }

    #[test]
    fn what_only_passes_through_is_one_rename() {
        let mut renames = Renames::default();
        renames.add(directory("a", "b"));
        renames.add(directory("b", "c"));
        renames.add(directory("x", "y"));
        assert_eq!(renames.take(), [directory("a", "c"), directory("x", "y")]);
        renames.add(directory("c", "d"));
        renames.restore(vec![directory("a", "c")]);
        assert_eq!(renames.take(), [directory("a", "d")]);
    }

    #[test]
    fn too_many_are_forgotten() {
        let mut renames = Renames::default();
        for number in 0..=DIRECTORIES_MAX {
            renames.add(directory(&format!("a{number}"), &format!("b{number}")));
        }
        assert_eq!(renames.take().len(), DIRECTORIES_MAX);
        assert_eq!(renames.take(), []);
    }

    #[test]
    fn the_far_side_has_things_where_they_were_first() {
        let renames = [directory("a", "b"), directory("c", "d"), directory("b/x", "y")];
        assert_eq!(far_names(&renames, 1), [b"c".to_vec()]);
        assert_eq!(far_names(&renames, 2), [b"b/x".to_vec(), b"a/x".to_vec()]);
    }
}
