//! Large files travel by themselves: what is small never waits behind one, and whatever happens to one
//! while it is on its way is right in the end.

use crate::harness::{slow, until, write_large, Held, Mirror, Plan, DEADLINE, LARGE_BYTES, SLOW};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

fn arrives(mirror: &Mirror, name: &str) {
    fs::write(mirror.root.join(name), name).unwrap();
    until(&format!("{name} has arrived"), DEADLINE, || {
        let there = mirror.remotes[0].join(name).exists();
        there.then_some(()).ok_or_else(|| "it is not there".to_string())
    });
}

#[test]
fn small_changes_do_not_wait_for_a_large_file() {
    let mirror = slow().start();
    write_large(&mirror.root.join("large"), 1);
    let held = Held::catch(&mirror, "large");
    for number in 0..5 {
        arrives(&mirror, &format!("small{number}"));
    }
    assert!(!mirror.remotes[0].join("large").exists(), "it was to be on its way all the time");
    drop(held);
    mirror.equal();
}

#[test]
fn a_remote_with_a_large_file_does_not_hold_up_the_others() {
    let mut plan = Plan::with_remotes(2);
    plan.conf.params.push_str(SLOW);
    plan.args.extend(["-n".into(), "3".into()]);
    let mirror = plan.start();
    write_large(&mirror.root.join("large"), 2);
    // With three processes, one may carry a large file.
    let held = Held::catch(&mirror, "large");
    mirror.fence();
    drop(held);
    mirror.equal();
}

#[test]
fn one_process_is_enough() {
    let mut plan = slow();
    plan.args.extend(["-n".into(), "1".into()]);
    let mirror = plan.start();
    write_large(&mirror.root.join("large"), 3);
    fs::write(mirror.root.join("small"), "small").unwrap();
    mirror.equal();
}

#[test]
fn a_large_file_that_is_always_written_to_holds_up_no_other() {
    let mirror = Plan::new().start();
    for name in ["a", "b", "c"] {
        write_large(&mirror.root.join(name), 4);
    }
    let arrived = || ["b", "c"].iter().all(|name| mirror.remotes[0].join(name).exists());
    until("the others have arrived", DEADLINE, || {
        let file = File::options().write(true).open(mirror.root.join("a")).unwrap();
        file.write_all_at(b"once more", 0).unwrap();
        arrived().then_some(()).ok_or_else(|| "not yet".to_string())
    });
    mirror.equal();
}

#[test]
fn a_large_file_that_changes_on_its_way_is_right_in_the_end() {
    let mirror = slow().start();
    let path = mirror.root.join("large");
    write_large(&path, 5);
    let held = Held::catch(&mirror, "large");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    for offset in [0, LARGE_BYTES as u64 / 2] {
        file.write_all_at(b"changed behind and before what has been sent", offset).unwrap();
    }
    // Neither size nor time tells of it.
    file.set_modified(modified).unwrap();
    drop(file);
    drop(held);
    mirror.equal();
}

#[test]
fn a_rewrite_that_size_and_time_do_not_tell_of_arrives() {
    let mirror = Plan::new().start();
    let path = mirror.root.join("large");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for seed in [6, 7, 8] {
        write_large(&path, seed);
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        mirror.equal_within(DEADLINE, &format!("with the content of {seed}"));
    }
}

#[test]
fn what_becomes_of_a_large_file_on_its_way_is_made_good() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("deleted", |root| fs::remove_file(root.join("dir/large")).unwrap()),
        ("renamed", |root| fs::rename(root.join("dir/large"), root.join("other")).unwrap()),
        ("its directory deleted", |root| fs::remove_dir_all(root.join("dir")).unwrap()),
        ("its directory moved", |root| fs::rename(root.join("dir"), root.join("there")).unwrap()),
        ("a directory in its place", |root| {
            fs::remove_file(root.join("dir/large")).unwrap();
            fs::create_dir(root.join("dir/large")).unwrap();
            fs::write(root.join("dir/large/file"), "content").unwrap();
        }),
        ("cut off", |root| {
            File::options().write(true).open(root.join("dir/large")).unwrap().set_len(5).unwrap();
        }),
    ];
    std::thread::scope(|scope| {
        for (seed, (about, change)) in (10..).zip(changes) {
            scope.spawn(move || {
                let mirror = slow().start();
                fs::create_dir(mirror.root.join("dir")).unwrap();
                write_large(&mirror.root.join("dir/large"), seed);
                let held = Held::catch(&mirror, "dir/large");
                change(&mirror.root);
                // Its lane is taken; the rest of the change goes meanwhile.
                mirror.fence();
                drop(held);
                mirror.equal_within(DEADLINE, &format!("after it was {about}"));
            });
        }
    });
}

#[test]
fn a_large_file_survives_a_kill_on_its_way() {
    let mut mirror = slow().start();
    write_large(&mirror.root.join("large"), 20);
    let held = Held::catch(&mirror, "large");
    arrives(&mirror, "small");
    // What is small has arrived long before what is large: by its time nobody would look at that again.
    until("the state tells of it", DEADLINE, || {
        let state = fs::read(mirror.state_file()).unwrap();
        let told = state.windows(5).any(|bytes| bytes == b"large");
        told.then_some(()).ok_or_else(|| String::from_utf8_lossy(&state).into_owned())
    });
    mirror.kill_program();
    drop(held);
    mirror.start_again(&[]);
    mirror.equal();
}

#[test]
fn over_a_disk_that_is_full_it_waits_by_itself() {
    let mut plan = Plan::new();
    let copy = plan.remotes[0].clone();
    plan.mount(&copy, 16 * 1024);
    let mirror = plan.start();
    write_large(&mirror.root.join("large"), 21);
    until("it has been tried", DEADLINE, || {
        let log = mirror.log();
        log.contains("large").then_some(()).ok_or(log)
    });
    arrives(&mirror, "small");
    mirror.disks[0].resize(256 * 1024);
    mirror.equal_within(DEADLINE * 4, "once there is room");
}
