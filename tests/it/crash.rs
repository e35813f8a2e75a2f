//! What a program that stops itself leaves in its log.

use crate::harness::{eventually, Mirror, Plan};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;

/// A program that writes a log file, and has written into it.
fn logging() -> (Mirror, PathBuf) {
    let mut plan = Plan::local();
    let log = plan.directory("").join("s.log");
    plan.args.extend(["--log-file".into(), "s.log".into()]);
    plan.await_full_sync = false;
    let mirror = plan.start_without_daemon();
    eventually("the log tells of the full sync", || {
        fs::read_to_string(&log).unwrap().contains(": full sync, ")
    });
    (mirror, log)
}

#[test]
fn threads_have_names() {
    let (mirror, _) = logging();
    let tasks = fs::read_dir(format!("/proc/{}/task", mirror.pid())).unwrap();
    let names: Vec<_> =
        tasks.map(|task| fs::read_to_string(task.unwrap().path().join("comm")).unwrap()).collect();
    for name in ["sersync\n", "worker\n", "log\n"] {
        assert!(names.iter().any(|it| it == name), "{name:?} is not among {names:?}");
    }
}

/// An instruction that no processor knows, where the main thread will go on: what is left of a
/// panic in the static builds.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_fault_of_its_own_says_where() {
    use std::os::unix::fs::FileExt;

    let (mut mirror, log) = logging();
    let waits = fs::read_to_string(format!("/proc/{}/syscall", mirror.pid())).unwrap();
    let at = waits.split_whitespace().last().unwrap();
    let address = u64::from_str_radix(at.trim_start_matches("0x"), 16).unwrap();
    let memory = fs::File::options().write(true).open(format!("/proc/{}/mem", mirror.pid()));
    memory.unwrap().write_all_at(&[0x0f, 0x0b], address).unwrap();
    fs::write(mirror.root.join("wakes it"), "").unwrap();
    assert_eq!(mirror.ends_by_signal(), Some(Signal::SIGILL as i32));
    let said = fs::read_to_string(log).unwrap();
    let expected = format!("ended by a fault of its own, at 0x{address:016x}; please report");
    assert!(said.lines().last().unwrap().contains(&expected), "{expected}\n{said}");
    mirror.start_again(&[]);
    mirror.equal();
}

#[test]
fn a_signal_from_outside_is_not_taken_for_a_fault() {
    let (mut mirror, log) = logging();
    kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGTRAP).unwrap();
    assert_eq!(mirror.ends_by_signal(), Some(Signal::SIGTRAP as i32));
    let said = fs::read_to_string(log).unwrap();
    assert!(said.ends_with(": ended by a signal from another process\n"), "{said}");
    mirror.start_again(&[]);
}
