//! A program that has nothing to do: it is not woken, whatever is turned on, and needs little memory.

use crate::harness::{eventually, free_port, rest_for, switches, Mirror, Plan};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// So long nothing may happen: this is about a minute, and not about how fast anything is.
const MINUTE: Duration = Duration::from_secs(60);
/// A program that has done nothing for so long has come to rest.
const AT_REST: Duration = Duration::from_secs(3);
/// What it may have in memory beside its own file and the C library's, in KiB: 8 remotes, everything on, built
/// for debugging. Of the program that users run docs/OPERATIONS.md has the figures.
const OWN_KIB_MAX: u64 = 2 * 1024;

/// What other tests mount is nothing to this one, and wakes it if it is seen.
fn by_itself(plan: &mut Plan) {
    plan.how.behind = ["unshare", "-m"].map(Into::into).to_vec();
}

/// As little as possible.
fn plain() -> Mirror {
    let mut plan = Plan::local();
    by_itself(&mut plan);
    plan.conf.standby = r#"<standby start="false"/>"#.into();
    plan.args.clear();
    let mirror = plan.start();
    fs::write(mirror.root.join("anchor"), "changed").unwrap();
    mirror.equal();
    mirror
}

/// Eight remotes with a standby for each, a schedule, a plugin, an alert, the status page, which somebody has
/// looked at, a log file, and a fail log that was written to.
fn everything_on() -> Mirror {
    let mut plan = Plan::with_remotes(8);
    by_itself(&mut plan);
    plan.conf.status_port = free_port();
    let port = plan.conf.status_port;
    plan.conf.standby = r#"<standby start="true" seconds="always"/>"#.into();
    plan.conf.crontab = r#"<crontab start="true" schedule="600"/>"#.into();
    plan.conf.plugin = r#"<plugin start="true" name="command"/><alert command="true"/>"#.into();
    plan.conf.blocks = r#"<plugin name="command"><param prefix="true" suffix=""/></plugin>"#.into();
    plan.args.extend(["--log-file".into(), plan.directory("log").join("log").into_os_string()]);
    plan.await_full_sync = false;
    let mut mirror = plan.start();
    mirror.equal();
    mirror.daemon.stop();
    fs::write(mirror.root.join("owed"), "for a while").unwrap();
    let fail_log = mirror.dir().join("rsync_fail_log.sh");
    let owed = || fs::read_to_string(&fail_log).unwrap_or_default();
    eventually("it is in the fail log", || owed().contains("127.0.0.1::module7"));
    mirror.daemon.start();
    mirror.equal();
    eventually("nothing is owed", || owed().is_empty());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    mirror
}

#[test]
fn nothing_wakes_an_idle_program_for_a_minute() {
    let mirrors = [plain(), everything_on()];
    let pids = mirrors.each_ref().map(Mirror::pid);
    rest_for(&pids, AT_REST);
    let before = pids.map(switches);
    std::thread::sleep(MINUTE);
    assert_eq!(pids.map(switches), before, "it was woken");
    assert!(before.iter().all(|count| *count > 10), "it has done something before");
    let status = fs::read_to_string(format!("/proc/{}/status", pids[1])).unwrap();
    let kib = |name: &str| -> u64 {
        let found = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        found.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    };
    println!("{} KiB, of which {} KiB its own", kib("VmRSS"), kib("RssAnon"));
    assert!(kib("RssAnon") <= OWN_KIB_MAX, "{} KiB", kib("RssAnon"));
    for mirror in &mirrors {
        fs::write(mirror.root.join("later"), "it is still there").unwrap();
        mirror.equal();
    }
}
