//! A file system of its own, as large as the test wants it: a disk that can be full.

use nix::mount::{mount, umount2, MntFlags, MsFlags};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What fills a disk up.
const FILLER: &str = ".filler";

/// A mounted tmpfs. It is unmounted with the value, whoever still uses it.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// An empty one of so many KiB over the directory `at`.
    pub fn mount(at: &Path, size_kib: usize) -> Disk {
        tmpfs(at, size_kib, MsFlags::empty());
        Disk { at: at.to_path_buf() }
    }

    /// Makes it larger or smaller while it is in use.
    pub fn resize(&self, size_kib: usize) {
        tmpfs(&self.at, size_kib, MsFlags::MS_REMOUNT);
    }

    /// Takes all of the room.
    pub fn fill(&self) {
        let mut filler = fs::File::create(self.at.join(FILLER)).unwrap();
        loop {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("cannot fill {}: {error}", self.at.display()),
            }
        }
    }

    /// Gives the room of [`Disk::fill`] back.
    pub fn make_room(&self) {
        fs::remove_file(self.at.join(FILLER)).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount2(&self.at, MntFlags::MNT_DETACH);
    }
}

fn tmpfs(at: &Path, size_kib: usize, flags: MsFlags) {
    let size = format!("size={size_kib}k");
    let done = mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(size.as_str()));
    done.unwrap_or_else(|e| panic!("cannot mount a tmpfs at {}: {e}", at.display()));
}
