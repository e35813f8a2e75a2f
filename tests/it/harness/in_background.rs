//! A program that has gone to the background: no child of the test, but it ends with it.

use super::old_kernel::Kernel;
use super::sersync::binary;
use super::{path, until, DEADLINE};
use nix::errno::Errno;
use nix::fcntl::{fcntl, FcntlArg, FdFlag};
use nix::pty::{openpty, OpenptyResult};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A terminal that only those processes have which are given its `slave`.
pub fn terminal() -> OpenptyResult {
    let terminal = openpty(None, None).unwrap();
    for fd in [&terminal.master, &terminal.slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    terminal
}

/// The process in the background.
pub struct InBackground {
    pid: Pid,
}

/// The program as it would be typed in `dir`, by way of a shell: `{}` in `line` stands for it.
pub fn in_background(dir: &Path, line: &str) -> Command {
    let mut command = Command::new("sh");
    let line = line.replace("{}", &format!("'{}'", binary().to_str().unwrap()));
    command.args(["-c", &line]).current_dir(dir).env("LC_ALL", "C").env("PATH", path());
    if let Some(kernel) = Kernel::wanted() {
        kernel.confine(&mut command);
    }
    command
}

impl InBackground {
    /// The process whose number stands, or soon will, in this file.
    pub fn by_file(file: &Path) -> InBackground {
        let pid = until(&format!("a number is in {}", file.display()), DEADLINE, || {
            let text = fs::read_to_string(file).map_err(|e| e.to_string())?;
            text.strip_suffix('\n').and_then(|text| text.parse().ok()).ok_or(text)
        });
        InBackground { pid: Pid::from_raw(pid) }
    }

    /// The process that holds the lock beside the fail log in this directory.
    pub fn by_lock(dir: &Path) -> InBackground {
        let is_lock = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "lock");
        let lock = until("there is a lock", DEADLINE, || {
            let entries = fs::read_dir(dir).map_err(|e| e.to_string())?;
            let mut files = entries.map(|entry| entry.unwrap().path());
            files.find(is_lock).ok_or("there is none".to_string())
        });
        InBackground::by_file(&lock)
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// What a descriptor of it leads to.
    pub fn descriptor(&self, number: u32) -> PathBuf {
        fs::read_link(format!("/proc/{}/fd/{number}", self.pid)).unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap();
    }

    /// Waits until it has gone.
    pub fn gone(&self) {
        until("the process in the background has ended", DEADLINE, || match kill(self.pid, None) {
            Err(Errno::ESRCH) => Ok(()),
            // Whoever should have collected it may be no init at all.
            _ if self.is_dead() => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&self) {
        self.signal(Signal::SIGTERM);
        self.gone();
    }

    fn is_dead(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
    }
}

impl Drop for InBackground {
    fn drop(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
    }
}
