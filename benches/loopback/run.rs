//! One run of everything: how much is measured, how long it may take, and what is said meanwhile. Used by all workloads.

use std::io::Write;
use std::time::{Duration, Instant};

use super::system::Unmeasurable;

/// How much is measured.
pub struct Scale {
    /// Single changes by those who take milliseconds, and by those who take seconds.
    pub changes: usize,
    pub slow_changes: usize,
    /// How often everything else is done.
    pub rounds: usize,
    /// Files that are there already, for the second kind of single change.
    pub files_there: usize,
    /// Numbers of new files; the last is the one of the goals.
    pub files: &'static [usize],
    pub appends: usize,
    pub churn: Duration,
    /// Numbers of remotes; the first is what the others are compared with.
    pub remotes: &'static [usize],
    /// The remotes of the comparison.
    pub remotes_of_all: usize,
    pub files_to_remotes: usize,
    /// The big file that travels beside small changes, and how fast, in MiB and MiB a second.
    pub big_mib: usize,
    pub big_mib_s: usize,
}

/// What the published figures are made of.
pub const FULL: Scale = Scale {
    changes: 100,
    slow_changes: 10,
    rounds: 3,
    files_there: 100_000,
    files: &[10, 100, 1_000, 10_000],
    appends: 1_000,
    churn: Duration::from_secs(20),
    remotes: &[1, 8, 32, 100],
    remotes_of_all: 8,
    files_to_remotes: 500,
    big_mib: 256,
    big_mib_s: 16,
};
/// To see whether the benchmark itself works; its figures mean little.
pub const QUICK: Scale = Scale {
    changes: 3,
    slow_changes: 1,
    rounds: 1,
    files_there: 1_000,
    files: &[10, 300],
    appends: 50,
    churn: Duration::from_secs(1),
    remotes: &[1, 3],
    remotes_of_all: 2,
    files_to_remotes: 50,
    big_mib: 80,
    big_mib_s: 40,
};

/// After this time, what has not been begun is left out, and the report says so: a machine on which everything
/// takes its whole patience must not hold up its owner for a day.
const RUN_TIME_MAX: Duration = Duration::from_secs(45 * 60);

/// The run.
pub struct Run {
    pub scale: Scale,
    started: Instant,
}

impl Run {
    /// It begins now.
    pub fn begin(scale: Scale) -> Run {
        Run { scale, started: Instant::now() }
    }

    /// Says on standard error what happens next.
    pub fn says(&self, what: &str) {
        let seconds = self.started.elapsed().as_secs();
        // A terminal that has gone is no reason to stop measuring.
        let _ = writeln!(std::io::stderr(), "{:>3}:{:02} {what}", seconds / 60, seconds % 60);
    }

    /// Whether there is time for more.
    pub fn time_left(&self) -> Result<(), Unmeasurable> {
        match self.started.elapsed() < RUN_TIME_MAX {
            true => Ok(()),
            false => {
                let minutes = RUN_TIME_MAX.as_secs() / 60;
                Err(Unmeasurable(format!("left out: the run was {minutes} minutes old")))
            }
        }
    }

    /// How long it has taken so far.
    pub fn minutes(&self) -> u64 {
        self.started.elapsed().as_secs().div_ceil(60)
    }
}
