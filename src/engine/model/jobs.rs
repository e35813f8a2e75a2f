//! The model's jobs: what rsync does on the far side, one path at a time, while everything else goes on.

use super::super::{Input, Job, JobId, Work};
use super::file_system::{trace, Kind};
use super::World;
use crate::engine::rel_path::{above, lies_in, RelPath};
use crate::engine::watching::settle::{Seen, Stamp};
use crate::rsync::asked::level::Depth;
use crate::rsync::asked::licence::Licence;
use crate::rsync::asked::plan::Gone;
use crate::rsync::told::exit::Exit;
use crate::rsync::told::outcome::Outcome;
use std::collections::VecDeque;

/// One file in so many is large.
const LARGE_ONE_IN: u64 = 4;

/// A job under way: what is still to be sent.
pub(super) struct Sending {
    id: JobId,
    remote: usize,
    paths: VecDeque<(RelPath, Gone)>,
    /// There were none, and nothing is run.
    nothing: bool,
    /// What it has found to be large and has not told yet.
    large: Vec<(RelPath, Stamp)>,
    /// It sends a large file: as that was when it was opened, once it has been, and what the
    /// directories above it were then.
    bulk: bool,
    opened: Option<(char, u64, u64)>,
    above: Vec<(Vec<u8>, (char, u64, u64))>,
    /// Steps until it ends, and with which exit code.
    fails: Option<(usize, i32)>,
}

impl World {
    pub(super) fn start(&mut self, job: Job) {
        let remote = job.remote.0;
        let bulk = matches!(job.work, Work::Bulk { .. });
        let listed = bulk || matches!(job.work, Work::Batch { .. });
        let mut large = Vec::new();
        let paths: VecDeque<_> = match job.work {
            Work::Batch { paths, .. } => {
                large = paths.iter().filter_map(|(path, _)| self.large(path)).collect();
                let is_large = |path: &RelPath| large.iter().any(|(file, _)| file == path);
                paths.into_iter().filter(|(path, _)| !is_large(path)).collect()
            }
            Work::Bulk { path, .. } => {
                large.extend(self.large(&path.0));
                VecDeque::from([path])
            }
            Work::Level { directories, licence, .. } => {
                directories.iter().flat_map(|it| self.level(remote, it, licence)).collect()
            }
            Work::FullSync { licence, .. } => {
                let here = self.fs.image();
                if licence.covers_unseen() {
                    self.remotes[remote].retain(|path, _| here.contains_key(path));
                }
                here.into_keys().map(|path| (RelPath::from(path), Gone::No)).collect()
            }
        };
        let fails = (self.failures && self.random.one_in(4)).then(|| {
            let code = [3, 11, 12, 23, 30][self.random.below(5)];
            (self.random.below(paths.len() + 1), code)
        });
        let (id, nothing) = (job.id, listed && paths.is_empty());
        let fails = fails.filter(|_| !nothing);
        let (opened, above) = (None, Vec::new());
        self.jobs.push(Sending { id, remote, paths, nothing, large, bulk, opened, above, fails });
    }

    /// Of a file, by its content, whether it is a large one.
    fn large(&self, path: &RelPath) -> Option<(RelPath, Stamp)> {
        match self.look(path) {
            Seen::Regular { stamp, .. } if stamp.size % LARGE_ONE_IN == 0 => {
                Some((path.clone(), stamp))
            }
            Seen::Regular { .. } | Seen::Missing | Seen::Directory | Seen::Other => None,
        }
    }

    /// The paths of a directory that is made equal as a whole, after what only the far side has in it
    /// has been deleted.
    fn level(
        &mut self,
        remote: usize,
        (directory, depth): &(RelPath, Depth),
        licence: Licence,
    ) -> Vec<(RelPath, Gone)> {
        if !self.fs.find(directory).is_some_and(|ino| self.fs.is_dir(ino)) {
            return Vec::new();
        }
        let inside = |path: &[u8]| {
            let rest = match &**directory {
                b"" => Some(path),
                above => path.strip_prefix(above).and_then(|rest| rest.strip_prefix(b"/")),
            };
            rest.is_some_and(|rest| *depth == Depth::All || !rest.contains(&b'/'))
        };
        let here = self.fs.image();
        let far = &mut self.remotes[remote];
        let extra =
            |path: &&Vec<u8>| licence.covers_unseen() && inside(path) && !here.contains_key(*path);
        let extra: Vec<_> = far.keys().filter(extra).cloned().collect();
        far.retain(|path, _| !extra.iter().any(|above| lies_in(path, above)));
        let itself = (!directory.is_empty()).then(|| directory.clone());
        let inside = here.into_keys().filter(|path| inside(path)).map(RelPath::from);
        itself.into_iter().chain(inside).map(|path| (path, Gone::No)).collect()
    }

    pub(super) fn job_step(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let number = self.random.below(self.jobs.len());
        let job = &mut self.jobs[number];
        if !job.large.is_empty() {
            let (id, large) = (job.id, std::mem::take(&mut job.large));
            return self.handle(Input::Large(id, large));
        }
        if job.bulk && job.opened.is_none() {
            return self.open(number);
        }
        let next = match &mut job.fails {
            Some((0, code)) => Err(*code),
            Some((left, _)) => {
                *left -= 1;
                job.paths.pop_front().ok_or(0)
            }
            None => job.paths.pop_front().ok_or(0),
        };
        match next {
            Ok((path, gone)) => {
                let (remote, opened) = (job.remote, job.opened.filter(|_| job.bulk));
                if !opened.is_some_and(|file| self.land(number, &path, file)) {
                    self.send(remote, &path, gone);
                }
            }
            Err(code) => {
                let Sending { id, paths, nothing, .. } = self.jobs.swap_remove(number);
                // The far side had no room for the path that it had come to.
                let named: Vec<_> = match code {
                    11 => paths.front().map(|(path, _)| path.to_vec()).into_iter().collect(),
                    _ => Vec::new(),
                };
                let stderr = if named.is_empty() { "" } else { "write failed on \"it\"" };
                while !self.fs.queue.is_empty() {
                    self.deliver_event();
                }
                self.read_up_to();
                let outcome = if nothing {
                    Outcome::Nothing
                } else {
                    Outcome::of(&Exit::with_code(code, stderr), None).naming(|| named)
                };
                self.handle(Input::JobEnded(id, outcome, None));
            }
        }
    }

    /// A large file is opened, and goes on its way as it is now, whatever becomes of its name. The way
    /// to it is made on the far side, even if it has just been deleted there.
    fn open(&mut self, number: usize) {
        let job = &mut self.jobs[number];
        let remote = job.remote;
        let Some((path, _)) = job.paths.front().cloned() else { return };
        let is_file = |ino: usize| matches!(self.fs.inodes[ino].kind, Kind::File { .. });
        let found = self.fs.find(&path).filter(|&ino| is_file(ino));
        // With nothing to be opened, it is done what has to be done at this moment.
        job.opened = Some(found.map_or(('-', 0, 0), |ino| self.fs.describe(ino)));
        if found.is_none() {
            return;
        }
        let far = &mut self.remotes[remote];
        if far.get(&*path).is_some_and(|(kind, ..)| *kind == 'd') {
            far.retain(|other, _| !lies_in(other, &path));
        }
        for above in above(&path) {
            let ino = self.fs.find(above).expect("a path that is there has its parents");
            let is = self.fs.describe(ino);
            self.jobs[number].above.push((above.to_vec(), is));
            if far.get(above).is_none_or(|(kind, ..)| *kind != 'd') {
                far.insert(above.to_vec(), is);
            }
        }
    }

    /// A large file that has been opened has been sent. Without the directory in which it was being
    /// written, or with another one in its place, it is an error. The directories above it get back
    /// what they were. Gives `false` if none was opened.
    fn land(&mut self, number: usize, path: &[u8], file: (char, u64, u64)) -> bool {
        if file.0 == '-' {
            return false;
        }
        let far = &mut self.remotes[self.jobs[number].remote];
        let parent = above(path).last();
        let is_dir = |path: &[u8]| far.get(path).is_some_and(|(kind, ..)| *kind == 'd');
        if parent.is_none_or(is_dir) && !is_dir(path) {
            far.insert(path.to_vec(), file);
        } else {
            self.jobs[number].fails = Some((0, 23));
        }
        for (above, is) in std::mem::take(&mut self.jobs[number].above) {
            far.entry(above).and_modify(|there| {
                if there.0 == 'd' {
                    *there = is;
                }
            });
        }
        true
    }

    /// What rsync does for one path of a list, by what the path is at this moment.
    fn send(&mut self, remote: usize, path: &[u8], gone: Gone) {
        if path.is_empty() {
            return; // The root's own attributes are not looked at here.
        }
        let far = &mut self.remotes[remote];
        let below = |path: &[u8], other: &[u8]| {
            other.len() > path.len() && other.starts_with(path) && other[path.len()] == b'/'
        };
        let found = self.fs.find(path);
        trace(|| format!("        job to {remote}: {} {found:?}", path.escape_ascii()));
        let Some(ino) = found else {
            if gone != Gone::No {
                far.retain(|other, _| other != path && !below(path, other));
            }
            return;
        };
        for end in (0..path.len()).filter(|&at| path[at] == b'/') {
            let above = &path[..end];
            if far.get(above).is_none_or(|(kind, ..)| *kind != 'd') {
                let ino = self.fs.find(above).expect("a path that is there has its parents");
                far.insert(above.to_vec(), self.fs.describe(ino));
            }
        }
        if !self.fs.is_dir(ino) {
            far.retain(|other, _| !below(path, other));
        } else if gone == Gone::Directory {
            let is_there = |other: &Vec<u8>, kind: char| {
                let found = self.fs.find(other);
                found.is_some_and(|ino| (kind == 'd') == self.fs.is_dir(ino))
            };
            far.retain(|other, (kind, ..)| !below(path, other) || is_there(other, *kind));
        }
        far.insert(path.to_vec(), self.fs.describe(ino));
    }
}
