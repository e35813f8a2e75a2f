//! Files that are this program's alone, in directories where others may write.
//!
//! The official template puts the fail log into `/tmp`, and with it all that lies beside it: there
//! anybody can wait for the program with a symbolic link, a hard link, or a file of their own. Owns
//! how such a file is opened, read and replaced so that none of this works. What is in it is the
//! caller's: `lock`, and the state file.
#![allow(unsafe_code)]

use super::user;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{fcntl, FcntlArg, FdFlag};

/// How often a file is made anew that somebody else makes at the same moment.
const ATTEMPTS_MAX: usize = 3;
/// The mode of a directory that has to be made for the file.
const DIRECTORY_MODE: u32 = 0o755;
/// Write permission of the group and of everybody else.
const OTHERS_WRITE: u32 = 0o022;
const EVERYBODY_WRITES: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Why a file cannot be used.
#[derive(Debug)]
pub enum Error {
    /// The system says no.
    Io(PathBuf, io::Error),
    /// What is there is not safe to use; why, and what to do, as the end of a sentence.
    Refused(PathBuf, String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Error::Refused(path, why) => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// Opens the file for reading and writing; makes it, and its directory, if they are not there.
///
/// # Errors
/// [`Error::Refused`] if it is not a plain file of ours that nobody else can write to.
pub fn open_or_make(path: &Path) -> Result<File, Error> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(file) = open(path)? {
            return Ok(file);
        }
        match make(path, 0o600) {
            Err(Error::Io(_, error)) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made,
        }
    }
    Err(Error::Io(path.into(), ErrorKind::AlreadyExists.into()))
}

/// What is in the file; `None` if there is none.
///
/// # Errors
/// [`Error::Refused`] as with [`open_or_make`], and if there are more than `bytes_max` in it.
pub fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    // One byte more than is allowed, to see that there are more.
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    let count = read.map_err(|error| Error::Io(path.into(), error))?;
    if count as u64 > bytes_max {
        let why = format!("has more than {bytes_max} bytes; delete it if it is not needed");
        return Err(Error::Refused(path.into(), why));
    }
    Ok(Some(bytes))
}

/// Gives the file a new content, all at once: whoever reads it, after whatever crash, finds the old
/// or the new one. It is on the disk when this returns, which may take a disk's time.
///
/// # Errors
/// Whatever making, writing or renaming gives; the old content is still there then.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let new = with_ending(path, ".new");
    let written = make_anew(&new, mode).and_then(|mut file| {
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.and_then(|()| fs::rename(&new, path)).map_err(|error| {
            // What is half written takes room, and there may be none.
            let _ = fs::remove_file(&new);
            Error::Io(path.into(), error)
        })
    });
    written?;
    // Some file systems cannot sync a directory; the file is there all the same.
    let _ = File::open(directory_of(path)).and_then(|directory| directory.sync_all());
    Ok(())
}

/// The path with `ending` behind its name.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Has no process that is started inherit the descriptor.
///
/// Kernels before 2.6.23 overlook the flag with which std opens files.
///
/// # Errors
/// None for a descriptor that is open.
pub(super) fn close_on_exec(fd: &impl AsFd) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

fn open(path: &Path) -> Result<Option<File>, Error> {
    let io = |error| Error::Io(path.into(), error);
    check_directory(path)?;
    // A named pipe does not hold this up: whoever opens it for both ways waits for nobody.
    let file =
        match OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unopened(path, error)),
        };
    close_on_exec(&file).map_err(io)?;
    match offence(&file.metadata().map_err(io)?) {
        None => Ok(Some(file)),
        Some(what) => Err(Error::Refused(path.into(), format!("{what}; {REMEDY}"))),
    }
}

const REMEDY: &str = "delete it, or name a failLog path (or --pid-file) in a directory of your own";

/// Why it was not opened; for what is no plain file the system's own words say little.
fn unopened(path: &Path, error: io::Error) -> Error {
    match fs::symlink_metadata(path).ok().and_then(|found| offence(&found)) {
        Some(what) => Error::Refused(path.into(), format!("{what}; {REMEDY}")),
        None => Error::Io(path.into(), error),
    }
}

/// What is wrong with a file that should be ours alone.
fn offence(found: &fs::Metadata) -> Option<String> {
    if found.is_symlink() {
        Some("is a symbolic link".into())
    } else if !found.is_file() {
        Some("is not a plain file".into())
    } else if found.uid() != user::effective() {
        Some(format!("belongs to user {}, not to {}", found.uid(), user::effective()))
    } else if found.nlink() != 1 {
        // Somebody may have linked a file of ours to this name, to have it overwritten.
        Some("is a hard link of another file".into())
    } else if found.mode() & OTHERS_WRITE != 0 {
        Some(format!("can be written by others (mode {:04o})", found.mode() & 0o7777))
    } else {
        None
    }
}

/// In a directory where everybody may rename everything no file is safe: refuses the one that `path`
/// lies in.
pub(super) fn check_directory(path: &Path) -> Result<(), Error> {
    let directory = directory_of(path);
    let found = match fs::metadata(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::Io(path.into(), error)),
    };
    if found.mode() & EVERYBODY_WRITES != 0 && found.mode() & STICKY == 0 {
        let why = "everybody can delete files in it; run: chmod +t, or name a failLog path in a \
                   directory of your own";
        return Err(Error::Refused(directory.into(), why.into()));
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().as_bytes() != b"" => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Makes a file that was not there.
fn make(path: &Path, mode: u32) -> Result<File, Error> {
    let io = |error| Error::Io(path.into(), error);
    let directory = directory_of(path);
    if !directory.exists() {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory).map_err(io)?;
    }
    check_directory(path)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(mode).open(path).map_err(io)?;
    close_on_exec(&file).map_err(io)?;
    Ok(file)
}

/// Makes a file in the place of one that an earlier crash has left behind.
fn make_anew(path: &Path, mode: u32) -> Result<File, Error> {
    for _ in 0..ATTEMPTS_MAX {
        match make(path, mode) {
            Err(Error::Io(_, error)) if error.kind() == ErrorKind::AlreadyExists => {
                fs::remove_file(path).map_err(|error| Error::Io(path.into(), error))?;
            }
            made => return made,
        }
    }
    Err(Error::Io(path.into(), ErrorKind::AlreadyExists.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, symlink, PermissionsExt};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Somebody else.
    const NOBODY: u32 = 65534;

    /// What somebody may have put at the file's place, and the complaint.
    type Trap = (&'static str, fn(&Path), &'static str);

    const TRAPS: [Trap; 7] = [
        ("symlink", |at| symlink(at.with_extension("victim"), at).unwrap(), "is a symbolic link"),
        ("dangling", |at| symlink("nowhere", at).unwrap(), "is a symbolic link"),
        ("hard link", |at| fs::hard_link(at.with_extension("victim"), at).unwrap(), "is a hard li"),
        ("directory", |at| fs::create_dir(at).unwrap(), "is not a plain file"),
        (
            "pipe",
            |at| nix::unistd::mkfifo(at, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            "is not a plain file",
        ),
        (
            "foreign",
            |at| {
                fs::write(at, "").unwrap();
                chown(at, Some(NOBODY), None).unwrap();
            },
            "belongs to user 65534, not to 0",
        ),
        (
            "writable",
            |at| {
                fs::write(at, "").unwrap();
                chmod(at, 0o620);
            },
            "can be written by others (mode 0620)",
        ),
    ];

    #[test]
    fn what_is_not_ours_alone_is_refused() {
        for (what, trap, complaint) in TRAPS {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("own");
            let victim = path.with_extension("victim");
            fs::write(&victim, "precious").unwrap();
            trap(&path);
            for error in [read(&path, 100).unwrap_err(), open_or_make(&path).unwrap_err()] {
                let said = error.to_string();
                let expected = format!("{}: {complaint}", path.display());
                assert!(
                    said.starts_with(&expected) && said.contains("; delete it"),
                    "{what}: {said}"
                );
            }
            assert_eq!(fs::read(&victim).unwrap(), b"precious", "{what}");
        }
    }

    #[test]
    fn a_directory_where_everybody_deletes_is_refused() {
        for (mode, refused) in [(0o777, true), (0o1777, false), (0o775, false), (0o755, false)] {
            let home = tempfile::tempdir().unwrap();
            chmod(home.path(), mode);
            let path = home.path().join("own");
            let results = [
                read(&path, 100).map(drop),
                open_or_make(&path).map(drop),
                replace(&path, b"x", 0o600),
            ];
            for result in results {
                assert_eq!(matches!(result, Err(Error::Refused(..))), refused, "{mode:o}");
            }
        }
    }

    #[test]
    fn a_replaced_file_is_whole_and_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/er/own");
        assert_eq!(read(&path, 100).unwrap(), None);
        replace(&path, b"first", 0o600).unwrap();
        // Left behind by a crash: longer than what is written, and open to everybody.
        fs::write(with_ending(&path, ".new"), "left behind by a crash").unwrap();
        chmod(&with_ending(&path, ".new"), 0o666);
        replace(&path, b"second", 0o700).unwrap();
        assert_eq!(read(&path, 6).unwrap().unwrap(), b"second");
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
        assert!(matches!(read(&path, 5), Err(Error::Refused(..))));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_waits_for_the_new_file_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (path, victim) = (home.path().join("own"), home.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, with_ending(&path, ".new")).unwrap();
        replace(&path, b"x", 0o600).unwrap();
        assert_eq!(
            (fs::read(&victim).unwrap(), fs::read(&path).unwrap()),
            (b"precious".into(), b"x".into())
        );
    }

    #[test]
    fn what_cannot_be_replaced_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("own");
        fs::create_dir(&path).unwrap();
        assert!(matches!(replace(&path, b"x", 0o600), Err(Error::Io(..))));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "the new file was left behind");
    }
}
