//! Who has the lock of an instance, for those who only ask.
//!
//! The kernel's table of locks is read. To try the lock instead would take it for a moment, and keep
//! an instance that starts in this moment from starting. `--status` and `--check` call it.

use super::told;
use nix::sys::stat::{major, minor};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The process of the instance that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// Its number, where that can be known: in another container it has none here.
    pub pid: Option<u32>,
}

/// The holder of one of the two locks of [`Lock::take`](super::Lock::take); `None` if nobody has one
/// or there is no `/proc`.
pub fn holder(config: &Path, beside: &Path) -> Option<Holder> {
    let table = fs::read_to_string("/proc/locks").ok()?;
    let told = told_in(beside);
    let lock = [beside, config].iter().find_map(|file| {
        let found = file.metadata().ok()?;
        let device = (major(found.dev()), minor(found.dev()));
        of_file(&table, device, found.ino(), told)
    })?;
    Some(Holder { pid: lock.pid.or(told) })
}

/// The process number that stands in the file beside the fail log.
fn told_in(beside: &Path) -> Option<u32> {
    // In a directory like /tmp it may be a link or a pipe of somebody's: neither is followed nor
    // waited for.
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    told(&options.open(beside).ok()?).pid
}

/// The lock of a file. Some file systems (btrfs, overlayfs) have another device in the table than in
/// stat(2); then the process must be the one whose number stands in the lock file.
fn of_file(table: &str, device: (u64, u64), inode: u64, told: Option<u32>) -> Option<Entry> {
    table.lines().filter_map(Entry::read).find(|lock| {
        lock.inode == inode && (lock.device == device || told.is_some() && lock.pid == told)
    })
}

/// A lock of our kind in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// `None` for a process of another container, which has the number 0 here.
    pid: Option<u32>,
    device: (u64, u64),
    inode: u64,
}

impl Entry {
    /// Reads a line like `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`. Who waits for a lock has
    /// an arrow before `FLOCK`.
    fn read(line: &str) -> Option<Entry> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, file, ..] = words[..] else { return None };
        let mut parts = file.split(':');
        let mut hex = || u64::from_str_radix(parts.next()?, 16).ok();
        let device = (hex()?, hex()?);
        let pid = pid.parse().ok().filter(|pid| *pid != 0);
        Some(Entry { pid, device, inode: parts.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Lock;
    use super::*;
    use std::process;
    use std::time::{Duration, Instant};

    #[test]
    fn who_has_it_can_be_seen_without_taking_it() {
        let home = tempfile::tempdir().unwrap();
        let (config, beside) = (home.path().join("c.xml"), home.path().join("fail.log.lock"));
        fs::write(&config, "<head/>").unwrap();
        let holder = || holder(&config, &beside);
        assert_eq!(holder(), None);
        let lock = Lock::take(&config, &beside).unwrap();
        let this_process = Some(Holder { pid: Some(process::id()) });
        assert_eq!(holder(), this_process);
        fs::remove_file(&beside).unwrap();
        assert_eq!(holder(), this_process, "the configuration is locked as well");
        drop(lock);
        // A process that another test is just starting may have a copy for a moment.
        let deadline = Instant::now() + Duration::from_secs(10);
        while holder().is_some() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert_eq!(holder(), None);
    }

    #[test]
    fn a_pipe_in_the_place_of_the_lock_file_holds_nobody_up() {
        let home = tempfile::tempdir().unwrap();
        let (config, beside) = (home.path().join("c.xml"), home.path().join("fail.log.lock"));
        nix::unistd::mkfifo(&beside, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(holder(&config, &beside), None);
    }

    #[test]
    fn what_stands_in_the_table_of_locks() {
        let entry = |pid, device, inode| Some(Entry { pid, device, inode });
        for (line, expected) in [
            (
                "1: FLOCK  ADVISORY  WRITE 1362 fe:00:753935 0 EOF",
                entry(Some(1362), (254, 0), 753_935),
            ),
            ("1: FLOCK  ADVISORY  WRITE 0 00:2d:7 0 EOF", entry(None, (0, 45), 7)),
            ("1: FLOCK  ADVISORY  READ 1362 fe:00:753935 0 EOF", None),
            ("1: -> FLOCK  ADVISORY  WRITE 1362 fe:00:753935 0 EOF", None),
            ("1: POSIX  ADVISORY  WRITE 1362 fe:00:753935 0 EOF", None),
            ("9: OFDLCK ADVISORY  WRITE -1 00:06:3 0 EOF", None),
            ("", None),
        ] {
            assert_eq!(Entry::read(line), expected, "{line}");
        }
    }

    #[test]
    fn a_lock_is_known_by_its_file_or_by_its_process() {
        let table = "1: FLOCK  ADVISORY  WRITE 13 fd:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 14 00:1b:7 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 0 00:2d:9 0 EOF\n";
        for (device, inode, told, expected) in [
            ((0xfd, 0), 7, None, None),
            ((0xfd, 0), 77, None, Some(Some(13))),
            ((0, 0x1b), 7, None, Some(Some(14))),
            ((0, 0x2a), 7, Some(14), Some(Some(14))),
            ((0, 0x2a), 7, Some(15), None),
            ((0, 0x2d), 9, Some(15), Some(None)),
            // Neither has a number: that makes them no pair.
            ((0, 0x2a), 9, None, None),
        ] {
            let found = of_file(table, device, inode, told).map(|lock| lock.pid);
            assert_eq!(found, expected, "{device:?} {inode} {told:?}");
        }
    }
}
