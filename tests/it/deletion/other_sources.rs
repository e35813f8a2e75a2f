//! Several machines push into one module: what others have there is never deleted because this program
//! did not look for a moment.

use super::{
    all_of_ours_arrives, at_once, each, everything_is_done, present, put, unseen, write, Mode,
};
use crate::harness::{Mirror, Plan};
use std::fs;
use std::path::Path;

/// The other source's files: beside ours, and deep inside.
const THEIRS: [&str; 3] = ["d/theirs", "d/sub042/theirs", "d/sub007/their/own/file"];

/// A tree of 100 directories with `files` files.
fn make_tree(top: &Path, files: usize) {
    for number in 0..files {
        write(&top.join(format!("sub{:03}/file{number}", number % 100)), "ours");
    }
}

/// A mirror that only pushes, to where another source has something.
fn beside_others(theirs: &[&str]) -> (Mirror, std::path::PathBuf) {
    let mut plan = Plan::new();
    Mode::Push.apply(&mut plan);
    // Nothing sends what was there before.
    fs::remove_file(plan.root.join("anchor")).unwrap();
    put(&plan.remotes[0], theirs);
    let outside = plan.directory("outside");
    (plan.start(), outside)
}

fn theirs_stay(mirror: &Mirror, theirs: &[&str], about: &str) {
    all_of_ours_arrives(mirror);
    everything_is_done(mirror);
    assert_eq!(present(&mirror.remotes[0], theirs), theirs, "{about}");
}

#[test]
fn a_tree_that_is_moved_into_the_root_deletes_nothing_of_others() {
    each([1_000, 3_000, 10_000], |files| {
        let (mirror, outside) = beside_others(&THEIRS);
        make_tree(&outside.join("d"), files);
        fs::rename(outside.join("d"), mirror.root.join("d")).unwrap();
        theirs_stay(&mirror, &THEIRS, &format!("{files} files"));
    });
}

#[test]
fn a_tree_that_changes_while_it_is_moved_in_deletes_nothing_of_others() {
    let (mirror, outside) = beside_others(&THEIRS);
    make_tree(&outside.join("d"), 1_000);
    at_once(&mirror, |root| {
        fs::rename(outside.join("d"), root.join("d")).unwrap();
        make_tree(&root.join("d/sub042/more"), 300);
        fs::rename(root.join("d/sub010"), root.join("d/renamed")).unwrap();
        fs::remove_dir_all(root.join("d/sub011")).unwrap();
    });
    theirs_stay(&mirror, &THEIRS, "moved and changed");
}

#[test]
fn a_tree_that_is_written_file_by_file_deletes_nothing_of_others() {
    let (mirror, _) = beside_others(&THEIRS);
    make_tree(&mirror.root.join("d"), 3_000);
    theirs_stay(&mirror, &THEIRS, "written");
}

#[test]
fn a_tree_moved_in_twice_over_each_other_deletes_nothing_of_others() {
    let (mirror, outside) = beside_others(&THEIRS);
    for round in 0..4 {
        let top = outside.join("d");
        make_tree(&top, 500);
        fs::rename(&top, mirror.root.join(format!("d/round{round}")))
            .or_else(|_| fs::rename(&top, mirror.root.join("d")))
            .unwrap();
    }
    theirs_stay(&mirror, &THEIRS, "in rounds");
}

#[test]
fn what_changed_while_the_program_was_not_running_deletes_nothing_of_others() {
    let (mut mirror, outside) = beside_others(&["kept/theirs"]);
    put(&mirror.root, &["kept/ours", "kept/deep/ours"]);
    all_of_ours_arrives(&mirror);
    mirror.fence();
    for kill in [false, true] {
        if kill {
            mirror.kill_program();
        } else {
            mirror.halt_program();
        }
        let tree = outside.join("d");
        make_tree(&tree, 200);
        fs::rename(&tree, mirror.root.join(format!("d{kill}"))).unwrap();
        put(&mirror.remotes[0], &["dfalse/theirs", "dtrue/theirs"]);
        fs::remove_file(mirror.root.join("kept/ours")).unwrap();
        fs::write(mirror.root.join("kept/ours"), "again").unwrap();
        mirror.start_again(&[]);
        let theirs = ["kept/theirs", "dfalse/theirs", "dtrue/theirs"];
        theirs_stay(&mirror, &theirs, &format!("killed: {kill}"));
    }
}

#[test]
fn events_that_were_lost_delete_nothing_of_others() {
    let (mirror, _) = beside_others(&["kept/theirs", "new/theirs"]);
    put(&mirror.root, &["kept/ours", "moving"]);
    all_of_ours_arrives(&mirror);
    unseen(&mirror, |root| put(root, &["new/ours", "kept/more"]));
    theirs_stay(&mirror, &["kept/theirs", "new/theirs"], "after an overflow");
}
