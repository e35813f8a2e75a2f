//! What is mounted, and the kernel's word that something has been mounted or unmounted.
//!
//! It does not say what: whoever is told looks at the mounts that matter to them.

pub mod table;

use self::table::Table;
use super::own_file;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The mounts of this process's own namespace, so that those of others do not count.
const MOUNTS: &str = "/proc/self/mounts";
/// The same with each mount's number; since 2.6.26.
const MOUNT_INFO: &str = "/proc/self/mountinfo";
/// So many mounts that no machine is known to have them, at a hundred bytes each.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Tells, through its descriptor's exceptional state, that the mounts have changed since the last wait.
#[derive(Debug)]
pub struct Mounts(File);

impl Mounts {
    /// Starts to listen.
    ///
    /// # Errors
    /// There is no `/proc`, or no descriptor left.
    pub fn new() -> io::Result<Mounts> {
        File::open(MOUNTS).map(Mounts)
    }
}

impl AsFd for Mounts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Keeps what is mounted on a directory busy as long as the value lives. `umount -l` works all the same.
///
/// # Errors
/// Nothing is there, or no descriptor left.
pub fn hold(directory: &Path) -> io::Result<File> {
    held(directory, libc::O_NOFOLLOW)
}

/// The same for the directory at the end of a path that may be a symlink.
///
/// # Errors
/// Nothing is there, or no descriptor left.
pub fn hold_at_the_end(path: &Path) -> io::Result<File> {
    held(path, 0)
}

fn held(path: &Path, flags: i32) -> io::Result<File> {
    // With O_PATH no device is waited for. Kernels before 2.6.39 overlook it.
    let flags = flags | libc::O_PATH | libc::O_DIRECTORY;
    let held = File::options().read(true).custom_flags(flags).open(path)?;
    own_file::close_on_exec(&held)?;
    Ok(held)
}

/// What is mounted now.
///
/// # Errors
/// There is no `/proc`, or the table is larger than any should be.
pub fn table() -> io::Result<Table> {
    match read(MOUNT_INFO) {
        Ok(text) => Ok(Table::of_mountinfo(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            read(MOUNTS).map(|text| Table::of_mounts(&text))
        }
        Err(error) => Err(error),
    }
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(file)?.take(TABLE_BYTES_MAX).read_to_end(&mut text)?;
    // A table that was cut short would lack the very mount that is looked for.
    match text.len() as u64 {
        TABLE_BYTES_MAX => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn proc_is_mounted_where_the_table_is_read() {
        let table = table().unwrap();
        let found = table.of(Path::new("/proc/self")).unwrap();
        assert_eq!((found.at.as_path(), &*found.kind), (Path::new("/proc"), &b"proc"[..]));
        // Both files tell the same of it.
        let older = Table::of_mounts(&read(MOUNTS).unwrap());
        assert_eq!(older.of(Path::new("/proc/self")).unwrap().at, found.at);
    }
}
