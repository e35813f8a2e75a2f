//! How far long work has come, and what was sent: in the status, in the log, on a terminal.

use crate::harness::{
    eventually, free_port, in_background, run_to_end, terminal, until, Gate, Json, Mirror, Plan,
    Rsync, Version, DEADLINE,
};
use nix::fcntl::{fcntl, FcntlArg, OFlag};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::Duration;

/// What a terminal gets before each drawing of the line, and before what is written in its place.
const WIPE: &str = "\r\x1b[K";
/// What stands before a line that must not be continued in the next one.
const DRAWN: &str = "\x1b[?7l";

/// A plan whose full sync takes some seconds: so many files of 500,000 bytes, 1,000 KiB a second. Its
/// rsync is today's, whatever all tests are run with: before 3.1.0 none says how far it has come.
fn slow(mut plan: Plan, files: usize) -> (Plan, u16) {
    plan.rsync_here(None);
    for number in 0..files {
        fs::write(plan.root.join(format!("file{number}")), noise(500_000)).unwrap();
    }
    plan.conf.params = "-artz --bwlimit=1000".into();
    plan.conf.status_port = free_port();
    plan.await_full_sync = false;
    let port = plan.conf.status_port;
    (plan, port)
}

/// Bytes that nothing makes shorter.
fn noise(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}

fn json(port: u16) -> Json {
    let mut stream = until("the status server listens", DEADLINE, || {
        TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
    });
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"GET /status.json HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Json::parse(answer.split_once("\r\n\r\n").unwrap().1)
}

/// The lines of `--status`.
fn status(mirror: &Mirror) -> String {
    let dir = mirror.dir().join("asking");
    fs::create_dir_all(&dir).unwrap();
    let file = mirror.dir().join("confxml.xml").into_os_string();
    run_to_end(&dir, &["--status".into(), "-o".into(), file], &[]).stdout
}

#[test]
fn a_full_sync_shows_how_far_it_has_come_and_what_it_has_sent() {
    let (plan, port) = slow(Plan::new(), 10);
    let mirror = plan.start();
    let mut last = 0.0;
    for percent in [20.0, 50.0] {
        let all = until(&format!("{percent}% are done"), DEADLINE, || {
            let all = json(port);
            let course = all.at("remotes/0/full_sync");
            let has_come = *course != Json::Null && *course.at("percent") != Json::Null;
            let far = has_come && course.number("percent") >= percent;
            far.then_some(all.clone()).ok_or(format!("{course:?}"))
        });
        let course = all.at("remotes/0/full_sync");
        assert!(course.number("bytes") > last && course.number("bytes") <= 5_000_020.0);
        last = course.number("bytes");
        assert!(course.number("files") >= 1.0 && course.number("files") < 11.0, "{course:?}");
        assert!(course.number("checked") < course.number("total"), "{course:?}");
        // The root, the anchor, the files.
        assert_eq!(course.number("total"), 12.0);
        assert!(course.number("bytes_per_s") > 0.0 && course.number("left_s") > 0.0, "{course:?}");
        assert_eq!(all.text("remotes/0/job/kind"), "full_sync");
    }
    let text = status(&mirror);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let line = text.lines().find(|line| line.contains("full sync, under way for"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("%, ") && line.contains(" files, ") && line.contains("iB/s, "), "{line}");
    assert!(text.contains(" left\n"), "{text}");
    mirror.equal();
    eventually("it is over", || json(port).number("remotes/0/full_syncs_total") == 1.0);
    let all = json(port);
    assert_eq!(all.at("remotes/0/full_sync"), &Json::Null);
    let anchor = fs::metadata(mirror.root.join("anchor")).unwrap().len();
    assert_eq!(all.number("remotes/0/literal_bytes_total"), (5_000_000 + anchor) as f64);
    assert_eq!(all.number("remotes/0/literal_bytes_last_minute"), (5_000_000 + anchor) as f64);
    assert!(mirror.log().contains(": full sync, 4.7 MiB, "), "{}", mirror.log());
}

#[test]
fn a_full_sync_by_an_old_rsync_shows_for_how_long_and_what_it_has_sent() {
    let (mut plan, port) = slow(Plan::new(), 3);
    plan.rsync_here(Some(Version::V3_0_9));
    let mirror = plan.start();
    eventually("it is under way", || *json(port).at("remotes/0/job") != Json::Null);
    let before = json(port).number("remotes/0/job/for_s");
    eventually("that is shown", || json(port).number("remotes/0/job/for_s") > before);
    assert_eq!(json(port).at("remotes/0/full_sync"), &Json::Null);
    let text = status(&mirror);
    let line = text.lines().find(|line| line.contains("full sync, under way for")).unwrap();
    assert!(!line.contains(':'), "{line}");
    mirror.equal();
    eventually("it is over", || json(port).number("remotes/0/full_syncs_total") == 1.0);
    assert!(json(port).number("remotes/0/literal_bytes_total") > 1_500_000.0);
}

#[test]
fn the_log_tells_of_a_long_full_sync_every_thirty_seconds() {
    let (plan, _) = slow(Plan::local(), 68);
    let mirror = plan.start();
    let said = "the full sync has been under way for 30 s: ";
    let long = Duration::from_secs(30) + DEADLINE;
    let line = until("the log says so", long, || {
        let log = mirror.log();
        log.lines().find(|line| line.contains(said)).map(String::from).ok_or(log)
    });
    let course = line.split_once(said).unwrap().1;
    assert!(course.contains("%, ") && course.ends_with(" left"), "{line}");
    assert!(!mirror.log().contains('\x1b'), "a file is no terminal");
    mirror.equal_within(long, "");
}

#[test]
fn each_batch_tells_how_many_bytes_it_sent_whatever_the_user_wants_to_see() {
    for params in ["", "-q", "-hh", "-vv", "-P", "--stats --human-readable", "--out-format=%n%L"] {
        let mut plan = Plan::new();
        plan.conf.params = format!("-artz {params}");
        plan.conf.status_port = free_port();
        let port = plan.conf.status_port;
        let mirror = plan.start();
        let sent = || json(port).number("remotes/0/literal_bytes_total");
        let before = sent();
        // The first one by a run of its own, the second by the standby.
        for (name, bytes) in [("Literal data: 9 bytes", 100_000), ("more", 1_000_000)] {
            let before = sent();
            fs::write(mirror.root.join(name), noise(bytes)).unwrap();
            eventually(&format!("{name} is counted with {params}"), || sent() > before);
            assert_eq!(sent() - before, bytes as f64, "{params}");
        }
        eventually("the log says so", || {
            let log = mirror.log();
            log.contains(": 1 path, 97 KiB, ") && log.contains(": 1 path, 976 KiB, ")
        });
        // What the other side has is not sent again.
        let changed = mirror.root.join("more");
        OpenOptions::new().append(true).open(&changed).unwrap().write_all(b"end").unwrap();
        eventually("the end is counted", || sent() > before + 1_100_000.0);
        assert!(sent() - before - 1_100_000.0 < 10_000.0, "{}", sent());
    }
}

#[test]
fn what_rsync_does_not_say_is_not_known() {
    let mut plan = Plan::new();
    // No older one has the option, and the far side is told of it.
    plan.rsync_here(None);
    plan.daemon.is_of(None);
    plan.conf.params = "-artz --info=none".into();
    plan.conf.status_port = free_port();
    let port = plan.conf.status_port;
    let mirror = plan.start();
    fs::write(mirror.root.join("new"), "content").unwrap();
    mirror.equal();
    eventually("it is counted", || json(port).number("remotes/0/paths_total") == 1.0);
    assert_eq!(json(port).number("remotes/0/literal_bytes_total"), 0.0);
    let line = mirror.log().lines().find(|line| line.contains(": 1 path, ")).unwrap().to_string();
    assert!(!line.contains(" B, "), "{line}");
}

/// The program on a terminal of its own.
struct OnTerminal {
    child: Child,
    master: File,
    seen: Vec<u8>,
}

impl OnTerminal {
    /// The program as it would be typed in the directory of its configuration.
    fn start(plan: &Plan, typed: &str) -> OnTerminal {
        let terminal = terminal();
        let ours = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut command =
            in_background(&plan.directory(""), &format!("exec setsid --ctty {typed}"));
        command.envs(plan.variables.iter().cloned()).env("TERM", "xterm");
        command.stdin(ours()).stdout(ours()).stderr(ours());
        let child = command.spawn().unwrap();
        fcntl(&terminal.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        OnTerminal { child, master: terminal.master.into(), seen: Vec::new() }
    }

    /// Everything that was written to it so far.
    fn seen(&mut self) -> String {
        // Nothing more, or at its end an error.
        let _ = self.master.read_to_end(&mut self.seen);
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    fn shows(&mut self, what: &str) {
        until(&format!("the terminal shows {what:?}"), DEADLINE, || {
            let seen = self.seen();
            seen.contains(what).then_some(()).ok_or(seen)
        });
    }

    /// Somebody types Ctrl-C.
    fn interrupt(&mut self) {
        self.master.write_all(b"\x03").unwrap();
        let status = until("it ends", DEADLINE, || {
            self.seen();
            self.child.try_wait().unwrap().ok_or("it is still running".to_string())
        });
        assert_eq!(status.code(), Some(0), "{}", self.seen());
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_terminal_sees_one_line_that_is_drawn_again_until_the_full_sync_is_over() {
    let (plan, _) = slow(Plan::local(), 6);
    plan.write_conf();
    let mut program = OnTerminal::start(&plan, "{} -r -o confxml.xml");
    program.shows(": full sync, ");
    let seen = program.seen();
    let (before, after) = seen.split_once(": full sync, ").unwrap();
    let drawings = before.matches(DRAWN).count();
    assert!(drawings >= 3, "{before}");
    assert_eq!(before.matches(&format!("{WIPE}{DRAWN}")).count(), drawings, "{before}");
    assert!(before.contains("%, ") && before.contains(" left"), "{before}");
    // No line of the log begins behind it, and none tells the same.
    let (_, line) = before.rsplit_once(WIPE).unwrap();
    assert!(line.starts_with("INFO "), "{before}");
    assert!(!seen.contains("under way") && !after.contains(DRAWN), "{seen}");
    // After a further line of the log nothing is drawn either.
    fs::write(plan.root.join("new"), "content").unwrap();
    program.shows(": 1 path, 7 B, ");
    program.interrupt();
    assert_eq!(program.seen().matches(DRAWN).count(), drawings);
}

#[test]
fn a_terminal_sees_the_walk_and_what_is_printed_meanwhile() {
    let mut plan = Plan::local();
    plan.conf.status_port = free_port();
    let (second, copy) = (plan.directory("second"), plan.directory("second copy"));
    for number in 0..80_000 {
        fs::create_dir(second.join(format!("{number}"))).unwrap();
    }
    plan.conf.root(&second, &[("local".to_string(), copy.display().to_string())]);
    let gate = Gate::before(&mut plan, Rsync::AsInstalled);
    plan.write_conf();
    // Beside the walk there is nothing at first, and then a full sync of the first root.
    for (typed, beside) in [("{} -o confxml.xml", ""), ("{} -r -o confxml.xml", " (+ 1)")] {
        gate.hold();
        let mut program = OnTerminal::start(&plan, typed);
        // On any machine: the full sync runs for a small part of the time, and is stopped while
        // this waits.
        let pid = Pid::from_raw(program.child.id() as i32);
        let seen = until("all is watched", 4 * DEADLINE, || {
            kill(pid, Signal::SIGCONT).unwrap();
            std::thread::sleep(Duration::from_millis(10));
            kill(pid, Signal::SIGSTOP).unwrap();
            let seen = program.seen();
            seen.contains("watch path is: ").then_some(seen.clone()).ok_or(seen)
        });
        kill(pid, Signal::SIGCONT).unwrap();
        let (before, after) = seen.split_once("run the sersync: ").unwrap();
        let walk = format!("/s{beside}\x1b[?7h{WIPE}");
        assert!(before.contains(" directories, ") && before.contains(&walk), "{before:?}");
        // It is printed in the place of the line, and that one, if something is under way, below it.
        let (_, behind) = before.rsplit_once(WIPE).unwrap();
        let is_log = beside.is_empty() && behind.ends_with(" directories\r\n");
        assert!(behind.is_empty() || is_log, "{before:?}");
        assert_eq!(after.contains(&format!("\n{DRAWN}")), !beside.is_empty(), "{after:?}");
        gate.release();
        program.interrupt();
    }
}
