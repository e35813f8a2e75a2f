//! What a standby costs, and that nothing of it stays.
//!
//! `SERSYNC_IT_FULL=1` takes a thousand batches instead of two hundred.

use super::{change, children, gone, no_failure, one_stands_by, rsyncs, stand_by};
use crate::harness::{eventually, memory_kib, switches, Mirror, Plan, Tree};
use std::fs;

/// What the program may take more after many batches, in KiB.
const GROWTH_KIB_MAX: u64 = 1024;

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn nothing_is_left_of_those_that_were_used() {
    let full = std::env::var_os("SERSYNC_IT_FULL").is_some();
    let mut plan = Plan::new();
    plan.conf.batch = r#"<batch interval="0"/>"#.into();
    let mirror = plan.start();
    for number in 0..20 {
        change(&mirror, &format!("warm{number}"));
    }
    stand_by(&mirror, 1, &[]);
    let (open, kib) = (descriptors(mirror.pid()), memory_kib(mirror.pid(), "VmRSS"));
    let batches = if full { 1_000 } else { 200 };
    let start = mirror.batches();
    for number in 0..batches {
        let name = format!("file{}", number % 50);
        fs::write(mirror.root.join(name), format!("{number}")).unwrap();
        eventually("it has arrived", || mirror.batches() > start + number);
    }
    mirror.equal();
    stand_by(&mirror, 1, &[]);
    let more_kib = memory_kib(mirror.pid(), "VmRSS").saturating_sub(kib);
    println!("{batches} batches: {more_kib} KiB more than {kib} KiB, {open} descriptors");
    assert_eq!(children(mirror.pid()).len(), 1, "{:?}", children(mirror.pid()));
    assert_eq!(descriptors(mirror.pid()), open);
    assert!(more_kib <= GROWTH_KIB_MAX, "{more_kib} KiB");
    no_failure(&mirror);
}

#[test]
fn nothing_is_left_after_a_stop() {
    for at_work in [false, true] {
        let mut mirror = Plan::new().start();
        let waiting = one_stands_by(&mirror);
        if at_work {
            fs::write(mirror.root.join("last"), "").unwrap();
        }
        let mark = mark_of(&mirror);
        mirror.halt_program();
        gone(waiting);
        eventually("nothing is left", || marked(&mark).is_empty());
    }
}

#[test]
fn those_of_a_killed_program_end_by_themselves_and_change_nothing() {
    let mut mirror = Plan::new().start();
    let waiting = one_stands_by(&mirror);
    let mark = mark_of(&mirror);
    let before = Tree::read_still(&mirror.remotes[0]);
    mirror.kill_program();
    // What is different now is for the next start.
    fs::remove_file(mirror.root.join("first")).unwrap();
    fs::write(mirror.root.join("new"), "").unwrap();
    gone(waiting);
    eventually("nothing is left", || marked(&mark).is_empty());
    assert_eq!(Tree::read_still(&mirror.remotes[0]), before);
    mirror.start_again(&["-r"]);
    mirror.equal();
}

#[test]
fn an_idle_program_sleeps_until_the_one_that_waits_is_let_go() {
    let mut plan = Plan::new();
    plan.conf.standby = r#"<standby start="true" seconds="4"/>"#.into();
    // What other tests mount is nothing to this one, and wakes it if it is seen.
    plan.how.behind = ["unshare", "-m"].map(Into::into).to_vec();
    let mirror = plan.start();
    let waiting = one_stands_by(&mirror);
    // The state is written up to a second after a change, and the workers go to sleep.
    let mut before = switches(mirror.pid());
    let since = std::time::Instant::now();
    let mut still = since;
    eventually("it sleeps for a second and more", || {
        let now = switches(mirror.pid());
        if now != before {
            (before, still) = (now, std::time::Instant::now());
        }
        still.elapsed().as_millis() > 1_200
    });
    assert_eq!(rsyncs(&mirror), [waiting]);
    gone(waiting);
    assert_eq!(children(mirror.pid()), []);
    change(&mirror, "later");
    no_failure(&mirror);
}

/// How every run of a program is marked.
fn mark_of(mirror: &Mirror) -> Vec<u8> {
    let conf = mirror.dir().join("confxml.xml").canonicalize().unwrap();
    format!("SERSYNC_RUN_OF={}", conf.display()).into_bytes()
}

fn marked(mark: &[u8]) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let has_mark = |entry: &fs::DirEntry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == mark)
    };
    entries.filter(has_mark).map(|entry| entry.path().display().to_string()).collect()
}
