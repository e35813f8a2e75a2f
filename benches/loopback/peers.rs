//! The workloads that every program goes through, in turn and several times: new files, a copied tree, its rename and
//! deletion, appends, churn, several remotes.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::figures::{count, time};
use super::results::{Kind, Work, Workload};
use super::run::Run;
use super::session::{Measurement, Session, Setting, PLAIN};
use super::stage::Way;
use super::system::Unmeasurable;
use super::tool::{Tool, TOOLS};
use super::work::{appends, new_files, Churn, Sources};

/// How many pieces of churn there are in a second.
const CHURN_RATE: u32 = 100;
/// The pause between two changes of which the second one counts.
const BETWEEN_CHANGES: Duration = Duration::from_secs(1);

/// All workloads, and what they need to be measured.
pub struct Peers<'a> {
    run: &'a Run,
    sources: &'a Sources,
    works: Vec<Work>,
    /// In the order of `works`.
    workloads: Vec<Workload>,
}

/// Measures all of it.
pub fn measure(run: &Run, sources: &Sources) -> Vec<Workload> {
    let files: Vec<Work> = run.scale.files.iter().map(|files| Work::Files(*files)).collect();
    let groups: [(Setting, Vec<Work>); 6] = [
        (PLAIN, vec![Work::Second]),
        (PLAIN, files),
        (
            Setting { way: Way::CountingDaemon, ..PLAIN },
            vec![Work::Copy, Work::Rename, Work::Delete],
        ),
        (PLAIN, vec![Work::Appends]),
        (PLAIN, vec![Work::Churn]),
        (Setting { remotes: run.scale.remotes_of_all, ..PLAIN }, vec![Work::Remotes]),
    ];
    let works: Vec<Work> = groups.iter().flat_map(|(_, works)| works.clone()).collect();
    let mut peers = Peers { run, sources, workloads: Vec::new(), works };
    peers.workloads = peers.works.iter().map(|work| peers.describe(*work)).collect();
    for round in 0..run.scale.rounds {
        for (setting, works) in &groups {
            for tool in TOOLS {
                peers.group(tool, setting, works, round);
            }
        }
    }
    peers.workloads
}

impl Peers<'_> {
    fn describe(&self, work: Work) -> Workload {
        let scale = &self.run.scale;
        let (title, what) = match work {
            Work::Second => (
                "a change a second after another".to_string(),
                "Two files are written, the second one a second after the first.".to_string(),
            ),
            Work::Files(files) => (
                format!("{} new files", count(files)),
                "Files of 1 KB, a hundred to a new directory, as fast as they can be written; the time counts from \
                 the last write. By hand, one rsync of everything, started then."
                    .to_string(),
            ),
            Work::Copy => (
                "a source tree is copied in".to_string(),
                format!(
                    "The sources of the libraries that this program is built with ({} files, {:.0} MB) are copied \
                     into the tree, file by file; the time counts from the end of the copy.",
                    count(self.sources.files),
                    self.sources.bytes as f64 / 1e6
                ),
            ),
            Work::Rename => (
                "it is renamed".to_string(),
                "One rename of its top directory.".to_string(),
            ),
            Work::Delete => ("it is deleted".to_string(), "As `rm -r` does it.".to_string()),
            Work::Appends => (
                format!("{} appends to one file", count(scale.appends)),
                "Each opens the file, adds 100 bytes and closes it, without a pause; the time counts from the last."
                    .to_string(),
            ),
            Work::Churn => (
                format!("{} s of churn", scale.churn.as_secs()),
                format!(
                    "{CHURN_RATE} times a second at random: a file or directory is created, written again, renamed \
                     or deleted, up to 300 files in 30 directories; the same sequence for everybody. The time \
                     counts from the end. By hand, one rsync after it has ended."
                ),
            ),
            Work::Remotes => (
                format!("{} new files to {} remotes", count(scale.files_to_remotes), scale.remotes_of_all),
                "Until the last remote has the last file. By hand, all rsyncs at once.".to_string(),
            ),
        };
        Workload::new(Kind::Round(work), &title, &what)
    }

    /// Whether this program does this work in this round.
    fn due(&self, tool: Tool, work: Work, round: usize) -> bool {
        let small =
            matches!(work, Work::Files(files) if Some(&files) != self.run.scale.files.last());
        match tool {
            Tool::Sersync | Tool::Lsyncd { delay: 1 } => true,
            // By hand, the second change is like the first.
            Tool::Hand { quick: true } => work != Work::Second,
            Tool::Hand { quick: false } => {
                matches!(work, Work::Files(_) | Work::Copy | Work::Remotes)
            }
            // A wait of fifteen seconds is the same each time.
            Tool::Lsyncd { .. } => round == 0 && !small,
            Tool::Loop => round == 0 || !small,
        }
    }

    /// Has one program do some works, one after the other in one session.
    fn group(&mut self, tool: Tool, setting: &Setting, works: &[Work], round: usize) {
        let due: Vec<Work> =
            works.iter().copied().filter(|work| self.due(tool, *work, round)).collect();
        if due.is_empty() {
            return;
        }
        let mut session =
            self.run.time_left().and_then(|()| Session::start(tool, setting, |_| Ok(())));
        for work in due {
            let at = self.works.iter().position(|known| *known == work).unwrap_or_default();
            let measurement = match &mut session {
                Ok(session) => self.measure(session, tool, work, round),
                Err(Unmeasurable(why)) => Err(Unmeasurable(why.clone())),
            };
            let result = self.workloads[at].of(tool);
            let said = match measurement {
                Ok(measurement) => {
                    result.times.push(measurement.time);
                    result.measurements.push(measurement);
                    time(Some(measurement.time))
                }
                Err(Unmeasurable(why)) => {
                    result.failures.push(why.clone());
                    format!("failed: {why}")
                }
            };
            self.run.says(&format!(
                "round {} of {}: {}: {}: {said}",
                round + 1,
                self.run.scale.rounds,
                self.workloads[at].title,
                tool.name()
            ));
            // The next work must start from equal sides, whatever became of this one.
            let ended = self.workloads[at].of(tool).measurements.last();
            if !ended.is_some_and(|measurement| measurement.difference.none()) {
                session = session.and_then(|mut session| session.begin_again().map(|()| session));
            }
        }
    }

    fn measure(
        &self,
        session: &mut Session,
        tool: Tool,
        work: Work,
        round: usize,
    ) -> Result<Measurement, Unmeasurable> {
        let scale = &self.run.scale;
        match work {
            Work::Second => session.measure(&[], |near| {
                fs::write(near.join("first"), "first")?;
                thread::sleep(BETWEEN_CHANGES);
                fs::write(near.join("second"), "second")
            }),
            Work::Files(files) => {
                session.measure(&[], |near| new_files(&near.join(format!("files-{files}")), files))
            }
            Work::Copy => session.measure(&[], |near| self.sources.copy_to(&near.join("copied"))),
            Work::Rename => session
                .measure(&["copied"], |near| fs::rename(near.join("copied"), near.join("renamed"))),
            Work::Delete => {
                session.measure(&["renamed"], |near| fs::remove_dir_all(near.join("renamed")))
            }
            Work::Appends => session.measure(&[], |near| appends(&near.join("log"), scale.appends)),
            Work::Churn => {
                // By hand, rsync is started at the end, so nobody needs to wait between the steps.
                let length = if tool.by_hand() { Duration::ZERO } else { scale.churn };
                session.measure(&[], |near| churn(near, round, scale.churn, length))
            }
            Work::Remotes => {
                session.measure(&[], |near| new_files(&near.join("files"), scale.files_to_remotes))
            }
        }
    }
}

fn churn(near: &Path, round: usize, scale: Duration, length: Duration) -> io::Result<()> {
    let steps = CHURN_RATE * u32::try_from(scale.as_secs()).unwrap_or(1);
    let top = near.join("churned");
    fs::create_dir(&top)?;
    Churn::new(round as u64 + 1).run(&top, steps, length)
}
