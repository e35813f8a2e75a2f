//! getdents64(2): reads directories through one buffer for all of them. std takes a buffer of 32
//! KiB for each directory, and asks for attributes that nobody needs: with a million directories
//! that is felt at the start.
#![allow(unsafe_code)]

use nix::fcntl::AtFlags;
use nix::sys::stat::{fstat, fstatat, FileStat};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What one call may give: a directory of a thousand entries, as a rule.
const BUFFER_BYTES: usize = 32 * 1024;
/// Where a record has what, by the kernel's `struct linux_dirent64`.
const LENGTH_AT: usize = 16;
const KIND_AT: usize = 18;
const NAME_AT: usize = 19;

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    file: File,
}

/// Where records are read to; for any number of directories, one after the other.
#[derive(Debug)]
pub struct Buffer(Vec<u8>);

/// What an entry is, as far as the file system has told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// Anything else; a symlink is one, whatever it leads to.
    Other,
    /// Some file systems do not tell: look.
    Unknown,
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer(vec![0; BUFFER_BYTES])
    }
}

impl Directory {
    /// Opens the directory at `path`. A symlink there is followed only if `follow` says so.
    ///
    /// # Errors
    /// What open(2) gives; `ENOTDIR` or `ELOOP` for a symlink that is not to be followed.
    pub fn open(path: &Path, follow: bool) -> io::Result<Directory> {
        let flags = if follow { libc::O_DIRECTORY } else { libc::O_DIRECTORY | libc::O_NOFOLLOW };
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        Ok(Directory { file })
    }

    /// The attributes of the directory itself.
    ///
    /// # Errors
    /// None on a local file system.
    pub fn attributes(&self) -> io::Result<FileStat> {
        Ok(fstat(&self.file)?)
    }

    /// The attributes of an entry, not following symlinks.
    ///
    /// # Errors
    /// `ENOENT` when it is gone.
    pub fn attributes_of(&self, name: &[u8]) -> io::Result<FileStat> {
        Ok(fstatat(&self.file, name, AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    /// The next entries, in the order of the file system; none at the end.
    ///
    /// # Errors
    /// `ENOENT` when the directory is gone.
    pub fn read<'a>(&self, buffer: &'a mut Buffer) -> io::Result<Entries<'a>> {
        let (fd, room) = (self.file.as_raw_fd(), &mut buffer.0);
        // SAFETY: the kernel writes at most so many bytes, into memory that is ours and initialised.
        let read = unsafe {
            libc::syscall(libc::SYS_getdents64, fd, room.as_mut_ptr(), BUFFER_BYTES as libc::c_uint)
        };
        let Ok(read) = usize::try_from(read) else { return Err(io::Error::last_os_error()) };
        Ok(Entries { records: &buffer.0[..read] })
    }
}

/// Entries that were read at once: the name of each, what it is, and the number of its inode; that of a directory on which
/// something is mounted is not the one that is seen. `.` and `..` are left out.
#[derive(Debug)]
pub struct Entries<'a> {
    records: &'a [u8],
}

impl Entries<'_> {
    /// Whether there was nothing more: not even `.` and `..`.
    pub fn is_end(&self) -> bool {
        self.records.is_empty()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], Kind, u64);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let length = self.records.get(LENGTH_AT..KIND_AT)?;
            let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
            // The kernel's records are never shorter, nor longer than what is left.
            let (record, rest) = self.records.split_at_checked(length.max(NAME_AT))?;
            self.records = rest;
            let name = record[NAME_AT..].split(|&byte| byte == 0).next().unwrap_or_default();
            let mut inode = [0; 8];
            inode.copy_from_slice(&record[..8]);
            let inode = u64::from_ne_bytes(inode);
            let kind = match record[KIND_AT] {
                libc::DT_DIR => Kind::Directory,
                libc::DT_UNKNOWN => Kind::Unknown,
                _ => Kind::Other,
            };
            if name != b"." && name != b".." {
                return Some((name, kind, inode));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn all_entries_are_read_however_many_there_are() {
        let place = tempfile::tempdir().unwrap();
        // More than fit into the buffer, with long names and short ones.
        let names: BTreeSet<String> =
            (0..3_000).map(|number| format!("{number}{}", "x".repeat(number % 200))).collect();
        for (at, name) in names.iter().enumerate() {
            match at % 3 {
                0 => std::fs::create_dir(place.path().join(name)).unwrap(),
                1 => std::fs::write(place.path().join(name), "").unwrap(),
                _ => std::os::unix::fs::symlink(".", place.path().join(name)).unwrap(),
            }
        }
        let directory = Directory::open(place.path(), false).unwrap();
        let (mut buffer, mut seen, mut directories) = (Buffer::default(), BTreeSet::new(), 0);
        loop {
            let entries = directory.read(&mut buffer).unwrap();
            if entries.is_end() {
                break;
            }
            for (name, kind, _) in entries {
                directories += usize::from(kind == Kind::Directory);
                assert!(seen.insert(String::from_utf8(name.to_vec()).unwrap()), "twice");
            }
        }
        assert_eq!(seen, names);
        assert_eq!(directories, 1_000);
    }

    #[test]
    fn what_is_no_directory_cannot_be_opened_and_what_is_gone_ends() {
        let place = tempfile::tempdir().unwrap();
        let (file, gone) = (place.path().join("file"), place.path().join("gone"));
        std::fs::write(&file, "").unwrap();
        let refused = Directory::open(&file, true).unwrap_err().raw_os_error();
        assert_eq!(refused, Some(libc::ENOTDIR));
        let link = place.path().join("link");
        std::os::unix::fs::symlink(".", &link).unwrap();
        assert!(Directory::open(&link, true).is_ok() && Directory::open(&link, false).is_err());
        std::fs::create_dir(&gone).unwrap();
        let directory = Directory::open(&gone, false).unwrap();
        std::fs::remove_dir(&gone).unwrap();
        let read = directory.read(&mut Buffer::default()).map(|entries| entries.is_end());
        assert!(read.is_err() || read.is_ok_and(|end| end));
        assert!(directory.attributes_of(b"x").is_err());
    }
}
