//! Full syncs that take long: what changes meanwhile does not wait for them, and is right when they have ended.

use crate::deletion::nothing_is_owed;
use crate::harness::{eventually, slow, write_large, Held, Mirror, Plan};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a full sync is busy with while a test changes other things.
const LARGE: &str = "large";

/// A mirror, or a push, whose full sync is stopped with [`LARGE`] half sent.
fn in_a_full_sync(mirror: bool, params: &str, fill: impl FnOnce(&Path)) -> (Mirror, Held) {
    let mut plan = slow();
    plan.conf.params.push_str(params);
    plan.await_full_sync = false;
    fill(&plan.root);
    if !mirror {
        plan.args.clear();
    }
    write_large(&plan.root.join(LARGE), 1);
    let started = plan.start();
    if !mirror {
        full_sync(&started);
    }
    let held = Held::catch(&started, LARGE);
    (started, held)
}

fn full_sync(mirror: &Mirror) {
    kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGUSR1).unwrap();
}

/// It arrives while the full sync is on its way.
fn arrives(mirror: &Mirror, name: &str, content: &str) {
    fs::write(mirror.root.join(name), content).unwrap();
    let there = mirror.remotes[0].join(name);
    eventually(&format!("{name} has arrived"), || {
        fs::read(&there).is_ok_and(|it| it == content.as_bytes())
    });
    assert!(!mirror.log().contains(": full sync, "), "it was to be on its way all the time");
}

#[test]
fn changes_arrive_beside_a_full_sync() {
    for mirror in [true, false] {
        let (mirror, held) = in_a_full_sync(mirror, "", |_| ());
        for number in 0..5 {
            arrives(&mirror, &format!("small{number}"), "content");
        }
        fs::remove_file(mirror.root.join("small0")).unwrap();
        eventually("it is deleted", || !mirror.remotes[0].join("small0").exists());
        drop(held);
        mirror.equal();
    }
}

/// The full sync has opened the old file, and puts that in the place of the new one.
#[test]
fn what_a_full_sync_reverts_is_sent_again() {
    for mirror in [true, false] {
        let (mirror, held) = in_a_full_sync(mirror, "", |_| ());
        let other = mirror.dir().join("other");
        fs::write(&other, "new content").unwrap();
        fs::rename(&other, mirror.root.join(LARGE)).unwrap();
        let there = mirror.remotes[0].join(LARGE);
        eventually("the new file arrives", || {
            fs::read(&there).is_ok_and(|it| it == b"new content")
        });
        drop(held);
        eventually("the full sync has ended", || mirror.log().contains(": full sync, "));
        mirror.equal();
    }
}

/// It makes it again over there.
#[test]
fn what_is_deleted_while_a_full_sync_sends_it_is_deleted_in_the_end() {
    for mirror in [true, false] {
        let (mirror, held) = in_a_full_sync(mirror, "", |root| {
            fs::create_dir(root.join("dir")).unwrap();
        });
        fs::remove_file(mirror.root.join(LARGE)).unwrap();
        fs::remove_dir(mirror.root.join("dir")).unwrap();
        // It leaves with the deletions, or after them.
        arrives(&mirror, "later", "content");
        drop(held);
        eventually("the full sync has ended", || mirror.log().contains(": full sync, "));
        mirror.equal();
    }
}

/// With `--delete-after` its list is whole before it sends anything, and it deletes by that at the end.
#[test]
fn what_a_mirrors_full_sync_deletes_because_it_is_newer_is_sent_again() {
    let (mirror, held) = in_a_full_sync(true, " --delete-after", |root| {
        fs::create_dir(root.join("dir")).unwrap();
    });
    arrives(&mirror, "new", "content");
    arrives(&mirror, "dir/new", "content");
    drop(held);
    eventually("the full sync has ended", || mirror.log().contains(": full sync, "));
    mirror.equal();
}

#[test]
fn a_crash_beside_a_full_sync_loses_nothing_of_what_was_sent_or_deleted() {
    for mirror in [true, false] {
        let (mut mirror, held) = in_a_full_sync(mirror, "", |root| {
            fs::write(root.join("gone"), "content").unwrap();
        });
        eventually("it is there", || mirror.remotes[0].join("gone").exists());
        arrives(&mirror, "small", "content");
        fs::remove_file(mirror.root.join("gone")).unwrap();
        eventually("it is deleted", || !mirror.remotes[0].join("gone").exists());
        let state = || fs::read_to_string(mirror.state_file()).unwrap_or_default();
        eventually("its deletion is not yet certain", || state().contains("gone"));
        mirror.kill_program();
        drop(held);
        // As the full sync could have done.
        fs::write(mirror.remotes[0].join("gone"), "content").unwrap();
        fs::write(mirror.remotes[0].join("small"), "old").unwrap();
        mirror.start_again(&[]);
        mirror.equal();
    }
}

#[test]
fn a_module_with_one_connection_gets_changes_after_the_full_sync_and_that_is_said_once() {
    let mut plan = slow();
    plan.await_full_sync = false;
    plan.daemon.every_module("max connections = 1");
    write_large(&plan.root.join(LARGE), 1);
    let mirror = plan.start();
    let held = Held::catch(&mirror, LARGE);
    let words = "takes no connection beside the one of a full sync";
    fs::write(mirror.root.join("first"), "content").unwrap();
    eventually("it is said", || mirror.log().contains(words));
    fs::write(mirror.root.join("second"), "content").unwrap();
    drop(held);
    mirror.equal();
    assert_eq!(mirror.log().matches(words).count(), 1, "{}", mirror.log());
    assert!(!mirror.log().contains("everything is kept"), "{}", mirror.log());
}

#[test]
fn one_process_is_enough_for_both() {
    let mut plan = Plan::new();
    plan.args.extend(["-n".into(), "1".into()]);
    let mirror = plan.start();
    full_sync(&mirror);
    fs::write(mirror.root.join("small"), "content").unwrap();
    mirror.equal();
}

/// It names the directory that it cannot make, and not what is in there; and the deletion that it cannot do.
#[test]
fn a_full_sync_into_what_cannot_be_written_is_owed_until_it_has_arrived() {
    for mirror in [true, false] {
        let mut plan = Plan::new();
        plan.daemon.every_module("uid = nobody");
        plan.daemon.every_module("gid = nogroup");
        plan.await_full_sync = false;
        fs::create_dir_all(plan.root.join("new/below")).unwrap();
        fs::write(plan.root.join("new/below/file"), "content").unwrap();
        let far = plan.remotes[0].clone();
        fs::write(far.join("extra"), "only there").unwrap();
        fs::set_permissions(&far, fs::Permissions::from_mode(0o555)).unwrap();
        if !mirror {
            plan.args.clear();
        }
        let started = plan.start();
        if !mirror {
            full_sync(&started);
        }
        // More often than anything else is tried before it is left to time.
        eventually("it is tried many times", || {
            kill(Pid::from_raw(started.pid() as i32), Signal::SIGUSR2).unwrap();
            started.daemon.connections() > 10
        });
        assert!(!far.join("new").exists());
        fs::set_permissions(&far, fs::Permissions::from_mode(0o777)).unwrap();
        eventually("everything is there", || {
            kill(Pid::from_raw(started.pid() as i32), Signal::SIGUSR2).unwrap();
            far.join("new/below/file").exists() && far.join("extra").exists() != mirror
        });
        nothing_is_owed(&started);
    }
}
