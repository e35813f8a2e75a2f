//! How long sersync takes until it watches a large tree, and what each directory costs it, beside a bare walk.
//!
//! `cargo bench --bench start [-- --quick | --directories N]`; `scripts/bench.sh start` runs it as well. Prints a
//! Markdown table; whether a goal is missed does not change the exit code. The bare walk is this program started
//! once more: it reads directories and adds watches, and does nothing else. `SERSYNC_BENCH_DIR` and `SERSYNC_BIN`
//! are those of the loopback benchmark. A million directories take about 1.5 GB of memory on tmpfs, and as much
//! again for the kernel's watches.

mod tree;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const DIRECTORIES: usize = 1_000_000;
/// Shows whether the benchmark itself works. Its figures mean little.
const QUICK_DIRECTORIES: usize = 20_000;
const ROUNDS: usize = 3;
const TIME_RATIO_MAX: f64 = 1.3;
const DIRECTORY_BYTES_MAX: f64 = 120.0;
/// The goal for a change in a directory that has been read already, to the same when the walk is over.
const CHANGE_RATIO_MAX: f64 = 1.5;
/// So many changes are made when the walk is over.
const CHANGES: usize = 30;
/// The pause before each change, so that the one before it is forgotten.
const QUIET: Duration = Duration::from_millis(100);
/// A walk that has not ended after this time, or a change that has not arrived, is taken for broken.
const PATIENCE: Duration = Duration::from_secs(600);
/// The pause between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// The line by which either walk says that everything is watched.
const READY: &str = "watch path is:";
/// The word that makes this program the bare walk.
const BARE: &str = "--bare";
const WATCHES_MAX: &str = "/proc/sys/fs/inotify/max_user_watches";
/// So many watches are left to other programs.
const WATCHES_OF_OTHERS: usize = 10_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => measure(DIRECTORIES),
        ["--quick"] => measure(QUICK_DIRECTORIES),
        ["--directories", number] => match number.parse() {
            Ok(number) => measure(number),
            Err(_) => Err(io::Error::other(format!("not a number: {number}"))),
        },
        [BARE, root] => bare_walk(Path::new(root)),
        _ => Err(io::Error::other("the options are --quick and --directories NUMBER")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("start: could not measure: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Reads every directory and watches it, in the simplest way there is.
fn bare_walk(root: &Path) -> io::Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    let mask = AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ONLYDIR
        | AddWatchFlags::IN_DONT_FOLLOW;
    let mut ahead = vec![root.to_path_buf()];
    while let Some(directory) = ahead.pop() {
        inotify.add_watch(&directory, mask)?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                ahead.push(entry.path());
            }
        }
    }
    println!("{READY}");
    // The process stays until its standard input is closed: to give the watches back takes time that does not count.
    io::stdin().read_line(&mut String::new()).map(|_| ())
}

fn measure(wanted: usize) -> io::Result<()> {
    let base = std::env::var_os("SERSYNC_BENCH_DIR").unwrap_or_else(|| "/dev/shm".into());
    let directory = tempfile::Builder::new().prefix("sersync-start.").tempdir_in(base)?;
    let stage = Stage::new(directory)?;
    let wanted = room_for(wanted)?;
    let small_kib = stage.sersync("-")?.rss_kib()?;
    eprintln!("making {wanted} directories");
    let (directories, last) = tree::make(&stage.root, wanted)?;
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        let bare = stage.bare()?;
        let bare_time = bare.took;
        drop(bare);
        rounds.push(stage.round(bare_time, &last, round)?);
    }
    rounds.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
    let middle = &rounds[ROUNDS / 2];
    let bytes = (middle.rss_kib - small_kib) as f64 * 1024.0 / directories as f64;
    let ratio = middle.ratio();
    let verdict = |met: bool| if met { "met" } else { "MISSED" };
    println!("### Start: {directories} directories (the middle one of {ROUNDS} rounds)\n");
    println!("| | figure | goal | |\n|---|---:|---:|---|");
    println!("| bare walk: read each directory, add its watch | {} | | |", seconds(middle.bare));
    println!(
        "| sersync, until it says that everything is watched | {} | | |",
        seconds(middle.took)
    );
    println!(
        "| the second against the first | {ratio:.2} | {TIME_RATIO_MAX} | {} |",
        verdict(ratio <= TIME_RATIO_MAX)
    );
    println!(
        "| memory of sersync | {} KiB, {small_kib} KiB with a small tree | | |",
        middle.rss_kib
    );
    println!(
        "| a directory | {bytes:.0} bytes | {DIRECTORY_BYTES_MAX} | {} |",
        verdict(bytes <= DIRECTORY_BYTES_MAX)
    );
    println!(
        "| a change during the walk, in what is read last, at the far side after | {} | | |",
        seconds(middle.change)
    );
    let (during, after) = (median(&middle.during), median(&middle.after));
    let ratio = during.as_secs_f64() / after.as_secs_f64();
    println!(
        "| a change during the walk, in what has been read, the median of {} | {} | | |",
        middle.during.len(),
        milliseconds(during)
    );
    println!(
        "| a change when the walk is over, the median of {} | {} | | |",
        middle.after.len(),
        milliseconds(after)
    );
    println!(
        "| the first of these against the second | {ratio:.2} | {CHANGE_RATIO_MAX} | {} |",
        verdict(ratio <= CHANGE_RATIO_MAX)
    );
    Ok(())
}

/// How many directories may be watched; raises the limit if that can be done, as sersync does.
fn room_for(wanted: usize) -> io::Result<usize> {
    let needed = wanted + WATCHES_OF_OTHERS;
    let limit: usize = fs::read_to_string(WATCHES_MAX)?.trim().parse().map_err(io::Error::other)?;
    if limit >= needed || fs::write(WATCHES_MAX, needed.to_string()).is_ok() {
        return Ok(wanted);
    }
    let room = limit.saturating_sub(WATCHES_OF_OTHERS);
    println!(
        "Only {room} directories instead of {wanted}: that is all that may be watched here.\n"
    );
    Ok(room)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Of none, a time that no goal allows.
fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(PATIENCE)
}

/// The results of one round.
struct Round {
    bare: Duration,
    took: Duration,
    /// How long a change took to arrive that was made while sersync was walking, in the directory that it read last.
    change: Duration,
    /// How long others took, in the root itself, one after the other until the walk was over.
    during: Vec<Duration>,
    /// How long such changes took then.
    after: Vec<Duration>,
    rss_kib: u64,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.took.as_secs_f64() / self.bare.as_secs_f64()
    }
}

/// A walk that has ended. Its process is ended when the value is dropped.
struct Walked {
    took: Duration,
    child: Child,
}

impl Walked {
    fn rss_kib(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other("no VmRSS in /proc/PID/status"))
    }
}

impl Drop for Walked {
    fn drop(&mut self) {
        // A failure means that it has ended.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

/// The tree, and where it is pushed to: a directory on this machine.
struct Stage {
    root: PathBuf,
    far: PathBuf,
    directory: TempDir,
}

impl Stage {
    fn new(directory: TempDir) -> io::Result<Stage> {
        let (root, far) = (directory.path().join("near"), directory.path().join("far"));
        fs::create_dir(&root)?;
        fs::create_dir(&far)?;
        Ok(Stage { root, far, directory })
    }

    fn bare(&self) -> io::Result<Walked> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(BARE).arg(&self.root);
        started(command)?.ready()
    }

    fn sersync(&self, name: &str) -> io::Result<Walked> {
        self.start(name)?.ready()
    }

    fn start(&self, name: &str) -> io::Result<Starting> {
        // Each start has a configuration of its own, so that it does not find the state of the one before.
        let path = self.directory.path().join(format!("confxml{name}.xml"));
        let text = format!(
            include_str!("confxml.xml"),
            near = self.root.display(),
            far = self.far.display(),
            fail_log = self.directory.path().join(format!("fail{name}.sh")).display(),
        );
        fs::write(&path, text)?;
        let program = std::env::var_os("SERSYNC_BIN");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_sersync").into());
        let mut command = Command::new(program);
        let log = File::create(self.directory.path().join(format!("log{name}")))?;
        command.arg("-o").arg(&path).stderr(log).env("STATE_DIRECTORY", self.directory.path());
        started(command)
    }

    /// Starts sersync, and makes changes while it walks: one in the directory that it reaches last, and others in the root.
    fn round(&self, bare: Duration, last: &Path, round: usize) -> io::Result<Round> {
        let starting = self.start(&round.to_string())?;
        thread::sleep(bare / 4);
        let name = format!("changed-{round}");
        let changed = Instant::now();
        File::create(last.join(&name))?.write_all(b"during the walk")?;
        let is_over = AtomicBool::new(false);
        let (walked, during) = thread::scope(|scope| {
            let changes = scope.spawn(|| {
                self.changes(&format!("during-{round}"), || is_over.load(Ordering::Relaxed))
            });
            let walked = starting.ready();
            is_over.store(true, Ordering::Relaxed);
            (walked, changes.join())
        });
        let walked = walked?;
        let during = during.map_err(|_| io::Error::other("the changes ended with a panic"))??;
        let below = last.strip_prefix(&self.root).map_err(io::Error::other)?;
        await_file(&self.far.join(below).join(&name), changed)?;
        let change = changed.elapsed();
        let left = AtomicUsize::new(CHANGES);
        let after =
            self.changes(&format!("after-{round}"), || left.fetch_sub(1, Ordering::Relaxed) == 0)?;
        Ok(Round { bare, took: walked.took, change, during, after, rss_kib: walked.rss_kib()? })
    }

    /// Makes a file in the root again and again, and measures how long each takes to arrive.
    fn changes(&self, name: &str, is_over: impl Fn() -> bool) -> io::Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        while !is_over() {
            thread::sleep(QUIET);
            let name = format!("{name}-{}", latencies.len());
            fs::write(self.root.join(&name), "during the walk, or after it")?;
            let closed = Instant::now();
            await_file(&self.far.join(&name), closed)?;
            latencies.push(closed.elapsed());
        }
        Ok(latencies)
    }
}

fn await_file(there: &Path, since: Instant) -> io::Result<()> {
    while !there.exists() {
        if since.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("{} has not arrived", there.display())));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// A walk that is under way.
struct Starting {
    since: Instant,
    walked: Walked,
}

fn started(mut command: Command) -> io::Result<Starting> {
    let since = Instant::now();
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    Ok(Starting { since, walked: Walked { took: Duration::ZERO, child } })
}

impl Starting {
    /// Returns when the process says that everything is watched.
    fn ready(mut self) -> io::Result<Walked> {
        let Some(stdout) = self.walked.child.stdout.take() else {
            return Err(io::Error::other("no standard output"));
        };
        for line in BufReader::new(stdout).lines() {
            if line?.starts_with(READY) {
                self.walked.took = self.since.elapsed();
                return Ok(self.walked);
            }
        }
        Err(io::Error::other("it ended before everything was watched"))
    }
}
