//! `--check`: what it finds in set-ups that are broken in one way each, what it ends with, and that
//! it leaves no trace.

use crate::harness::{run_without_trace, Daemon, Exit, Mirror, Plan, Sshd};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};

/// A plan with an address for the status page that nobody else has: the port is this test's among
/// those of its process, and the host is that of the process. Nobody listens on it between two
/// looks, so that somebody else could have taken a port alone by then.
fn plan() -> Plan {
    with_free_port(Plan::new())
}

fn with_free_port(mut plan: Plan) -> Plan {
    let port = Daemon::new(&plan.directory("spare")).port();
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let own = format!("\"127.100.{high}.{low}\" port=\"{port}\"");
    save(&mut plan, move |text| text.replace("\"localhost\" port=\"0\"", &own));
    plan
}

/// Changes the text of the configuration once more before it is saved.
fn save(plan: &mut Plan, change: impl Fn(String) -> String + 'static) {
    let before = std::mem::replace(&mut plan.as_saved, Box::new(String::into_bytes));
    plan.as_saved =
        Box::new(move |text| change(String::from_utf8(before(text)).unwrap()).into_bytes());
}

fn password_file(plan: &Plan, password: &str, mode: u32) -> PathBuf {
    let file = plan.directory("etc").join("password");
    fs::write(&file, password).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    file
}

/// Sees that it ends with this code, and that some line begins and goes on like this.
fn finds(plan: &Plan, code: i32, severity: &str, text: &str) {
    let ended = run_without_trace(plan, &["--check"]);
    let Exit { stdout, stderr, .. } = &ended;
    assert_eq!(ended.code, Some(code), "{text}\n{stdout}{stderr}");
    let start = format!("{severity}: ");
    let said = stdout.lines().any(|line| line.starts_with(&start) && line.contains(text));
    assert!(said, "no {severity} with {text}\n{stdout}");
    assert_eq!(stderr, "", "{text}");
}

#[test]
fn a_clean_set_up_is_ready() {
    let mut plan = with_free_port(Plan::with_remotes(2));
    plan.daemon.require("sync", "secret");
    plan.conf.auth = Some(("sync".into(), password_file(&plan, "secret\n", 0o600)));
    // Which the first real run would take over there.
    fs::set_permissions(&plan.root, fs::Permissions::from_mode(0o711)).unwrap();
    // A start would make the directory.
    plan.conf.fail_log = plan.write_conf().with_file_name("missing").join("fail.sh");
    plan.daemon.start();
    let ended = run_without_trace(&plan, &["--check", "-r"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{}", ended.stdout);
    let mut lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines.pop().unwrap().starts_with("ready to start; "), "{}", ended.stdout);
    assert!(lines.iter().all(|line| line.starts_with("note: ")), "{}", ended.stdout);
    assert!(ended.stdout.contains("what failed is tried again every 1 hour"), "{}", ended.stdout);

    let all = run_without_trace(&plan, &["--check", "--log-level", "debug"]).stdout;
    for name in ["0", "1"] {
        let line = format!(": 127.0.0.1::module{name} answers and takes runs\n");
        assert!(all.contains(&line), "{all}");
    }
    for start in ["ok: rsync: version ", "ok: fs.inotify.max_user_watches: 1 directory of "] {
        assert!(all.contains(&format!("\n{start}")), "{all}");
    }
}

#[test]
fn each_fault_of_a_daemon_is_found() {
    type Break = fn(&mut Plan);
    let cases: [(Break, &str); 7] = [
        (|plan| plan.conf.roots[0].remotes[0].1 = "other".into(), "Unknown module 'other' (Make"),
        (|plan| plan.daemon.every_module("read only = yes"), "module is read only (Set `read on"),
        (|plan| plan.daemon.every_module("hosts deny = *"), "access denied to module0"),
        (|plan| plan.daemon.every_module("max connections = -1"), "(Raise `max connections`"),
        (|plan| plan.daemon.every_module("path = /nothing/there"), "chdir failed (Create the"),
        (|plan| plan.daemon.require("sync", "x"), "auth failed on module module0 (Make the user"),
        (|plan| plan.conf.roots[0].remotes[0].1 += "/missing/deeper", "(Create the remote's dir"),
    ];
    for (broken, text) in cases {
        let mut plan = plan();
        broken(&mut plan);
        plan.daemon.start();
        finds(&plan, 1, "error", text);
    }
    // All else arrives, and the deletions are owed.
    let mut plan = plan();
    plan.daemon.every_module("refuse options = delete");
    plan.daemon.start();
    finds(&plan, 2, "warning", "refuse --delete (Take `delete` out of");
    // Nobody has started it.
    finds(&self::plan(), 1, "error", "Connection refused (111) (Start the rsync daemon");
}

#[test]
fn each_fault_of_this_machine_is_found() {
    fn change(plan: &mut Plan, from: &'static str, to: &'static str) {
        save(plan, move |text| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        });
    }
    fn plugin(plan: &mut Plan, name: &str, block: &str) {
        plan.conf.plugin = format!("<plugin start=\"true\" name=\"{name}\"/>");
        let watch = plan.root.display().to_string();
        plan.conf.blocks = block.replace("ROOT", &watch);
    }
    type Break = fn(&mut Plan);
    let cases: [(Break, i32, &str, &str); 15] = [
        (|plan| fs::remove_dir_all(&plan.root).unwrap(), 1, "error", " does not exist; make the"),
        (|plan| fs::remove_file(plan.root.join("anchor")).unwrap(), 2, "warning", "is empty: with"),
        (
            |plan| plan.conf.auth = Some(("u".into(), password_file(plan, "x", 0o644))),
            1,
            "error",
            "which rsync refuses; run: chmod 600",
        ),
        (
            |plan| plan.conf.auth = Some(("u".into(), password_file(plan, "u:x", 0o600))),
            2,
            "warning",
            "begins with the user and a colon",
        ),
        (
            |plan| symlink("/etc/x", &plan.conf.fail_log).unwrap(),
            1,
            "error",
            " is a symbolic link; ",
        ),
        (
            |plan| fs::write(&plan.conf.fail_log, "#errno 256\ncd /w && rsync x\n\n").unwrap(),
            0,
            "note",
            "failLog: 1 record in it; worked off after the start",
        ),
        (|plan| plan.conf.params = "-artuz".into(), 2, "warning", ": -u: "),
        (|plan| plan.conf.params = "-artz --delete".into(), 2, "warning", "with --delete every"),
        (
            |plan| change(plan, "timeToExecute=\"60\"", "timeToExecute=\"3600\""),
            2,
            "warning",
            "every 60 hours, at the latest; a number without a unit is minutes",
        ),
        (
            |plan| change(plan, "crontab start=\"false\"", "crontab start=\"true\""),
            0,
            "note",
            "crontab schedule: a full sync every 10 hours, which deletes what only the remotes",
        ),
        (
            |plan| change(plan, "<sersync>", "<sersync><alert command=\"/no/such/program x\"/>"),
            1,
            "error",
            "alert command: /no/such/program is not found",
        ),
        (
            |plan| {
                plugin(
                    plan,
                    "command",
                    "<plugin name=\"command\"><param prefix=\"nosuchthing\" suffix=\"\" \
                     ignoreError=\"true\"/></plugin>",
                );
            },
            1,
            "error",
            "plugin command: nosuchthing is not found",
        ),
        (
            |plan| {
                plugin(
                    plan,
                    "socket",
                    "<plugin name=\"socket\"><localpath watch=\"ROOT\"><deshost ip=\"127.0.0.1\" \
                     port=\"1\"/></localpath></plugin>",
                );
            },
            1,
            "error",
            "plugin socket: 127.0.0.1:1: no connection: ",
        ),
        (|plan| change(plan, "<debug ", "<debag "), 2, "warning", "<debag>"),
        (|plan| change(plan, "<ssh start", "<sshstart"), 1, "error", "found <sshstart="),
    ];
    for (broken, code, severity, text) in cases {
        let mut plan = plan();
        broken(&mut plan);
        plan.daemon.start();
        if text.starts_with("begins") {
            plan.daemon.stop();
            plan.daemon.require("u", "u:x");
            plan.daemon.start();
        }
        finds(&plan, code, severity, text);
    }
}

#[test]
fn every_fault_is_found_at_once_the_worst_first() {
    let mut plan = Plan::with_remotes(3);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    save(&mut plan, move |text| {
        text.replace("localhost\" port=\"0\"", &format!("127.0.0.1\" port=\"{port}\""))
    });
    plan.conf.params = "-artuz".into();
    plan.conf.roots[0].remotes[1].1 = "missing".into();
    fs::remove_dir_all(&plan.root).unwrap();
    plan.daemon.start();
    let ended = run_without_trace(&plan, &["--check", "--log-level", "debug"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for text in [
        "confxml.xml:19:16: watch=",
        "confxml.xml:21:15: 127.0.0.1::missing: ",
        "warning: host: 127.0.0.1:",
        "::module0 answers and takes runs",
        "::module2 answers and takes runs",
        "\n2 errors, 2 warnings; ",
    ] {
        assert!(ended.stdout.contains(text), "{text}\n{}", ended.stdout);
    }
    let order = ["error", "warning", "note", "ok"];
    let kinds = ended
        .stdout
        .lines()
        .filter_map(|line| order.iter().position(|kind| line.split(':').next() == Some(*kind)));
    assert!(kinds.is_sorted(), "{}", ended.stdout);
}

/// A plan over SSH to a directory called `copy`, with this `-e` and more parameters.
fn over_ssh(client: impl FnOnce(&Sshd) -> String) -> (Plan, Sshd) {
    let mut plan = with_free_port(Plan::without_remotes());
    let sshd = Sshd::start(&plan.directory("sshd"));
    let copy = plan.directory("copy");
    plan.conf.ssh = true;
    plan.conf.port = Some(sshd.port());
    plan.conf.params = client(&sshd);
    plan.conf.root(&plan.root, &[("127.0.0.1".into(), copy.display().to_string())]);
    plan.remotes.push(copy);
    (plan, sshd)
}

#[test]
fn each_fault_of_ssh_is_found() {
    let works = |sshd: &Sshd| format!("-artz -e '{}'", sshd.client());
    let (mut plan, _sshd) = over_ssh(works);
    finds(&plan, 0, "note", "remotes: whether their users may write");
    plan.conf.roots[0].remotes[0].1 += "/missing/deeper";
    finds(&plan, 1, "error", "(Create the remote's directory on the far side, with ");

    let (plan, _sshd) = over_ssh(|sshd| works(sshd) + " --rsync-path=/no/rsync");
    finds(&plan, 1, "error", "(Install rsync on the far side");
    let (plan, _sshd) = over_ssh(|sshd| {
        works(sshd).replace("StrictHostKeyChecking=no", "StrictHostKeyChecking=yes")
    });
    finds(&plan, 1, "error", "ssh-keyscan -p ");
    let (plan, _sshd) = over_ssh(|sshd| works(sshd).replace("user_key ", "host_key "));
    finds(&plan, 1, "error", "ssh-copy-id -p ");
    let (plan, _sshd) = over_ssh(|_| "-artz -e /no/ssh".into());
    finds(&plan, 1, "error", "/no/ssh: there is no such program in PATH; install OpenSSH");
}

#[test]
fn a_directory_here_that_cannot_be_written_is_found() {
    let mut plan = with_free_port(Plan::local());
    finds(&plan, 0, "note", "what failed is tried again");
    plan.conf.roots[0].remotes[0].1 = "/proc/sys/nothing/there".into();
    plan.remotes.clear();
    finds(&plan, 1, "error", "/proc/sys cannot be written: Permission denied");
    finds(&plan, 1, "error", "/proc/sys/nothing/there: rsync");
}

/// If one remote does not answer, the others are asked all the same, and the check ends.
#[test]
fn a_remote_that_takes_connections_and_says_nothing_is_found() {
    let mut plan = plan();
    let silent = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    plan.conf.roots[0].remotes.push(("127.0.0.2".into(), "silent".into()));
    save(&mut plan, move |text| {
        text.replace("ip=\"127.0.0.2\"", &format!("ip=\"127.0.0.2\" port=\"{port}\""))
    });
    plan.daemon.start();
    let ended = run_without_trace(&plan, &["--check", "--log-level", "debug"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stdout.contains("127.0.0.2::silent: no answer within "), "{}", ended.stdout);
    assert!(ended.stdout.contains("127.0.0.1::module0 answers"), "{}", ended.stdout);
}

fn check_beside(mirror: &Mirror, file: &Path) -> Exit {
    let args = ["--check".into(), "-o".into(), file.as_os_str().to_owned()];
    let elsewhere = mirror.dir().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    crate::harness::run_to_end(&elsewhere, &args, &[])
}

#[test]
fn a_running_instance_is_told_and_not_disturbed() {
    let plan = plan();
    let file = plan.write_conf();
    let mirror = plan.start();
    let ended = check_beside(&mirror, &file);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let told = format!(": process {} runs with it; ", mirror.pid());
    assert!(ended.stdout.contains(&told), "{}", ended.stdout);
    fs::write(mirror.root.join("file"), "content").unwrap();
    mirror.equal();
}
