//! Children that have ended and that nobody here started: the first process of a container inherits whatever
//! has lost its parent in it, and so does a subreaper (prctl(2), since 3.4).
//!
//! Owns how they are found and told from children of our own, whose ends somebody here waits for. When they are
//! looked for is for `run::reaper` to say.

use nix::sys::wait::{waitpid, WaitPidFlag};
use nix::unistd::{getpid, getsid, Pid};
use std::fs;

/// What /proc says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    has_ended: bool,
    parent: i32,
    group: i32,
    session: i32,
}

/// Whether this process inherits others.
pub fn are_inherited() -> bool {
    getpid().as_raw() == 1 || nix::sys::prctl::get_child_subreaper().unwrap_or(false)
}

/// Those that there are now. Without /proc none are found.
pub fn inherited() -> Vec<Pid> {
    let own = getpid().as_raw();
    let session = getsid(None).map_or(0, Pid::as_raw);
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let read = |pid: u32| Process::read(&fs::read(format!("/proc/{pid}/stat")).ok()?);
    let found = numbers.filter_map(read).filter(|it| it.is_inherited(own, session));
    found.map(|it| Pid::from_raw(it.pid)).collect()
}

/// Lets go of one that has ended.
pub fn reap(pid: Pid) {
    // Whoever has done that before may have been right.
    let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
}

impl Process {
    /// Reads `1234 (name) S 1 1234 1234 ...`. The name may hold blanks and parentheses.
    fn read(stat: &[u8]) -> Option<Process> {
        let end = stat.iter().rposition(|&byte| byte == b')')?;
        let pid = stat.split(|&byte| byte == b' ').next()?;
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let mut words = text(&stat[end + 1..])?.split_whitespace();
        let has_ended = words.next()? == "Z";
        let mut number = || words.next()?.parse().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        Some(Process { pid: text(pid)?.parse().ok()?, has_ended, parent, group, session })
    }

    /// What we start and keep leads a group of its own in our session: what does so may have somebody here who
    /// waits for it.
    fn is_inherited(&self, own: i32, session: i32) -> bool {
        let may_be_ours = self.group == self.pid && self.session == session;
        self.has_ended && self.parent == own && !may_be_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_waits_for_is_not_taken_for_inherited() {
        for (stat, is_inherited) in [
            ("70 (ssh) Z 7 70 70 0 -1", true),
            ("70 (a) Z (b ) Z) Z 7 60 7 0 -1", true),
            ("70 (rsync) Z 7 70 7 0 -1", false),
            ("70 (ssh) S 7 70 70 0 -1", false),
            ("70 (ssh) Z 8 70 70 0 -1", false),
        ] {
            let process = Process::read(stat.as_bytes()).unwrap();
            assert_eq!(process.pid, 70, "{stat}");
            assert_eq!(process.is_inherited(7, 7), is_inherited, "{stat}");
        }
        assert_eq!(Process::read(b"70 (ssh) Z 7"), None);
        let own = Process::read(&fs::read("/proc/self/stat").unwrap()).unwrap();
        assert_eq!((own.pid, own.has_ended), (getpid().as_raw(), false));
    }
}
