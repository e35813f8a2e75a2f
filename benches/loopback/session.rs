//! One program at work on a stage of its own: makes changes, and measures until they have arrived.
//!
//! Knows how to measure. What is measured is for the workloads to say, which call it. Dropping a session ends its
//! program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::figures::NEVER;
use super::look::{self, Difference};
use super::stage::{Stage, Traffic, Way};
use super::system::{waited, while_doing, Running, Unmeasurable, PATIENCE};
use super::tool::{start_rsync, Tool};

/// If there is no sign of life for this much longer than a program may wait by design, the rest counts as never.
const PATIENCE_BESIDE_DELAY: Duration = Duration::from_secs(8);
/// How long the last run gets to end after the far side is equal: its processor time and its bytes belong to the
/// work.
const ENDING: Duration = Duration::from_millis(600);
/// Processor time in /proc/PID/stat counts in this unit: USER_HZ, 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// What a session is made of, beside its tool.
pub struct Setting<'a> {
    /// How the far side is reached.
    pub way: Way,
    /// How many far sides there are.
    pub remotes: usize,
    /// A port on which nobody answers, for one more remote (sersync only).
    pub dead: Option<u16>,
    /// Where the status server listens on localhost; 0: nowhere (sersync only).
    pub status_port: u16,
    /// Options of rsync beside the usual ones, with a blank before each (sersync only).
    pub options: &'a str,
}

/// One remote, reached through a daemon without settings.
pub const PLAIN: Setting<'_> =
    Setting { way: Way::StockDaemon, remotes: 1, dead: None, status_port: 0, options: "" };

/// What was measured of a piece of work.
#[derive(Clone, Copy)]
pub struct Measurement {
    /// The time from the end of the change until the far side was equal, or [`NEVER`].
    pub time: Duration,
    /// What is wrong at the end.
    pub difference: Difference,
    /// What the daemon counted.
    pub traffic: Traffic,
    /// The processor time of the program and of the processes that it started, where that can be told.
    pub cpu: Option<Cpu>,
}

/// Processor time used up to some moment.
#[derive(Clone, Copy)]
pub struct Cpu {
    /// By the program's own threads.
    pub own: Duration,
    /// By the processes that it started and that have ended.
    pub children: Duration,
}

/// A program that watches.
pub struct Session {
    // Fields are dropped from the first to the last: the program must end before its stage.
    running: Option<Running>,
    /// Where it is at work.
    pub stage: Stage,
    tool: Tool,
    options: String,
    dead: Option<u16>,
    status_port: u16,
    quiet_since: Instant,
}

impl Session {
    /// Starts `tool` on a tree that `fill` makes, and waits until it has made the far side equal once.
    pub fn start(
        tool: Tool,
        setting: &Setting,
        fill: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<Session, Unmeasurable> {
        let stage = Stage::set_up(setting.way, setting.remotes)?;
        let before = stage.near().join("before");
        fs::write(&before, "was there").map_err(while_doing(before.display()))?;
        fill(&stage.near()).map_err(while_doing("filling the near directory"))?;
        let mut session = Session {
            running: None,
            stage,
            tool,
            options: setting.options.to_string(),
            dead: setting.dead,
            status_port: setting.status_port,
            quiet_since: Instant::now(),
        };
        session.run_program()?;
        Ok(session)
    }

    fn run_program(&mut self) -> Result<(), Unmeasurable> {
        let started = Instant::now();
        self.running = self.tool.start(&self.stage, &self.options, self.dead, self.status_port)?;
        let pushed = self.push_if_by_hand(None)?;
        let seen = self.wait_for_equality(&[], started)?;
        ended_well(pushed)?;
        self.quiet_since = Instant::now();
        match seen.time {
            NEVER => Err(Unmeasurable("the first sync never arrived".to_string())),
            _ => Ok(()),
        }
    }

    /// Makes the far sides equal without the program, and starts it again. Called after work that it did not end.
    pub fn begin_again(&mut self) -> Result<(), Unmeasurable> {
        self.running = None;
        for far in self.stage.fars() {
            let mut rsync = Command::new("rsync");
            rsync.args(["-a", "--delete", "./"]).arg(far).current_dir(self.stage.near());
            let child = rsync.spawn().map_err(while_doing("starting rsync"))?;
            ended_well(vec![child])?;
        }
        self.run_program()
    }

    /// Does `work` in the near directory, and measures from its end until the far sides are equal. The entries
    /// `gone` must have disappeared then.
    pub fn measure(
        &mut self,
        gone: &[&str],
        work: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<Measurement, Unmeasurable> {
        self.be_quiet();
        let traffic = self.stage.traffic()?;
        let cpu = self.cpu();
        work(&self.stage.near()).map_err(while_doing("working in the near directory"))?;
        let ended = Instant::now();
        let pushed = self.push_if_by_hand(None)?;
        let seen = self.wait_for_equality(gone, ended)?;
        ended_well(pushed)?;
        self.quiet_since = Instant::now();
        thread::sleep(ENDING);
        let cpu = cpu.zip(self.cpu()).map(|(before, after)| Cpu {
            own: after.own.saturating_sub(before.own),
            children: after.children.saturating_sub(before.children),
        });
        let traffic = self.stage.traffic()?.since(traffic);
        Ok(Measurement { time: seen.time, difference: seen.difference, traffic, cpu })
    }

    /// Has sersync begin a full sync now.
    pub fn sync_fully(&self) -> Result<(), Unmeasurable> {
        let running = self.running.as_ref().filter(|_| self.tool == Tool::Sersync);
        let running = running.ok_or_else(|| Unmeasurable("nobody to sync fully".to_string()))?;
        running.send(Signal::SIGUSR1);
        Ok(())
    }

    /// Writes one file after a quiet time, and gives the time from closing it until its content is at the far
    /// side.
    pub fn change(&mut self, name: &str, content: &[u8]) -> Result<Duration, Unmeasurable> {
        self.be_quiet();
        self.change_now(name, content)
    }

    /// The same without the quiet time before.
    pub fn change_now(&mut self, name: &str, content: &[u8]) -> Result<Duration, Unmeasurable> {
        let near = self.stage.near().join(name);
        fs::write(&near, content).map_err(while_doing(near.display()))?;
        let closed = Instant::now();
        let pushed = self.push_if_by_hand(Some(name))?;
        let fars: Vec<PathBuf> = self.stage.fars().iter().map(|far| far.join(name)).collect();
        // One change gives no sign of life before it arrives. So programs that do not wait by design get all the
        // patience there is.
        let patience = match self.tool {
            Tool::Sersync | Tool::Hand { .. } => PATIENCE,
            Tool::Lsyncd { .. } | Tool::Loop => self.patience(),
        };
        let there = waited(patience, || {
            fars.iter().all(|far| fs::read(far).is_ok_and(|there| there == content))
        });
        let latency = closed.elapsed();
        ended_well(pushed)?;
        self.quiet_since = Instant::now();
        Ok(if there { latency } else { NEVER })
    }

    /// Waits until the program has been quiet for so long that the next change finds it at its best.
    fn be_quiet(&self) {
        thread::sleep(self.tool.quiet().saturating_sub(self.quiet_since.elapsed()));
    }

    fn patience(&self) -> Duration {
        self.tool.delay() + PATIENCE_BESIDE_DELAY
    }

    fn push_if_by_hand(&self, what: Option<&str>) -> Result<Vec<Child>, Unmeasurable> {
        let Tool::Hand { quick } = self.tool else { return Ok(Vec::new()) };
        let remotes = 0..self.stage.fars().len();
        remotes.map(|remote| start_rsync(&self.stage, remote, quick, what)).collect()
    }

    fn wait_for_equality(&self, gone: &[&str], from: Instant) -> Result<look::Seen, Unmeasurable> {
        look::wait_for_equality(
            &self.stage.near(),
            &self.stage.fars(),
            gone,
            from,
            self.patience(),
            &|| self.stage.daemon_log_length(),
        )
        .map_err(while_doing("comparing the two sides"))
    }

    /// Processor time of the program up to now. `None` for the loop, whose processes nobody waits for, and by hand,
    /// where there is no program.
    pub fn cpu(&self) -> Option<Cpu> {
        let running = self.running.as_ref().filter(|running| !running.group)?;
        let process = PathBuf::from(format!("/proc/{}", running.child.id()));
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // The name stands in parentheses and may hold anything. The fields 12 to 15 behind it are user and system
        // time: of the process, and of its children that it has waited for.
        let fields = stat.rsplit(')').next()?.split_whitespace().skip(11).take(4);
        let fields: Vec<u32> = fields.filter_map(|field| field.parse().ok()).collect();
        let [user, system, children_user, children_system] = fields[..] else { return None };
        let own = precise_cpu(&process).unwrap_or(TICK * (user + system));
        Some(Cpu { own, children: TICK * (children_user + children_system) })
    }

    /// Resident memory of the program, in bytes.
    pub fn memory(&self) -> Option<u64> {
        let running = self.running.as_ref()?;
        let status = fs::read_to_string(format!("/proc/{}/status", running.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

/// The processor time of all threads in nanoseconds, where the kernel counts it: the ticks of /proc/PID/stat are
/// too coarse for a program that hardly works.
fn precise_cpu(process: &Path) -> Option<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(process.join("task")).ok()? {
        let counts = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanos += counts.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

fn ended_well(runs: Vec<Child>) -> Result<(), Unmeasurable> {
    for mut rsync in runs {
        let status = rsync.wait().map_err(while_doing("waiting for rsync"))?;
        if !status.success() {
            return Err(Unmeasurable(format!(
                "rsync by hand failed ({status}); it said why above"
            )));
        }
    }
    Ok(())
}
