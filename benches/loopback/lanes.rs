//! Small changes beside what is on its way over a slow link, a big file or a full sync: whether they have to wait for it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::document::Table;
use super::figures::{median, percentile, ratio, time, times, NEVER};
use super::run::Run;
use super::session::{Session, Setting, PLAIN};
use super::system::{wait_until, while_doing, Unmeasurable};
use super::tool::Tool;
use super::work::Random;

/// The goal for the median beside either, against the median when there is nothing else.
const BESIDE_RATIO_MAX: f64 = 1.5;
/// The names of the big file, of the directory that a full sync brings, and of the small file.
const BIG: &str = "big";
const MANY: &str = "many";
const SMALL: &str = "small";
const MIB: usize = 1024 * 1024;
/// The length of a file of the full sync, in MiB: none of them travels by itself.
const FILE_MIB: usize = 4;
/// The least length of the small file, in bytes. It has another one each time.
const FILE_BYTES: usize = 1024;

/// Measures all of it beside a big file, as a table.
pub fn beside_a_big_file(run: &Run) -> Result<Table, Unmeasurable> {
    let beside = Beside::start(run, "a big file", |_| Ok(()))?;
    let (near, far) = (beside.session.stage.near().join(BIG), beside.session.stage.far(0));
    Random::new(1)
        .write(&near, run.scale.big_mib * MIB)
        .map_err(while_doing("writing the big file"))?;
    wait_until("the big file to be on its way", || arrives(&far))?;
    beside.measure(|| far.join(BIG).exists())
}

/// Measures all of it beside a full sync.
pub fn beside_a_full_sync(run: &Run) -> Result<Table, Unmeasurable> {
    let files = run.scale.big_mib / FILE_MIB;
    let name = |number: usize| format!("{number:04}");
    let beside = Beside::start(run, "a full sync", |near| {
        fs::create_dir(near.join(MANY))?;
        let mut random = Random::new(1);
        (0..files).try_for_each(|number| {
            random.write(&near.join(MANY).join(name(number)), FILE_MIB * MIB)
        })
    })?;
    let far = beside.session.stage.far(0).join(MANY);
    fs::remove_dir_all(&far).map_err(while_doing(far.display()))?;
    beside.session.sync_fully()?;
    wait_until("the full sync to be on its way", || far.exists())?;
    beside.measure(|| (0..files).all(|number| far.join(name(number)).exists()))
}

/// A session in which something takes long.
struct Beside {
    session: Session,
    what: &'static str,
    changes: usize,
    length: usize,
    idle: Vec<Duration>,
}

impl Beside {
    /// Starts it, and measures while there is nothing else.
    fn start(
        run: &Run,
        what: &'static str,
        fill: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<Beside, Unmeasurable> {
        run.time_left()?;
        run.says(&format!("small changes beside {what}: sersync"));
        let options = format!(" --bwlimit={}", run.scale.big_mib_s * 1024);
        let setting = Setting { options: &options, ..PLAIN };
        let session = Session::start(Tool::Sersync, &setting, fill)?;
        let (changes, idle) = (run.scale.changes, Vec::new());
        let mut beside = Beside { session, what, changes, length: FILE_BYTES, idle };
        beside.idle = beside.changes(|| false)?;
        Ok(beside)
    }

    /// Changes the small file again and again, until that is over beside which it is measured.
    fn changes(&mut self, is_over: impl Fn() -> bool) -> Result<Vec<Duration>, Unmeasurable> {
        let mut latencies = Vec::new();
        while latencies.len() < self.changes && !is_over() {
            self.length += 1;
            latencies.push(self.session.change(SMALL, &vec![b's'; self.length])?);
        }
        Ok(latencies)
    }

    fn measure(mut self, is_over: impl Fn() -> bool) -> Result<Table, Unmeasurable> {
        let latencies = self.changes(&is_over)?;
        wait_until(&format!("{} to be there", self.what), is_over)?;
        let rest = self.session.measure(&[], |_| Ok(()))?;
        Ok(self.filled(&latencies, rest.time != NEVER))
    }

    fn filled(&self, latencies: &[Duration], whole: bool) -> Table {
        let (what, idle) = (self.what, &self.idle);
        let mut table = Table::new(&["", "median", "to idle", "99 of 100", "most", "samples"]);
        let beside = format!("{what} is on its way");
        for (name, latencies) in [("nothing else", &idle[..]), (&*beside, latencies)] {
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
        table.row(&["both sides at the end".to_string(), end.to_string()]);
        let figure = ratio(median(latencies), median(idle));
        table.goal(&format!("median beside {what}, to idle"), figure, BESIDE_RATIO_MAX);
        table
    }
}

/// Whether the big file is on its way: rsync writes it under another name, which begins with a dot, until it is
/// complete.
fn arrives(far: &Path) -> bool {
    let Ok(entries) = fs::read_dir(far) else { return false };
    let prefix = format!(".{BIG}.");
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
}
