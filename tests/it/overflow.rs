//! The kernel's queue of events overflows for real: nothing is lost, and it is said once.

use crate::harness::{eventually, Plan, DEADLINE};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;

/// How many events an inotify instance holds that is made now.
const LIMIT: &str = "/proc/sys/fs/inotify/max_queued_events";
/// A queue that is longer than the program asks for would take too long to fill.
const LIMIT_MAX: usize = 2_000_000;
const DIRECTORIES: usize = 40;
const FILES: usize = 50;

#[test]
fn an_overflow_of_the_kernels_queue_loses_nothing_and_is_said_once() {
    let plan = Plan::new();
    let directory = |number: usize| format!("dir{number:02}");
    for number in 0..DIRECTORIES {
        let path = plan.root.join(directory(number));
        fs::create_dir(&path).unwrap();
        for file in 0..FILES {
            fs::write(path.join(format!("file{file}")), "first").unwrap();
        }
    }
    let mirror = plan.start();
    mirror.equal();
    let root = &mirror.root;
    let limit: usize = fs::read_to_string(LIMIT).unwrap().trim().parse().unwrap();
    assert!(limit <= LIMIT_MAX, "{LIMIT} is {limit}: this test fills it, and would not end");
    let program = Pid::from_raw(mirror.pid() as i32);
    kill(program, Signal::SIGSTOP).unwrap();
    // Two events each, of which no two neighbours are equal: the kernel keeps every one.
    let (one, other) = (root.join("dir00/file0"), root.join("dir00/moving"));
    for _ in 0..=limit / 4 {
        fs::rename(&one, &other).unwrap();
        fs::rename(&other, &one).unwrap();
    }
    // From here on nothing is told.
    for number in 0..DIRECTORIES / 4 {
        fs::remove_dir_all(root.join(directory(number))).unwrap();
    }
    for number in DIRECTORIES / 4..DIRECTORIES / 2 {
        fs::rename(root.join(directory(number)), root.join(format!("renamed{number}"))).unwrap();
        fs::write(root.join(format!("renamed{number}/file1")), "second").unwrap();
    }
    for number in DIRECTORIES / 2..DIRECTORIES {
        let path = root.join(directory(number));
        for file in (0..FILES).step_by(3) {
            fs::remove_file(path.join(format!("file{file}"))).unwrap();
            fs::write(path.join(format!("new{file}")), "new").unwrap();
        }
        fs::create_dir_all(path.join("deep/deeper")).unwrap();
        fs::write(path.join("deep/deeper/file"), "new").unwrap();
    }
    kill(program, Signal::SIGCONT).unwrap();
    mirror.equal_within(2 * DEADLINE, "after the overflow");
    // What was made meanwhile is watched.
    fs::write(root.join("dir39/deep/deeper/later"), "later").unwrap();
    fs::write(root.join("renamed15/later"), "later").unwrap();
    mirror.equal_within(DEADLINE, "and of what was made meanwhile nothing is missed");
    eventually("it is said", || mirror.log().contains("events were lost"));
    let log = mirror.log();
    let told = log.lines().filter(|line| line.contains("events were lost")).count();
    assert_eq!(told, 1, "{log}");
}
