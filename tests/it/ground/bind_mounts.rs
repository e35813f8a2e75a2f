//! A directory of the root has a second name inside the root: a bind mount.

use crate::harness::{rest_for, Mirror, Plan};
use std::fs;
use std::time::Duration;

/// A tree that is sent again and again is sent more often than this in the time that a test takes.
const BATCHES_MAX: usize = 3;
/// So long nothing may happen when all is equal.
const IDLE: Duration = Duration::from_secs(2);
const FILES: usize = 50;

fn fill(plan: &Plan) {
    fs::create_dir_all(plan.root.join("first/deep")).unwrap();
    fs::create_dir(plan.root.join("second")).unwrap();
    for number in 0..FILES {
        fs::write(plan.root.join(format!("first/deep/{number}")), "content").unwrap();
    }
}

/// What changes under either name arrives under both, at once and not again and again.
fn both_names_are_synced(mirror: &Mirror) {
    mirror.equal();
    for name in ["first", "second"] {
        let top = mirror.root.join(name);
        let before = mirror.batches();
        fs::write(top.join("deep/0"), format!("changed as {name}")).unwrap();
        fs::write(top.join(format!("made as {name}")), "content").unwrap();
        mirror.equal();
        fs::create_dir_all(top.join(format!("dir as {name}/deep"))).unwrap();
        fs::write(top.join(format!("dir as {name}/deep/file")), "content").unwrap();
        mirror.equal();
        fs::rename(top.join("deep/1"), top.join(format!("renamed as {name}"))).unwrap();
        fs::write(top.join("deep/1"), "made again").unwrap();
        fs::remove_file(top.join("deep/2")).unwrap();
        fs::write(mirror.root.join("first/deep/2"), "made again").unwrap();
        mirror.equal();
        rest_for(&[mirror.pid()], IDLE);
        let batches = mirror.batches() - before;
        assert!(batches <= 3 * BATCHES_MAX, "{batches} batches for what was done as {name}");
    }
}

#[test]
fn a_second_name_that_is_there_from_the_start_is_synced() {
    let mut plan = Plan::new().apart();
    fill(&plan);
    let [first, second] = ["first", "second"].map(|name| plan.root.join(name));
    plan.mounts.bind(&first, &second);
    let mirror = plan.start();
    rest_for(&[mirror.pid()], IDLE);
    assert!(mirror.batches() <= BATCHES_MAX, "{}", mirror.log());
    both_names_are_synced(&mirror);
}

#[test]
fn a_second_name_that_comes_later_is_synced_and_stays_there_when_it_goes() {
    let plan = Plan::new().apart();
    fill(&plan);
    let mut mirror = plan.start();
    let [first, second] = ["first", "second"].map(|name| mirror.root.join(name));
    mirror.mounts.bind(&first, &second);
    both_names_are_synced(&mirror);
    mirror.mounts.unmount(&second);
    mirror.fence();
    assert!(mirror.remotes[0].join("second/deep/0").exists());
    fs::write(first.join("deep/later"), "content").unwrap();
    mirror.fence();
    assert!(mirror.remotes[0].join("first/deep/later").exists());
}

/// A directory inside itself: its name below is the second name of a directory above it.
#[test]
fn a_directory_that_is_mounted_below_itself_ends_somewhere() {
    let mut plan = Plan::new().apart();
    fill(&plan);
    let inside = plan.root.join("first/inside");
    fs::create_dir(&inside).unwrap();
    let first = plan.root.join("first");
    plan.mounts.bind(&first, &inside);
    let mirror = plan.start();
    mirror.equal();
    fs::write(first.join("deep/later"), "content").unwrap();
    mirror.equal();
    rest_for(&[mirror.pid()], IDLE);
}
