//! What a path of a job is at this moment.

use super::beside::Beside;
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::plan::Now;
use crate::run::walk::below;
use nix::errno::Errno;
use nix::fcntl::{openat, AtFlags, OFlag};
use nix::sys::stat::{fstatat, FileStat, Mode, SFlag};
use std::cell::Cell;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Looks what paths are now. Lists are sorted, so it remembers the parent of the last path.
pub(super) struct Looker<'a> {
    root: &'a Path,
    /// The root, so that not every look begins at `/`; `None` if it cannot be opened.
    opened: Option<File>,
    parent: Vec<u8>,
    /// What the way to it is: [`Now::Directory`] if each part of it is one.
    parent_is: Now,
    /// The parent, opened with the second path in it: from then on a look needs no way down from the root.
    parent_opened: Option<OwnedFd>,
    /// The names in the parent.
    beside: Beside,
    /// The last path, if it is there.
    last: Option<FileStat>,
    /// Why the last path that is unknown is.
    trouble: Cell<Option<Errno>>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(root: &'a Path) -> Looker<'a> {
        let opened = File::open(root).ok();
        Looker {
            root,
            opened,
            parent: Vec::new(),
            parent_is: Now::Directory,
            parent_opened: None,
            beside: Beside::default(),
            last: None,
            trouble: Cell::new(None),
        }
    }

    /// What a path is now, not following symlinks. A path whose parent has become a symlink is
    /// hidden, whatever the link leads to: on the far side the link is in the way as well.
    ///
    /// With it comes the size of a regular file, otherwise 0.
    pub(super) fn look(&mut self, path: &[u8]) -> (Now, u64) {
        self.last = None;
        if path.is_empty() {
            return (Now::Directory, 0);
        }
        let slash = path.iter().rposition(|&byte| byte == b'/');
        let parent = &path[..slash.unwrap_or(0)];
        if parent != self.parent {
            self.parent_is = self.way(parent);
            self.parent.clear();
            self.parent.extend_from_slice(parent);
            self.parent_opened = None;
            self.beside = Beside::default();
        } else if self.parent_is == Now::Directory && self.parent_opened.is_none() {
            self.parent_opened = self.open(parent);
        }
        match self.parent_is {
            Now::Directory => {}
            Now::Unknown => return (Now::Unknown, 0),
            Now::Missing | Now::Orphaned => return (Now::Orphaned, 0),
            Now::Other | Now::Hidden | Now::Apart => return (Now::Hidden, 0),
        }
        let found = match (&self.parent_opened, slash) {
            (Some(parent), Some(slash)) => {
                fstatat(parent, &path[slash + 1..], AtFlags::AT_SYMLINK_NOFOLLOW)
            }
            _ => self.stat(path),
        };
        let found = match found {
            Ok(_) if !self.beside.has(self.root, path) => Err(Errno::ENOENT),
            found => found,
        };
        self.last = found.ok();
        let bytes = self.file().map_or(0, |file| u64::try_from(file.st_size).unwrap_or(0));
        (self.now(found), bytes)
    }

    /// The paths beside the last one, which is not there, that differ from it in the case of their letters alone, if
    /// something `went` or it was found by such a name.
    pub(super) fn in_other_case(&mut self, path: &[u8], went: bool) -> Vec<RelPath> {
        self.beside.others(self.root, path, went)
    }

    /// The attributes of the last path, if it is a regular file.
    pub(super) fn file(&self) -> Option<&FileStat> {
        self.last.as_ref().filter(|found| kind(found) == SFlag::S_IFREG)
    }

    /// Whether the last path is a symlink.
    pub(super) fn is_link(&self) -> bool {
        self.last.as_ref().is_some_and(|found| kind(found) == SFlag::S_IFLNK)
    }

    /// Why the last path that is [`Now::Unknown`] is.
    pub(super) fn trouble(&self) -> Option<Errno> {
        self.trouble.get()
    }

    /// What a look has found. Only these two errors mean that nothing is there: a disk that fails, or a right
    /// that is missing, says nothing about the path.
    fn now(&self, found: nix::Result<FileStat>) -> Now {
        match found {
            Ok(found) if kind(&found) == SFlag::S_IFDIR => Now::Directory,
            Ok(_) => Now::Other,
            Err(Errno::ENOENT | Errno::ENOTDIR) => Now::Missing,
            Err(error) => {
                self.trouble.set(Some(error));
                Now::Unknown
            }
        }
    }

    /// What the way to all that lies in a directory is: [`Now::Directory`], or else what is in the way.
    fn way(&self, directory: &[u8]) -> Now {
        let itself = Some(directory).filter(|directory| !directory.is_empty());
        let way = directories_above(directory).chain(itself);
        let mut parts = way.map(|path| {
            let now = self.now(self.stat(path));
            let is_named = now != Now::Directory || Beside::default().has(self.root, path);
            if is_named {
                now
            } else {
                Now::Missing
            }
        });
        parts.find(|now| *now != Now::Directory).unwrap_or(Now::Directory)
    }

    /// Opens a directory below the root; `None` for the root, and for what cannot be opened as one.
    fn open(&self, directory: &[u8]) -> Option<OwnedFd> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = self.opened.as_ref().filter(|_| !directory.is_empty())?;
        openat(opened, directory, flags, Mode::empty()).ok()
    }

    /// Of what lies at a path, not following a symlink there.
    fn stat(&self, path: &[u8]) -> nix::Result<FileStat> {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        match &self.opened {
            Some(opened) => fstatat(opened, path, flags),
            None => fstatat(nix::fcntl::AT_FDCWD, &below(self.root, path), flags),
        }
    }
}

/// The directories in which a path lies, from the topmost on, without the root.
fn directories_above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
    ends.map(|end| &path[..end])
}

fn kind(found: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

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
            ("link/deep", Now::Hidden),
            ("link/deep/file", Now::Hidden),
            ("missing/file", Now::Orphaned),
            ("missing/a/file", Now::Orphaned),
            ("dangling/file", Now::Hidden),
            ("real", Now::Directory),
            ("real/deep", Now::Directory),
            ("real/deep/file", Now::Other),
            ("real/deep/link", Now::Other),
            ("real/deep/missing", Now::Missing),
            ("real/deep/file/below", Now::Hidden),
            ("link/deep/file", Now::Hidden),
            ("link/deep/link", Now::Hidden),
        ] {
            assert_eq!(looker.look(path.as_bytes()).0, now, "{path}");
        }
    }
}
