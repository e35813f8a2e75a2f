//! What rsync does on the far side with the words and the list of a run: an interpreter of its rules for
//! deleting and replacing, for tests of what may be asked of it.
//!
//! It is given both trees as values and gives what the far one is afterwards, what was deleted there and
//! what had to make way. It is checked against the real rsync on random trees (`real_runs`), so what
//! stands here is what was measured (3.5.0), and an option that it does not know is no guess but a panic.
//! Left out is all that has no part in it: content is a text that is written or not, and nothing fails.

mod filter;
mod receiver;
mod sender;
mod words;

mod property;
mod real_runs;
mod single_runs;
mod trees;

use std::collections::{BTreeMap, BTreeSet};
use words::Words;

/// A path below the top of a tree, without a slash at either end.
pub type Path = Vec<u8>;

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory; what is in it has paths of its own.
    Directory,
    /// A file with this content, last changed at this second.
    File(Vec<u8>, i64),
    /// A symbolic link to this.
    Link(Vec<u8>),
}

/// Everything below the top, which is a directory itself. Each path's directory is there as well.
pub type Tree = BTreeMap<Path, Entry>;

/// What a run did to the far side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What is there afterwards.
    pub far: Tree,
    /// What went without anything in its place, or with a directory that made way.
    pub deleted: BTreeSet<Path>,
    /// What made way for an entry of another kind.
    pub replaced: BTreeSet<Path>,
}

/// What a run with these words and this standard input does, started in the top of `near`.
/// `destination` is the last operand for the top of the far side, below which a run may go.
pub fn run(args: &[Vec<u8>], input: &[u8], destination: &[u8], near: &Tree, far: &Tree) -> Done {
    let words = Words::read(args, input, destination);
    let mut done = Done { far: far.clone(), deleted: BTreeSet::new(), replaced: BTreeSet::new() };
    if words.dry_run {
        return done;
    }
    let sent = sender::list(&words, near);
    receiver::Receiver::new(&words, &sent, &mut done).receive();
    done
}

/// The directory above a path; the top's is the empty path.
fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(b"", |slash| &path[..slash])
}

/// The last name of a path.
fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

/// A path in a directory.
fn join(directory: &[u8], name: &[u8]) -> Path {
    match (directory, name) {
        (b"", name) => name.to_vec(),
        (directory, b"") => directory.to_vec(),
        (directory, name) => [directory, b"/", name].concat(),
    }
}

/// The paths of what is in a directory, in their order.
fn children<'a>(
    tree: &'a Tree,
    directory: &'a [u8],
) -> impl Iterator<Item = (&'a Path, &'a Entry)> {
    tree.iter().filter(move |(path, _)| parent(path) == directory)
}
