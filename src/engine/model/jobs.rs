//! The model's jobs: what rsync does on the far side, one step at a time, while everything else goes on.

use super::super::{Input, Job, JobId, Work};
use super::faults::Fault;
use super::file_system::{trace, Is, Kind};
use super::World;
use crate::engine::rel_path::{above, join, lies_in, RelPath};
use crate::engine::sending::trust::Deletions;
use crate::engine::watching::linked::LinkedFile;
use crate::engine::watching::renames::{far_names, has_two_heirs, Rename};
use crate::engine::watching::settle::{Seen, Stamp};
use crate::rsync::asked::level::Depth;
use crate::rsync::asked::licence::Licence;
use crate::rsync::asked::plan::Gone;
use crate::rsync::told::exit::Exit;
use crate::rsync::told::outcome::Outcome;
use std::collections::VecDeque;

/// One file in so many is large.
const LARGE_ONE_IN: u64 = 4;

/// One thing that rsync does.
#[derive(Debug, Clone)]
enum Step {
    /// It makes a path equal to what is here at this moment.
    Send(RelPath, Was),
    /// It gives what was renamed its new name, by hard links on what it has under an old one.
    Link { to: RelPath, old: Vec<Vec<u8>>, later: Vec<RelPath> },
    /// It deletes an old name.
    Delete(RelPath, Gone),
    /// A sweep reads a directory, as deep as it is meant to, or the directory itself alone.
    Read(RelPath, Option<Depth>),
    /// It deletes what only the far side has in a directory, going by what it has read there.
    Clean(RelPath, Vec<RelPath>),
    /// It makes a path what that was when it was read.
    Put(RelPath, Is),
}

/// What is known of a path that is sent.
#[derive(Debug, Clone, Copy)]
struct Was {
    gone: Gone,
    joined: bool,
}

impl Was {
    /// Nothing has disappeared there.
    const NOT_GONE: Was = Was { gone: Gone::No, joined: false };
}

impl Step {
    fn shown(&self) -> String {
        match self {
            Step::Send(path, was) => format!("send {} {was:?}", path.escape_ascii()),
            Step::Link { to, .. } => format!("link {}", to.escape_ascii()),
            Step::Delete(path, _) => format!("delete {}", path.escape_ascii()),
            Step::Read(path, depth) => format!("read {} {depth:?}", path.escape_ascii()),
            Step::Clean(path, _) => format!("clean {}", path.escape_ascii()),
            Step::Put(path, is) => format!("put {} {is:?}", path.escape_ascii()),
        }
    }
}

/// A job under way: what is still to be done.
pub(super) struct Sending {
    id: JobId,
    pub(super) remote: usize,
    steps: VecDeque<Step>,
    /// Of a sweep: directories that it has yet to read. It reads ahead of what it does.
    reads: VecDeque<Step>,
    is_full: bool,
    /// What it may delete.
    pub(super) licence: Licence,
    /// There was nothing to do, and nothing is run.
    nothing: bool,
    /// What it has found to be large and has not told yet.
    large: Vec<(RelPath, Stamp)>,
    /// What it has found to have more than one name and has not told yet.
    linked: Vec<LinkedFile>,
    /// It sends a large file: as that was when it was opened, once it has been, and what the
    /// directories above it were then.
    bulk: bool,
    opened: Option<Option<Is>>,
    above: Vec<(Vec<u8>, Is)>,
    /// What the far side could not make way for.
    refused: Vec<Vec<u8>>,
    /// Steps until it ends, and with which exit code.
    fails: Option<(usize, i32)>,
    /// The root is another one than it is meant for, and nothing is run.
    root_changed: bool,
}

impl Sending {
    /// One that ends before it has begun, since the path of the root leads to something else.
    fn nowhere(id: JobId, remote: usize) -> Sending {
        Sending {
            id,
            remote,
            steps: VecDeque::new(),
            reads: VecDeque::new(),
            is_full: false,
            licence: Licence::Nothing,
            nothing: false,
            large: Vec::new(),
            linked: Vec::new(),
            bulk: false,
            opened: None,
            above: Vec::new(),
            refused: Vec::new(),
            fails: None,
            root_changed: true,
        }
    }
}

/// Whether a path lies in a directory, and as deep.
fn is_inside(directory: &[u8], depth: Depth, path: &[u8]) -> bool {
    let rest = match directory {
        b"" => Some(path),
        above => path.strip_prefix(above).and_then(|rest| rest.strip_prefix(b"/")),
    };
    rest.is_some_and(|rest| depth == Depth::All || !rest.contains(&b'/'))
}

impl World {
    pub(super) fn start(&mut self, job: Job) {
        let remote = job.remote.0;
        if !self.ground.is_known() {
            return self.jobs.push(Sending::nowhere(job.id, remote));
        }
        let bulk = matches!(job.work, Work::Bulk { .. });
        let listed = bulk || matches!(job.work, Work::Batch { .. });
        let (mut large, mut linked) = (Vec::new(), Vec::new());
        let mut reads = VecDeque::new();
        let is_full = matches!(job.work, Work::FullSync { .. });
        let (licence, steps) = match job.work {
            Work::Batch { licence, mut paths, joined, renames, fresh, .. } => {
                self.put_old_rule_back(&mut paths);
                linked = paths.iter().filter_map(|(path, _)| self.linked(path, fresh)).collect();
                large = paths.iter().filter_map(|(path, _)| self.large(path)).collect();
                let is_large = |path: &RelPath| large.iter().any(|(file, _)| file == path);
                let mut steps = self.links(&paths, &renames);
                let small = paths.into_iter().filter(|(path, _)| !is_large(path));
                steps.extend(small.map(|(path, gone)| {
                    let joined = joined.binary_search(&path).is_ok();
                    Step::Send(path, Was { gone, joined })
                }));
                (licence, steps)
            }
            Work::Bulk { licence, path: (path, gone), joined, fresh, .. } => {
                linked.extend(self.linked(&path, fresh));
                large.extend(self.large(&path));
                (licence, VecDeque::from([Step::Send(path, Was { gone, joined })]))
            }
            Work::Level { directories, licence, .. } => {
                for (directory, depth) in directories {
                    let above = above(&directory).map(RelPath::from);
                    reads.extend(above.map(|above| Step::Read(above, None)));
                    let itself = Step::Read(directory.clone(), None);
                    reads.extend((!directory.is_empty()).then_some(itself));
                    reads.push_back(Step::Read(directory, Some(depth)));
                }
                (licence, VecDeque::new())
            }
            Work::Rehearsal { licence, .. } => {
                let count = self.only_there(remote, &[], Depth::All, licence).len() as u64;
                let of = self.remotes[remote].iter().count() as u64;
                trace(|| format!("        rehearsed at {remote}: {count} of {of} would go"));
                let found = Input::Rehearsed(job.id, Deletions { count, of });
                self.engine.handle(found, self.now);
                (licence, VecDeque::new())
            }
            Work::FullSync { licence, .. } => {
                reads.push_back(Step::Read(RelPath::from([]), Some(Depth::All)));
                (licence, VecDeque::new())
            }
        };
        let fails = (self.failures && self.random.one_in(4)).then(|| {
            let code = [3, 11, 12, 23, 30][self.random.below(5)];
            let some = steps.len() + 10 * reads.len();
            (self.random.below(some + 1), code)
        });
        let (id, nothing) = (job.id, listed && steps.is_empty());
        let fails = fails.filter(|_| !nothing);
        let (opened, above, refused) = (None, Vec::new(), Vec::new());
        self.jobs.push(Sending {
            id,
            remote,
            steps,
            is_full,
            reads,
            licence,
            nothing,
            large,
            linked,
            bulk,
            opened,
            above,
            refused,
            fails,
            root_changed: false,
        });
        self.judge_deletions(remote, licence);
    }

    /// The runs before a batch that make renamed things anew from what is there, and after them the end of the old
    /// names: nothing may be sent under one of them while it is a second name.
    fn links(&self, paths: &[(RelPath, Gone)], renames: &[Rename]) -> VecDeque<Step> {
        let gone = |path: &[u8]| {
            paths.iter().find(|(it, _)| **it == *path).map_or(Gone::No, |(_, gone)| *gone)
        };
        let is_gone = |path: &[u8]| gone(path) != Gone::No;
        let is_free = |to: &[u8]| !is_gone(to) && !above(to).any(is_gone);
        let is_deleted =
            |path: &[u8]| is_gone(path) || above(path).any(|above| gone(above) == Gone::Directory);
        let old_rule = self.fault == Some(Fault::OldNameStaysJoined);
        let (mut links, mut ends) = (VecDeque::new(), Vec::new());
        let mut used: Vec<(Vec<u8>, RelPath)> = Vec::new();
        for (number, Rename { from, to, is_dir }) in
            renames.iter().enumerate().filter(|_| self.links)
        {
            let is_it = match self.look(to) {
                Seen::Directory => *is_dir,
                Seen::Regular { .. } => !*is_dir,
                Seen::Missing | Seen::Other | Seen::Unknown => false,
            };
            let mut old = far_names(renames, number);
            old.retain(|old| old_rule || is_deleted(old) && self.look(old) == Seen::Missing);
            if !is_it || !is_free(to) || !old.contains(&from.to_vec()) {
                continue;
            }
            let is_missing = &mut |path: &[u8]| self.look(path) == Seen::Missing;
            if old.iter().any(|old| has_two_heirs(&used, (old, to), is_missing)) && !old_rule {
                continue;
            }
            used.extend(old.iter().map(|old| (old.clone(), to.clone())));
            let listed = above(to).chain([&**to].into_iter().filter(|_| *is_dir));
            links.extend(listed.map(|path| Step::Send(RelPath::from(path), Was::NOT_GONE)));
            if !old_rule {
                let was = if *is_dir { Gone::Directory } else { Gone::Entry };
                ends.extend(old.iter().map(|old| Step::Delete(RelPath::from(&**old), was)));
            }
            let later = renames[number + 1..].iter().map(|later| later.to.clone());
            links.push_back(Step::Link { to: to.clone(), old, later: later.collect() });
        }
        links.extend(ends);
        links
    }

    /// Of a file, by its content, whether it is a large one.
    fn large(&self, path: &RelPath) -> Option<(RelPath, Stamp)> {
        match self.look(path) {
            Seen::Regular { stamp, .. } if stamp.size % LARGE_ONE_IN == 0 => {
                Some((path.clone(), stamp))
            }
            Seen::Regular { .. }
            | Seen::Missing
            | Seen::Directory
            | Seen::Other
            | Seen::Unknown => None,
        }
    }

    /// A sweep reads a directory, as that is now: what it will do there, and what it reads next.
    fn read(&mut self, number: usize, directory: RelPath, depth: Option<Depth>) {
        let Some(ino) = self.fs.find(&directory).filter(|&ino| self.fs.is_dir(ino)) else { return };
        let Some(depth) = depth else {
            let is = self.fs.describe(ino);
            return self.jobs[number].steps.push_back(Step::Put(directory, is));
        };
        let (mut here, mut puts, mut below) = (Vec::new(), Vec::new(), Vec::new());
        for (name, &ino) in self.fs.entries(ino) {
            let (path, is) = (RelPath::from(join(&directory, name)), self.fs.describe(ino));
            here.push(path.clone());
            if is.is_dir() && depth == Depth::All {
                below.push(Step::Read(path.clone(), Some(depth)));
            }
            puts.push(Step::Put(path, is));
        }
        let job = &mut self.jobs[number];
        if job.licence.covers_unseen() {
            job.steps.push_back(Step::Clean(directory, here));
        }
        job.steps.extend(puts);
        job.reads.extend(below);
    }

    /// What only the far side has in a directory goes, with all that is below it.
    fn clean(&mut self, remote: usize, directory: &RelPath, here: &[RelPath]) {
        let keeps = self.fault != Some(Fault::AwayIsDeleted);
        let far = self.remotes[remote].iter().map(|(path, _)| path);
        let is_extra = |path: &&Vec<u8>| {
            is_inside(directory, Depth::One, path) && !here.iter().any(|it| **it == path[..])
        };
        let extra = far.filter(is_extra);
        let extra = extra.filter(|path| !(keeps && self.is_away(path)));
        let extra: Vec<_> = extra.cloned().collect();
        let is_extra = |path: &[u8]| extra.iter().any(|above| lies_in(path, above));
        self.remotes[remote].delete(|path, _| is_extra(path));
    }

    /// A sweep makes a path what that was when it was read. A file that is not here any more may have been opened before;
    /// if it has not, only what was in its way over there is gone.
    fn put(&mut self, number: usize, path: &[u8], is: Is) {
        let remote = self.jobs[number].remote;
        let parent = above(path).last();
        if !parent.is_none_or(|parent| self.remotes[remote].is_dir(parent)) {
            return;
        }
        let is_new_directory = is.is_dir() && !self.remotes[remote].is_dir(path);
        if is_new_directory && self.failures && self.sweeps_make_no_directory {
            // It is the only one that is named: nothing that is in it is even tried.
            return self.jobs[number].refused.push(path.to_vec());
        }
        self.make_way(number, path, Gone::No, is);
        let has_vanished = is.is_file() && self.fs.find(path).is_none() && self.random.one_in(2);
        if !has_vanished {
            self.write(number, path, is, Was::NOT_GONE);
        }
    }

    /// What only the far side has in a directory and would be deleted with it.
    fn only_there(
        &self,
        remote: usize,
        directory: &[u8],
        depth: Depth,
        licence: Licence,
    ) -> Vec<Vec<u8>> {
        if !licence.covers_unseen() {
            return Vec::new();
        }
        let (here, keeps) = (self.fs.image(), self.fault != Some(Fault::AwayIsDeleted));
        let far = self.remotes[remote].iter().map(|(path, _)| path);
        let extra =
            far.filter(|path| is_inside(directory, depth, path) && !here.contains_key(*path));
        extra.filter(|path| !(keeps && self.is_away(path))).cloned().collect()
    }

    pub(super) fn job_step(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let number = self.random.below(self.jobs.len());
        let job = &mut self.jobs[number];
        // A full sync takes long, and meanwhile batches come and go.
        if self.syncs_slowly && job.is_full && !self.random.one_in(4) {
            return;
        }
        if !job.linked.is_empty() {
            let (id, linked) = (job.id, std::mem::take(&mut job.linked));
            return self.handle(Input::Linked(id, linked));
        }
        if !job.large.is_empty() {
            let (id, large) = (job.id, std::mem::take(&mut job.large));
            return self.handle(Input::Large(id, large));
        }
        let (remote, licence) = (job.remote, job.licence);
        if job.bulk && job.opened.is_none() {
            self.open(number);
            return self.judge_deletions(remote, licence);
        }
        let reads = !job.reads.is_empty() && (job.steps.is_empty() || self.random.one_in(3));
        let mut next_step = || {
            let step = if reads { job.reads.pop_front() } else { None };
            step.or_else(|| job.steps.pop_front()).or_else(|| job.reads.pop_front()).ok_or(0)
        };
        let next = match &mut job.fails {
            Some((0, code)) => Err(*code),
            Some((left, _)) => {
                *left -= 1;
                next_step()
            }
            None => next_step(),
        };
        match next {
            Ok(step) => {
                trace(|| format!("        job to {remote}: {}", step.shown()));
                match step {
                    Step::Send(path, was) => match self.jobs[number].opened.flatten() {
                        Some(file) => self.land(number, &path, file, was),
                        None => self.send(number, &path, was),
                    },
                    Step::Link { to, old, later } => self.link(remote, &to, &old, &later),
                    Step::Delete(path, gone) => {
                        let far = &mut self.remotes[remote];
                        if gone == Gone::Directory || !far.has_something_below(&path) {
                            far.delete_tree(&path);
                        }
                    }
                    Step::Read(path, depth) => self.read(number, path, depth),
                    Step::Clean(path, here) => self.clean(remote, &path, &here),
                    Step::Put(path, is) => self.put(number, &path, is),
                }
                self.judge_deletions(remote, licence);
            }
            Err(code) => self.end(number, code),
        }
    }

    fn end(&mut self, number: usize, code: i32) {
        let Sending { id, remote, steps, nothing, refused, root_changed, .. } =
            self.jobs.swap_remove(number);
        let (code, named) = match (code, steps.front()) {
            (0, _) if !refused.is_empty() => (23, refused),
            // The far side had no room for the path that it had come to.
            (11, Some(Step::Send(path, _))) => (11, vec![path.to_vec()]),
            (code, _) => (code, Vec::new()),
        };
        let stderr = if named.is_empty() { "" } else { "write failed on \"it\"" };
        while !self.fs.queue.is_empty() {
            self.deliver_event();
        }
        self.read_up_to();
        let old_rule = self.fault == Some(Fault::NamedIsAll);
        let is_file = |path: &Vec<u8>| self.fs.find(path).is_some_and(|ino| !self.fs.is_dir(ino));
        let are_files = old_rule || named.iter().all(is_file);
        let outcome = if root_changed {
            Outcome::RootChanged
        } else if nothing {
            Outcome::Nothing
        } else {
            Outcome::of(&Exit::with_code(code, stderr), None).naming(|| (named, are_files))
        };
        if self.fault == Some(Fault::NoSecondLook) {
            self.engine.remotes[remote].remote.forget_second_look();
        }
        self.handle(Input::JobEnded(id, outcome, None));
        self.judge_joined(remote);
    }

    /// A large file is opened, and goes on its way as it is now, whatever becomes of its name. The way
    /// to it is made on the far side, even if it has just been deleted there.
    fn open(&mut self, number: usize) {
        let job = &mut self.jobs[number];
        let remote = job.remote;
        let Some(Step::Send(path, was)) = job.steps.front().cloned() else { return };
        let is_file = |ino: usize| matches!(self.fs.inodes[ino].kind, Kind::File { .. });
        let found = self.fs.find(&path).filter(|&ino| is_file(ino));
        // With nothing to be opened, it is done what has to be done at this moment.
        job.opened = Some(found.map(|ino| self.fs.describe(ino)));
        let Some(Some(file)) = job.opened else { return };
        self.make_way(number, &path, was.gone, file);
        let keeps = self.keeps(was);
        let far = &mut self.remotes[remote];
        if keeps && far.has_newer(&path, file) {
            self.jobs[number].steps.clear();
            return;
        }
        for above in above(&path) {
            let ino = self.fs.find(above).expect("a path that is there has its parents");
            let is = self.fs.describe(ino);
            self.jobs[number].above.push((above.to_vec(), is));
            if !far.is_dir(above) {
                far.put(above, is).expect("a directory needs no way");
            }
        }
    }

    /// A large file that has been opened has been sent. Without the directory in which it was being
    /// written, or with another one in its place, it is an error. The directories above it get back
    /// what they were.
    fn land(&mut self, number: usize, path: &[u8], file: Is, was: Was) {
        let parts = self.parts(was);
        let job = &mut self.jobs[number];
        let far = &mut self.remotes[job.remote];
        let parent = above(path).last();
        if !parent.is_none_or(|parent| far.is_dir(parent)) {
            job.fails = Some((0, 23));
        } else if far.put_anew(path, file, parts).is_err() {
            job.refused.push(path.to_vec());
        }
        for (above, is) in std::mem::take(&mut job.above) {
            if far.is_dir(&above) {
                far.put(&above, is).expect("a directory needs no way");
            }
        }
    }

    /// What rsync does for one path of a list, by what the path is at this moment.
    fn send(&mut self, number: usize, path: &[u8], was: Was) {
        let remote = self.jobs[number].remote;
        if path.is_empty() {
            return; // The root's own attributes are not looked at here.
        }
        let Some(ino) = self.fs.find(path) else {
            return self.send_missing(remote, path, was.gone);
        };
        let is = self.fs.describe(ino);
        self.make_parents(remote, path);
        self.make_way(number, path, was.gone, is);
        self.write(number, path, is, was);
    }

    fn write(&mut self, number: usize, path: &[u8], is: Is, was: Was) {
        let (keeps, parts) = (self.keeps(was), self.parts(was));
        let job = &mut self.jobs[number];
        let (remote, far) = (job.remote, &mut self.remotes[job.remote]);
        if keeps && far.has_newer(path, is) {
            return;
        }
        trace(|| format!("        put at {remote}: {}", path.escape_ascii()));
        if far.put_anew(path, is, parts).is_err() {
            job.refused.push(path.to_vec());
        }
    }

    /// Whether a newer file stays over there: not if it came back.
    fn keeps(&self, was: Was) -> bool {
        let old_rule = self.fault == Some(Fault::ReplacedIsNotSentAnew);
        self.update && (was.gone == Gone::No || old_rule)
    }

    /// Whether a file is written as a new one, so that no other name over there has a part in it.
    fn parts(&self, was: Was) -> bool {
        was.joined && self.fault != Some(Fault::OldNameStaysJoined)
    }

    fn send_missing(&mut self, remote: usize, path: &[u8], gone: Gone) {
        if gone == Gone::No {
            return;
        }
        let mut path = path;
        if self.fault == Some(Fault::MissingParentGoes) {
            let missing = above(path).find(|above| self.fs.find(above).is_none());
            path = missing.unwrap_or(path);
        }
        let far = &mut self.remotes[remote];
        // Where a file went, a directory of somebody else's may be by now.
        if gone == Gone::Directory || !far.has_something_below(path) {
            far.delete_tree(path);
        }
    }

    fn make_parents(&mut self, remote: usize, path: &[u8]) {
        for above in above(path) {
            let far = &mut self.remotes[remote];
            if !far.is_dir(above) {
                let ino = self.fs.find(above).expect("a path that is there has its parents");
                far.put(above, self.fs.describe(ino)).expect("a directory needs no way");
            }
        }
    }

    /// Deletes what has to go before something is sent.
    fn make_way(&mut self, job: usize, path: &[u8], gone: Gone, is: Is) {
        let is_away = self.is_away(path);
        let job = &self.jobs[job];
        let far = &mut self.remotes[job.remote];
        let is_replaced = gone == Gone::Directory || job.licence.covers_unseen() && !is_away;
        if is_replaced && far.is_in_the_way(path, is) {
            far.delete_tree(path);
        } else if gone == Gone::Directory && is.is_dir() {
            let here = self.fs.image();
            let is_here = |path: &[u8], is: Is| {
                here.get(path).is_some_and(|here| here.is_dir() == is.is_dir())
            };
            far.delete(|other, is| lies_below(other, path) && !is_here(other, is));
        }
    }

    /// The run of a rename: everything below the new name, as far as there are no later renames.
    fn link(&mut self, remote: usize, to: &[u8], old: &[Vec<u8>], later: &[RelPath]) {
        let Some(ino) = self.fs.find(to) else { return };
        self.make_parents(remote, to);
        let far = &mut self.remotes[remote];
        let mut put = |path: &[u8], is: Is| {
            let old: Vec<_> = old.iter().map(|old| [old, &path[to.len()..]].concat()).collect();
            if !(self.update && far.has_newer(path, is)) {
                far.put_or_link(path, is, &old);
            }
        };
        put(to, self.fs.describe(ino));
        for (path, is) in self.fs.image() {
            let is_later = later.iter().any(|later| lies_in(&path, later) && lies_in(later, to));
            if lies_below(&path, to) && !is_later {
                put(&path, is);
            }
        }
    }
}

fn lies_below(path: &[u8], directory: &[u8]) -> bool {
    path.len() > directory.len() && lies_in(path, directory)
}
