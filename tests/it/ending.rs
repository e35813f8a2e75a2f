//! `timeout 5 sersync`, `docker stop`: asked to end, the program ends in whatever state it is, with 0 and within ten
//! seconds. What runs gets seven of them.
//!
//! Elsewhere: an output that nobody reads (`logs`), a fail log on a disk that hangs (`slow_disk`).

use crate::harness::{
    eventually, program, slow, until, write_large, Call, Faults, Gate, Held, Mirror, Plan, Rsync,
    DEADLINE,
};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// After this time Docker kills a container.
const PROMISE: Duration = Duration::from_secs(10);

/// Asks the program to end, and nothing that it has started.
fn ends(mut mirror: Mirror, state: &str) {
    let asked = Instant::now();
    kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGTERM).unwrap();
    let status = until(&format!("it ends {state}"), DEADLINE, || {
        mirror.ended().ok_or_else(|| "it runs".to_string())
    });
    assert_eq!((status.code(), status.signal()), (Some(0), None), "{state}");
    let took = asked.elapsed();
    assert!(took <= PROMISE, "{state} it took {took:?}");
}

/// A plan whose program has a gate before its rsync, and starts without waiting for its full sync.
fn with_gate() -> (Plan, Gate) {
    let mut plan = Plan::new();
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    plan.await_full_sync = false;
    (plan, gate)
}

#[test]
fn while_directories_are_read() {
    let mut plan = Plan::new();
    plan.await_full_sync = false;
    let late = plan.root.join("late");
    fs::create_dir(&late).unwrap();
    let faults = Faults::before(&mut plan);
    let mirror = plan.start();
    // At the start itself the test would not know when: so the root is read for a second time.
    faults.hold(Call::List, &late);
    let away = mirror.dir().join("away");
    fs::rename(&mirror.root, &away).unwrap();
    eventually("the root halts", || mirror.log().contains("until it is back"));
    fs::rename(&away, &mirror.root).unwrap();
    eventually("it is read", || faults.is_waited_for());
    ends(mirror, "while directories are read");
    faults.release();
}

#[test]
fn while_a_full_sync_is_rehearsed() {
    let (plan, gate) = with_gate();
    gate.hold();
    // What only the remote has makes it a question what may be deleted.
    fs::write(plan.remotes[0].join("foreign"), "content").unwrap();
    let mirror = plan.start();
    gate.await_run();
    ends(mirror, "while a full sync is rehearsed");
}

#[test]
fn while_a_full_sync_runs() {
    let (mut plan, gate) = with_gate();
    plan.conf.safety = "<safety maxDelete=\"no\"/>".into();
    gate.hold();
    let mirror = plan.start();
    gate.await_run();
    ends(mirror, "while a full sync runs");
}

#[test]
fn while_a_batch_runs() {
    let (mut plan, gate) = with_gate();
    plan.await_full_sync = true;
    plan.conf.standby = "<standby start=\"false\"/>".into();
    let mirror = plan.start();
    gate.hold();
    fs::write(mirror.root.join("file"), "content").unwrap();
    gate.await_run();
    ends(mirror, "while a batch runs");
}

#[test]
fn while_a_transfer_hangs() {
    let mut plan = slow();
    plan.conf.standby = "<standby start=\"false\"/>".into();
    let mirror = plan.start();
    write_large(&mirror.root.join("large"), 1);
    // It hears no signal but the last one.
    let held = Held::catch(&mirror, "large");
    ends(mirror, "while a transfer hangs");
    drop(held);
}

#[test]
fn while_a_remote_is_away_and_has_a_pause() {
    let mut mirror = Plan::new().start();
    mirror.equal();
    mirror.daemon.stop();
    fs::write(mirror.root.join("owed"), "content").unwrap();
    eventually("it fails", || mirror.log().contains("everything is kept"));
    ends(mirror, "while a remote is away");
}

#[test]
fn while_an_rsync_waits_for_its_list() {
    let mut plan = Plan::new();
    plan.conf.standby = "<standby seconds=\"always\"/>".into();
    let mirror = plan.start();
    fs::write(mirror.root.join("first"), "content").unwrap();
    let connections = || mirror.daemon.connections();
    let before = connections();
    eventually("it waits", || mirror.remotes[0].join("first").exists() && connections() > before);
    ends(mirror, "while an rsync waits for its list");
}

#[test]
fn while_a_plugin_hangs() {
    let mut plan = Plan::new();
    let begun = plan.directory("plugin").join("begun");
    plan.conf.plugin = "<plugin start=\"true\" name=\"command\"/>".into();
    plan.conf.blocks = format!(
        "<plugin name=\"command\"><param prefix=\"echo >'{}'; exec sleep 1000 #\" suffix=\"\" \
         ignoreError=\"true\"/></plugin>\n",
        begun.display()
    );
    let mirror = plan.start();
    fs::write(mirror.root.join("file"), "content").unwrap();
    eventually("the plugin hangs", || begun.exists());
    ends(mirror, "while a plugin hangs");
}

#[test]
fn while_the_root_is_away() {
    let mirror = Plan::new().start();
    fs::rename(&mirror.root, mirror.dir().join("away")).unwrap();
    eventually("the root halts", || mirror.log().contains("until it is back"));
    ends(mirror, "while the root is away");
}

#[test]
fn while_another_instance_is_ending() {
    let (plan, gate) = with_gate();
    gate.hold();
    let mirror = plan.start();
    gate.await_run();
    kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGTERM).unwrap();
    eventually("the first is ending", || mirror.log().contains("SIGTERM: ending"));
    let said = mirror.dir().join("said");
    let mut command = program();
    command.args(["-o", "confxml.xml"]).current_dir(mirror.dir());
    let mut second = command.stdout(fs::File::create(&said).unwrap()).spawn().unwrap();
    eventually("the second starts", || said.metadata().unwrap().len() > 0);
    assert!(second.try_wait().unwrap().is_none(), "it waits for the first");
    kill(Pid::from_raw(second.id() as i32), Signal::SIGTERM).unwrap();
    eventually("the second ends", || second.try_wait().unwrap().is_some());
    ends(mirror, "and the first as well");
}
