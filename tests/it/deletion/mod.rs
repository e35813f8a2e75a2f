//! What is deleted over there, and what never is: only what was seen to go here, and in a mirror what
//! is surely not here. Everything else stays until somebody says yes.
//!
//! That something stays for ever is seen without waiting: a change behind it arrives, a full sync that is
//! asked for ends, and it is still there.

#![allow(dead_code, reason = "not every row of the table has its tests here yet")]

mod came_back;
mod empty_roots;
mod in_doubt;
mod joined;
mod kept;
mod killed;
mod made_again;
mod max_delete;
mod missing_parents;
mod other_ground;
mod other_sources;
mod read_only_directories;
mod refused_delete;
mod said_yes;
mod shown;
mod temporary;

use crate::harness::{
    eventually, free_port, run_to_end, until, Exit, Mirror, Plan, Sshd, Tree, DEADLINE,
};
use crate::standby::over_ssh;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fmt::Debug;
use std::fs;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

/// A schedule that never comes makes a mirror without `-r`.
const SCHEDULE: &str = "<crontab start=\"true\" schedule=\"8000h\"/>";

/// What makes a program delete over there what it has not seen to go here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing: neither `-r` nor a schedule.
    Push,
    /// `-r`.
    Mirror,
    /// A schedule, and no `-r`.
    Scheduled,
}

impl Mode {
    const MIRRORS: [Mode; 2] = [Mode::Mirror, Mode::Scheduled];
    const ALL: [Mode; 3] = [Mode::Push, Mode::Mirror, Mode::Scheduled];

    /// Its options on the command line.
    fn args(self) -> &'static [&'static str] {
        match self {
            Mode::Mirror => &["-r"],
            Mode::Push | Mode::Scheduled => &[],
        }
    }

    fn apply(self, plan: &mut Plan) {
        plan.args = self.args().iter().map(OsString::from).collect();
        if self == Mode::Scheduled {
            plan.conf.crontab = SCHEDULE.into();
        }
    }
}

/// How the far side is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Daemon,
    Directory,
    Ssh,
}

impl Way {
    const ALL: [Way; 3] = [Way::Daemon, Way::Directory, Way::Ssh];

    /// A plan, and what has to live as long as its mirror.
    fn plan(self) -> (Plan, Option<Sshd>) {
        match self {
            Way::Daemon => (Plan::new(), None),
            Way::Directory => (Plan::local(), None),
            Way::Ssh => {
                let (plan, sshd) = over_ssh("");
                (plan, Some(sshd))
            }
        }
    }
}

/// Tests each case, the others too when one has failed, and says which did.
fn each<T: Debug>(cases: impl IntoIterator<Item = T>, test: impl Fn(T)) {
    let fails = |case: T| {
        let about = format!("{case:?}");
        eprintln!("--- {about}");
        catch_unwind(AssertUnwindSafe(|| test(case))).is_err().then_some(about)
    };
    let failed: Vec<String> = cases.into_iter().filter_map(fails).collect();
    assert!(failed.is_empty(), "{} cases failed: {failed:#?}", failed.len());
}

/// Each of these with each of those.
fn pairs<A: Copy, B: Copy>(these: &[A], those: &[B]) -> Vec<(A, B)> {
    these.iter().flat_map(|one| those.iter().map(|other| (*one, *other))).collect()
}

/// The usual plan with its root at another place.
fn plan_at(root: PathBuf) -> Plan {
    let mut plan = Plan::new();
    plan.conf.roots[0].watch.clone_from(&root);
    plan.root = root;
    plan
}

/// Writes a file with this content, and makes the directories that it needs.
fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Files below `top`, each with its own name as its content.
fn put(top: &Path, names: &[&str]) {
    names.iter().for_each(|name| write(&top.join(name), name));
}

/// What of these names is there, whatever it is.
fn present<'a>(top: &Path, names: &[&'a str]) -> Vec<&'a str> {
    let there = |name: &&&str| top.join(name).symlink_metadata().is_ok();
    names.iter().filter(there).copied().collect()
}

/// Has the program see all of a change at once, so that it is one batch.
pub(crate) fn at_once(mirror: &Mirror, change: impl FnOnce(&Path)) {
    signal(mirror, Signal::SIGSTOP);
    change(&mirror.root);
    signal(mirror, Signal::SIGCONT);
}

/// Fills the kernel's queue, so that the program is told nothing of the change; the root has a file
/// `moving`.
fn unseen(mirror: &Mirror, change: impl FnOnce(&Path)) {
    const LIMIT: &str = "/proc/sys/fs/inotify/max_queued_events";
    let limit: usize = fs::read_to_string(LIMIT).unwrap().trim().parse().unwrap();
    assert!(limit <= 2_000_000, "{LIMIT} is {limit}: this test fills it, and would not end");
    at_once(mirror, |root| {
        // Two events each, of which no two neighbours are equal: the kernel keeps every one.
        for _ in 0..=limit / 4 {
            fs::rename(root.join("moving"), root.join("moved")).unwrap();
            fs::rename(root.join("moved"), root.join("moving")).unwrap();
        }
        change(root);
    });
    eventually("it is said", || mirror.log().contains("events were lost"));
}

/// Sends the program a signal.
fn signal(mirror: &Mirror, signal: Signal) {
    kill(Pid::from_raw(mirror.pid() as i32), signal).unwrap();
}

/// Asks for a full sync of everything, and waits until it has been.
fn full_sync(mirror: &Mirror) {
    full_syncs(mirror, mirror.remotes.len());
}

/// The same where there are more remotes than the mirror compares.
fn full_syncs(mirror: &Mirror, remotes: usize) {
    let done = || mirror.log().lines().filter(|line| line.contains(": full sync, ")).count();
    let before = done();
    signal(mirror, Signal::SIGUSR1);
    until("the full sync has been", DEADLINE, || {
        (done() >= before + remotes).then_some(()).ok_or_else(|| mirror.log())
    });
}

/// Returns when the program has done all that it will ever do about what is here now: a later change has
/// arrived, a full sync has been, and a change after that has arrived as well.
fn everything_is_done(mirror: &Mirror) {
    mirror.fence();
    full_sync(mirror);
    mirror.fence();
}

/// Waits until the first remote has everything that is in the root, whatever else it has.
fn all_of_ours_arrives(mirror: &Mirror) {
    until("everything of ours is there", DEADLINE, || {
        let read = |top: &Path| Tree::read(top).map_err(|error| error.to_string());
        let mut lacks = read(&mirror.root)?.differences(&read(&mirror.remotes[0])?);
        // Where others have something, a directory has another time for a moment.
        lacks.retain(|line| !line.contains(": only there (") && !line.contains(": mtime "));
        lacks.truncate(20);
        if lacks.is_empty() {
            Ok(())
        } else {
            Err(lacks.join("\n"))
        }
    });
}

/// Gives the plan a port for its status.
fn with_status(plan: &mut Plan) -> u16 {
    plan.conf.status_port = free_port();
    plan.conf.status_port
}

/// What `sersync OPTION -o FILE` says and ends with, FILE being the mirror's configuration.
pub(crate) fn ask(mirror: &Mirror, option: &str) -> Exit {
    let asking = mirror.dir().join("asking");
    fs::create_dir_all(&asking).unwrap();
    let file = mirror.dir().join("confxml.xml").into_os_string();
    // The output goes to a directory of its own, but the state is that of the program which runs.
    let states = mirror.dir().join("states");
    let variables = [("STATE_DIRECTORY", states.to_str().unwrap())];
    run_to_end(&asking, &[option.into(), "-o".into(), file], &variables)
}

/// How many deletions wait for a yes, as `--status` has it: the first number of the line about them.
fn waiting(mirror: &Mirror) -> usize {
    let said = ask(mirror, "--status").stdout;
    let Some(line) = said.lines().find(|line| line.contains("deletion")) else { return 0 };
    let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
    let number = numbers.next().unwrap_or_else(|| panic!("no number in: {line}"));
    number.parse().unwrap()
}

/// Waits until so many deletions wait for a yes.
fn await_waiting(mirror: &Mirror, count: usize) {
    until(&format!("{count} deletions wait"), DEADLINE, || {
        let found = waiting(mirror);
        (found == count).then_some(()).ok_or(format!("{found} wait"))
    });
}

/// Says yes to the deletions that wait.
fn say_yes(mirror: &Mirror) {
    let ended = ask(mirror, "--confirm-deletions");
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

/// What stands in the fail log.
fn owed(mirror: &Mirror) -> String {
    fs::read_to_string(mirror.dir().join("rsync_fail_log.sh")).unwrap_or_default()
}

/// Waits until nothing is owed.
pub(crate) fn nothing_is_owed(mirror: &Mirror) {
    eventually("the fail log is empty", || owed(mirror).is_empty());
}
