//! Far sides that do not take a standby, or not any more.

use super::{
    change, gone, no_failure, one_stands_by, rsyncs, send, stand_by, tries_before_it_is_known,
};
use crate::harness::{eventually, until, Child, Gate, Mirror, Plan, Rsync, Version, DEADLINE};
use nix::sys::signal::Signal;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

fn full_syncs(mirror: &Mirror) -> usize {
    mirror.log().lines().filter(|line| line.contains(": full sync, ")).count()
}

/// Takes one connection of the module, until it is dropped. The daemon may still count runs that have
/// ended, and refuse.
fn take_connection(mirror: &Mirror) -> Child {
    let before = mirror.daemon.connections();
    let has_come_in = || mirror.daemon.connections() > before;
    until("somebody else has connected", DEADLINE, || {
        let mut command = Command::new("rsync");
        command.args(["-a", "--files-from=-", "."]);
        command.arg(format!("rsync://127.0.0.1:{}/module0/", mirror.daemon.port()));
        command.current_dir(&mirror.root).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut other = Child::spawn(&mut command);
        eventually("it is in or was refused", || has_come_in() || other.ended().is_some());
        has_come_in().then_some(other).ok_or_else(|| mirror.daemon.log())
    })
}

#[test]
fn a_module_without_a_connection_to_spare_gets_everything_without_one() {
    let mut plan = Plan::new();
    plan.daemon.every_module("max connections = 4");
    let mirror = plan.start();
    one_stands_by(&mirror);
    // A rehearsal of the first full sync, that, the first change, and the one that waits.
    let connections = 4 + tries_before_it_is_known();
    eventually("it has connected", || mirror.daemon.connections() == connections);
    let others = [(); 3].map(|()| take_connection(&mirror));
    let before = full_syncs(&mirror);
    fs::write(mirror.remotes[0].join("only there"), "").unwrap();
    send(mirror.pid(), Signal::SIGUSR1);
    eventually("a full sync has been", || full_syncs(&mirror) > before);
    mirror.equal();
    drop(others);
    for number in 0..5 {
        change(&mirror, &format!("file{number}"));
    }
    let log = mirror.log();
    assert_eq!(log.matches("none is kept ready any more").count(), 1, "{log}");
    assert_eq!(rsyncs(&mirror), []);
}

fn private(at: &Path, text: &str) {
    fs::write(at, text).unwrap();
    fs::set_permissions(at, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_password_that_changes_while_one_waits_holds_nothing_up() {
    let mut plan = Plan::new();
    plan.daemon.require("sync", "first");
    let file = plan.directory("etc").join("rsync.pass");
    private(&file, "first\n");
    plan.conf.auth = Some(("sync".into(), file.clone()));
    let mut mirror = plan.start();
    let waiting = one_stands_by(&mirror);
    mirror.daemon.require("sync", "second");
    private(&file, "second\n");
    for name in ["one", "two", "three"] {
        change(&mirror, name);
    }
    gone(waiting);
    no_failure(&mirror);

    // What waits has read it before.
    let waiting = stand_by(&mirror, 1, &[])[0];
    let connections = 7 + tries_before_it_is_known();
    eventually("it has logged in", || mirror.daemon.connections() == connections);
    private(&file, "wrong\n");
    change(&mirror, "by the one that waited");
    gone(waiting);
    no_failure(&mirror);
    eventually("no other one can", || rsyncs(&mirror).is_empty());
    fs::write(mirror.root.join("cold"), "").unwrap();
    eventually("and no run", || mirror.log().contains("everything is kept"));
    private(&file, "second\n");
    send(mirror.pid(), Signal::SIGUSR2);
    mirror.equal();
    stand_by(&mirror, 1, &[waiting]);
}

#[test]
fn one_of_eight_that_is_dead_has_none() {
    let mut plan = Plan::with_remotes(8);
    plan.await_full_sync = false;
    // The daemon listens on 127.0.0.1 only: every connection to this address is refused.
    plan.conf.roots[0].remotes.insert(3, ("127.0.0.2".into(), "module0".into()));
    let mirror = plan.start();
    eventually("the eight have everything", || full_syncs(&mirror) == 8);
    change(&mirror, "file");
    let mut waiting = stand_by(&mirror, 8, &[]);
    for number in 0..3 {
        change(&mirror, &format!("file{number}"));
        waiting = stand_by(&mirror, 8, &waiting);
    }
    let told = mirror.log().matches("everything is kept").count();
    assert_eq!(told, 1, "{}", mirror.log());
}

#[test]
fn those_that_are_silent_keep_it_from_nobody_else() {
    let silent = available_parallelism().unwrap().get();
    let mut plan = Plan::new();
    plan.await_full_sync = false;
    plan.args = ["-r", "-n", &(silent + 1).to_string()].map(Into::into).into();
    // A hole takes connections, since the kernel does, and nobody ever answers.
    let address = |number: usize| format!("127.0.0.{}", number + 2);
    let bind = |number| TcpListener::bind((address(number), plan.daemon.port())).unwrap();
    let _holes: Vec<_> = (0..silent).map(bind).collect();
    for number in 0..silent {
        plan.conf.roots[0].remotes.push((address(number), "module0".into()));
    }
    let mirror = plan.start();
    eventually("the one that answers has everything", || full_syncs(&mirror) == 1);
    let hanging = stand_by(&mirror, silent, &[]);
    change(&mirror, "first");
    let waiting = |all: Vec<u32>| all.into_iter().find(|pid| !hanging.contains(pid)).unwrap();
    let first = waiting(stand_by(&mirror, silent + 1, &[]));
    change(&mirror, "second");
    gone(first);
    waiting(stand_by(&mirror, silent + 1, &[first]));
}

#[test]
fn an_rsync_that_deletes_by_runs_of_their_own_has_one() {
    for args in [&["-r"][..], &[]] {
        let mut plan = Plan::new();
        plan.args = args.iter().map(Into::into).collect();
        let _gate = Gate::before(&mut plan, Rsync::Old);
        let mirror = plan.start();
        fs::write(mirror.root.join("anchor"), "sent, too").unwrap();
        fs::create_dir_all(mirror.root.join("directory/below")).unwrap();
        change(&mirror, "directory/below/file");
        let learned = "two runs from now on";
        // An old rsync on this side is known by its version, and nothing has to be learned.
        let times = usize::from(Version::combines(Version::here()));
        eventually("it is learned", || mirror.log().matches(learned).count() == times);
        let waiting = stand_by(&mirror, 1, &[])[0];
        change(&mirror, "other");
        gone(waiting);
        fs::remove_dir_all(mirror.root.join("directory")).unwrap();
        fs::remove_file(mirror.root.join("other")).unwrap();
        mirror.equal();
        change(&mirror, "last");
        assert_eq!(mirror.log().matches(learned).count(), times, "{}", mirror.log());
        no_failure(&mirror);
    }
}
