//! A root that is empty at the start: its disk may not be mounted, or everything may be meant to go.

use super::*;
use crate::harness::Image;

const COPY: &[&str] = &["kept", "dir/kept", "dir/deep/kept"];

/// An empty root, whose remote has these.
fn emptied(mode: Mode, copy: &[&str]) -> Plan {
    let mut plan = Plan::new();
    mode.apply(&mut plan);
    plan.await_full_sync = false;
    fs::remove_file(plan.root.join("anchor")).unwrap();
    put(&plan.remotes[0], copy);
    plan
}

#[test]
fn what_is_made_there_is_sent_at_once_and_nothing_is_deleted() {
    each(Mode::MIRRORS, |mode| {
        let mirror = emptied(mode, COPY).start();
        eventually("it is said", || mirror.log().contains("was empty at the start"));
        put(&mirror.root, &["app.log"]);
        eventually("it is sent", || mirror.remotes[0].join("app.log").exists());
        everything_is_done(&mirror);
        assert_eq!(present(&mirror.remotes[0], COPY), COPY);
    });
}

#[test]
fn where_the_far_side_is_empty_too_nothing_is_asked() {
    each(Mode::MIRRORS, |mode| {
        let mirror = emptied(mode, &[]).start();
        put(&mirror.root, &["app.log", "dir/file"]);
        mirror.equal();
        everything_is_done(&mirror);
        assert!(!mirror.log().contains("would delete"), "{}", mirror.log());
        // From now on it is known to be equal.
        put(&mirror.remotes[0], &["only there"]);
        full_sync(&mirror);
        mirror.equal();
    });
}

#[test]
fn where_the_user_wants_it_so_the_far_side_is_emptied() {
    each(Mode::MIRRORS, |mode| {
        let mut plan = emptied(mode, COPY);
        plan.conf.safety = "<safety emptyRoot=\"sync\"/>".into();
        plan.start().equal();
    });
}

#[test]
fn what_comes_back_by_itself_is_asked_about_no_more() {
    let mirror = emptied(Mode::Mirror, COPY).start();
    eventually("it is said", || mirror.log().contains("would delete"));
    eventually("it is over", || mirror.log().contains(": full sync, "));
    put(&mirror.root, COPY);
    all_of_ours_arrives(&mirror);
    full_sync(&mirror);
    put(&mirror.remotes[0], &["only there"]);
    full_sync(&mirror);
    mirror.equal();
}

#[test]
fn a_disk_that_arrives_is_synced_and_what_it_has_lost_meanwhile_goes() {
    each(Mode::MIRRORS, |mode| {
        let mut plan = emptied(mode, COPY).apart();
        let (image, keeper) =
            (Image::new(&plan.directory("disks").join("disk")), plan.directory("keeper"));
        plan.mounts.disk(&image, &keeper);
        put(&keeper, COPY);
        fs::remove_file(keeper.join("kept")).unwrap();
        fs::create_dir_all(plan.remotes[0].join("lost+found")).unwrap();
        plan.mounts.unmount(&keeper);
        let mut mirror = plan.start();
        put(&mirror.root, &["app.log"]);
        eventually("it is sent", || mirror.remotes[0].join("app.log").exists());
        assert_eq!(present(&mirror.remotes[0], COPY), COPY);
        mirror.mounts.disk(&image, &mirror.root);
        mirror.equal();
    });
}
