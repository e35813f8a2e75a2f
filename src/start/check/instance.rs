//! Whether an instance runs with this configuration: the kernel's list of locks is read, so that no
//! lock is taken, which would keep an instance from starting at this moment.

use super::finding::Finding;
use crate::config::Config;
use crate::keep::state::beside;
use crate::start::prepare::resolved;
use nix::sys::stat::{major, minor};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The process that has one of the instance's two locks, if there is one. Without `/proc` nobody is
/// found.
pub(super) fn holder(config: &Config) -> Option<u32> {
    let resolved = resolved(config).ok()?;
    let beside = beside(&config.fail_log.path, &resolved, "lock");
    let locks = fs::read_to_string("/proc/locks").ok()?;
    of_file(&locks, &resolved).or_else(|| of_file(&locks, &beside))
}

fn of_file(locks: &str, file: &Path) -> Option<u32> {
    let found = file.metadata().ok()?;
    let device = format!("{:02x}:{:02x}", major(found.dev()), minor(found.dev()));
    let told = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
    of_inode(locks, &device, found.ino(), told)
}

/// Lines are `1: FLOCK  ADVISORY  WRITE 25210 fd:00:1435 0 EOF`. Some file systems (btrfs, overlayfs)
/// show another device there than in stat(2): then the process number that stands in the lock file
/// must be that of the line.
fn of_inode(locks: &str, device: &str, inode: u64, told: Option<u32>) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, place, ..] = words[..] else { return None };
        let pid = pid.parse().ok()?;
        let (of_device, of_inode) = place.rsplit_once(':')?;
        let here = of_device == device || told == Some(pid);
        (of_inode.parse() == Ok(inode) && here).then_some(pid)
    })
}

pub(super) fn finding(config: &Config, pid: u32) -> Finding {
    let file = config.file.display().to_string();
    let text =
        format!("process {pid} runs with it; a second start ends with 3, SIGHUP reads it again");
    Finding::note(file, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_known_by_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 10 fd:00:7 0 EOF\n2: FLOCK  ADVISORY  READ 11 \
                     fd:00:7 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 12 fd:00:7 0 EOF\n3: FLOCK  \
                     ADVISORY  WRITE 13 fd:00:77 0 EOF\n4: FLOCK  ADVISORY  WRITE 14 00:1b:7 0 \
                     EOF\n";
        for (device, inode, told, expected) in [
            ("fd:00", 7, None, None),
            ("fd:00", 77, None, Some(13)),
            ("00:1b", 7, None, Some(14)),
            ("00:2a", 7, Some(14), Some(14)),
            ("00:2a", 7, Some(15), None),
            ("fd:00", 8, None, None),
        ] {
            assert_eq!(of_inode(locks, device, inode, told), expected, "{device} {inode} {told:?}");
        }
    }

    #[test]
    fn the_lock_of_this_process_is_found() {
        let home = tempfile::tempdir().unwrap();
        let (config, beside) = (home.path().join("c.xml"), home.path().join("c.lock"));
        fs::write(&config, "<head/>").unwrap();
        let look = || {
            let locks = fs::read_to_string("/proc/locks").unwrap();
            (of_file(&locks, &config), of_file(&locks, &beside))
        };
        assert_eq!(look(), (None, None));
        let _lock = crate::sys::lock::Lock::take(&config, &beside).unwrap();
        assert_eq!(look(), (Some(std::process::id()), Some(std::process::id())));
    }
}
