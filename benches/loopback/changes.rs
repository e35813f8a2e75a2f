//! The latency of single changes: how long after a written file was closed its content is at the far side.

use std::fs;
use std::path::Path;

use super::figures::{count, median, percentile, ratio, time, NEVER};
use super::results::{Kind, ToolResult, Workload};
use super::run::Run;
use super::session::{Session, Setting, PLAIN};
use super::stage::{base, Way};
use super::system::Unmeasurable;
use super::tool::{Tool, TOOLS};
use super::work::new_files;
use super::{document::Table, figures::times};

/// Rounds before those that count, which fill caches and set up what is set up only once.
const WARM_UP_ROUNDS: usize = 3;
/// The least length of a written file, in bytes.
const FILE_BYTES: usize = 1024;
/// The file that changes.
const CHANGED: &str = "changed";
/// The first three programs answer in milliseconds, and are measured in turn, change by change: whatever else the
/// machine does meets all of them. Each of the others is measured by itself.
const IN_TURN: usize = 3;
/// A tree has no more files than the file system in memory has this many free inodes for each.
const INODES_FOR_FILE: u64 = 8;

/// The goals for the median latency of one change: against one rsync with TCP_NODELAY by hand, and a plain one.
pub const CHANGE_RATIO_MAX: f64 = 0.6;
pub const CHANGE_PLAIN_RATIO_MAX: f64 = 0.06;
/// The goal for the latency that 99 of 100 changes stay within, against the median.
const TAIL_RATIO_MAX: f64 = 3.0;
/// The goals for the median latency of one change over SSH: against that through a daemon, and one rsync by hand.
const SSH_RATIO_MAX: f64 = 2.0;
const SSH_HAND_RATIO_MAX: f64 = 0.05;

/// One change in a small tree, by every program.
pub fn in_a_small_tree(run: &Run) -> Workload {
    let what = "One file of 1 KB is written again, when nothing has happened for a while. By hand, rsync is told its name.";
    let mut workload = Workload::new(Kind::Change, "one change", what);
    by_all(run, &mut workload, 0, run.scale.changes, run.scale.slow_changes);
    workload
}

/// One change beside many files that are there already.
pub fn in_a_large_tree(run: &Run) -> Workload {
    let inodes = nix::sys::statvfs::statvfs(&base()).map_or(u64::MAX, |fs| fs.files_available());
    // A file system that does not count its inodes says 0.
    let room = if inodes == 0 { u64::MAX } else { inodes / INODES_FOR_FILE };
    let files =
        usize::try_from(room).map_or(run.scale.files_there, |room| room.min(run.scale.files_there));
    let what = format!("The same, with {} other files of 1 KB in the tree.", count(files));
    let mut workload = Workload::new(
        Kind::ChangeBesideMany,
        &format!("one change beside {} files", count(files)),
        &what,
    );
    by_all(
        run,
        &mut workload,
        files,
        run.scale.changes.div_ceil(2),
        run.scale.slow_changes.div_ceil(2),
    );
    workload
}

fn by_all(run: &Run, workload: &mut Workload, files: usize, quick: usize, slow: usize) {
    let (in_turn, alone) = TOOLS.split_at(IN_TURN);
    let title = workload.title.clone();
    for tools in std::iter::once(in_turn).chain(alone.chunks(1)) {
        let names: Vec<&str> = tools.iter().map(|tool| tool.name()).collect();
        run.says(&format!("{title}: {}", names.join("; ")));
        // Each of their changes takes a second, or fifteen.
        let samples = |tool: Tool| match tool {
            Tool::Sersync | Tool::Hand { .. } => quick,
            Tool::Lsyncd { delay: 1 } => slow,
            Tool::Lsyncd { .. } | Tool::Loop => slow.div_ceil(3),
        };
        let start = |tool: Tool| {
            run.time_left()?;
            Session::start(tool, &PLAIN, |near| fill(near, files))
        };
        let sessions = tools.iter().map(|tool| (*tool, start(*tool), samples(*tool))).collect();
        for (tool, result) in tools.iter().zip(in_turns(sessions)) {
            *workload.of(*tool) = ToolResult { tool: *tool, ..result };
        }
    }
}

fn fill(near: &Path, files: usize) -> std::io::Result<()> {
    fs::create_dir(near.join("there"))?;
    new_files(&near.join("there"), files)
}

type Prepared = (Tool, Result<Session, Unmeasurable>, usize);

/// Has each session in turn make a change, until each has made as many as it should.
fn in_turns(mut sessions: Vec<Prepared>) -> Vec<ToolResult> {
    let mut results: Vec<ToolResult> =
        sessions.iter().map(|(tool, ..)| ToolResult::new(*tool)).collect();
    let rounds = sessions.iter().map(|(.., samples)| *samples).max().unwrap_or(0);
    // Another length each time: rsync by hand takes a file for unchanged if its length and its second are.
    let mut length = FILE_BYTES;
    for round in 0..WARM_UP_ROUNDS + rounds {
        for ((tool, session, samples), result) in sessions.iter_mut().zip(&mut results) {
            // For programs that wait for seconds, warm caches make no difference.
            let warm_up = if tool.delay().is_zero() { WARM_UP_ROUNDS } else { 0 };
            if round >= warm_up + *samples {
                continue;
            }
            length += 1;
            let change = match session {
                Ok(session) => session.change(CHANGED, &vec![b'x'; length]),
                Err(_) => continue,
            };
            match change {
                Ok(time) if round >= warm_up => result.times.push(time),
                Ok(_) => {}
                Err(why) => *session = Err(why),
            }
        }
    }
    for ((_, session, _), result) in sessions.into_iter().zip(&mut results) {
        if let Err(Unmeasurable(why)) = session {
            result.failures.push(why);
        }
    }
    results
}

/// The goals, which are about the median of sersync against that of rsync by hand.
pub fn goals(table: &mut Table, changes: &Workload) {
    let own = changes.median(Tool::Sersync);
    let by_hand = |quick| changes.median(Tool::Hand { quick });
    let tail = changes.get(Tool::Sersync).and_then(|result| percentile(&result.times, 99));
    table.goal(
        "median, to rsync by hand with `TCP_NODELAY`",
        ratio(own, by_hand(true)),
        CHANGE_RATIO_MAX,
    );
    table.goal(
        "median, to plain rsync by hand",
        ratio(own, by_hand(false)),
        CHANGE_PLAIN_RATIO_MAX,
    );
    table.goal("99 of 100, to the median", ratio(tail, own), TAIL_RATIO_MAX);
}

/// Sersync and rsync by hand through a daemon that is set up as advised.
pub fn to_the_advised_daemon(run: &Run) -> Table {
    run.says("one change to a daemon as advised: sersync; rsync by hand");
    let setting = Setting { way: Way::AdvisedDaemon, ..PLAIN };
    let tools = &TOOLS[..IN_TURN];
    let sessions = tools
        .iter()
        .map(|tool| (*tool, Session::start(*tool, &setting, |_| Ok(())), run.scale.changes))
        .collect();
    let mut workload = Workload::new(Kind::Apart, "one change", "");
    workload.results = in_turns(sessions);
    let mut table = workload.table();
    goals(&mut table, &workload);
    table
}

/// Sersync and rsync by hand over SSH, beside the same program's way through a daemon.
pub fn over_ssh(run: &Run) -> Table {
    run.says("one change over SSH: sersync; rsync by hand");
    let over_ssh = Setting { way: Way::Ssh, ..PLAIN };
    let rows = [
        ("sersync, daemon", Tool::Sersync, &PLAIN),
        ("sersync, SSH", Tool::Sersync, &over_ssh),
        ("rsync by hand, SSH, shared connection", Tool::Hand { quick: true }, &over_ssh),
        ("rsync by hand, SSH, connection of its own", Tool::Hand { quick: false }, &over_ssh),
    ];
    let samples = run.scale.changes.div_ceil(2);
    let sessions = rows
        .iter()
        .map(|(_, tool, setting)| (*tool, Session::start(*tool, setting, |_| Ok(())), samples))
        .collect();
    let results = in_turns(sessions);
    let medians: Vec<_> = results.iter().map(|result| median(&result.times)).collect();
    let mut table = Table::new(&["", "median", "99 of 100", "to the daemon's", "samples"]);
    for (((name, ..), result), median) in rows.iter().zip(&results).zip(&medians) {
        let failed = result.failures.first().map(|why| format!(" ({why})")).unwrap_or_default();
        table.row(&[
            format!("{name}{failed}"),
            time(*median),
            time(percentile(&result.times, 99)),
            times(ratio(*median, medians[0])),
            result.times.len().to_string(),
        ]);
    }
    let tail = percentile(&results[1].times, 99).filter(|time| *time != NEVER);
    table.goal("median over SSH, to the daemon's", ratio(medians[1], medians[0]), SSH_RATIO_MAX);
    table.goal(
        "median over SSH, to rsync by hand",
        ratio(medians[1], medians[3]),
        SSH_HAND_RATIO_MAX,
    );
    table.goal("99 of 100 over SSH, to the median", ratio(tail, medians[1]), TAIL_RATIO_MAX);
    table
}
