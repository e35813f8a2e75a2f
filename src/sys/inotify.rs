//! inotify(7): one instance for each root, so that one root's overflow is no other's, and one for their ways.
#![allow(unsafe_code)]

use super::sysctl::INSTANCES;
use super::user;
use nix::NixPath;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

/// What is asked of every directory. `IN_MODIFY` is asked for only where it counts: a large write
/// makes thousands of them.
pub const DIRECTORY: u32 = libc::IN_ATTRIB
    | libc::IN_CLOSE_WRITE
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_ONLYDIR;
/// Asked of the root besides: nobody above it would tell.
pub const ROOT: u32 = libc::IN_DELETE_SELF | libc::IN_MOVE_SELF;

/// Kernels allow 128 instances by default, which a desktop may use up by itself.
const ENOUGH_INSTANCES: u64 = 256;

/// Asked of each name on the way of a root's path, a directory or a symlink: whether something else takes its place.
/// The last link of a symlink goes as a change of its attributes, and the mode of a directory may close the way.
pub const WAY: u32 = OPEN_WAY | libc::IN_ATTRIB;
/// The same for a directory that lets root pass, whatever its mode: with `IN_ATTRIB`, the kernel would tell of each change
/// of mode, owner or time of what is in the directory, which is often beside the way.
const OPEN_WAY: u32 = libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_DONT_FOLLOW;
/// Asked of a directory in which a name on the way is missing: whether it comes.
pub const MISSING: u32 = libc::IN_CREATE | libc::IN_MOVED_TO;

/// The kernel gives one error for two limits. The process has reached its own if it can open nothing else either.
fn explained(error: io::Error) -> io::Error {
    if error.raw_os_error() != Some(libc::EMFILE) || io::pipe().is_err() {
        return error;
    }
    let name = "fs.inotify.max_user_instances";
    let limit = INSTANCES.value().unwrap_or(0);
    let text = format!(
        "this user has as many inotify instances as {name} allows, which is {limit}; raise it: sysctl -w \
         {name}={}",
        ENOUGH_INSTANCES.max(2 * limit)
    );
    io::Error::other(text)
}

/// An inotify instance. Watches may be added from any thread; one thread reads.
#[derive(Debug)]
pub struct Inotify {
    file: File,
}

impl Inotify {
    /// A new instance.
    ///
    /// # Errors
    /// The user has as many as `fs.inotify.max_user_instances` allows, or the process as many descriptors as it
    /// may have.
    pub fn new() -> io::Result<Inotify> {
        // SAFETY: no pointers are involved.
        let call = || unsafe { libc::inotify_init1(libc::IN_CLOEXEC) };
        // Before 2.6.27.
        // SAFETY: no pointers are involved.
        let older = || unsafe { libc::inotify_init() };
        let fd = super::descriptor(call, older).map_err(explained)?;
        super::set_nonblocking(&fd)?;
        Ok(Inotify { file: File::from(fd) })
    }

    /// Watches the directory at `path`, or changes the mask of its watch; gives the kernel's number of
    /// the watch.
    ///
    /// # Errors
    /// `ENOENT` or `ENOTDIR` when it is gone, `ENOSPC` at the watch limit, `EACCES`.
    pub fn add(&self, path: &Path, mask: u32) -> io::Result<i32> {
        // SAFETY: `path` is a NUL-terminated string that outlives the call.
        let wd = path.with_nix_path(|path| unsafe {
            libc::inotify_add_watch(self.file.as_raw_fd(), path.as_ptr(), mask)
        })?;
        if wd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(wd)
    }

    /// Watches what is at `path`, which is on the way of a root.
    ///
    /// # Errors
    /// As those of [`Inotify::add`].
    pub fn add_on_the_way(&self, path: &Path) -> io::Result<i32> {
        let is_root = user::effective() == 0;
        let open = is_root.then(|| self.add(path, OPEN_WAY | libc::IN_ONLYDIR).ok()).flatten();
        open.map_or_else(|| self.add(path, WAY), Ok)
    }

    /// Takes a watch back. That it is gone already is no error worth telling.
    pub fn remove(&self, wd: i32) {
        // SAFETY: no pointers are involved; a descriptor that is not a watch gives EINVAL.
        unsafe { libc::inotify_rm_watch(self.file.as_raw_fd(), wd) };
    }

    /// Reads as many whole records as fit; 0 when there are none now.
    ///
    /// # Errors
    /// Whatever read(2) gives, but for EAGAIN and EINTR.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match (&self.file).read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            result => result,
        }
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
