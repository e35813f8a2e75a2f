//! A root that is not what it was empties no mirror, and is in step again when it is back.

use crate::harness::{eventually, Call, Faults, Image, Mirror, Plan};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a halted root is looked at.
const LOOK: Duration = Duration::from_secs(1);

fn halts(mirror: &Mirror) {
    eventually("the root halts", || mirror.log().contains("until it is back"));
    for file in ["anchor", "kept", "dir/kept"] {
        assert!(mirror.remotes[0].join(file).exists(), "{file} is gone from the remote");
    }
}

fn fill(root: &Path) {
    fs::create_dir_all(root.join("dir")).unwrap();
    for file in ["anchor", "kept", "dir/kept"] {
        fs::write(root.join(file), "content").unwrap();
    }
}

#[test]
fn an_unmounted_disk_empties_no_mirror_and_is_in_step_when_it_is_back() {
    let mut plan = Plan::new().apart();
    let keeper = plan.directory("keeper");
    fs::remove_file(plan.root.join("anchor")).unwrap();
    plan.mounts.tmpfs(&keeper);
    plan.mounts.bind(&keeper, &plan.root);
    fill(&plan.root);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.mounts.detach(&mirror.root);
    // The kernel still tells of what happens in the file system, which lives on; but at the root's
    // path there is an empty directory now.
    fs::write(keeper.join("new"), "content").unwrap();
    fs::remove_file(keeper.join("kept")).unwrap();
    halts(&mirror);
    mirror.mounts.bind(&keeper, &mirror.root);
    mirror.equal();
    fs::write(mirror.root.join("later"), "content").unwrap();
    mirror.equal();
}

/// What lies below is on the same disk, and is no more the root for that.
#[test]
fn an_unmounted_bind_mount_empties_no_mirror_though_something_lies_below_it() {
    let mut plan = Plan::new().apart();
    let source = plan.directory("source");
    fill(&source);
    fs::write(source.join("gone"), "content").unwrap();
    fs::write(plan.root.join("below"), "content").unwrap();
    plan.mounts.bind(&source, &plan.root);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.mounts.detach(&mirror.root);
    fs::write(source.join("new"), "content").unwrap();
    fs::remove_file(source.join("gone")).unwrap();
    halts(&mirror);
    // It is looked at every second: what is below is not taken for it at the second look either.
    let started = Instant::now();
    eventually("it was looked at", || {
        halts(&mirror);
        started.elapsed() > 2 * LOOK
    });
    mirror.mounts.bind(&source, &mirror.root);
    mirror.equal();
    assert!(!mirror.remotes[0].join("below").exists());
}

#[test]
fn another_disk_in_the_place_of_one_that_was_unmounted_is_sent_and_empties_no_mirror() {
    let mut plan = Plan::new().apart();
    let disks = ["first", "other"].map(|name| Image::new(&plan.directory("disks").join(name)));
    fs::remove_file(plan.root.join("anchor")).unwrap();
    plan.mounts.disk(&disks[0], &plan.root);
    fill(&plan.root);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.mounts.unmount(&mirror.root);
    halts(&mirror);
    mirror.mounts.disk(&disks[1], &mirror.root);
    fs::write(mirror.root.join("only"), "content").unwrap();
    eventually("it is sent", || mirror.remotes[0].join("only").exists());
    eventually("it is said", || mirror.log().contains("a full sync would delete"));
    mirror.fence();
    halts(&mirror);
}

#[test]
fn a_root_that_is_deleted_and_made_again_is_synced_again() {
    let plan = Plan::new();
    fill(&plan.root);
    let mirror = plan.start();
    mirror.equal();
    // Away in one piece, so that no single deletion is seen.
    let away = mirror.dir().join("away");
    fs::rename(&mirror.root, &away).unwrap();
    halts(&mirror);
    fs::create_dir(&mirror.root).unwrap();
    fs::write(mirror.root.join("only"), "content").unwrap();
    mirror.equal();
    fs::write(away.join("elsewhere"), "content").unwrap();
    fs::write(mirror.root.join("later"), "content").unwrap();
    mirror.equal();
}

#[test]
fn what_comes_into_an_empty_root_before_it_is_watched_is_sent() {
    let mut plan = Plan::new();
    fs::remove_file(plan.root.join("anchor")).unwrap();
    let faults = Faults::before(&mut plan);
    faults.write_before(Call::Watch, &plan.root, plan.root.join("first"));
    let mirror = plan.start();
    assert!(faults.are_met());
    mirror.equal();
}
