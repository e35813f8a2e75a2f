//! The fail log's file: opened with suspicion, replaced as a whole.
//!
//! The usual place is /tmp, where everybody may put files, links and directories, and where what
//! stands in this file decides what is deleted on the remotes. So a file is only used if nobody
//! else can have written it. Owns the file and nothing of its text. `ledger` calls it, and
//! `--check` looks with it.
//!
//! A file that is there is replaced by another one under its name, so whoever reads it sees the old
//! text or the new one, never a part, also after a crash. The file is locked while it is in use:
//! several configurations with one fail log would write over what the others owe.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::{access, AccessFlags};

use crate::sys::own_file::{self, Fault};

/// The largest file that is read, in bytes: twice as much as is ever written.
pub const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// For the owner alone; it can be run, since it is a script.
const FILE_MODE: u32 = 0o700;

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
    /// Another process has it locked.
    InUse,
    /// The file or its directory cannot be trusted, or cannot be used.
    File(Fault),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::NoName => write!(f, "{path} is no name of a file; set <failLog path> to one"),
            Why::InUse => write!(
                f,
                "the fail log {path} is in use by another sersync; give each configuration a \
                 <failLog path> of its own"
            ),
            Why::File(Fault::Directory(mode)) => write!(
                f,
                "everybody can replace the fail log {path}: its directory has mode {mode:04o}; run \
                 chmod +t on the directory, or choose another <failLog path>"
            ),
            Why::File(Fault::TooLarge(bytes_max)) => write!(
                f,
                "the fail log {path} is larger than {} MiB; move it away and start with -r, which \
                 pushes everything",
                bytes_max / 1024 / 1024
            ),
            Why::File(Fault::Failed(error)) => write!(
                f,
                "the fail log {path} cannot be used: {error}; make its directory writable, or \
                 choose another <failLog path>"
            ),
            Why::File(fault) => write!(f, "the fail log {path} {fault}; {}", remedy(fault, &path)),
        }
    }
}

/// What to do about a file that is not to be trusted.
fn remedy(fault: &Fault, path: &impl fmt::Display) -> String {
    match fault {
        Fault::SymbolicLink | Fault::HardLink => {
            "remove it, or set <failLog path> to the file itself".into()
        }
        Fault::Writable(_) => {
            format!("look whether every command in it is yours, then run: chmod 700 {path}")
        }
        Fault::Owner(_) => {
            "remove it, or choose a <failLog path> in a directory of your own".into()
        }
        Fault::NotPlain | Fault::Directory(_) | Fault::TooLarge(_) | Fault::Failed(_) => {
            "remove it, or choose another <failLog path>".into()
        }
    }
}

impl std::error::Error for Refused {}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Why {
        Why::File(fault)
    }
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Why {
        Why::File(Fault::Failed(error))
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
        // Somebody has made this file since. If another sersync has it locked, it is in use.
        if !ours && there.is_file() && lock(open_whosever(&self.path)?).is_none() {
            return Err(in_use());
        }
        self.put(text)
    }

    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        let settle = |file| lock(file).ok_or_else(in_use);
        match own_file::replace_with(&self.path, text, FILE_MODE, settle) {
            Ok(file) => self.current = Some(file),
            Err(own_file::Error { fault: Fault::Failed(error), .. }) => return Err(error),
            Err(error) => return Err(io::Error::other(error)),
        }
        Ok(())
    }
}

fn open(path: &Path) -> Result<(Option<Ours>, Vec<u8>), Why> {
    check_name(path)?;
    // COMPAT: guides name a directory like /usr/local/sersync/log that their reader never made.
    own_file::make_directory(path)?;
    check_directory(own_file::directory_of(path))?;
    let Some(file) = own_file::open_to_read(path)? else { return Ok((None, Vec::new())) };
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
        let mut above = own_file::directory_of(path).ancestors();
        check_directory(above.find(|directory| directory.exists()).unwrap_or(Path::new(".")))?;
        let file = own_file::open_to_read(path)?;
        Ok(file.map_or(Ok(Vec::new()), |file| text(&file))?)
    };
    look().map_err(|why| Refused { path: path.into(), why })
}

fn check_name(path: &Path) -> Result<(), Why> {
    if path.file_name().is_none() || path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(Why::NoName);
    }
    Ok(())
}

/// Whether the directory is safe, and files can be made and replaced in it.
fn check_directory(directory: &Path) -> Result<(), Fault> {
    own_file::judge_directory(directory)?;
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from)?;
    Ok(())
}

/// Opens the file, whosever it is, to see whether it is locked.
fn open_whosever(path: &Path) -> io::Result<File> {
    // Should it have become a link or a pipe by now, that is neither followed nor waited for.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    File::options().read(true).custom_flags(flags.bits()).open(path)
}

fn text(file: &File) -> Result<Vec<u8>, Fault> {
    let text = own_file::read_open(file, FILE_BYTES_MAX as u64)?;
    // COMPAT: sersync left its file with mode 777. An empty one is used all the same, so that an
    // upgrade works: nobody has written anything into it, and the next text comes in a new file.
    if !text.is_empty() {
        own_file::judge_writers(file)?;
    }
    Ok(text)
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

#[cfg(test)]
mod tests;
