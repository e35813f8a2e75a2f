//! Old rsyncs on either side. What the stand-ins show and what not stands in `harness/old_rsync.rs`.

use crate::harness::{eventually, path_of, Plan, Sshd, Version, DEADLINE};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

/// Each version, and today's.
fn versions() -> impl Iterator<Item = Option<Version>> {
    Version::ALL.into_iter().map(Some).chain([None])
}

/// What is there from the start.
fn prepare(root: &Path) {
    for file in ["changed", "rewritten", "deleted", "old name", "becomes a directory"] {
        fs::write(root.join(file), "content").unwrap();
    }
    for dir in ["deleted dir/below", "old dir/below", "becomes a file/below", "kept dir"] {
        fs::create_dir_all(root.join(dir)).unwrap();
        fs::write(root.join(dir).join("file"), "content").unwrap();
    }
    set_time(&root.join("rewritten"));
}

fn set_time(file: &Path) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

/// Every kind of change, each of which needs something else of rsync.
fn change(root: &Path) {
    fs::write(root.join("changed"), "longer content").unwrap();
    // As long as before, and as old: only its content tells.
    fs::write(root.join("rewritten"), "CONTENT").unwrap();
    set_time(&root.join("rewritten"));
    fs::remove_file(root.join("deleted")).unwrap();
    fs::remove_dir_all(root.join("deleted dir")).unwrap();
    fs::rename(root.join("old name"), root.join("new name")).unwrap();
    fs::rename(root.join("old dir"), root.join("new dir")).unwrap();
    fs::remove_dir_all(root.join("becomes a file")).unwrap();
    fs::write(root.join("becomes a file"), "content").unwrap();
    fs::remove_file(root.join("becomes a directory")).unwrap();
    fs::create_dir(root.join("becomes a directory")).unwrap();
    fs::write(root.join("becomes a directory/file"), "content").unwrap();
    fs::write(root.join("kept dir/# odd [*]?\\ \"$name\" \n"), "content").unwrap();
    fs::remove_file(root.join("kept dir/file")).unwrap();
    symlink("kept dir", root.join("link")).unwrap();
}

/// Starts the plan, and sees that its full sync, every change, and a change of each file's mode arrive.
fn works(plan: Plan, about: &str) {
    prepare(&plan.root);
    let mirror = plan.start();
    mirror.equal_within(DEADLINE, about);
    change(&mirror.root);
    mirror.equal_within(DEADLINE, about);
    // By now it is known what the far side can do.
    fs::remove_dir_all(mirror.root.join("new dir")).unwrap();
    fs::set_permissions(mirror.root.join("changed"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(mirror.root.join("changed"), "content").unwrap();
    mirror.equal_within(DEADLINE, about);
}

#[test]
fn every_pair_of_versions_works_over_a_daemon() {
    for here in versions() {
        for there in versions() {
            let mut plan = Plan::new();
            plan.rsync_here(here);
            plan.daemon.is_of(there);
            works(plan, &format!("with {here:?} here and {there:?} there"));
        }
    }
}

#[test]
fn every_version_works_in_a_local_directory() {
    for here in versions() {
        let mut plan = Plan::local();
        plan.rsync_here(here);
        works(plan, &format!("with {here:?}"));
    }
}

/// A path with a space is what the versions treat most differently: it is escaped by us, or by rsync.
#[test]
fn every_pair_of_versions_works_over_ssh() {
    for here in versions() {
        for there in versions() {
            let mut plan = Plan::without_remotes();
            let sshd = Sshd::with_rsync(&plan.directory("sshd"), there);
            let copy = plan.directory("a copy");
            plan.conf.ssh = true;
            plan.conf.port = Some(sshd.port());
            plan.conf.params = format!("-artz -e '{}'", sshd.client());
            plan.conf.root(&plan.root, &[("127.0.0.1".into(), copy.display().to_string())]);
            plan.remotes.push(copy);
            plan.rsync_here(here);
            works(plan, &format!("with {here:?} here and {there:?} there"));
        }
    }
}

/// An old client and a server of today wait for each other after such an error, for minutes.
#[test]
fn a_full_disk_on_the_far_side_holds_up_nothing_but_what_does_not_fit() {
    for here in [Version::V2_6_9, Version::V3_0_9] {
        let mut plan = Plan::new();
        plan.rsync_here(Some(here));
        let at = plan.remotes[0].clone();
        plan.mount(&at, 512);
        let mirror = plan.start();
        fs::write(mirror.root.join("1-big"), vec![7; 1 << 20]).unwrap();
        fs::write(mirror.root.join("2-small"), "content").unwrap();
        eventually("the small one arrives", || at.join("2-small").exists());
        fs::remove_file(mirror.root.join("1-big")).unwrap();
        mirror.equal();
    }
}

fn rsync(version: Version, args: &[&str]) -> Output {
    let mut command = Command::new("rsync");
    command.args(args).env("PATH", path_of(Some(version))).output().expect("it can be run")
}

/// The stand-in itself: without it this file would test today's rsync.
#[test]
fn an_old_rsync_knows_its_number_and_its_options() {
    for (version, first_line, unknown) in [
        (
            Version::V2_6_9,
            "rsync  version 2.6.9  protocol version 29\n",
            &["--contimeout=3", "-s", "-aX", "--delete-missing-args", "-M--timeout=0"][..],
        ),
        (
            Version::V3_0_9,
            "rsync  version 3.0.9  protocol version 30\n",
            &["--ignore-missing-args", "-M", "--info=stats"],
        ),
        (
            Version::V3_1_1,
            "rsync  version 3.1.1  protocol version 31\n",
            &["--mkpath", "--fsync", "-U"],
        ),
    ] {
        assert_eq!(rsync(version, &["--version"]).stdout, first_line.as_bytes());
        for option in unknown {
            let output = rsync(version, &["-a", option, "./", "./"]);
            assert_eq!(output.status.code(), Some(1), "{version:?} {option}");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(": unknown option"), "{version:?} {option}: {said}");
        }
        // What stands in a value is no option.
        let output = rsync(version, &["-e", "-M", "--exclude", "--mkpath", "--help"]);
        assert!(output.status.success(), "{version:?}: {output:?}");
    }
}
