//! What got another name inside its root, so that a far side need not be sent what it has under the old name.
//!
//! `root` pairs the halves that the kernel tells; each remote remembers the renames that its next batch may take along.
//! The batch has the old and the new paths as well, as if there had been no rename. So one that is missing here costs no
//! more than sending something again: whatever is odd is left out, and none outlives the program. But one that is used is
//! not without consequences. The run that is made of it gives the file a second name at the far side, by a hard link, and
//! until the batch has deleted the old one, attributes that are set under one name show under the other.

use crate::engine::rel_path::{lies_in, RelPath};
use std::collections::VecDeque;

/// Halves that wait for the other one. The kernel tells both in a row, or with few events between.
const DEPARTED_MAX: usize = 16;
/// Renamed directories that a batch may take along: each is a run of its own.
const DIRECTORIES_MAX: usize = 32;
/// Renamed files, which share runs.
const FILES_MAX: usize = 10_000;

/// Something has another name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// Where it was. The far side may have it there, or at one of its earlier names.
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

    /// Something came to a name; gives the rename if the other half was told. A file counts only if it
    /// keeps the last part of its name, since rsync looks for no other in the directory where it was.
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
                // It has been renamed twice in a row, which is one rename.
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

    /// Puts those of a batch that failed back before those that have come since.
    pub fn restore(&mut self, earlier: Vec<Rename>) {
        let later = self.take();
        earlier.into_iter().chain(later).for_each(|rename| self.add(rename));
    }
}

/// The names under which the far side may have what the rename with this number moved: the one that it
/// left, and those from which earlier renames of directories had brought it there.
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

/// Whether what the far side has under one old name would get two new ones, which would be one file for ever. `used` are
/// old names with the new ones that they have got.
pub fn has_two_heirs(
    used: &[(Vec<u8>, RelPath)],
    (old, to): (&[u8], &[u8]),
    is_missing: &mut dyn FnMut(&[u8]) -> bool,
) -> bool {
    used.iter().any(|(other, others)| {
        // What both have had is under the new name of the one that had the directory above, or has left it.
        let inside = match (lies_in(old, other), lies_in(other, old)) {
            (true, _) => [others, &old[other.len()..]].concat(),
            (false, true) => [to, &other[old.len()..]].concat(),
            (false, false) => return false,
        };
        !is_missing(&inside)
    })
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
