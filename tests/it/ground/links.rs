//! The root's path leads elsewhere: a symlink on the way is switched, or a directory above is swapped.

use super::{await_content, become_equal, fill, in_mode, lines_with, MIRROR, PUSH};
use crate::harness::{eventually, Mirror, Plan};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a deployment switches a link to a directory.
type Switch = fn(&Path, &Path);

const SWITCHES: [(&str, Switch); 3] = [
    ("ln -sfn", |link, to| {
        let done = Command::new("ln").arg("-sfn").arg(to).arg(link).status().unwrap();
        assert!(done.success());
    }),
    ("mv -T", |link, to| {
        let next = link.with_extension("next");
        symlink(to, &next).unwrap();
        fs::rename(next, link).unwrap();
    }),
    ("rm and ln -s", |link, to| {
        fs::remove_file(link).unwrap();
        symlink(to, link).unwrap();
    }),
];

/// Two releases beside a root that is a link to the first of them.
fn deployed(mode: &[&str]) -> (Plan, [PathBuf; 2]) {
    let mut plan = Plan::new();
    let releases = ["1", "2"].map(|name| plan.directory("releases").join(name));
    for (release, name) in releases.iter().zip(["1", "2"]) {
        fill(release, name);
    }
    fs::remove_dir_all(&plan.root).unwrap();
    symlink("releases/1", &plan.root).unwrap();
    in_mode(&mut plan, mode);
    (plan, releases)
}

/// The new tree is there; what is written in it arrives, what is written in the old one does not.
fn is_followed(mirror: &Mirror, old: &Path, new: &Path, round: usize) {
    become_equal(new, &mirror.remotes[0]);
    fs::write(old.join(format!("into the old one {round}")), "content").unwrap();
    fs::write(new.join(format!("dir/deep/into the new one {round}")), "content").unwrap();
    become_equal(new, &mirror.remotes[0]);
    mirror.fence();
    become_equal(new, &mirror.remotes[0]);
}

#[test]
fn a_root_whose_link_is_switched_is_followed_to_the_new_tree_and_back() {
    for (name, switch) in SWITCHES {
        let (plan, [first, second]) = deployed(MIRROR);
        let mirror = plan.start();
        become_equal(&first, &mirror.remotes[0]);
        for (round, (old, new)) in [(&first, &second), (&second, &first)].into_iter().enumerate() {
            switch(&mirror.root, new);
            is_followed(&mirror, old, new, round);
            let told = lines_with(&mirror, new.to_str().unwrap());
            assert_eq!(told.len(), 1, "{name}: {told:?}");
        }
    }
}

#[test]
fn without_r_the_new_tree_is_sent_and_nothing_is_deleted_that_was_not_seen_to_go() {
    let (plan, [first, second]) = deployed(PUSH);
    fs::write(plan.remotes[0].join("of somebody else"), "content").unwrap();
    let mirror = plan.start();
    fs::write(first.join("only in the first"), "content").unwrap();
    let there = |name: &str| mirror.remotes[0].join(name);
    await_content(&there("only in the first"), "content");
    (SWITCHES[1].1)(&mirror.root, &second);
    for file in ["file", "dir/file", "dir/deep/file"] {
        await_content(&there(file), &format!("{file} of 2"));
    }
    fs::write(second.join("dir/deep/later"), "content").unwrap();
    await_content(&there("dir/deep/later"), "content");
    fs::remove_file(second.join("dir/file")).unwrap();
    eventually("what is seen to go goes", || !there("dir/file").exists());
    mirror.fence();
    assert!(there("of somebody else").exists() && there("only in the first").exists());
}

#[test]
fn a_link_on_the_way_and_a_directory_above_are_seen_as_well() {
    /// Makes the trees `1` and `2` and a way to the first; what leads to the second is done later.
    struct Way {
        root: &'static str,
        make: fn(&Path),
        switch: fn(&Path),
        trees: [&'static str; 2],
    }
    let ways = [
        Way {
            root: "root",
            make: |at| {
                symlink("middle", at.join("root")).unwrap();
                symlink("1", at.join("middle")).unwrap();
            },
            switch: |at| (SWITCHES[1].1)(&at.join("middle"), Path::new("2")),
            trees: ["1", "2"],
        },
        Way {
            root: "current/dir",
            make: |at| symlink("1", at.join("current")).unwrap(),
            switch: |at| (SWITCHES[1].1)(&at.join("current"), Path::new("2")),
            trees: ["1/dir", "2/dir"],
        },
        Way {
            root: "1/dir",
            make: |_| {},
            switch: |at| {
                fs::rename(at.join("1"), at.join("old")).unwrap();
                fs::rename(at.join("2"), at.join("1")).unwrap();
            },
            trees: ["1/dir", "1/dir"],
        },
    ];
    for way in ways {
        let mut plan = Plan::new();
        let at = plan.directory("way");
        fill(&at.join("1"), "1");
        fill(&at.join("2"), "2");
        (way.make)(&at);
        plan.root = at.join(way.root);
        plan.conf.roots[0].watch = plan.root.clone();
        let mirror = plan.start();
        become_equal(&at.join(way.trees[0]), &mirror.remotes[0]);
        (way.switch)(&at);
        let new = at.join(way.trees[1]);
        let switched = fs::read_to_string(new.join("file")).unwrap();
        await_content(&mirror.remotes[0].join("file"), &switched);
        become_equal(&new, &mirror.remotes[0]);
        fs::create_dir(new.join("new")).unwrap();
        fs::write(new.join("new/later"), "content").unwrap();
        become_equal(&new, &mirror.remotes[0]);
    }
}

#[test]
fn a_link_that_leads_nowhere_deletes_nothing_and_is_followed_when_it_leads_somewhere_again() {
    let (plan, [first, second]) = deployed(MIRROR);
    let mirror = plan.start();
    become_equal(&first, &mirror.remotes[0]);
    fs::remove_file(&mirror.root).unwrap();
    eventually("the root halts", || mirror.log().contains("until it is back"));
    symlink("releases/3", &mirror.root).unwrap();
    assert!(mirror.remotes[0].join("dir/deep/file").exists());
    fs::rename(&second, second.with_file_name("3")).unwrap();
    become_equal(&second.with_file_name("3"), &mirror.remotes[0]);
}
