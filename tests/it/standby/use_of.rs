//! What a standby carries, and that the result is what it would be without one.

use super::{
    change, gone, no_failure, one_stands_by, over_ssh, rsyncs, stand_by, tries_before_it_is_known,
};
use crate::harness::{eventually, Mirror, Plan, Tree};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

const OFF: &str = r#"<standby start="false"/>"#;

/// Changes arrive, and each time it is the one that waited that ends.
fn carries(mirror: &Mirror) {
    let mut waiting = one_stands_by(mirror);
    for number in 0..5 {
        change(mirror, &format!("file{number}"));
        gone(waiting);
        waiting = stand_by(mirror, 1, &[waiting])[0];
    }
    no_failure(mirror);
}

#[test]
fn the_one_that_waits_carries_the_next_change() {
    let mirror = Plan::new().start();
    one_stands_by(&mirror);
    // A rehearsal of the first full sync, that, the first change, and the one that waits.
    let first = 4 + tries_before_it_is_known();
    eventually("it has connected", || mirror.daemon.connections() == first);
    for number in 1..7 {
        change(&mirror, &format!("file{number}"));
        eventually("another one has connected", || mirror.daemon.connections() == first + number);
    }
    carries(&mirror);
}

#[test]
fn a_local_directory_has_one() {
    carries(&Plan::local().start());
}

#[test]
fn over_ssh_it_uses_the_shared_connection() {
    let (plan, sshd) = over_ssh("");
    let mirror = plan.start();
    carries(&mirror);
    assert_eq!(sshd.logins(), 1, "{}", mirror.log());
}

#[test]
fn over_ssh_it_may_have_a_connection_of_its_own() {
    let (plan, sshd) = over_ssh(" -o ControlPath=none");
    let mirror = plan.start();
    let waiting = one_stands_by(&mirror);
    // A rehearsal of the first full sync, that, the first change, and the one that waits.
    let first = 4 + tries_before_it_is_known();
    eventually("it has logged in", || sshd.logins() == first);
    change(&mirror, "second");
    gone(waiting);
    eventually("another one has logged in", || sshd.logins() == first + 1);
    carries(&mirror);
}

#[test]
fn without_it_nothing_waits() {
    let mut plan = Plan::new();
    plan.conf.standby = OFF.into();
    let mirror = plan.start();
    change(&mirror, "file");
    assert_eq!(rsyncs(&mirror), []);
    change(&mirror, "other");
    assert_eq!(mirror.daemon.connections(), 4);
}

#[test]
fn changes_that_follow_each_other_at_once_start_one_process_for_each_batch() {
    let mirror = Plan::new().start();
    for number in 0..500 {
        fs::write(mirror.root.join(format!("file{number}")), "content").unwrap();
        // Longer than the quiet period, and shorter than a run.
        sleep(Duration::from_millis(3));
    }
    mirror.fence();
    mirror.equal();
    assert!(mirror.batches() > 20, "{}", mirror.log());
    // A rehearsal of the first full sync, that, one for each batch, and the one that waits.
    eventually("the last one has connected, and no other", || {
        mirror.daemon.connections() == mirror.batches() + 3 + tries_before_it_is_known()
    });
}

/// What may be under a name here, and over there as well.
fn make(at: &Path) {
    fs::create_dir_all(at.join("full/below")).unwrap();
    fs::create_dir_all(at.join("empty")).unwrap();
    fs::create_dir_all(at.join("parent/full")).unwrap();
    fs::create_dir_all(at.join("becomes a file/below")).unwrap();
    for file in [
        "file",
        "full/below/file",
        "parent/file",
        "parent/full/file",
        "becomes a file/file",
        "becomes a directory",
        "renamed",
    ] {
        fs::write(at.join(file), "content").unwrap();
    }
}

type Step = fn(&Path);

/// One change of each kind.
const STEPS: [(&str, Step); 9] = [
    ("a file goes", |root| fs::remove_file(root.join("file")).unwrap()),
    ("an empty directory goes", |root| fs::remove_dir(root.join("empty")).unwrap()),
    ("a full directory goes", |root| fs::remove_dir_all(root.join("full")).unwrap()),
    ("one in another", |root| fs::remove_dir_all(root.join("parent/full")).unwrap()),
    ("a file in another", |root| fs::remove_file(root.join("parent/file")).unwrap()),
    ("a file replaces a directory", |root| {
        fs::remove_dir_all(root.join("becomes a file")).unwrap();
        fs::write(root.join("becomes a file"), "content").unwrap();
    }),
    ("a directory replaces a file", |root| {
        fs::remove_file(root.join("becomes a directory")).unwrap();
        fs::create_dir(root.join("becomes a directory")).unwrap();
        fs::write(root.join("becomes a directory/file"), "content").unwrap();
    }),
    ("a rename", |root| fs::rename(root.join("renamed"), root.join("other")).unwrap()),
    // Over there, another source has a directory with something in it.
    ("a file where theirs is", |root| fs::write(root.join("theirs"), "ours").unwrap()),
];

/// The remote after all steps, each of which finds a standby if there are any.
fn after_the_steps(args: &[&str], standby: &str) -> Vec<String> {
    let mut plan = Plan::new();
    plan.args = args.iter().map(Into::into).collect();
    plan.conf.standby = standby.into();
    for side in [&plan.root, &plan.remotes[0]] {
        make(side);
    }
    fs::write(plan.remotes[0].join("anchor"), "here from the start\n").unwrap();
    let mirror = plan.start();
    mirror.fence();
    for (number, (what, step)) in STEPS.iter().enumerate() {
        if number + 1 == STEPS.len() {
            // Late, so that no full sync has seen it.
            let theirs = mirror.remotes[0].join("theirs");
            fs::create_dir(&theirs).unwrap();
            fs::write(theirs.join("file"), "theirs").unwrap();
        }
        if standby != OFF {
            eventually(&format!("one waits: {what}"), || rsyncs(&mirror).len() == 1);
        }
        step(&mirror.root);
        mirror.fence();
    }
    let there = Tree::read_still(&mirror.remotes[0]);
    there.paths().into_iter().filter(|path| !path.starts_with("fence-")).collect()
}

#[test]
fn deletions_leave_what_they_leave_without_it() {
    for args in [&["-r"][..], &[]] {
        let (with, without) = (after_the_steps(args, ""), after_the_steps(args, OFF));
        let there = |path: &str| with.iter().any(|other| other == path);
        assert!(there("other") && there("becomes a directory/file"), "{with:?}");
        for name in ["file", "empty", "full", "parent/full", "becomes a file/file", "renamed"] {
            assert!(!there(name), "{args:?}: {name} is still there");
        }
        assert!(there("theirs/file"), "{args:?}: nobody saw it go");
        assert_eq!(with, without, "{args:?}: with it, and without it");
    }
}

#[test]
fn a_fifo_in_the_list_arrives_like_any_other() {
    let mirror = Plan::new().start();
    let waiting = one_stands_by(&mirror);
    mkfifo(&mirror.root.join("fifo"), Mode::from_bits_truncate(0o644)).unwrap();
    change(&mirror, "beside it");
    gone(waiting);
    stand_by(&mirror, 1, &[waiting]);
    no_failure(&mirror);
}

#[test]
fn what_cannot_be_read_is_told_and_holds_nothing_else_up() {
    const NOBODY: u32 = 65_534;
    let mut plan = Plan::local();
    plan.run_as(NOBODY);
    plan.conf.params = "-rltz".into();
    std::os::unix::fs::chown(&plan.remotes[0], Some(NOBODY), Some(NOBODY)).unwrap();
    let mirror = plan.start();
    let there = |name: &str| mirror.remotes[0].join(name).exists();
    fs::write(mirror.root.join("first"), "content").unwrap();
    eventually("it has arrived", || there("first"));
    let waiting = stand_by(&mirror, 1, &[])[0];
    let secret = mirror.root.join("secret");
    fs::write(mirror.dir().join("secret"), "content").unwrap();
    fs::set_permissions(mirror.dir().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(mirror.dir().join("secret"), &secret).unwrap();
    fs::write(mirror.root.join("beside it"), "content").unwrap();
    eventually("the other one has arrived", || there("beside it"));
    eventually("it is told", || mirror.log().contains("not everything got through: secret"));
    gone(waiting);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    eventually("then it arrives", || there("secret"));
    stand_by(&mirror, 1, &[waiting]);
}
