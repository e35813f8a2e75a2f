//! The program is killed at any moment of a random load, and started again without `-r`; or it reads
//! its configuration again.
//!
//! `SERSYNC_KILLS=50` kills so often.

use super::load::{Load, Pace};
use super::random::Random;
use super::{seeds, CATCH_UP};
use crate::harness::{until, Mirror, Plan};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::env;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How often it is killed in each run of the tests.
const KILLS: usize = 10;
/// And how often it reads its configuration again.
const RELOADS: usize = 10;
/// The load of one round, and the longest time after which the program is killed in it.
const ROUND_MS: u64 = 400;
/// And what is changed while it does not run.
const DOWN_MS: u64 = 60;
/// How often somebody asks for a full sync, where somebody does.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// A schedule that never comes makes a mirror: deletions that nobody saw are passed on.
const MIRROR: &str = "<crontab start=\"true\" schedule=\"8000h\"/>";

fn kills() -> usize {
    let kills = env::var("SERSYNC_KILLS").ok();
    kills.map_or(KILLS, |text| text.parse().expect("SERSYNC_KILLS is a number"))
}

/// What somebody asks for until the program is killed.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Nothing,
    /// One full sync after the other.
    FullSyncs,
}

/// One round: the load, the kill in the middle of it, some more load, the start.
fn round(mirror: &mut Mirror, load: &mut Load, random: &mut Random) {
    load_and_kill(mirror, load, random, Asked::Nothing);
    mirror.start_again(&[]);
}

/// The round without the start.
fn load_and_kill(mirror: &mut Mirror, load: &mut Load, random: &mut Random, asked: Asked) {
    let kill_after = Duration::from_millis(random.below(ROUND_MS as usize) as u64);
    let pace = if random.below(2) == 0 { Pace::None } else { Pace::Gentle };
    thread::scope(|scope| {
        scope.spawn(|| load.run(Duration::from_millis(ROUND_MS), pace));
        let begun = Instant::now();
        while asked == Asked::FullSyncs && begun.elapsed() < kill_after {
            kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGUSR1).unwrap();
            thread::sleep(ASK_EVERY);
        }
        thread::sleep(kill_after.saturating_sub(begun.elapsed()));
        mirror.kill_program();
    });
    load.run(Duration::from_millis(DOWN_MS), Pace::None);
}

#[test]
fn killed_at_any_moment_of_a_load_it_makes_the_remote_equal_again() {
    for seed in seeds(31..=31) {
        let mut plan = Plan::new();
        plan.await_full_sync = false;
        plan.conf.crontab = MIRROR.into();
        plan.conf.event("attrib", true);
        let mut mirror = plan.start();
        let mut load = Load::new(&mirror.root, seed, true);
        let mut random = Random::new(seed);
        let mut looked_back = 0;
        for number in 0..kills() {
            round(&mut mirror, &mut load, &mut random);
            looked_back += usize::from(mirror.log().contains("is looked for"));
            // Every second time it is killed again before it can have found everything.
            if number % 2 == 0 {
                mirror.equal_within(CATCH_UP, &format!("after kill {number} of seed {seed}"));
                // Otherwise every start would make up for the first full sync.
                until("the state is saved", CATCH_UP, || {
                    let state = fs::read_to_string(mirror.state_file()).unwrap();
                    let owed = state.contains("full-sync");
                    (!owed).then_some(()).ok_or(state)
                });
            }
        }
        assert!(looked_back >= kills() / 3, "{looked_back} starts looked back");
        load.end();
        mirror.equal_within(CATCH_UP, &format!("after the last kill of seed {seed}"));
    }
}

#[test]
fn killed_at_any_moment_of_full_syncs_beside_a_load_it_makes_the_remote_equal_again() {
    for seed in seeds(34..=34) {
        let mut plan = Plan::new();
        plan.conf.crontab = MIRROR.into();
        plan.conf.event("attrib", true);
        // What a first full sync would delete of half a tree is no question here.
        plan.conf.safety = "<safety maxDelete=\"no\"/>".into();
        let mut mirror = plan.start();
        let mut load = Load::new(&mirror.root, seed, true);
        let mut random = Random::new(seed);
        let mut beside = 0;
        for number in 0..kills() {
            load_and_kill(&mut mirror, &mut load, &mut random, Asked::FullSyncs);
            let state = fs::read_to_string(mirror.state_file()).unwrap();
            beside += usize::from(state.contains("full-sync"));
            mirror.start_again(&[]);
            if number % 2 == 0 {
                mirror.equal_within(CATCH_UP, &format!("after kill {number} of seed {seed}"));
            }
        }
        assert!(beside >= kills() / 3, "{beside} kills were beside a full sync");
        load.end();
        mirror.equal_within(CATCH_UP, &format!("after the last kill of seed {seed}"));
    }
}

#[test]
fn killed_while_the_remote_is_down_it_makes_it_equal_when_it_is_back() {
    for seed in seeds(32..=32) {
        let mut plan = Plan::new();
        plan.conf.crontab = MIRROR.into();
        plan.conf.event("attrib", true);
        let mut mirror = plan.start();
        let mut load = Load::new(&mirror.root, seed, true);
        let mut random = Random::new(seed);
        mirror.daemon.stop();
        for _ in 0..3 {
            round(&mut mirror, &mut load, &mut random);
        }
        mirror.daemon.start();
        load.end();
        mirror.equal_within(CATCH_UP, &format!("after seed {seed} with the remote down"));
    }
}

#[test]
fn a_configuration_read_again_in_the_middle_of_a_load_loses_nothing() {
    for seed in seeds(33..=33) {
        let mut plan = Plan::new();
        // No mirror: a deletion that is forgotten is never made up for.
        plan.args.clear();
        plan.conf.event("attrib", true);
        let mut conf = plan.conf.clone();
        let mirror = plan.start();
        // What was there at the start is not pushed by itself.
        fs::write(mirror.root.join("anchor"), "written again").unwrap();
        let mut load = Load::new(&mirror.root, seed, true);
        let mut random = Random::new(seed);
        for number in 0..RELOADS {
            // Another one each time, or else nothing happens.
            conf.params = ["-art", "-artz"][number % 2].into();
            fs::write(mirror.dir().join("confxml.xml"), conf.to_string()).unwrap();
            let after = Duration::from_millis(random.below(ROUND_MS as usize) as u64);
            thread::scope(|scope| {
                scope.spawn(|| load.run(Duration::from_millis(ROUND_MS), Pace::Gentle));
                thread::sleep(after);
                kill(Pid::from_raw(mirror.pid() as i32), Signal::SIGHUP).unwrap();
            });
        }
        // What is written to a file that stays open is nothing that has happened.
        load.end();
        mirror.equal_within(CATCH_UP, &format!("after the reloads of seed {seed}"));
        let read = mirror.log().matches("the configuration has been read again").count();
        assert!(read > RELOADS / 4, "{read} reloads");
    }
}
