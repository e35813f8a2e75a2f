//! Signals to a running program: full syncs, another try, another configuration.

use crate::harness::{
    eventually, free_port, run_to_end, Gate, Mirror, Plan, Rsync, Tree, DEADLINE,
};
use crate::status::get;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::net::TcpStream;

fn send(mirror: &Mirror, signal: Signal) {
    kill(Pid::from_raw(mirror.pid() as i32), signal).unwrap();
}

/// What is said when only parts of the configuration have changed; otherwise every root is watched again.
const COUNTS: &str = "what has changed in it counts from now on";

/// Writes another configuration and has it read; returns when it counts.
fn reload(mirror: &Mirror, conf: &str) {
    let counts = |log: &str| log.matches(COUNTS).count() + log.matches(": watching ").count();
    let before = counts(&mirror.log());
    fs::write(mirror.dir().join("confxml.xml"), conf).unwrap();
    send(mirror, Signal::SIGHUP);
    eventually("the configuration has been read again", || counts(&mirror.log()) > before);
}

/// As logrotate does it every day; returns when the program is done with it.
fn rotate(mirror: &Mirror) {
    let told = || mirror.log().matches("has been read again: it is the same").count();
    let before = told();
    send(mirror, Signal::SIGHUP);
    eventually("the configuration has been compared", || told() > before);
}

#[test]
fn sighup_with_the_same_configuration_disturbs_nothing() {
    let mut plan = Plan::new();
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let (script, told) =
        (plan.directory("plugin").join("script"), plan.directory("plugin").join("told"));
    fs::write(&script, format!("#!/bin/sh\nsleep 0.01\necho \"$1\" >>'{}'\n", told.display()))
        .unwrap();
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    plan.conf.plugin = "<plugin start=\"true\" name=\"command\"/>".to_string();
    plan.conf.blocks = format!(
        "<plugin name=\"command\"><param prefix=\"{}\" suffix=\"\" ignoreError=\"true\"/></plugin>\n",
        script.display()
    );
    // What is on its way goes on, and what waits behind it waits on.
    let mirror = sending(plan, &gate);
    rotate(&mirror);
    // A comment changes nothing that counts.
    let file = mirror.dir().join("confxml.xml");
    let conf = fs::read_to_string(&file).unwrap();
    fs::write(&file, conf.replace("<sersync>", "<!-- as it was -->\n<sersync>")).unwrap();
    rotate(&mirror);
    gate.release();
    mirror.equal();
    // Each notice comes, whatever is still in the queue.
    for number in 0..40 {
        fs::write(mirror.root.join(format!("file {number}")), "").unwrap();
    }
    mirror.equal();
    rotate(&mirror);
    eventually("the plugin is told of all", || {
        let told = fs::read_to_string(&told).unwrap_or_default();
        (0..40).all(|number| told.contains(&format!("/file {number}\n")))
    });
    let log = mirror.log();
    assert_eq!(log.matches(": watching ").count(), 1, "the root was read again: {log}");
    assert!(!log.contains("everything is kept"), "a transfer was ended: {log}");
}

#[test]
fn schedules_keep_their_next_time_at_sighup() {
    let mut plan = Plan::new();
    plan.args.clear();
    plan.conf.crontab = r#"<crontab start="true" schedule="2s"/>"#.into();
    let mirror = plan.start();
    eventually("the scheduled full sync runs in spite of many rotations", || {
        rotate(&mirror);
        mirror.log().contains(": full sync, ")
    });
}

#[test]
fn sigusr1_syncs_everything_at_once() {
    let mirror = Plan::new().start();
    mirror.equal();
    fs::write(mirror.remotes[0].join("only there"), "").unwrap();
    send(&mirror, Signal::SIGUSR1);
    mirror.equal();
}

#[test]
fn sigusr2_tries_what_is_owed_at_once() {
    let mut plan = Plan::new();
    plan.daemon.require("one", "secret");
    let password = plan.directory("private").join("password");
    fs::write(&password, "wrong\n").unwrap();
    fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    plan.conf.auth = Some(("one".into(), password.clone()));
    plan.await_full_sync = false;
    let mirror = plan.start();
    // After a refusal, the next try is a minute away.
    eventually("the remote refuses", || mirror.log().contains("everything is kept"));
    fs::write(&password, "secret\n").unwrap();
    send(&mirror, Signal::SIGUSR2);
    mirror.equal_within(DEADLINE, "long before the pause is over");
}

#[test]
fn a_new_configuration_brings_and_takes_remotes_and_roots() {
    let plan = Plan::with_remotes(2);
    let other_root = plan.directory("other root");
    fs::write(other_root.join("file"), "").unwrap();
    let both = plan.conf.clone();
    let mut first = both.clone();
    first.roots[0].remotes.truncate(1);
    let mut other = both.clone();
    other.roots[0].remotes.remove(0);
    let copy = plan.directory("copy");
    other.root(&other_root, &[("local".into(), copy.display().to_string())]);
    let mut mirror = plan.start();
    mirror.equal();
    let second = mirror.remotes.pop().unwrap();

    reload(&mirror, &first.to_string());
    let old = Tree::read_still(&second);
    fs::write(mirror.root.join("for the first"), "").unwrap();
    mirror.fence();
    assert_eq!(Tree::read_still(&second), old, "it is no remote any more");

    // The new one gets everything, as at a start with -r.
    mirror.remotes = vec![second];
    reload(&mirror, &other.to_string());
    mirror.equal();
    fs::write(other_root.join("later"), "").unwrap();
    eventually("the new root is synced", || Tree::compare(&other_root, &copy).is_ok());
}

#[test]
fn what_is_pending_outlives_a_new_configuration() {
    let mut plan = Plan::new();
    // Without -r, a deletion that is forgotten is never made up for.
    plan.args.clear();
    let mut conf = plan.conf.clone();
    let mut mirror = plan.start();
    fs::write(mirror.root.join("deleted"), "").unwrap();
    mirror.fence();
    mirror.daemon.stop();
    fs::remove_file(mirror.root.join("deleted")).unwrap();
    fs::write(mirror.root.join("written"), "").unwrap();
    eventually("the remote is down", || mirror.log().contains("everything is kept"));
    conf.params = "-art".into();
    reload(&mirror, &conf.to_string());
    mirror.daemon.start();
    let remote = mirror.remotes[0].clone();
    eventually("both arrive", || {
        remote.join("written").exists() && !remote.join("deleted").exists()
    });
}

#[test]
fn a_new_filter_counts_and_what_it_no_longer_leaves_out_arrives() {
    let mut plan = Plan::new();
    fs::write(plan.root.join("a.tmp"), "").unwrap();
    let open = plan.conf.clone();
    plan.conf.excludes = vec![r"(.*)\.tmp".into()];
    let closed = plan.conf.clone();
    let mirror = plan.start();
    mirror.fence();
    assert!(!mirror.remotes[0].join("a.tmp").exists());
    reload(&mirror, &open.to_string());
    mirror.equal();
    // What runs goes on with the filter that it has.
    eventually("the full sync is over", || mirror.log().matches(": full sync, ").count() == 2);
    reload(&mirror, &closed.to_string());
    fs::write(mirror.root.join("b.tmp"), "").unwrap();
    mirror.fence();
    assert!(!mirror.remotes[0].join("b.tmp").exists());
}

#[test]
fn a_broken_configuration_is_refused_and_the_old_one_stays() {
    let mirror = Plan::new().start();
    mirror.equal();
    let file = mirror.dir().join("confxml.xml");
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("<remote ", "<remtoe ")).unwrap();
    send(&mirror, Signal::SIGHUP);
    eventually("it is refused", || mirror.log().contains("the configuration stays as it was"));
    fs::write(mirror.root.join("still synced"), "").unwrap();
    mirror.equal();
    assert!(mirror.log().contains("confxml.xml:"), "{}", mirror.log());
}

#[test]
fn whoever_reloads_is_told_what_came_of_it() {
    let plan = Plan::new();
    let elsewhere = plan.directory("elsewhere");
    let mut mirror = plan.start();
    let file = mirror.dir().join("confxml.xml");
    let good = fs::read_to_string(&file).unwrap();
    let reload = || {
        let args = ["--reload".into(), "-o".into(), file.clone().into_os_string()];
        run_to_end(&elsewhere, &args, &[])
    };
    let done = reload();
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), "the configuration has been read again: it is the same\n")
    );
    fs::write(&file, good.replace("-artz", "-art")).unwrap();
    let changed = reload();
    assert_eq!(
        (changed.code, changed.stdout.as_str()),
        (Some(0), "the configuration has been read again\n")
    );
    eventually("it counts", || mirror.log().contains(COUNTS));

    // What only the instance can find is its answer: here, that the root has gone.
    fs::write(&file, good.replace("watch=\"", "watch=\"/nowhere")).unwrap();
    let refused = reload();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("does not exist"), "{refused:?}");
    assert!(refused.stderr.contains("the configuration stays as it was"), "{refused:?}");
    // A broken file needs no instance to be seen.
    fs::write(&file, good.replace("<remote ", "<remtoe ")).unwrap();
    let broken = reload();
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.stderr.contains("confxml.xml:"), "{broken:?}");
    fs::write(&file, &good).unwrap();
    fs::write(mirror.root.join("still synced"), "").unwrap();
    mirror.equal();

    // With another fail log it is asked at another place.
    fs::write(&file, good.replace("rsync_fail_log.sh", "other_fail_log.sh")).unwrap();
    send(&mirror, Signal::SIGHUP);
    eventually("all begins anew", || mirror.log().matches(": watching ").count() > 1);
    assert_eq!(reload().code, Some(0));
    fs::write(&file, &good).unwrap();
    send(&mirror, Signal::SIGHUP);
    eventually("and once more", || mirror.log().matches(": watching ").count() > 2);

    mirror.kill_program();
    let nobody = reload();
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.stderr.contains("no sersync that can be asked is running"), "{nobody:?}");
    // What was killed has left its socket, and the next instance takes the name over.
    mirror.start_again(&[]);
    assert_eq!(reload().code, Some(0));
}

/// Whether a remote has a file.
fn has(remote: &std::path::Path, name: &str) -> bool {
    remote.join(name).exists()
}

#[test]
fn a_remote_that_stays_keeps_its_transfer_and_its_root_is_not_read_again() {
    let mut plan = Plan::with_remotes(2);
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let both = plan.conf.clone();
    plan.conf.roots[0].remotes.truncate(1);
    let first = plan.conf.clone();
    let mut mirror = plan.start();
    let second = mirror.remotes.pop().unwrap();
    mirror.equal();
    gate.hold();
    fs::write(mirror.root.join("on its way"), "content").unwrap();
    gate.await_run();
    fs::write(mirror.root.join("behind it"), "content").unwrap();
    // A remote more, before the one that stays; its transfer goes on as if nothing had happened.
    let mut turned = both.clone();
    turned.roots[0].remotes.reverse();
    reload(&mirror, &turned.to_string());
    gate.release();
    mirror.equal();
    eventually("the new one has everything", || Tree::compare(&mirror.root, &second).is_ok());
    // And one less.
    gate.hold();
    fs::write(mirror.root.join("once more"), "content").unwrap();
    gate.await_run();
    reload(&mirror, &first.to_string());
    gate.release();
    mirror.equal();
    fs::write(mirror.root.join("later"), "content").unwrap();
    mirror.equal();
    let log = mirror.log();
    assert!(!has(&second, "later"), "it is no remote any more");
    assert_eq!(log.matches(": watching ").count(), 1, "the root was read again: {log}");
    assert!(!log.contains("everything is kept"), "a transfer was ended: {log}");
}

#[test]
fn what_a_remote_missed_while_it_was_no_remote_arrives_when_it_is_back() {
    for full_sync in [true, false] {
        let mut plan = Plan::with_remotes(2);
        if !full_sync {
            plan.args.clear();
        }
        let both = plan.conf.clone();
        let mut first = both.clone();
        first.roots[0].remotes.truncate(1);
        let mut mirror = plan.start();
        let second = mirror.remotes[1].clone();
        fs::write(mirror.root.join("gone"), "content").unwrap();
        mirror.fence();
        // It is owed something when it goes.
        mirror.daemon.stop();
        fs::write(mirror.root.join("owed"), "content").unwrap();
        fs::remove_file(mirror.root.join("gone")).unwrap();
        eventually("both are down", || mirror.log().matches("everything is kept").count() == 2);
        reload(&mirror, &first.to_string());
        mirror.daemon.start();
        send(&mirror, Signal::SIGUSR2);
        fs::write(mirror.root.join("missed"), "content").unwrap();
        eventually("the other one has it", || has(&mirror.remotes[0], "missed"));
        let fail_log = mirror.dir().join("rsync_fail_log.sh");
        eventually("nothing of it stays behind in the fail log", || {
            fs::read(&fail_log).is_ok_and(|text| text.is_empty())
        });
        assert!(!has(&second, "owed") && has(&second, "gone"));
        reload(&mirror, &both.to_string());
        eventually("it has all of it", || {
            ["owed", "missed"].iter().all(|name| has(&second, name)) && !has(&second, "gone")
        });
        let log = mirror.log();
        assert!(log.contains("module1: is no remote any more; what it is owed"), "{log}");
        assert!(log.contains("module1: is a remote again: a full sync"), "{log}");
        assert_eq!(log.matches(": watching ").count(), 1, "{log}");
    }
}

#[test]
fn what_runs_for_a_remote_that_was_taken_out_does_not_meet_it_when_it_is_back() {
    let mut plan = Plan::with_remotes(2);
    plan.conf.standby = r#"<standby start="false"/>"#.into();
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let both = plan.conf.clone();
    let mut first = both.clone();
    first.roots[0].remotes.truncate(1);
    let mirror = plan.start();
    mirror.equal();
    gate.hold();
    fs::write(mirror.root.join("on its way"), "content").unwrap();
    gate.await_run();
    reload(&mirror, &first.to_string());
    // Its run waits at the gate still, so all begins anew, and that run is ended.
    let watching = mirror.log().matches(": watching ").count();
    reload(&mirror, &both.to_string());
    assert!(mirror.log().matches(": watching ").count() > watching, "{}", mirror.log());
    gate.release();
    mirror.equal();
}

#[test]
fn a_remote_that_was_taken_out_is_known_after_a_restart() {
    let plan = Plan::with_remotes(2);
    let both = plan.conf.clone();
    let mut first = both.clone();
    first.roots[0].remotes.truncate(1);
    let mut mirror = plan.start();
    mirror.equal();
    let second = mirror.remotes.pop().unwrap();
    reload(&mirror, &first.to_string());
    fs::write(mirror.root.join("missed"), "content").unwrap();
    mirror.equal();
    mirror.halt_program();
    mirror.start_again(&[]);
    reload(&mirror, &both.to_string());
    eventually("it has what it missed", || has(&second, "missed"));
}

#[test]
fn parts_are_replaced_and_nothing_else_is_disturbed() {
    let mut plan = Plan::new();
    plan.args.clear();
    let told = plan.directory("told");
    plan.conf.crontab = r#"<crontab start="true" schedule="1h"/>"#.into();
    let mut conf = plan.conf.clone();
    let mut mirror = plan.start();
    mirror.fence();
    // The new one counts at once.
    conf.crontab = r#"<crontab start="true" schedule="1s"/>"#.into();
    reload(&mirror, &conf.to_string());
    eventually("the schedule is the new one", || mirror.log().contains(": full sync, "));
    conf.crontab = r#"<crontab start="true" schedule="1h"/>"#.into();
    conf.plugin = format!(
        "<plugin start=\"true\" name=\"command\"/>\n<alert command=\"echo >>{}/alert\"/>",
        told.display()
    );
    conf.blocks = format!(
        "<plugin name=\"command\"><param prefix=\"touch {}/plugin #\" suffix=\"\" ignoreError=\"true\"/>\
         </plugin>\n",
        told.display()
    );
    reload(&mirror, &conf.to_string());
    fs::write(mirror.root.join("new"), "content").unwrap();
    eventually("the plugin is told", || has(&told, "plugin"));
    mirror.daemon.stop();
    fs::write(mirror.root.join("newer"), "content").unwrap();
    eventually("the alert is told", || has(&told, "alert"));
    // Neither is there any more.
    (conf.plugin, conf.blocks) =
        (r#"<plugin start="false" name="command"/>"#.into(), String::new());
    reload(&mirror, &conf.to_string());
    fs::remove_file(told.join("plugin")).unwrap();
    mirror.daemon.start();
    send(&mirror, Signal::SIGUSR2);
    mirror.fence();
    assert!(!has(&told, "plugin"));
    assert_eq!(mirror.log().matches(": watching ").count(), 1, "{}", mirror.log());
}

/// A mirror with a run at the gate, and something behind it: both go on whatever is read again.
fn sending(plan: Plan, gate: &Gate) -> Mirror {
    let mirror = plan.start();
    mirror.equal();
    gate.hold();
    fs::write(mirror.root.join("on its way"), "content").unwrap();
    gate.await_run();
    fs::write(mirror.root.join("behind it"), "content").unwrap();
    mirror
}

/// How often a root has been read, by the log; no transfer was ended.
fn walks(mirror: &Mirror) -> usize {
    let log = mirror.log();
    assert!(!log.contains("everything is kept"), "a transfer was ended: {log}");
    log.matches(": watching ").count()
}

#[test]
fn a_root_that_comes_or_goes_disturbs_no_other() {
    let mut plan = Plan::new();
    plan.conf.status_port = free_port();
    let port = plan.conf.status_port;
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let one = plan.conf.clone();
    let (new, copy) = (plan.directory("new"), plan.directory("copy"));
    fs::create_dir(new.join("directory")).unwrap();
    fs::write(new.join("directory/file"), "content").unwrap();
    // It stands before the one that stays.
    let mut both = one.clone();
    both.root(&new, &[("local".into(), copy.display().to_string())]);
    both.roots.rotate_right(1);
    let mirror = sending(plan, &gate);
    reload(&mirror, &both.to_string());
    eventually("the new one is read", || walks(&mirror) == 2);
    gate.release();
    mirror.equal();
    eventually("the new one is synced", || Tree::compare(&new, &copy).is_ok());
    fs::write(new.join("directory/later"), "content").unwrap();
    fs::write(mirror.root.join("later"), "content").unwrap();
    mirror.equal();
    eventually("what changes in it as well", || Tree::compare(&new, &copy).is_ok());
    let shown = || get(port, "/status.txt").1;
    assert!(shown().contains(&new.display().to_string()), "{}", shown());

    // It goes, and what is sent of the other one goes on.
    gate.hold();
    fs::write(mirror.root.join("once more"), "content").unwrap();
    gate.await_run();
    reload(&mirror, &one.to_string());
    gate.release();
    fs::write(new.join("for nobody"), "content").unwrap();
    mirror.equal();
    mirror.fence();
    assert!(!has(&copy, "for nobody") && mirror.log().contains("/new: is no root any more"));
    assert!(!shown().contains(&new.display().to_string()), "{}", shown());
    assert_eq!(walks(&mirror), 2, "the one that stays is read once");

    // It comes back, and has what it missed.
    reload(&mirror, &both.to_string());
    eventually("it is synced again", || Tree::compare(&new, &copy).is_ok());
    mirror.equal();
    assert_eq!(walks(&mirror), 3);
}

#[test]
fn what_is_one_value_is_replaced_in_its_place() {
    let mut plan = Plan::new();
    plan.conf.status_port = free_port();
    let ports = [plan.conf.status_port, free_port()];
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let mut other = plan.conf.clone();
    other.status_port = ports[1];
    other.batch = r#"<batch quietMs="60000" maxDelayMs="60000"/>"#.into();
    other.standby = r#"<standby start="false"/>"#.into();
    other.safety = r#"<safety maxDelete="no"/>"#.into();
    let mirror = sending(plan, &gate);
    reload(&mirror, &other.to_string());
    assert!(TcpStream::connect(("127.0.0.1", ports[0])).is_err(), "nobody listens any more");
    assert!(get(ports[1], "/status.txt").1.contains("sersync"));
    gate.release();
    eventually("what was on its way arrives", || has(&mirror.remotes[0], "on its way"));
    assert!(!has(&mirror.remotes[0], "behind it"), "a batch waits for a minute now");
    other.batch.clear();
    other.status_port = 0;
    reload(&mirror, &other.to_string());
    mirror.equal();
    assert!(TcpStream::connect(("127.0.0.1", ports[1])).is_err(), "there is no page any more");
    assert_eq!(walks(&mirror), 1, "the root was read again");
}

#[test]
fn another_filter_or_other_events_end_no_transfer() {
    let mut plan = Plan::new();
    // What was left out before is sent when it changes, and not for the filter's sake.
    plan.args.clear();
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    let mut other = plan.conf.clone();
    plan.conf.excludes = vec!["old/(.*)".into()];
    other.excludes = vec!["new/(.*)".into()];
    other.event("attrib", true);
    for name in ["old", "new"] {
        fs::create_dir(plan.root.join(name)).unwrap();
    }
    let mirror = plan.start();
    let remote = mirror.remotes[0].clone();
    fs::write(mirror.root.join("new/before"), "content").unwrap();
    fs::write(mirror.root.join("old/before"), "content").unwrap();
    eventually("what is not left out is sent", || has(&remote, "new/before"));
    gate.hold();
    fs::write(mirror.root.join("on its way"), "content").unwrap();
    gate.await_run();
    reload(&mirror, &other.to_string());
    eventually("the root is read with the new one", || walks(&mirror) == 2);
    for name in ["old", "new"] {
        fs::write(mirror.root.join(name).join("after"), "content").unwrap();
    }
    gate.release();
    mirror.fence();
    assert!(has(&remote, "on its way") && has(&remote, "old/after"));
    assert!(!has(&remote, "new/after"), "it is left out now");
    assert_eq!(walks(&mirror), 2);
    assert!(mirror.log().contains(COUNTS), "everything began anew: {}", mirror.log());
}
