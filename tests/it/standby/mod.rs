//! The rsync that has connected already and waits for its list: it carries the next change, and
//! whatever becomes of it, nothing is lost and nothing is said to have failed.

mod cost;
mod deaths;
mod refusals;
mod roots;
mod use_of;

use crate::harness::{eventually, until, Mirror, Plan, Sshd, Version, DEADLINE};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;

/// A child of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    pid: u32,
    /// As the kernel writes it: `Z` is one that has ended and was not waited for.
    state: char,
    name: String,
}

/// What the program has started and not waited for, by the kernel's own word.
fn children(program: u32) -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| child_of(program, &stat)).collect()
}

fn child_of(program: u32, stat: &str) -> Option<Process> {
    let (start, rest) = stat.rsplit_once(") ")?;
    let (pid, name) = start.split_once(" (")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent: u32 = fields.next()?.parse().ok()?;
    let process = || Some(Process { pid: pid.parse().ok()?, state, name: name.to_string() });
    (parent == program).then(process).flatten()
}

/// Those of its children that are rsync and have not ended.
fn rsyncs(mirror: &Mirror) -> Vec<u32> {
    let all = children(mirror.pid()).into_iter();
    all.filter(|child| child.state != 'Z' && child.name == "rsync").map(|child| child.pid).collect()
}

/// Waits until so many rsync processes, none of these among them, are all that there is. They wait for
/// their lists, if everything has arrived.
fn stand_by(mirror: &Mirror, count: usize, not: &[u32]) -> Vec<u32> {
    until(&format!("{count} are standing by"), DEADLINE, || {
        let found = rsyncs(mirror);
        let as_meant = found.len() == count && !found.iter().any(|pid| not.contains(pid));
        as_meant.then_some(found).ok_or_else(|| format!("{:?}", children(mirror.pid())))
    })
}

/// Changes a file, and returns when it has arrived and its runs have ended.
fn change(mirror: &Mirror, name: &str) {
    let before = mirror.batches();
    fs::write(mirror.root.join(name), "content").unwrap();
    mirror.equal();
    eventually("the runs have ended", || mirror.batches() >= before + mirror.remotes.len());
}

/// Runs more, at first, with a far side that is too old to send and delete in one run: it is learned by trying.
fn tries_before_it_is_known() -> usize {
    usize::from(Version::combines(Version::here()) && !Version::combines(Version::there()))
}

/// A change, and the one that stands by after it.
fn one_stands_by(mirror: &Mirror) -> u32 {
    change(mirror, "first");
    stand_by(mirror, 1, &[])[0]
}

pub(crate) fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid as i32), signal).unwrap();
}

fn gone(pid: u32) {
    eventually("it has ended", || !fs::exists(format!("/proc/{pid}")).unwrap());
}

/// That nothing has failed, by what the program says.
fn no_failure(mirror: &Mirror) {
    let log = mirror.log();
    for word in ["everything is kept", "works again", "ended with", "WARN", "ERROR"] {
        assert!(!log.contains(word), "{word}: {log}");
    }
}

/// A mirror over SSH, with something more for ssh to know.
pub(crate) fn over_ssh(more: &str) -> (Plan, Sshd) {
    let mut plan = Plan::without_remotes();
    let sshd = Sshd::start(&plan.directory("sshd"));
    let copy = plan.directory("copy");
    plan.conf.ssh = true;
    plan.conf.port = Some(sshd.port());
    plan.conf.params = format!("-artz -e '{}{more}'", sshd.client());
    plan.conf.root(&plan.root, &[("127.0.0.1".into(), copy.display().to_string())]);
    plan.remotes.push(copy);
    (plan, sshd)
}
