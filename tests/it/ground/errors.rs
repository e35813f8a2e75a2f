//! The disk gives an error: only that something is not there means that it is not there.

use super::{await_content, lines_with};
use crate::harness::{eventually, Call, Faults, Mirror, Plan};
use nix::errno::Errno;
use std::fs;
use std::path::Path;

const ERRORS: [Errno; 4] = [Errno::EIO, Errno::ESTALE, Errno::EACCES, Errno::EOVERFLOW];

/// One line tells of a path's error.
fn is_said_once(mirror: &Mirror, path: &str, error: Errno) {
    let told = || -> Vec<String> {
        let number = format!("(os error {})", error as i32);
        lines_with(mirror, path).into_iter().filter(|line| line.contains(&number)).collect()
    };
    eventually(&format!("{error} is said of {path}"), || !told().is_empty());
    assert_eq!(told().len(), 1, "{:?}", told());
}

#[test]
fn a_change_that_cannot_be_looked_at_is_tried_again_and_nothing_is_deleted_for_it() {
    let mut plan = Plan::new();
    let faults = Faults::before(&mut plan);
    let names = ERRORS.map(|error| format!("dir/{error:?}"));
    fs::create_dir(plan.root.join("dir")).unwrap();
    for name in &names {
        fs::write(plan.root.join(name), "first").unwrap();
    }
    let mirror = plan.start();
    mirror.equal();
    for (name, error) in names.iter().zip(ERRORS) {
        let (here, there) = (mirror.root.join(name), mirror.remotes[0].join(name));
        faults.fail_next(Call::Look, &here, error);
        fs::write(&here, "other").unwrap();
        eventually(&format!("{error} is met"), || faults.are_met());
        eventually(&format!("{name} arrives"), || {
            let content = fs::read(&there).unwrap_or_else(|e| panic!("{name} was deleted: {e}"));
            content == b"other"
        });
        is_said_once(&mirror, name, error);
    }
    mirror.equal();
}

/// A file that was linked into the root is looked at before it is a change.
#[test]
fn a_new_file_that_cannot_be_looked_at_is_tried_again() {
    let mut plan = Plan::new();
    let faults = Faults::before(&mut plan);
    let outside = plan.directory("outside");
    let mirror = plan.start();
    for error in ERRORS {
        let name = format!("{error:?}");
        // Each is a file of its own: the names of one are looked at as well when another name of it is sent.
        fs::write(outside.join(&name), "content").unwrap();
        faults.fail_next(Call::Look, &mirror.root.join(&name), error);
        fs::hard_link(outside.join(&name), mirror.root.join(&name)).unwrap();
        eventually(&format!("{error} is met"), || faults.are_met());
        await_content(&mirror.remotes[0].join(&name), "content");
        is_said_once(&mirror, &name, error);
    }
}

fn fill(directory: &Path) {
    fs::create_dir_all(directory.join("below/deep")).unwrap();
    for file in ["file", "below/file", "below/deep/file"] {
        fs::write(directory.join(file), "content").unwrap();
    }
}

#[test]
fn a_new_directory_that_cannot_be_read_is_read_again() {
    for error in ERRORS {
        let mut plan = Plan::new();
        let faults = Faults::before(&mut plan);
        let (outside, new) = (plan.directory("outside").join("new"), plan.root.join("new"));
        fill(&outside);
        let mirror = plan.start();
        faults.fail_next(Call::List, &new, error);
        fs::rename(outside, &new).unwrap();
        eventually(&format!("{error} is met"), || faults.are_met());
        mirror.equal();
        fs::write(new.join("below/deep/later"), "content").unwrap();
        mirror.equal();
        is_said_once(&mirror, "new", error);
    }
}

#[test]
fn a_directory_that_cannot_be_read_at_the_start_is_read_again_and_watched() {
    for error in ERRORS {
        let mut plan = Plan::new();
        let faults = Faults::before(&mut plan);
        let dir = plan.root.join("dir");
        fill(&dir);
        faults.fail_next(Call::List, &dir, error);
        let mirror = plan.start();
        assert!(faults.are_met());
        is_said_once(&mirror, "dir", error);
        fs::write(dir.join("below/deep/later"), "content").unwrap();
        mirror.equal();
    }
}
