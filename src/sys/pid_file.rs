//! The file with the process number, for scripts and init systems.
//!
//! Owns whether the file may be written, and deletes it when the program ends. It is never the
//! lock: a number in it says only who wrote it. `main` writes it when it has the lock.

use super::own_file;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{sysconf, Pid, SysconfVar};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, SystemTime};

/// A file with a process number is a number and a newline; a longer one is not ours.
const BYTES_MAX: u64 = 32;
/// Everybody may know it.
const MODE: u32 = 0o644;
/// How exactly the times of a process and of a file can be compared.
const SLACK: Duration = Duration::from_secs(2);

/// Why the number is not written.
#[derive(Debug)]
pub enum Error {
    /// The file is not safe to use, or cannot be written.
    File(own_file::Error),
    /// It belongs to this process, which runs.
    Running(PathBuf, i32),
    /// There is something else in it.
    Foreign(PathBuf),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File(error) => error.fmt(f),
            Error::Running(path, pid) => write!(
                f,
                "{}: belongs to process {pid}, which runs; name another file",
                path.display()
            ),
            Error::Foreign(path) => write!(
                f,
                "{}: is not a file with a process number; name another one",
                path.display()
            ),
        }
    }
}

impl std::error::Error for Error {}

impl From<own_file::Error> for Error {
    fn from(error: own_file::Error) -> Error {
        Error::File(error)
    }
}

/// The file; it is deleted with this value, unless somebody has put something else there.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes this process's number.
    ///
    /// # Errors
    /// What is there is neither empty nor left behind by a process that has ended; it stays as it is.
    pub fn write(path: &Path) -> Result<PidFile, Error> {
        let found = own_file::read(path, BYTES_MAX)?;
        let text = found.as_deref().map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            match text.parse() {
                Ok(pid) if pid > 0 && has_written(pid, path) => {
                    return Err(Error::Running(path.into(), pid));
                }
                Ok(pid) if pid > 0 => {}
                Ok(_) | Err(_) => return Err(Error::Foreign(path.into())),
            }
        }
        own_file::replace(path, line().as_bytes(), MODE)?;
        Ok(PidFile { path: path.into() })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if own_file::read(&self.path, BYTES_MAX).is_ok_and(|now| now == Some(line().into_bytes())) {
            // That it is gone already is what was wanted.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn line() -> String {
    format!("{}\n", process::id())
}

/// Whether the process can be the one that wrote its number into the file: it runs, and it was
/// started before the file was written. After a reboot another process may have the number.
fn has_written(pid: i32, path: &Path) -> bool {
    if pid as u32 == process::id() || kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) {
        return false;
    }
    let written = path.metadata().and_then(|file| file.modified());
    match (started(pid), written) {
        (Some(started), Ok(written)) => started <= written + SLACK,
        // Where it cannot be known, a process that runs counts.
        (None, _) | (_, Err(_)) => true,
    }
}

/// When a process was started; `None` without `/proc`.
fn started(pid: i32) -> Option<SystemTime> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc(5): the 22nd field; the second one is a name, which may have anything in it, in brackets.
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let ticks_per_s = u64::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime_s: u64 = uptime.split('.').next()?.parse().ok()?;
    let age_s = uptime_s.saturating_sub(ticks / ticks_per_s.max(1));
    SystemTime::now().checked_sub(Duration::from_secs(age_s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, MetadataExt};
    use std::process::Command;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("sersync.pid");
        (home, path)
    }

    #[test]
    fn it_has_the_number_and_goes_with_the_program() {
        let (home, path) = place();
        let file = PidFile::write(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", process::id()));
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o644);
        drop(file);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_stale_is_replaced() {
        let mut dead = Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        for stale in [String::new(), "\n".into(), dead.id().to_string(), line()] {
            let (_home, path) = place();
            fs::write(&path, &stale).unwrap();
            let _file = PidFile::write(&path).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), line(), "{stale:?}");
        }
    }

    #[test]
    fn a_number_that_has_become_anothers_is_stale() {
        let (_home, path) = place();
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(&path, format!("{}\n", other.id())).unwrap();
        let now = PidFile::write(&path).map(drop);
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        fs::File::options().write(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
        let later = PidFile::write(&path).map(drop);
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(matches!(now, Err(Error::Running(..))), "{now:?}");
        later.unwrap();
    }

    #[test]
    fn what_is_no_pid_file_stays() {
        for content in ["root:x:0:0", "-1\n", "0\n", "12 13\n", &"1".repeat(33)] {
            let (_home, path) = place();
            fs::write(&path, content).unwrap();
            let written = PidFile::write(&path);
            assert!(matches!(written, Err(Error::Foreign(_) | Error::File(_))), "{content}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_link_is_not_followed() {
        let (home, path) = place();
        let victim = home.path().join("victim");
        fs::write(&victim, "").unwrap();
        symlink(&victim, &path).unwrap();
        assert!(matches!(PidFile::write(&path), Err(Error::File(_))));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "");
    }

    #[test]
    fn anothers_number_is_not_deleted() {
        let (_home, path) = place();
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }
}
