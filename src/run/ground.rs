//! The ground of a root: which directory its path leads to now, and on which file system that is.
//!
//! An emptied, unmounted or replaced directory must not be taken for the one that was there before. The
//! lookout tells the loop when the ground has moved, and a worker looks before each run.

pub mod below;
pub mod lookout;
pub mod way;

use self::way::Way;
use crate::engine::Shift;
use crate::keep::state::ground::KeptGround;
use crate::sys::file_system::FileSystem;
use crate::sys::mounts;
use crate::sys::mounts::table::Table;
use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Device and inode of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u64, u64);

impl Identity {
    /// The number of the directory in its file system.
    pub fn inode(self) -> u64 {
        self.1
    }

    /// Of the directory at `path`.
    ///
    /// # Errors
    /// Whatever stat(2) gives.
    pub fn of(path: &Path) -> io::Result<Identity> {
        std::fs::metadata(path).map(|found| Identity(found.dev(), found.ino()))
    }
}

/// What a root's path leads to, to be recognised when it has been away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Where the path leads to, without a symlink.
    pub resolved: PathBuf,
    /// Which directory it is.
    pub identity: Identity,
    /// What kind of file system it is on: `ext4`; empty if the kernel's table does not say.
    pub kind: Box<[u8]>,
    /// On which file system.
    file_system: FileSystem,
    /// Where that is mounted; the directory itself, if it is a mount point.
    mounted_at: PathBuf,
}

/// The directory of a root, open: it stays the same one for whoever starts in it, even if its disk is unmounted or its
/// path leads elsewhere meanwhile. To be dropped when the process has been started.
#[derive(Debug)]
pub struct HeldRoot {
    _directory: File,
    /// What leads to it in this process and in one that it starts.
    pub place: PathBuf,
}

impl Ground {
    /// Of the directory at `path`.
    ///
    /// # Errors
    /// Whatever the way to it, stat(2) or statfs(2) gives.
    pub fn of(path: &Path) -> io::Result<Ground> {
        Ground::at_the_end(path, Way::of(path), mounts::table().ok().as_ref())
    }

    /// Of the directory to which the way of `path` leads, by the table of mounts if there is one.
    fn at_the_end(path: &Path, way: Way, table: Option<&Table>) -> io::Result<Ground> {
        let resolved = way.end?;
        let (identity, file_system) = (Identity::of(path)?, FileSystem::of(path)?);
        let mount = table.and_then(|table| table.of(&resolved));
        let kind = mount.map_or(Box::default(), |mount| mount.kind.clone());
        let mounted_at = mount.map(|mount| mount.at.clone());
        let mounted_at = mounted_at.unwrap_or_else(|| top_of_device(&resolved, identity));
        Ok(Ground { resolved, identity, kind, file_system, mounted_at })
    }

    /// Whether `path` leads to the very same directory still.
    pub fn is_still_at(&self, path: &Path) -> bool {
        Identity::of(path).ok() == Some(self.identity)
    }

    /// The very same directory, if `path` leads to it still, to be started in.
    pub fn hold(&self, path: &Path) -> Option<HeldRoot> {
        let directory = mounts::hold_at_the_end(path).ok()?;
        let by_number = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        // Without /proc there is only the path, and what becomes of it in this moment cannot be known.
        let place = if by_number.exists() { by_number } else { path.to_owned() };
        self.is_still_at(&place).then_some(HeldRoot { _directory: directory, place })
    }

    /// What has become of it, if this is what the same path leads to later.
    pub fn shift(&self, later: &Ground) -> Shift {
        if later.resolved == self.resolved {
            // Both are directories on the way to the same one: the one further down is on top.
            let depth = |ground: &Ground| ground.mounted_at.as_os_str().len();
            match depth(self).cmp(&depth(later)) {
                Ordering::Less => return Shift::Mounted,
                Ordering::Equal => {}
                Ordering::Greater => return Shift::Unmounted,
            }
        }
        let is_same_device = self.identity.0 == later.identity.0;
        // The number of a device is given to another one when it is free; and the same disk may get
        // another number.
        if !self.file_system.is_same(later.file_system).unwrap_or(is_same_device) {
            return Shift::Disk;
        }
        match self.identity.inode() == later.identity.inode() {
            true => Shift::None,
            false => Shift::Directory,
        }
    }
}

impl Ground {
    /// As it is kept for the next run.
    pub fn kept(&self) -> KeptGround {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        KeptGround::Whole {
            resolved: bytes(&self.resolved),
            mounted_at: bytes(&self.mounted_at),
            inode: self.identity.inode(),
            file_system: self.file_system,
        }
    }

    /// What has become of the ground of the last run, if this is what the same path leads to now.
    pub fn since(&self, kept: &KeptGround) -> Shift {
        match kept {
            KeptGround::Inode(inode) if *inode == self.identity.inode() => Shift::None,
            KeptGround::Inode(_) => Shift::Directory,
            KeptGround::Whole { resolved, mounted_at, inode, file_system } => {
                let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
                let before = Ground {
                    resolved: path(resolved),
                    // The same device, where nothing else tells two file systems apart.
                    identity: Identity(self.identity.0, *inode),
                    kind: self.kind.clone(),
                    file_system: *file_system,
                    mounted_at: path(mounted_at),
                };
                before.shift(self)
            }
        }
    }
}

/// The topmost directory above that is on the same device: as good as a table of mounts can be told
/// without `/proc`.
fn top_of_device(resolved: &Path, identity: Identity) -> PathBuf {
    let is_on_it = |above: &&Path| Identity::of(above).is_ok_and(|it| it.0 == identity.0);
    resolved.ancestors().take_while(is_on_it).last().unwrap_or(resolved).to_path_buf()
}

/// Whether nothing is in a directory; also if that cannot be seen.
pub fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ground by where its path leads to, what is mounted where, device and inode.
    fn ground(resolved: &str, mounted_at: &str, device: u64, inode: u64, id: u64) -> Ground {
        Ground {
            resolved: resolved.into(),
            identity: Identity(device, inode),
            kind: b"ext4"[..].into(),
            file_system: FileSystem::example(id),
            mounted_at: mounted_at.into(),
        }
    }

    #[test]
    fn what_has_become_of_the_ground_is_seen_by_what_the_path_leads_to_later() {
        let on_disk = ground("/data", "/data", 8, 2, 5);
        let on_root = ground("/data", "/", 1, 70, 1);
        let below = ground("/mnt/data", "/mnt", 8, 12, 5);
        let unnamed = ground("/data", "/data", 8, 2, 0);
        let rows = [
            (&on_disk, on_disk.clone(), Shift::None),
            // Mounted again, from another port.
            (&on_disk, ground("/data", "/data", 9, 2, 5), Shift::None),
            (&below, ground("/mnt/data", "/mnt", 9, 12, 5), Shift::None),
            (&on_disk, ground("/data", "/data", 8, 7, 5), Shift::Directory),
            (&on_root, ground("/data", "/", 1, 71, 1), Shift::Directory),
            // The root of every ext4 has the inode 2, and device numbers are given out again.
            (&on_disk, ground("/data", "/data", 8, 2, 6), Shift::Disk),
            (&on_root, ground("/data", "/", 3, 70, 3), Shift::Disk),
            (&below, ground("/mnt/data", "/mnt", 8, 12, 6), Shift::Disk),
            (&on_disk, on_root.clone(), Shift::Unmounted),
            (&below, ground("/mnt/data", "/", 1, 90, 1), Shift::Unmounted),
            // A bind mount, below which a directory of the same disk is seen again.
            (&ground("/data", "/data", 1, 50, 1), on_root.clone(), Shift::Unmounted),
            (&on_root, on_disk.clone(), Shift::Mounted),
            (&on_root, ground("/data", "/data", 1, 50, 1), Shift::Mounted),
            (&ground("/mnt/data", "/", 1, 90, 1), below.clone(), Shift::Mounted),
            // A link that leads elsewhere.
            (&on_root, ground("/other", "/", 1, 71, 1), Shift::Directory),
            (&on_root, below.clone(), Shift::Disk),
            // The file system does not say which it is.
            (&unnamed, unnamed.clone(), Shift::None),
            (&unnamed, ground("/data", "/data", 9, 2, 0), Shift::Disk),
        ];
        for (before, after, shift) in rows {
            assert_eq!(before.shift(&after), shift, "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_has_become_of_it_is_seen_after_a_restart_as_well() {
        let on_disk = ground("/data", "/data", 8, 2, 5);
        let unnamed = ground("/data", "/data", 8, 2, 0);
        for (before, after, shift) in [
            (&on_disk, on_disk.clone(), Shift::None),
            // The disk has another number after a boot.
            (&on_disk, ground("/data", "/data", 9, 2, 5), Shift::None),
            (&unnamed, ground("/data", "/data", 9, 2, 0), Shift::None),
            // The top directory of every ext4 has number 2.
            (&on_disk, ground("/data", "/data", 8, 2, 6), Shift::Disk),
            (&on_disk, ground("/data", "/", 1, 70, 1), Shift::Unmounted),
            // A bind mount of the same file system.
            (&ground("/data", "/data", 1, 70, 1), ground("/data", "/", 1, 71, 1), Shift::Unmounted),
            (&ground("/data", "/", 1, 70, 1), on_disk.clone(), Shift::Mounted),
            (&ground("/1", "/", 1, 70, 1), ground("/2", "/", 1, 71, 1), Shift::Directory),
        ] {
            assert_eq!(after.since(&before.kept()), shift, "{before:?} {after:?}");
        }
        assert_eq!(on_disk.since(&KeptGround::Inode(2)), Shift::None);
        assert_eq!(on_disk.since(&KeptGround::Inode(3)), Shift::Directory);
    }

    #[test]
    fn whoever_starts_in_a_held_root_is_in_it_whatever_becomes_of_its_path() {
        let place = tempfile::tempdir().unwrap();
        let (root, aside) = (place.path().join("root"), place.path().join("aside"));
        std::fs::create_dir(&root).unwrap();
        let ground = Ground::of(&root).unwrap();
        let held = ground.hold(&root).unwrap();
        std::fs::rename(&root, &aside).unwrap();
        std::fs::create_dir(&root).unwrap();
        let started = std::process::Command::new("pwd").arg("-P").current_dir(&held.place).output();
        let printed = PathBuf::from(OsStr::from_bytes(started.unwrap().stdout.trim_ascii_end()));
        assert_eq!(printed, aside.canonicalize().unwrap());
        assert!(ground.hold(&root).is_none());
    }

    #[test]
    fn the_ground_of_a_path_is_what_its_links_lead_to() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let (real, link) = (place.join("real"), place.join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        let by_link = Ground::of(&link).unwrap();
        assert_eq!((&by_link.resolved, &by_link), (&real, &Ground::of(&real).unwrap()));
        assert!(by_link.is_still_at(&link));
        // Without a table, the mount is found by the device.
        assert_eq!(top_of_device(&real, by_link.identity), by_link.mounted_at);
        std::fs::remove_file(&link).unwrap();
        assert_eq!(Ground::of(&link).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
