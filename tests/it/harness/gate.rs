//! A program in front of rsync that can hold every run back at its start (but for `--version`): what a program does in
//! the moment between its look at the tree and rsync's own happens then for sure, not by chance.

use super::{eventually, path, Plan};
use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Stands before rsync in the `PATH` of one plan's program.
pub struct Gate {
    held: PathBuf,
    waiting: PathBuf,
    failing: PathBuf,
    /// How many runs were to fail.
    failures: Cell<usize>,
}

/// What the rsync behind the gate takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rsync {
    /// All that the installed one does.
    AsInstalled,
    /// All but `--delete-missing-args`, as before 3.1.
    Old,
}

impl Gate {
    /// Puts a gate, open at first, into the plan.
    pub fn before(plan: &mut Plan, rsync: Rsync) -> Gate {
        let bin = plan.directory("bin");
        let [held, waiting, failing] = ["held", "waiting", "failing"].map(|name| bin.join(name));
        let gate = Gate { held, waiting, failing, failures: Cell::new(0) };
        let path = path();
        let refuse = match rsync {
            Rsync::AsInstalled => "",
            Rsync::Old => {
                "case \"$*\" in *--delete-missing-args*)\n\
                 echo 'rsync: --delete-missing-args: unknown option' >&2; exit 1;;\nesac\n"
            }
        };
        let script = format!(
            "#!/bin/sh\n{refuse}if [ -e '{0}' ] && [ \"$*\" != --version ]; then\n: >'{1}'\n\
             while [ -e '{0}' ]; do sleep 0.01; done\nfi\n\
             for said in '{2}'.*; do\n[ -e \"$said\" ] || break\n\
             cat >/dev/null\ncat \"$said\" >&2\nrm \"$said\"\nexit 23\ndone\n\
             PATH='{path}' exec rsync \"$@\"\n",
            gate.held.display(),
            gate.waiting.display(),
            gate.failing.display(),
        );
        fs::write(bin.join("rsync"), script).unwrap();
        fs::set_permissions(bin.join("rsync"), fs::Permissions::from_mode(0o755)).unwrap();
        plan.variables.push(("PATH".to_string(), format!("{}:{path}", bin.display())));
        gate
    }

    /// From now on every run stops at the gate.
    pub fn hold(&self) {
        let _ = fs::remove_file(&self.waiting);
        fs::write(&self.held, "").unwrap();
    }

    /// Returns when a run stands at the gate.
    pub fn await_run(&self) {
        eventually("a run stands at the gate", || self.waiting.exists());
    }

    /// The next run sends nothing, and says that this path did not get through.
    pub fn fail_next(&self, path: &str) {
        self.fail_runs(path, 1);
    }

    /// So do the next `count` runs.
    pub fn fail_runs(&self, path: &str, count: usize) {
        let said = format!("rsync: [sender] send_files failed to open \"{path}\": refused (1)\n");
        (0..count).for_each(|run| fs::write(self.failing_run(run), &said).unwrap());
        self.failures.set(count);
    }

    /// Returns when these runs have been.
    pub fn await_failure(&self) {
        let is_over = |run| !self.failing_run(run).exists();
        eventually("the runs have failed", || (0..self.failures.get()).all(is_over));
    }

    fn failing_run(&self, run: usize) -> PathBuf {
        self.failing.with_extension(run.to_string())
    }

    /// Lets them go on.
    pub fn release(&self) {
        fs::remove_file(&self.held).unwrap();
    }
}
