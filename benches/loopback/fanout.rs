//! Many remotes: how long new files take to all of them, what the program keeps in memory for each, and whether a dead
//! one holds up the others.

use std::net::TcpListener;
use std::time::Duration;

use super::document::Table;
use super::figures::{bytes, count, median, ratio, time, times};
use super::run::Run;
use super::session::{Session, Setting, PLAIN};
use super::system::{while_doing, Unmeasurable};
use super::tool::Tool;
use super::work::new_files;

/// The goal for the time to eight remotes, against eight rsyncs by hand at once.
const FAN_OUT_RATIO_MAX: f64 = 1.3;
/// The goal for the time to eight remotes beside a dead one, against the time without it.
const DEAD_RATIO_MAX: f64 = 1.3;
/// The step at which the goals are measured: the second one, with eight remotes.
const GOAL_STEP: usize = 1;

/// What was measured with one number of remotes.
pub struct Step {
    pub remotes: usize,
    pub times: Vec<Duration>,
    pub by_hand: Vec<Duration>,
    /// The memory after the first full sync, when nothing happens, and after the work.
    memory_before: Option<u64>,
    memory_after: Option<u64>,
}

/// Everything about many remotes.
pub struct FanOut {
    pub steps: Vec<Step>,
    beside_a_dead_one: Result<Vec<Duration>, Unmeasurable>,
    failures: Vec<String>,
}

/// Measures with each number of remotes, and then with a dead one among eight.
pub fn measure(run: &Run) -> FanOut {
    let mut steps = Vec::new();
    let mut failures = Vec::new();
    for remotes in run.scale.remotes {
        match step(run, *remotes) {
            Ok(step) => steps.push(step),
            Err(Unmeasurable(why)) => failures.push(format!("{remotes} remotes: {why}")),
        }
    }
    let beside_a_dead_one = beside_a_dead_one(run, run.scale.remotes[GOAL_STEP]);
    FanOut { steps, beside_a_dead_one, failures }
}

fn step(run: &Run, remotes: usize) -> Result<Step, Unmeasurable> {
    let setting = Setting { remotes, ..PLAIN };
    let mut step = Step {
        remotes,
        times: Vec::new(),
        by_hand: Vec::new(),
        memory_before: None,
        memory_after: None,
    };
    for tool in [Tool::Sersync, Tool::Hand { quick: true }] {
        run.time_left()?;
        run.says(&format!("{remotes} remotes: {}", tool.name()));
        let mut session = Session::start(tool, &setting, |_| Ok(()))?;
        step.memory_before = step.memory_before.or(session.memory());
        let times = new_files_to_all(run, &mut session)?;
        step.memory_after = step.memory_after.or(session.memory());
        match tool {
            Tool::Sersync => step.times = times,
            Tool::Hand { .. } | Tool::Lsyncd { .. } | Tool::Loop => step.by_hand = times,
        }
    }
    Ok(step)
}

fn new_files_to_all(run: &Run, session: &mut Session) -> Result<Vec<Duration>, Unmeasurable> {
    let mut times = Vec::new();
    for round in 0..run.scale.rounds {
        let files = run.scale.files_to_remotes;
        let measurement =
            session.measure(&[], |near| new_files(&near.join(format!("round-{round}")), files))?;
        times.push(measurement.time);
    }
    Ok(times)
}

/// The dead one is of the worst kind: the kernel takes connections for it, and it never says a word.
fn beside_a_dead_one(run: &Run, remotes: usize) -> Result<Vec<Duration>, Unmeasurable> {
    run.time_left()?;
    run.says(&format!("{remotes} remotes and one that never answers: sersync"));
    let silent = TcpListener::bind(("127.0.0.1", 0)).map_err(while_doing("listening"))?;
    let dead = silent.local_addr().map_err(while_doing("listening"))?.port();
    let setting = Setting { remotes, dead: Some(dead), ..PLAIN };
    let mut session = Session::start(Tool::Sersync, &setting, |_| Ok(()))?;
    new_files_to_all(run, &mut session)
}

impl FanOut {
    /// Everything about many remotes, as a table.
    pub fn table(&self, run: &Run) -> Table {
        let mut table = Table::new(&[
            "remotes",
            "sersync",
            "to one remote",
            "rsync by hand, all at once",
            "sersync to that",
            "memory, idle",
            "memory, afterwards",
        ]);
        let one = self.steps.first().and_then(|step| median(&step.times));
        let memory = |bytes_used: Option<u64>| bytes_used.map_or("–".to_string(), bytes);
        for step in &self.steps {
            let (own, by_hand) = (median(&step.times), median(&step.by_hand));
            table.row(&[
                count(step.remotes),
                time(own),
                times(ratio(own, one)),
                time(by_hand),
                times(ratio(own, by_hand)),
                memory(step.memory_before),
                memory(step.memory_after),
            ]);
        }
        let goal = self.steps.iter().find(|step| step.remotes == run.scale.remotes[GOAL_STEP]);
        let own = goal.and_then(|step| median(&step.times));
        let by_hand = goal.and_then(|step| median(&step.by_hand));
        let beside = match &self.beside_a_dead_one {
            Ok(times) => median(times),
            Err(_) => None,
        };
        let remotes = run.scale.remotes[GOAL_STEP];
        table.row(&[
            format!("{remotes}, and one that never answers"),
            time(beside),
            times(ratio(beside, one)),
        ]);
        for why in &self.failures {
            table.row(&[format!("failed: {why}")]);
        }
        if let Err(Unmeasurable(why)) = &self.beside_a_dead_one {
            table.row(&[format!("failed: {why}")]);
        }
        table.goal(
            &format!("{remotes} remotes, to as many rsyncs by hand at once"),
            ratio(own, by_hand),
            FAN_OUT_RATIO_MAX,
        );
        table.goal("with a dead one, to without it", ratio(beside, own), DEAD_RATIO_MAX);
        table
    }

    /// How much memory each further remote takes, between the fewest and the most.
    pub fn memory_of_a_remote(&self) -> Option<u64> {
        let (first, last) = (self.steps.first()?, self.steps.last()?);
        let more = last.memory_after?.saturating_sub(first.memory_after?);
        let remotes = u64::try_from(last.remotes - first.remotes).ok()?;
        more.checked_div(remotes)
    }
}
