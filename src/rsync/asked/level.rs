//! Level syncs: whole directories made equal, one level deep or with all below them.
//!
//! Owns the runs that carry what nobody saw happen: after a restart, a directory that has changed
//! meanwhile; and, with all below it, one that the kernel has no watch left for. Called by `worker`,
//! which has looked just before that each directory is still a real one.

use crate::sorted::SortedSet;
use std::sync::Arc;

use super::deleting;
use super::hiding;
use super::licence::Licence;
use super::only::{self, Front, Top};
use super::pattern::{self, ancestors};
use super::plan::{full_sync, whole_root, words};
use super::route::RemoteRoute;
use super::run::{Purpose, Run};
use crate::config::options;

/// How many bytes of rules as words stand in one command at most. Kernels before 2.6.23 take 128 KiB for all
/// words and the environment together, and the user's own words have to fit as well.
const RULES_BYTES_MAX: usize = 32 * 1024;

/// How much of a directory is made equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What is in it. A directory in it is made or deleted, but what that holds stays as it is.
    One,
    /// What is in it, and everything below.
    All,
}

/// What is common to the runs of a level sync.
#[derive(Debug, Clone, Copy)]
pub struct Level<'a> {
    /// Where they go.
    pub route: &'a RemoteRoute,
    /// How far down each directory is made equal.
    pub depth: Depth,
    /// What may be deleted.
    pub licence: Licence,
    /// Rules of a filter that say what is left out.
    pub rules: &'a [Vec<u8>],
}

/// The runs that make directories equal; in any order.
///
/// Paths are relative to the root, without a slash at either end; empty for the root itself. Each
/// must be a real directory: rsync would follow a symbolic link that is listed here, and send what
/// it leads to. `left_out` are the paths of the whole root that are left out literally, with all that is
/// below them. What is left out is neither sent nor deleted, as long as none of the `rules` is about a
/// directory above a listed one.
///
/// Usually it is one run. Its standard input has the list of directories, so what is left out stands in the
/// command. Where that would grow too long, the directories are shared out among several runs; a directory
/// in which too much is left out has a run of its own, which is named in the command and gets the excludes on
/// standard input.
///
/// Where the user's own parameters have filter rules, it is a full sync that sees nothing but these directories: rsync
/// asks the filter about what is listed and what is in it, but not about the directories above, so
/// `--exclude=/a` would not keep a level sync of `a/b` from deleting there. All below them is made equal then.
pub fn runs(level: Level, left_out: Option<&[Vec<u8>]>, directories: &[Arc<[u8]>]) -> Vec<Run> {
    let filtered = options::read(&level.route.rsync.params).iter().any(options::is_filter);
    if filtered && !directories.is_empty() {
        return level.within(left_out, directories);
    }
    let mut left_out: Vec<&[u8]> = left_out.unwrap_or_default().iter().map(Vec::as_slice).collect();
    left_out.sort_unstable();
    left_out.dedup();
    let mut directories: Vec<&[u8]> = directories.iter().map(|path| &**path).collect();
    directories.sort_unstable();
    directories.dedup();
    let mut runs = Vec::new();
    let mut group = Group::default();
    for path in directories.into_iter().filter(|path| !lies_in_any(path, &left_out)) {
        let inside = level.left_out_inside(path, &left_out);
        let bytes: usize = inside.iter().map(|pattern| HIDE.len() + pattern.len() + 1).sum();
        if bytes > RULES_BYTES_MAX {
            runs.push(level.alone(path, &inside));
            continue;
        }
        if group.bytes + bytes > RULES_BYTES_MAX {
            runs.push(level.together(&group));
            group = Group::default();
        }
        group.bytes += bytes;
        group.left_out.extend(inside);
        group.directories.push(path);
    }
    if !group.directories.is_empty() {
        runs.push(level.together(&group));
    }
    runs
}

const HIDE: &[u8] = b"--filter=-sr ";

/// Directories that share a run.
#[derive(Default)]
struct Group<'a> {
    directories: Vec<&'a [u8]>,
    /// Patterns; with [`Depth::All`] there may be some twice, which does no harm.
    left_out: Vec<Vec<u8>>,
    /// What they take as words.
    bytes: usize,
}

impl Level<'_> {
    /// The patterns for what is left out and would otherwise be seen in this directory; `left_out` is
    /// sorted.
    fn left_out_inside(&self, directory: &[u8], left_out: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut inside = directory.to_vec();
        if !inside.is_empty() {
            inside.push(b'/');
        }
        let first = left_out.partition_point(|path| *path < inside.as_slice());
        let below = left_out[first..].iter().take_while(|path| path.starts_with(&inside));
        let seen = below.filter(|path| match self.depth {
            Depth::One => !path[inside.len()..].contains(&b'/'),
            Depth::All => true,
        });
        seen.map(|path| pattern::literal(path, b"")).collect()
    }

    fn together(&self, group: &Group) -> Run {
        let front = group.left_out.iter().map(|pattern| [HIDE, pattern].concat()).collect();
        let mut flags = self.flags();
        if self.route.local.ignore_missing_args() {
            // What vanishes between the look and the run has its own event on the way.
            flags.push(b"--ignore-missing-args".to_vec());
        }
        // -0 before the list: rsync reads the list the way that was set when it meets the option.
        flags.extend(words(&["-0", "--files-from=-"]));
        let mut input = Vec::new();
        for path in &group.directories {
            input.extend_from_slice(&listed(path));
            input.push(0);
        }
        let args = self.route.arguments(self.params(front), flags);
        Run { args, input, purpose: Purpose::Level }
    }

    fn alone(&self, directory: &[u8], left_out: &[Vec<u8>]) -> Run {
        let front = Front::of(left_out.iter().map(|pattern| only::hides(pattern)).collect());
        let params = self.params(front.words);
        let args = self.route.arguments_from(&listed(directory), params, self.flags());
        Run { args, input: front.lines, purpose: Purpose::Level }
    }

    /// Full syncs that see these directories and nothing else.
    fn within(&self, left_out: Option<&[Vec<u8>]>, directories: &[Arc<[u8]>]) -> Vec<Run> {
        let all: SortedSet<&[u8]> = directories.iter().map(|path| &**path).collect();
        if all.contains(&b""[..]) {
            return vec![full_sync(self.route, self.licence, self.rules, left_out)];
        }
        let is_topmost = |path: &&&[u8]| !ancestors(path).any(|above| all.contains(above));
        let tops: Vec<Top> = all.iter().filter(is_topmost).map(|path| (*path, true)).collect();
        let left_out = left_out.unwrap_or_default().iter();
        let hidden = left_out.map(|path| only::hides(&pattern::literal(path, b"")));
        // With -m they may look empty, and would be deleted themselves.
        let kept = tops.iter().map(|(top, _)| only::protects(&pattern::literal(top, b"")));
        let fronts = only::in_front(&hidden.chain(kept).collect::<Vec<_>>(), &tops);
        let run = |front| whole_root(self.route, self.licence, self.rules, front);
        fronts.into_iter().map(run).collect()
    }

    /// Everything but the list. No `-c`: a file that was written is a changed path of its own and
    /// travels in a flat run; here it would only mean reading whole directories, on both sides.
    fn flags(&self) -> Vec<Vec<u8>> {
        let mut flags = match self.depth {
            Depth::One => words(&["--no-r", "-d"]),
            Depth::All => words(&["-r"]),
        };
        flags.push(b"-R".to_vec());
        flags.extend(words(deleting::whatever_is_in_the_way(self.licence)));
        flags.extend(hiding::temporary_files(&self.route.rsync.params));
        flags
    }

    /// The rules, `front`, and the user's parameters without those that would delete more than is meant.
    fn params(&self, front: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let params = deleting::licensed(&self.route.rsync.params, self.licence);
        let params = options::without(&params, |option| {
            // It would delete what the filter hides.
            option.is(deleting::HIDDEN)
                // One level deep every directory looks empty, and would be deleted with its content.
                || (self.depth == Depth::One && option.is("prune-empty-dirs"))
        });
        self.rules.iter().map(|rule| only::word(rule)).chain(front).chain(params).collect()
    }
}

/// The directory as rsync takes it: with a slash at its end it means what is in the directory.
fn listed(directory: &[u8]) -> Vec<u8> {
    match directory {
        b"" => b"./".to_vec(),
        path => [b"./", path, b"/"].concat(),
    }
}

/// Whether a path, or a directory above it, is among `left_out`, which is sorted.
fn lies_in_any(path: &[u8], left_out: &[&[u8]]) -> bool {
    let ends = path.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
    ends.chain([path.len()]).any(|end| left_out.binary_search(&&path[..end]).is_ok())
}

#[cfg(test)]
mod tests;
