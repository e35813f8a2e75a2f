//! Settings of one remote: port, user, password, ssh and parameters of its own.

use crate::harness::{eventually, Daemon, Plan, Sshd};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Gives each remote of the plan, in their order, attributes of its own.
fn say(plan: &mut Plan, settings: Vec<String>) {
    plan.as_saved = Box::new(move |text| {
        let mut parts = text.split("<remote ");
        let mut saved = parts.next().unwrap().to_owned();
        for (part, own) in parts.zip(&settings) {
            saved += &format!("<remote {own} {part}");
        }
        assert_eq!(saved.matches("<remote ").count(), settings.len(), "{saved}");
        saved.into_bytes()
    });
}

fn password_file(plan: &Plan, name: &str, password: &str) -> PathBuf {
    let file = plan.directory("etc").join(name);
    fs::write(&file, password).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// The same module of two daemons on one host: two users, two passwords, two ports. The element's own
/// settings are those of neither.
fn two_daemons() -> (Plan, Daemon) {
    let mut plan = Plan::new();
    let mut other = Daemon::new(&plan.directory("other"));
    let copy = other.module("module0");
    plan.remotes.push(copy);
    let first = plan.conf.roots[0].remotes[0].clone();
    plan.conf.roots[0].remotes.push(first);
    plan.conf.port = Some(1);
    plan.conf.auth = Some(("nobody".into(), password_file(&plan, "common", "wrong")));
    plan.daemon.require("one", "first secret");
    other.require("two", "second secret");
    let own = |user: &str, password: &str, port: u16| {
        let file = password_file(&plan, user, password);
        format!("port=\"{port}\" users=\"{user}\" passwordfile=\"{}\"", file.display())
    };
    let settings = vec![
        own("one", "first secret", plan.daemon.port()),
        own("two", "second secret", other.port()),
    ];
    say(&mut plan, settings);
    (plan, other)
}

#[test]
fn each_remote_has_its_own_port_user_and_password() {
    let (plan, mut other) = two_daemons();
    other.start();
    let mirror = plan.start();
    mirror.equal();
    fs::create_dir(mirror.root.join("dir")).unwrap();
    fs::write(mirror.root.join("dir/file"), "content").unwrap();
    fs::remove_file(mirror.root.join("anchor")).unwrap();
    mirror.equal();
    assert!(!mirror.log().contains("this remote is there twice"), "{}", mirror.log());
}

/// The fail log names each remote as it is reached, and the next run gives each its own back.
#[test]
fn what_is_owed_finds_the_remote_with_its_own_settings() {
    let (mut plan, mut other) = two_daemons();
    plan.args.clear();
    let (port, other_port) = (plan.daemon.port(), other.port());
    other.start();
    let mut mirror = plan.start();
    fs::write(mirror.root.join("first"), "for both").unwrap();
    eventually("both have the first file", || {
        mirror.remotes.iter().all(|remote| remote.join("first").exists())
    });
    other.stop();
    fs::write(mirror.root.join("owed"), "to the second").unwrap();
    eventually("the first remote has it", || mirror.remotes[0].join("owed").exists());
    mirror.halt_program();
    let script = fs::read_to_string(mirror.dir().join("rsync_fail_log.sh")).unwrap();
    assert!(script.contains(&format!("--port={other_port} ")), "{script}");
    assert!(script.contains("two@127.0.0.1::module0"), "{script}");
    assert!(!script.contains(&format!("--port={port} ")), "{script}");

    other.start();
    mirror.start_again(&[]);
    eventually("the second remote has what it was owed", || {
        mirror.remotes[1].join("owed").exists()
    });
}

#[test]
fn a_remote_over_ssh_stands_beside_a_daemon() {
    let mut plan = Plan::new();
    let sshd = Sshd::start(&plan.directory("sshd"));
    let copy = plan.directory("a copy");
    plan.daemon.require("one", "first secret");
    plan.conf.auth = Some(("one".into(), password_file(&plan, "one", "first secret")));
    let over_ssh = ("127.0.0.1".to_string(), copy.display().to_string());
    plan.conf.roots[0].remotes.push(over_ssh);
    plan.remotes.push(copy);
    let ssh = format!(
        "ssh=\"true\" users=\"root\" port=\"{}\" params=\"-artz -e '{}'\"",
        sshd.port(),
        sshd.client()
    );
    say(&mut plan, vec![String::new(), ssh]);
    let mirror = plan.start();
    mirror.equal();
    fs::write(mirror.root.join("file"), "content").unwrap();
    fs::remove_file(mirror.root.join("anchor")).unwrap();
    mirror.equal();
}

#[test]
fn a_remote_without_a_password_stands_beside_one_with() {
    let (mut plan, mut other) = two_daemons();
    let mut open = Daemon::new(&plan.directory("open"));
    let copy = open.module("module0");
    plan.remotes = vec![plan.remotes[1].clone(), copy];
    let file = password_file(&plan, "two", "second secret");
    plan.conf.auth = Some(("two".into(), file));
    plan.conf.port = Some(other.port());
    let settings = vec![String::new(), format!("users=\"\" port=\"{}\"", open.port())];
    say(&mut plan, settings);
    other.start();
    open.start();
    let mirror = plan.start();
    mirror.equal();
    assert!(!open.log().contains("two@"), "{}", open.log());
}
