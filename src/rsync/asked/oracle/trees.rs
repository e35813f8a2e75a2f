//! Random small trees and lists, and trees as files.

use super::{join, Entry, Path, Tree};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, SystemTime};

/// Few, so that the two sides have much in common; one is a pattern as well, one a backup of another.
const NAMES: [&str; 8] = ["a", "b", "c", "a", "b", "a*", "b~", "x.o"];
const DEPTH_MAX: usize = 3;
/// The times of files: one is newer than the other.
const TIMES: [i64; 2] = [1_000_000_000, 1_100_000_000];

/// A sequence of numbers that is the same for the same seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Any of the names.
    pub fn name(&mut self) -> &'static str {
        self.pick::<&'static str>(&NAMES)
    }

    pub fn path(&mut self) -> Path {
        let mut path = Path::new();
        for _ in 0..=self.below(DEPTH_MAX) {
            path = join(&path, self.name().as_bytes());
        }
        path
    }

    /// A tree whose files have content that begins with `side`: of another length than on the other one.
    pub fn tree(&mut self, side: &str) -> Tree {
        let mut tree = Tree::new();
        for _ in 0..5 + self.below(15) {
            let path = self.path();
            self.put(&mut tree, &path, side);
        }
        tree
    }

    /// The same tree with some things more, fewer, and of another kind.
    pub fn changed(&mut self, tree: &Tree, side: &str) -> Tree {
        let mut changed = Tree::new();
        for (path, entry) in tree {
            let has_place = super::parent(path).is_empty()
                || changed.get(super::parent(path)) == Some(&Entry::Directory);
            match (has_place && self.chance(85), entry) {
                (false, _) => {}
                (true, Entry::Directory) if self.chance(85) => {
                    changed.insert(path.clone(), Entry::Directory);
                }
                (true, Entry::File(..)) if self.chance(80) => {
                    changed.insert(path.clone(), self.file(path, side));
                }
                (true, Entry::Link(_)) if self.chance(50) => {
                    changed.insert(path.clone(), entry.clone());
                }
                (true, _) => self.put(&mut changed, path, side),
            }
        }
        for _ in 0..self.below(10) {
            let path = self.path();
            self.put(&mut changed, &path, side);
        }
        changed
    }

    /// Puts something of any kind at a path, if there is room for it.
    fn put(&mut self, tree: &mut Tree, path: &[u8], side: &str) {
        let mut above = super::parent(path);
        let mut missing = Vec::new();
        while !above.is_empty() {
            match tree.get(above) {
                None => missing.push(above.to_vec()),
                Some(Entry::Directory) => {}
                Some(_) => return,
            }
            above = super::parent(above);
        }
        // A backup is never made over a directory.
        let is_backup = |path: &[u8]| path.ends_with(b"~");
        if tree.contains_key(path) || missing.iter().any(|path| is_backup(path)) {
            return;
        }
        tree.extend(missing.into_iter().map(|path| (path, Entry::Directory)));
        let entry = match self.below(10) {
            _ if is_backup(path) => self.file(path, side),
            0..=3 => Entry::Directory,
            4 => Entry::Link(self.name().into()),
            _ => self.file(path, side),
        };
        tree.insert(path.to_vec(), entry);
    }

    fn file(&mut self, path: &[u8], side: &str) -> Entry {
        Entry::File([side.as_bytes(), path].concat(), *self.pick(&TIMES))
    }
}

fn file_path(top: &FilePath, path: &[u8]) -> PathBuf {
    top.join(OsStr::from_bytes(path))
}

/// Makes the files of a tree in an empty directory.
pub fn make(top: &FilePath, tree: &Tree) {
    for (path, entry) in tree {
        let place = file_path(top, path);
        match entry {
            Entry::Directory => fs::create_dir(place).unwrap(),
            Entry::Link(target) => symlink(OsStr::from_bytes(target), place).unwrap(),
            Entry::File(content, time) => {
                fs::write(&place, content).unwrap();
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(*time as u64);
                fs::File::options().write(true).open(place).unwrap().set_modified(time).unwrap();
            }
        }
    }
}

/// Reads a directory as a tree, with no times.
pub fn read(top: &FilePath) -> Tree {
    let (mut tree, mut left) = (Tree::new(), vec![Path::new()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(file_path(top, &directory)).unwrap() {
            let path = join(&directory, entry.unwrap().file_name().as_bytes());
            let place = file_path(top, &path);
            let entry = if place.is_symlink() {
                Entry::Link(fs::read_link(place).unwrap().as_os_str().as_bytes().to_vec())
            } else if place.is_dir() {
                left.push(path.clone());
                Entry::Directory
            } else {
                Entry::File(fs::read(place).unwrap(), 0)
            };
            tree.insert(path, entry);
        }
    }
    tree
}

/// The same without times.
pub fn without_times(tree: &Tree) -> Tree {
    let timeless = |entry: &Entry| match entry {
        Entry::File(content, _) => Entry::File(content.clone(), 0),
        Entry::Directory | Entry::Link(_) => entry.clone(),
    };
    tree.iter().map(|(path, entry)| (path.clone(), timeless(entry))).collect()
}

/// A tree in a line: `a/`, `a/b=content`, `c@target`.
pub fn shown(tree: &Tree) -> String {
    let line = |(path, entry): (&Path, &Entry)| {
        let path = path.escape_ascii();
        match entry {
            Entry::Directory => format!("{path}/"),
            Entry::File(content, time) => format!("{path}=\"{}\" ({time})", content.escape_ascii()),
            Entry::Link(target) => format!("{path}@{}", target.escape_ascii()),
        }
    };
    tree.iter().map(line).collect::<Vec<_>>().join(" ")
}
