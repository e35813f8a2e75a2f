//! A path is longer than the 4,096 bytes that any path may have: it cannot be sent, all else can.

use super::{await_content, in_mode, lines_with, MIRROR, PUSH};
use crate::harness::{eventually, rest_for, Mirror, Plan};
use nix::fcntl::{openat, OFlag};
use nix::sys::stat::{mkdirat, Mode};
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// So long nothing may happen when all that can be done is done.
const IDLE: Duration = Duration::from_secs(3);
/// A name of 250 bytes, and so many of them, one in the other.
const NAME_BYTES: usize = 250;
const DEPTH: usize = 20;

/// Makes directories below each other whose path is too long, and a file in the last one.
fn make_long(top: &Path) {
    let name = "n".repeat(NAME_BYTES);
    let mut at = std::os::fd::OwnedFd::from(File::open(top).unwrap());
    for _ in 0..DEPTH {
        mkdirat(&at, name.as_str(), Mode::S_IRWXU).unwrap();
        at = openat(&at, name.as_str(), OFlag::O_DIRECTORY, Mode::empty()).unwrap();
    }
    openat(&at, "file", OFlag::O_CREAT | OFlag::O_WRONLY, Mode::S_IRWXU).unwrap();
}

/// Everything else goes on, deletions included, and all comes to rest; one line names the length.
fn all_else_goes_on(mirror: &Mirror) {
    let there = |name: &str| mirror.remotes[0].join(name);
    fs::write(mirror.root.join("later"), "content").unwrap();
    await_content(&there("later"), "content");
    fs::remove_file(mirror.root.join("later")).unwrap();
    fs::remove_file(mirror.root.join("deleted")).unwrap();
    eventually("what went goes", || !there("later").exists() && !there("deleted").exists());
    eventually("it is said", || !lines_with(mirror, "too long").is_empty());
    rest_for(&[mirror.pid()], IDLE);
    let told = lines_with(mirror, "too long");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].len() < 1_000, "{}", told[0]);
}

#[test]
fn a_path_that_is_too_long_at_the_start_holds_nothing_up() {
    for mode in [MIRROR, PUSH] {
        let mut plan = Plan::new();
        in_mode(&mut plan, mode);
        fs::write(plan.root.join("deleted"), "content").unwrap();
        fs::write(plan.remotes[0].join("deleted"), "content").unwrap();
        make_long(&plan.root);
        let mirror = plan.start();
        all_else_goes_on(&mirror);
        let full_syncs = lines_with(&mirror, "full sync").len();
        assert!(full_syncs <= 2, "{}", mirror.log());
    }
}

#[test]
fn a_path_that_becomes_too_long_holds_nothing_up() {
    for mode in [MIRROR, PUSH] {
        let mut plan = Plan::new();
        in_mode(&mut plan, mode);
        fs::write(plan.root.join("deleted"), "content").unwrap();
        fs::write(plan.remotes[0].join("deleted"), "content").unwrap();
        let mirror = plan.start();
        make_long(&mirror.root);
        all_else_goes_on(&mirror);
    }
}

/// A mirror deletes what only the far side has, long paths or not.
#[test]
fn a_mirror_with_a_path_that_is_too_long_still_deletes_what_only_the_far_side_has() {
    let plan = Plan::new();
    fs::write(plan.remotes[0].join("only there"), "content").unwrap();
    make_long(&plan.root);
    let mirror = plan.start();
    eventually("it is gone", || !mirror.remotes[0].join("only there").exists());
}
