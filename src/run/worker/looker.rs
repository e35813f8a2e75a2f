//! What a path of a job is at this moment, and what is in its way.

use crate::engine::rel_path::RelPath;
use crate::rsync::asked::plan::{Gone, Now};
use crate::run::walk::below;
use nix::fcntl::{openat, AtFlags, OFlag};
use nix::sys::stat::{fstatat, FileStat, Mode, SFlag};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Looks what paths are now. Lists are sorted, so it remembers the parent of the last path.
pub(super) struct Looker<'a> {
    root: &'a Path,
    /// The root, so that not every look begins at `/`; `None` if it cannot be opened.
    opened: Option<File>,
    parent: Vec<u8>,
    parent_is_real: bool,
    /// The parent, opened with the second path in it: from then on a look needs no way down from the root.
    parent_opened: Option<OwnedFd>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(root: &'a Path) -> Looker<'a> {
        let opened = File::open(root).ok();
        Looker { root, opened, parent: Vec::new(), parent_is_real: true, parent_opened: None }
    }

    /// What a path is now, not following symlinks. A path whose parent has become a symlink is
    /// missing, whatever the link leads to: on the far side the link is in the way as well.
    ///
    /// With it comes the size of a regular file, otherwise 0.
    pub(super) fn look(&mut self, path: &[u8]) -> (Now, u64) {
        if path.is_empty() {
            return (Now::Directory, 0);
        }
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let parent = &path[..slash.unwrap_or(0)];
        if parent != self.parent {
            self.parent_is_real = self.is_real(parent);
            self.parent.clear();
            self.parent.extend_from_slice(parent);
            self.parent_opened = None;
        } else if self.parent_is_real && self.parent_opened.is_none() {
            self.parent_opened = self.open(parent);
        }
        if !self.parent_is_real {
            return (Now::Missing, 0);
        }
        let found = match (&self.parent_opened, slash) {
            (Some(parent), Some(slash)) => {
                fstatat(parent, &path[slash + 1..], AtFlags::AT_SYMLINK_NOFOLLOW).ok()
            }
            _ => self.stat(path),
        };
        match found.map(|found| (kind(&found), found.st_size)) {
            Some((SFlag::S_IFDIR, _)) => (Now::Directory, 0),
            Some((SFlag::S_IFREG, bytes)) => (Now::Other, u64::try_from(bytes).unwrap_or(0)),
            Some(_) => (Now::Other, 0),
            None => (Now::Missing, 0),
        }
    }

    /// The topmost thing above a path just looked at that is no directory any more. It has to be listed in
    /// place of the path: with the path, rsync sends the way to it as well (`-R`), and where a part of that is
    /// a symlink now, rsync follows it and makes a directory of it over there (measured).
    pub(super) fn in_the_way(&self, path: &[u8]) -> Option<(RelPath, Gone, Now)> {
        if self.parent_is_real {
            return None;
        }
        let ends = path.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
        ends.map(|end| &path[..end]).find_map(|above| {
            let now = match self.stat(above) {
                Some(found) if kind(&found) == SFlag::S_IFDIR => return None,
                Some(_) => Now::Other,
                None => Now::Missing,
            };
            // There was something below it, so it was a directory.
            Some((RelPath::from(above), Gone::Directory, now))
        })
    }

    fn is_real(&self, directory: &[u8]) -> bool {
        let ends = directory.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
        ends.chain([directory.len()]).filter(|&end| end > 0).all(|end| {
            self.stat(&directory[..end]).is_some_and(|found| kind(&found) == SFlag::S_IFDIR)
        })
    }

    /// Opens a directory below the root; `None` for the root, and for what cannot be opened as one.
    fn open(&self, directory: &[u8]) -> Option<OwnedFd> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = self.opened.as_ref().filter(|_| !directory.is_empty())?;
        openat(opened, directory, flags, Mode::empty()).ok()
    }

    /// Of what lies at a path, not following a symlink there.
    fn stat(&self, path: &[u8]) -> Option<FileStat> {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        let found = match &self.opened {
            Some(opened) => fstatat(opened, path, flags),
            None => fstatat(nix::fcntl::AT_FDCWD, &below(self.root, path), flags),
        };
        found.ok()
    }
}

fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
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
                .map(|(above, now)| (RelPath::from(above.as_bytes()), Gone::Directory, now));
            assert_eq!(looker.in_the_way(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn a_look_follows_no_symlink_anywhere_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("real/deep")).unwrap();
        std::fs::write(root.path().join("real/deep/file"), "").unwrap();
        symlink(".", root.path().join("real/deep/link")).unwrap();
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
            ("real/deep/link", Now::Other),
            ("real/deep/missing", Now::Missing),
            ("real/deep/file/below", Now::Missing),
            ("link/deep/file", Now::Missing),
            ("link/deep/link", Now::Missing),
        ] {
            assert_eq!(looker.look(path.as_bytes()).0, now, "{path}");
        }
    }
}
