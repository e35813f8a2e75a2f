//! One of several roots is not there when the program starts.

use super::{await_content, lines_with, MIRROR, PUSH};
use crate::harness::{eventually, run_without_trace, Image, Mirror, Plan};
use std::fs;
use std::path::PathBuf;

/// A second root, which is not there, with a remote of its own.
fn with_missing_root(mode: &[&str]) -> (Plan, PathBuf, PathBuf) {
    let mut plan = Plan::new();
    super::in_mode(&mut plan, mode);
    let missing = plan.directory("mnt").join("missing");
    let remote = plan.daemon.module("second");
    plan.conf.root(&missing, &[("127.0.0.1".into(), "second".into())]);
    fs::write(remote.join("precious"), "content").unwrap();
    (plan, missing, remote)
}

/// The other root is synced, and one line says that this one is not.
fn the_other_is_synced(mirror: &Mirror, missing: &str) {
    fs::write(mirror.root.join("file"), "content").unwrap();
    await_content(&mirror.remotes[0].join("file"), "content");
    eventually("it is said", || !lines_with(mirror, missing).is_empty());
    assert_eq!(lines_with(mirror, missing).len(), 1, "{}", mirror.log());
}

/// The end of the mirror sees that the program ends with 0.
#[test]
fn a_root_that_is_missing_halts_alone_and_is_synced_when_it_is_made() {
    for mode in [MIRROR, PUSH] {
        let (plan, missing, remote) = with_missing_root(mode);
        let mirror = plan.start();
        the_other_is_synced(&mirror, missing.to_str().unwrap());
        fs::create_dir_all(missing.join("dir")).unwrap();
        fs::write(missing.join("dir/file"), "content").unwrap();
        await_content(&remote.join("dir/file"), "content");
        fs::write(missing.join("dir/later"), "content").unwrap();
        await_content(&remote.join("dir/later"), "content");
        assert!(mode == MIRROR || remote.join("precious").exists());
    }
}

#[test]
fn a_root_that_is_missing_until_its_disk_is_mounted_is_synced_then() {
    for mode in [MIRROR, PUSH] {
        let (plan, missing, remote) = with_missing_root(mode);
        let mut plan = plan.apart();
        let mnt = plan.directory("mnt");
        let image = Image::new(&plan.directory("disks").join("disk"));
        plan.mounts.disk(&image, &mnt);
        fs::create_dir(&missing).unwrap();
        fs::write(missing.join("file"), "content").unwrap();
        plan.mounts.unmount(&mnt);
        let mut mirror = plan.start();
        the_other_is_synced(&mirror, missing.to_str().unwrap());
        mirror.mounts.disk(&image, &mnt);
        await_content(&remote.join("file"), "content");
        fs::write(missing.join("later"), "content").unwrap();
        await_content(&remote.join("later"), "content");
    }
}

#[test]
fn the_check_calls_a_missing_root_an_error() {
    let (mut plan, missing, _) = with_missing_root(PUSH);
    plan.daemon.start();
    let ended = run_without_trace(&plan, &["--check"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    let is_it =
        |line: &str| line.starts_with("error: ") && line.contains(missing.to_str().unwrap());
    assert!(ended.stdout.lines().any(is_it), "{}", ended.stdout);
}
