//! One instance for each configuration file.
//!
//! Owns two locks of the kind that belongs to an open file (flock). Such a lock ends when the last
//! process that has the file open ends, in whatever way, so no stale lock is ever left; and a fork
//! into the background keeps it, which it does not with a record lock (fcntl). One is on a file
//! beside the fail log, where the process number is written; one on the configuration file itself.
//! Either alone has a gap. Editors put a new file in the place of the configuration, and the lock
//! is on the old one. And when the configuration names another fail log, there is no lock beside
//! that one. `main` takes the lock before anything else that leaves traces; `holder` only looks who
//! has it.
#![allow(unsafe_code)]

mod holder;

pub use holder::{holder, Holder};

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fmt, process};

use super::own_file::{self, Fault};

/// How often the file beside the fail log is opened again that was deleted at the same moment.
const ATTEMPTS_MAX: usize = 3;
/// A process number, the word behind it and the end of the line are shorter.
const TOLD_BYTES_MAX: u64 = 32;
/// The word behind the number of an instance that is ending.
const ENDING: &str = "ending";

/// Why the program must not start.
#[derive(Debug)]
pub enum Error {
    /// Another instance runs with this configuration.
    Running(PathBuf, Told),
    /// The file beside the fail log is not safe to use.
    Refused(own_file::Error),
    /// Neither file can be locked.
    Unlockable(own_file::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Running(config, told) => {
                let how = if told.is_ending { "still ending" } else { "already running" };
                write!(f, "{}: sersync is {how} with it", config.display())?;
                match told.pid {
                    Some(pid) => write!(f, ", as process {pid}; stop that one first"),
                    None => f.write_str("; stop that one first"),
                }
            }
            Error::Refused(error) => error.fmt(f),
            Error::Unlockable(error) => write!(
                f,
                "{error}; nothing can be locked, so a second instance could not be kept out: name \
                 a failLog path in a directory that can be written"
            ),
        }
    }
}

impl std::error::Error for Error {}

/// What an instance tells of itself in the file beside the fail log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Its process number, where it can be known.
    pub pid: Option<u32>,
    /// It has been asked to end, and its lock will be free soon.
    pub is_ending: bool,
}

/// The lock; it is given back when the value, and every copy that a fork has made, is gone.
#[derive(Debug)]
pub struct Lock {
    beside: Option<File>,
    config: Option<File>,
}

impl Lock {
    /// Locks the configuration file `config`, and `beside`, which is made if it is not there. It
    /// stays there afterwards: deleting it could take it from under an instance that is starting.
    ///
    /// # Errors
    /// See [`Error`]. One lock is enough: where a disk is full or a file system knows no locks, the
    /// other one does it.
    pub fn take(config: &Path, beside: &Path) -> Result<Lock, Error> {
        let (beside, reason) = match lock_beside(config, beside) {
            Ok(file) => (Some(file), None),
            Err(Error::Unlockable(reason)) => (None, Some(reason)),
            Err(Error::Refused(error)) => return Err(in_use_or(error, config, beside)),
            Err(error @ Error::Running(..)) => return Err(error),
        };
        let lock = Lock { beside, config: lock_config(config)? };
        if let (Some(reason), None) = (reason, &lock.config) {
            return Err(Error::Unlockable(reason));
        }
        lock.tell_pid();
        Ok(lock)
    }

    /// Writes this process's number for a second instance to read; once more after each fork.
    pub fn tell_pid(&self) {
        self.tell(&process::id().to_string());
    }

    /// Tells a second instance that this one is ending, so that it waits for the lock.
    pub fn tell_ending(&self) {
        self.tell(&format!("{} {ENDING}", process::id()));
    }

    fn tell(&self, text: &str) {
        let Some(mut file) = self.beside.as_ref() else { return };
        // On a full disk the lock is as good; only the number is missing from a message.
        let _ =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{text}"));
    }

    /// Locks the files that are at these paths now: after the configuration has been read again, it
    /// may be another file, and name another fail log.
    ///
    /// # Errors
    /// Another instance has one of them. What was locked stays locked.
    pub fn follow(&mut self, config: &Path, beside: &Path) -> Result<(), Error> {
        // A file that is locked already would refuse to be locked again by its own owner.
        if !self.beside.as_ref().is_some_and(|file| is_at(file, beside)) {
            match lock_beside(config, beside) {
                Ok(file) => self.beside = Some(file),
                Err(Error::Unlockable(_)) => {}
                Err(error) => return Err(error),
            }
            self.tell_pid();
        }
        if !self.config.as_ref().is_some_and(|file| is_at(file, config)) {
            self.config = lock_config(config)?.or(self.config.take());
        }
        Ok(())
    }
}

fn lock_beside(config: &Path, path: &Path) -> Result<File, Error> {
    for _ in 0..ATTEMPTS_MAX {
        let file = own_file::open_or_make(path).map_err(|error| match error.fault {
            // Everybody who can delete the lock file can undo the lock: the one on the
            // configuration has to do.
            Fault::Failed(_) | Fault::Directory(_) => Error::Unlockable(error),
            Fault::SymbolicLink
            | Fault::HardLink
            | Fault::NotPlain
            | Fault::Owner(_)
            | Fault::Writable(_)
            | Fault::TooLarge(_) => Error::Refused(error),
        })?;
        match flock(&file) {
            // Deleted between the two steps: then another instance may lock a new one.
            Ok(()) if !is_at(&file, path) => {}
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(Error::Running(config.into(), told(&file)));
            }
            Err(error) => return Err(unlockable(path, error)),
        }
    }
    Err(unlockable(path, io::Error::other("is deleted again and again")))
}

/// What is said where the file beside the fail log is refused: another user's belongs to an instance of that
/// user if it is locked, or if the configuration is.
fn in_use_or(refused: own_file::Error, config: &Path, beside: &Path) -> Error {
    if !matches!(refused.fault, Fault::Owner(_)) {
        return Error::Refused(refused);
    }
    if let Some(Holder { pid }) = holder(config, beside) {
        return Error::Running(config.into(), Told { pid, is_ending: false });
    }
    lock_config(config).err().unwrap_or(Error::Refused(refused))
}

fn unlockable(path: &Path, error: io::Error) -> Error {
    Error::Unlockable(own_file::Error { path: path.into(), fault: error.into() })
}

/// `None` where the file cannot be locked: over NFS that takes a descriptor which can write.
fn lock_config(path: &Path) -> Result<Option<File>, Error> {
    let Ok(file) = File::open(path) else { return Ok(None) };
    let locked = own_file::close_on_exec(&file).and_then(|()| flock(&file));
    match locked {
        Ok(()) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            // The kernel knows who has it, whether or not the file beside the fail log can be read.
            let pid = holder(path, path).and_then(|holder| holder.pid);
            Err(Error::Running(path.into(), Told { pid, is_ending: false }))
        }
        Err(_) => Ok(None),
    }
}

fn told(file: &File) -> Told {
    let mut text = String::new();
    if file.take(TOLD_BYTES_MAX).read_to_string(&mut text).is_err() {
        return Told::default();
    }
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|word| word.parse().ok());
    Told { pid, is_ending: words.next() == Some(ENDING) }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(open), Ok(there)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// Locks what is open for this process and its forks, if nobody else has; it does not wait.
///
/// Not std's, which is newer than the oldest compiler that is to build this; not nix's, which unlocks
/// when it is dropped, and with it the lock of the process in the background.
pub(super) fn flock(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed.
    match unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{kill, Signal};
    use nix::sys::wait::waitpid;
    use nix::unistd::{fork, pause, ForkResult};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;
    use std::time::{Duration, Instant};

    struct Lab {
        home: tempfile::TempDir,
    }

    impl Lab {
        fn new() -> Lab {
            let lab = Lab { home: tempfile::tempdir().unwrap() };
            fs::write(lab.config(), "<head/>").unwrap();
            lab
        }

        fn config(&self) -> PathBuf {
            self.home.path().join("confxml.xml")
        }

        fn beside(&self) -> PathBuf {
            self.home.path().join("fail.log.lock")
        }

        fn take(&self) -> Result<Lock, Error> {
            Lock::take(&self.config(), &self.beside())
        }

        /// Takes it when it is free at last: a process that another test is just starting has a
        /// copy of everything for a moment, and the forked one below for somewhat longer.
        fn take_in_the_end(&self) -> Result<Lock, Error> {
            let deadline = Instant::now() + Duration::from_secs(10);
            loop {
                match self.take() {
                    Err(Error::Running(..)) if Instant::now() < deadline => {
                        std::thread::yield_now()
                    }
                    taken => return taken,
                }
            }
        }
    }

    /// The process number that a refused instance is told, if it is refused because of another.
    fn running(taken: Result<Lock, Error>) -> Option<Option<u32>> {
        match taken {
            Err(Error::Running(_, told)) => Some(told.pid),
            Ok(_) | Err(Error::Refused(_) | Error::Unlockable(_)) => None,
        }
    }

    /// Refused by the lock on the configuration: the kernel says who has it, but for some file systems (btrfs, overlayfs).
    fn by_the_kernel(lab: &Lab) -> Option<Option<u32>> {
        let config = lab.config();
        Some(holder(&config, &config).and_then(|holder| holder.pid))
    }

    #[test]
    fn an_instance_that_is_ending_says_so() {
        let lab = Lab::new();
        let first = lab.take().unwrap();
        let told = || match lab.take() {
            Err(Error::Running(_, told)) => told,
            other => panic!("{other:?}"),
        };
        let pid = Some(process::id());
        assert_eq!(told(), Told { pid, is_ending: false });
        first.tell_ending();
        assert_eq!(told(), Told { pid, is_ending: true });
        assert!(lab.take().unwrap_err().to_string().contains("sersync is still ending"));
    }

    #[test]
    fn the_second_instance_is_told_the_first() {
        let lab = Lab::new();
        let first = lab.take().unwrap();
        let said = lab.take().unwrap_err().to_string();
        let expected = format!("as process {}; stop that one first", process::id());
        assert!(said.ends_with(&expected), "{said}");
        drop(first);
        lab.take_in_the_end().unwrap();
    }

    #[test]
    fn either_file_alone_keeps_the_second_out() {
        let lab = Lab::new();
        let _first = lab.take().unwrap();
        // As an editor saves.
        let new = lab.home.path().join("new");
        fs::write(&new, "<head></head>").unwrap();
        fs::rename(&new, lab.config()).unwrap();
        assert_eq!(running(lab.take()), Some(Some(process::id())));
        let lab = Lab::new();
        let _first = lab.take().unwrap();
        let elsewhere = lab.home.path().join("another.log.lock");
        assert_eq!(running(Lock::take(&lab.config(), &elsewhere)), by_the_kernel(&lab));
    }

    #[test]
    fn what_cannot_be_locked_leaves_it_to_the_other() {
        let lab = Lab::new();
        let below_a_file = lab.config().join("lock");
        let first = Lock::take(&lab.config(), &below_a_file).unwrap();
        assert_eq!(running(Lock::take(&lab.config(), &below_a_file)), by_the_kernel(&lab));
        drop(first);
        let missing = lab.home.path().join("missing.xml");
        let _first = Lock::take(&missing, &lab.beside()).unwrap();
        assert_eq!(running(Lock::take(&missing, &lab.beside())), Some(Some(process::id())));
        let neither = Lock::take(&missing, &below_a_file).unwrap_err();
        assert!(matches!(neither, Error::Unlockable(_)), "{neither}");
    }

    #[test]
    fn a_trap_beside_the_fail_log_is_refused() {
        let lab = Lab::new();
        std::os::unix::fs::symlink(lab.config(), lab.beside()).unwrap();
        assert!(matches!(lab.take(), Err(Error::Refused(_))));
        assert_eq!(fs::read(lab.config()).unwrap(), b"<head/>");
    }

    #[test]
    fn where_everybody_can_delete_it_the_configuration_alone_is_locked() {
        let lab = Lab::new();
        let open = lab.home.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let take = |config: &Path| Lock::take(config, &open.join("lock"));
        let _first = take(&lab.config()).unwrap();
        assert_eq!(running(take(&lab.config())), by_the_kernel(&lab));
        assert_eq!(fs::read_dir(&open).unwrap().count(), 0);
        let neither = take(&lab.home.path().join("missing.xml")).unwrap_err();
        assert!(matches!(neither, Error::Unlockable(_)), "{neither}");
    }

    #[test]
    fn a_deleted_lock_file_is_no_lock() {
        let lab = Lab::new();
        let first = lab.take().unwrap();
        fs::remove_file(lab.beside()).unwrap();
        assert_eq!(running(lab.take()), by_the_kernel(&lab));
        drop(first);
        lab.take_in_the_end().unwrap();
    }

    #[test]
    fn it_follows_files_that_were_replaced() {
        let lab = Lab::new();
        let mut first = lab.take().unwrap();
        let moved = lab.home.path().join("moved.lock");
        let new = lab.home.path().join("new");
        fs::write(&new, "<head></head>").unwrap();
        fs::rename(&new, lab.config()).unwrap();
        first.follow(&lab.config(), &moved).unwrap();
        first.follow(&lab.config(), &moved).unwrap();
        assert_eq!(running(lab.take()), by_the_kernel(&lab), "the new configuration is not locked");
        let missing = lab.home.path().join("missing.xml");
        let pid = Some(Some(process::id()));
        assert_eq!(running(Lock::take(&missing, &moved)), pid, "the new place is not locked");
        let other = Lock::take(&missing, &lab.beside()).unwrap();
        assert!(matches!(first.follow(&lab.config(), &lab.beside()), Err(Error::Running(..))));
        drop(other);
    }

    #[test]
    fn processes_that_are_started_do_not_hold_it() {
        let lab = Lab::new();
        let first = lab.take().unwrap();
        let mut rsync = Command::new("sleep").arg("1000").spawn().unwrap();
        drop(first);
        let again = lab.take_in_the_end();
        rsync.kill().unwrap();
        rsync.wait().unwrap();
        again.unwrap();
    }

    #[test]
    fn it_goes_to_the_background_and_dies_with_kill_9() {
        let lab = Lab::new();
        let lock = lab.take().unwrap();
        // SAFETY: the child makes system calls and nothing else.
        let child = match unsafe { fork() }.unwrap() {
            ForkResult::Child => loop {
                pause();
            },
            ForkResult::Parent { child } => child,
        };
        drop(lock);
        let meanwhile = running(lab.take());
        kill(child, Signal::SIGKILL).unwrap();
        waitpid(child, None).unwrap();
        assert_eq!(meanwhile, Some(Some(process::id())));
        lab.take_in_the_end().unwrap();
    }
}
