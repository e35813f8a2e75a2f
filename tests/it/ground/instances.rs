//! All inotify instances that the user may have are used up.

use crate::harness::{binary, path, Plan};
use std::process::{Command, Output, Stdio};

/// The program in a user namespace that allows so many instances.
fn run(plan: &Plan, instances: usize, args: &[&str]) -> Output {
    let script = format!("echo {instances} > /proc/sys/user/max_inotify_instances && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", &script, "sh"]).arg(binary());
    command.args(args).arg("-o").arg(plan.write_conf()).env("PATH", path()).env("LC_ALL", "C");
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_start_without_an_inotify_instance_says_which_limit_to_raise() {
    let plan = Plan::new();
    let output = run(&plan, 0, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let line = said.lines().find(|line| line.contains("fs.inotify.max_user_instances"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("sysctl"), "it does not say how to raise it: {line}");
}

#[test]
fn the_check_finds_that_no_inotify_instance_is_left() {
    let mut plan = Plan::new();
    plan.daemon.start();
    let output = run(&plan, 0, &["--check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let is_it =
        |line: &str| line.starts_with("error: ") && line.contains("fs.inotify.max_user_instances");
    assert!(said.lines().any(is_it), "{said}");
    let output = run(&plan, 100, &["--check"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.lines().any(is_it), "{said}");
}
