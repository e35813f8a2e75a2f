//! A disk is mounted on a directory inside the root while the program runs, and unmounted again.

use super::{await_content, fill, in_mode, lines_with, MIRROR, PUSH};
use crate::harness::{eventually, rest_for, Gate, Image, Mirror, Plan, Rsync};
use nix::errno::Errno;
use nix::mount::{umount2, MntFlags};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Whoever does nothing for so long has nothing to do.
const AT_REST: Duration = Duration::from_millis(300);

/// A disk with a tree, and the directory in the root on which it is to be mounted.
fn disk(plan: &mut Plan) -> (Image, PathBuf) {
    let image = Image::new(&plan.directory("disks").join("disk"));
    let (keeper, at) = (plan.directory("keeper"), plan.root.join("var/disk"));
    plan.mounts.disk(&image, &keeper);
    fill(&keeper, "disk");
    plan.mounts.unmount(&keeper);
    fs::create_dir_all(&at).unwrap();
    (image, at)
}

/// A full sync of everything from now on has been done.
fn full_sync(mirror: &Mirror) {
    let done = || lines_with(mirror, ": full sync, ").len();
    let before = done();
    kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGUSR1).unwrap();
    eventually("a full sync has been done", || done() > before);
}

fn there(mirror: &Mirror, name: &str) -> PathBuf {
    mirror.remotes[0].join("var/disk").join(name)
}

/// What is on the disk arrives, and what is written on it; then nothing is on its way.
fn is_synced(mirror: &Mirror, at: &Path, name: &str) {
    for file in ["file", "dir/file", "dir/deep/file"] {
        await_content(&there(mirror, file), &format!("{file} of disk"));
    }
    fs::write(at.join("dir/deep").join(name), "content").unwrap();
    fs::create_dir_all(at.join("new").join(name)).unwrap();
    fs::write(at.join("new").join(name).join("file"), "content").unwrap();
    await_content(&there(mirror, "dir/deep").join(name), "content");
    await_content(&there(mirror, "new").join(name).join("file"), "content");
    // A disk that goes in the middle of a sweep is not known to be away.
    rest_for(&[mirror.pid()], AT_REST);
}

#[test]
fn a_disk_that_comes_below_the_root_is_synced_and_stays_there_while_it_is_away() {
    for mode in [MIRROR, PUSH] {
        let mut plan = Plan::new().apart();
        let (image, at) = disk(&mut plan);
        let keeper = plan.directory("keeper");
        in_mode(&mut plan, mode);
        let mut mirror = plan.start();
        mirror.mounts.disk(&image, &at);
        is_synced(&mirror, &at, "first");
        mirror.mounts.unmount(&at);
        // A change beside it, and in a mirror all that a full sync could delete.
        fs::write(mirror.root.join("var/beside"), "content").unwrap();
        await_content(&mirror.remotes[0].join("var/beside"), "content");
        full_sync(&mirror);
        mirror.fence();
        for name in ["file", "dir/deep/file", "dir/deep/first", "new/first/file"] {
            assert!(there(&mirror, name).exists(), "{mode:?}: {name} went with its disk");
        }
        // Meanwhile it is somewhere else.
        mirror.mounts.disk(&image, &keeper);
        fs::write(keeper.join("changed elsewhere"), "content").unwrap();
        fs::remove_file(keeper.join("only in disk")).unwrap();
        mirror.mounts.unmount(&keeper);
        mirror.mounts.disk(&image, &at);
        await_content(&there(&mirror, "changed elsewhere"), "content");
        is_synced(&mirror, &at, "second");
        if mode == MIRROR {
            mirror.equal();
        }
    }
}

/// rsync would take the empty directory for what is here, and delete the copy.
#[test]
fn a_disk_cannot_be_unmounted_in_the_middle_of_a_sweep_that_deletes() {
    let mut plan = Plan::new().apart();
    let (image, at) = disk(&mut plan);
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let mut mirror = plan.start();
    mirror.mounts.disk(&image, &at);
    is_synced(&mirror, &at, "first");
    mirror.equal();
    gate.hold();
    kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGUSR1).unwrap();
    gate.await_run();
    let unmounted = umount2(&at, MntFlags::empty());
    gate.release();
    if unmounted.is_err() {
        mirror.mounts.unmount(&at);
    }
    full_sync(&mirror);
    mirror.fence();
    assert!(there(&mirror, "dir/deep/file").exists(), "it went with its disk");
    assert_eq!(unmounted, Err(Errno::EBUSY));
}

/// Neither the program nor rsync can see that a directory was a mount point: the state knows.
#[test]
fn a_disk_that_is_unmounted_while_the_program_does_not_run_stays_there_until_it_is_back() {
    let mut plan = Plan::new().apart();
    let (image, at) = disk(&mut plan);
    plan.mounts.disk(&image, &at);
    let mut mirror = plan.start();
    is_synced(&mirror, &at, "first");
    mirror.equal();
    mirror.halt_program();
    mirror.mounts.unmount(&at);
    // The second start knows it from the first one.
    for beside in ["one", "two"] {
        mirror.start_again(&["-r"]);
        fs::write(mirror.root.join("var").join(beside), "content").unwrap();
        await_content(&mirror.remotes[0].join("var").join(beside), "content");
        full_sync(&mirror);
        mirror.fence();
        for name in ["file", "dir/deep/file", "dir/deep/first", "new/first/file"] {
            assert!(there(&mirror, name).exists(), "{name} went with its disk");
        }
        assert_eq!(lines_with(&mirror, "its disk is away").len(), 1);
        mirror.halt_program();
    }
    mirror.start_again(&["-r"]);
    mirror.mounts.disk(&image, &at);
    is_synced(&mirror, &at, "second");
    mirror.equal();
    // Without its directory it is gone for good.
    mirror.halt_program();
    mirror.mounts.unmount(&at);
    fs::remove_dir(&at).unwrap();
    mirror.start_again(&["-r"]);
    mirror.equal();
}

/// The disk goes while the remote is down, or after what is owed has been written.
#[test]
fn the_fail_log_run_by_hand_spares_what_is_on_a_disk_that_is_away() {
    for is_away_before in [true, false] {
        let mut plan = Plan::new().apart();
        let (image, at) = disk(&mut plan);
        let mut mirror = plan.start();
        mirror.mounts.disk(&image, &at);
        is_synced(&mirror, &at, "first");
        mirror.daemon.stop();
        if is_away_before {
            mirror.mounts.unmount(&at);
            eventually("it is away", || !lines_with(&mirror, "its disk is away").is_empty());
        }
        kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGUSR1).unwrap();
        let fail_log = mirror.dir().join("rsync_fail_log.sh");
        let text = || fs::read_to_string(&fail_log).unwrap_or_default();
        eventually("a full sync is owed", || text().contains(" ./ "));
        mirror.halt_program();
        if !is_away_before {
            mirror.mounts.unmount(&at);
        }
        fs::write(mirror.root.join("var/beside"), "content").unwrap();
        mirror.daemon.start();
        let run = Command::new("sh").arg(&fail_log).output().unwrap();
        assert!(run.status.success(), "{run:?}\n{}", text());
        assert!(mirror.remotes[0].join("var/beside").exists(), "{}", text());
        assert!(there(&mirror, "dir/deep/file").exists(), "it went with its disk: {}", text());
    }
}

#[test]
fn a_mount_point_that_is_deleted_while_its_disk_is_away_takes_what_was_on_it_along() {
    let mut plan = Plan::new().apart();
    let (image, at) = disk(&mut plan);
    let mut mirror = plan.start();
    mirror.mounts.disk(&image, &at);
    is_synced(&mirror, &at, "first");
    mirror.mounts.unmount(&at);
    mirror.fence();
    assert!(there(&mirror, "file").exists());
    fs::remove_dir(&at).unwrap();
    mirror.equal();
    assert!(!mirror.remotes[0].join("var/disk").exists());
}

#[test]
fn a_disk_with_a_disk_on_it_is_synced_as_a_whole() {
    let mut plan = Plan::new().apart();
    let (image, at) = disk(&mut plan);
    let mut mirror = plan.start();
    mirror.mounts.disk(&image, &at);
    mirror.mounts.tmpfs(&at.join("dir/deep"));
    fs::write(at.join("dir/deep/inner"), "content").unwrap();
    await_content(&there(&mirror, "dir/deep/inner"), "content");
    mirror.equal();
    fs::write(at.join("dir/deep/later"), "content").unwrap();
    mirror.equal();
}

/// rsync's `-x` leaves what lies on another file system out of full syncs.
#[test]
fn with_x_other_file_systems_are_left_out_of_batches_as_well() {
    for is_late in [false, true] {
        let mut plan = Plan::new().apart();
        let (image, at) = disk(&mut plan);
        plan.conf.params = "-artzx".to_string();
        if !is_late {
            plan.mounts.disk(&image, &at);
        }
        let mut mirror = plan.start();
        if is_late {
            mirror.mounts.disk(&image, &at);
        }
        mirror.fence();
        fs::write(at.join("later"), "content").unwrap();
        fs::write(at.join("dir/deep/later"), "content").unwrap();
        fs::create_dir_all(at.join("new/deep")).unwrap();
        fs::write(mirror.root.join("var/beside"), "content").unwrap();
        await_content(&mirror.remotes[0].join("var/beside"), "content");
        mirror.fence();
        let sent = fs::read_dir(mirror.remotes[0].join("var/disk")).into_iter().flatten().count();
        assert_eq!(sent, 0, "late: {is_late}");
    }
}
