//! What a start without `-r` makes of what the last run left.

use crate::harness::{eventually, Gate, Mirror, Plan, Rsync, Tree};
use std::fs;
use std::path::Path;

/// A schedule that never comes makes a mirror: deletions that nobody saw are passed on.
const MIRROR: &str = "<crontab start=\"true\" schedule=\"8000h\"/>";

/// Waits until the state says that everything up to some time after this call has arrived.
fn await_complete(mirror: &Mirror) {
    let complete = || -> u64 {
        let text = fs::read_to_string(mirror.state_file()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("complete "));
        line.map_or(0, |ns| ns.parse().unwrap())
    };
    let before = complete();
    mirror.fence();
    eventually("the state is saved", || complete() > before);
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn fill(root: &Path) {
    for path in ["changed", "kept/file", "deleted", "dir/deleted/below", "moved/deep/file", "mode"]
    {
        write(&root.join(path), path);
    }
}

/// What happens while nobody watches.
fn change(root: &Path) {
    fs::write(root.join("changed"), "CHANGED").unwrap();
    fs::rename(root.join("moved"), root.join("dir/arrived")).unwrap();
    write(&root.join("new/deep/file"), "new");
    fs::hard_link(root.join("kept/file"), root.join("link")).unwrap();
    std::os::unix::fs::symlink("kept", root.join("symlink")).unwrap();
}

fn delete(root: &Path) {
    fs::remove_file(root.join("deleted")).unwrap();
    fs::remove_dir_all(root.join("dir/deleted")).unwrap();
}

#[test]
fn a_mirror_gets_what_changed_and_loses_what_disappeared_while_nobody_watched() {
    let mut plan = Plan::new();
    plan.conf.crontab = MIRROR.into();
    fill(&plan.root);
    let mut mirror = plan.start();
    await_complete(&mirror);
    mirror.halt_program();
    change(&mirror.root);
    delete(&mirror.root);
    mirror.start_again(&[]);
    mirror.equal();
    assert!(!mirror.log().contains(": full sync,"), "{}", mirror.log());
}

#[test]
fn without_a_mirror_only_deletions_that_nobody_saw_are_missing() {
    let plan = Plan::new();
    fill(&plan.root);
    write(&plan.root.join("seen"), "seen to disappear");
    let mut mirror = plan.start();
    write(&mirror.remotes[0].join("dir/other"), "of another source");
    await_complete(&mirror);
    // Seen, and not passed on before the end.
    mirror.daemon.stop();
    fs::remove_file(mirror.root.join("seen")).unwrap();
    let state = mirror.state_file();
    eventually("the deletion is in the state", || {
        fs::read_to_string(&state).unwrap().contains("gone entry seen\n")
    });
    mirror.kill_program();
    mirror.daemon.start();
    // The fail log would know it as well.
    fs::remove_file(mirror.dir().join("rsync_fail_log.sh")).unwrap();
    change(&mirror.root);
    delete(&mirror.root);
    mirror.start_again(&[]);
    mirror.fence();
    let log = mirror.log();
    assert!(
        log.contains("what was deleted while the program was not running is not known"),
        "{log}"
    );
    let remote = &mirror.remotes[0];
    eventually("the deletion that was seen arrives", || !remote.join("seen").exists());
    // Old names of what was moved are deletions, too.
    for stale in ["deleted", "dir/deleted/below", "dir/other", "moved/deep/file"] {
        assert!(remote.join(stale).exists(), "{stale}");
    }
    for stale in ["deleted", "dir/deleted", "dir/other", "moved"] {
        let path = remote.join(stale);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    // Those deletions gave the directories other times.
    for touched in ["changed", "dir/kept"] {
        write(&mirror.root.join(touched), "once more");
    }
    mirror.equal();
}

#[test]
fn a_full_sync_that_was_killed_is_made_up_for() {
    let mut plan = Plan::new();
    plan.conf.crontab = MIRROR.into();
    plan.await_full_sync = false;
    fill(&plan.root);
    write(&plan.remotes[0].join("dir/only/there"), "");
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    gate.hold();
    let mut mirror = plan.start();
    gate.await_run();
    eventually("the state is there", || {
        fs::read_to_string(mirror.state_file()).is_ok_and(|text| text.contains("full-sync\n"))
    });
    mirror.kill_program();
    delete(&mirror.root);
    mirror.start_again(&[]);
    // The run that was held back at its start is no more.
    eventually("the run of the killed instance is ended", || {
        mirror.log().contains("left by an instance before this one")
    });
    gate.release();
    mirror.equal();
}

#[test]
fn nothing_is_pushed_at_the_first_start_without_r() {
    let mut plan = Plan::new();
    plan.args.clear();
    fill(&plan.root);
    let mirror = plan.start();
    write(&mirror.root.join("first"), "");
    mirror.fence();
    let there = Tree::read_still(&mirror.remotes[0]);
    assert!(mirror.remotes[0].join("first").exists());
    assert!(!mirror.remotes[0].join("kept").exists(), "{there:?}");
}

#[test]
fn a_state_that_cannot_be_read_costs_a_full_sync_and_nothing_else() {
    let mut plan = Plan::new();
    plan.conf.crontab = MIRROR.into();
    fill(&plan.root);
    let mut mirror = plan.start();
    await_complete(&mirror);
    mirror.halt_program();
    fs::write(mirror.state_file(), "sersync state 1\nremote /a b\n").unwrap();
    change(&mirror.root);
    delete(&mirror.root);
    mirror.start_again(&[]);
    mirror.equal();
    let log = mirror.log();
    assert!(log.contains("its check sum is wrong") && log.contains("gets a full sync"), "{log}");
}

#[test]
fn another_disk_at_the_root_s_place_is_synced_in_full() {
    let mut plan = Plan::new();
    plan.conf.crontab = MIRROR.into();
    fill(&plan.root);
    let mut mirror = plan.start();
    await_complete(&mirror);
    mirror.halt_program();
    // Its files are older than the last run.
    let other = mirror.dir().join("other");
    fs::rename(&mirror.root, mirror.dir().join("away")).unwrap();
    write(&other.join("changed"), "another");
    fs::rename(&other, &mirror.root).unwrap();
    mirror.start_again(&[]);
    mirror.equal();
    assert!(mirror.log().contains("another directory than in the last run"), "{}", mirror.log());
}
