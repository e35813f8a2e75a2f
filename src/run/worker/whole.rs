//! Directories of which all entries are in a list: rsync can read their names by itself.
//!
//! rsync reads a list byte by byte, with two system calls for each, so that 10,000 names take it 100 ms (strace
//! of 3.5.0). To read the same names from their directories takes next to nothing.

use crate::rsync::asked::plan::{Looked, Now};
use crate::run::walk::below;
use crate::sys::directory::{Buffer, Directory};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A directory with fewer entries in the list is not read to see whether it is whole: that takes a few system
/// calls as well.
const ENTRIES_MIN: usize = 8;

/// The directories, sorted, in which there is nothing at this moment but what is in the list and is sent with
/// it. Never the root: `./` in a list would mean everything in it.
pub(super) fn directories(root: &Path, paths: &[Looked]) -> Vec<Arc<[u8]>> {
    let mut buffer = None;
    let mut is_whole = |directory: &[u8], listed: usize| {
        let buffer = buffer.get_or_insert_with(Buffer::default);
        has_entries(&below(root, directory), listed, buffer).unwrap_or(false)
    };
    listed_entries(paths)
        .into_iter()
        .filter(|&(directory, listed)| listed >= ENTRIES_MIN && is_whole(directory, listed))
        .map(|(directory, _)| Arc::from(directory))
        .collect()
}

/// How many of the entries of each directory are in the list, sorted by the directory.
fn listed_entries(paths: &[Looked]) -> Vec<(&[u8], usize)> {
    let travels = |looked: &&Looked| matches!(looked.now, Now::Directory | Now::Other);
    let mut listed: Vec<&[u8]> = paths.iter().filter(travels).map(|looked| &*looked.path).collect();
    // Nearly always they are in order already, and no path is there twice.
    listed.sort();
    listed.dedup();
    let mut counts: Vec<(&[u8], usize)> = Vec::new();
    for path in listed {
        let Some(slash) = path.iter().rposition(|&byte| byte == b'/') else { continue };
        match counts.last_mut() {
            Some((directory, count)) if *directory == &path[..slash] => *count += 1,
            Some(_) | None => counts.push((&path[..slash], 1)),
        }
    }
    // What lies in a subdirectory stands between two entries of the directory.
    counts.sort();
    counts.dedup_by(|(directory, count), (kept, sum)| {
        let same = directory == kept;
        *sum += if same { *count } else { 0 };
        same
    });
    counts
}

/// Whether a real directory has exactly so many entries. Reading ends with the first one too many.
fn has_entries(directory: &Path, expected: usize, buffer: &mut Buffer) -> io::Result<bool> {
    let directory = Directory::open(directory, false)?;
    let mut found = 0;
    while found <= expected {
        let entries = directory.read(buffer)?;
        if entries.is_end() {
            break;
        }
        found += entries.count();
    }
    Ok(found == expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsync::asked::plan::Gone;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Files of the given names in the given directory, and their paths.
    fn files(root: &Path, directory: &str, names: std::ops::Range<usize>) -> Vec<Looked> {
        fs::create_dir_all(root.join(directory)).unwrap();
        let path = |name: usize| format!("{directory}/f{name}");
        names
            .map(|name| {
                fs::write(root.join(path(name)), "").unwrap();
                looked(&path(name), Now::Other)
            })
            .collect()
    }

    fn looked(path: &str, now: Now) -> Looked {
        Looked {
            path: path.as_bytes().into(),
            gone: Gone::No,
            now,
            bytes: 0,
            fresh: false,
            joined: false,
        }
    }

    fn found(root: &Path, paths: &[Looked]) -> Vec<String> {
        let found = directories(root, paths);
        found.iter().map(|path| String::from_utf8(path.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_directory_is_whole_with_all_its_entries_and_not_with_all_but_one() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mut paths = files(root, "d", 0..ENTRIES_MIN);
        assert_eq!(found(root, &paths), ["d"]);
        // What is gone is no entry, whether it is in the list or not.
        paths.push(looked("d/gone", Now::Missing));
        assert_eq!(found(root, &paths), ["d"]);
        fs::write(root.join("d/unlisted"), "").unwrap();
        assert!(found(root, &paths).is_empty());
        // A large one does not travel with the list.
        paths.push(looked("d/unlisted", Now::Apart));
        assert!(found(root, &paths).is_empty());
        paths.pop();
        paths.push(looked("d/unlisted", Now::Other));
        assert_eq!(found(root, &paths), ["d"]);
    }

    #[test]
    fn the_entries_of_subdirectories_are_counted_for_these() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mut paths = files(root, "d", 0..ENTRIES_MIN);
        paths.push(looked("d/f0dir", Now::Directory));
        paths.extend(files(root, "d/f0dir", 0..ENTRIES_MIN + 1));
        // Sorted, they stand between two files of `d`; and whoever counts twice has one too many.
        paths.push(paths[0].clone());
        assert_eq!(found(root, &paths), ["d", "d/f0dir"]);
        fs::write(root.join("d/f0dir/unlisted"), "").unwrap();
        assert_eq!(found(root, &paths), ["d"]);
    }

    #[test]
    fn the_root_a_small_directory_and_what_a_symlink_leads_to_are_never_whole() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mut paths = files(root, ".", 0..2 * ENTRIES_MIN);
        paths.iter_mut().for_each(|looked| looked.path = looked.path[2..].into());
        assert!(found(root, &paths).is_empty());
        assert!(found(root, &files(root, "small", 0..ENTRIES_MIN - 1)).is_empty());
        files(root, "real", 0..ENTRIES_MIN);
        symlink("real", root.join("link")).unwrap();
        let through: Vec<Looked> =
            (0..ENTRIES_MIN).map(|name| looked(&format!("link/f{name}"), Now::Other)).collect();
        assert!(found(root, &through).is_empty());
    }

    #[test]
    fn a_directory_that_takes_several_reads_is_counted_in_full() {
        let root = tempfile::tempdir().unwrap();
        let mut paths = files(root.path(), "large", 0..5_000);
        assert_eq!(found(root.path(), &paths), ["large"]);
        paths.pop();
        assert!(found(root.path(), &paths).is_empty());
    }
}
