//! What fails is owed until it has arrived: the fail log, and a second instance that is refused.

use crate::deletion::{at_once, nothing_is_owed};
use crate::harness::{eventually, run_to_end, scratch, until, Mirror, Plan, DEADLINE};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::{chown, symlink, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

fn fail_log(mirror: &Mirror) -> PathBuf {
    mirror.dir().join("rsync_fail_log.sh")
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// A mirror whose remote has gone away, and what is owed since stands in the fail log.
fn owing(name: &str) -> Mirror {
    let mut plan = Plan::new();
    fs::create_dir_all(plan.root.join("gone/below")).unwrap();
    fs::write(plan.root.join("gone/below/file"), "content").unwrap();
    plan.conf.timeout_s = Some(5);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.daemon.stop();
    fs::write(mirror.root.join(name), "content").unwrap();
    fs::remove_dir_all(mirror.root.join("gone")).unwrap();
    eventually("what is owed is in the fail log", || {
        let text = text(&fail_log(&mirror));
        // Of the name only what is not escaped.
        text.contains("new") && text.contains("gone")
    });
    mirror
}

#[test]
fn the_fail_log_has_what_is_owed_and_is_empty_when_nothing_is() {
    let mut mirror = owing("new.txt");
    let path = fail_log(&mirror);
    let first = text(&path);
    assert!(first.starts_with("#errno ") && first.contains("\ncd "), "{first}");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    mirror.daemon.start();
    mirror.equal();
    eventually("the fail log is empty", || path.metadata().unwrap().len() == 0);
}

#[test]
fn the_fail_log_run_by_hand_repairs_the_remote() {
    for name in [
        "new $(touch pwned) `touch pwned`\".txt",
        "-new'; touch pwned; '$HOME\\",
        "new\ntouch pwned\n#.txt",
        "new *[a-z]? \\* !.txt",
    ] {
        let mut mirror = owing(name);
        // The program is stopped, so that only the script repairs.
        let path = fail_log(&mirror);
        mirror.halt_program();
        mirror.daemon.start();
        let run = Command::new("sh").arg(&path).current_dir(mirror.dir()).output().unwrap();
        assert!(run.status.success(), "{name}: {run:?}\n{}", text(&path));
        mirror.equal_within(DEADLINE, name);
        assert!(!mirror.dir().join("pwned").exists() && !mirror.root.join("pwned").exists());
    }
}

#[test]
fn what_an_earlier_run_was_owed_is_worked_off_after_the_start() {
    let mut mirror = owing("new.txt");
    mirror.halt_program();
    assert!(text(&fail_log(&mirror)).contains("new.txt"), "the end leaves what is owed");
    mirror.daemon.start();
    // Without -r: nothing but the fail log tells of what happened before.
    mirror.start_again(&[]);
    mirror.equal();
    eventually("the fail log is empty", || fail_log(&mirror).metadata().unwrap().len() == 0);
}

#[test]
fn records_of_the_original_are_worked_off() {
    let mut plan = Plan::new();
    plan.args.clear();
    plan.daemon.start();
    fs::write(plan.root.join("failed.txt"), "content").unwrap();
    fs::write(plan.remotes[0].join("deleted.txt"), "content").unwrap();
    let cd = format!("cd {} && rsync -artuz -R ", plan.root.display());
    let tail = format!("--port={}", plan.daemon.port());
    let to = "127.0.0.1::module0";
    let records = format!(
        "#errno 2560\n{cd} {tail} \"./failed.txt\" {to}\n\n\
         #errno 2560\n{cd} {tail} --delete ./   --include=\"deleted.txt\" --exclude=*  {to}\n\n"
    );
    let path = plan.conf.fail_log.clone();
    fs::write(&path, records).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let mirror = plan.start_without_daemon();
    eventually("the records are worked off", || {
        mirror.remotes[0].join("failed.txt").exists()
            && !mirror.remotes[0].join("deleted.txt").exists()
    });
    eventually("the fail log is empty", || path.metadata().unwrap().len() == 0);
}

#[test]
fn a_fail_log_that_is_not_safe_is_left_alone_and_said() {
    let link = |path: &Path, target: &Path| {
        fs::write(target, "precious").unwrap();
        symlink(target, path).unwrap();
    };
    let writable = |path: &Path, _: &Path| {
        fs::write(path, "touch pwned\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    };
    let foreign = |path: &Path, _: &Path| {
        fs::write(path, "touch pwned\n").unwrap();
        chown(path, Some(65534), None).unwrap();
    };
    type Make = fn(&Path, &Path);
    let cases: [(&str, Make); 3] = [
        ("is a symbolic link", link),
        ("can be written by others", writable),
        ("belongs to", foreign),
    ];
    for (words, make) in cases {
        let plan = Plan::new();
        let path = plan.conf.fail_log.clone();
        let target = plan.directory("target").join("file");
        make(&path, &target);
        let before = fs::read(&path).unwrap();
        let mut mirror = plan.start();
        assert!(mirror.log().contains(words), "{words}: {}", mirror.log());
        mirror.daemon.stop();
        fs::write(mirror.root.join("new"), "").unwrap();
        eventually("the remote fails", || mirror.log().contains("everything is kept"));
        mirror.daemon.start();
        mirror.equal();
        assert_eq!(fs::read(&path).unwrap(), before, "{words}");
    }
}

#[test]
fn a_directory_in_which_everybody_deletes_costs_the_fail_log_and_nothing_else() {
    let mut plan = Plan::new();
    let open = plan.directory("open");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    plan.conf.fail_log = open.join("rsync_fail_log.sh");
    let mut mirror = plan.start();
    let said = "everybody can replace the fail log";
    assert!(mirror.log().contains(said), "{}", mirror.log());
    mirror.daemon.stop();
    fs::write(mirror.root.join("new"), "").unwrap();
    eventually("the remote fails", || mirror.log().contains("everything is kept"));
    mirror.daemon.start();
    mirror.equal();
    let conf = mirror.dir().join("confxml.xml");
    let second = run_to_end(mirror.dir(), &["-o".into(), conf.into_os_string()], &[]);
    assert_eq!(second.code, Some(3), "{}", second.stderr);
    mirror.kill_program();
    mirror.start_again(&[]);
    mirror.equal();
    // The control socket may be there: each of its ends asks who the other one is.
    for entry in fs::read_dir(&open).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.file_type().unwrap().is_socket(), "{entry:?} can be replaced by everybody");
    }
}

#[test]
fn an_unreadable_file_holds_up_nothing_else_and_is_not_forgotten() {
    // root reads everything; a directory in the way over there is what it cannot write to.
    let mut plan = Plan::new();
    plan.conf.event("delete", false);
    let mirror = plan.start();
    fs::create_dir_all(mirror.remotes[0].join("blocked/full")).unwrap();
    fs::write(mirror.root.join("blocked"), "content").unwrap();
    eventually("it is said that not everything got through", || {
        mirror.log().contains("not everything got through")
    });
    for number in 0..3 {
        fs::write(mirror.root.join(format!("other{number}")), "content").unwrap();
    }
    eventually("the others arrive", || mirror.remotes[0].join("other2").exists());
    eventually("it is owed", || text(&fail_log(&mirror)).contains("blocked"));
    fs::remove_dir_all(mirror.remotes[0].join("blocked")).unwrap();
    mirror.equal();
    eventually("the fail log is empty", || fail_log(&mirror).metadata().unwrap().len() == 0);
}

#[test]
fn a_second_instance_is_refused_with_exit_code_3() {
    let mirror = Plan::new().start();
    let dir = scratch();
    let conf = mirror.dir().join("confxml.xml");
    for file in [conf.clone(), dir.path().join("other-name.xml")] {
        if file != conf {
            symlink(&conf, &file).unwrap();
        }
        let second = run_to_end(dir.path(), &["-o".into(), file.into_os_string()], &[]);
        assert_eq!(second.code, Some(3), "{}", second.stderr);
        let words = format!("already running with it, as process {}", mirror.pid());
        assert!(second.stderr.contains(&words), "{}", second.stderr);
    }
}

#[test]
fn the_scheduled_full_sync_mends_what_nobody_told_of_but_for_its_filter() {
    let mut plan = Plan::new();
    plan.args.clear();
    plan.conf.crontab = "<crontab start=\"true\" schedule=\"2s\"><crontabfilter start=\"true\">\
                      <exclude expression=\"*.php\"/></crontabfilter></crontab>"
        .to_string();
    let mirror = plan.start();
    eventually("the first scheduled sync", || mirror.log().contains("full sync, "));
    let far = &mirror.remotes[0];
    fs::write(far.join("extra"), "").unwrap();
    fs::write(far.join("extra.php"), "").unwrap();
    fs::remove_file(far.join("anchor")).unwrap();
    eventually("it is mended", || far.join("anchor").exists() && !far.join("extra").exists());
    assert!(far.join("extra.php").exists(), "crontabfilter leaves it alone");
}

/// rsync tells the name under which it could not even begin to receive, which is cut where it is too long, and may be
/// nothing but a suffix.
#[test]
fn what_is_named_by_its_temporary_name_alone_is_owed_among_others() {
    let names = [
        "plain".to_owned(),
        ".htaccess".into(),
        ".env".into(),
        "dot at its end.".into(),
        "a".repeat(255),
        "\u{4e2d}".repeat(85),
        format!("begins.{}", "\u{4e2d}".repeat(82)),
    ];
    let mut plan = Plan::new();
    plan.daemon.every_module("uid = nobody");
    plan.daemon.every_module("gid = nogroup");
    let far = plan.remotes[0].clone();
    plan.args.clear();
    plan.conf.params.push_str(" -O");
    chown(&far, Some(65534), None).unwrap();
    fs::create_dir(plan.root.join("closed")).unwrap();
    fs::create_dir(far.join("closed")).unwrap();
    let mirror = plan.start();
    at_once(&mirror, |root| {
        for name in &names {
            fs::write(root.join("closed").join(name), "content").unwrap();
        }
        fs::write(root.join("closed-not"), "content").unwrap();
    });
    eventually("what can arrive does", || far.join("closed-not").exists());
    until("what cannot is owed", DEADLINE, || {
        let owed = text(&fail_log(&mirror));
        let all = names.iter().all(|name| owed.contains(&format!("closed/{name}")));
        (all && !owed.contains("-not")).then_some(()).ok_or(owed)
    });
    chown(far.join("closed"), Some(65534), None).unwrap();
    eventually("all are there", || {
        kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGUSR2).unwrap();
        names.iter().all(|name| far.join("closed").join(name).exists())
    });
    nothing_is_owed(&mirror);
}
