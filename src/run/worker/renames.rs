//! Which renames of a batch can be done on the far side without sending the files again, by what is there at
//! this moment.
//!
//! A rename is left out wherever it could do more than save sending: then the batch sends everything, as if there
//! had been no rename. What is done makes files with two names over there, so each old name must be one that this
//! batch deletes, and goes before anything else is sent, whether something has come under it meanwhile or not.

use super::looker::Looker;
use super::WorkerRemote;
use crate::engine::rel_path::{above, lies_in, RelPath};
use crate::engine::watching::renames::{far_names, has_two_heirs, Rename};
use crate::rsync::asked::plan::{self, Gone, Looked, Now, PlanSettings};
use crate::rsync::asked::rename;
use crate::rsync::asked::run::Run;
use crate::sorted::SortedMap;

/// What is to be run before a batch, so that what was renamed need not be sent again.
#[derive(Debug, Default)]
pub(super) struct RenamePlan {
    /// These, in this order, until one fails.
    pub(super) links: Vec<Run>,
    /// Then this, in any case: the end of the old names.
    pub(super) end: Option<Run>,
}

/// What is to be run before the batch with these paths.
pub(super) fn plan(
    remote: &WorkerRemote,
    settings: PlanSettings,
    paths: &[Looked],
    renames: &[Rename],
) -> RenamePlan {
    let route = &remote.route;
    if renames.is_empty() || !settings.licence.covers_seen() || !rename::is_possible(route) {
        return RenamePlan::default();
    }
    let mut known: Vec<&Looked> = paths.iter().collect();
    known.sort_by_key(|looked| &*looked.path);
    let can_name = |path: &[u8]| rename::can_name(route, path);
    let mut looker = Looker::new(&remote.route.root);
    let mut directories: SortedMap<RelPath, Looked> = SortedMap::new();
    let mut ends: SortedMap<Vec<u8>, Gone> = SortedMap::new();
    let mut used: Vec<(Vec<u8>, RelPath)> = Vec::new();
    let mut links = Vec::new();
    let mut files: Vec<(_, &[u8])> = Vec::new();
    for (number, Rename { from, to, is_dir }) in renames.iter().enumerate() {
        let is_it = match (looker.look(to), is_dir) {
            ((now, _), true) => now == Now::Directory,
            ((now, bytes), false) => now == Now::Other && bytes >= rename::FILE_BYTES_MIN,
        };
        let mut old = far_names(renames, number);
        let kind = if *is_dir { Gone::Directory } else { Gone::Entry };
        let mut end = |old: &[u8]| end(&known, &mut looker, old, kind);
        old.retain(|old| can_name(old) && end(old).is_some());
        if !is_it || !is_free(&known, to) || !can_name(to) || !old.contains(&from.to_vec()) {
            continue;
        }
        let ended: Vec<_> = old.iter().filter_map(|old| end(old)).collect();
        let mut is_missing = |path: &[u8]| looker.look(path).0 == Now::Missing;
        if old.iter().any(|old| has_two_heirs(&used, (old, to), &mut is_missing)) {
            continue;
        }
        used.extend(old.iter().map(|old| (old.clone(), to.clone())));
        ends.extend(ended);
        let (place, name) = split(to);
        // A run into a directory would follow a link that is in its place over there; to list it makes one of it.
        let place = if *is_dir { to } else { place };
        for path in above(place).chain([place]).filter(|path| !path.is_empty()) {
            let looked = find(&known, path).cloned();
            directories
                .entry(RelPath::from(path))
                .or_insert(looked.unwrap_or_else(|| directory(path)));
        }
        if *is_dir {
            let inside = |other: &&[u8]| lies_in(other, to) && **other != **to;
            let later = renames[number + 1..].iter().map(|later| &*later.to).filter(inside);
            links.push(rename::directory(route, to, &old, &later.collect::<Vec<_>>()));
        } else {
            files.push(((split(from).0, place), name));
        }
    }
    files.sort_by_key(|(directories, _)| *directories);
    for together in files.chunk_by(|(one, _), (other, _)| one == other) {
        let (old, to) = together[0].0;
        let names: Vec<&[u8]> = together.iter().map(|(_, name)| *name).collect();
        links.push(rename::files(route, to, old, &names));
    }
    if links.is_empty() {
        return RenamePlan::default();
    }
    let directories: Vec<Looked> = directories.into_values().collect();
    let mut runs = plan::batch(route, settings, &directories, &[]);
    runs.extend(links);
    let ends: Vec<(&[u8], Gone)> = ends.iter().map(|(old, gone)| (&**old, *gone)).collect();
    RenamePlan { links: runs, end: Some(rename::end_of_old_names(route, settings.licence, &ends)) }
}

/// A directory of which nothing has disappeared.
fn directory(path: &[u8]) -> Looked {
    let path = RelPath::from(path);
    Looked { path, gone: Gone::No, now: Now::Directory, bytes: 0, fresh: false, joined: false }
}

/// Whether nothing has to be deleted first under a name on the far side, or on the way to it. A rename run
/// only makes and updates, and would mix what is there with what is new.
fn is_free(known: &[&Looked], path: &[u8]) -> bool {
    let gone = |path: &[u8]| find(known, path).is_some_and(|looked| looked.gone != Gone::No);
    !gone(path) && !above(path).any(gone)
}

/// What is deleted so that an old name goes, of this kind: itself, or a directory above it that is missing as well.
/// `None` if neither was seen to disappear, or if there is something under the name.
fn end(known: &[&Looked], looker: &mut Looker, path: &[u8], kind: Gone) -> Option<(Vec<u8>, Gone)> {
    let gone = |path: &[u8]| find(known, path).map_or(Gone::No, |looked| looked.gone);
    let with_directory = || above(path).any(|above| gone(above) == Gone::Directory);
    match looker.look(path).0 {
        Now::Missing if gone(path) != Gone::No || with_directory() => Some((path.to_vec(), kind)),
        Now::Orphaned => {
            let missing = above(path).find(|above| looker.look(above).0 == Now::Missing)?;
            (gone(missing) == Gone::Directory).then(|| (missing.to_vec(), Gone::Directory))
        }
        Now::Missing | Now::Hidden | Now::Unknown | Now::Directory | Now::Other | Now::Apart => {
            None
        }
    }
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
