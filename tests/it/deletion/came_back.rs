//! What went and came back between two batches went: nothing of the old one is kept over there, whatever the
//! parameters keep otherwise.

use super::{at_once, each, everything_is_done, pairs, put, write, Way};
use crate::harness::{eventually, Mirror, Plan, DEADLINE};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Sets when a file was last changed, so many days ago.
fn age(path: &Path, days: u64) {
    let when = SystemTime::now() - Duration::from_secs(days * 86_400);
    fs::File::options().write(true).open(path).unwrap().set_modified(when).unwrap();
}

/// A mirror with these parameters.
fn mirror(way: Way, params: &str, fill: impl FnOnce(&Path)) -> (Mirror, impl Drop) {
    struct Kept<T>(#[allow(dead_code, reason = "it lives as long as the mirror")] T);
    impl<T> Drop for Kept<T> {
        fn drop(&mut self) {}
    }
    let (mut plan, sshd): (Plan, _) = way.plan();
    plan.conf.params = plan.conf.params.replacen("-artz", params, 1);
    fill(&plan.root);
    let mirror = plan.start();
    mirror.equal();
    (mirror, Kept(sshd))
}

const FILES: [&str; 4] = ["site/a", "site/b", "site/deep/c", "site/deep/er/d"];

#[test]
fn a_restored_backup_arrives_although_newer_files_are_kept() {
    each(pairs(&Way::ALL, &[false, true]), |(way, at_once_)| {
        let (mirror, _kept) = mirror(way, "-artuz", |root| put(root, &FILES));
        let restore = |root: &Path| {
            let backup = root.parent().unwrap().join("backup");
            for file in FILES {
                write(&backup.join(file), &format!("older {file}"));
                age(&backup.join(file), 30);
            }
            write(&backup.join("site/more"), "only there");
            age(&backup.join("site/more"), 30);
            fs::remove_dir_all(root.join("site")).unwrap();
            let copy = Command::new("cp").arg("-a").arg(backup.join("site")).arg(root).status();
            assert!(copy.unwrap().success());
        };
        match at_once_ {
            true => at_once(&mirror, restore),
            false => restore(&mirror.root),
        }
        mirror.equal_within(DEADLINE, "after a restore");
    });
}

#[test]
fn a_file_that_was_deleted_and_is_an_older_one_now_arrives() {
    each(Way::ALL, |way| {
        let (mirror, _kept) = mirror(way, "-artuz", |root| {
            put(root, &["conf", "conf.bak", "other"]);
            age(&root.join("conf.bak"), 3);
        });
        at_once(&mirror, |root| {
            fs::remove_file(root.join("conf")).unwrap();
            let mut copy = Command::new("cp");
            let copied = copy.args(["-p", "conf.bak", "conf"]).current_dir(root).status();
            assert!(copied.unwrap().success());
        });
        mirror.equal();
        // What did not go is kept as the user asks for.
        write(&mirror.remotes[0].join("other"), "newer there");
        age(&mirror.root.join("other"), 1);
        fs::File::options().append(true).open(mirror.root.join("other")).unwrap();
        everything_is_done(&mirror);
        assert_eq!(fs::read_to_string(mirror.remotes[0].join("other")).unwrap(), "newer there");
    });
}

#[test]
fn a_log_that_was_rotated_is_no_continuation_of_the_old_one() {
    let params = ["-artz --append", "-artz --append-verify", "-artz --ignore-existing"];
    each(pairs(&[Way::Daemon, Way::Directory], &params), |(way, params)| {
        let (mirror, _kept) = mirror(way, params, |root| write(&root.join("log"), "the first\n"));
        at_once(&mirror, |root| {
            fs::rename(root.join("log"), root.join("log.1")).unwrap();
            write(&root.join("log"), "quite another log, and longer\n");
        });
        mirror.equal_within(DEADLINE, params);
        at_once(&mirror, |root| {
            fs::remove_file(root.join("log")).unwrap();
            write(&root.join("log"), "short\n");
        });
        eventually("the shorter one is there", || {
            fs::read_to_string(mirror.remotes[0].join("log")).unwrap() == "short\n"
        });
    });
}
