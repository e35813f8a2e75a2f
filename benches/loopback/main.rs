//! What sersync costs beside rsync by hand, lsyncd and a loop of inotifywait: everything on loopback and in memory.
//!
//! Run by `scripts/bench.sh`, or `cargo bench --bench loopback [-- --quick] [--write DIRECTORY]`. It measures, says on
//! standard error what it does, and prints the report as Markdown on standard output; plots go to the directory.
//! The exit code says whether it could measure, not whether a goal was missed or another program failed. Each figure
//! stands beside those of other programs that did the same work in the same run, because a time by itself says more
//! about the machine.

mod bare;
mod changes;
mod clients;
mod document;
mod facts;
mod fanout;
mod figures;
mod lanes;
mod look;
mod peers;
mod plot;
mod report;
mod results;
mod run;
mod session;
mod sshd;
mod stage;
mod system;
mod tool;
mod work;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use run::{Run, FULL, QUICK};
use system::{while_doing, Unmeasurable};

fn main() -> ExitCode {
    let mut scale = FULL;
    let mut directory = None;
    // Cargo adds `--bench` to whatever it was given.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => scale = QUICK,
            "--write" => directory = words.next().map(PathBuf::from),
            word => {
                let known = "--quick and --write DIRECTORY";
                complain(&format!("the only options are {known}, not: {word}"));
                return ExitCode::from(2);
            }
        }
    }
    match measure(scale, directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Unmeasurable(why)) => {
            complain(&format!("could not measure: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(scale: run::Scale, directory: Option<PathBuf>) -> Result<(), Unmeasurable> {
    let report = report::measure(&Run::begin(scale))?;
    if let Some(directory) = directory {
        for (name, text) in &report.files {
            let file = directory.join(name);
            fs::write(&file, text).map_err(while_doing(file.display()))?;
        }
    }
    write!(io::stdout(), "{}", report.document).map_err(while_doing("printing the report"))
}

fn complain(what: &str) {
    // Standard error may have gone; the exit code says the same.
    let _ = writeln!(io::stderr(), "loopback: {what}");
}
