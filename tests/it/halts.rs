//! A root that is not what it was empties no mirror, and is in step again when it is back.

use crate::harness::{eventually, Mirror, Plan};
use nix::mount::{mount, umount2, MntFlags, MsFlags};
use std::fs;
use std::path::Path;

fn bind(from: &Path, to: &Path) {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

fn unmount(at: &Path) {
    umount2(at, MntFlags::MNT_DETACH).unwrap();
}

fn mount_tmpfs(at: &Path) {
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
}

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

/// A disk: a file system of its own, kept by a second mount while the root has none.
struct Disk {
    keeper: std::path::PathBuf,
    root: std::path::PathBuf,
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount2(&self.root, MntFlags::MNT_DETACH);
        let _ = umount2(&self.keeper, MntFlags::MNT_DETACH);
    }
}

#[test]
fn an_unmounted_disk_empties_no_mirror_and_is_in_step_when_it_is_back() {
    let plan = Plan::new();
    let keeper = plan.directory("keeper");
    fs::remove_file(plan.root.join("anchor")).unwrap();
    mount_tmpfs(&keeper);
    bind(&keeper, &plan.root);
    let disk = Disk { keeper: keeper.clone(), root: plan.root.clone() };
    fill(&plan.root);
    let mirror = plan.start();
    mirror.equal();
    unmount(&mirror.root);
    // The file system lives on, so that the kernel still tells of what happens in it; but what is at
    // the root's path now is an empty directory.
    fs::write(keeper.join("new"), "content").unwrap();
    fs::remove_file(keeper.join("kept")).unwrap();
    halts(&mirror);
    bind(&keeper, &mirror.root);
    mirror.equal();
    fs::write(mirror.root.join("later"), "content").unwrap();
    mirror.equal();
    drop(mirror);
    drop(disk);
}

#[test]
fn another_disk_in_the_place_of_one_that_was_unmounted_is_synced() {
    let plan = Plan::new();
    fs::remove_file(plan.root.join("anchor")).unwrap();
    mount_tmpfs(&plan.root);
    let disk = Disk { keeper: plan.root.clone(), root: plan.root.clone() };
    fill(&plan.root);
    let mirror = plan.start();
    mirror.equal();
    // Nothing keeps this one: the kernel tells that it is gone.
    unmount(&mirror.root);
    halts(&mirror);
    mount_tmpfs(&mirror.root);
    fs::write(mirror.root.join("only"), "content").unwrap();
    mirror.equal();
    drop(mirror);
    drop(disk);
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
fn a_disk_that_is_missing_at_the_start_empties_no_mirror() {
    let plan = Plan::new();
    fs::remove_file(plan.root.join("anchor")).unwrap();
    fs::write(plan.remotes[0].join("precious"), "content").unwrap();
    let mut plan = plan;
    plan.await_full_sync = false;
    let mirror = plan.start();
    eventually("the root halts", || mirror.log().contains("is empty, and -r would delete"));
    assert!(mirror.remotes[0].join("precious").exists());
    // Something in it: then it was meant.
    fs::write(mirror.root.join("first"), "content").unwrap();
    mirror.equal();
}
