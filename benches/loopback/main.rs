//! What sersync costs beside rsync by hand, for one remote: a daemon on loopback, or an sshd; everything in memory.
//!
//! Run by `scripts/bench.sh`, or `cargo bench --bench loopback [-- --quick]`. It measures and prints; whether a
//! goal is missed does not change the exit code, only being unable to measure does. Each figure stands beside the
//! same work done by hand in the same run, one after the other: a time alone says more about the machine.

mod figures;
mod sshd;
mod stage;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use figures::{millis, percentile, Table};
use stage::{By, Cpu, Daemon, Side, Stage, Unmeasurable};

/// The median latency of one change, against one rsync with TCP_NODELAY by hand, and against a plain one.
const CHANGE_RATIO_MAX: f64 = 0.6;
const CHANGE_PLAIN_RATIO_MAX: f64 = 0.06;
/// The latency that 99 of 100 changes stay within, against the median.
const TAIL_RATIO_MAX: f64 = 3.0;
/// The median latency of one change over SSH, against the same through a daemon, and against one rsync by hand.
const SSH_RATIO_MAX: f64 = 2.0;
const SSH_HAND_RATIO_MAX: f64 = 0.05;
/// The time of a burst from its last write, against one rsync of the same files by hand.
const BURST_RATIO_MAX: f64 = 1.3;
/// The rsync runs for one burst.
const BURST_CONNECTIONS_MAX: usize = 10;
/// The program's own processor time for a burst, against that of the rsync processes it started.
const OWN_CPU_RATIO_MAX: f64 = 0.05;

/// The pause before each change, so that the remote has been quiet for long: twice the longest time for which
/// changes are collected.
const QUIET_PAUSE: Duration = Duration::from_millis(200);
/// Rounds before those that count: caches, and whatever is set up only once.
const WARM_UP_ROUNDS: usize = 3;
/// The least length of a written file, in bytes.
const FILE_BYTES: usize = 1024;
const BURST_DIRECTORIES: usize = 100;

/// How much is measured.
struct Scale {
    changes: usize,
    bursts: usize,
    files: usize,
}

const FULL: Scale = Scale { changes: 50, bursts: 3, files: 10_000 };
/// To see whether the benchmark itself works; its figures mean little.
const QUICK: Scale = Scale { changes: 5, bursts: 1, files: 500 };

fn main() -> ExitCode {
    // Cargo adds `--bench` to whatever it was given.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let scale = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => FULL,
        ["--quick"] => QUICK,
        _ => {
            eprintln!("loopback: the only option is --quick, not: {}", words.join(" "));
            return ExitCode::from(2);
        }
    };
    match measure(&scale) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Unmeasurable(why)) => {
            eprintln!("loopback: could not measure: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(scale: &Scale) -> Result<(), Unmeasurable> {
    let mut stage = Stage::set_up(Daemon::Advised)?;
    println!("{}\n", stage.facts()?);
    println!("{}", changes(&stage, "daemon as advised", scale)?);
    stage.add_ssh()?;
    println!("{}", changes_over_ssh(&stage, scale)?);
    drop(stage);
    let stage = Stage::set_up(Daemon::Stock)?;
    println!("{}", changes(&stage, "stock daemon", scale)?);
    println!("{}", bursts(&stage, scale)?);
    Ok(())
}

/// The latency of single changes: how long after a written file was closed its content is at the far side.
fn changes(stage: &Stage, daemon: &str, scale: &Scale) -> Result<Table, Unmeasurable> {
    let mut sersync = Vec::new();
    let mut nodelay = Vec::new();
    let mut plain = Vec::new();
    let mut length = FILE_BYTES;
    // Another length each time: rsync by hand takes a file of the same length and second for unchanged.
    let mut content = || {
        length += 1;
        vec![b'x'; length]
    };
    for round in 0..WARM_UP_ROUNDS + scale.changes {
        thread::sleep(QUIET_PAUSE);
        let by_sersync = stage.change(By::Sersync, &content())?;
        thread::sleep(QUIET_PAUSE);
        let by_nodelay = stage.change(By::Hand { nodelay: true }, &content())?;
        thread::sleep(QUIET_PAUSE);
        let by_plain = stage.change(By::Hand { nodelay: false }, &content())?;
        if round >= WARM_UP_ROUNDS {
            sersync.push(by_sersync);
            nodelay.push(by_nodelay);
            plain.push(by_plain);
        }
    }

    let base = percentile(&mut nodelay, 50);
    let median = percentile(&mut sersync, 50);
    let title = format!("One change, {daemon} ({} of each)", scale.changes);
    let mut table = Table::new(&title, &["p50", "p99", "ratio of p50"]);
    for (name, times) in [
        ("sersync", &mut sersync),
        ("rsync --sockopts=TCP_NODELAY by hand", &mut nodelay),
        ("rsync by hand", &mut plain),
    ] {
        let p50 = percentile(times, 50);
        let ratio = figures::ratio(p50, base);
        table.row(name, &[millis(p50), millis(percentile(times, 99)), format!("{ratio:.2}")]);
    }
    let plain = percentile(&mut plain, 50);
    let tail = percentile(&mut sersync, 99);
    table.goal("p50, against TCP_NODELAY by hand", figures::ratio(median, base), CHANGE_RATIO_MAX);
    table.goal("p50, against rsync by hand", figures::ratio(median, plain), CHANGE_PLAIN_RATIO_MAX);
    table.goal("p99, against p50", figures::ratio(tail, median), TAIL_RATIO_MAX);
    Ok(table)
}

/// The latency of single changes over SSH, beside the same program's through a daemon.
fn changes_over_ssh(stage: &Stage, scale: &Scale) -> Result<Table, Unmeasurable> {
    let rows = [
        ("sersync, daemon", By::Sersync),
        ("sersync, SSH", By::SersyncOverSsh),
        ("rsync by hand, SSH, shared connection", By::HandOverSsh { shared: true }),
        ("rsync by hand, SSH, own connection", By::HandOverSsh { shared: false }),
    ];
    let mut times = [const { Vec::new() }; 4];
    // Longer than the files of the table before, which may lie there still.
    let mut length = FILE_BYTES * 2;
    for round in 0..WARM_UP_ROUNDS + scale.changes {
        for ((_, by), times) in rows.iter().zip(&mut times) {
            thread::sleep(QUIET_PAUSE);
            length += 1;
            let time = stage.change(*by, &vec![b'x'; length])?;
            if round >= WARM_UP_ROUNDS {
                times.push(time);
            }
        }
    }
    let base = percentile(&mut times[0], 50);
    let title = format!("One change over SSH ({} of each)", scale.changes);
    let mut table = Table::new(&title, &["p50", "p99", "ratio of p50"]);
    for ((name, _), times) in rows.iter().zip(&mut times) {
        let p50 = percentile(times, 50);
        let ratio = format!("{:.2}", figures::ratio(p50, base));
        table.row(name, &[millis(p50), millis(percentile(times, 99)), ratio]);
    }
    let over_ssh = figures::ratio(percentile(&mut times[1], 50), base);
    let by_hand = percentile(&mut times[3], 50);
    let against_hand = figures::ratio(percentile(&mut times[1], 50), by_hand);
    let tail = percentile(&mut times[1], 99);
    let against_median = figures::ratio(tail, percentile(&mut times[1], 50));
    table.goal("p50 over SSH, against a daemon", over_ssh, SSH_RATIO_MAX);
    table.goal("p50 over SSH, against rsync by hand", against_hand, SSH_HAND_RATIO_MAX);
    table.goal("p99 over SSH, against p50", against_median, TAIL_RATIO_MAX);
    Ok(table)
}

/// One burst by sersync, and the same files by one rsync.
struct Burst {
    from_first_write: Duration,
    from_last_write: Duration,
    by_hand: Duration,
    connections: usize,
    cpu: Cpu,
}

/// Many new files at once: how long after the last write all of them are at the far side.
fn bursts(stage: &Stage, scale: &Scale) -> Result<Table, Unmeasurable> {
    let mut rounds = Vec::new();
    for round in 0..scale.bursts {
        rounds.push(burst(stage, &format!("burst-{round}"), scale.files)?);
    }
    rounds.sort_by_key(|burst| burst.from_last_write);
    let mut by_hand: Vec<Duration> = rounds.iter().map(|burst| burst.by_hand).collect();
    let by_hand = percentile(&mut by_hand, 50);
    let connections = rounds.iter().map(|burst| burst.connections).max().unwrap_or_default();
    let middle = &rounds[rounds.len() / 2];

    let title = format!(
        "{} files in {BURST_DIRECTORIES} new directories (median of {})",
        scale.files, scale.bursts
    );
    let mut table = Table::new(&title, &["", "", "ratio"]);
    let ratio = figures::ratio(middle.from_last_write, by_hand);
    table.row(
        "sersync, from the last write",
        &[millis(middle.from_last_write), String::new(), format!("{ratio:.2}")],
    );
    table.row("sersync, from the first write", &[millis(middle.from_first_write)]);
    table.row(
        "rsync --sockopts=TCP_NODELAY by hand",
        &[millis(by_hand), String::new(), "1.00".to_string()],
    );
    table.row("processor time of sersync itself", &[millis(middle.cpu.own)]);
    table.row("processor time of its rsync processes", &[millis(middle.cpu.children)]);
    table.row("connections to the daemon, at most", &[connections.to_string()]);
    table.goal("from the last write, against one rsync by hand", ratio, BURST_RATIO_MAX);
    table.goal("connections", connections as f64, BURST_CONNECTIONS_MAX as f64);
    table.goal(
        "own processor time, against its rsync's",
        figures::ratio(middle.cpu.own, middle.cpu.children),
        OWN_CPU_RATIO_MAX,
    );
    Ok(table)
}

fn burst(stage: &Stage, name: &str, files: usize) -> Result<Burst, Unmeasurable> {
    let paths: Vec<String> = (0..files)
        .map(|file| format!("{name}/d{:02}/f{file:05}", file % BURST_DIRECTORIES))
        .collect();
    thread::sleep(QUIET_PAUSE);

    let connections_before = stage.connections()?;
    let cpu_before = stage.cpu()?;
    let first_write = Instant::now();
    stage.write_all(Side::Sersync, name, &paths, FILE_BYTES)?;
    let last_write = Instant::now();
    stage.all_arrived(Side::Sersync, &paths)?;
    let from_last_write = last_write.elapsed();
    let from_first_write = first_write.elapsed();
    // A last batch may still be ending: its processor time and its connection belong to the burst.
    thread::sleep(QUIET_PAUSE * 3);
    let cpu = stage.cpu()?.since(cpu_before);
    let connections = stage.connections()? - connections_before;
    stage.remove(Side::Sersync, name)?;

    stage.write_all(Side::Hand, name, &paths, FILE_BYTES)?;
    let by_hand = stage.push_by_hand(&paths)?;
    stage.remove(Side::Hand, name)?;
    Ok(Burst { from_first_write, from_last_write, by_hand, connections, cpu })
}
