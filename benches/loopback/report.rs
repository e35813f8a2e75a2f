//! The report in full: which chapters there are, in which order, and what is said about them. Calls the workloads,
//! and gives their results to tables and plots.

use std::time::Duration;

use super::bare;
use super::changes;
use super::clients::{self, CLIENTS};
use super::document::{Document, Table};
use super::facts;
use super::fanout::{self, FanOut};
use super::figures::{bytes, count, median, ratio, times};
use super::lanes;
use super::peers;
use super::plot::{distribution, growth, Series};
use super::results::{comparison, verdicts, Kind, ToolResult, Work, Workload};
use super::run::Run;
use super::system::{while_doing, Unmeasurable};
use super::tool::{Tool, TOOLS};
use super::work::Sources;

/// The goal for the time of a burst from its last write, against one rsync of the same files by hand.
const BURST_RATIO_MAX: f64 = 1.3;
/// The goal for the number of rsync runs for one burst.
const BURST_RUNS_MAX: f64 = 10.0;
/// The goal for the program's own processor time for a burst, against that of the rsync processes it started.
const OWN_CPU_RATIO_MAX: f64 = 0.05;

/// The text, and the files beside it, by name: the plots, and the rows for the README.
pub struct Report {
    pub document: Document,
    pub files: Vec<(&'static str, String)>,
}

/// Measures everything.
pub fn measure(run: &Run) -> Result<Report, Unmeasurable> {
    let mut facts = facts::table(&facts::load())?;
    let sources = Sources::find().map_err(while_doing("looking for the sources of crates"))?;

    let small = changes::in_a_small_tree(run);
    // Other measurements may fail. Without this one there is nothing to report.
    if let Some(why) = small.get(Tool::Sersync).and_then(|result| result.failures.first()) {
        return Err(Unmeasurable(why.clone()));
    }
    let large = changes::in_a_large_tree(run);
    let advised = changes::to_the_advised_daemon(run);
    let over_ssh = changes::over_ssh(run);
    let lanes = [lanes::beside_a_big_file(run), lanes::beside_a_full_sync(run)];
    let clients = clients::table(run);
    let bare = bare::cpu_for(run.scale.files.last().copied().unwrap_or_default());
    let fan_out = fanout::measure(run);
    let works = peers::measure(run, &sources);

    let mut files = vec![
        ("bench-change.svg", latency_plot(&small)),
        ("bench-files.svg", files_plot(run, &works)),
        ("bench-remotes.svg", remotes_plot(&fan_out)),
    ];
    facts.row(&["time of the run".to_string(), format!("{} minutes", run.minutes())]);
    let mut report = Document::default();
    opening(&mut report, facts);
    let mut workloads = vec![small, large];
    workloads.extend(works);
    report.heading(2, "Beside other programs");
    report.paragraph(
        "All push to one rsync daemon on loopback, set up as it comes (the remotes of the last row: to as many \
         modules of it), with compression, as guides and templates have it. Each has a daemon and directories of \
         its own, empty but for one file. The fastest of a row is bold.",
    );
    report.table(comparison(workloads.iter()));
    verdicts(&mut report, &workloads);
    let headlines = workloads.iter().filter(|workload| is_headline(run, workload.kind));
    files.push(("headlines.md", comparison(headlines).to_string()));
    report.picture("Each single change, by program", "bench-change.svg");
    report.picture("New files until they have arrived, by number and program", "bench-files.svg");
    report.heading(2, "Each workload");
    for workload in &workloads {
        report.heading(3, &capital(&workload.title));
        report.paragraph(&workload.what);
        report.table(table_with_goals(run, workload, &bare));
    }
    own_chapters(&mut report, run, advised, over_ssh, lanes, clients, &fan_out);
    Ok(Report { document: report, files })
}

fn opening(report: &mut Document, facts: Table) {
    report.heading(1, "Benchmarks");
    report.paragraph(
        "Written by `scripts/bench.sh`, which measures on your machine in the same way. A time alone says more about \
         the machine, so read the ratios: everything in a table was measured in the same run, in turn, and several \
         times; the median counts. Everything is on one machine: the network adds the same to all of them.",
    );
    report.table(facts);
    report.paragraph(
        "*never*: the far side was not equal when nothing had come to it for eight seconds longer than the program \
         may wait by its settings. It may still come with a later change. *By hand* is no program, and no rival: it \
         is what the work costs if somebody knows the moment and types the command. *inotifywait loop* is the shell \
         loop that guides teach: an rsync of everything at an event, if the last one is 5 s or longer ago.",
    );
}

/// Whether the README shows the row.
fn is_headline(run: &Run, kind: Kind) -> bool {
    match kind {
        Kind::Change | Kind::ChangeBesideMany => true,
        Kind::Round(Work::Files(files)) => is_burst(run, files),
        Kind::Round(Work::Copy | Work::Rename | Work::Churn | Work::Remotes) => true,
        Kind::Round(Work::Second | Work::Delete | Work::Appends) | Kind::Apart => false,
    }
}

/// Whether it is the number of new files that the goals are about.
fn is_burst(run: &Run, files: usize) -> bool {
    run.scale.files.last() == Some(&files)
}

fn table_with_goals(
    run: &Run,
    workload: &Workload,
    bare: &Result<Duration, Unmeasurable>,
) -> Table {
    let mut table = workload.table();
    let own = workload.get(Tool::Sersync);
    match workload.kind {
        Kind::Change => changes::goals(&mut table, workload),
        Kind::Round(Work::Files(files)) if is_burst(run, files) => {
            burst_goals(&mut table, workload, own, bare);
        }
        Kind::Round(Work::Rename) => {
            let middle = own.and_then(ToolResult::middle);
            let content = middle.map(|measurement| measurement.traffic.content_bytes as f64);
            table.goal("content of files that was sent again, in bytes", content, 0.0);
        }
        Kind::ChangeBesideMany | Kind::Apart | Kind::Round(_) => {}
    }
    table
}

fn burst_goals(
    table: &mut Table,
    workload: &Workload,
    own: Option<&ToolResult>,
    bare: &Result<Duration, Unmeasurable>,
) {
    let middle = own.and_then(ToolResult::middle);
    let by_hand = workload.median(Tool::Hand { quick: true });
    let to_hand = ratio(workload.median(Tool::Sersync), by_hand);
    let runs = middle.map(|measurement| measurement.traffic.connections as f64);
    let cpu = middle.and_then(|measurement| measurement.cpu);
    let children = cpu.map(|cpu| cpu.children);
    let cpu = ratio(cpu.map(|cpu| cpu.own), children);
    table.goal("time, to one rsync by hand with `TCP_NODELAY`", to_hand, BURST_RATIO_MAX);
    table.goal("rsync runs", runs, BURST_RUNS_MAX);
    table.goal("own processor time, to its rsync's", cpu, OWN_CPU_RATIO_MAX);
    match bare {
        Ok(bare) => table.remark(&format!(
            "of its rsync's, a loop that does nothing but watch, read the events and look once at each file takes {}",
            times(ratio(Some(*bare), children))
        )),
        Err(Unmeasurable(why)) => table.remark(&format!("could not be measured: {why}")),
    }
}

fn own_chapters(
    report: &mut Document,
    run: &Run,
    advised: Table,
    over_ssh: Table,
    [big_file, full_sync]: [Result<Table, Unmeasurable>; 2],
    clients: Result<Table, Unmeasurable>,
    fan_out: &FanOut,
) {
    report.heading(2, "A daemon with the settings that the README advises");
    report.table(advised);
    report.heading(2, "Over SSH");
    report.table(over_ssh);
    report.heading(2, "Small changes beside a big file");
    report.paragraph(&format!(
        "A file of {} MiB that does not compress travels with `--bwlimit` at {} MiB/s; small files change \
         meanwhile, as long as it is on its way.",
        run.scale.big_mib, run.scale.big_mib_s
    ));
    table_if_measured(report, big_file);
    report.heading(2, "A change beside a full sync");
    report.paragraph(&format!(
        "A full sync that is asked for brings {} MiB that the far side has lost, with `--bwlimit` at {} MiB/s; a small \
         file changes meanwhile, as long as it is on its way.",
        run.scale.big_mib, run.scale.big_mib_s
    ));
    table_if_measured(report, full_sync);
    report.heading(2, "A change while many look at the status");
    report.paragraph(&format!(
        "{CLIENTS} clients ask for the page, `/status.json` and `/metrics`, each again as soon as it is answered."
    ));
    table_if_measured(report, clients);
    report.heading(2, "Many remotes");
    report.paragraph(&format!(
        "{} new files until the last remote has the last of them. All remotes are modules of one daemon on the \
         same machine, so its processors are what is shared out. The one that never answers takes the connection \
         and says nothing.",
        count(run.scale.files_to_remotes)
    ));
    report.table(fan_out.table(run));
    if let Some(memory) = fan_out.memory_of_a_remote() {
        report.paragraph(&format!("Each remote adds {} to the program's memory.", bytes(memory)));
    }
    report.picture(
        "New files until all remotes have them, by number of remotes",
        "bench-remotes.svg",
    );
}

fn table_if_measured(report: &mut Document, table: Result<Table, Unmeasurable>) {
    match table {
        Ok(table) => report.table(table),
        Err(Unmeasurable(why)) => report.paragraph(&format!("Could not be measured: {why}")),
    }
}

fn latency_plot(changes: &Workload) -> String {
    let rows: Vec<Series> = TOOLS
        .iter()
        .enumerate()
        .filter_map(|(colour, tool)| {
            let result = changes.get(*tool)?;
            let points = result.times.iter().map(|time| (0.0, *time)).collect();
            Some(Series { name: tool.name(), colour, points })
        })
        .collect();
    distribution(
        "One change, until it is there",
        "each dot is one change, the mark is the median; logarithmic, to the left is better",
        &rows,
    )
}

fn files_plot(run: &Run, workloads: &[Workload]) -> String {
    let lines: Vec<Series> = TOOLS
        .iter()
        .enumerate()
        .map(|(colour, tool)| {
            let points = run.scale.files.iter().filter_map(|files| {
                let kind = Kind::Round(Work::Files(*files));
                let workload = workloads.iter().find(|workload| workload.kind == kind)?;
                Some((*files as f64, workload.median(*tool)?))
            });
            Series { name: tool.name(), colour, points: points.collect() }
        })
        .filter(|line| !line.points.is_empty())
        .collect();
    growth(
        "New files, from the last write until all are there",
        "medians; both ways logarithmic, lower is better; a cross at the top: never",
        "new files",
        &lines,
    )
}

fn remotes_plot(fan_out: &FanOut) -> String {
    let by_hand = "rsync by hand, all at once";
    let line = |name, colour, times: &dyn Fn(&fanout::Step) -> Option<Duration>| Series {
        name,
        colour,
        points: fan_out
            .steps
            .iter()
            .filter_map(|step| Some((step.remotes as f64, times(step)?)))
            .collect(),
    };
    let lines = [
        line(Tool::Sersync.name(), 0, &|step| median(&step.times)),
        line(by_hand, 1, &|step| median(&step.by_hand)),
    ];
    growth(
        "New files, until all remotes have them",
        "medians; both ways logarithmic, lower is better",
        "remotes",
        &lines,
    )
}

fn capital(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
