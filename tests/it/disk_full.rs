//! Full disks: the remote's, and the one with the fail log. What fits arrives, the rest is owed, and
//! nobody has to start anything again.

use crate::harness::{eventually, run_to_end, until, Mirror, Plan, DEADLINE};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SMALL_FILES: usize = 60;
const DISK_KIB: usize = 1024;
const BIG_BYTES: usize = 3 * 1024 * 1024;
const ROOMY_KIB: usize = 16 * 1024;
/// So many runs to a disk on which nothing fits, with pauses of 1, 2 and 4 seconds between them.
const RUNS_WITH_PAUSES: usize = 20;
const PAUSES: Duration = Duration::from_secs(5);

fn fail_log(mirror: &Mirror) -> String {
    fs::read_to_string(mirror.dir().join("rsync_fail_log.sh")).unwrap_or_default()
}

fn lines_with<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

/// A mirror whose only remote has a disk of its own, without `-r`.
fn with_small_disk() -> Mirror {
    let mut plan = Plan::new();
    let at = plan.remotes[0].clone();
    plan.mount(&at, DISK_KIB);
    plan.start()
}

fn write_small_files(root: &Path, content: &str) {
    for number in 0..SMALL_FILES {
        fs::write(root.join(format!("{number:02}-small")), content).unwrap();
    }
}

#[test]
fn what_fits_on_a_disk_arrives_and_what_does_not_is_owed() {
    let mirror = with_small_disk();
    // In one batch, with small files on either side of what does not fit.
    for big in ["20-big", "40-big"] {
        fs::write(mirror.root.join(big), vec![7; BIG_BYTES]).unwrap();
    }
    write_small_files(&mirror.root, "content");
    let far = &mirror.remotes[0];
    eventually("the small files arrive", || {
        (0..SMALL_FILES).all(|number| far.join(format!("{number:02}-small")).exists())
    });
    eventually("only the big ones are owed", || {
        let owed = fail_log(&mirror);
        owed.contains("/20-big") && owed.contains("/40-big") && !owed.contains("-small")
    });
    let connections = mirror.daemon.connections();
    eventually("they are tried again", || mirror.daemon.connections() >= connections + 4);
    fs::write(mirror.root.join("later"), "content").unwrap();
    eventually("later files arrive", || far.join("later").exists());
    let log = mirror.log();
    for big in ["20-big", "40-big"] {
        let told = lines_with(&log, big);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("(Make room on the far side's disk)"), "{told:?}");
    }
    mirror.disks[0].resize(ROOMY_KIB);
    mirror.equal_within(2 * DEADLINE, "when there is room");
    eventually("the fail log is empty", || fail_log(&mirror).is_empty());
    eventually("it is said", || mirror.log().contains("module0: works again"));
}

#[test]
fn a_disk_that_is_full_altogether_costs_nothing_and_few_runs() {
    let mirror = with_small_disk();
    mirror.disks[0].fill();
    let (connections, start) = (mirror.daemon.connections(), Instant::now());
    write_small_files(&mirror.root, "content");
    eventually("what is owed is in the fail log", || {
        let owed = fail_log(&mirror);
        (0..SMALL_FILES).all(|number| owed.contains(&format!("/{number:02}-small")))
    });
    // With an old rsync each run takes some seconds.
    until("it is tried again and again", 6 * DEADLINE, || {
        let runs = mirror.daemon.connections() - connections;
        (runs >= RUNS_WITH_PAUSES).then_some(()).ok_or(format!("{runs} runs"))
    });
    // However fast the machine is, this many runs take this long with the pauses.
    let took = start.elapsed();
    assert!(took >= PAUSES, "{RUNS_WITH_PAUSES} runs within {took:?}, so there are no pauses");
    mirror.disks[0].make_room();
    mirror.equal_within(3 * DEADLINE, "when there is room");
    eventually("the fail log is empty", || fail_log(&mirror).is_empty());
}

#[test]
fn a_fail_log_on_a_full_disk_is_said_once_and_written_when_there_is_room() {
    let mut plan = Plan::new();
    let disk = plan.directory("log");
    plan.mount(&disk, DISK_KIB);
    let path = disk.join("rsync_fail_log.sh");
    plan.conf.fail_log = path.clone();
    plan.variables.push(("STATE_DIRECTORY".into(), disk.display().to_string()));
    let copy = plan.directory("copy");
    let local = ("local".to_string(), copy.display().to_string());
    plan.conf.roots[0].remotes.push(local);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.disks[0].fill();
    mirror.daemon.stop();
    let owed = |number: usize| format!("owed{number}");
    for number in 0..20 {
        fs::write(mirror.root.join(owed(number)), "content").unwrap();
        eventually("the other remote gets it", || copy.join(owed(number)).exists());
        // Each is owed before the next, so that the file is to be written again each time.
        eventually("the remote fails", || mirror.log().contains("everything is kept"));
    }
    eventually("it is said", || mirror.log().contains("fail log cannot be written"));
    let file = mirror.dir().join("confxml.xml").into_os_string();
    let elsewhere = mirror.dir().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let shown = run_to_end(&elsewhere, &["--status".into(), "-o".into(), file], &[]).stdout;
    assert!(shown.contains("fail log  cannot be written: No space left on device"), "{shown}");
    eventually("of the state too", || mirror.log().contains("the state cannot be saved"));
    fs::write(mirror.root.join("later"), "content").unwrap();
    eventually("the other remote gets that, too", || copy.join("later").exists());
    assert_eq!(lines_with(&mirror.log(), "fail log cannot be written").len(), 1);
    mirror.disks[0].make_room();
    eventually("the fail log is written", || {
        fs::read_to_string(&path)
            .is_ok_and(|text| text.contains("/owed19") && text.contains("/later"))
    });
    assert_eq!(lines_with(&mirror.log(), "fail log cannot be written").len(), 1);
    eventually("so is the state", || mirror.log().contains("the state is saved again"));
    assert_eq!(lines_with(&mirror.log(), "the state cannot be saved").len(), 1);
    mirror.daemon.start();
    mirror.equal();
    eventually("the fail log is empty", || path.metadata().unwrap().len() == 0);
}

#[test]
fn lines_that_a_full_disk_keeps_out_of_the_log_are_counted() {
    let mut plan = Plan::local();
    let disk = plan.directory("log");
    plan.mount(&disk, DISK_KIB);
    let log = disk.join("s.log");
    plan.args.extend(["--log-file".into(), log.clone().into_os_string()]);
    plan.await_full_sync = false;
    let mirror = plan.start_without_daemon();
    mirror.equal();
    let read = || fs::read_to_string(&log).unwrap();
    let try_now = || {
        let pid = nix::unistd::Pid::from_raw(mirror.pid() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR2).unwrap();
    };
    // The disk has room in whole pages: until the last one of the log is full, lines still fit.
    mirror.disks[0].fill();
    let full = until("nothing fits any more", DEADLINE, || {
        let before = read().len();
        try_now();
        mirror.fence();
        (read().len() == before).then_some(before).ok_or("it grows".to_string())
    });
    mirror.disks[0].make_room();
    try_now();
    eventually("it is said how many are missing", || {
        read()[full - 1..].contains(" lines are missing here: they could not be written\n")
    });
    eventually("the next line follows", || {
        read()
            .split("lines are missing here")
            .nth(1)
            .is_some_and(|rest| rest.contains("tried at once\n"))
    });
    let log = read();
    let said = lines_with(&log, "lines are missing here");
    assert!(said.len() == 1 && said[0].starts_with("WARN "), "{log}");
}
