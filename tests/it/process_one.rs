//! As the first process of a container, the program inherits whatever loses its parent there.

use crate::harness::{binary, path, until, Child, Plan, Tree, DEADLINE};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

const FILES: usize = 8;

/// Children of a process: their numbers, and whether each has ended.
fn children(parent: u32) -> Vec<(u32, bool)> {
    let stats = fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let child = |stat: String| {
        let (name, rest) = stat.rsplit_once(") ")?;
        let mut words = rest.split(' ');
        let has_ended = words.next()? == "Z";
        let is_child = words.next()?.parse() == Ok(parent);
        Some((name.split(' ').next()?.parse().ok()?, has_ended)).filter(|_| is_child)
    };
    stats.filter_map(child).collect()
}

#[test]
fn what_it_inherits_is_let_go_and_its_own_children_are_not_mistaken_for_it() {
    let mut plan = Plan::local();
    let dir = plan.directory("plugin");
    let (script, ended) = (dir.join("script"), dir.join("ended"));
    // Each leaves something behind that has lost its parent, and fails, which is to be said.
    let text = format!(
        "#!/bin/sh\nsetsid sh -c 'sleep 0.1; echo >>\"{}\"' >/dev/null 2>&1 &\nexit 7\n",
        ended.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    plan.conf.plugin = "<plugin start=\"true\" name=\"command\"/>".to_string();
    plan.conf.blocks = format!(
        "<plugin name=\"command\"><param prefix=\"{}\" suffix=\"\" ignoreError=\"false\"/></plugin>\n",
        script.display()
    );
    let log = plan.directory("").join("log");
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(binary());
    command.arg("-o").arg(plan.write_conf()).env("PATH", path()).env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    let container = Child::spawn(&mut command);
    let read = || fs::read_to_string(&log).unwrap();
    until("it watches", DEADLINE, || read().contains(": watching ").then_some(()).ok_or_else(read));
    let first = children(container.pid()).first().expect("unshare has a child").0;
    for number in 0..FILES {
        fs::write(plan.root.join(format!("file{number}")), "content").unwrap();
    }
    until("all of them have ended and been let go", DEADLINE, || {
        let count = fs::read_to_string(&ended).unwrap_or_default().lines().count();
        let left: Vec<_> = children(first).into_iter().filter(|(_, ended)| *ended).collect();
        (count >= FILES && left.is_empty()).then_some(()).ok_or(format!("{count} {left:?}"))
    });
    fs::remove_file(plan.root.join("anchor")).unwrap();
    fs::write(plan.root.join("anchor"), "once more").unwrap();
    until("it syncs on", DEADLINE, || Tree::compare(&plan.root, &plan.remotes[0]));
    let log = read();
    assert!(log.contains("7"), "{log}");
    assert!(!log.contains("No child process") && !log.contains("os error 10"), "{log}");
}
