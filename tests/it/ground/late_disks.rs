//! The disk of a root is mounted after the program has started.

use super::{await_content, fill, in_mode, MIRROR, PUSH};
use crate::harness::{Image, Mirror, Plan};
use std::fs;

/// A disk with a tree, mounted nowhere yet.
fn disk(plan: &mut Plan) -> Image {
    let (image, keeper) =
        (Image::new(&plan.directory("disks").join("disk")), plan.directory("keeper"));
    plan.mounts.disk(&image, &keeper);
    fill(&keeper, "disk");
    fill(&keeper.join("data"), "data");
    plan.mounts.unmount(&keeper);
    image
}

/// The tree is there, and what is written in it arrives.
fn is_synced(mirror: &Mirror, below: &str) {
    let there = |name: &str| mirror.remotes[0].join(name);
    for file in ["file", "dir/file", "dir/deep/file"] {
        await_content(&there(file), &format!("{file} of {below}"));
    }
    fs::write(mirror.root.join("dir/deep/later"), "content").unwrap();
    fs::create_dir(mirror.root.join("dir/new")).unwrap();
    fs::write(mirror.root.join("dir/new/later"), "content").unwrap();
    await_content(&there("dir/deep/later"), "content");
    await_content(&there("dir/new/later"), "content");
}

#[test]
fn a_disk_that_comes_late_is_synced_in_either_mode() {
    for (mode, is_empty) in [(MIRROR, true), (MIRROR, false), (PUSH, true), (PUSH, false)] {
        let mut plan = Plan::new().apart();
        let image = disk(&mut plan);
        if is_empty {
            fs::remove_file(plan.root.join("anchor")).unwrap();
        }
        fs::write(plan.remotes[0].join("of somebody else"), "content").unwrap();
        in_mode(&mut plan, mode);
        let mut mirror = plan.start();
        mirror.mounts.disk(&image, &mirror.root);
        is_synced(&mirror, "disk");
        if mode == MIRROR {
            mirror.equal();
        } else {
            mirror.fence();
            assert!(mirror.remotes[0].join("of somebody else").exists());
        }
    }
}

/// The root is a directory on the disk, and there is one of the same name below the mount point.
#[test]
fn a_disk_that_is_mounted_above_the_root_is_synced() {
    for mode in [MIRROR, PUSH] {
        let mut plan = Plan::new().apart();
        let image = disk(&mut plan);
        let mnt = plan.directory("mnt");
        plan.root = mnt.join("data");
        fs::create_dir(&plan.root).unwrap();
        plan.conf.roots[0].watch = plan.root.clone();
        in_mode(&mut plan, mode);
        let mut mirror = plan.start();
        mirror.mounts.disk(&image, &mnt);
        is_synced(&mirror, "data");
    }
}
