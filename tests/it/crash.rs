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

/// An instruction that no processor knows: what is left of a panic in the static builds. It is
/// written to the program's first address, where the program never comes again by itself, and the
/// main thread is sent there.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_fault_of_its_own_says_where() {
    use nix::sys::{ptrace, wait::waitpid};
    use std::os::unix::fs::FileExt;

    let (mut mirror, log) = logging();
    let address = entry(mirror.pid());
    let memory = fs::File::options().write(true).open(format!("/proc/{}/mem", mirror.pid()));
    memory.unwrap().write_all_at(&[0x0f, 0x0b], address).unwrap();
    let pid = Pid::from_raw(mirror.pid() as i32);
    ptrace::attach(pid).unwrap();
    waitpid(pid, None).unwrap();
    let mut registers = ptrace::getregs(pid).unwrap();
    registers.rip = address;
    // Otherwise the kernel begins the system call again that it waited in.
    registers.orig_rax = u64::MAX;
    ptrace::setregs(pid, registers).unwrap();
    ptrace::detach(pid, None).unwrap();
    assert_eq!(mirror.ends_by_signal(), Some(Signal::SIGILL as i32));
    let said = fs::read_to_string(log).unwrap();
    let expected = format!("ended by a fault of its own, at 0x{address:016x}; please report");
    assert!(said.lines().last().unwrap().contains(&expected), "{expected}\n{said}");
    mirror.start_again(&[]);
    mirror.equal();
}

/// The address at which a process began (AT_ENTRY of its auxiliary vector).
#[cfg(target_arch = "x86_64")]
fn entry(pid: u32) -> u64 {
    const AT_ENTRY: u64 = 9;
    let vector = fs::read(format!("/proc/{pid}/auxv")).unwrap();
    let words: Vec<_> =
        vector.chunks(8).map(|it| u64::from_ne_bytes(it.try_into().unwrap())).collect();
    words.chunks(2).find(|pair| pair[0] == AT_ENTRY).unwrap()[1]
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
