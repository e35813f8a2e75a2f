//! A disk that takes its time, or does not answer at all: what has nothing to do with it does not wait for it.

use crate::harness::{eventually, Call, Faults, Mirror, Plan};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;

/// A mirror with a remote that is down and one that is a directory here, which comes second. The fail log has a disk of
/// its own, which hangs.
fn with_a_fail_log_that_hangs() -> (Mirror, Faults, [PathBuf; 2]) {
    let mut plan = Plan::new();
    let (log, copy) = (plan.directory("log"), plan.directory("copy"));
    plan.conf.fail_log = log.join("rsync_fail_log.sh");
    plan.conf.roots[0].remotes.push(("local".to_string(), copy.display().to_string()));
    let faults = Faults::before(&mut plan);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.daemon.stop();
    faults.hold(Call::Sync, &log);
    fs::write(mirror.root.join("first"), "content").unwrap();
    eventually("the fail log, or the state beside it, hangs", || faults.is_waited_for());
    eventually("the remote fails", || mirror.log().contains("everything is kept"));
    (mirror, faults, [log, copy])
}

#[test]
fn a_remote_gets_its_changes_while_the_fail_logs_disk_hangs() {
    let (mut mirror, faults, [log, copy]) = with_a_fail_log_that_hangs();
    for number in 0..20 {
        let name = format!("file{number}");
        fs::write(mirror.root.join(&name), "content").unwrap();
        eventually(&format!("{name} arrives"), || copy.join(&name).exists());
    }
    let owed = || fs::read_to_string(log.join("rsync_fail_log.sh")).unwrap_or_default();
    assert!(!owed().contains("/file19"), "the disk did not hang: {}", owed());
    faults.release();
    eventually("what is owed is on the disk", || owed().contains("/file19"));
    mirror.daemon.start();
    mirror.equal();
    eventually("the fail log is empty", || owed().is_empty());
}

#[test]
fn a_program_whose_fail_log_hangs_ends_when_it_is_asked_to() {
    let (mut mirror, faults, _) = with_a_fail_log_that_hangs();
    kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGTERM).unwrap();
    eventually("it says what hangs", || mirror.log().contains("does not answer"));
    assert_eq!(mirror.ends_by_signal(), None, "it ended by itself");
    faults.release();
    mirror.start_again(&[]);
    mirror.daemon.start();
    mirror.equal();
}
