//! More directories than the kernel has watches for: nothing is forgotten, only later.

use crate::harness::{eventually, until, Plan};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Watches that the program may have at first; the root has more directories.
const WATCHES: usize = 8;
const DIRECTORIES: usize = 20;
/// What is not watched is made equal once a minute.
const POLL: Duration = Duration::from_secs(90);

#[test]
fn what_cannot_be_watched_is_synced_once_a_minute_and_watched_when_it_can_be() {
    let mut plan = Plan::new();
    // The limit belongs to a user namespace, so that it counts for this program alone.
    let script = format!("echo {WATCHES} > /proc/sys/user/max_inotify_watches && exec \"$@\"");
    let behind = ["unshare", "--user", "--map-root-user", "sh", "-c", &script, "sh"];
    plan.how.behind = behind.map(Into::into).to_vec();
    for number in 0..DIRECTORIES {
        fs::create_dir(plan.root.join(format!("dir{number}"))).unwrap();
        fs::write(plan.root.join(format!("dir{number}/deleted")), "").unwrap();
    }
    let mirror = plan.start();
    mirror.equal();
    let said = "then the limit was reached";
    eventually("it is said", || mirror.log().contains(said));
    for number in 0..DIRECTORIES {
        fs::write(mirror.root.join(format!("dir{number}/new")), "new").unwrap();
        fs::remove_file(mirror.root.join(format!("dir{number}/deleted"))).unwrap();
    }
    // Made now, and not watched either.
    fs::create_dir_all(mirror.root.join("later/deep")).unwrap();
    fs::write(mirror.root.join("later/deep/file"), "").unwrap();
    mirror.equal_within(POLL, "once a minute");
    let pid = mirror.pid().to_string();
    let enter = ["--user", "--preserve-credentials", "--target", &pid, "sh", "-c"];
    let raise = "echo 1000 > /proc/sys/user/max_inotify_watches";
    let raised = Command::new("nsenter").args(enter).arg(raise).status().unwrap();
    assert!(raised.success());
    until("everything is watched", POLL, || {
        let log = mirror.log();
        log.contains("every directory is watched again").then_some(()).ok_or(log)
    });
    for number in 0..DIRECTORIES {
        fs::write(mirror.root.join(format!("dir{number}/watched")), "").unwrap();
    }
    fs::remove_dir_all(mirror.root.join("later")).unwrap();
    mirror.equal();
    let log = mirror.log();
    assert_eq!(log.matches(said).count(), 1, "{log}");
}
