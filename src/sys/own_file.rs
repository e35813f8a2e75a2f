//! Files that are this program's alone, in directories where others may write.
//!
//! The official template puts the fail log into `/tmp`, and with it all that lies beside it: there
//! anybody can wait for the program with a symbolic link, a hard link, or a file of their own. Owns
//! the judgement whether a file or a directory can be trusted, and how such a file is opened, read
//! and replaced. What is in it is the caller's: the lock, the number file, the fail log, the state.

use super::user;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{fcntl, FcntlArg, FdFlag};

/// How often a file is made anew that somebody else makes at the same moment.
const ATTEMPTS_MAX: usize = 3;
/// Names that are tried for a new file, if somebody keeps making files with those names.
const NAMES_MAX: u32 = 16;
/// The mode of a directory that has to be made for the file.
const DIRECTORY_MODE: u32 = 0o755;
/// Write permission of the group and of everybody else.
const OTHERS_WRITE: u32 = 0o022;
const EVERYBODY_WRITES: u32 = 0o002;
const STICKY: u32 = 0o1000;
const REMEDY: &str = "delete it, or name a failLog path (or --pid-file) in a directory of your own";

/// A file that cannot be used.
#[derive(Debug)]
pub struct Error {
    /// The file, or its directory if that is at fault.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a file that is to be this program's alone. Its `Display` goes on after the
/// file's name.
#[derive(Debug)]
pub enum Fault {
    /// The system says no.
    Failed(io::Error),
    /// Everybody can delete files in the directory; its mode.
    Directory(u32),
    /// A symbolic link.
    SymbolicLink,
    /// One of several names of a file.
    HardLink,
    /// A directory, a pipe, a socket, a device.
    NotPlain,
    /// It belongs to the user with this number.
    Owner(u32),
    /// Others may write to it; its mode.
    Writable(u32),
    /// It has more than so many bytes.
    TooLarge(u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Failed(error) => error.fmt(f),
            Fault::Directory(mode) => {
                write!(f, "everybody can delete files in it (mode {mode:04o})")
            }
            Fault::SymbolicLink => f.write_str("is a symbolic link"),
            Fault::HardLink => f.write_str("is a hard link of another file"),
            Fault::NotPlain => f.write_str("is not a plain file"),
            Fault::Owner(owner) => {
                write!(f, "belongs to user {owner}, not to {}", user::effective())
            }
            Fault::Writable(mode) => write!(f, "can be written by others (mode {mode:04o})"),
            Fault::TooLarge(bytes_max) => write!(f, "has more than {bytes_max} bytes"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, fault) = (self.path.display(), &self.fault);
        match fault {
            Fault::Failed(_) => write!(f, "{path}: {fault}"),
            Fault::Directory(_) => write!(
                f,
                "{path}: {fault}; run chmod +t on it, or name a failLog path in a directory of your own"
            ),
            Fault::TooLarge(_) => write!(f, "{path}: {fault}; delete it if it is not needed"),
            Fault::SymbolicLink
            | Fault::HardLink
            | Fault::NotPlain
            | Fault::Owner(_)
            | Fault::Writable(_) => write!(f, "{path}: {fault}; {REMEDY}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Failed(error)
    }
}

/// The error of a file, from what is wrong with it.
fn with_path(path: &Path) -> impl Fn(Fault) -> Error + '_ {
    move |fault| {
        let at_fault = if matches!(fault, Fault::Directory(_)) { directory_of(path) } else { path };
        Error { path: at_fault.into(), fault }
    }
}

/// Opens the file for reading and writing; makes it, and its directory, if they are not there.
///
/// # Errors
/// It is not a plain file of ours that nobody else can write to, or cannot be opened.
pub fn open_or_make(path: &Path) -> Result<File, Error> {
    let opened = || {
        for _ in 0..ATTEMPTS_MAX {
            if let Some(file) = open_to_write(path)? {
                return Ok(file);
            }
            match make(path, 0o600) {
                Err(Fault::Failed(error)) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
        Err(Fault::Failed(ErrorKind::AlreadyExists.into()))
    };
    opened().map_err(with_path(path))
}

/// What is in the file; `None` if there is none.
///
/// # Errors
/// As with [`open_or_make`], and if there are more than `bytes_max` in it.
pub fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    let read = || open_to_write(path)?.map(|file| read_open(&file, bytes_max)).transpose();
    read().map_err(with_path(path))
}

/// What is in a file that has been opened.
///
/// # Errors
/// There are more than `bytes_max` in it, or it cannot be read.
pub fn read_open(file: &File, bytes_max: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    // One byte more than is allowed, to see that there are more.
    let count = file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if count as u64 > bytes_max {
        return Err(Fault::TooLarge(bytes_max));
    }
    Ok(bytes)
}

/// Gives the file a new content, all at once: whoever reads it, after whatever crash, finds the old
/// or the new one. It is on the disk when this returns, which may take a disk's time.
///
/// # Errors
/// Whatever making, writing or renaming gives; the old content is still there then.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    replace_with(path, bytes, mode, |_| Ok(()))
}

/// The same; the new file goes to `settle` just before it takes its name, and what that gives comes
/// back.
///
/// # Errors
/// As with [`replace`], or that of `settle`.
pub fn replace_with<T>(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    settle: impl FnOnce(File) -> io::Result<T>,
) -> Result<T, Error> {
    let (new, mut file) = make_beside(path, mode).map_err(with_path(path))?;
    let replaced = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| settle(file))
        .and_then(|settled| fs::rename(&new, path).map(|()| settled));
    if replaced.is_err() {
        // What is half written takes room, and there may be none.
        let _ = fs::remove_file(&new);
    }
    // Some file systems cannot sync a directory; the file is there all the same.
    let _ = File::open(directory_of(path)).and_then(|directory| directory.sync_all());
    replaced.map_err(|error| with_path(path)(error.into()))
}

/// The path with `ending` behind its name.
pub fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Keeps processes that are started from inheriting the descriptor.
///
/// Kernels before 2.6.23 overlook the flag with which std opens files.
///
/// # Errors
/// None for a descriptor that is open.
pub(super) fn close_on_exec(fd: &impl AsFd) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

/// Opens the file, if it is there, for reading alone. Others may be able to write to it: the caller
/// asks [`judge_writers`] where that matters.
///
/// # Errors Somebody else can have put it there; or it cannot be opened.
pub fn open_to_read(path: &Path) -> Result<Option<File>, Fault> {
    open(path, OpenOptions::new().read(true))
}

fn open_to_write(path: &Path) -> Result<Option<File>, Fault> {
    check_directory(path)?;
    let file = open(path, OpenOptions::new().read(true).write(true))?;
    file.map(|file| judge_writers(&file).map(|()| file)).transpose()
}

fn open(path: &Path, options: &mut OpenOptions) -> Result<Option<File>, Fault> {
    // Not waiting for whoever might open the other end of a pipe.
    match options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Ok(file) => {
            close_on_exec(&file)?;
            judge(&file.metadata()?).map(|()| Some(file))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // For what is no plain file the system's own words say little.
        Err(error) => {
            path.symlink_metadata().map_or(Ok(()), |found| judge(&found))?;
            Err(error.into())
        }
    }
}

/// Whether somebody else can have put a file there.
fn judge(found: &fs::Metadata) -> Result<(), Fault> {
    if found.is_symlink() {
        Err(Fault::SymbolicLink)
    } else if !found.is_file() {
        Err(Fault::NotPlain)
    } else if found.uid() != user::effective() {
        Err(Fault::Owner(found.uid()))
    } else if found.nlink() > 1 {
        // Somebody may have linked a file of ours to this name, to have it overwritten.
        Err(Fault::HardLink)
    } else {
        Ok(())
    }
}

/// Whether nobody else can write to the file.
///
/// # Errors
/// Others can.
pub fn judge_writers(file: &File) -> Result<(), Fault> {
    let mode = file.metadata()?.mode();
    if mode & OTHERS_WRITE != 0 {
        return Err(Fault::Writable(mode & 0o7777));
    }
    Ok(())
}

/// Whether nobody else can put files into the place of ours in this directory.
///
/// # Errors
/// Everybody can, or it cannot be looked at.
pub fn judge_directory(directory: &Path) -> Result<(), Fault> {
    let mode = directory.metadata()?.mode();
    if mode & EVERYBODY_WRITES != 0 && mode & STICKY == 0 {
        return Err(Fault::Directory(mode & 0o7777));
    }
    Ok(())
}

/// The same for the directory in which `path` lies or will lie.
pub(super) fn check_directory(path: &Path) -> Result<(), Fault> {
    match judge_directory(directory_of(path)) {
        Err(Fault::Failed(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
        judged => judged,
    }
}

/// The directory of the file; that of a bare name is where the program was started.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().as_bytes() != b"" => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Makes the directory in which `path` is to lie.
///
/// # Errors
/// It cannot be made.
pub fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory_of(path))
}

/// Makes a file that was not there.
fn make(path: &Path, mode: u32) -> Result<File, Fault> {
    make_directory(path)?;
    check_directory(path)?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?;
    close_on_exec(&file)?;
    Ok(file)
}

/// The name under which a file that is replaced is written first.
pub fn first_new(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

/// A new file in the same directory. The first name is always the same, so that what a crash left
/// behind is cleared away here and not collected; the others are for somebody who takes that one.
fn make_beside(path: &Path, mode: u32) -> Result<(PathBuf, File), Fault> {
    let first = first_new(path);
    let _ = fs::remove_file(&first);
    let random =
        |number| with_ending(&first, &format!(".{:016x}", RandomState::new().hash_one(number)));
    let others = (0..NAMES_MAX).map(random);
    for new in std::iter::once(first.clone()).chain(others) {
        match make(&new, mode) {
            Err(Fault::Failed(error)) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (new, file)),
        }
    }
    Err(Fault::Failed(ErrorKind::AlreadyExists.into()))
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
                assert_eq!(
                    matches!(result, Err(Error { fault: Fault::Directory(_), .. })),
                    refused,
                    "{mode:o}"
                );
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
        let new = path.with_file_name(".own.new");
        fs::write(&new, "left behind by a crash").unwrap();
        chmod(&new, 0o666);
        replace(&path, b"second", 0o700).unwrap();
        assert_eq!(read(&path, 6).unwrap().unwrap(), b"second");
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
        assert!(matches!(read(&path, 5), Err(Error { fault: Fault::TooLarge(5), .. })));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_that_waits_for_the_new_file_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (path, victim) = (home.path().join("own"), home.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, path.with_file_name(".own.new")).unwrap();
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
        assert!(matches!(replace(&path, b"x", 0o600), Err(Error { fault: Fault::Failed(_), .. })));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "the new file was left behind");
    }
}
