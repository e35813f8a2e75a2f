//! The command line as people type it, and what the options change.

use crate::harness::{path, run_to_end, Mirror, Plan, DEADLINE};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Stands for the path of the configuration file in a table of arguments.
const FILE: &str = "FILE";

/// Starts the plan with `args` as they would be typed.
fn start_typed(mut plan: Plan, args: &[&str]) -> Mirror {
    let file = plan.write_conf();
    let typed = |arg: &&str| if *arg == FILE { file.clone().into_os_string() } else { arg.into() };
    plan.args = args.iter().map(typed).collect();
    plan.daemon.start();
    plan.start_as_typed()
}

#[test]
fn options_may_be_written_apart_or_in_a_cluster() {
    let cases: [&[&str]; 9] = [
        &["-r", "-o", FILE],
        &["-ro", FILE],
        &["-o", FILE, "-r"],
        &["-r", "-n", "2", "-o", FILE],
        &["-n2", "-ro", FILE],
        &["-rn", "2", "-o", FILE],
        &["-rn2", "-o", FILE],
        &["-rm", "-o", FILE],
        // The file's default is `confxml.xml` in the working directory, which is where it is.
        &["-r"],
    ];
    for args in cases {
        let plan = Plan::new();
        fs::write(plan.root.join("from the start"), "content").unwrap();
        let mirror = start_typed(plan, args);
        let there = mirror.remotes[0].join("from the start");
        assert!(there.exists(), "{args:?} did not push everything");
        fs::create_dir(mirror.root.join("new")).unwrap();
        mirror.equal_within(DEADLINE, &format!("with {args:?}"));
    }
}

#[test]
fn without_r_only_changes_are_pushed_and_only_seen_deletions_are_made() {
    let mut plan = Plan::new();
    plan.args.clear();
    fs::write(plan.root.join("deleted"), "content").unwrap();
    for name in ["theirs", "deleted"] {
        fs::write(plan.remotes[0].join(name), "on the far side").unwrap();
    }
    let mirror = plan.start();
    fs::write(mirror.root.join("new"), "content").unwrap();
    fs::remove_file(mirror.root.join("deleted")).unwrap();
    mirror.fence();
    let there = |name: &str| mirror.remotes[0].join(name).exists();
    assert!(there("new"), "a change was not pushed");
    assert!(!there("deleted"), "a deletion was not pushed");
    assert!(there("theirs"), "somebody else's file was deleted");
    assert!(!there("anchor"), "an unchanged file was pushed without -r");
}

/// A program in front of rsync that notes when one starts and when it has ended.
fn count_rsyncs(plan: &mut Plan) -> PathBuf {
    let (bin, notes) = (plan.directory("bin"), plan.directory("notes").join("rsyncs"));
    let path = path();
    let script = format!(
        "#!/bin/sh\necho + >>'{0}'\nPATH='{path}' rsync \"$@\"\ncode=$?\necho - >>'{0}'\nexit $code\n",
        notes.display()
    );
    fs::write(bin.join("rsync"), script).unwrap();
    fs::set_permissions(bin.join("rsync"), fs::Permissions::from_mode(0o755)).unwrap();
    plan.variables.push(("PATH".to_string(), format!("{}:{path}", bin.display())));
    notes
}

/// The most processes that ran at the same time, and how many there were.
fn most_at_once(notes: &str) -> (i32, usize) {
    let (mut running, mut most) = (0, 0);
    for line in notes.lines() {
        running += if line == "+" { 1 } else { -1 };
        most = most.max(running);
    }
    (most, notes.lines().filter(|line| *line == "+").count())
}

#[test]
fn n_bounds_the_rsync_processes_of_all_remotes_together() {
    for (limit, expected_max) in [("1", 1), ("3", 3)] {
        let mut plan = Plan::with_remotes(8);
        let notes = count_rsyncs(&mut plan);
        // Standbys do not count.
        plan.conf.standby = r#"<standby start="false"/>"#.into();
        plan.args.extend([OsString::from("-n"), limit.into()]);
        let mirror = plan.start();
        for round in 0..5 {
            fs::write(mirror.root.join(format!("file{round}")), "content").unwrap();
            mirror.fence();
        }
        mirror.equal();
        let (most, all) = most_at_once(&fs::read_to_string(&notes).unwrap());
        assert!(all > 8, "only {all} rsyncs were seen");
        assert!(most <= expected_max, "{most} rsyncs at once with -n {limit}");
    }
}

#[test]
fn without_n_the_remotes_are_served_in_parallel() {
    let mut plan = Plan::with_remotes(8);
    let notes = count_rsyncs(&mut plan);
    let mirror = plan.start();
    mirror.equal();
    let (most, _) = most_at_once(&fs::read_to_string(&notes).unwrap());
    assert!((2..=10).contains(&most), "{most} rsyncs at once");
}

#[test]
fn where_the_locale_is_chinese_help_and_faults_are() {
    let plan = Plan::new();
    let chinese = [("LC_ALL", "zh_CN.UTF-8")];
    let help = run_to_end(&plan.directory(""), &["-h".into()], &chinese);
    assert_eq!(help.code, Some(0), "{}", help.stderr);
    assert!(help.stdout.contains("在后台运行"), "{}", help.stdout);
    let fault = run_to_end(&plan.directory(""), &["-x".into()], &chinese);
    assert_eq!(fault.code, Some(1));
    assert!(fault.stderr.contains("无法识别的参数：-x"), "{}", fault.stderr);
}
