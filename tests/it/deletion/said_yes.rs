//! The yes: a command that the running program is asked with, and nothing else.

use super::*;

const OLD: usize = 151;

/// A mirror whose far side has a directory with many files that are not here, with two remotes.
fn waiting_for_a_yes() -> Mirror {
    let mut plan = Plan::with_remotes(2);
    plan.conf.status_port = 0;
    (1..OLD).for_each(|number| write(&plan.remotes[0].join(format!("old/{number}")), "old"));
    let mirror = plan.start();
    eventually("it is said", || mirror.log().contains("--confirm-deletions -o "));
    mirror
}

fn is_all_there(mirror: &Mirror) -> bool {
    present(&mirror.remotes[0], &["old/1", "old/150"]).len() == 2
}

#[test]
fn a_yes_has_them_go_and_then_nothing_waits() {
    let mirror = waiting_for_a_yes();
    assert!(is_all_there(&mirror));
    let ended = ask(&mirror, "--confirm-deletions");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(ended.stdout.contains("module0: 151 of 15"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("module1"), "{}", ended.stdout);
    mirror.equal();
    let ended = ask(&mirror, "--confirm-deletions");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("no deletion waits for a yes"), "{}", ended.stderr);
    // It was for these alone, and is not needed any more.
    write(&mirror.remotes[0].join("later"), "old");
    full_sync(&mirror);
    mirror.equal();
}

#[test]
fn a_signal_a_reload_and_another_start_are_no_yes() {
    let mut mirror = waiting_for_a_yes();
    full_sync(&mirror);
    assert_eq!(ask(&mirror, "--reload").code, Some(0));
    mirror.fence();
    full_sync(&mirror);
    for args in [&["-r"][..], &[]] {
        mirror.halt_program();
        mirror.start_again(args);
        mirror.fence();
        full_sync(&mirror);
        assert!(is_all_there(&mirror), "{args:?}");
    }
}

#[test]
fn a_yes_that_was_said_before_a_restart_counts_after_it() {
    let mut mirror = waiting_for_a_yes();
    mirror.halt_program();
    // Nobody is there to hear it.
    let ended = ask(&mirror, "--confirm-deletions");
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("no sersync that can be asked"), "{}", ended.stderr);
    mirror.start_again(&["-r"]);
    mirror.fence();
    mirror.daemon.stop();
    say_yes(&mirror);
    mirror.halt_program();
    assert!(is_all_there(&mirror));
    mirror.daemon.start();
    mirror.start_again(&["-r"]);
    mirror.equal();
}
