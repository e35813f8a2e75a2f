//! A module that refuses to delete: everything else arrives, and the deletions alone are owed.

use super::{at_once, each, nothing_is_owed, owed, pairs, put, signal, Mode};
use crate::harness::{eventually, Mirror, Plan};
use nix::sys::signal::Signal;
use std::fs;

const REFUSALS: [&str; 2] = ["refuse options = delete", "refuse options = delete*"];

fn refusing(line: &str, mode: Mode) -> Mirror {
    let mut plan = Plan::new();
    mode.apply(&mut plan);
    plan.daemon.every_module(line);
    for top in [&plan.root, &plan.remotes[0]] {
        put(top, &["gone", "dir/gone", "kept"]);
    }
    plan.await_full_sync = false;
    plan.start()
}

fn arrives(mirror: &Mirror, name: &str) {
    put(&mirror.root, &[name]);
    eventually(&format!("{name} arrives"), || mirror.remotes[0].join(name).exists());
}

#[test]
fn new_files_go_on_and_the_deletion_alone_is_owed() {
    each(pairs(&REFUSALS, &Mode::ALL), |(line, mode)| {
        let mirror = refusing(line, mode);
        arrives(&mirror, "before");
        fs::remove_file(mirror.root.join("gone")).unwrap();
        for number in 0..3 {
            arrives(&mirror, &format!("after{number}"));
        }
        at_once(&mirror, |root| {
            fs::remove_dir_all(root.join("dir")).unwrap();
            put(root, &["beside/it"]);
        });
        eventually("what is beside it arrives", || mirror.remotes[0].join("beside/it").exists());
        eventually("the deletions are owed", || {
            owed(&mirror).contains("/gone") && owed(&mirror).contains("/dir")
        });
        eventually("nothing else is owed", || {
            let owed = owed(&mirror);
            !owed.contains("after") && !owed.contains("beside") && !owed.contains("before")
        });
        assert!(mirror.remotes[0].join("gone").exists());
    });
}

#[test]
fn one_line_says_what_refuses_it() {
    each(REFUSALS, |line| {
        let mirror = refusing(line, Mode::Push);
        for name in ["gone", "kept"] {
            fs::remove_file(mirror.root.join(name)).unwrap();
            arrives(&mirror, &format!("behind-{name}"));
        }
        eventually("it is said", || mirror.log().contains("refuse"));
        arrives(&mirror, "later");
        let log = mirror.log();
        let told: Vec<&str> = log.lines().filter(|line| line.contains("refuse")).collect();
        assert!(told.len() == 1 && told[0].contains("delete"), "{line}: {told:?}");
    });
}

#[test]
fn a_module_that_deletes_again_gets_what_is_owed() {
    let mut mirror = refusing(REFUSALS[1], Mode::Push);
    fs::remove_file(mirror.root.join("gone")).unwrap();
    arrives(&mirror, "after");
    eventually("the deletion is owed", || owed(&mirror).contains("/gone"));
    mirror.daemon.stop();
    mirror.daemon.every_module("refuse options =");
    mirror.daemon.start();
    // Whatever waits is tried now.
    signal(&mirror, Signal::SIGUSR2);
    eventually("it goes", || !mirror.remotes[0].join("gone").exists());
    nothing_is_owed(&mirror);
}

/// What Debian 12's rsync says of its own accord, today's says where the module refuses the option.
#[test]
fn what_does_not_take_deletions_in_the_run_that_sends_is_learned_at_the_first_one() {
    let mirror = refusing("refuse options = delete-missing-args", Mode::Push);
    for name in ["gone", "kept", "dir/gone"] {
        // Others that get through between them change nothing.
        arrives(&mirror, &format!("before-{}", name.replace('/', "-")));
        fs::remove_file(mirror.root.join(name)).unwrap();
        eventually(&format!("{name} goes"), || !mirror.remotes[0].join(name).exists());
    }
    nothing_is_owed(&mirror);
    assert_eq!(mirror.daemon.log().matches("invalid file mode").count(), 1);
}

#[test]
fn a_module_that_refuses_to_force_gets_the_rest() {
    let mirror = refusing("refuse options = force", Mode::Mirror);
    fs::remove_dir_all(mirror.root.join("dir")).unwrap();
    arrives(&mirror, "after");
    eventually("the deletion is owed", || owed(&mirror).contains("/dir"));
    arrives(&mirror, "later");
}
