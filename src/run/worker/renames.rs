//! Which renames of a batch can be done on the far side without sending the files again, by what is there at
//! this moment.

use super::looker::Looker;
use super::WorkerRemote;
use crate::engine::rel_path::{above, lies_in};
use crate::engine::watching::renames::{far_names, Rename};
use crate::rsync::asked::plan::{self, Gone, Looked, Now, PlanSettings};
use crate::rsync::asked::rename;
use crate::rsync::asked::run::Run;

/// What is to be run before the batch with these paths, so that what was renamed need not be sent again.
pub(super) fn runs(
    remote: &WorkerRemote,
    settings: PlanSettings,
    paths: &[Looked],
    renames: &[Rename],
) -> Vec<Run> {
    let route = &remote.route;
    if renames.is_empty() || !rename::is_possible(route) {
        return Vec::new();
    }
    let mut known: Vec<&Looked> = paths.iter().collect();
    known.sort_by_key(|looked| &*looked.path);
    let can_name = |path: &[u8]| rename::can_name(route, path);
    let mut looker = Looker::new(&remote.route.root);
    let mut parents: Vec<Looked> = Vec::new();
    let mut links = Vec::new();
    let mut files: Vec<(_, &[u8])> = Vec::new();
    for (number, Rename { from, to, is_dir }) in renames.iter().enumerate() {
        let old = far_names(renames, number);
        let is_it = match (looker.look(to), is_dir) {
            ((now, _), true) => now == Now::Directory,
            ((now, bytes), false) => now == Now::Other && bytes >= rename::FILE_BYTES_MIN,
        };
        if !is_it || !is_free(&known, to) || !can_name(to) || !old.iter().all(|old| can_name(old)) {
            continue;
        }
        parents.extend(above(to).filter_map(|path| find(&known, path)).cloned());
        if *is_dir {
            let inside = |other: &&[u8]| lies_in(other, to) && **other != **to;
            let later = renames[number + 1..].iter().map(|later| &*later.to).filter(inside);
            links.push(rename::directory(route, to, &old, &later.collect::<Vec<_>>()));
        } else {
            let ((from, _), (to, name)) = (split(from), split(to));
            files.push(((from, to), name));
        }
    }
    files.sort_by_key(|(directories, _)| *directories);
    for together in files.chunk_by(|(one, _), (other, _)| one == other) {
        let (old, to) = together[0].0;
        let names: Vec<&[u8]> = together.iter().map(|(_, name)| *name).collect();
        links.push(rename::files(route, to, old, &names));
    }
    if links.is_empty() {
        return links;
    }
    // The directories that the new names lie in have to be there first.
    parents.sort_by(|one, other| one.path.cmp(&other.path));
    parents.dedup_by(|one, other| one.path == other.path);
    let mut runs = plan::batch(route, settings, &parents, &[]);
    runs.extend(links);
    runs
}

/// Whether nothing has to be deleted first under a name on the far side, or on the way to it. A rename run
/// only makes and updates, and would mix what is there with what is new.
fn is_free(known: &[&Looked], path: &[u8]) -> bool {
    let gone = |path: &[u8]| find(known, path).is_some_and(|looked| looked.gone != Gone::No);
    !gone(path) && !above(path).any(gone)
}

/// What is known of a path; `known` is sorted.
fn find<'a>(known: &[&'a Looked], path: &[u8]) -> Option<&'a Looked> {
    known.binary_search_by_key(&path, |looked| &*looked.path).ok().map(|at| known[at])
}

/// A path as its directory, empty for the root, and its name in there.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}
