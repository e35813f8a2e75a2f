//! The lines at the start that people and scripts look for.

use crate::harness::{Mirror, Plan};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Lines are compared word by word: the original's tabs and runs of blanks are not a promise.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Sees that the lines are there, in this order, others between them or not.
fn prints_in_order(mirror: &Mirror, expected: &[String]) {
    let stdout = mirror.stdout();
    let mut lines = stdout.lines();
    for line in expected {
        let found = lines.any(|printed| words(printed) == words(line));
        assert!(found, "not there, or not in this place: {line}\n--- the output\n{stdout}");
    }
}

// COMPAT: the words of sersync 2.5.4, its full-width punctuation and its spelling included.
#[test]
fn the_start_prints_the_known_lines_in_order() {
    let mut plan = Plan::new();
    plan.args = vec!["-r".into(), "-n".into(), "10".into()];
    plan.conf.status_port = 8008;
    let file = plan.write_conf();
    let mirror = plan.start();
    let mut expected: Vec<String> = [
        "set the system param",
        "execute：echo 50000000 > /proc/sys/fs/inotify/max_user_watches",
        "execute：echo 327679 > /proc/sys/fs/inotify/max_queued_events",
        "parse the command param",
        "option: -r rsync all the local files to the remote servers before the sersync work",
    ]
    .map(String::from)
    .to_vec();
    expected.push(format!("option: -o config xml name： {}", file.display()));
    expected.extend(
        [
            "daemon thread num: 10",
            "parse xml config file",
            "host ip : localhost host port: 8008",
            "config xml parse success",
            "please set /etc/rsyncd.conf max connections=0 Manually",
            "sersync working thread 12 = 1(primary thread) + 1(fail retry thread) + 10(daemon sub threads)",
            "Max threads numbers is: 22 = 12(Thread pool nums) + 10(Sub threads)",
            "please according your cpu ，use -n param to adjust the cpu rate",
            "------------------------------------------",
            "rsync the directory recursivly to the remote servers once",
            "working please wait...",
        ]
        .map(String::from),
    );
    expected.push("run the sersync:".to_string());
    expected.push(format!("watch path is: {}", mirror.root.display()));
    prints_in_order(&mirror, &expected);
}

#[test]
fn the_start_with_a_password_file_tells_whose_it_is() {
    let mut plan = Plan::new();
    plan.daemon.require("rsync_backup", "secret");
    let file = plan.directory("etc").join("rsync.password");
    fs::write(&file, "secret\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    plan.conf.auth = Some(("rsync_backup".to_string(), file.clone()));
    plan.conf.status_port = 8008;
    let mirror = plan.start();
    let expected = [
        "host ip : localhost host port: 8008".to_string(),
        "use rsync password-file :".to_string(),
        "user is rsync_backup".to_string(),
        format!("passwordfile is {}", file.display()),
        "config xml parse success".to_string(),
    ];
    prints_in_order(&mirror, &expected);
    assert!(!mirror.stdout().contains("secret\n"), "the password is nobody's business");
}

#[test]
fn the_line_of_the_first_full_sync_shows_a_command_that_would_run() {
    let plan = Plan::new();
    let port = plan.daemon.port();
    let mirror = plan.start();
    let stdout = mirror.stdout();
    let start = format!("execute command: cd {} && rsync -artz", mirror.root.display());
    let line = stdout.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("no line starts with {start:?}\n{stdout}"));
    for part in [" -R", " --delete", " ./", &format!("--port={port}"), "127.0.0.1::module0"] {
        assert!(line.contains(part), "{part:?} is not in {line}");
    }
}

#[test]
fn without_r_no_full_sync_is_announced() {
    let mut plan = Plan::new();
    plan.args.clear();
    let stdout = plan.start().stdout();
    assert!(stdout.lines().any(|line| line.starts_with("run the sersync:")), "{stdout}");
    for absent in ["recursivly", "option: -r", "option: -d", "execute command"] {
        assert!(!stdout.contains(absent), "{absent:?} is in\n{stdout}");
    }
}
