//! The names in the directory of a path that differ from its own in the case of their letters alone.
//!
//! They matter on either side. A file system here that takes them for one name (FAT, exFAT, NTFS) finds what was renamed from
//! `a` to `A` under both, and lets write by any of them. One over there deletes `A` when `a` is deleted.

use crate::engine::rel_path::RelPath;
use crate::rsync::asked::letter_case::is_same;
use crate::run::walk::below;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// Of a directory with more entries it is not looked whether one that went has such a name beside it: each deletion
/// would read all of them.
const ENTRIES_MAX: usize = 2_000;

/// What is known of one directory.
#[derive(Default)]
pub(super) struct Beside {
    /// Two such names are one here, or both are there; `None` while no name with letters has been looked for.
    is_found_by_others: Option<bool>,
    names: Option<Vec<Vec<u8>>>,
}

impl Beside {
    /// Whether what was found at a path is called so in its directory.
    pub(super) fn has(&mut self, root: &Path, path: &[u8]) -> bool {
        if self.is_found_by_others.is_none() {
            let mut other = path.to_vec();
            for byte in &mut other[name_at(path)..] {
                *byte ^= u8::from(byte.is_ascii_alphabetic()) << 5;
            }
            if other != path {
                let is_found = below(root, &other).symlink_metadata().is_ok();
                self.is_found_by_others = Some(is_found);
                self.names.take_if(|_| is_found);
            }
        }
        if self.is_found_by_others != Some(true) {
            return true;
        }
        let (others, is_there) = self.same(root, path, usize::MAX);
        is_there || others.is_empty()
    }

    /// The paths of the other names of what is not there, if it `went` or two such names are one.
    pub(super) fn others(&mut self, root: &Path, path: &[u8], went: bool) -> Vec<RelPath> {
        match went || self.is_found_by_others == Some(true) {
            true => self.same(root, path, ENTRIES_MAX).0,
            false => Vec::new(),
        }
    }

    /// The same, and whether its own name is there.
    fn same(&mut self, root: &Path, path: &[u8], entries_max: usize) -> (Vec<RelPath>, bool) {
        let (directory, own) = path.split_at(name_at(path));
        let names = self.names.get_or_insert_with(|| names(&below(root, directory), entries_max));
        let (mut others, mut is_there) = (Vec::new(), false);
        for name in names.iter().filter(|name| is_same(name, own)) {
            match **name == *own {
                true => is_there = true,
                false => others.push(RelPath::from([directory, name].concat())),
            }
        }
        (others, is_there)
    }
}

/// The names in a directory; none if there are too many.
fn names(directory: &Path, max: usize) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if names.len() == max {
            return Vec::new();
        }
        names.push(entry.file_name().into_vec());
    }
    names
}

/// Where the name of a path begins.
fn name_at(path: &[u8]) -> usize {
    path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, write};

    #[test]
    fn names_in_another_case_are_found_for_what_went_or_where_two_may_be_one() {
        let root = tempfile::tempdir().unwrap();
        create_dir(root.path().join("dir")).unwrap();
        for file in ["1", "Readme", "dir/\u{c4}", "dir/a", "dir/A", "dir/ab"] {
            write(root.path().join(file), "").unwrap();
        }
        let others = |beside: &mut Beside, path: &str, went: bool| {
            let mut found = beside.others(root.path(), path.as_bytes(), went);
            found.sort();
            found
                .into_iter()
                .map(|path| String::from_utf8(path.to_vec()).unwrap())
                .collect::<Vec<_>>()
        };
        let mut top = Beside::default();
        assert!(top.has(root.path(), b"1") && top.has(root.path(), b"Readme"));
        assert_eq!(others(&mut top, "README", false), [""; 0]);
        assert_eq!(others(&mut top, "README", true), ["Readme"]);
        let mut inside = Beside::default();
        assert!(inside.has(root.path(), b"dir/a") && inside.has(root.path(), b"dir/A"));
        assert_eq!(others(&mut inside, "dir/a", false), ["dir/A"]);
        assert_eq!(others(&mut inside, "dir/\u{e4}", false), ["dir/\u{c4}"]);
        // As such a file system would have it: found, and no name of the directory.
        assert!(!inside.has(root.path(), b"dir/aB"));
        // What is named in no way at all has just come.
        assert!(inside.has(root.path(), b"dir/new"));
    }

    #[test]
    fn a_large_directory_is_not_read_for_what_went() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..ENTRIES_MAX {
            write(root.path().join(number.to_string()), "").unwrap();
        }
        let found = || Beside::default().others(root.path(), b"A", true).len();
        write(root.path().join("a"), "").unwrap();
        assert_eq!(found(), 0);
        std::fs::remove_file(root.path().join("0")).unwrap();
        assert_eq!(found(), 1);
    }
}
