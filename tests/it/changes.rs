//! Every kind of change to a tree arrives. One change each; `churn` has the mixtures.

use crate::harness::{change_arrives, eventually, Mirror, Plan};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

/// Makes a directory with two files, a directory below it, and a symlink.
fn full_directory(path: &Path) {
    fs::create_dir_all(path.join("below/further")).unwrap();
    for file in ["one", "two", "below/three", "below/further/four"] {
        fs::write(path.join(file), file).unwrap();
    }
    symlink("one", path.join("link")).unwrap();
}

fn nothing(_: &Path) {}

#[test]
fn a_created_file_arrives() {
    change_arrives(nothing, |root| fs::write(root.join("new"), "content").unwrap());
}

#[test]
fn an_empty_file_arrives() {
    change_arrives(nothing, |root| fs::write(root.join("empty"), "").unwrap());
}

#[test]
fn a_file_of_several_megabytes_arrives() {
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    change_arrives(nothing, |root| fs::write(root.join("big"), content).unwrap());
}

#[test]
fn modified_content_arrives() {
    let before = |root: &Path| fs::write(root.join("file"), "old").unwrap();
    change_arrives(before, |root| fs::write(root.join("file"), "new and longer").unwrap());
}

#[test]
fn an_appended_line_arrives() {
    let before = |root: &Path| fs::write(root.join("file"), "first\n").unwrap();
    change_arrives(before, |root| {
        let mut file = OpenOptions::new().append(true).open(root.join("file")).unwrap();
        file.write_all(b"second\n").unwrap();
    });
}

#[test]
fn a_truncated_file_arrives() {
    let before = |root: &Path| fs::write(root.join("file"), "much too long").unwrap();
    change_arrives(before, |root| {
        let file = OpenOptions::new().write(true).open(root.join("file")).unwrap();
        file.set_len(4).unwrap();
    });
}

#[test]
fn a_deleted_file_goes() {
    let before = |root: &Path| fs::write(root.join("file"), "content").unwrap();
    change_arrives(before, |root| fs::remove_file(root.join("file")).unwrap());
}

#[test]
fn a_deleted_tree_goes() {
    let before = |root: &Path| full_directory(&root.join("dir"));
    change_arrives(before, |root| fs::remove_dir_all(root.join("dir")).unwrap());
}

#[test]
fn a_renamed_file_arrives_and_its_old_name_goes() {
    let before = |root: &Path| fs::write(root.join("old"), "content").unwrap();
    change_arrives(before, |root| fs::rename(root.join("old"), root.join("new")).unwrap());
}

#[test]
fn a_file_renamed_over_another_replaces_it() {
    let before = |root: &Path| {
        fs::write(root.join("one"), "1").unwrap();
        fs::write(root.join("two"), "2").unwrap();
    };
    change_arrives(before, |root| fs::rename(root.join("one"), root.join("two")).unwrap());
}

#[test]
fn a_renamed_directory_arrives_and_its_old_name_goes() {
    let before = |root: &Path| full_directory(&root.join("old"));
    change_arrives(before, |root| fs::rename(root.join("old"), root.join("new")).unwrap());
}

#[test]
fn a_renamed_directory_is_watched_under_its_new_name() {
    let plan = Plan::new();
    full_directory(&plan.root.join("old"));
    let mirror = plan.start();
    fs::rename(mirror.root.join("old"), mirror.root.join("new")).unwrap();
    mirror.equal();
    fs::write(mirror.root.join("new/below/further/later"), "content").unwrap();
    fs::remove_file(mirror.root.join("new/below/three")).unwrap();
    mirror.equal();
}

#[test]
fn a_chain_of_renames_ends_at_the_last_name() {
    let before = |root: &Path| full_directory(&root.join("a"));
    change_arrives(before, |root| {
        for (from, to) in [("a", "b"), ("b", "c"), ("c", "d")] {
            fs::rename(root.join(from), root.join(to)).unwrap();
        }
    });
}

#[test]
fn a_chain_of_renames_may_come_back_to_the_first_name() {
    let before = |root: &Path| full_directory(&root.join("a"));
    change_arrives(before, |root| {
        fs::rename(root.join("a"), root.join("b")).unwrap();
        fs::write(root.join("b/below/new"), "written under the other name").unwrap();
        fs::rename(root.join("b"), root.join("a")).unwrap();
    });
}

#[test]
fn a_directory_moved_into_a_new_directory_arrives() {
    let before = |root: &Path| full_directory(&root.join("dir"));
    change_arrives(before, |root| {
        fs::create_dir(root.join("new")).unwrap();
        fs::rename(root.join("dir"), root.join("new/dir")).unwrap();
        fs::write(root.join("new/dir/below/later"), "content").unwrap();
    });
}

#[test]
fn what_is_moved_in_arrives() {
    let plan = Plan::new();
    let outside = plan.directory("outside");
    full_directory(&outside.join("dir"));
    fs::write(outside.join("file"), "content").unwrap();
    let mirror = plan.start();
    fs::rename(outside.join("file"), mirror.root.join("file")).unwrap();
    fs::rename(outside.join("dir"), mirror.root.join("dir")).unwrap();
    mirror.equal();
    fs::write(mirror.root.join("dir/below/further/later"), "it is watched, too").unwrap();
    mirror.equal();
}

#[test]
fn what_is_moved_out_goes() {
    let plan = Plan::new();
    let outside = plan.directory("outside");
    full_directory(&plan.root.join("dir"));
    fs::write(plan.root.join("file"), "content").unwrap();
    let mirror = plan.start();
    fs::rename(mirror.root.join("file"), outside.join("file")).unwrap();
    fs::rename(mirror.root.join("dir"), outside.join("dir")).unwrap();
    mirror.equal();
    // What goes on outside is no longer the root's: nothing of it may come back.
    fs::write(outside.join("dir/below/later"), "content").unwrap();
    mirror.fence();
    mirror.equal();
}

#[test]
fn what_is_moved_out_and_in_again_arrives() {
    let plan = Plan::new();
    let outside = plan.directory("outside");
    full_directory(&plan.root.join("dir"));
    let mirror = plan.start();
    fs::rename(mirror.root.join("dir"), outside.join("dir")).unwrap();
    fs::write(outside.join("dir/below/three"), "changed while it was outside").unwrap();
    fs::rename(outside.join("dir"), mirror.root.join("dir")).unwrap();
    mirror.equal();
    fs::write(mirror.root.join("dir/below/three"), "changed after it came back").unwrap();
    mirror.equal();
}

#[test]
fn new_directories_with_a_file_made_at_once_arrive() {
    change_arrives(nothing, |root| {
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::write(root.join("a/b/c/file"), "content").unwrap();
    });
}

#[test]
fn an_empty_directory_arrives_and_goes() {
    let mirror = Plan::new().start();
    fs::create_dir(mirror.root.join("dir")).unwrap();
    mirror.equal();
    fs::remove_dir(mirror.root.join("dir")).unwrap();
    mirror.equal();
}

#[test]
fn a_tree_of_fifty_levels_arrives_and_goes() {
    let mirror = Plan::new().start();
    let deepest = mirror.root.join(vec!["level"; 50].join("/"));
    fs::create_dir_all(&deepest).unwrap();
    fs::write(deepest.join("file"), "content").unwrap();
    mirror.equal();
    fs::write(deepest.join("file"), "changed content").unwrap();
    mirror.equal();
    fs::remove_dir_all(mirror.root.join("level")).unwrap();
    mirror.equal();
}

#[test]
fn symlinks_arrive_as_they_are() {
    let mirror = Plan::local().start();
    full_directory(&mirror.root.join("dir"));
    for (target, link) in [
        ("anchor", "to-file"),
        ("dir", "to-dir"),
        ("no such target", "to-nothing"),
        ("/absolute", "absolute"),
        ("../../above", "above"),
    ] {
        symlink(target, mirror.root.join(link)).unwrap();
    }
    mirror.equal();
}

#[test]
fn what_a_symlink_points_to_outside_is_not_followed() {
    let plan = Plan::local();
    let outside = plan.directory("outside");
    let mirror = plan.start();
    symlink(&outside, mirror.root.join("link")).unwrap();
    mirror.equal();
    fs::write(outside.join("file"), "not ours").unwrap();
    mirror.fence();
    mirror.equal();
}

#[test]
fn a_symlink_to_a_directory_replaced_by_a_directory_arrives() {
    let before = |root: &Path| {
        full_directory(&root.join("dir"));
        symlink("dir", root.join("kind")).unwrap();
    };
    change_arrives(before, |root| {
        fs::remove_file(root.join("kind")).unwrap();
        full_directory(&root.join("kind"));
        fs::write(root.join("kind/one"), "not through the link").unwrap();
    });
}

#[test]
fn a_hard_link_arrives_and_survives_its_first_name() {
    let before = |root: &Path| fs::write(root.join("first"), "content").unwrap();
    change_arrives(before, |root| {
        fs::hard_link(root.join("first"), root.join("second")).unwrap();
        fs::remove_file(root.join("first")).unwrap();
    });
}

#[test]
fn a_file_replaced_by_a_directory_and_back_arrives() {
    let plan = Plan::new();
    fs::write(plan.root.join("kind"), "a file").unwrap();
    let mirror = plan.start();
    fs::remove_file(mirror.root.join("kind")).unwrap();
    full_directory(&mirror.root.join("kind"));
    mirror.equal();
    fs::remove_dir_all(mirror.root.join("kind")).unwrap();
    fs::write(mirror.root.join("kind"), "a file again").unwrap();
    mirror.equal();
}

#[test]
fn a_full_directory_replaced_by_a_file_arrives() {
    let before = |root: &Path| full_directory(&root.join("kind"));
    change_arrives(before, |root| {
        fs::remove_dir_all(root.join("kind")).unwrap();
        fs::write(root.join("kind"), "a file").unwrap();
    });
}

#[test]
fn a_full_directory_replaced_by_a_symlink_arrives() {
    let before = |root: &Path| full_directory(&root.join("kind"));
    change_arrives(before, |root| {
        fs::rename(root.join("kind"), root.join("moved")).unwrap();
        symlink("moved", root.join("kind")).unwrap();
    });
}

#[test]
fn a_directory_made_again_has_only_its_new_content() {
    let before = |root: &Path| full_directory(&root.join("dir"));
    change_arrives(before, |root| {
        fs::remove_dir_all(root.join("dir")).unwrap();
        fs::create_dir_all(root.join("dir/below")).unwrap();
        fs::write(root.join("dir/below/other"), "content").unwrap();
        fs::write(root.join("dir/one"), "a file of the same name").unwrap();
    });
}

#[test]
fn a_deleted_directory_whose_name_starts_another_name_leaves_that_one_alone() {
    let before = |root: &Path| {
        full_directory(&root.join("name"));
        full_directory(&root.join("name-longer"));
    };
    change_arrives(before, |root| fs::remove_dir_all(root.join("name")).unwrap());
}

#[test]
fn a_file_that_is_gone_again_at_once_leaves_nothing() {
    let mirror = Plan::new().start();
    for round in 0..50 {
        let path = mirror.root.join(format!("short-lived-{round}"));
        fs::write(&path, "content").unwrap();
        fs::remove_file(&path).unwrap();
    }
    mirror.fence();
    mirror.equal();
}

/// A burst of changes must not cost one rsync for each file: sersync 2.5.4 made 2,010 connections
/// for 2,000 files.
#[test]
fn a_burst_of_files_needs_few_connections() {
    const FILES: usize = 2_000;
    const CONNECTIONS_MAX: usize = 60;
    let mirror = Plan::new().start();
    let before = mirror.daemon.connections();
    write_burst(&mirror, FILES);
    mirror.equal();
    let connections = mirror.daemon.connections() - before;
    assert!((1..=CONNECTIONS_MAX).contains(&connections), "{connections} connections");
}

fn write_burst(mirror: &Mirror, files: usize) {
    for i in 0..files {
        let dir = mirror.root.join(format!("dir{}", i % 20));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("file{i}")), format!("content {i}")).unwrap();
    }
}

/// Changes that never pause must not cost one rsync each either. So many may start as the pace
/// allows in the time that has passed; on a machine so slow that this is one for each change, the
/// test sees nothing.
#[test]
fn changes_that_never_pause_share_batches() {
    const CHANGES: usize = 100;
    const AT_ONCE: usize = 20;
    const STEADY_MS: usize = 50;
    let mirror = Plan::new().start();
    mirror.fence();
    let (before, started) = (mirror.daemon.connections(), Instant::now());
    for number in 0..CHANGES {
        // The next change comes when the one before has arrived: without a pace, each would have a
        // batch of its own.
        fs::write(mirror.root.join("busy"), format!("{number}")).unwrap();
        eventually("it arrives", || {
            fs::read(mirror.remotes[0].join("busy"))
                .is_ok_and(|there| there == format!("{number}").as_bytes())
        });
    }
    let passed_ms = usize::try_from(started.elapsed().as_millis()).unwrap();
    // One for the batch that was under way, and one that stands by for the next.
    let most = AT_ONCE + passed_ms / STEADY_MS + 2;
    let connections = mirror.daemon.connections() - before;
    assert!(connections <= most, "{connections} connections in {passed_ms} ms, at most {most}");
}

/// A list of new files names their directory in place of them, if there is nothing else in it.
#[test]
fn what_is_not_to_be_sent_yet_does_not_go_with_the_directory_it_is_in() {
    const FILES: usize = 3_000;
    let plan = Plan::new();
    fs::create_dir(plan.root.join("dir")).unwrap();
    fs::write(plan.root.join("dir/open"), "as it was").unwrap();
    let mirror = plan.start();
    let mut open = fs::File::create(mirror.root.join("dir/open")).unwrap();
    open.write_all(b"half").unwrap();
    for i in 0..FILES {
        fs::write(mirror.root.join(format!("dir/file{i}")), "new").unwrap();
    }
    mirror.fence();
    let far = mirror.remotes[0].join("dir");
    assert_eq!(fs::read(far.join(format!("file{}", FILES - 1))).unwrap(), b"new");
    assert_eq!(fs::read(far.join("open")).unwrap(), b"as it was");
    open.write_all(b" and half").unwrap();
    drop(open);
    mirror.equal();
}
