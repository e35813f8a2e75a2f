//! The socket through which a command asks the running instance something.
//!
//! Owns how it is made in a directory where others may write too, and who may be at the other end: root, or
//! the user that this process runs as. What is said through it is the caller's: `run::control` listens,
//! `start::ask` asks.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::user;

/// The longest path that a socket's address holds (unix(7): 108 bytes with the NUL at its end).
const ADDRESS_BYTES_MAX: usize = 107;

/// The running instance's end.
#[derive(Debug)]
pub struct ControlSocket(UnixListener);

/// The name of a socket; removed when the value goes.
#[derive(Debug)]
pub struct SocketName(PathBuf);

impl ControlSocket {
    /// Listens at `path`. The caller holds the lock of its configuration, so that a socket that is there
    /// already was left by an instance that is gone.
    ///
    /// # Errors
    /// Something else has that name, or it cannot be made.
    pub fn listen(path: &Path) -> io::Result<(ControlSocket, SocketName)> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() && found.uid() == user::effective() => {
                fs::remove_file(path)?;
            }
            Ok(_) => {
                let text = format!("{} is there, and is no socket of ours", path.display());
                return Err(io::Error::new(ErrorKind::AlreadyExists, text));
            }
            Err(_) => {}
        }
        let listener = at_address(path, |address| UnixListener::bind(address))?;
        Ok((ControlSocket(listener), SocketName(path.into())))
    }

    /// Waits for the next command of root or of our own user.
    ///
    /// # Errors
    /// No descriptor is left; the next call may succeed.
    pub fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.0.accept()?;
            if is_trusted(&stream) {
                return Ok(stream);
            }
        }
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Connects to the instance that listens at `path`.
///
/// # Errors
/// Nobody listens there (`NotFound`, `ConnectionRefused`), or somebody who is neither root nor our own user.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let stream = at_address(path, |address| UnixStream::connect(address))?;
    if !is_trusted(&stream) {
        let text = format!("{} belongs to another user", path.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    Ok(stream)
}

/// Calls with an address that leads to `path`. Where the path is too long for one, the address leads through
/// its directory, which is open for as long as the call takes.
fn at_address<T>(path: &Path, call: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
        return call(path);
    }
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return call(path);
    };
    let directory = File::open(directory)?;
    call(&PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name))
}

/// Whether the other end is root's or our own. Of a stream that was accepted it is the one that connected;
/// of one that connected, the one that listens.
fn is_trusted(stream: &UnixStream) -> bool {
    peer_user(stream).is_ok_and(|user| user == 0 || user == user::effective())
}

fn peer_user(stream: &UnixStream) -> io::Result<u32> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes, the size of the value that it is given.
    let result = unsafe {
        libc::getsockopt(
            stream.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(credentials.uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn what_is_asked_gets_through_until_the_name_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        for directory in ["short".to_string(), "long".repeat(40)] {
            let directory = dir.path().join(directory);
            fs::create_dir(&directory).unwrap();
            let path = directory.join("socket");
            let (socket, name) = ControlSocket::listen(&path).unwrap();
            let mut there = connect(&path).unwrap();
            let mut here = socket.accept().unwrap();
            there.write_all(b"hello").unwrap();
            drop(there);
            let mut heard = String::new();
            here.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, "hello");
            drop(name);
            assert!(!path.exists());
            assert_eq!(connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced_and_anything_else_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        // Without its name going along: that is what a killed instance leaves.
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(connect(&path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let listening = ControlSocket::listen(&path).unwrap();
        assert!(connect(&path).is_ok());
        drop(listening);
        fs::write(&path, "a file").unwrap();
        assert_eq!(ControlSocket::listen(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"a file");
    }
}
