//! Two names are exchanged, or one is left as a whiteout: renames that no plain `rename` makes.
//!
//! nix offers `renameat2` for glibc only; the kernel's part, which matters here, is the same.

use crate::harness::Plan;
use nix::fcntl::{renameat2, RenameFlags, AT_FDCWD};
use std::fs;
use std::os::unix::fs::{symlink, FileTypeExt};
use std::path::Path;

fn rename(one: &Path, two: &Path, flags: RenameFlags) {
    renameat2(AT_FDCWD, one, AT_FDCWD, two, flags).unwrap();
}

fn exchange(one: &Path, two: &Path) {
    rename(one, two, RenameFlags::RENAME_EXCHANGE);
}

/// A directory with something in it, and something deeper.
fn make_directory(path: &Path, content: &str) {
    fs::create_dir_all(path.join("deep")).unwrap();
    fs::write(path.join("file"), content).unwrap();
    fs::write(path.join("deep/file"), content).unwrap();
}

#[test]
fn what_is_exchanged_arrives_under_the_other_name_and_so_does_what_is_written_then() {
    type Make = fn(&Path);
    let directory: Make = |path| make_directory(path, &path.display().to_string());
    let file: Make = |path| fs::write(path, path.display().to_string()).unwrap();
    let link: Make = |path| symlink(path.file_name().unwrap(), path).unwrap();
    let kinds = [directory, file, link];
    for (make_first, make_second) in kinds.iter().flat_map(|one| kinds.map(|two| (one, two))) {
        let plan = Plan::new();
        let [one, two] = ["one", "elsewhere/two"].map(|name| plan.root.join(name));
        fs::create_dir(plan.root.join("elsewhere")).unwrap();
        make_first(&one);
        make_second(&two);
        let mirror = plan.start();
        mirror.equal();
        exchange(&one, &two);
        mirror.equal();
        for name in [&one, &two] {
            if name.is_dir() {
                fs::write(name.join("deep/later"), "content").unwrap();
                fs::create_dir(name.join("made later")).unwrap();
            }
        }
        mirror.equal();
    }
}

#[test]
fn a_directory_that_is_exchanged_with_one_outside_is_replaced() {
    let plan = Plan::new();
    let outside = plan.directory("outside");
    make_directory(&outside.join("tree"), "from outside");
    fs::write(outside.join("tree/more"), "only here").unwrap();
    make_directory(&plan.root.join("tree"), "first");
    fs::write(plan.root.join("tree/gone"), "only there").unwrap();
    let mirror = plan.start();
    mirror.equal();
    exchange(&outside.join("tree"), &mirror.root.join("tree"));
    mirror.equal();
    fs::write(mirror.root.join("tree/deep/later"), "content").unwrap();
    // It is watched no more.
    fs::write(outside.join("tree/deep/elsewhere"), "content").unwrap();
    mirror.equal();
}

#[test]
fn a_directory_that_is_exchanged_again_and_again_ends_equal() {
    let plan = Plan::new();
    let [one, two] = ["one", "two"].map(|name| plan.root.join(name));
    make_directory(&one, "first");
    make_directory(&two, "other");
    let mirror = plan.start();
    for round in 0..21 {
        exchange(&one, &two);
        fs::write(one.join(format!("deep/{round}")), "content").unwrap();
    }
    mirror.equal();
}

/// What an overlay leaves in its upper directory in place of a file that it has moved.
#[test]
fn a_whiteout_takes_the_old_name() {
    let plan = Plan::new();
    fs::write(plan.root.join("file"), "content").unwrap();
    make_directory(&plan.root.join("directory"), "content");
    let mirror = plan.start();
    mirror.equal();
    for name in ["file", "directory"] {
        let (old, new) = (mirror.root.join(name), mirror.root.join("moved ".to_string() + name));
        rename(&old, &new, RenameFlags::RENAME_WHITEOUT);
    }
    mirror.equal();
    let there = fs::symlink_metadata(mirror.remotes[0].join("file")).unwrap().file_type();
    assert!(there.is_char_device(), "{there:?}");
}
