//! The harness is tested like a program: a comparison that sees no difference, or a server that
//! lets everybody in, would make every other test worthless.

use crate::harness::{scratch, until, Daemon, Sshd, Tree};
use std::fs;
use std::os::unix::fs::{chown, symlink, PermissionsExt};
use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

/// Two equal trees below `dir`, made by copying with rsync.
fn twins(dir: &Path) {
    let here = dir.join("here");
    fs::create_dir_all(here.join("sub")).unwrap();
    fs::write(here.join("sub/file"), "content").unwrap();
    symlink("sub/file", here.join("link")).unwrap();
    let (from, to) = (format!("{}/", here.display()), dir.join("there"));
    assert!(rsync(&["-a", &from, &to.display().to_string()]).status.success());
}

fn rsync(args: &[&str]) -> Output {
    Command::new("rsync").args(args).output().expect("rsync can be run")
}

fn set_mtime(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn equal_trees_have_no_difference() {
    let dir = scratch();
    twins(dir.path());
    assert_eq!(Tree::compare(&dir.path().join("here"), &dir.path().join("there")), Ok(()));
}

#[test]
fn every_kind_of_difference_is_seen() {
    type Change = fn(&Path);
    let cases: [(&str, &str, Change); 9] = [
        ("missing", "sub/file: missing there", |t| fs::remove_file(t.join("sub/file")).unwrap()),
        ("extra", "new: only there", |t| fs::write(t.join("new"), "").unwrap()),
        ("content", "a file of 7 bytes \\\"content\\\" here", |t| {
            fs::write(t.join("sub/file"), "CONTENT").unwrap();
        }),
        ("mode", "sub/file: mode 644 here, 600 there", |t| {
            fs::set_permissions(t.join("sub/file"), fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("file's mtime", "sub/file: mtime", |t| set_mtime(&t.join("sub/file"), 1_000_000)),
        ("directory's mtime", "sub: mtime", |t| set_mtime(&t.join("sub"), 1_000_000)),
        ("owner", "sub/file: owner (0, 0) here, (7, 8) there", |t| {
            chown(t.join("sub/file"), Some(7), Some(8)).unwrap();
        }),
        ("symlink's target", "link: a symlink to sub/file here", |t| {
            fs::remove_file(t.join("link")).unwrap();
            symlink("elsewhere", t.join("link")).unwrap();
        }),
        ("kind", "link: a symlink to sub/file here, a directory there", |t| {
            fs::remove_file(t.join("link")).unwrap();
            fs::create_dir(t.join("link")).unwrap();
        }),
    ];
    for (name, expected, change) in cases {
        let dir = scratch();
        twins(dir.path());
        change(&dir.path().join("there"));
        let seen = Tree::compare(&dir.path().join("here"), &dir.path().join("there"));
        let seen = seen.expect_err(name).replace('"', "\\\"");
        assert!(seen.contains(expected), "{name}: {seen}");
    }
}

#[test]
fn waiting_ends_at_its_deadline_with_the_last_state() {
    let end = catch_unwind(|| until("never", Duration::ZERO, || Err::<(), _>("state".into())));
    let message = *end.expect_err("it panics").downcast::<String>().unwrap();
    assert!(message.contains("never") && message.contains("state"), "{message}");
}

#[test]
fn the_daemon_takes_files_and_can_be_started_again() {
    let dir = scratch();
    let mut daemon = Daemon::new(&dir.path().join("daemon"));
    let module = daemon.module("m");
    let (file, port) = (dir.path().join("file"), format!("--port={}", daemon.port()));
    fs::write(&file, "content").unwrap();
    let push = || rsync(&["-a", &port, &file.display().to_string(), "127.0.0.1::m"]);
    assert!(!push().status.success(), "nothing listens yet");
    for round in 1..=2 {
        daemon.start();
        assert!(push().status.success(), "{:?}", push());
        assert_eq!(daemon.connections(), round);
        daemon.stop();
        assert!(!push().status.success(), "it was stopped");
    }
    assert_eq!(fs::read(module.join("file")).unwrap(), b"content");
}

#[test]
fn the_daemon_refuses_who_does_not_know_the_password() {
    let dir = scratch();
    let mut daemon = Daemon::new(&dir.path().join("daemon"));
    daemon.module("m");
    daemon.require("sync", "secret");
    daemon.start();
    let file = dir.path().join("password");
    let push = |password: &str| {
        fs::write(&file, password).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let (port, file) = (format!("--port={}", daemon.port()), file.display());
        let password = format!("--password-file={file}");
        rsync(&["-a", &port, &password, "/etc/hostname", "sync@127.0.0.1::m"])
    };
    assert!(push("secret\n").status.success());
    assert!(!push("wrong\n").status.success());
}

#[test]
fn the_sshd_lets_in_its_own_key_only() {
    let dir = scratch();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let login = |client: &str| {
        let words = client.split(' ').skip(1);
        let port = sshd.port().to_string();
        let mut command = Command::new("ssh");
        command.args(words).args(["-p", &port, "127.0.0.1", "true"]);
        command.output().expect("ssh can be run")
    };
    let right = login(&sshd.client());
    assert!(right.status.success(), "{right:?}");
    let wrong = login(&sshd.client().replace("user_key", "host_key"));
    assert!(!wrong.status.success());
}
