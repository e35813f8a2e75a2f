//! Runs that outlived the instance that started them.
//!
//! After a kill -9 a running rsync goes on by itself. It has looked at its paths before, so it might
//! delete on a remote what the next instance has just sent there. So every run carries a mark in its
//! environment, and the next instance of the same configuration ends what it finds with that mark,
//! before it starts anything itself. The mark names the file that the instance has locked, by device and inode:
//! an instance in another container may have a configuration under the same path, and its processes may be seen
//! from here, but its lock is another file. Who has this lock knows that nobody else is at work.

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// The variable; its value is what [`mark`] gives.
pub const MARK: &str = "SERSYNC_RUN_OF";
/// How often and how long it is waited for a killed process to be gone. One that hangs in the kernel
/// is not waited for longer: it does nothing any more.
const CHECKS_MAX: u32 = 200;
const CHECK_PAUSE: Duration = Duration::from_millis(10);

/// What the runs of an instance carry: the resolved path of its configuration, and which file it has locked. That
/// is `lock`, or the configuration itself where there is no such file.
pub fn mark(config: &Path, lock: &Path) -> OsString {
    let mut mark = config.as_os_str().to_owned();
    if let Ok(locked) = lock.metadata().or_else(|_| config.metadata()) {
        mark.push(format!(" {}:{}", locked.dev(), locked.ino()));
    }
    mark
}

/// Ends every process with this mark; gives how many there were. Without /proc none are found.
pub fn end(mark: &OsStr) -> usize {
    let mark = [MARK.as_bytes(), b"=", mark.as_bytes()].concat();
    let own = std::process::id();
    let Ok(processes) = fs::read_dir("/proc") else { return 0 };
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let orphans: Vec<u32> = numbers.filter(|&pid| pid != own && has_mark(pid, &mark)).collect();
    for &pid in &orphans {
        if let Ok(pid) = i32::try_from(pid) {
            // It may have ended by itself meanwhile.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    for _ in 0..CHECKS_MAX {
        if !orphans.iter().any(|&pid| has_mark(pid, &mark)) {
            break;
        }
        thread::sleep(CHECK_PAUSE);
    }
    orphans.len()
}

/// Whether a process has the mark; one that is ending has no environment any more.
fn has_mark(pid: u32, mark: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|variable| variable == mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    #[test]
    fn the_same_configuration_with_another_lock_is_another_instance() {
        let dir = tempfile::tempdir().unwrap();
        let [config, one, other] =
            ["c.xml", "one.lock", "other.lock"].map(|name| dir.path().join(name));
        fs::write(&config, "").unwrap();
        let without = mark(&config, &one);
        fs::write(&one, "").unwrap();
        fs::write(&other, "").unwrap();
        assert_ne!(mark(&config, &one), mark(&config, &other));
        assert_ne!(mark(&config, &one), without, "then the configuration itself is locked");
        assert_eq!(mark(&config, &one), mark(&config, &one));
    }

    #[test]
    fn only_what_carries_the_mark_is_ended() {
        // Nobody else's, who may run this test at the same time.
        let mark = format!("/etc/a.xml of {}", std::process::id());
        let sleeper = |mark: &str| {
            Command::new("sleep").arg("1000").env(MARK, mark).spawn().expect("sleep runs")
        };
        let mut ours = [sleeper(&mark), sleeper(&mark)];
        let mut other = sleeper(&format!("{mark}2"));
        let ended = end(OsStr::new(&mark));
        for child in &mut ours {
            assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
        }
        assert_eq!(ended, 2);
        assert!(other.try_wait().unwrap().is_none(), "somebody else's");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
