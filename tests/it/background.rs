//! `-d`: what the user sees of the start, and what is left when the start is over.

use crate::harness::{
    eventually, in_background, path, program, terminal, until, InBackground, Plan, DEADLINE,
};
use nix::sys::signal::{kill, signal, SigHandler, Signal};
use nix::unistd::{getsid, Pid};
use std::fs;
use std::io::{pipe, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A local mirror whose configuration has been written; its fail log has a relative path.
fn plan() -> (Plan, PathBuf) {
    let mut plan = Plan::local();
    plan.conf.fail_log = "owed/fail.sh".into();
    plan.write_conf();
    let dir = plan.directory("");
    (plan, dir)
}

/// Types a line in `dir` with its output going to files; gives exit code, output and errors.
fn typed(dir: &Path, line: &str) -> (Option<i32>, String, String) {
    let [out, err] = ["out", "err"].map(|name| dir.join(name));
    let mut command = in_background(dir, line);
    command.stdout(fs::File::create(&out).unwrap()).stderr(fs::File::create(&err).unwrap());
    let code = command.stdin(Stdio::null()).status().unwrap().code();
    (code, fs::read_to_string(out).unwrap(), fs::read_to_string(err).unwrap())
}

fn arrives(plan: &Plan, name: &str) {
    fs::write(plan.root.join(name), "content").unwrap();
    eventually(&format!("{name} arrives"), || plan.remotes[0].join(name).exists());
}

#[test]
fn the_start_ends_with_0_when_everything_is_watched() {
    let (plan, dir) = plan();
    let (code, out, err) = typed(&dir, "{} -d -o confxml.xml --pid-file run/s.pid");
    assert_eq!(code, Some(0), "{out}{err}");
    let program = InBackground::by_file(&dir.join("run/s.pid"));
    let lines = ["set the system param", "option: -d ", "daemon start", "run the sersync:"];
    let places: Vec<_> = lines.iter().map(|line| out.find(line)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{out}");
    assert!(out.trim_end().ends_with(&format!("watch path is: {}", plan.root.display())), "{out}");
    // Everything is watched by now, so nothing may be missed.
    arrives(&plan, "new");
    assert_eq!(getsid(Some(program.pid())), Ok(program.pid()), "it is not in a session of its own");
    assert_eq!(fs::read_link(format!("/proc/{}/cwd", program.pid())).unwrap(), Path::new("/"));
    assert_eq!(program.descriptor(0), Path::new("/dev/null"));
    let locked = InBackground::by_lock(&dir.join("owed"));
    assert_eq!(locked.pid(), program.pid());
    program.stop();
    assert!(!dir.join("run/s.pid").exists(), "the process number stayed behind");
}

#[test]
fn what_is_owed_lies_where_a_relative_path_meant_it() {
    let (mut plan, dir) = plan();
    let gone = dir.join("gone");
    plan.conf.roots[0].remotes[0] = ("127.0.0.1".to_string(), "nobody-listens".to_string());
    plan.conf.port = Some(plan.daemon.port());
    plan.write_conf();
    let (code, out, err) = typed(&dir, "{} -rdo ./confxml.xml --pid-file s.pid");
    assert_eq!(code, Some(0), "{out}{err}");
    let program = InBackground::by_file(&dir.join("s.pid"));
    program.stop();
    let owed = fs::read_to_string(dir.join("owed/fail.sh")).unwrap();
    assert!(owed.contains("nobody-listens"), "{owed}");
    assert!(!gone.exists());
}

#[test]
fn a_start_that_fails_says_so_where_it_was_typed() {
    let (mut plan, dir) = plan();
    plan.conf.roots[0].watch = "/no/such/root".into();
    plan.write_conf();
    let (code, out, err) = typed(&dir, "{} -rdo confxml.xml");
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{out}{err}");
    assert!(err.contains("/no/such/root"), "{err}");
    let (code, _, err) = typed(&dir, "{} -rdo missing.xml");
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
    let (code, _, err) = typed(&dir, "{} -rdo confxml.xml --log-file no/such/dir/log");
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
    assert!(err.contains("no/such/dir/log"), "{err}");
}

#[test]
fn the_second_start_ends_with_3_and_names_the_first() {
    let (_plan, dir) = plan();
    let (code, ..) = typed(&dir, "{} -do confxml.xml --pid-file s.pid");
    assert_eq!(code, Some(0));
    let program = InBackground::by_file(&dir.join("s.pid"));
    let (code, _, err) = typed(&dir, "{} -do confxml.xml --pid-file s.pid");
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains(&format!("as process {};", program.pid())), "{err}");
    assert!(dir.join("s.pid").exists(), "the second took the first one's file away");
    // As good as running in the background: the file is not the lock.
    fs::remove_file(dir.join("s.pid")).unwrap();
    assert_eq!(typed(&dir, "{} -do confxml.xml --pid-file s.pid").0, Some(3));
    program.stop();
}

#[test]
fn a_file_that_has_no_process_number_is_left_alone() {
    let (_plan, dir) = plan();
    fs::write(dir.join("precious"), "root:x:0:0\n").unwrap();
    let (code, out, err) = typed(&dir, "{} -do confxml.xml --pid-file precious");
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
    assert!(err.contains("precious"), "{err}");
    assert!(!out.contains("watch path is"), "{out}");
    assert_eq!(fs::read_to_string(dir.join("precious")).unwrap(), "root:x:0:0\n");
}

#[test]
fn the_classic_line_gets_its_log() {
    let (plan, dir) = plan();
    let line = "nohup {} -r -d -o confxml.xml --pid-file s.pid > log 2>&1 &";
    let mut command = in_background(&dir, line);
    assert!(command.stdin(Stdio::null()).status().unwrap().success());
    let program = InBackground::by_file(&dir.join("s.pid"));
    let log = || fs::read_to_string(dir.join("log")).unwrap();
    eventually("everything is watched", || log().contains("\nwatch path is: "));
    assert!(log().starts_with("set the system param\n"), "{}", log());
    arrives(&plan, "new");
    eventually("the log tells of the batch", || log().contains(": 1 path, "));
    program.stop();
}

#[test]
fn closed_descriptors_are_no_hindrance() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let (plan, dir) = plan();
        let (code, out, err) =
            typed(&dir, &format!("{{}} -do confxml.xml --pid-file s.pid {closed}"));
        assert_eq!(code, Some(0), "{closed}: {out}{err}");
        let program = InBackground::by_file(&dir.join("s.pid"));
        assert_eq!(program.descriptor(0), Path::new("/dev/null"), "{closed}");
        arrives(&plan, "new");
        program.stop();
    }
}

/// All output up to its end, which comes when no process has the other side open. The end of a
/// terminal is an error.
fn read_to_the_end(what: &str, mut reader: impl Read + Send + 'static) -> String {
    let thread = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let _ = reader.read_to_end(&mut seen);
        seen
    });
    eventually(what, || thread.is_finished());
    String::from_utf8_lossy(&thread.join().unwrap()).into_owned()
}

#[test]
fn the_terminal_sees_the_start_and_is_let_go() {
    let (plan, dir) = plan();
    let terminal = terminal();
    let ours = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut command = in_background(&dir, "{} -rdo confxml.xml --pid-file s.pid");
    let code = command.stdin(ours()).stdout(ours()).stderr(ours()).status().unwrap().code();
    drop(command);
    let program = InBackground::by_file(&dir.join("s.pid"));
    drop(terminal.slave);
    let seen = read_to_the_end("the terminal is let go", fs::File::from(terminal.master));
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("set the system param") && seen.contains("watch path is: "), "{seen}");
    assert_eq!(program.descriptor(1), Path::new("/dev/null"));
    arrives(&plan, "new");
    program.stop();
}

#[test]
fn with_a_log_file_nobody_waits_for_the_output() {
    let (plan, dir) = plan();
    let line = "{} -do confxml.xml --pid-file s.pid --log-file s.log";
    let (reader, writer) = pipe().unwrap();
    let mut command = in_background(&dir, line);
    let status = command.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
    drop(command);
    let program = InBackground::by_file(&dir.join("s.pid"));
    // Waits until nobody has the pipe, as $(...), cron and ssh do.
    let seen = read_to_the_end("the pipe is closed", reader);
    assert!(status.success() && seen.contains("watch path is: "), "{seen}");
    arrives(&plan, "new");
    let log = || fs::read_to_string(dir.join("s.log")).unwrap();
    eventually("the log tells of the batch", || log().contains(": 1 path, "));
    program.stop();
    eventually("the log tells of the end", || log().contains("SIGTERM: ending"));
}

/// A start that waits, with its lock taken, because an rsync in PATH does not answer.
struct Held {
    start: Child,
    program: InBackground,
}

fn held(plan: &Plan, dir: &Path) -> Held {
    let bin = plan.directory("bin");
    // The stand-in ends with the test, even if the program that started it has died.
    let script = format!("#!/bin/sh\nwhile [ -d '{}' ]; do sleep 0.1; done\n", bin.display());
    fs::write(bin.join("rsync"), script).unwrap();
    fs::set_permissions(bin.join("rsync"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), path());
    let mut command = program();
    command.args(["-rdo", "confxml.xml"]).current_dir(dir).env("LC_ALL", "C").env("PATH", path);
    // A shell that runs the tests in the background has turned Ctrl-C off for all of them. SAFETY:
    // signal(2) may be called between fork and exec.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| {
            signal(Signal::SIGINT, SigHandler::SigDfl)?;
            Ok(())
        });
    }
    let start = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    Held { start, program: InBackground::by_lock(&dir.join("owed")) }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.start.kill();
        let _ = self.start.wait();
    }
}

#[test]
fn a_start_that_is_broken_off_leaves_nothing_running() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let (plan, dir) = plan();
        let mut held = held(&plan, &dir);
        assert!(held.start.try_wait().unwrap().is_none(), "it did not wait");
        kill(Pid::from_raw(held.start.id() as i32), signal).unwrap();
        eventually("the start has ended", || held.start.try_wait().unwrap().is_some());
        held.program.gone();
    }
}

#[test]
fn a_program_that_dies_without_a_word_is_missed() {
    let (plan, dir) = plan();
    let mut held = held(&plan, &dir);
    held.program.signal(Signal::SIGKILL);
    let status = until("the start ends", DEADLINE, || {
        held.start.try_wait().unwrap().ok_or("it waits".to_string())
    });
    assert_eq!(status.code(), Some(1));
    // The rsync that was started lives on and has the pipe as well, so its end does not come.
    let mut err = vec![0; 4096];
    let count = held.start.stderr.take().unwrap().read(&mut err).unwrap();
    let err = String::from_utf8_lossy(&err[..count]);
    assert!(err.contains("SIGKILL before it was ready"), "{err}");
}

/// Asks the instance to end and starts the next one in the same line, as the guides do; gives the exit code of the
/// start, and what it said.
fn restarted_in_one_line(dir: &Path, pid: Pid) -> (Option<i32>, String) {
    let line = format!("kill {pid}; {{}} -d -o confxml.xml --pid-file run/s.pid");
    let (code, out, err) = typed(dir, &line);
    (code, out + &err)
}

#[test]
fn a_restart_in_one_line_waits_for_the_old_instance() {
    let (plan, dir) = plan();
    assert_eq!(typed(&dir, "{} -d -o confxml.xml --pid-file run/s.pid").0, Some(0));
    let mut program = InBackground::by_file(&dir.join("run/s.pid"));
    for round in 0..5 {
        let old = program.pid();
        let (code, said) = restarted_in_one_line(&dir, old);
        assert_eq!(code, Some(0), "round {round}: {said}");
        program = InBackground::by_file(&dir.join("run/s.pid"));
        assert_ne!(program.pid(), old);
        arrives(&plan, &format!("after {round}"));
    }
    program.stop();
}

#[test]
fn a_restart_waits_for_what_the_old_instance_still_sends() {
    let (mut plan, dir) = plan();
    // Slower than the old instance may take for its end.
    plan.conf.params = "-artz --bwlimit=100".into();
    plan.write_conf();
    assert_eq!(typed(&dir, "{} -d -o confxml.xml --pid-file run/s.pid").0, Some(0));
    let program = InBackground::by_file(&dir.join("run/s.pid"));
    fs::write(plan.root.join("large"), random_bytes(4 << 20)).unwrap();
    eventually("it is on its way", || {
        let received =
            |entry: fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".large");
        fs::read_dir(&plan.remotes[0]).unwrap().flatten().any(received)
    });
    let (code, said) = restarted_in_one_line(&dir, program.pid());
    assert_eq!(code, Some(0), "{said}");
    InBackground::by_file(&dir.join("run/s.pid")).stop();
}

/// What -z cannot make smaller.
fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    bytes
}
