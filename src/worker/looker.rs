//! What a path of a job is at this moment, and what is in its way.

use crate::engine::pending::Path as PathBytes;
use crate::rsync::plan::{Gone, Now};
use crate::walk::below;
use std::path::Path;

/// Looks what paths are now, and remembers the last parent: lists are sorted.
pub(super) struct Looker<'a> {
    root: &'a Path,
    parent: Vec<u8>,
    parent_is_real: bool,
}

impl<'a> Looker<'a> {
    pub(super) fn new(root: &'a Path) -> Looker<'a> {
        Looker { root, parent: Vec::new(), parent_is_real: true }
    }

    /// What a path is now, not following symlinks. A path whose parent has become a symlink is
    /// missing, whatever the link leads to: on the far side the link is in the way as well.
    ///
    /// With it comes the size of a regular file, otherwise 0.
    pub(super) fn look(&mut self, path: &[u8]) -> (Now, u64) {
        if path.is_empty() {
            return (Now::Directory, 0);
        }
        let parent =
            path.iter().rposition(|&byte| byte == b'/').map_or(&path[..0], |at| &path[..at]);
        if parent != self.parent {
            self.parent_is_real = self.is_real(parent);
            self.parent = parent.to_vec();
        }
        if !self.parent_is_real {
            return (Now::Missing, 0);
        }
        match below(self.root, path).symlink_metadata() {
            Ok(found) if found.is_dir() => (Now::Directory, 0),
            Ok(found) => (Now::Other, if found.is_file() { found.len() } else { 0 }),
            Err(_) => (Now::Missing, 0),
        }
    }

    /// Of a path just looked at: the topmost thing above it that is no directory any more, to be
    /// listed in its place. Listed itself, rsync would take the way to it along: where that is a
    /// symlink now, it would make a directory of it over there (`-R` follows it; measured).
    pub(super) fn in_the_way(&self, path: &[u8]) -> Option<(PathBytes, Gone, Now)> {
        if self.parent_is_real {
            return None;
        }
        let ends = path.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
        ends.map(|end| &path[..end]).find_map(|above| {
            let now = match below(self.root, above).symlink_metadata() {
                Ok(found) if found.is_dir() => return None,
                Ok(_) => Now::Other,
                Err(_) => Now::Missing,
            };
            // There was something in it, so it was a directory.
            Some((PathBytes::from(above), Gone::Directory, now))
        })
    }

    fn is_real(&self, directory: &[u8]) -> bool {
        let ends = directory.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
        ends.chain([directory.len()]).filter(|&end| end > 0).all(|end| {
            let above = below(self.root, &directory[..end]).symlink_metadata();
            above.is_ok_and(|found| found.is_dir())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_in_the_way_is_listed_in_place_of_what_was_below() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("real")).unwrap();
        symlink("real", root.path().join("link")).unwrap();
        let mut looker = Looker::new(root.path());
        for (path, expected) in [
            ("real/x", None),
            ("x", None),
            ("link/a/x", Some(("link", Now::Other))),
            ("real/gone/a/x", Some(("real/gone", Now::Missing))),
        ] {
            looker.look(path.as_bytes());
            let expected = expected
                .map(|(above, now)| (PathBytes::from(above.as_bytes()), Gone::Directory, now));
            assert_eq!(looker.in_the_way(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn a_look_follows_no_symlink_anywhere_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("real/deep")).unwrap();
        std::fs::write(root.path().join("real/deep/file"), "").unwrap();
        symlink("real", root.path().join("link")).unwrap();
        symlink("nowhere", root.path().join("dangling")).unwrap();
        let mut looker = Looker::new(root.path());
        for (path, now) in [
            ("dangling", Now::Other),
            ("link", Now::Other),
            ("link/deep", Now::Missing),
            ("link/deep/file", Now::Missing),
            ("missing/file", Now::Missing),
            ("real", Now::Directory),
            ("real/deep", Now::Directory),
            ("real/deep/file", Now::Other),
            ("real/deep/file/below", Now::Missing),
        ] {
            assert_eq!(looker.look(path.as_bytes()).0, now, "{path}");
        }
    }
}
