//! What a run has named that failed, and what that is here.
//!
//! Looks at the root for it, since rsync's words do not tell everything: a file may be named by its temporary name alone,
//! and behind a directory stands all that is in it.

use super::WorkerRemote;
use crate::rsync::told::exit::Exit;
use crate::rsync::told::failed::failed_paths;
use crate::rsync::told::outcome::Outcome;
use crate::run::walk::below;
use crate::sys::directory::{Buffer, Directory};
use std::io;
use std::path::Path;

/// Names of a directory among which a temporary one is looked for; in a larger one it is not found.
const NAMES_MAX: usize = 100_000;

/// The outcome of a run of a remote, with the paths that it named.
pub(super) fn naming(outcome: Outcome, exit: &Exit, remote: &WorkerRemote) -> Outcome {
    let root = &remote.route.root;
    let names = |directory: &[u8]| names(root, directory).unwrap_or_default();
    outcome.naming(|| {
        let named = failed_paths(exit, root, &remote.route.address, &names);
        let are_files = named.iter().all(|path| is_file(root, path));
        (named, are_files)
    })
}

fn names(root: &Path, directory: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let open = Directory::open(&below(root, directory), directory.is_empty())?;
    let (mut buffer, mut names) = (Buffer::default(), Vec::new());
    loop {
        let entries = open.read(&mut buffer)?;
        if entries.is_end() || names.len() > NAMES_MAX {
            break;
        }
        names.extend(entries.map(|(name, ..)| name.to_vec()));
    }
    if names.len() > NAMES_MAX {
        names.clear();
    }
    Ok(names)
}

/// Whether there is something at a path that has nothing below it.
fn is_file(root: &Path, path: &[u8]) -> bool {
    below(root, path).symlink_metadata().is_ok_and(|found| !found.is_dir())
}
