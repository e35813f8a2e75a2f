//! The results of each workload and program, and the tables that show them. Measures nothing. The workloads fill
//! them, `report` and `plot` read them.

use std::time::Duration;

use super::document::{Document, Table};
use super::figures::{bytes, count, median, percentile, ratio, time, times, NEVER};
use super::look::Difference;
use super::session::Measurement;
use super::tool::{Tool, TOOLS};

/// With this many samples, the time of 99 of 100 means something.
const SAMPLES_FOR_TAIL: usize = 50;

/// A program that needs less than this part of sersync's time is ahead of it. Closer ones change places from run to
/// run.
const AHEAD_RATIO: f64 = 0.95;

/// The kinds of workloads, by which `report` picks them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A single change in a small tree.
    Change,
    /// A single change beside many files.
    ChangeBesideMany,
    /// Measured of single programs only, for a table of its own.
    Apart,
    /// One of those that all programs go through, several times.
    Round(Work),
}

/// One thing to do, and to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Two changes, the second of which comes while some programs still wait after the first.
    Second,
    Files(usize),
    Copy,
    Rename,
    Delete,
    Appends,
    Churn,
    Remotes,
}

/// One row of the comparison.
pub struct Workload {
    pub kind: Kind,
    /// Its name in tables.
    pub title: String,
    /// What exactly was done, in a sentence or two.
    pub what: String,
    /// The results of each program that did it.
    pub results: Vec<ToolResult>,
}

/// The results of one program.
pub struct ToolResult {
    pub tool: Tool,
    /// The times of all measurements.
    pub times: Vec<Duration>,
    /// All that was measured, where more than the time was.
    pub measurements: Vec<Measurement>,
    /// For each measurement that failed, why.
    pub failures: Vec<String>,
}

impl ToolResult {
    /// Results of a program that has not been measured yet.
    pub fn new(tool: Tool) -> ToolResult {
        ToolResult { tool, times: Vec::new(), measurements: Vec::new(), failures: Vec::new() }
    }

    /// The measurement of the round whose time is the median.
    pub fn middle(&self) -> Option<&Measurement> {
        let median = median(&self.times)?;
        self.measurements.iter().find(|measurement| measurement.time == median)
    }

    /// What was wrong at the end of the worst measurement.
    fn wrong(&self) -> Difference {
        let differences = self.measurements.iter().map(|measurement| measurement.difference);
        differences
            .max_by_key(|wrong| wrong.missing + wrong.left_over + wrong.different)
            .unwrap_or_default()
    }

    fn cell(&self) -> String {
        match (self.times.is_empty(), self.failures.is_empty()) {
            (true, false) => "failed".to_string(),
            (_, true) => time(median(&self.times)),
            (false, false) => {
                format!("{} (failed {} times)", time(median(&self.times)), self.failures.len())
            }
        }
    }
}

impl Workload {
    /// A workload without results.
    pub fn new(kind: Kind, title: &str, what: &str) -> Workload {
        Workload { kind, title: title.to_string(), what: what.to_string(), results: Vec::new() }
    }

    /// The results of `tool`, which are made if there are none.
    pub fn of(&mut self, tool: Tool) -> &mut ToolResult {
        let at = self.results.iter().position(|result| result.tool == tool).unwrap_or_else(|| {
            self.results.push(ToolResult::new(tool));
            self.results.len() - 1
        });
        &mut self.results[at]
    }

    /// The results of `tool`, if there are any.
    pub fn get(&self, tool: Tool) -> Option<&ToolResult> {
        self.results.iter().find(|result| result.tool == tool)
    }

    /// The median time of `tool`.
    pub fn median(&self, tool: Tool) -> Option<Duration> {
        self.get(tool).and_then(|result| median(&result.times))
    }

    /// Everything that is known, as a table with one row for each program.
    pub fn table(&self) -> Table {
        match self.results.iter().any(|result| !result.measurements.is_empty()) {
            true => self.table_of_measurements(),
            false => self.table_of_latencies(),
        }
    }

    fn table_of_latencies(&self) -> Table {
        let mut table =
            Table::new(&["", "median", "to sersync's", "99 of 100", "least", "most", "samples"]);
        for result in &self.results {
            let (tail, least, most) = (99, 0, 100);
            let at = |percent| time(percentile(&result.times, percent));
            table.row(&[
                result.tool.name().to_string(),
                result.cell(),
                self.to_sersync(result),
                if result.times.len() < SAMPLES_FOR_TAIL { "–".to_string() } else { at(tail) },
                at(least),
                at(most),
                result.times.len().to_string(),
            ]);
        }
        table
    }

    fn table_of_measurements(&self) -> Table {
        let columns = [
            "",
            "median",
            "to sersync's",
            "least to most",
            "rsync runs",
            "on the wire",
            "processor time: own + its rsync",
            "at the end",
            "samples",
        ];
        let mut table = Table::new(&columns);
        for result in &self.results {
            let middle = result.middle();
            let cpu = middle
                .and_then(|measurement| measurement.cpu)
                .map(|cpu| format!("{} + {}", time(Some(cpu.own)), time(Some(cpu.children))));
            let range = [0, 100].map(|percent| time(percentile(&result.times, percent)));
            table.row(&[
                result.tool.name().to_string(),
                result.cell(),
                self.to_sersync(result),
                range.join(" to "),
                or_dash(middle.map(|measurement| count(measurement.traffic.connections))),
                or_dash(middle.map(|measurement| bytes(measurement.traffic.bytes))),
                or_dash(cpu),
                wrong(result),
                result.times.len().to_string(),
            ]);
        }
        table
    }

    fn to_sersync(&self, result: &ToolResult) -> String {
        times(ratio(median(&result.times), self.median(Tool::Sersync)))
    }

    /// What could not be measured, each as one line.
    fn failures(&self) -> Vec<String> {
        let line = |tool: Tool, why: &str| {
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("- {}, {}: {why}", self.title, tool.name())
        };
        self.results
            .iter()
            .flat_map(|result| result.failures.iter().map(move |why| line(result.tool, why)))
            .collect()
    }

    /// A line for each program that is faster than sersync.
    fn ahead(&self) -> Vec<String> {
        let own = self.median(Tool::Sersync).unwrap_or(NEVER);
        let faster = self.results.iter().filter(|result| {
            let against_own = ratio(median(&result.times), Some(own));
            against_own.is_some_and(|ratio| ratio < AHEAD_RATIO)
        });
        faster
            .map(|result| {
                format!(
                    "- {}: {}, {} against sersync's {} ({})",
                    self.title,
                    result.tool.name(),
                    time(median(&result.times)),
                    time(Some(own)),
                    self.to_sersync(result),
                )
            })
            .collect()
    }
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "–".to_string())
}

fn wrong(result: &ToolResult) -> String {
    let wrong = result.wrong();
    let parts = [
        (wrong.missing, "missing"),
        (wrong.left_over, "left over"),
        (wrong.different, "different"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number)))
        .collect();
    match (parts.is_empty(), result.measurements.is_empty()) {
        (_, true) => "–".to_string(),
        (true, false) => "equal".to_string(),
        (false, false) => parts.join(", "),
    }
}

/// The comparison: one row for each workload, one column for each program.
pub fn comparison<'a>(workloads: impl Iterator<Item = &'a Workload>) -> Table {
    let mut columns = vec!["median, until all is equal"];
    columns.extend(TOOLS.iter().map(|tool| tool.name()));
    let mut table = Table::new(&columns);
    for workload in workloads {
        let mut cells = vec![workload.title.clone()];
        let fastest = workload.results.iter().filter_map(|result| median(&result.times)).min();
        for tool in TOOLS {
            cells.push(or_dash(workload.get(tool).map(|result| {
                match median(&result.times) == fastest && fastest.is_some() {
                    true => format!("**{}**", result.cell()),
                    false => result.cell(),
                }
            })));
        }
        table.row(&cells);
    }
    table
}

/// Adds which programs are ahead of sersync, and what could not be measured.
pub fn verdicts(document: &mut Document, workloads: &[Workload]) {
    let ahead: Vec<String> = workloads.iter().flat_map(Workload::ahead).collect();
    match ahead.is_empty() {
        true => document
            .paragraph("In this run, nobody was ahead of sersync in any row by more than 5%."),
        false => {
            document.paragraph("Ahead of sersync in this run, by more than 5%:");
            document.paragraph(&ahead.join("\n"));
        }
    }
    let failures: Vec<String> = workloads.iter().flat_map(Workload::failures).collect();
    if !failures.is_empty() {
        document.paragraph("Could not be measured:");
        document.paragraph(&failures.join("\n"));
    }
}
