//! Times that are set without that of access, for which the kernel tells of a modification and not of attributes.

use super::{await_content, PUSH};
use crate::harness::{eventually, Plan};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// As `touch -m -d` and tar do: no writer, and the time of access as it is.
fn set_modified(path: &Path, seconds: u64) {
    File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn times_of_modification_arrive_and_writes_of_an_open_file_do_not() {
    let mut plan = Plan::new();
    super::in_mode(&mut plan, PUSH);
    plan.conf.event("attrib", true);
    let mirror = plan.start();
    let (root, remote) = (&mirror.root, &mirror.remotes[0]);
    fs::create_dir(root.join("dir")).unwrap();
    for name in ["dir/file", "open"] {
        fs::write(root.join(name), "content").unwrap();
        await_content(&remote.join(name), "content");
    }
    let mut open = OpenOptions::new().append(true).open(root.join("open")).unwrap();
    for round in 1..=3 {
        // The look at this one comes before those at what follows.
        open.write_all(b" more").unwrap();
        for name in ["dir/file", "dir", ""] {
            set_modified(&root.join(name), 1_000_000_000 + round);
            eventually(&format!("{name:?} has its time, round {round}"), || {
                modified(&root.join(name)) == modified(&remote.join(name))
            });
        }
        assert_eq!(fs::read(remote.join("open")).unwrap(), b"content", "modify is off");
    }
    drop(open);
    await_content(&remote.join("open"), "content more more more");
}
