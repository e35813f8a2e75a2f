//! Small changes beside a big file that is on its way over a slow link: whether they have to wait for it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::document::Table;
use super::figures::{median, percentile, ratio, time, times, NEVER};
use super::run::Run;
use super::session::{Session, Setting, PLAIN};
use super::system::{wait_until, while_doing, Unmeasurable};
use super::tool::Tool;
use super::work::Random;

/// The goal for the median beside the big file, against the median when there is nothing else.
const BESIDE_BIG_RATIO_MAX: f64 = 1.5;
/// The names of the big file and of the small one.
const BIG: &str = "big";
const SMALL: &str = "small";
const MIB: usize = 1024 * 1024;
/// The least length of the small file, in bytes. It has another one each time.
const FILE_BYTES: usize = 1024;

/// Measures all of it, as a table.
pub fn table(run: &Run) -> Result<Table, Unmeasurable> {
    run.time_left()?;
    run.says("small changes beside a big file: sersync");
    let options = format!(" --bwlimit={}", run.scale.big_mib_s * 1024);
    let setting = Setting { options: &options, ..PLAIN };
    let mut session = Session::start(Tool::Sersync, &setting, |_| Ok(()))?;
    let mut length = FILE_BYTES;
    let mut change = |session: &mut Session| {
        length += 1;
        session.change(SMALL, &vec![b's'; length])
    };
    let mut idle = Vec::new();
    for _ in 0..run.scale.changes {
        idle.push(change(&mut session)?);
    }
    let near = session.stage.near().join(BIG);
    let far = session.stage.far(0);
    Random::new(1)
        .write(&near, run.scale.big_mib * MIB)
        .map_err(while_doing("writing the big file"))?;
    wait_until("the big file to be on its way", || arrives(&far))?;
    let mut beside = Vec::new();
    while !far.join(BIG).exists() && beside.len() < run.scale.changes {
        beside.push(change(&mut session)?);
    }
    wait_until("the big file to be there", || far.join(BIG).exists())?;
    let rest = session.measure(&[], |_| Ok(()))?;
    Ok(filled(&idle, &beside, rest.time != NEVER))
}

/// Whether the big file is on its way: rsync writes it under another name, which begins with a dot, until it is
/// complete.
fn arrives(far: &Path) -> bool {
    let Ok(entries) = fs::read_dir(far) else { return false };
    let prefix = format!(".{BIG}.");
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
}

fn filled(idle: &[Duration], beside: &[Duration], whole: bool) -> Table {
    let mut table = Table::new(&["", "median", "to idle", "99 of 100", "most", "samples"]);
    for (name, latencies) in [("nothing else", idle), ("a big file is on its way", beside)] {
        table.row(&[
            name.to_string(),
            time(median(latencies)),
            times(ratio(median(latencies), median(idle))),
            time(percentile(latencies, 99)),
            time(percentile(latencies, 100)),
            latencies.len().to_string(),
        ]);
    }
    let end = if whole { "equal" } else { "NOT equal" };
    table.row(&["the big file at the end".to_string(), end.to_string()]);
    table.goal(
        "median beside the big file, to idle",
        ratio(median(beside), median(idle)),
        BESIDE_BIG_RATIO_MAX,
    );
    table
}
