//! statfs(2): which file system a path lies on, by what the file system says of itself.
#![allow(unsafe_code)]

use nix::sys::statfs::statfs;
use std::io;
use std::path::Path;

/// The magic numbers of tmpfs and ramfs (statfs(2)).
const IN_MEMORY: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// A file system. Its device number says where it is mounted from; this stays the same wherever that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// What it is called by its own kind: on ext4 and btrfs a part of its UUID, on xfs and FAT the device.
    /// 0 where it does not say, as on NFS.
    id: u64,
    /// The magic number of its kind.
    kind: i64,
}

impl FileSystem {
    /// The one that `path` leads to.
    ///
    /// # Errors
    /// Whatever statfs(2) gives.
    pub fn of(path: &Path) -> io::Result<FileSystem> {
        let found = statfs(path)?;
        // SAFETY: the kernel's type is two ints, whose names C keeps to itself.
        let [low, high]: [libc::c_int; 2] = unsafe { std::mem::transmute(found.filesystem_id()) };
        let id = u64::from(low as u32) | u64::from(high as u32) << 32;
        // As wide as the processor has it.
        #[allow(clippy::unnecessary_cast)]
        let kind = found.filesystem_type().0 as i64;
        Ok(FileSystem { id, kind })
    }

    /// What it says of itself, to be kept: its name, and the magic number of its kind.
    pub fn numbers(self) -> (u64, u64) {
        (self.id, self.kind as u64)
    }

    /// The one of which that was kept.
    pub fn numbered(id: u64, kind: u64) -> FileSystem {
        FileSystem { id, kind: kind as i64 }
    }

    /// One that says this of itself, for tests.
    #[cfg(test)]
    pub fn example(id: u64) -> FileSystem {
        FileSystem { id, kind: 1 }
    }

    /// Whether what is on it is gone after a reboot.
    pub fn is_in_memory(self) -> bool {
        IN_MEMORY.contains(&(self.kind as u32))
    }

    /// Whether it is this very file system, as far as it says which it is.
    pub fn is_same(self, other: FileSystem) -> Option<bool> {
        let says = self.id != 0 && other.id != 0;
        (says || self.kind != other.kind).then_some(self == other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_the_same_wherever_it_is_asked_and_another_is_not() {
        let place = tempfile::tempdir().unwrap();
        let of = |path: &Path| FileSystem::of(path).unwrap();
        let (here, proc) = (of(place.path()), of(Path::new("/proc")));
        assert_eq!(here, of(&place.path().join(".")));
        assert_eq!(here.is_same(proc), Some(false));
        let missing = FileSystem::of(&place.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn who_does_not_say_which_it_is_may_be_the_same() {
        let file_system = |id, kind| FileSystem { id, kind };
        for (one, other, same) in [
            ((5, 1), (5, 1), Some(true)),
            ((5, 1), (6, 1), Some(false)),
            ((5, 1), (5, 2), Some(false)),
            ((0, 1), (0, 1), None),
            ((0, 1), (5, 1), None),
            ((0, 1), (0, 2), Some(false)),
        ] {
            let found = file_system(one.0, one.1).is_same(file_system(other.0, other.1));
            assert_eq!(found, same, "{one:?} {other:?}");
        }
    }
}
