//! Files with several names: what is changed under one of them has changed under all.

use super::{await_content, in_mode, MIRROR, PUSH};
use crate::harness::{eventually, Mirror, Plan};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// As a program that keeps the file and writes to it.
fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o7777)
}

#[test]
fn what_is_written_under_one_name_arrives_under_the_others() {
    for mode_of_start in [MIRROR, PUSH] {
        let mut plan = Plan::new();
        in_mode(&mut plan, mode_of_start);
        plan.conf.event("attrib", true);
        fs::create_dir_all(plan.root.join("dir/deep")).unwrap();
        let mirror = plan.start();
        let (root, remote) = (&mirror.root, &mirror.remotes[0]);
        fs::write(root.join("one"), "begin").unwrap();
        await_content(&remote.join("one"), "begin");
        for name in ["dir/deep/two", "dir/three"] {
            fs::hard_link(root.join("one"), root.join(name)).unwrap();
            await_content(&remote.join(name), "begin");
        }
        let names = ["one", "dir/deep/two", "dir/three"];
        let mut content = "begin".to_string();
        for (round, by) in names.into_iter().enumerate() {
            append(&root.join(by), " more");
            content += " more";
            names.iter().for_each(|name| await_content(&remote.join(name), &content));
            let wanted = 0o600 + round as u32;
            fs::set_permissions(root.join(by), fs::Permissions::from_mode(wanted)).unwrap();
            for name in names {
                eventually(&format!("{name} has the mode"), || mode(&remote.join(name)) == wanted);
            }
        }
    }
}

/// With `-H`, each line by name: what is done, and which names are one file after that.
#[test]
fn links_are_links_over_there_if_the_user_wants_them() {
    let mut plan = Plan::new();
    plan.conf.params = "-artH".into();
    fs::create_dir(plan.root.join("dir")).unwrap();
    let mirror = plan.start();
    let root = &mirror.root;
    fs::write(root.join("a"), "content").unwrap();
    await_content(&mirror.remotes[0].join("a"), "content");
    fs::hard_link(root.join("a"), root.join("new")).unwrap();
    are_one(&mirror, &["a", "new"]);
    fs::hard_link(root.join("a"), root.join("dir/in another")).unwrap();
    are_one(&mirror, &["a", "new", "dir/in another"]);
    for (name, other) in [("p1", "p2"), ("q1", "dir/q2")] {
        fs::write(root.join(name), name).unwrap();
        fs::hard_link(root.join(name), root.join(other)).unwrap();
        are_one(&mirror, &[name, other]);
    }
    fs::rename(root.join("p1"), root.join("dir/renamed")).unwrap();
    are_one(&mirror, &["dir/renamed", "p2"]);
    append(&root.join("new"), " more");
    are_one(&mirror, &["a", "new", "dir/in another"]);
    await_content(&mirror.remotes[0].join("a"), "content more");
    mirror.equal();
}

fn are_one(mirror: &Mirror, names: &[&str]) {
    let inode = |name: &&str| fs::metadata(mirror.remotes[0].join(name)).map(|found| found.ino());
    eventually(&format!("{names:?} are one file over there"), || {
        let inodes: Result<Vec<_>, _> = names.iter().map(inode).collect();
        inodes.is_ok_and(|inodes| inodes.iter().all(|inode| *inode == inodes[0]))
    });
}

#[test]
fn what_is_linked_into_a_root_is_looked_at_until_its_writer_is_done() {
    let plan = Plan::new();
    let outside = plan.directory("outside").join("file");
    let mirror = plan.start();
    let mut writer = File::create(&outside).unwrap();
    let mut content = String::new();
    for round in 1..=3 {
        writer.write_all(b"part").unwrap();
        content += "part";
        if round == 1 {
            fs::hard_link(&outside, mirror.root.join("file")).unwrap();
        }
        await_content(&mirror.remotes[0].join("file"), &content);
    }
}
