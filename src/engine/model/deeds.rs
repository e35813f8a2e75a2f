//! What somebody does in the model's file system, at random.

use super::file_system::{FileSystem, Kind, Name, Random, OUTSIDE, ROOT};
use crate::engine::watching::event::mask;
use std::collections::BTreeMap;

/// What everything is called: few names, so that they come again. One is as those under which rsync receives.
pub(super) const NAMES: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b".e.E5E5E5"];

/// What is not done, because the configuration does not look at it or rsync cannot mend it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Modes are changed.
    pub(super) attrib: bool,
    /// Newer files are not replaced by older ones, unless they are deleted first: with `-u` they stay over there.
    pub(super) update: bool,
}

/// A copy of what is under a name.
enum Copied {
    Dir(u64, Vec<(Name, Copied)>),
    File { content: u64, modified: u64, mode: u64 },
    Symlink(u64),
}

impl FileSystem {
    /// One random thing that somebody does.
    pub(super) fn disturb(&mut self, random: &mut Random, habits: Habits) {
        let mut dirs = Vec::new();
        self.dirs(ROOT, &mut dirs);
        if random.one_in(6) {
            self.dirs(OUTSIDE, &mut dirs);
        }
        let dir = dirs[random.below(dirs.len())];
        let to = dirs[random.below(dirs.len())];
        let name: Name = NAMES[random.below(NAMES.len())].into();
        let new_name: Name = NAMES[random.below(NAMES.len())].into();
        let here = self.entries(dir).get(&name).copied();
        match (random.below(18), here) {
            (0..=3, None) => self.write_new(dir, name, random),
            (4..=6, None) => {
                self.add(dir, &name, Kind::Dir(BTreeMap::new()));
            }
            (7, None) => {
                let target = self.fresh();
                self.add(dir, &name, Kind::Symlink(target));
            }
            (8, None) => self.link_one_of(to, dir, &name),
            (0..=3, Some(ino)) => self.write_again(dir, &name, ino),
            (4..=8, Some(_)) => {
                let exchange = random.one_in(5);
                if !habits.update || exchange || !self.is_older((dir, &name), (to, &new_name)) {
                    self.rename((dir, &name), (to, &new_name), exchange);
                }
            }
            (9..=11, Some(ino)) if !self.is_dir(ino) => self.remove(dir, &name),
            (9, Some(_)) => self.remove(dir, &name),
            (12, Some(ino)) if habits.attrib => self.change_mode(dir, &name, ino),
            (13 | 14, Some(ino)) => self.restore(dir, &name, ino),
            (15, Some(ino)) if !self.entries(to).contains_key(&new_name) => {
                let copied = self.copied(ino);
                self.plant(to, &new_name, copied, false);
            }
            (16, Some(ino)) if !self.entries(to).contains_key(&new_name) => {
                // A release that is put aside, and goes on from a copy.
                self.rename((dir, &name), (to, &new_name), false);
                if self.entries(to).get(&new_name) == Some(&ino) {
                    let copied = self.copied(ino);
                    self.plant(dir, &name, copied, false);
                }
            }
            _ => {
                if !self.open.is_empty() {
                    self.close(random.below(self.open.len()));
                }
            }
        }
    }

    fn write_new(&mut self, dir: usize, name: Name, random: &mut Random) {
        let content = self.fresh();
        let ino = self.add(dir, &name, Kind::File { content, modified: content, links: 1 });
        self.open.push((dir, name, ino));
        if !random.one_in(3) {
            self.close(self.open.len() - 1);
        }
    }

    fn write_again(&mut self, dir: usize, name: &[u8], ino: usize) {
        if self.write(dir, name, ino) {
            self.tell(dir, name, mask::CLOSE_WRITE, 0, ino);
        }
    }

    /// The first file of one directory gets a second name in another.
    fn link_one_of(&mut self, from: usize, dir: usize, name: &[u8]) {
        let file = self.entries(from).values().copied().find(|&ino| !self.is_dir(ino));
        let Some(ino) = file else { return };
        if let Kind::File { links, .. } = &mut self.inodes[ino].kind {
            *links += 1;
            [ino, dir].into_iter().for_each(|ino| self.touch(ino));
            self.entries_mut(dir).insert(name.into(), ino);
            self.tell(dir, name, mask::CREATE, 0, ino);
        }
    }

    fn change_mode(&mut self, dir: usize, name: &[u8], ino: usize) {
        match self.inodes[ino].kind {
            Kind::File { links, .. } if links > 1 && self.watches_max < usize::MAX => return,
            Kind::Symlink(_) => return,
            Kind::File { .. } | Kind::Dir(_) => {}
        }
        self.inodes[ino].mode = self.fresh();
        self.touch(ino);
        self.changed_by(dir, name, ino);
        self.tell(dir, name, mask::ATTRIB, 0, ino);
    }

    /// It is deleted, and comes again from an older backup.
    fn restore(&mut self, dir: usize, name: &[u8], ino: usize) {
        let copied = self.copied(ino);
        self.remove(dir, name);
        self.plant(dir, name, copied, true);
    }

    fn copied(&self, ino: usize) -> Copied {
        match &self.inodes[ino].kind {
            Kind::Dir(entries) => {
                let below = entries.iter().map(|(name, &ino)| (name.clone(), self.copied(ino)));
                Copied::Dir(self.inodes[ino].mode, below.collect())
            }
            Kind::File { content, modified, .. } => {
                let mode = self.inodes[ino].mode;
                Copied::File { content: *content, modified: *modified, mode }
            }
            Kind::Symlink(target) => Copied::Symlink(*target),
        }
    }

    /// Puts a copy under a free name, with the times of the original. An older one has other content.
    fn plant(&mut self, dir: usize, name: &[u8], copied: Copied, older: bool) {
        match copied {
            Copied::Dir(mode, below) => {
                let ino = self.add(dir, name, Kind::Dir(BTreeMap::new()));
                for (name, copied) in below {
                    self.plant(ino, &name, copied, older);
                }
                self.inodes[ino].mode = mode;
                self.tell(dir, name, mask::ATTRIB, 0, ino);
            }
            Copied::File { content, modified, mode } => {
                let (content, modified) = match older {
                    true => (self.fresh(), modified / 2),
                    false => (content, modified),
                };
                let ino = self.add(dir, name, Kind::File { content, modified, links: 1 });
                self.inodes[ino].mode = mode;
                self.tell(dir, name, mask::CLOSE_WRITE, 0, ino);
            }
            Copied::Symlink(target) => {
                self.add(dir, name, Kind::Symlink(target));
            }
        }
    }

    /// Whether a file is older than the one at another name.
    fn is_older(&self, one: (usize, &[u8]), other: (usize, &[u8])) -> bool {
        let is = |(dir, name): (usize, &[u8])| Some(self.describe(*self.entries(dir).get(name)?));
        match (is(one).filter(|one| one.is_file()), is(other)) {
            (Some(one), Some(other)) if other.is_file() => one.modified < other.modified,
            // It may have come in the place of a newer one, a moment ago.
            (Some(_), Some(_)) => true,
            (None, _) | (_, None) => false,
        }
    }

    /// The writer of a created file closes it, wherever it is now.
    pub(super) fn close(&mut self, number: usize) {
        let (dir, name, ino) = self.open.swap_remove(number);
        self.write(dir, &name, ino);
        // The kernel tells the directory where the file was opened, under its name of now.
        if self.entries(dir).get(&name) == Some(&ino) {
            self.tell(dir, &name, mask::CLOSE_WRITE, 0, ino);
        }
    }
}
