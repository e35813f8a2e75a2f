//! Plugins: they are told of what has arrived, once, and hold nothing up.

use super::harness::{eventually, run_to_end, until, Plan, DEADLINE};
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{channel, Receiver};

/// Has the `command` plugin write a line for each path: the event, the path below the root, and
/// whether it is in each of `remotes` then. Gives the file.
fn command_into_file(plan: &mut Plan, remotes: &[PathBuf]) -> PathBuf {
    let dir = plan.directory("plugin");
    let (script, seen) = (dir.join("script"), dir.join("seen"));
    let looks: String = remotes
        .iter()
        .map(|remote| format!("[ -e '{}/'\"$path\" ] && line=\"$line there\"\n", remote.display()))
        .collect();
    let text = format!(
        "#!/bin/sh\npath=${{1#\"$SERSYNC_ROOT\"/}}\nline=\"$SERSYNC_EVENT $path\"\n{looks}\
         [ \"$1\" = \"$SERSYNC_PATH\" ] && echo \"$line\" >>'{}'\nexit 0\n",
        seen.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    plan.conf.plugin = "<plugin start=\"true\" name=\"command\"/>".to_string();
    plan.conf.blocks = format!(
        "<plugin name=\"command\"><param prefix=\"{}\" suffix=\"\" ignoreError=\"true\"/></plugin>\n",
        script.display()
    );
    seen
}

fn lines(seen: &Path) -> Vec<String> {
    let mut lines: Vec<_> =
        fs::read_to_string(seen).unwrap_or_default().lines().map(String::from).collect();
    lines.sort();
    lines
}

fn are(seen: &Path, expected: &[&str]) {
    until("the plugin is told", DEADLINE, || {
        let lines = lines(seen);
        if lines == expected {
            Ok(())
        } else {
            Err(format!("it was told {lines:?}"))
        }
    });
}

/// Takes connections and gives what each was used for.
fn listener() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut text = String::new();
            stream.unwrap().read_to_string(&mut text).unwrap();
            if tell.send(text).is_err() {
                return;
            }
        }
    });
    (port, told)
}

#[test]
fn each_path_is_told_once_when_every_remote_has_it() {
    let mut plan = Plan::with_remotes(2);
    let remotes = plan.remotes.clone();
    let seen = command_into_file(&mut plan, &remotes);
    fs::create_dir(plan.root.join("d")).unwrap();
    let mirror = plan.start();
    fs::write(mirror.root.join("d/a `id` \"b'"), "content").unwrap();
    let told = ["upsert d/a `id` \"b' there there"];
    are(&seen, &told);
    fs::remove_file(mirror.root.join("d/a `id` \"b'")).unwrap();
    are(&seen, &[&["delete d/a `id` \"b'"][..], &told].concat());
    // What was there before the start is in the full sync of -r alone: `anchor` was never told of.
}

#[test]
fn a_remote_that_is_down_is_not_waited_for_and_what_it_gets_later_is_not_told_again() {
    let mut plan = Plan::new();
    let near = plan.directory("near");
    plan.conf.roots[0].remotes.push(("local".to_string(), near.display().to_string()));
    plan.remotes.push(near.clone());
    let seen = command_into_file(&mut plan, &[near]);
    let mut mirror = plan.start();
    mirror.daemon.stop();
    fs::write(mirror.root.join("one"), "content").unwrap();
    are(&seen, &["upsert one there"]);
    mirror.daemon.start();
    mirror.equal();
    fs::write(mirror.root.join("two"), "content").unwrap();
    are(&seen, &["upsert one there", "upsert two there"]);
}

#[test]
fn a_server_that_never_answers_holds_up_neither_the_sync_nor_the_end() {
    let mut plan = Plan::new();
    // Connections are taken by the kernel and never answered.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = hole.local_addr().unwrap().port();
    plan.conf.plugin = "<plugin start=\"true\" name=\"http\"/>".to_string();
    plan.conf.blocks = format!(
        "<plugin name=\"http\"><localpath watch=\"{}\"><deshost url=\"127.0.0.1\" port=\"{port}\"/>\
         </localpath></plugin>\n",
        plan.root.display()
    );
    let mirror = plan.start();
    for number in 0..20 {
        fs::write(mirror.root.join(format!("file{number}")), "content").unwrap();
        mirror.equal();
    }
    assert!(!mirror.log().contains("was not told of"), "{}", mirror.log());
}

#[test]
fn a_server_that_is_gone_is_said_once() {
    let mut plan = Plan::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    plan.conf.plugin = "<plugin start=\"true\" name=\"socket\"/>".to_string();
    plan.conf.blocks = format!(
        "<plugin name=\"socket\"><localpath watch=\"{}\"><deshost ip=\"::1\" port=\"{port}\"/>\
         </localpath></plugin>\n",
        plan.root.display()
    );
    let mirror = plan.start();
    fs::write(mirror.root.join("new"), "content").unwrap();
    let path = mirror.root.join("new");
    let expected = format!("plugin socket: {} was not told of: no connection: ", path.display());
    eventually("it is said", || mirror.log().contains(&expected));
}

#[test]
fn alone_a_plugin_needs_no_rsync_and_watches_its_own_directory() {
    let mut plan = Plan::new();
    let own = plan.directory("own");
    fs::create_dir(own.join("d")).unwrap();
    let (port, told) = listener();
    plan.conf.blocks = format!(
        "<plugin name=\"socket\"><localpath watch=\"{}/\"><deshost ip=\"127.0.0.1\" \
         port=\"{port}\"/></localpath></plugin>\n",
        own.display()
    );
    plan.await_full_sync = false;
    plan.args = vec!["-m".into(), "socket".into()];
    plan.variables.push(("PATH".to_string(), "/nowhere".to_string()));
    let mirror = plan.start_without_daemon();
    assert!(mirror.stdout().contains(&format!("watch path is: {}\n", own.display())));
    fs::write(mirror.root.join("elsewhere"), "content").unwrap();
    let next = |expected: &str| {
        let path = told.recv_timeout(DEADLINE).unwrap();
        assert_eq!(path, own.join(expected).display().to_string());
    };
    fs::write(own.join("d/new"), "content").unwrap();
    next("d/new");
    fs::remove_file(own.join("d/new")).unwrap();
    next("d/new");
    fs::create_dir(own.join("e")).unwrap();
    next("e");
    let fail_log = mirror.dir().join("rsync_fail_log.sh");
    assert!(!fail_log.exists(), "nothing is owed to anybody");
}

#[test]
fn what_cannot_be_meant_is_an_error_at_start() {
    let mut plan = Plan::new();
    let root = plan.root.clone();
    let blocks = |watch: &str, url: &str| {
        format!(
            "<plugin name=\"http\"><localpath watch=\"{watch}\"><deshost url=\"{url}\" port=\"80\"/>\
             </localpath></plugin>\n"
        )
    };
    let inside = root.display().to_string();
    for (blocks, args, expected) in [
        (
            blocks("/elsewhere", "h"),
            &[][..],
            ":5: found the plugin http turned on for /elsewhere, expected",
        ),
        (
            blocks(&inside, "https://h/"),
            &[],
            "found url=\"https://h/\" in <deshost>, expected a host",
        ),
        (blocks(&inside, "h"), &["-m", "socket"], "found no <plugin name=\"socket\">"),
        (blocks("/nowhere", "h"), &["-m", "http"], "watch=\"/nowhere\" does not exist"),
    ] {
        plan.conf.plugin = match args {
            [] => "<plugin start=\"true\" name=\"http\"/>".to_string(),
            _ => String::new(),
        };
        plan.conf.blocks = blocks;
        let conf = plan.write_conf();
        let mut args: Vec<_> = args.iter().map(std::ffi::OsString::from).collect();
        args.extend(["-o".into(), conf.clone().into_os_string()]);
        let ended = run_to_end(conf.parent().unwrap(), &args, &[]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{expected}: {}", ended.stderr);
    }
}
