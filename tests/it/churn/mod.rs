//! Random load against the running program: whatever happens, the trees are equal in the end.
//!
//! A seed is a small time of its own. `SERSYNC_CHURN_SEEDS=7,8` takes other seeds (each test then
//! runs them all), `SERSYNC_CHURN_SECONDS=60` another time; a failure names its seed.

mod crashes;
pub mod load;
pub mod random;

use crate::harness::{eventually, Mirror, Plan};
use load::{Load, Pace};
use std::env;
use std::time::Duration;

/// How long each seed's load lasts.
const SECONDS: u64 = 4;
/// How long the remote may take to be equal after the load: an unpaced load makes changes faster
/// than two processors can send them.
const CATCH_UP: Duration = Duration::from_secs(90);
/// A load that did less than this did not happen, and equal trees would say nothing.
const STEPS_MIN: usize = 200;

/// Which switches the load is run with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Switches {
    /// The template's, where a mode or a time alone is not sent; the load leaves them alone.
    Template,
    /// `attrib` on: modes and times are part of the load.
    Attrib,
}

pub fn duration() -> Duration {
    let seconds = env::var("SERSYNC_CHURN_SECONDS")
        .ok()
        .map(|text| text.parse().expect("SERSYNC_CHURN_SECONDS is a number of seconds"));
    Duration::from_secs(seconds.unwrap_or(SECONDS))
}

pub fn seeds(default: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    let Ok(text) = env::var("SERSYNC_CHURN_SEEDS") else { return default.collect() };
    let number = |word: &str| word.trim().parse().expect("SERSYNC_CHURN_SEEDS is like 7,8,9");
    text.split(',').map(number).collect()
}

/// A running mirror for a load; its first full sync may still be going on.
fn start(switches: Switches) -> Mirror {
    let mut plan = Plan::new();
    plan.await_full_sync = false;
    plan.conf.event("attrib", switches == Switches::Attrib);
    // As many batches as the load gives: each is another moment at which it can meet one.
    plan.conf.batch = r#"<batch interval="0"/>"#.into();
    plan.start()
}

fn converges(seeds: Vec<u64>, pace: Pace, switches: Switches) {
    for seed in seeds {
        let mirror = start(switches);
        let mut load = Load::new(&mirror.root, seed, switches == Switches::Attrib);
        load.run(duration(), pace);
        finish(&mirror, load, &format!("after seed {seed}, {pace:?}, {switches:?}"));
    }
}

fn finish(mirror: &Mirror, load: Load, about: &str) {
    let steps = load.end();
    assert!(steps >= STEPS_MIN, "the load made only {steps} changes {about}");
    mirror.equal_within(CATCH_UP, &format!("{about}, {steps} changes"));
    mirror.fence();
    mirror.equal_within(CATCH_UP, &format!("and stays so {about}, {steps} changes"));
}

#[test]
fn unpaced_load_with_modes_and_times_converges() {
    converges(seeds(1..=5), Pace::None, Switches::Attrib);
}

#[test]
fn gentle_load_with_modes_and_times_converges() {
    converges(seeds(6..=10), Pace::Gentle, Switches::Attrib);
}

#[test]
fn unpaced_load_with_the_template_s_switches_converges() {
    converges(seeds(11..=15), Pace::None, Switches::Template);
}

#[test]
fn gentle_load_with_the_template_s_switches_converges() {
    converges(seeds(16..=20), Pace::Gentle, Switches::Template);
}

#[test]
fn load_while_the_remote_comes_and_goes_converges() {
    for seed in seeds(21..=22) {
        let mut mirror = start(Switches::Attrib);
        let mut load = Load::new(&mirror.root, seed, true);
        let part = duration() / 5;
        for _ in 0..2 {
            load.run(part, Pace::Gentle);
            mirror.daemon.stop();
            load.run(part, Pace::Gentle);
            mirror.daemon.start();
        }
        load.run(part, Pace::Gentle);
        finish(&mirror, load, &format!("after seed {seed} with restarts of the daemon"));
    }
}

#[test]
fn load_while_the_remote_is_down_for_long_converges() {
    for seed in seeds(23..=23) {
        let mut mirror = start(Switches::Attrib);
        let mut load = Load::new(&mirror.root, seed, true);
        load.run(duration() / 4, Pace::Gentle);
        mirror.daemon.stop();
        // Tries after 1, 2, 4 and 8 seconds: by the end the pauses are long.
        load.run(3 * duration(), Pace::Gentle);
        mirror.daemon.start();
        load.run(duration() / 4, Pace::Gentle);
        finish(&mirror, load, &format!("after seed {seed} with the daemon down for long"));
        let fail_log = mirror.dir().join("rsync_fail_log.sh");
        eventually("the fail log is empty", || fail_log.metadata().unwrap().len() == 0);
        let log = mirror.log();
        let told = log.lines().filter(|line| line.contains("everything is kept")).count();
        assert!((1..=2).contains(&told), "{told} lines about one remote that is down\n{log}");
    }
}
