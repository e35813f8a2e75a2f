//! The event switches of `inotify`, and the bare `-m`, which turns two of them off.
//!
//! A test sees with a fence that something is not sent: a file that is made later has arrived.

use crate::harness::{eventually, Mirror, Plan};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A plan with some switches set other than the template has them, and files to begin with, of
/// which `quiet/file` lies where no test makes a fence.
fn plan_with(switches: &[(&str, bool)]) -> Plan {
    let mut plan = Plan::new();
    for (element, on) in switches {
        plan.conf.event(element, *on);
    }
    fs::create_dir(plan.root.join("quiet")).unwrap();
    fs::write(plan.root.join("quiet/file"), "old").unwrap();
    plan
}

fn read_there(mirror: &Mirror, name: &str) -> String {
    fs::read_to_string(mirror.remotes[0].join(name)).unwrap()
}

fn mode_there(mirror: &Mirror, name: &str) -> u32 {
    fs::metadata(mirror.remotes[0].join(name)).unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn with_delete_off_nothing_is_ever_deleted() {
    let plan = plan_with(&[("delete", false)]);
    fs::write(plan.remotes[0].join("theirs"), "only on the far side").unwrap();
    fs::write(plan.root.join("renamed"), "content").unwrap();
    let mirror = plan.start();
    fs::remove_dir_all(mirror.root.join("quiet")).unwrap();
    fs::rename(mirror.root.join("renamed"), mirror.root.join("new-name")).unwrap();
    mirror.fence();
    let there = &mirror.remotes[0];
    for name in ["theirs", "quiet/file", "renamed", "new-name"] {
        assert!(there.join(name).exists(), "{name} was deleted or never sent");
    }
}

#[test]
fn with_delete_on_the_first_full_sync_deletes_what_only_the_far_side_has() {
    let plan = plan_with(&[]);
    fs::write(plan.remotes[0].join("theirs"), "only on the far side").unwrap();
    plan.start().equal();
}

#[test]
fn with_create_file_on_a_new_file_arrives_before_it_is_closed() {
    let mirror = plan_with(&[("createFile", true)]).start();
    let file = File::create(mirror.root.join("open")).unwrap();
    eventually("the open file has arrived", || mirror.remotes[0].join("open").exists());
    drop(file);
    mirror.equal();
}

#[test]
fn with_create_folder_off_a_new_directory_is_watched_but_not_sent_for_itself() {
    let mirror = plan_with(&[("createFolder", false)]).start();
    fs::create_dir_all(mirror.root.join("empty")).unwrap();
    fs::create_dir_all(mirror.root.join("with/file")).unwrap();
    mirror.fence();
    fs::write(mirror.root.join("with/file/inside"), "content").unwrap();
    mirror.fence();
    assert_eq!(read_there(&mirror, "with/file/inside"), "content");
    assert!(!mirror.remotes[0].join("empty").exists(), "an empty directory was sent");
}

#[test]
fn with_close_write_off_a_rewritten_file_is_not_sent() {
    let mirror = plan_with(&[("closeWrite", false), ("createFile", true)]).start();
    fs::write(mirror.root.join("quiet/file"), "new content").unwrap();
    mirror.fence();
    assert_eq!(read_there(&mirror, "quiet/file"), "old");
}

#[test]
fn with_move_from_off_what_is_moved_out_stays() {
    let plan = plan_with(&[("moveFrom", false)]);
    let outside = plan.directory("outside");
    let mirror = plan.start();
    fs::rename(mirror.root.join("quiet"), outside.join("quiet")).unwrap();
    mirror.fence();
    assert_eq!(read_there(&mirror, "quiet/file"), "old");
}

#[test]
fn with_move_to_off_what_is_moved_in_is_not_sent() {
    let plan = plan_with(&[("moveTo", false)]);
    let outside = plan.directory("outside").join("file");
    fs::write(&outside, "content").unwrap();
    let mirror = plan.start();
    fs::rename(&outside, mirror.root.join("moved-in")).unwrap();
    mirror.fence();
    assert!(!mirror.remotes[0].join("moved-in").exists());
}

#[test]
fn with_attrib_off_a_mode_alone_is_not_sent() {
    let mirror = plan_with(&[]).start();
    let old = mode_there(&mirror, "quiet/file");
    chmod(&mirror.root.join("quiet/file"), 0o604);
    mirror.fence();
    assert_eq!(mode_there(&mirror, "quiet/file"), old);
}

#[test]
fn with_attrib_on_a_mode_alone_is_sent() {
    let mirror = plan_with(&[("attrib", true)]).start();
    chmod(&mirror.root.join("quiet/file"), 0o604);
    mirror.equal();
    chmod(&mirror.root.join("quiet"), 0o705);
    mirror.equal();
    chmod(&mirror.root, 0o750);
    mirror.equal();
}

#[test]
fn with_modify_off_a_file_that_stays_open_is_not_sent() {
    let mirror = plan_with(&[]).start();
    let mut file = OpenOptions::new().append(true).open(mirror.root.join("quiet/file")).unwrap();
    file.write_all(b" and more").unwrap();
    mirror.fence();
    assert_eq!(read_there(&mirror, "quiet/file"), "old");
    drop(file);
    mirror.equal();
}

#[test]
fn with_modify_on_a_file_that_stays_open_is_sent() {
    let mirror = plan_with(&[("modify", true)]).start();
    let mut file = OpenOptions::new().append(true).open(mirror.root.join("quiet/file")).unwrap();
    file.write_all(b" and more").unwrap();
    mirror.equal();
    drop(file);
}

// COMPAT: one of the guides that people follow shows `-m` without a name, for "do not watch
// modifications".
#[test]
fn a_bare_m_leaves_modifications_out() {
    let mut plan = plan_with(&[("createFile", true), ("modify", true)]);
    plan.args = vec!["-r".into(), "-m".into()];
    fs::write(plan.root.join("deleted"), "content").unwrap();
    let mirror = plan.start();
    fs::write(mirror.root.join("quiet/file"), "new content").unwrap();
    fs::remove_file(mirror.root.join("deleted")).unwrap();
    mirror.fence();
    assert_eq!(read_there(&mirror, "quiet/file"), "old");
    assert!(!mirror.remotes[0].join("deleted").exists(), "deletions still count");
}
