//! The fail log's file: opened with suspicion, replaced as a whole.
//!
//! The usual place is /tmp, where everybody may put files, links and directories, and where what
//! stands in this file decides what is deleted on the remotes. So a file is only used if nobody else
//! can have written it. Owns the file and nothing of its text. Called by the event loop.
//!
//! A file that is there is replaced by another one under its name, so whoever reads it sees the old
//! text or the new one, never a part, also after a crash. The file is locked while it is in use:
//! several configurations with one fail log would write over what the others owe.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::{access, AccessFlags};

use crate::sys::user;

/// The largest file that is read, in bytes. Twice what is ever written of one's own.
pub const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Names that are tried for the new file, if somebody keeps making files with those names.
const NAMES_MAX: u32 = 16;
/// For the owner alone; it can be run, since it is a script.
const FILE_MODE: u32 = 0o700;
/// Of directories that are made: as mkdir would with the usual umask.
const DIRECTORY_MODE: u32 = 0o755;

const WRITABLE_BY_OTHERS: u32 = 0o022;
const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// The file, and the right to replace it.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// The file that is there now, if it is ours.
    current: Option<Ours>,
}

/// A file of ours. Its lock ends with it.
#[derive(Debug)]
enum Ours {
    Locked(Flock<File>),
    /// Some network file systems have no locks: there nobody is kept out.
    Unlocked(File),
}

impl Ours {
    fn file(&self) -> &File {
        match self {
            Ours::Locked(file) => file,
            Ours::Unlocked(file) => file,
        }
    }
}

/// Why a file or its directory is not used.
#[derive(Debug)]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub why: Why,
}

/// What can be wrong with a fail log.
#[derive(Debug)]
pub enum Why {
    /// The path ends in no file name.
    NoName,
    /// It is a symbolic link, or one of several names of a file.
    Link,
    /// It is a directory, a pipe, a device.
    NoFile,
    /// It belongs to the user with this number.
    Owner(u32),
    /// Others may write to it; its mode.
    Writable(u32),
    /// Everybody may replace it, since everybody may write to its directory; that one's mode.
    Directory(u32),
    /// It is larger than [`FILE_BYTES_MAX`].
    TooLarge,
    /// Another process has it locked.
    InUse,
    /// The system says no.
    Failed(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::NoName => write!(f, "{path} is no name of a file; set <failLog path> to one"),
            Why::Link => write!(
                f,
                "the fail log {path} is a link, and what it leads to may be anything; remove it, or \
                 set <failLog path> to the file itself"
            ),
            Why::NoFile => write!(
                f,
                "the fail log {path} is no regular file; remove it, or choose another <failLog path>"
            ),
            Why::Owner(uid) => write!(
                f,
                "the fail log {path} belongs to the user with the number {uid}, not to {}; remove \
                 it, or choose a <failLog path> in a directory of your own",
                user::effective()
            ),
            Why::Writable(mode) => write!(
                f,
                "others can write to the fail log {path} (mode {mode:04o}); look whether every \
                 command in it is yours, then run: chmod 700 {path}"
            ),
            Why::Directory(mode) => write!(
                f,
                "everybody can replace the fail log {path}: its directory has mode {mode:04o}; run \
                 chmod o-w on the directory, or choose another <failLog path>"
            ),
            Why::TooLarge => write!(
                f,
                "the fail log {path} is larger than {} MiB; move it away and start with -r, which \
                 pushes everything",
                FILE_BYTES_MAX / 1024 / 1024
            ),
            Why::InUse => write!(
                f,
                "the fail log {path} is in use by another sersync; give each configuration a \
                 <failLog path> of its own"
            ),
            Why::Failed(error) => write!(
                f,
                "the fail log {path} cannot be used: {error}; make its directory writable, or \
                 choose another <failLog path>"
            ),
        }
    }
}

impl std::error::Error for Refused {}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Why {
        Why::Failed(error)
    }
}

impl Store {
    /// Opens the fail log, and gives what is in it; nothing if there is none. Directories that are
    /// missing are made: nobody notices a missing one before the first failure.
    ///
    /// # Errors
    /// The file, or its place, is not safe to use or cannot be used.
    pub fn open(path: &Path) -> Result<(Store, Vec<u8>), Refused> {
        let refused = |why| Refused { path: path.into(), why };
        let (current, text) = open(path).map_err(refused)?;
        Ok((Store { path: path.into(), current }, text))
    }

    /// Puts `text` in the place of what is there. No text leaves an empty file, if there is one: old
    /// tooling asks whether it is empty.
    ///
    /// # Errors
    /// A full disk, above all. Then the file is as it was, and this may be tried again.
    pub fn replace(&mut self, text: &[u8]) -> io::Result<()> {
        let there = match self.path.symlink_metadata() {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound && text.is_empty() => {
                self.current = None;
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.put(text);
            }
            Err(error) => return Err(error),
        };
        let ours = self.current.as_ref().is_some_and(|ours| is_same(ours.file(), &there));
        // Somebody else's, made since: it may be another program's whose lock counts.
        if !ours && there.is_file() && lock(open_file(&self.path)?).is_none() {
            return Err(in_use());
        }
        self.put(text)
    }

    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        let directory = parent(&self.path);
        let (temporary, file) = create_beside(&self.path)?;
        let put = write_whole(&file, text)
            .and_then(|()| lock(file).ok_or_else(in_use))
            .and_then(|file| std::fs::rename(&temporary, &self.path).map(|()| file));
        if put.is_err() {
            // Otherwise it takes up room on a disk that may be full.
            let _ = std::fs::remove_file(&temporary);
        }
        self.current = Some(put?);
        // The new text is there. Where directories cannot be synced, only a crash could undo it.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

fn open(path: &Path) -> Result<(Option<Ours>, Vec<u8>), Why> {
    check_name(path)?;
    let directory = parent(path);
    // COMPAT: guides name a directory like /usr/local/sersync/log that their reader never made.
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    check_directory(directory)?;
    let Some(file) = trusted(path)? else { return Ok((None, Vec::new())) };
    let file = lock(file).ok_or(Why::InUse)?;
    let text = text(file.file())?;
    Ok((Some(file), text))
}

/// Looks at the fail log as a start does, and gives what is in it; but no directory is made, and
/// nothing is locked.
///
/// # Errors
/// The file, or its place, is not safe to use or cannot be used.
pub fn look(path: &Path) -> Result<Vec<u8>, Refused> {
    let look = || {
        check_name(path)?;
        // A missing directory is made at the start, in the first one above it that is there.
        let there = parent(path).ancestors().find(|directory| directory.exists());
        check_directory(there.unwrap_or(Path::new(".")))?;
        trusted(path)?.map_or(Ok(Vec::new()), |file| text(&file))
    };
    look().map_err(|why| Refused { path: path.into(), why })
}

fn check_name(path: &Path) -> Result<(), Why> {
    if path.file_name().is_none() || path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(Why::NoName);
    }
    Ok(())
}

fn check_directory(directory: &Path) -> Result<(), Why> {
    let mode = directory.metadata()?.mode();
    if mode & WRITABLE_BY_ALL != 0 && mode & STICKY == 0 {
        return Err(Why::Directory(mode & 0o7777));
    }
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from)?;
    Ok(())
}

/// The file, if there is one, that nobody else can have put there.
fn trusted(path: &Path) -> Result<Option<File>, Why> {
    let file = match open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => return Err(Why::Link),
        // What has no reader or no driver: a socket, a device.
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => return Err(Why::NoFile),
        Err(error) => return Err(Why::Failed(error)),
    };
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(Why::NoFile);
    }
    if found.uid() != user::effective() {
        return Err(Why::Owner(found.uid()));
    }
    if found.nlink() > 1 {
        return Err(Why::Link);
    }
    Ok(Some(file))
}

fn text(file: &File) -> Result<Vec<u8>, Why> {
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    if text.len() > FILE_BYTES_MAX {
        return Err(Why::TooLarge);
    }
    // COMPAT: sersync left its file with mode 777. While it is empty nobody has written anything,
    // and the next text comes in a file of its own: an upgrade need not stumble over it.
    let mode = file.metadata()?.mode();
    if mode & WRITABLE_BY_OTHERS != 0 && !text.is_empty() {
        return Err(Why::Writable(mode & 0o7777));
    }
    Ok(text)
}

fn open_file(path: &Path) -> io::Result<File> {
    // Not waiting for whoever might open the other end of a pipe.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// The file, locked; `None` if another process has it locked.
fn lock(file: File) -> Option<Ours> {
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(locked) => Some(Ours::Locked(locked)),
        Err((_, Errno::EWOULDBLOCK)) => None,
        Err((file, _)) => Some(Ours::Unlocked(file)),
    }
}

fn in_use() -> io::Error {
    io::Error::new(ErrorKind::WouldBlock, "another sersync uses the same fail log")
}

fn is_same(file: &File, there: &std::fs::Metadata) -> bool {
    file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

fn write_whole(mut file: &File, text: &[u8]) -> io::Result<()> {
    file.write_all(text)?;
    file.sync_all()
}

/// A new file in the same directory. The first name is always the same, so that what a crash left
/// behind is cleared away here and not collected; the others are for somebody who takes that one.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    options.custom_flags(OFlag::O_NOFOLLOW.bits());
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let first = path.with_file_name(&name);
    let _ = std::fs::remove_file(&first);
    let mut last = options.open(&first).map(|file| (first, file));
    for number in 0..NAMES_MAX {
        if last.as_ref().is_err_and(|error| error.kind() == ErrorKind::AlreadyExists) {
            let mut name = name.clone();
            name.push(format!(".{:016x}", RandomState::new().hash_one(number)));
            let other = path.with_file_name(name);
            last = options.open(&other).map(|file| (other, file));
        }
    }
    last
}

/// The directory of the file; that of a bare name is where the program was started.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
