//! The model's file system: inodes, names, watches, and the queue of the kernel.

use crate::engine::rel_path::join;
use crate::engine::watching::event::{mask, RawEvent, Wd};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(super) const ROOT: usize = 0;
/// A directory beside the root, to move things out to and in from.
pub(super) const OUTSIDE: usize = 1;

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
    File { content: u64, modified: u64, links: u64 },
    Symlink(u64),
}

/// What a name is, as far as it is compared. Directories compare by their mode only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Is {
    pub(super) kind: char,
    pub(super) content: u64,
    pub(super) mode: u64,
    /// Of a file, the time of its content.
    pub(super) modified: u64,
}

impl Is {
    pub(super) fn is_dir(self) -> bool {
        self.kind == 'd'
    }

    pub(super) fn is_file(self) -> bool {
        self.kind == 'f'
    }

    /// Whether nothing but attributes differ, as far as rsync compares without a checksum.
    pub(super) fn has_content_of(self, other: Is) -> bool {
        let content = |is: Is| (is.kind, is.content, is.modified);
        content(self) == content(other)
    }
}

#[derive(Debug)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    pub(super) mode: u64,
    pub(super) wd: Option<Wd>,
    /// Its change time.
    pub(super) changed_ns: u64,
    /// That of its last write.
    pub(super) written_ns: u64,
    /// Of a file with several names, the one by which it was changed: until that is looked at, nothing else tells of it.
    pub(super) changed_by: Option<(usize, Name)>,
}

/// What there is to compare.
pub(super) type Image = BTreeMap<Vec<u8>, Is>;

/// An event in the kernel's queue, and what went by it, if something did.
pub(super) struct Queued {
    pub(super) event: RawEvent,
    pub(super) went: Option<Went>,
}

/// A name that went.
#[derive(Debug, Clone)]
pub(super) struct Went {
    pub(super) path: Vec<u8>,
    /// The directory that it went from, wherever that is by the time somebody is told.
    pub(super) from: (usize, Name),
}

pub(super) struct FileSystem {
    pub(super) inodes: Vec<Inode>,
    pub(super) queue: VecDeque<Queued>,
    /// What went without being told: nobody watched, or the event was lost.
    pub(super) untold: BTreeSet<Vec<u8>>,
    pub(super) last_wd: i32,
    pub(super) last_cookie: u32,
    pub(super) stamp: u64,
    pub(super) watches_max: usize,
    /// What changes are stamped with now.
    pub(super) now_ns: u64,
    /// Files created and not closed: directory and name by which they were opened, as these are now, and inode.
    pub(super) open: Vec<(usize, Name, usize)>,
}

impl FileSystem {
    pub(super) fn new() -> Self {
        let dir = || Inode {
            kind: Kind::Dir(BTreeMap::new()),
            mode: 0,
            wd: None,
            changed_ns: 0,
            written_ns: 0,
            changed_by: None,
        };
        FileSystem {
            inodes: vec![dir(), dir()],
            queue: VecDeque::new(),
            untold: BTreeSet::new(),
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
        trace(|| {
            let path =
                self.path_of(dir).map_or("outside".into(), |path| path.escape_ascii().to_string());
            format!("        [{dir}] {path}/{} {bits:x} of [{ino}]", name.escape_ascii())
        });
        let goes = bits & (mask::DELETE | mask::MOVED_FROM) != 0;
        let path = self.path_of(dir).filter(|_| goes).map(|dir| join(&dir, name));
        let went = path.map(|path| Went { path, from: (dir, name.into()) });
        match self.inodes[dir].wd {
            Some(wd) => {
                if self.is_dir(ino) {
                    bits |= mask::ISDIR;
                }
                let event = RawEvent { wd, mask: bits, cookie, name: name.into() };
                self.queue.push_back(Queued { event, went });
            }
            None => self.untold.extend(went.map(|went| went.path)),
        }
    }

    pub(super) fn unwatch(&mut self, ino: usize) {
        if let Some(wd) = self.inodes[ino].wd.take() {
            let event = RawEvent { wd, mask: mask::IGNORED, cookie: 0, name: Box::default() };
            self.queue.push_back(Queued { event, went: None });
        }
    }

    /// The queue overflows: what is in it is told to nobody.
    pub(super) fn overflow(&mut self) {
        self.lose_queue();
        let event =
            RawEvent { wd: Wd(-1), mask: mask::Q_OVERFLOW, cookie: 0, name: Box::default() };
        self.queue.push_back(Queued { event, went: None });
    }

    pub(super) fn lose_queue(&mut self) {
        let went = self.queue.drain(..).filter_map(|queued| queued.went);
        self.untold.extend(went.map(|went| went.path));
    }

    /// The paths of all directories below the root.
    pub(super) fn paths_of_dirs(&self) -> BTreeMap<usize, Vec<u8>> {
        let mut paths = BTreeMap::new();
        let mut ahead = vec![(ROOT, Vec::new())];
        while let Some((dir, path)) = ahead.pop() {
            for (name, &ino) in self.entries(dir).iter().filter(|(_, &ino)| self.is_dir(ino)) {
                ahead.push((ino, join(&path, name)));
            }
            paths.insert(dir, path);
        }
        paths
    }

    /// The path of a directory, if it lies below the root.
    pub(super) fn path_of(&self, dir: usize) -> Option<Vec<u8>> {
        self.path_below(ROOT, b"", dir)
    }

    fn path_below(&self, above: usize, path: &[u8], dir: usize) -> Option<Vec<u8>> {
        if above == dir {
            return Some(path.to_vec());
        }
        let mut dirs = self.entries(above).iter().filter(|(_, &ino)| self.is_dir(ino));
        dirs.find_map(|(name, &ino)| self.path_below(ino, &join(path, name), dir))
    }

    /// Writes to a file, by one of its names, and gives whether it could. Who writes by a name that nobody watches would have to
    /// be found by the other names, as they are looked at for a while: that has limits.
    pub(super) fn write(&mut self, dir: usize, name: &[u8], ino: usize) -> bool {
        let is_seen = self.watches_max == usize::MAX && self.path_of(dir).is_some();
        let fresh = self.fresh();
        match &mut self.inodes[ino].kind {
            Kind::File { content, modified, links } if *links <= 1 || is_seen => {
                (*content, *modified) = (fresh, fresh);
                self.touch(ino);
                self.inodes[ino].written_ns = self.now_ns;
                self.changed_by(dir, name, ino);
                true
            }
            Kind::File { .. } | Kind::Dir(_) | Kind::Symlink(_) => false,
        }
    }

    /// A name by which something was changed: of a file with several names, it alone tells of the change.
    pub(super) fn changed_by(&mut self, dir: usize, name: &[u8], ino: usize) {
        let has_others = matches!(self.inodes[ino].kind, Kind::File { links, .. } if links > 1);
        self.inodes[ino].changed_by = has_others.then(|| (dir, name.into()));
    }

    /// Who has deleted the name by which he changed a file before that was looked at changes it by another one. If he did
    /// not, nothing would tell that the other names have changed: that is a limit of the program.
    pub(super) fn change_by_names_that_stay(&mut self) {
        for ino in 0..self.inodes.len() {
            let Some((dir, name)) = self.inodes[ino].changed_by.clone() else { continue };
            if self.entries(dir).get(&name) == Some(&ino) && self.path_of(dir).is_some() {
                continue;
            }
            self.inodes[ino].changed_by = None;
            let dirs: Vec<usize> = self.paths_of_dirs().into_keys().collect();
            let place = dirs.into_iter().find_map(|dir| {
                let name = self.entries(dir).iter().find(|(_, &it)| it == ino);
                name.map(|(name, _)| (dir, name.clone()))
            });
            if let Some((dir, name)) = place.filter(|(dir, name)| self.write(*dir, name, ino)) {
                self.tell(dir, &name, mask::CLOSE_WRITE, 0, ino);
            }
        }
    }

    /// All names below the root of these inodes.
    pub(super) fn names(&self, wanted: impl Fn(usize) -> bool) -> Vec<(usize, Vec<u8>)> {
        let (mut found, mut ahead) = (Vec::new(), vec![(ROOT, Vec::new())]);
        while let Some((dir, path)) = ahead.pop() {
            for (name, &ino) in self.entries(dir) {
                let path = join(&path, name);
                if self.is_dir(ino) {
                    ahead.push((ino, path));
                } else if wanted(ino) {
                    found.push((ino, path));
                }
            }
        }
        found
    }

    pub(super) fn touch(&mut self, ino: usize) {
        self.inodes[ino].changed_ns = self.now_ns;
    }

    /// Nobody watches any more, and what was queued is gone.
    pub(super) fn forget_watches(&mut self) {
        self.lose_queue();
        self.inodes.iter_mut().for_each(|inode| inode.wd = None);
    }

    pub(super) fn fresh(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    pub(super) fn add(&mut self, dir: usize, name: &[u8], kind: Kind) -> usize {
        let ino = self.inodes.len();
        let mode = self.fresh();
        let (changed_ns, written_ns) = (self.now_ns, self.now_ns);
        let (wd, changed_by) = (None, None);
        self.inodes.push(Inode { kind, mode, wd, changed_ns, written_ns, changed_by });
        self.entries_mut(dir).insert(name.into(), ino);
        self.touch(dir);
        self.tell(dir, name, mask::CREATE, 0, ino);
        ino
    }

    pub(super) fn remove(&mut self, dir: usize, name: &[u8]) {
        let Some(ino) = self.entries(dir).get(name).copied() else { return };
        if self.is_dir(ino) {
            for below in self.entries(ino).keys().cloned().collect::<Vec<_>>() {
                self.remove(ino, &below);
            }
        }
        self.entries_mut(dir).remove(name);
        self.touch(dir);
        self.touch(ino);
        self.tell(dir, name, mask::DELETE, 0, ino);
        self.lose_name(ino);
    }

    fn lose_name(&mut self, ino: usize) {
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
            self.lose_name(other);
        }
    }

    pub(super) fn tell_move(&mut self, from: (usize, &[u8]), to: (usize, &[u8]), ino: usize) {
        self.last_cookie += 1;
        for (dir, name, opened) in &mut self.open {
            if (*dir, &**name, *opened) == (from.0, from.1, ino) {
                (*dir, *name) = (to.0, to.1.into());
            }
        }
        if self.inodes[ino].changed_by.as_ref().is_some_and(|by| (by.0, &*by.1) == from) {
            self.inodes[ino].changed_by = Some((to.0, to.1.into()));
        }
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

    pub(super) fn describe(&self, ino: usize) -> Is {
        let Inode { kind, mode, .. } = &self.inodes[ino];
        let is = |kind, content, modified| Is { kind, content, mode: *mode, modified };
        match kind {
            Kind::Dir(_) => is('d', 0, 0),
            Kind::File { content, modified, .. } => is('f', *content, *modified),
            Kind::Symlink(target) => Is { mode: 0, ..is('l', *target, 0) },
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
}
