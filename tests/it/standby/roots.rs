//! A root that goes while a standby is in it, and another configuration.

use super::{change, gone, one_stands_by, rsyncs, send, stand_by};
use crate::harness::{eventually, Gate, Mirror, Plan, Rsync};
use nix::errno::Errno;
use nix::mount::{umount2, MntFlags};
use nix::sys::signal::Signal;
use std::fs;

/// A mirror whose root is a disk of its own.
fn on_a_disk(standby: &str) -> Mirror {
    let mut plan = Plan::new();
    plan.conf.standby = standby.into();
    let root = plan.root.clone();
    plan.mount(&root, 1024);
    fs::write(root.join("anchor"), "content").unwrap();
    plan.start()
}

fn halts(mirror: &Mirror) {
    eventually("the root halts", || mirror.log().contains("until it is back"));
    for name in ["anchor", "first"] {
        assert!(mirror.remotes[0].join(name).exists(), "{name} is gone from the remote");
    }
}

#[test]
fn an_unmounted_root_halts_though_one_is_in_it() {
    let mut mirror = on_a_disk("");
    let waiting = one_stands_by(&mirror);
    umount2(&mirror.root, MntFlags::MNT_DETACH).unwrap();
    halts(&mirror);
    gone(waiting);
    let root = mirror.root.clone();
    mirror.disks.push(crate::harness::Disk::mount(&root, 1024));
    // Another disk: what is on it is sent, and what the first one had is not deleted before somebody says yes.
    for name in ["only", "later"] {
        fs::write(root.join(name), "content").unwrap();
        eventually("it arrives", || mirror.remotes[0].join(name).exists());
    }
    assert!(mirror.remotes[0].join("first").exists());
}

#[test]
fn a_root_that_is_replaced_halts_and_the_next_change_goes_from_the_new_one() {
    let mirror = Plan::new().start();
    let waiting = one_stands_by(&mirror);
    let away = mirror.dir().join("away");
    fs::rename(&mirror.root, &away).unwrap();
    fs::create_dir(&mirror.root).unwrap();
    halts(&mirror);
    gone(waiting);
    fs::write(mirror.root.join("only"), "content").unwrap();
    mirror.equal();
    change(&mirror, "later");
    let next = stand_by(&mirror, 1, &[waiting])[0];
    assert_eq!(fs::read_link(format!("/proc/{next}/cwd")).unwrap(), mirror.root);
}

#[test]
fn the_disk_is_busy_until_it_is_let_go() {
    let mirror = on_a_disk(r#"<standby start="true" seconds="1"/>"#);
    let waiting = one_stands_by(&mirror);
    assert_eq!(umount2(&mirror.root, MntFlags::empty()), Err(Errno::EBUSY));
    gone(waiting);
    umount2(&mirror.root, MntFlags::empty()).unwrap();
    halts(&mirror);
}

#[test]
fn another_configuration_ends_those_of_the_old_one() {
    let mut plan = Plan::new();
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let mut conf = plan.conf.clone();
    let mirror = plan.start();
    let mut old = vec![one_stands_by(&mirror)];
    for (params, at_work) in [("-art", false), ("-artz", true), ("-art", true), ("-artz", false)] {
        if at_work {
            // No standby is at the gate, so that the run waits there.
            old.iter().filter(|&&pid| rsyncs(&mirror).contains(&pid)).for_each(|&pid| {
                send(pid, Signal::SIGKILL);
            });
            gate.hold();
            fs::write(mirror.root.join("at work"), params).unwrap();
            gate.await_run();
        }
        conf.params = params.into();
        let counts = "what has changed in it counts from now on";
        let read = mirror.log().matches(counts).count();
        fs::write(mirror.dir().join("confxml.xml"), conf.to_string()).unwrap();
        send(mirror.pid(), Signal::SIGHUP);
        eventually("it counts", || mirror.log().matches(counts).count() > read);
        if at_work {
            gate.release();
        }
        change(&mirror, "file");
        old.extend(stand_by(&mirror, 1, &old));
    }
}
