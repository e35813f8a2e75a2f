//! What the paths of a job are at this moment, and the runs that make the far side equal to it.

use super::followed::is_followed;
use super::looker::Looker;
use super::whole;
use super::WorkerRemote;
use crate::engine::rel_path::RelPath;
use crate::engine::sending::bulk::LARGE_BYTES_MIN;
use crate::engine::watching::linked::{Inode, LinkedFile};
use crate::engine::watching::settle::Stamp;
use crate::rsync;
use crate::rsync::asked::links::{self, keeps_hard_links};
use crate::rsync::asked::plan::{self, Gone, Looked, Now, PlanSettings};
use crate::rsync::asked::run::Run;
use crate::rsync::told::outcome::Outcome;
use crate::run::walk::below;
use nix::errno::Errno;
use nix::sys::stat::FileStat;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A path of a batch, and what disappeared under its name.
pub(super) type Listed = (RelPath, Gone);

/// Two halves. If two directories meet near the middle, they are parted there.
pub(super) fn halves(paths: &[Listed]) -> (&[Listed], &[Listed]) {
    let middle = paths.len() / 2;
    let parent = |at: usize| {
        let path = &paths[at].0;
        path.iter().rposition(|&byte| byte == b'/').map(|slash| &path[..slash])
    };
    let end = paths.len() - paths.len() / 4;
    let edge = (middle.max(1)..end).find(|&at| parent(at) != parent(at - 1));
    paths.split_at(edge.unwrap_or(middle))
}

/// The paths of a job, just looked at.
pub(super) struct JobPaths {
    pub(super) paths: Vec<Looked>,
    /// The large files among them, in order.
    pub(super) large: Vec<(RelPath, Stamp)>,
    /// The files among them that have other names as well.
    pub(super) linked: Vec<LinkedFile>,
    /// What has to be made equal with all that is below it, when the batch has been done: the symlinks among them that are
    /// sent as the directories to which they lead, and directories that may have been deleted by another name.
    pub(super) followed: Vec<RelPath>,
    /// The directories, sorted, that are listed in place of what is in them.
    pub(super) whole: Vec<RelPath>,
    /// Why some could not be looked at, if some could not.
    trouble: Option<Errno>,
}

impl JobPaths {
    /// The paths of a batch. Its large files are left out: each has a job of its own later.
    pub(super) fn of_batch(
        remote: &WorkerRemote,
        paths: &[Listed],
        joined: &[RelPath],
        fresh: bool,
    ) -> JobPaths {
        let mut found = JobPaths::look(remote, paths, joined, fresh);
        let JobPaths { paths, large, whole, .. } = &mut found;
        for looked in paths.iter_mut() {
            if large.binary_search_by(|(file, _)| file.cmp(&looked.path)).is_ok() {
                looked.now = Now::Apart;
            }
        }
        if !remote.filters && rsync::asked::whole::is_possible(&remote.route, paths) {
            *whole = whole::directories(&remote.route.root, paths);
        }
        found
    }

    /// The path of a job in the bulk lane. `sent` is what the file was when it was sent last, if that is
    /// known. If its size or time is another one now, rsync need not compare the content.
    pub(super) fn of_bulk(
        remote: &WorkerRemote,
        path: &Listed,
        joined: bool,
        fresh: bool,
        sent: Option<Stamp>,
    ) -> JobPaths {
        let paths = std::slice::from_ref(path);
        let joined = if joined { std::slice::from_ref(&path.0) } else { &[] };
        let mut found = JobPaths::look(remote, paths, joined, fresh);
        if let (Some(sent), [(_, stamp)]) = (sent, &found.large[..]) {
            found
                .paths
                .iter_mut()
                .for_each(|looked| looked.fresh |= is_seen_to_differ(sent, *stamp));
        }
        found
    }

    fn look(remote: &WorkerRemote, paths: &[Listed], joined: &[RelPath], fresh: bool) -> JobPaths {
        let mut looker = Looker::new(&remote.route.root);
        let (mut large, mut linked, mut followed) = (Vec::new(), Vec::new(), Vec::new());
        let together = keeps_hard_links(&remote.route);
        let may_follow = links::may_be_followed(&remote.route);
        // Behind the paths of the job, those that are here in another case of their letters.
        let mut listed = paths.to_vec();
        let mut looked = Vec::with_capacity(paths.len());
        while let Some((path, gone)) = listed.get(looked.len()).cloned() {
            let (now, bytes) = looker.look(&path);
            let is_other = looked.len() >= paths.len();
            if now == Now::Missing && !is_other {
                for other in looker.in_other_case(&path, gone != Gone::No) {
                    if paths.binary_search_by(|(it, _)| it.cmp(&other)).is_err() {
                        listed.push((other, Gone::No));
                    }
                }
            }
            // What was a symlink here may be a directory over there.
            let is_directory_there = may_follow && gone == Gone::Entry;
            let gone = if is_directory_there { Gone::Directory } else { gone };
            let leads_on = may_follow && looker.is_link() && is_followed(&remote.route, &path);
            if leads_on || is_other && now == Now::Directory {
                followed.push(path.clone());
            }
            let file = looker.file().filter(|file| file.st_nlink > 1);
            linked.extend(file.map(|file| linked_file(&path, file, together, fresh)));
            // To become a link over there it has to go with its other names.
            let goes_along = together && file.is_some();
            if bytes >= LARGE_BYTES_MIN && !goes_along {
                large.extend(stamp(&remote.route.root, &path).map(|stamp| (path.clone(), stamp)));
            }
            let joined = joined.binary_search(&path).is_ok();
            looked.push(Looked { path, gone, now, bytes, fresh: fresh && !is_other, joined });
        }
        let trouble = looker.trouble();
        JobPaths { paths: looked, large, linked, followed, whole: Vec::new(), trouble }
    }

    /// What it means for the job that some paths could not be looked at, if some could not.
    pub(super) fn seen(&self) -> Outcome {
        let Some(error) = self.trouble else { return Outcome::Nothing };
        let unknown = self.paths.iter().filter(|looked| looked.now == Now::Unknown);
        Outcome::not_looked_at(unknown.map(|looked| looked.path.to_vec()).collect(), &error.into())
    }

    /// Those of the `listed` paths that should be deleted, if nothing may be.
    pub(super) fn withheld(&self, listed: &[Listed]) -> Vec<RelPath> {
        let looked = listed.iter().zip(&self.paths);
        let withheld = looked.filter(|(_, looked)| looked.needs_licence());
        withheld.map(|((path, _), _)| path.clone()).collect()
    }

    /// What has to be run, in this order.
    pub(super) fn runs(&self, remote: &WorkerRemote, settings: PlanSettings) -> Vec<Run> {
        let mut runs = plan::batch(&remote.route, settings, &self.paths, &self.whole);
        // What lies in such a directory need not be listed: it may have come back before this program was started.
        let is_joined = |looked: &&Looked| {
            looked.joined && looked.gone == Gone::Directory && looked.now == Now::Directory
        };
        let joined: Vec<RelPath> =
            self.paths.iter().filter(is_joined).map(|looked| looked.path.clone()).collect();
        if !joined.is_empty() {
            runs.extend(remote.sent_anew(&joined));
        }
        runs
    }
}

/// A file that has other names, found under one that is `new` on the far side, or not.
#[allow(clippy::useless_conversion)] // Some processors have 32 bits for the number of links.
fn linked_file(path: &RelPath, file: &FileStat, together: bool, new: bool) -> LinkedFile {
    let nanoseconds = |seconds, more| i128::from(seconds) * 1_000_000_000 + i128::from(more);
    let modified_ns = nanoseconds(file.st_mtime, file.st_mtime_nsec);
    let changed_ns = nanoseconds(file.st_ctime, file.st_ctime_nsec);
    LinkedFile {
        path: path.clone(),
        inode: Inode { device: file.st_dev, number: file.st_ino },
        links: u64::from(file.st_nlink),
        stamp: Stamp { size: u64::try_from(file.st_size).unwrap_or(0), modified_ns },
        changed_ns,
        together,
        // A write sets both times, and a link the latter.
        only_named: new && modified_ns != changed_ns,
    }
}

fn stamp(root: &Path, path: &[u8]) -> Option<Stamp> {
    let found = below(root, path).symlink_metadata().ok().filter(|found| found.is_file())?;
    let modified_ns = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    Some(Stamp { size: found.len(), modified_ns })
}

/// Whether rsync sees without reading it that a file is not what it was: it compares the size, and the
/// time in whole seconds.
fn is_seen_to_differ(before: Stamp, now: Stamp) -> bool {
    let second = |stamp: Stamp| stamp.modified_ns.div_euclid(1_000_000_000);
    before.size != now.size || second(before) != second(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_meet_between_two_directories() {
        let paths = |names: &[&str]| -> Vec<Listed> {
            names.iter().map(|name| (RelPath::from(name.as_bytes()), Gone::No)).collect()
        };
        for (names, first) in [
            (&["a/1", "a/2", "a/3", "a/4", "a/5", "b/1", "b/2", "b/3"][..], 5),
            (&["a/1", "a/2", "a/3", "a/4"], 2),
            (&["a", "b"], 1),
        ] {
            let paths = paths(names);
            let (one, other) = halves(&paths);
            assert_eq!((one.len(), one.len() + other.len()), (first, names.len()), "{names:?}");
        }
    }
}
