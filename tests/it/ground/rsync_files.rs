//! A file that rsync itself writes lies inside the root: the parameters name it.

use super::{in_mode, lines_with, MIRROR, PUSH};
use crate::harness::{rest_for, run_without_trace, Plan};
use std::fs;
use std::time::Duration;

/// So long nothing may happen when all is equal.
const IDLE: Duration = Duration::from_secs(3);

/// Options that have rsync write a file of this name, relative to the root or not.
const OPTIONS: [&str; 5] = [
    "--log-file=rsync.log",
    "--log-file rsync.log",
    "--log-file=ROOT/rsync.log",
    "--log-file=./dir/rsync.log",
    // Beside it, rsync writes a script.
    "--write-batch=rsync.log",
];

#[test]
fn a_file_that_rsync_writes_into_the_root_is_left_out_with_one_warning() {
    for (mode, option) in OPTIONS.iter().flat_map(|option| [(MIRROR, option), (PUSH, option)]) {
        let mut plan = Plan::new();
        in_mode(&mut plan, mode);
        fs::create_dir(plan.root.join("dir")).unwrap();
        let option = option.replace("ROOT", plan.root.to_str().unwrap());
        plan.conf.params = format!("-artz {option}");
        let mirror = plan.start();
        fs::write(mirror.root.join("file"), "content").unwrap();
        mirror.fence();
        rest_for(&[mirror.pid()], IDLE);
        for name in ["rsync.log", "dir/rsync.log", "rsync.log.sh"] {
            assert!(!mirror.remotes[0].join(name).exists(), "{option}: {name} was sent");
        }
        let told = lines_with(&mirror, "rsync.log");
        assert!(told.len() == 1 && told[0].starts_with("WARN"), "{option}: {told:?}");
    }
}

#[test]
fn the_check_warns_of_a_file_that_rsync_writes_into_the_root() {
    for option in OPTIONS {
        let mut plan = Plan::new();
        let option = option.replace("ROOT", plan.root.to_str().unwrap());
        plan.conf.params = format!("-artz {option}");
        plan.daemon.start();
        let said = run_without_trace(&plan, &["--check"]).stdout;
        let warns = |line: &str| line.starts_with("warning: ") && line.contains("rsync.log");
        assert_eq!(said.lines().filter(|line| warns(line)).count(), 1, "{option}: {said}");
    }
    let mut plan = Plan::new();
    plan.conf.params = format!("-artz --log-file={}/rsync.log", plan.directory("log").display());
    plan.daemon.start();
    assert!(!run_without_trace(&plan, &["--check"]).stdout.contains("rsync.log"));
}
