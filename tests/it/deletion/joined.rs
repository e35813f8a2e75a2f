//! The run of a rename gives files two names over there for a moment. No two are one file for longer than that, unless
//! they are here, and nothing lands where a stranger's link leads.

use super::{at_once, each, everything_is_done, pairs, signal, Way};
use crate::harness::{eventually, Mirror, DEADLINE};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file that is worth sparing, and one that is not.
const SIZES: [usize; 2] = [100_000, 10];

fn write(path: &Path, size: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let name = path.display().to_string();
    let content: Vec<u8> = name.bytes().cycle().take(size).collect();
    fs::write(path, content).unwrap();
}

fn fill(root: &Path) {
    for (number, size) in SIZES.into_iter().enumerate() {
        for top in ["current", "other", "third"] {
            write(&root.join(top).join(format!("f{number}")), size);
            write(&root.join(top).join("deep").join(format!("g{number}")), size);
        }
    }
    symlink("f0", root.join("current/link")).unwrap();
}

/// The files below a directory, by their inodes.
fn inodes(top: &Path) -> BTreeMap<u64, Vec<PathBuf>> {
    let mut found: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    let mut left = vec![top.to_path_buf()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is = path.symlink_metadata().unwrap();
            match is.is_dir() {
                true => left.push(path),
                false => found.entry(is.ino()).or_default().push(path),
            }
        }
    }
    found
}

/// The far side is equal, and has no two names for one file.
fn is_apart(mirror: &Mirror, about: &str) {
    mirror.equal_within(DEADLINE, about);
    mirror.fence();
    mirror.equal_within(DEADLINE, about);
    let joined: Vec<_> =
        inodes(&mirror.remotes[0]).into_values().filter(|names| names.len() > 1).collect();
    assert!(joined.is_empty(), "{about}: {joined:?}");
}

fn copy(root: &Path, from: &str, to: &str) {
    let copied = Command::new("cp").args(["-a", from, to]).current_dir(root).status().unwrap();
    assert!(copied.success());
}

fn rename(root: &Path, from: &str, to: &str) {
    fs::rename(root.join(from), root.join(to)).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

type Change = fn(&Path);

const CHANGES: [(&str, Change); 7] = [
    ("put aside twice, and gone", |root| {
        rename(root, "current", "first");
        copy(root, "first", "current");
        rename(root, "current", "second");
    }),
    ("put aside, and goes on from a copy", |root| {
        rename(root, "current", "previous");
        copy(root, "previous", "current");
    }),
    ("the same, twice", |root| {
        rename(root, "current", "previous");
        copy(root, "previous", "current");
        rename(root, "previous", "before");
        rename(root, "current", "previous");
        copy(root, "previous", "current");
    }),
    ("a chain", |root| {
        rename(root, "other", "last");
        rename(root, "current", "other");
        copy(root, "other", "current");
    }),
    ("a swap", |root| {
        rename(root, "current", "passing");
        rename(root, "other", "current");
        rename(root, "passing", "other");
        copy(root, "current", "passing");
    }),
    ("into another directory", |root| {
        rename(root, "current", "other/current");
        copy(root, "other/current", "current");
    }),
    ("a single file", |root| {
        rename(root, "current/f0", "other/deep/f0");
        copy(root, "other/deep/f0", "current/f0");
    }),
];

#[test]
fn no_two_names_are_joined_that_are_not_joined_here() {
    each(pairs(&Way::ALL, &CHANGES.map(|(about, _)| about)), |(way, about)| {
        let (_, change) = CHANGES.into_iter().find(|(name, _)| *name == about).unwrap();
        for at_once_ in [true, false] {
            let (mut plan, _sshd) = way.plan();
            plan.conf.event("attrib", true);
            fill(&plan.root);
            let mirror = plan.start();
            mirror.equal();
            match at_once_ {
                true => at_once(&mirror, change),
                false => change(&mirror.root),
            }
            mirror.equal_within(DEADLINE, about);
            for file in ["current/f0", "other/f0", "other/deep/f0"] {
                let path = mirror.root.join(file);
                if path.exists() {
                    chmod(&path, 0o600);
                    mirror.equal_within(DEADLINE, about);
                }
            }
            is_apart(&mirror, about);
        }
    });
}

#[test]
fn a_rename_that_failed_half_way_leaves_nothing_joined() {
    each([None, Some(&[][..]), Some(&["-r"])], |restart: Option<&[&str]>| {
        let (mut plan, _) = Way::Daemon.plan();
        plan.conf.event("attrib", true);
        fill(&plan.root);
        let mut mirror = plan.start();
        mirror.equal();
        // What the run of a rename makes, and nothing of what follows it.
        signal(&mirror, Signal::SIGSTOP);
        let far = mirror.remotes[0].clone();
        rename(&mirror.root, "current", "previous");
        fs::create_dir(far.join("previous")).unwrap();
        fs::create_dir(far.join("previous/deep")).unwrap();
        for file in ["f0", "f1", "deep/g0", "deep/g1"] {
            fs::hard_link(far.join("current").join(file), far.join("previous").join(file)).unwrap();
        }
        mirror.daemon.stop();
        signal(&mirror, Signal::SIGCONT);
        eventually("it has failed", || mirror.log().contains("rsync ended with"));
        if restart.is_some() {
            mirror.halt_program();
        }
        copy(&mirror.root, "previous", "current");
        mirror.daemon.start();
        if let Some(args) = restart {
            mirror.start_again(args);
        }
        mirror.equal();
        chmod(&mirror.root.join("current/f0"), 0o600);
        is_apart(&mirror, "after a failure");
    });
}

#[test]
fn what_is_renamed_does_not_land_where_a_strangers_link_leads() {
    each(Way::ALL, |way| {
        let (plan, _sshd) = way.plan();
        fill(&plan.root);
        let theirs = plan.directory("theirs");
        let mirror = plan.start();
        mirror.equal();
        let far = &mirror.remotes[0];
        for name in ["new", "third/to"] {
            symlink(&theirs, far.join(name)).unwrap();
        }
        at_once(&mirror, |root| {
            rename(root, "current", "new");
            fs::create_dir(root.join("third/to")).unwrap();
            rename(root, "other/f0", "third/to/f0");
        });
        mirror.equal();
        everything_is_done(&mirror);
        let landed: Vec<_> = fs::read_dir(&theirs).unwrap().collect();
        assert!(landed.is_empty(), "{landed:?}");
        is_apart(&mirror, "beside a link");
    });
}
