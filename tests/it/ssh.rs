//! SSH remotes: the clients, the connection that runs share and how it ends, and what is said when the
//! far side does not let us in.

use crate::harness::{eventually, path, Mirror, Plan, Sshd, Version};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A mirror over SSH to a directory called `copy`, with this as its `-e`; the port is that of
/// `userDefinedPort`. Without a client there is no `-e`.
fn plan(client: impl FnOnce(&Sshd) -> Option<String>) -> (Plan, Sshd) {
    plan_with_rsync_there(Version::there(), client)
}

/// The same with this rsync on the far side, or today's.
fn plan_with_rsync_there(
    there: Option<Version>,
    client: impl FnOnce(&Sshd) -> Option<String>,
) -> (Plan, Sshd) {
    let mut plan = Plan::without_remotes();
    let sshd = Sshd::with_rsync(&plan.directory("sshd"), there);
    let copy = plan.directory("copy");
    plan.conf.ssh = true;
    plan.conf.port = Some(sshd.port());
    plan.conf.params = match client(&sshd) {
        Some(client) => format!("-artz -e '{client}'"),
        None => "-artz".to_string(),
    };
    plan.conf.root(&plan.root, &[("127.0.0.1".into(), copy.display().to_string())]);
    plan.remotes.push(copy);
    (plan, sshd)
}

fn openssh(sshd: &Sshd) -> Option<String> {
    Some(sshd.client())
}

/// Puts a program called `ssh` before all others in the program's `PATH`: a script that ends with
/// the words of `client`, which is looked up in the test's own `PATH`.
fn put_in_path(plan: &mut Plan, before: &str, client: &str) {
    let bin = plan.directory("bin");
    let path = path();
    let script = format!("#!/bin/sh\n{before}\nPATH='{path}'\nexec {client} \"$@\"\n");
    fs::write(bin.join("ssh"), script).unwrap();
    fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    plan.variables.push(("PATH".to_string(), format!("{}:{path}", bin.display())));
}

/// Makes that many changes, each in a batch of its own, and returns when the last run has ended.
fn change(mirror: &Mirror, name: &str, count: usize) {
    for number in 0..count {
        let before = mirror.batches();
        fs::write(mirror.root.join(format!("{name}{number}")), "content").unwrap();
        mirror.equal();
        eventually("the run has ended", || mirror.batches() >= before + mirror.remotes.len());
    }
}

/// The directory of the sockets, if the program has one.
fn sockets(mirror: &Mirror) -> Option<PathBuf> {
    let name = format!("sersync-ssh-{}-0", mirror.pid());
    Some(Path::new("/run").join(name)).filter(|path| path.is_dir())
}

/// The process numbers of the connections whose sockets are in that directory. ssh writes the
/// socket's path over its command line.
fn connections(sockets: &Path) -> Vec<Pid> {
    let needle = sockets.display().to_string();
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number: &i32| {
            let words = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            let words = String::from_utf8_lossy(&words).into_owned();
            words.contains(&needle) && words.contains("[mux]")
        })
        .map(Pid::from_raw)
        .collect()
}

#[test]
fn runs_share_one_connection_that_ends_with_the_program() {
    let (plan, sshd) = plan(openssh);
    let mut mirror = plan.start();
    change(&mirror, "file", 3);
    assert_eq!(sshd.logins(), 1, "{}", mirror.log());
    let sockets = sockets(&mirror).expect("a directory for the sockets");
    assert_eq!(sockets.metadata().unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(connections(&sockets).len(), 1);
    mirror.halt_program();
    assert!(!sockets.exists());
    eventually("the connection has ended", || connections(&sockets).is_empty());
}

/// It answers that it does not know the option that sends and deletes at once. That is no broken
/// connection.
#[test]
fn an_old_rsync_on_the_far_side_costs_no_connection() {
    for there in Version::ALL {
        let (plan, sshd) = plan_with_rsync_there(Some(there), openssh);
        let mirror = plan.start();
        change(&mirror, "file", 2);
        fs::remove_file(mirror.root.join("file0")).unwrap();
        mirror.equal();
        assert_eq!(sshd.logins(), 1, "{there:?}: {}", mirror.log());
    }
}

#[test]
fn each_remote_has_a_connection_of_its_own() {
    let (mut plan, sshd) = plan(openssh);
    let other = plan.directory("other");
    plan.conf.roots[0].remotes.push(("[::1]".into(), other.display().to_string()));
    plan.remotes.push(other);
    let mirror = plan.start();
    change(&mirror, "file", 2);
    assert_eq!(sshd.logins(), 2, "{}", mirror.log());
}

#[test]
fn what_a_killed_program_left_is_removed_at_the_next_start() {
    let (plan, _sshd) = plan(openssh);
    let mut mirror = plan.start();
    let left = sockets(&mirror).expect("a directory for the sockets");
    let old = connections(&left);
    assert_eq!(old.len(), 1, "the connection outlives its program, for a while");
    mirror.kill_program();
    mirror.start_again(&[]);
    assert!(!left.exists());
    change(&mirror, "file", 1);
    kill(old[0], Signal::SIGKILL).unwrap();
}

#[test]
fn a_connection_that_was_lost_is_made_again() {
    let (plan, mut sshd) = plan(openssh);
    let mirror = plan.start();
    change(&mirror, "before", 1);
    let sockets = sockets(&mirror).expect("a directory for the sockets");

    // Its socket stays behind, and nobody answers there.
    let killed = connections(&sockets);
    kill(killed[0], Signal::SIGKILL).unwrap();
    eventually("it is gone", || !connections(&sockets).contains(&killed[0]));
    change(&mirror, "killed", 1);

    sshd.cut_connections();
    change(&mirror, "cut", 1);
    assert!(!mirror.log().contains("everything is kept"), "{}", mirror.log());

    sshd.stop();
    fs::write(mirror.root.join("while down"), "content").unwrap();
    eventually("the remote is down", || mirror.log().contains("Connection refused"));
    sshd.start_again();
    mirror.equal();
    assert!(sshd.logins() >= 4, "{}", sshd.logins());
}

#[test]
fn a_connection_that_hangs_holds_up_one_batch_until_the_timeout() {
    let (mut plan, sshd) = plan(openssh);
    plan.conf.timeout_s = Some(2);
    let mirror = plan.start();
    let sockets = sockets(&mirror).expect("a directory for the sockets");
    let stopped = connections(&sockets);
    kill(stopped[0], Signal::SIGSTOP).unwrap();
    change(&mirror, "file", 1);
    assert_eq!(sshd.logins(), 2);
    assert!(!mirror.log().contains("everything is kept"), "{}", mirror.log());
    kill(stopped[0], Signal::SIGKILL).unwrap();
}

#[test]
fn a_directory_of_sockets_that_was_cleaned_away_is_missed_by_nobody() {
    let (plan, _sshd) = plan(openssh);
    let mirror = plan.start();
    let sockets = sockets(&mirror).expect("a directory for the sockets");
    let lost = connections(&sockets);
    fs::remove_dir_all(&sockets).unwrap();
    change(&mirror, "file", 2);
    assert!(!mirror.log().contains("everything is kept"), "{}", mirror.log());
    kill(lost[0], Signal::SIGKILL).unwrap();
}

#[test]
fn a_user_who_shares_connections_is_left_alone() {
    let (plan, sshd) = plan(|sshd| Some(format!("{} -o ControlPath=none", sshd.client())));
    let mirror = plan.start();
    change(&mirror, "file", 2);
    assert!(sshd.logins() >= 3, "each run has its own connection");
    assert_eq!(sockets(&mirror), None);
}

#[test]
fn an_old_client_shares_nothing() {
    let (mut plan, sshd) = plan(|_| None);
    let tells = "[ \"$1\" != -V ] || { echo OpenSSH_5.5p1 >&2; exit; }";
    put_in_path(&mut plan, tells, &sshd.client());
    let mirror = plan.start();
    change(&mirror, "file", 2);
    assert!(sshd.logins() >= 3, "each run has its own connection");
}

#[test]
fn a_user_of_whom_nothing_but_a_login_is_known_gets_a_client_that_asks_nothing() {
    let (mut plan, sshd) = plan(|_| None);
    put_in_path(&mut plan, "", &sshd.client());
    plan.conf.auth = Some(("root".into(), "/nowhere".into()));
    plan.conf.debug = true;
    let mirror = plan.start();
    change(&mirror, "file", 2);
    assert_eq!(sshd.logins(), 1, "{}", mirror.log());
    let said = mirror.log() + &mirror.stdout();
    assert!(said.contains("BatchMode=yes") && said.contains("root@127.0.0.1:"), "{said}");
}

#[test]
fn dropbears_client_works_by_its_own_name_and_as_ssh() {
    let (named, sshd) = plan(|sshd| Some(sshd.dropbear_client()));
    let mirror = named.start();
    change(&mirror, "file", 2);
    assert!(sshd.logins() >= 3);

    let (mut as_ssh, sshd) = plan(|_| None);
    put_in_path(&mut as_ssh, "", &sshd.dropbear_client());
    as_ssh.conf.debug = true;
    let mirror = as_ssh.start();
    change(&mirror, "file", 2);
    let said = mirror.log() + &mirror.stdout();
    assert!(!said.contains("BatchMode"), "{said}");
}

#[test]
fn a_path_over_ssh_may_have_anything_in_its_name() {
    let (mut plan, _sshd) = plan(openssh);
    let copy = plan.directory("it's \"a\" $copy; `x` *?[a] \\ #~ 中");
    plan.conf.roots[0].remotes[0].1 = copy.display().to_string();
    plan.remotes[0] = copy;
    let mirror = plan.start();
    change(&mirror, "file", 1);
    fs::remove_file(mirror.root.join("file0")).unwrap();
    mirror.equal();
}

#[test]
fn what_keeps_us_out_is_said_once_with_its_remedy() {
    fn strict(sshd: &Sshd) -> String {
        sshd.client().replace("Checking=no", "Checking=yes")
    }
    let unknown = |sshd: &Sshd| Some(strict(sshd));
    let changed = |sshd: &Sshd| {
        let other = fs::read_to_string(sshd.known_hosts().with_file_name("user_key.pub")).unwrap();
        let line = format!("[127.0.0.1]:{} {other}", sshd.port());
        fs::write(sshd.known_hosts(), line).unwrap();
        Some(strict(sshd))
    };
    let no_key = |sshd: &Sshd| Some(sshd.client().replace("user_key", "no_key"));
    let no_rsync = |sshd: &Sshd| Some(format!("{}' --rsync-path='nosuchrsync", sshd.client()));
    let no_client = |_: &Sshd| Some("nosuchssh".to_string());
    let own_port = |sshd: &Sshd| Some(format!("{} -p 1", sshd.client()));
    type Client = fn(&Sshd) -> Option<String>;
    let cases: [(Client, &[&str]); 6] = [
        (
            unknown,
            &["No ED25519 host key is known", "ssh-keyscan -p PORT 127.0.0.1", "next try in 6"],
        ),
        (changed, &["has changed", "ssh-keygen -R \"[127.0.0.1]:PORT\"", "next try in 6"]),
        (no_key, &["Permission denied", "ssh-copy-id -p PORT 127.0.0.1", "next try in 6"]),
        (no_rsync, &["not found", "Install rsync on the far side", "next try in 6"]),
        (no_client, &["Failed to exec nosuchssh", "Install ssh", "next try in 6"]),
        (own_port, &["Connection refused", "correct the port", "next try in 2 s"]),
    ];
    for (client, words) in cases {
        let (mut plan, sshd) = plan(client);
        plan.await_full_sync = false;
        let mirror = plan.start();
        eventually("it is said", || mirror.log().contains("everything is kept"));
        let log = mirror.log();
        let line = log.lines().find(|line| line.contains("everything is kept")).unwrap();
        for word in words {
            let word = word.replace("PORT", &sshd.port().to_string());
            assert!(line.contains(&word), "no `{word}` in: {line}");
        }
        fs::write(mirror.root.join("more"), "").unwrap();
        assert_eq!(mirror.log().matches("everything is kept").count(), 1, "{}", mirror.log());
    }
}
