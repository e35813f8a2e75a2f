//! Chaos: a random load, faults of every kind at random moments, then rest; and then everything must be as it
//! should be on every far side.
//!
//! `scripts/chaos.sh [SECONDS] [SEED]` runs it. A seed is a life of its own: it decides the mode, the remotes, the
//! load, and which fault comes when. What it cannot decide is the order in which the machine does all of that, so
//! a seed that failed once may pass; it is to be read from what was printed, and becomes a test with a name.
//!
//! - `world`: what there is, and what must be true of it at rest.
//! - `faults`: what can happen to it, and how it is mended.
//! - `others`: files of other sources on the far sides, which nobody here may delete.

mod faults;
mod others;
mod world;

use crate::churn::random::Random;
use faults::Fault;
use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};
use world::World;

/// How long all lives take together, if `SERSYNC_CHAOS_SECONDS` does not say it.
const SECONDS: u64 = 30;
/// How many faults come in a life, one after the other or one beside the other.
const FAULTS_OF_A_LIFE: usize = 8;
/// The load between two of them lasts at most so long.
const BETWEEN_MS_MAX: usize = 1_500;

#[test]
fn whatever_happens_everything_is_right_when_it_is_over() {
    let seconds = number("SERSYNC_CHAOS_SECONDS").unwrap_or(SECONDS);
    let first = number("SERSYNC_CHAOS_SEED").unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut counts = BTreeMap::new();
    for seed in first.. {
        live(seed, &mut counts);
        if Instant::now() >= end {
            println!("seeds {first} to {seed}: {counts:?}");
            return;
        }
    }
}

/// One life: load and faults, then rest, then the look at everything.
fn live(seed: u64, counts: &mut BTreeMap<String, usize>) {
    let started = Instant::now();
    let mut random = Random::new(seed);
    let mut world = World::new(seed, &mut random);
    let mut broken: Vec<Fault> = Vec::new();
    for _ in 0..FAULTS_OF_A_LIFE {
        world.load(random.below(BETWEEN_MS_MAX));
        // What is broken is mended at some moment, and not always before the next thing breaks.
        if random.below(2) == 0 {
            if let Some(fault) = broken.pop() {
                world.mend(fault);
                world.load(random.below(BETWEEN_MS_MAX));
            }
        }
        let fault = faults::choose(&world, &mut random, &broken);
        world.says(&fault.name());
        *counts.entry(fault.name()).or_default() += 1;
        world.breaks(&fault, &mut random);
        if fault.lasts() {
            broken.push(fault);
        }
    }
    world.load(random.below(BETWEEN_MS_MAX));
    for fault in broken.into_iter().rev() {
        world.mend(fault);
    }
    world.load(BETWEEN_MS_MAX / 4);
    let about = world.about();
    world.rest();
    println!("seed {seed}, {about}: right after {:.1?}", started.elapsed());
}

/// A number from the environment.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text}: it is a number")))
}
