//! A root that takes long to read: the walk gets on whatever happens meanwhile, and what has been read is synced.

use crate::harness::{eventually, Call, Faults, Plan};
use std::fs;

/// As many events in one directory as used to be held for all that are still to be read, and more.
const EVENTS: usize = 70_000;
/// So many of them follow each other; the kernel holds more.
const EVENTS_AT_ONCE: usize = 10_000;

#[test]
fn whatever_happens_in_a_directory_that_is_read_late_the_walk_gets_on() {
    let mut plan = Plan::new();
    // What only the remote has is deleted if it was seen to go, and not otherwise.
    plan.args.clear();
    let late = plan.root.join("late");
    fs::create_dir(&late).unwrap();
    let faults = Faults::before(&mut plan);
    let mirror = plan.start();
    for name in ["goes", "moves", "stays"] {
        fs::write(late.join(name), name).unwrap();
    }
    fs::create_dir(late.join("directory")).unwrap();
    fs::write(late.join("directory/file"), "content").unwrap();
    fs::write(mirror.remotes[0].join("foreign"), "somebody else's").unwrap();
    eventually("all of it is there", || {
        ["goes", "moves", "directory/file"]
            .iter()
            .all(|name| mirror.remotes[0].join("late").join(name).exists())
    });

    // Everything is watched when the root is back, and nothing has been read.
    let away = mirror.dir().join("away");
    faults.hold(Call::List, &late);
    fs::rename(&mirror.root, &away).unwrap();
    eventually("the root halts", || mirror.log().contains("until it is back"));
    fs::rename(&away, &mirror.root).unwrap();
    eventually("it is read again", || faults.is_waited_for());
    let (one, other) = (late.join("one"), late.join("other"));
    fs::write(&one, "content").unwrap();
    for number in 0..EVENTS / EVENTS_AT_ONCE {
        for _ in 0..EVENTS_AT_ONCE / 4 {
            fs::rename(&one, &other).unwrap();
            fs::rename(&other, &one).unwrap();
        }
        // What has been read is in step meanwhile.
        mirror.fence();
        if number == 1 {
            fs::remove_file(late.join("goes")).unwrap();
            fs::rename(late.join("moves"), mirror.root.join("moved")).unwrap();
            fs::remove_dir_all(late.join("directory")).unwrap();
            fs::create_dir_all(late.join("new/deep")).unwrap();
        }
    }
    fs::write(late.join("new/deep/file"), "content").unwrap();
    assert!(!mirror.remotes[0].join("late/new").exists(), "it is to be read only now");
    faults.release();
    fs::remove_file(mirror.remotes[0].join("foreign")).unwrap();
    mirror.equal();
    fs::write(late.join("new/deep/later"), "content").unwrap();
    mirror.equal();
    let log = mirror.log();
    assert!(!log.contains("events were lost"), "{log}");
}
