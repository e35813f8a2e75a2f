//! The log: what is in it, where it goes, and that nothing about it ends or holds up the program.

use crate::harness::{
    eventually, in_background, program, run_to_end, terminal, InBackground, Plan,
};
use nix::fcntl::{fcntl, FcntlArg};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::io::{pipe, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn hang_up(pid: u32) {
    kill(Pid::from_raw(pid as i32), Signal::SIGHUP).unwrap();
}

#[test]
fn a_renamed_log_is_opened_again_at_sighup() {
    let mut plan = Plan::local();
    let dir = plan.directory("");
    let (log, old) = (dir.join("s.log"), dir.join("s.log.1"));
    fs::write(&log, "from before\n").unwrap();
    plan.args.extend(["--log-file".into(), "s.log".into()]);
    plan.await_full_sync = false;
    let mirror = plan.start_without_daemon();
    mirror.equal();
    eventually("the log tells of the full sync", || read(&log).contains(": full sync, "));
    assert!(read(&log).starts_with("from before\n"), "what was in it is gone");
    fs::rename(&log, &old).unwrap();
    hang_up(mirror.pid());
    eventually("there is a new log", || read(&log).contains("SIGHUP"));
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o7777, 0o640);
    let before = read(&old);
    mirror.fence();
    eventually("the new log tells of batches", || read(&log).contains(" ms\n"));
    assert_eq!(read(&old), before);
    assert!(!mirror.log().contains(" ms\n"), "standard error was written to after the start");
    // What cannot be opened: the old one stays.
    fs::rename(&log, &old).unwrap();
    fs::create_dir(&log).unwrap();
    hang_up(mirror.pid());
    eventually("the old log goes on", || read(&old).contains("cannot be opened again"));
}

#[test]
fn a_second_instance_writes_nothing_into_the_log() {
    let mut plan = Plan::local();
    let dir = plan.directory("");
    plan.conf.params = "-artuz".into();
    plan.args.extend(["--log-file".into(), "s.log".into()]);
    plan.await_full_sync = false;
    let mirror = plan.start_without_daemon();
    mirror.equal();
    eventually("the log tells of the full sync", || {
        read(&dir.join("s.log")).contains(": full sync, ")
    });
    let log = read(&dir.join("s.log"));
    assert!(log.contains("WARN"), "there is nothing to be warned of: {log}");
    let second = run_to_end(&dir, &["--log-file".into(), "s.log".into()], &[]);
    assert_eq!((second.code, second.stderr.lines().count()), (Some(3), 1), "{}", second.stderr);
    assert_eq!(read(&dir.join("s.log")), log);
    mirror.fence();
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    let plan = Plan::local();
    plan.write_conf();
    let dir = plan.directory("");
    for log in ["no/such/dir/s.log", "root"] {
        let ended = run_to_end(&dir, &["--log-file".into(), log.into()], &[]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(log), "{}", ended.stderr);
    }
}

#[test]
fn a_refused_start_is_in_the_log_and_on_the_terminal() {
    let mut plan = Plan::local();
    plan.conf.roots[0].watch = "/no/such/root".into();
    plan.write_conf();
    let dir = plan.directory("");
    let ended = run_to_end(&dir, &["--log-file".into(), "s.log".into()], &[]);
    assert_eq!(ended.code, Some(1));
    for told in [ended.stderr, read(&dir.join("s.log"))] {
        assert!(told.contains("/no/such/root"), "{told}");
    }
}

/// A mirror whose output goes where `redirect` says works for as long as it likes.
fn works_with(redirect: &str, args: &str) {
    let mut plan = Plan::local();
    plan.conf.debug = true;
    plan.write_conf();
    let dir = plan.directory("");
    let line = format!("{{}} -d -o confxml.xml --pid-file s.pid {args} {redirect}");
    assert!(in_background(&dir, &line).status().unwrap().success(), "{redirect}");
    let program = InBackground::by_file(&dir.join("s.pid"));
    for name in ["a", "b", "c"] {
        fs::write(plan.root.join(name), "content").unwrap();
        eventually(&format!("{name} arrives with {redirect}"), || {
            plan.remotes[0].join(name).exists()
        });
    }
    program.stop();
}

#[test]
fn a_full_disk_ends_nothing() {
    works_with("2>/dev/full", "");
    works_with(">/dev/full 2>&1", "");
    works_with(">/dev/null 2>&1", "--log-file /dev/full");
}

#[test]
fn a_reader_that_has_gone_ends_nothing() {
    works_with("2>&1 | head -c 1 >/dev/null", "");
    works_with("2>&1 >/dev/null | true", "");
}

#[test]
fn a_reader_that_does_not_read_holds_nothing_up() {
    // Each run is a line of so many bytes with debug; all together are more than both pipes hold.
    const LINE_BYTES: usize = 3000;
    const RUNS: usize = 40;
    let mut plan = Plan::local();
    plan.conf.params = format!("-artz --exclude={}", "x".repeat(LINE_BYTES));
    plan.write_conf();
    let dir = plan.directory("");
    let (mut reader, writer) = pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut command = program();
    command
        .args(["-d", "--pid-file", "s.pid", "--log-level=debug"])
        .current_dir(&dir)
        .stdout(Stdio::null());
    assert!(command.stderr(writer).status().unwrap().success());
    drop(command);
    let program = InBackground::by_file(&dir.join("s.pid"));
    let arrives = |name: &str| {
        fs::write(plan.root.join(name), "content").unwrap();
        eventually("it arrives", || plan.remotes[0].join(name).exists());
    };
    (0..RUNS).for_each(|number| arrives(&format!("unread{number}")));
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let reading = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            telling.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    });
    let told = || String::from_utf8(told.lock().unwrap().clone()).unwrap();
    let mut number = 0;
    // Until what was full has been read, there is no room for another line.
    eventually("it says what is missing", || {
        number += 1;
        arrives(&format!("read{number}"));
        told().contains("lines are missing here")
    });
    program.stop();
    eventually("the pipe is closed", || reading.is_finished());
    reading.join().unwrap();
    let told = told();
    let (before, _) = told.split_once("lines are missing here").unwrap();
    assert!(before.matches(&"x".repeat(LINE_BYTES)).count() < RUNS);
    assert!(told.contains("SIGTERM: ending"), "the log does not go on");
}

#[test]
fn printed_events_that_nobody_reads_are_left_out_and_counted() {
    // Each event is a line with the file's name; all together are more than both pipes hold.
    const NAME_BYTES: usize = 200;
    const FILES: usize = 500;
    let mut plan = Plan::local();
    plan.conf.debug = true;
    plan.write_conf();
    let dir = plan.directory("");
    let (mut reader, writer) = pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut command = program();
    command.args(["--pid-file", "s.pid"]).current_dir(&dir).stdout(writer).stderr(Stdio::null());
    let mut program = command.spawn().unwrap();
    drop(command);
    let running = InBackground::by_file(&dir.join("s.pid"));
    let arrives = |name: &str| {
        fs::write(plan.root.join(name), "content").unwrap();
        eventually("it arrives", || plan.remotes[0].join(name).exists());
    };
    // The process number is there before anything is watched.
    eventually("it watches", || {
        fs::write(plan.root.join("watched"), "").unwrap();
        plan.remotes[0].join("watched").exists()
    });
    (0..FILES).for_each(|number| {
        fs::write(plan.root.join(format!("{number:0NAME_BYTES$}")), "").unwrap()
    });
    arrives("unread");
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let reading = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut piece) {
            telling.lock().unwrap().extend_from_slice(&piece[..count]);
        }
    });
    let told = || String::from_utf8(told.lock().unwrap().clone()).unwrap();
    let mut number = 0;
    eventually("it says what is missing", || {
        number += 1;
        arrives(&format!("read{number}"));
        told().contains("lines are missing here")
    });
    // Now there is room: what is printed last arrives, too.
    arrives("last");
    running.signal(Signal::SIGTERM);
    eventually("it ends", || program.try_wait().unwrap().is_some());
    reading.join().unwrap();
    assert!(told().contains("name:last\t"), "{}", told());
}

#[test]
fn a_program_whose_output_nobody_reads_ends_when_it_is_asked_to() {
    let mut plan = Plan::local();
    plan.conf.debug = true;
    plan.write_conf();
    let dir = plan.directory("");
    let (_reader, writer) = pipe().unwrap();
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
    let mut command = program();
    let log = writer.try_clone().unwrap();
    command.args(["--pid-file", "s.pid"]).current_dir(&dir).stdout(writer).stderr(log);
    let mut program = command.spawn().unwrap();
    drop(command);
    let running = InBackground::by_file(&dir.join("s.pid"));
    // The process number is there before anything is watched.
    eventually("it watches", || {
        fs::write(plan.root.join("watched"), "").unwrap();
        plan.remotes[0].join("watched").exists()
    });
    (0..500).for_each(|number| fs::write(plan.root.join(format!("{number:0200}")), "").unwrap());
    fs::write(plan.root.join("last"), "").unwrap();
    eventually("it arrives", || plan.remotes[0].join("last").exists());
    running.signal(Signal::SIGTERM);
    eventually("it ends", || program.try_wait().unwrap().is_some_and(|status| status.success()));
}

#[test]
fn the_level_is_the_command_lines_word_before_the_configurations() {
    let cases = [
        ("", false, true, false),
        ("", true, true, true),
        ("--log-level=error", true, false, false),
        ("--log-level=info", true, true, false),
        ("--log-level=debug", false, true, true),
    ];
    for (option, debug, info_expected, debug_expected) in cases {
        let mut plan = Plan::local();
        plan.conf.debug = debug;
        plan.await_full_sync = false;
        plan.args.extend((!option.is_empty()).then(|| option.into()));
        let mut mirror = plan.start_without_daemon();
        mirror.equal();
        mirror.halt_program();
        let log = mirror.log();
        let has = |level: &str| log.lines().any(|line| line.starts_with(level));
        let found = (has("INFO "), has("DEBUG "));
        assert_eq!(found, (info_expected, debug_expected), "{option} {debug}: {log}");
    }
}

#[test]
fn lines_begin_with_level_and_local_time() {
    let mut plan = Plan::local();
    plan.variables.push(("TZ".into(), "XXX-5:30".into()));
    let mirror = plan.start_without_daemon();
    let log = mirror.log();
    let first = log.lines().next().unwrap();
    let (level, rest) = first.split_once(" [").unwrap();
    assert_eq!(level.trim(), "INFO");
    assert!(rest.split_once("+05:30] ").is_some_and(|(time, _)| time.len() == 23), "{first}");
}

#[test]
fn only_a_terminal_sees_colours() {
    for (variable, coloured) in [("", true), ("1", false)] {
        let mut plan = Plan::local();
        plan.conf.roots[0].watch = "/no/such/root".into();
        let file = plan.write_conf();
        let conf = fs::read_to_string(&file).unwrap().replace("</head>", "<unknown/></head>");
        fs::write(&file, conf).unwrap();
        let dir = plan.directory("");
        let terminal = terminal();
        let mut command = program();
        command.current_dir(&dir).env("NO_COLOR", variable).stdout(Stdio::null());
        command.stderr(terminal.slave).status().unwrap();
        drop(command);
        let mut seen = Vec::new();
        // The end of a terminal is an error.
        let _ = fs::File::from(terminal.master).read_to_end(&mut seen);
        let seen = String::from_utf8_lossy(&seen);
        assert!(seen.contains("unknown"), "{seen}");
        assert_eq!(seen.contains("\x1b[33m"), coloured, "{seen:?}");
        let ended = run_to_end(&dir, &[], &[]);
        assert!(!ended.stderr.contains('\x1b'), "{}", ended.stderr);
    }
}
