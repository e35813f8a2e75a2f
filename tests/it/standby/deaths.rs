//! A standby that dies, while it waits or at its work, delays nothing and is no failure.

use super::{
    change, children, gone, no_failure, one_stands_by, over_ssh, send, stand_by,
    tries_before_it_is_known,
};
use crate::harness::{eventually, Plan};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::os::fd::AsFd;

/// More than a pipe holds, by far.
const FILES: usize = 1_000;

#[test]
fn one_that_is_killed_while_it_waits_is_replaced() {
    let mirror = Plan::new().start();
    let mut waiting = one_stands_by(&mirror);
    for number in 0..5 {
        send(waiting, Signal::SIGKILL);
        change(&mirror, &format!("file{number}"));
        gone(waiting);
        waiting = stand_by(&mirror, 1, &[waiting])[0];
    }
    no_failure(&mirror);
}

/// As long as nobody asks for its end it is a zombie: until the next change, or the end of its time.
#[test]
fn one_that_is_killed_while_nothing_happens_is_reaped_at_once() {
    let mut plan = Plan::new();
    plan.conf.standby = r#"<standby start="true" seconds="always"/>"#.into();
    let mirror = plan.start();
    let waiting = one_stands_by(&mirror);
    send(waiting, Signal::SIGKILL);
    gone(waiting);
    no_failure(&mirror);
}

#[test]
fn one_that_is_killed_with_half_of_its_list_is_made_up_for() {
    let mut plan = Plan::new();
    // With -r, what is new is known to be new, and goes another way.
    plan.args.clear();
    let outside = plan.directory("outside");
    for number in 0..FILES {
        fs::write(outside.join(format!("{number:0200}")), "content").unwrap();
    }
    let mirror = plan.start();
    fs::write(mirror.root.join("anchor"), "sent, too").unwrap();
    let waiting = one_stands_by(&mirror);
    send(waiting, Signal::SIGSTOP);
    let input = File::open(format!("/proc/{waiting}/fd/0")).unwrap();
    fs::rename(&outside, mirror.root.join("inside")).unwrap();
    eventually("it has got something", || has_got_something(&input));
    send(waiting, Signal::SIGKILL);
    drop(input);
    mirror.equal();
    stand_by(&mirror, 1, &[waiting]);
    no_failure(&mirror);
}

/// rsync does not look at its connection while it waits for its list: it stays, and is of no use.
#[test]
fn one_whose_far_side_the_daemons_timeout_has_ended_is_replaced() {
    let mut plan = Plan::new();
    // Of a second, a busy machine may take more for a run that does its work.
    plan.daemon.every_module("timeout = 3");
    let mirror = plan.start();
    let mut waiting = one_stands_by(&mirror);
    for number in 0..2 {
        eventually("the far side has ended", || {
            mirror.daemon.log().matches("io timeout after ").count() > number
        });
        change(&mirror, &format!("file{number}"));
        gone(waiting);
        waiting = stand_by(&mirror, 1, &[waiting])[0];
    }
    no_failure(&mirror);
}

#[test]
fn one_whose_far_side_its_own_timeout_has_ended_is_replaced() {
    let (mut plan, _sshd) = over_ssh("");
    plan.conf.timeout_s = Some(1);
    let mirror = plan.start();
    let mut waiting = one_stands_by(&mirror);
    for number in 0..2 {
        eventually("its way to the far side has ended", || {
            children(waiting).iter().all(|child| child.state == 'Z')
        });
        change(&mirror, &format!("file{number}"));
        gone(waiting);
        waiting = stand_by(&mirror, 1, &[waiting])[0];
    }
    no_failure(&mirror);
}

#[test]
fn one_whose_daemon_was_started_again_is_replaced() {
    let mut mirror = Plan::new().start();
    let waiting = one_stands_by(&mirror);
    mirror.daemon.stop();
    mirror.daemon.start();
    change(&mirror, "later");
    gone(waiting);
    stand_by(&mirror, 1, &[waiting]);
    no_failure(&mirror);
}

#[test]
fn one_whose_far_side_dies_at_its_work_is_made_up_for() {
    let mirror = Plan::new().start();
    let waiting = one_stands_by(&mirror);
    // A rehearsal of the first full sync, that, the first change, and the one that waits.
    let connections = 4 + tries_before_it_is_known();
    eventually("it has connected", || mirror.daemon.connections() == connections);
    let log = mirror.daemon.log();
    let last = log.lines().rfind(|line| line.contains(" rsync to ")).unwrap();
    let far_side = last.split(['[', ']']).nth(1).unwrap().parse().unwrap();
    send(far_side, Signal::SIGSTOP);
    let input = File::open(format!("/proc/{waiting}/fd/0")).unwrap();
    fs::write(mirror.root.join("later"), "content").unwrap();
    eventually("it has got its list", || has_got_something(&input));
    send(far_side, Signal::SIGKILL);
    mirror.equal();
    gone(waiting);
    no_failure(&mirror);
}

/// Whether something is in a process's standard input, or was and it is closed.
fn has_got_something(input: &File) -> bool {
    let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
}
