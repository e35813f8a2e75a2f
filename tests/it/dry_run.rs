//! `--dry-run`: what it shows, what it leaves as it was, and what it ends with.

use crate::harness::{run_without_trace, Plan, Sshd};
use std::fs;
use std::path::Path;

/// The exit code and what was printed, with these arguments.
fn shown(plan: &Plan, args: &[&str]) -> (Option<i32>, String) {
    let ended = run_without_trace(plan, args);
    (ended.code, ended.stdout + &ended.stderr)
}

/// A new file, one with other content, one that only the far side has, one that is equal.
fn fill(root: &Path, remote: &Path) {
    for (side, file, content) in [
        (root, "new", "new"),
        (root, "changed", "longer than before"),
        (remote, "changed", "short"),
        (remote, "old", "to be deleted"),
        (remote, "skipped.log", "what is left out is not deleted"),
        (root, "skipped.log", "left out"),
    ] {
        fs::write(side.join(file), content).unwrap();
    }
    fs::create_dir(remote.join("old dir")).unwrap();
    fs::write(remote.join("old dir/file"), "to be deleted").unwrap();
}

fn filled() -> Plan {
    let mut plan = Plan::new();
    plan.conf.excludes = vec![r"(.*)\.log".to_string()];
    fill(&plan.root, &plan.remotes[0]);
    plan.daemon.start();
    plan
}

fn lines<'a>(text: &'a str, ending: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.ends_with(ending)).collect()
}

#[test]
fn what_a_full_sync_would_change_is_shown_and_not_done() {
    let mut plan = filled();
    // Options with which the user has runs say more are no hindrance.
    plan.conf.params = "-avvtzi --stats".to_string();
    let (code, text) = shown(&plan, &["--dry-run"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(lines(&text, " new"), ["<f+++++++++ new"], "{text}");
    assert!(text.contains("\n<f.s"), "the update is not shown: {text}");
    assert_eq!(lines(&text, " old"), ["*deleting   old"], "{text}");
    assert!(!text.contains("skipped.log"), "{text}");
    let command = text.lines().find(|line| line.starts_with("cd ")).unwrap();
    assert!(command.contains(" -avvtzi --stats -R --delete "), "{command}");
    assert!(command.ends_with("127.0.0.1::module0 >/dev/null 2>&1"), "{command}");
    let told: Vec<&str> = text.lines().collect();
    let end = told.iter().position(|line| line.starts_with("127.0.0.1::module0: ")).unwrap();
    assert!(told[end].starts_with("127.0.0.1::module0: 3 files to send, 3 to delete, "), "{text}");
    assert!(told[end - 3..end].iter().all(|line| line.starts_with("*deleting ")), "{text}");
    assert!(text.contains("\n1 remote asked: 3 files to send, 3 to delete, "), "{text}");
    assert!(!text.contains("total size"), "{text}");
}

#[test]
fn expressions_that_rsync_has_no_pattern_for_are_left_out_as_well() {
    let mut plan = filled();
    plan.conf.excludes = vec![r"(?i)SKIPPED\.log".to_string()];
    let (code, text) = shown(&plan, &["--dry-run"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("rsync \"--filter=. -\" -artz"),
        "the expression has a pattern now: {text}"
    );
    assert!(!text.contains("skipped.log\n") && text.contains("*deleting   old\n"), "{text}");
}

#[test]
fn with_delete_off_nothing_would_be_deleted() {
    let mut plan = filled();
    plan.conf.event("delete", false);
    let (code, text) = shown(&plan, &["-r", "--dry-run"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("*deleting") && text.contains("<f+++++++++ new"), "{text}");
    assert!(text.contains(" 0 to delete, "), "{text}");
}

#[test]
fn a_remote_that_cannot_be_asked_hides_none_of_the_others() {
    let mut plan = Plan::with_remotes(2);
    fs::write(plan.root.join("new"), "new").unwrap();
    plan.conf.roots[0].remotes[0].1 = "missing".to_string();
    plan.daemon.start();
    let (code, text) = shown(&plan, &["--dry-run"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("Unknown module 'missing'"), "{text}");
    assert_eq!(lines(&text, " new"), ["<f+++++++++ new"], "{text}");
    assert!(text.contains("\n1 of 2 remotes asked, 1 failed: "), "{text}");
}

#[test]
fn an_empty_root_would_ask_and_not_delete() {
    let mut plan = filled();
    for name in ["anchor", "new", "changed", "skipped.log"] {
        fs::remove_file(plan.root.join(name)).unwrap();
    }
    let (code, text) = shown(&plan, &["--dry-run"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("-r would delete none of them before somebody says yes"), "{text}");
    plan.conf.safety = "<safety emptyRoot=\"sync\"/>".into();
    let (_, text) = shown(&plan, &["--dry-run"]);
    assert!(!text.contains("yes") && text.contains("*deleting"), "{text}");
}

#[test]
fn a_directory_here_and_one_over_ssh_are_shown() {
    let mut plan = Plan::local();
    let sshd = Sshd::start(&plan.directory("sshd"));
    let over_ssh = plan.directory("over ssh");
    fill(&plan.root, &plan.remotes[0]);
    plan.conf.port = Some(sshd.port());
    plan.conf.ssh = true;
    plan.conf.params = format!("-artz -e '{}'", sshd.client());
    let remote = ("127.0.0.1".to_string(), over_ssh.display().to_string());
    plan.conf.roots[0].remotes.push(remote);
    plan.remotes.push(over_ssh);
    // The client keeps the host's key in the directory of the server.
    shown(&plan, &["--dry-run"]);
    let (code, text) = shown(&plan, &["--dry-run"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(lines(&text, " new"), [">f+++++++++ new", "<f+++++++++ new"], "{text}");
    assert_eq!(lines(&text, " old"), ["*deleting   old"], "{text}");
}
