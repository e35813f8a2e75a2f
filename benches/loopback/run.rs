//! One run of everything: how much is measured, how long it may take, and what is said meanwhile. Used by all
//! workloads.

use std::io::Write;
use std::time::{Duration, Instant};

use super::system::Unmeasurable;

/// How much is measured.
pub struct Scale {
    /// How many single changes are made by programs that take milliseconds, and by those that take seconds.
    pub changes: usize,
    pub slow_changes: usize,
    /// How often everything else is done.
    pub rounds: usize,
    /// How many files are there already, where single changes are made beside many files.
    pub files_there: usize,
    /// The numbers of new files. The goals are about the last one.
    pub files: &'static [usize],
    pub appends: usize,
    pub churn: Duration,
    /// The numbers of remotes. The others are compared with the first one.
    pub remotes: &'static [usize],
    /// The number of remotes in the comparison of all programs.
    pub remotes_of_all: usize,
    pub files_to_remotes: usize,
    /// The length of the big file that travels beside small changes, in MiB, and its speed in MiB a second.
    pub big_mib: usize,
    pub big_mib_s: usize,
}

/// For the published figures.
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
/// Shows whether the benchmark itself works. Its figures mean little.
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

/// After this time, what has not been begun is left out, and the report says so. Otherwise a machine on which
/// nothing ever arrives would be busy for a day.
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
