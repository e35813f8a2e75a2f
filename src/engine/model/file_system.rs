//! The model's file system: inodes, names, watches, and the queue of the kernel.

use crate::engine::rel_path::join;
use crate::engine::watching::event::{mask, RawEvent, Wd};
use std::collections::{BTreeMap, VecDeque};

pub(super) const ROOT: usize = 0;
/// A directory beside the root, to move things out to and in from.
const OUTSIDE: usize = 1;

/// What everything is called: few names, so that they come again. One is as those under which rsync receives.
const NAMES: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b".e.E5E5E5"];

/// Shows what happens, for a seed that fails: `SERSYNC_MODEL_TRACE=1 SERSYNC_MODEL_SEEDS=7-7`.
pub(super) fn trace(line: impl FnOnce() -> String) {
    if std::env::var_os("SERSYNC_MODEL_TRACE").is_some() {
        println!("{}", line());
    }
}

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

pub(super) type Name = Box<[u8]>;

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Dir(BTreeMap<Name, usize>),
    File { content: u64, links: u64 },
    Symlink(u64),
}

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    pub(super) mode: u64,
    pub(super) wd: Option<Wd>,
    /// Its change time.
    pub(super) changed_ns: u64,
}

/// What there is to compare: path to kind, content and mode. Directories compare by their mode too.
pub(super) type Image = BTreeMap<Vec<u8>, (char, u64, u64)>;

pub(super) struct FileSystem {
    pub(super) inodes: Vec<Inode>,
    pub(super) queue: VecDeque<RawEvent>,
    pub(super) last_wd: i32,
    pub(super) last_cookie: u32,
    pub(super) stamp: u64,
    pub(super) watches_max: usize,
    /// What changes are stamped with now.
    pub(super) now_ns: u64,
    /// Files created and not closed: directory, name, inode.
    pub(super) open: Vec<(usize, Name, usize)>,
}

impl FileSystem {
    pub(super) fn new() -> Self {
        let dir = || Inode { kind: Kind::Dir(BTreeMap::new()), mode: 0, wd: None, changed_ns: 0 };
        FileSystem {
            inodes: vec![dir(), dir()],
            queue: VecDeque::new(),
            last_wd: 0,
            last_cookie: 0,
            stamp: 0,
            watches_max: usize::MAX,
            now_ns: 0,
            open: Vec::new(),
        }
    }

    pub(super) fn entries(&self, dir: usize) -> &BTreeMap<Name, usize> {
        match &self.inodes[dir].kind {
            Kind::Dir(entries) => entries,
            Kind::File { .. } | Kind::Symlink(_) => panic!("not a directory"),
        }
    }

    pub(super) fn entries_mut(&mut self, dir: usize) -> &mut BTreeMap<Name, usize> {
        match &mut self.inodes[dir].kind {
            Kind::Dir(entries) => entries,
            Kind::File { .. } | Kind::Symlink(_) => panic!("not a directory"),
        }
    }

    pub(super) fn is_dir(&self, ino: usize) -> bool {
        matches!(self.inodes[ino].kind, Kind::Dir(_))
    }

    pub(super) fn tell(&mut self, dir: usize, name: &[u8], mut bits: u32, cookie: u32, ino: usize) {
        trace(|| format!("        [{dir}]/{} {bits:x} of [{ino}]", name.escape_ascii()));
        if let Some(wd) = self.inodes[dir].wd {
            if self.is_dir(ino) {
                bits |= mask::ISDIR;
            }
            self.queue.push_back(RawEvent { wd, mask: bits, cookie, name: name.into() });
        }
    }

    pub(super) fn unwatch(&mut self, ino: usize) {
        if let Some(wd) = self.inodes[ino].wd.take() {
            let name = Box::default();
            self.queue.push_back(RawEvent { wd, mask: mask::IGNORED, cookie: 0, name });
        }
    }

    fn touch(&mut self, ino: usize) {
        self.inodes[ino].changed_ns = self.now_ns;
    }

    /// Nobody watches any more, and what was queued is gone.
    pub(super) fn forget_watches(&mut self) {
        self.queue.clear();
        self.inodes.iter_mut().for_each(|inode| inode.wd = None);
    }

    pub(super) fn fresh(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    pub(super) fn add(&mut self, dir: usize, name: &[u8], kind: Kind) -> usize {
        let ino = self.inodes.len();
        let mode = self.fresh();
        self.inodes.push(Inode { kind, mode, wd: None, changed_ns: self.now_ns });
        self.entries_mut(dir).insert(name.into(), ino);
        self.touch(dir);
        self.tell(dir, name, mask::CREATE, 0, ino);
        ino
    }

    pub(super) fn remove(&mut self, dir: usize, name: &[u8]) {
        let Some(ino) = self.entries_mut(dir).remove(name) else { return };
        if self.is_dir(ino) {
            for below in self.entries(ino).keys().cloned().collect::<Vec<_>>() {
                self.remove(ino, &below);
            }
        }
        self.touch(dir);
        self.touch(ino);
        self.tell(dir, name, mask::DELETE, 0, ino);
        if let Kind::File { links, .. } = &mut self.inodes[ino].kind {
            *links -= 1;
        }
        self.unwatch(ino);
    }

    pub(super) fn holds(&self, dir: usize, ino: usize) -> bool {
        dir == ino
            || self.is_dir(dir) && self.entries(dir).values().any(|&below| self.holds(below, ino))
    }

    pub(super) fn rename(&mut self, from: (usize, &[u8]), to: (usize, &[u8]), exchange: bool) {
        let ino = self.entries(from.0)[from.1];
        let other = self.entries(to.0).get(to.1).copied();
        if other == Some(ino) || self.holds(ino, to.0) {
            return;
        }
        if exchange {
            let Some(other) = other else { return };
            if self.holds(other, from.0) {
                return;
            }
            self.entries_mut(from.0).insert(from.1.into(), other);
            self.entries_mut(to.0).insert(to.1.into(), ino);
            [ino, other, from.0, to.0].into_iter().for_each(|ino| self.touch(ino));
            self.tell_move(from, to, ino);
            self.tell_move(to, from, other);
            return;
        }
        if let Some(other) = other {
            let fits = match (self.is_dir(ino), self.is_dir(other)) {
                (true, true) => self.entries(other).is_empty(),
                (false, false) => true,
                (true, false) | (false, true) => false,
            };
            if !fits {
                return;
            }
        }
        self.entries_mut(from.0).remove(from.1);
        self.entries_mut(to.0).insert(to.1.into(), ino);
        [ino, from.0, to.0].into_iter().for_each(|ino| self.touch(ino));
        self.tell_move(from, to, ino);
        if let Some(other) = other {
            self.touch(other);
            self.unwatch(other);
        }
    }

    pub(super) fn tell_move(&mut self, from: (usize, &[u8]), to: (usize, &[u8]), ino: usize) {
        self.last_cookie += 1;
        self.tell(from.0, from.1, mask::MOVED_FROM, self.last_cookie, ino);
        self.tell(to.0, to.1, mask::MOVED_TO, self.last_cookie, ino);
    }

    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).try_fold(
            ROOT,
            |dir, name| match &self.inodes[dir].kind {
                Kind::Dir(entries) => entries.get(name).copied(),
                Kind::File { .. } | Kind::Symlink(_) => None,
            },
        )
    }

    /// `None` if the limit is reached.
    pub(super) fn watch(&mut self, ino: usize) -> Option<Wd> {
        let watches = self.inodes.iter().filter(|inode| inode.wd.is_some()).count();
        if self.inodes[ino].wd.is_none() && watches < self.watches_max {
            self.last_wd += 1;
            self.inodes[ino].wd = Some(Wd(self.last_wd));
        }
        self.inodes[ino].wd
    }

    pub(super) fn dirs(&self, at: usize, found: &mut Vec<usize>) {
        found.push(at);
        for &ino in self.entries(at).values() {
            if self.is_dir(ino) {
                self.dirs(ino, found);
            }
        }
    }

    pub(super) fn describe(&self, ino: usize) -> (char, u64, u64) {
        let Inode { kind, mode, .. } = &self.inodes[ino];
        match kind {
            Kind::Dir(_) => ('d', 0, *mode),
            Kind::File { content, .. } => ('f', *content, *mode),
            Kind::Symlink(target) => ('l', *target, 0),
        }
    }

    pub(super) fn image(&self) -> Image {
        let mut image = Image::new();
        self.image_below(ROOT, b"", &mut image);
        image
    }

    pub(super) fn image_below(&self, dir: usize, path: &[u8], image: &mut Image) {
        for (name, &ino) in self.entries(dir) {
            let path = join(path, name);
            image.insert(path.clone(), self.describe(ino));
            if self.is_dir(ino) {
                self.image_below(ino, &path, image);
            }
        }
    }

    /// One random thing that somebody does.
    pub(super) fn disturb(&mut self, random: &mut Random, attrib: bool) {
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
        match (random.below(16), here) {
            (0..=3, None) => {
                let content = self.fresh();
                let ino = self.add(dir, &name, Kind::File { content, links: 1 });
                self.open.push((dir, name, ino));
                if !random.one_in(3) {
                    self.close(self.open.len() - 1);
                }
            }
            (4..=6, None) => {
                self.add(dir, &name, Kind::Dir(BTreeMap::new()));
            }
            (7, None) => {
                let target = self.fresh();
                self.add(dir, &name, Kind::Symlink(target));
            }
            (8, None) => {
                let files: Vec<_> = self.entries(to).values().copied().collect();
                let file = files.into_iter().find(|&ino| !self.is_dir(ino));
                if let Some(ino) = file {
                    if let Kind::File { links, .. } = &mut self.inodes[ino].kind {
                        *links += 1;
                        [ino, dir].into_iter().for_each(|ino| self.touch(ino));
                        self.entries_mut(dir).insert(name.clone(), ino);
                        self.tell(dir, &name, mask::CREATE, 0, ino);
                    }
                }
            }
            (0..=3, Some(ino)) => {
                let fresh = self.fresh();
                if let Kind::File { content, links: 1 } = &mut self.inodes[ino].kind {
                    *content = fresh;
                    self.touch(ino);
                    self.tell(dir, &name, mask::CLOSE_WRITE, 0, ino);
                }
            }
            (4..=8, Some(_)) => {
                self.rename((dir, &name), (to, &new_name), random.one_in(5));
            }
            (9..=11, Some(ino)) if !self.is_dir(ino) => self.remove(dir, &name),
            (9, Some(_)) => self.remove(dir, &name),
            (12, Some(ino)) if attrib && !matches!(self.inodes[ino].kind, Kind::Symlink(_)) => {
                if matches!(self.inodes[ino].kind, Kind::File { links, .. } if links > 1) {
                    return; // Only one of its names is told, which rsync without -H cannot mend.
                }
                self.inodes[ino].mode = self.fresh();
                self.touch(ino);
                self.tell(dir, &name, mask::ATTRIB, 0, ino);
            }
            _ => {
                if !self.open.is_empty() {
                    self.close(random.below(self.open.len()));
                }
            }
        }
    }

    /// The writer of a created file closes it, wherever it is now.
    pub(super) fn close(&mut self, number: usize) {
        let (_, _, ino) = self.open.swap_remove(number);
        let content = self.fresh();
        // A file with two names would have to tell both, which the kernel does not.
        if let Kind::File { content: old, links: 0 | 1 } = &mut self.inodes[ino].kind {
            *old = content;
            self.touch(ino);
        }
        // The kernel tells the directory where the file was opened, under its name of now.
        for dir in 0..self.inodes.len() {
            if self.is_dir(dir) {
                let names = self.entries(dir).iter().filter(|(_, &at)| at == ino);
                for name in names.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
                    self.tell(dir, &name, mask::CLOSE_WRITE, 0, ino);
                }
            }
        }
    }
}
