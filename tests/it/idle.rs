//! A program that has nothing to do: it is not woken, whatever is turned on, and needs little memory.

use crate::harness::{binary, eventually, free_port, memory_kib, rest_for, switches, Mirror, Plan};
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// So long nothing may happen: this is about a minute, and not about how fast anything is.
const MINUTE: Duration = Duration::from_secs(60);
/// A program that has done nothing for so long has come to rest.
const AT_REST: Duration = Duration::from_secs(3);
/// What it may have in memory beside its own file and the C library's, in KiB: 8 remotes, everything on, built
/// for debugging. Of the program that users run docs/OPERATIONS.md has the figures.
const OWN_KIB_MAX: u64 = 2 * 1024;
/// What a static program may have in memory at all, in KiB, with a small tree: a goal of the project.
const STATIC_KIB_MAX: u64 = 2 * 1024;
/// Every program that users get is smaller than this, the largest limit of scripts/build-static.sh, and every
/// one built for debugging is larger.
const SHIPPED_BYTES_MAX: usize = 1150 * 1024;
/// What a program names that needs the C library of the machine.
const INTERPRETERS: [&[u8]; 2] = [b"/ld-linux", b"/ld-musl"];

/// In a mount namespace of its own: what other tests mount would wake the program.
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

/// Whether the program under test is a static one as users get it: then this looks at all of its memory.
fn is_shipped() -> bool {
    let program = fs::read(binary()).unwrap();
    let names = |name: &[u8]| program.windows(name.len()).any(|bytes| bytes == name);
    program.len() <= SHIPPED_BYTES_MAX && !INTERPRETERS.into_iter().any(names)
}

#[test]
fn nothing_wakes_an_idle_program_for_a_minute() {
    let mirrors = [plain(), everything_on()];
    let pids = mirrors.each_ref().map(Mirror::pid);
    rest_for(&pids, AT_REST);
    let before = pids.map(switches);
    for mirror in &mirrors {
        // What happens beside the way to a root is nothing to it.
        fs::set_permissions(mirror.dir().join("confxml.xml"), Permissions::from_mode(0o600))
            .unwrap();
    }
    std::thread::sleep(MINUTE);
    assert_eq!(pids.map(switches), before, "it was woken");
    assert!(before.iter().all(|count| *count > 10), "it has done something before");
    let [all, own] = ["VmRSS", "RssAnon"].map(|line| pids.map(|pid| memory_kib(pid, line)));
    println!("{all:?} KiB, of which {own:?} KiB their own");
    assert!(own[1] <= OWN_KIB_MAX, "{own:?} KiB");
    assert!(!is_shipped() || all[0] <= STATIC_KIB_MAX, "{all:?} KiB");
    for mirror in &mirrors {
        fs::write(mirror.root.join("later"), "it is still there").unwrap();
        mirror.equal();
    }
}
