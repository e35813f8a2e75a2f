//! Whose fail log it is: own records, another configuration's, and one that is refused.

use crate::harness::{eventually, run_to_end, until, Exit, Mirror, Plan, DEADLINE};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Runs the program beside the one of a mirror, with its configuration.
fn ask(dir: &Path, option: &str) -> Exit {
    let elsewhere = dir.join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let file = dir.join("confxml.xml").into_os_string();
    run_to_end(&elsewhere, &[option.into(), "-o".into(), file], &[])
}

/// What is beside the fail log because another instance has that.
fn aside(path: &Path) -> Option<PathBuf> {
    let start = format!("{}.", path.file_name().unwrap().display());
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let is_script = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "sh");
    entries
        .filter(is_script)
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&start))
}

fn owes(mirror: &Mirror, name: &str, file: &Path) {
    fs::write(mirror.root.join(name), "content").unwrap();
    until(&format!("{name} stands in {}", file.display()), DEADLINE, || {
        let text = text(file);
        text.contains(&format!("/{name}\"")).then_some(()).ok_or(text)
    });
}

#[test]
fn two_configurations_with_one_fail_log_do_not_disturb_each_other() {
    let (first, mut second) = (Plan::new(), Plan::new());
    let shared = first.conf.fail_log.clone();
    second.conf.fail_log = shared.clone();
    second.write_conf();
    let (mut first, mut second) = (first.start(), second.start());
    [&mut first, &mut second].into_iter().for_each(|mirror| mirror.daemon.stop());
    // Neither had anything in it; now the first one has, and the second finds it in use.
    owes(&first, "of the first", &shared);
    fs::write(second.root.join("of the second"), "content").unwrap();
    eventually("the second one has a file of its own", || aside(&shared).is_some());
    let own = aside(&shared).unwrap();
    owes(&second, "of the second", &own);
    assert!(second.log().contains("is in use by another sersync; what this one owes stands in"));
    let shown = ask(second.dir(), "--status").stdout;
    assert!(shown.contains("fail log  1 command"), "{shown}");
    second.halt_program();
    let checked = ask(second.dir(), "--check");
    assert!(checked.stdout.contains("which runs with another configuration"), "{checked:?}");
    // In the other order, without anything else that tells what is owed.
    first.halt_program();
    for entry in fs::read_dir(first.dir()).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|ending| ending == "state") {
            fs::remove_file(entry).unwrap();
        }
    }
    second.start_again(&[]);
    first.start_again(&[]);
    [&mut first, &mut second].into_iter().for_each(|mirror| mirror.daemon.start());
    [&first, &second].into_iter().for_each(Mirror::equal);
    let owes = |path: &Path| text(path).lines().any(|line| line.starts_with("#errno"));
    eventually("nothing is owed by either", || {
        !owes(&shared) && !aside(&shared).is_some_and(|own| owes(&own))
    });
}

#[test]
fn the_roots_own_attributes_are_worked_off_however_they_were_written() {
    let mut plan = Plan::new();
    plan.args.clear();
    plan.await_full_sync = false;
    plan.daemon.start();
    fs::write(plan.root.join("failed.txt"), "content").unwrap();
    let (root, port) = (plan.root.display(), plan.daemon.port());
    let record = |include: &str| {
        format!(
            "#errno 5888\ncd {root} && rsync -artz -r -c {include} --exclude=\"*\" ./ \
             --sockopts=TCP_NODELAY --port={port} 127.0.0.1::module0\n\n"
        )
    };
    let unread = record("--include=\"/failed.txt\"").replace('\n', "\n#unread ");
    let records = format!("{}#unread {unread}\n\n", record("--include=\"/.\""));
    let path = plan.conf.fail_log.clone();
    fs::write(&path, records).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    let mirror = plan.start_without_daemon();
    eventually("what was taken for another's is worked off", || {
        mirror.remotes[0].join("failed.txt").exists()
    });
    until("the fail log is empty", DEADLINE, || {
        let text = text(&path);
        text.is_empty().then_some(()).ok_or(text)
    });
}

#[test]
fn a_refused_fail_log_is_shown_with_what_to_do() {
    for has_port in [true, false] {
        let mut plan = Plan::new();
        if has_port {
            plan.conf.status_port = crate::harness::free_port();
        }
        let path = plan.conf.fail_log.clone();
        fs::write(&path, "#errno 256\ncd /w && rsync x\n\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let mirror = plan.start();
        let command = format!("chmod 700 {}", path.display());
        assert!(mirror.log().contains(&command), "{}", mirror.log());
        until("--status says so", DEADLINE, || {
            let ended = ask(mirror.dir(), "--status");
            let words = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            let fits = ended.code == Some(1)
                && words.contains("fail log not used:")
                && words.contains(&command)
                && !words.contains("empty");
            fits.then_some(()).ok_or(format!("{ended:?}"))
        });
        let json = ask(mirror.dir(), "--json");
        assert_ne!(json.code, Some(0), "{json:?}");
        mirror.equal();
    }
}
