//! A directory that is missing without having been seen to go stays over there, with all that was not seen to
//! go in it.

use super::{at_once, each, pairs, present, put, signal, Mode, Way};
use crate::harness::{eventually, Image, Plan};
use nix::sys::signal::Signal;
use std::fs;

const FILES: [&str; 4] = ["d/1", "d/2", "d/3", "d/sub/4"];
const LEFT: [&str; 3] = ["d/1", "d/3", "d/sub/4"];

#[test]
fn a_directory_that_was_moved_away_unseen_loses_only_what_was_seen_to_go() {
    each(pairs(&Mode::ALL, &Way::ALL), |(mode, way)| {
        let (mut plan, _sshd) = way.plan();
        mode.apply(&mut plan);
        plan.conf.event("moveFrom", false);
        let elsewhere = plan.directory("elsewhere");
        for top in [&plan.root, &plan.remotes[0]] {
            put(top, &FILES);
        }
        let mirror = plan.start();
        at_once(&mirror, |root| {
            fs::remove_file(root.join("d/2")).unwrap();
            fs::rename(root.join("d"), elsewhere.join("d")).unwrap();
        });
        eventually("what was seen to go goes", || !mirror.remotes[0].join("d/2").exists());
        mirror.fence();
        assert_eq!(present(&mirror.remotes[0], &FILES), LEFT, "{mode:?} {way:?}");
    });
}

#[test]
fn a_disk_that_is_unmounted_while_a_deletion_waits_loses_only_that() {
    each(Mode::ALL, |mode| {
        let mut plan = Plan::new().apart();
        mode.apply(&mut plan);
        let image = Image::new(&plan.directory("disks").join("disk"));
        let at = plan.root.join("disk");
        fs::create_dir(&at).unwrap();
        plan.mounts.disk(&image, &at);
        for top in [&at, &plan.remotes[0].join("disk")] {
            put(top, &FILES);
        }
        let mut mirror = plan.start();
        mirror.fence();
        mirror.daemon.stop();
        fs::remove_file(at.join("d/2")).unwrap();
        eventually("the remote fails", || mirror.log().contains("everything is kept"));
        mirror.mounts.unmount(&at);
        mirror.daemon.start();
        signal(&mirror, Signal::SIGUSR2);
        let there = mirror.remotes[0].join("disk");
        eventually("what was seen to go goes", || !there.join("d/2").exists());
        mirror.fence();
        assert_eq!(present(&there, &FILES), LEFT, "{mode:?}");
    });
}
