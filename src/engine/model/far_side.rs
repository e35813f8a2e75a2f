//! The model's far side: names and inodes, whose they are, and what rsync does to them.

use super::file_system::{Image, Is};
use crate::engine::rel_path::lies_in;
use std::collections::BTreeMap;

/// What is under a name over there.
#[derive(Debug, Clone, Copy)]
pub(super) struct FarInode {
    pub(super) is: Is,
    /// Another source has put it there.
    pub(super) is_others: bool,
}

/// A directory with something in it cannot make way for something else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InTheWay;

#[derive(Debug, Clone, Default)]
pub(super) struct FarSide {
    names: BTreeMap<Vec<u8>, usize>,
    inodes: Vec<FarInode>,
    /// What has been deleted since somebody asked last.
    deleted: Vec<(Vec<u8>, Is)>,
}

impl FarSide {
    pub(super) fn of(image: Image) -> FarSide {
        let mut far = FarSide::default();
        for (path, is) in image {
            far.add(&path, is, false);
        }
        far
    }

    pub(super) fn image(&self) -> Image {
        self.iter().map(|(path, it)| (path.clone(), it.is)).collect()
    }

    fn add(&mut self, path: &[u8], is: Is, is_others: bool) {
        self.names.insert(path.to_vec(), self.inodes.len());
        self.inodes.push(FarInode { is, is_others });
    }

    /// Another source puts something there, if there is a directory for it.
    pub(super) fn put_by_others(&mut self, path: &[u8], is: Is) {
        let parent = path.iter().rposition(|&byte| byte == b'/').map(|slash| &path[..slash]);
        if parent.is_none_or(|parent| self.is_dir(parent)) && !self.names.contains_key(path) {
            self.add(path, is, true);
        }
    }

    pub(super) fn get(&self, path: &[u8]) -> Option<Is> {
        self.names.get(path).map(|&ino| self.inodes[ino].is)
    }

    pub(super) fn is_dir(&self, path: &[u8]) -> bool {
        self.get(path).is_some_and(Is::is_dir)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Vec<u8>, FarInode)> {
        self.names.iter().map(|(path, &ino)| (path, self.inodes[ino]))
    }

    /// Pairs of names of one inode.
    pub(super) fn joined(&self) -> Vec<(&[u8], &[u8])> {
        let mut first: BTreeMap<usize, &[u8]> = BTreeMap::new();
        let mut pairs = Vec::new();
        for (path, &ino) in &self.names {
            match first.get(&ino) {
                Some(other) => pairs.push((*other, path.as_slice())),
                None => drop(first.insert(ino, path)),
            }
        }
        pairs
    }

    /// What has been deleted since the last call.
    pub(super) fn take_deleted(&mut self) -> Vec<(Vec<u8>, Is)> {
        std::mem::take(&mut self.deleted)
    }

    /// Deletes what is `wanted`, and then has to be so of all that is below it.
    pub(super) fn delete(&mut self, wanted: impl Fn(&[u8], Is) -> bool) {
        let (inodes, deleted) = (&self.inodes, &mut self.deleted);
        self.names.retain(|path, ino| {
            let is = inodes[*ino].is;
            let stays = !wanted(path, is);
            if !stays {
                deleted.push((path.clone(), is));
            }
            stays
        });
    }

    /// Deletes a name, with all that is below it.
    pub(super) fn delete_tree(&mut self, path: &[u8]) {
        self.delete(|other, _| lies_in(other, path));
    }

    /// Whether a directory with something in it is where something else has to be.
    pub(super) fn is_in_the_way(&self, path: &[u8], is: Is) -> bool {
        !is.is_dir() && self.is_dir(path) && self.has_something_below(path)
    }

    pub(super) fn has_something_below(&self, path: &[u8]) -> bool {
        let after = (std::ops::Bound::Excluded(path.to_vec()), std::ops::Bound::Unbounded);
        let mut next = self.names.range(after).map(|(other, _)| other);
        // What sorts between a directory and what is in it begins with its name.
        next.by_ref().take_while(|other| other.starts_with(path)).any(|other| lies_in(other, path))
    }

    /// Whether another source has put it there, or something below it.
    pub(super) fn has_of_others(&self, path: &[u8]) -> bool {
        self.iter().any(|(other, it)| it.is_others && lies_in(other, path))
    }

    /// Whether a file is not sent, with `-u`, because the one there is newer.
    pub(super) fn has_newer(&self, path: &[u8], is: Is) -> bool {
        let there = self.get(path).filter(|there| there.is_file() && is.is_file());
        there.is_some_and(|there| there.modified > is.modified)
    }

    /// What rsync does with one name: attributes are set on the inode that is there, and other content comes with an
    /// inode of its own.
    pub(super) fn put(&mut self, path: &[u8], is: Is) -> Result<(), InTheWay> {
        self.put_anew(path, is, false)
    }

    /// The same; a file is written as a new one if `parts`.
    pub(super) fn put_anew(&mut self, path: &[u8], is: Is, parts: bool) -> Result<(), InTheWay> {
        if self.is_in_the_way(path, is) {
            return Err(InTheWay);
        }
        match self.names.get(path).filter(|_| !(parts && is.is_file())) {
            Some(&ino) if self.inodes[ino].is.has_content_of(is) => {
                self.inodes[ino] = FarInode { is, is_others: false };
            }
            Some(_) | None => self.add(path, is, false),
        }
        Ok(())
    }

    /// The same with `--link-dest`: a file that is the same under one of the old names gets this one as well.
    pub(super) fn put_or_link(&mut self, path: &[u8], is: Is, old: &[Vec<u8>]) {
        let same = self.get(path).is_some_and(|there| there.has_content_of(is));
        let found = old.iter().find(|old| self.get(old) == Some(is));
        match found.filter(|_| is.is_file() && !same && !self.is_in_the_way(path, is)) {
            Some(old) => drop(self.names.insert(path.to_vec(), self.names[old])),
            // What the run of the renames cannot do, the others will meet again.
            None => drop(self.put(path, is)),
        }
    }
}
