//! Cascades, where instances push on what was pushed to them: how long a change takes from hop to hop, and to the
//! leaves of a tree of instances, beside one instance that pushes to all of them itself.
//!
//! `cargo bench --bench cascade [-- --quick]`; `scripts/bench.sh` runs it as well. Prints Markdown; whether a goal
//! is missed does not change the exit code. Everything is on one machine: its processors are shared by all
//! instances, which makes a tree look slower than it is. `SERSYNC_BENCH_DIR` and `SERSYNC_BIN` are those of the
//! loopback benchmark.

// Shared with the loopback benchmark, which uses more of them.
#[allow(dead_code)]
#[path = "../loopback/document.rs"]
mod document;
#[allow(dead_code)]
#[path = "../loopback/figures.rs"]
mod figures;
mod net;

use document::{Document, Table};
use figures::{bytes, count, median, percentile, ratio, time, times, NEVER};
use net::{Node, Site};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

/// How much is measured.
struct Scale {
    changes: usize,
    hops: usize,
    rounds: usize,
    files: usize,
    /// So many instances are below the top of the tree, and so many places below each of these.
    width: usize,
}

const FULL: Scale = Scale { changes: 60, hops: 3, rounds: 3, files: 500, width: 8 };
/// Shows whether the benchmark itself works. Its figures mean little.
const QUICK: Scale = Scale { changes: 3, hops: 3, rounds: 1, files: 20, width: 2 };
/// The goal for the time from one hop to the next, as a multiple of the first hop's.
const HOP_RATIO_MAX: f64 = 1.5;
/// The place to which rsync pushes by hand.
const BY_HAND: &str = "by-hand";
/// The pause between two looks at what has arrived: at a few places, and at many. Looking must cost little.
const LOOK_EVERY: Duration = Duration::from_micros(200);
const LOOK_AT_MANY_EVERY: Duration = Duration::from_millis(2);
/// What has not arrived everywhere after this time counts as never.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause between two changes. The times of directories follow a second after a change, and must not meet the
/// next one.
const QUIET: Duration = Duration::from_millis(1500);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let scale = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => FULL,
        ["--quick"] => QUICK,
        _ => {
            eprintln!("cascade: the only option is --quick");
            return ExitCode::from(2);
        }
    };
    match measure(&scale) {
        Ok(document) => {
            print!("{document}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("cascade: could not measure: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(scale: &Scale) -> io::Result<Document> {
    let mut document = Document::default();
    document.heading(3, "From hop to hop");
    let (table, first) = row_of_hops(scale)?;
    document.paragraph(&format!(
        "A file of 1 KB in the root is written again; each instance pushes to the next one's root. The first change \
         after the start, for which no rsync stands by yet, is not in the table: it was at the end after {}.",
        time(first)
    ));
    document.table(table);
    document.heading(3, "A tree");
    let leaves = scale.width * scale.width;
    document.paragraph(&format!(
        "One instance pushes to {width}, each of which pushes to {width}: {instances} instances and {leaves} leaves, \
         beside one that pushes to {leaves} remotes by itself. {files} new files of 1 KB; the time counts from the last \
         write until the last leaf has the last file.",
        width = scale.width,
        instances = scale.width + 1,
        files = scale.files,
    ));
    document.table(tree(scale)?);
    Ok(document)
}

/// A row of instances: how long each change takes to each of them, and how long one change takes to the last.
fn row_of_hops(scale: &Scale) -> io::Result<(Table, Option<Duration>)> {
    let names: Vec<String> = (1..=scale.hops).map(|hop| format!("hop{hop}")).collect();
    let site = Site::set_up(&[names.clone(), vec![BY_HAND.to_string()]].concat())?;
    let mut nodes = vec![site.start(&site.near(), &names[..1])?];
    for two in names.windows(2) {
        nodes.push(site.start(&site.far(&two[0]), &two[1..])?);
    }
    let fars: Vec<PathBuf> = names.iter().map(|name| site.far(name)).collect();
    let mut arrivals: Vec<Vec<Duration>> = vec![Vec::new(); fars.len()];
    let mut by_hand = Vec::new();
    let push = |content: &str| {
        thread::sleep(QUIET);
        change(&site.near(), "changed", content.as_bytes(), &fars, LOOK_EVERY)
    };
    let very_first = push("from the start")?.last().copied();
    for number in 0..scale.changes {
        let seen = push(&format!("{number:01024}"))?;
        arrivals.iter_mut().zip(seen).for_each(|(all, one)| all.push(one));
        by_hand.push(site.push_by_hand("changed", BY_HAND)?);
    }
    let mut table =
        Table::new(&["arrived after", "median", "99 of 100", "this hop alone", "to the first"]);
    let first = median(&arrivals[0]);
    let mut last = None;
    for (hop, all) in arrivals.iter().enumerate() {
        let alone: Vec<Duration> = match hop {
            0 => all.clone(),
            _ => all
                .iter()
                .zip(&arrivals[hop - 1])
                .map(|(now, before)| now.saturating_sub(*before))
                .collect(),
        };
        last = ratio(median(&alone), first);
        table.row(&[
            format!("{} hop{}", hop + 1, if hop == 0 { "" } else { "s" }),
            time(median(all)),
            time(percentile(all, 99)),
            time(median(&alone)),
            times(last),
        ]);
    }
    let hand = median(&by_hand);
    table.row(&[
        "one rsync by hand, `TCP_NODELAY`".to_string(),
        time(hand),
        time(percentile(&by_hand, 99)),
        time(hand),
        times(ratio(hand, first)),
    ]);
    table.goal("the last hop alone, to the first", last, HOP_RATIO_MAX);
    Ok((table, very_first))
}

/// What is measured of the tree, and of one instance in place of it.
struct Spread {
    change: Vec<Duration>,
    files: Vec<Duration>,
    /// Resident memory of the instance at the top, and of all together.
    top_kib: u64,
    all_kib: u64,
}

fn tree(scale: &Scale) -> io::Result<Table> {
    let middles: Vec<String> = (0..scale.width).map(|middle| format!("m{middle}")).collect();
    let below = |middle: &String| -> Vec<String> {
        (0..scale.width).map(|leaf| format!("{middle}-{leaf}")).collect()
    };
    let leaves: Vec<String> = middles.iter().flat_map(below).collect();

    eprintln!("a tree of {} instances", middles.len() + 1);
    let site = Site::set_up(&[middles.clone(), leaves.clone()].concat())?;
    let mut nodes = vec![site.start(&site.near(), &middles)?];
    for middle in &middles {
        nodes.push(site.start(&site.far(middle), &below(middle))?);
    }
    let tree = spread(scale, &site, &nodes, &leaves)?;
    drop(nodes);
    let first = site.received(&middles)?;

    eprintln!("one instance with {} remotes", leaves.len());
    let site = Site::set_up(&leaves)?;
    let nodes = vec![site.start(&site.near(), &leaves)?];
    let flat = spread(scale, &site, &nodes, &leaves)?;
    drop(nodes);
    let flat_first = site.received(&leaves)?;

    let mut table = Table::new(&["", "a tree", "one for all", "the first to the second"]);
    for (what, one, other) in [
        ("one change, at the last leaf after", &tree.change, &flat.change),
        ("new files, at the last leaf after", &tree.files, &flat.files),
    ] {
        let (one, other) = (median(one), median(other));
        table.row(&[what.to_string(), time(one), time(other), times(ratio(one, other))]);
    }
    let share = |one: u64, other: u64| times(Some(one as f64 / other.max(1) as f64));
    for (what, one, other) in [
        ("memory of the one at the top", tree.top_kib, flat.top_kib),
        ("memory of all instances", tree.all_kib, flat.all_kib),
    ] {
        let row = [what.to_string(), bytes(one * 1024), bytes(other * 1024), share(one, other)];
        table.row(&row);
    }
    table.row(&[
        "sent by the one at the top".to_string(),
        bytes(first),
        bytes(flat_first),
        share(first, flat_first),
    ]);
    table.row(&["instances".to_string(), count(middles.len() + 1), count(1), String::new()]);
    Ok(table)
}

fn spread(scale: &Scale, site: &Site, nodes: &[Node], leaves: &[String]) -> io::Result<Spread> {
    let fars: Vec<PathBuf> = leaves.iter().map(|leaf| site.far(leaf)).collect();
    let mut spread = Spread { change: Vec::new(), files: Vec::new(), top_kib: 0, all_kib: 0 };
    for round in 0..scale.rounds {
        thread::sleep(QUIET);
        let content = format!("{round:01024}");
        let seen = change(&site.near(), "changed", content.as_bytes(), &fars, LOOK_AT_MANY_EVERY)?;
        spread.change.extend(seen.into_iter().max());
    }
    for round in 0..scale.rounds {
        thread::sleep(QUIET);
        let directory = format!("round-{round}");
        fs::create_dir(site.near().join(&directory))?;
        for file in 0..scale.files {
            fs::write(site.near().join(&directory).join(file.to_string()), [b'x'; 1024])?;
        }
        let written = Instant::now();
        let has_all = |far: &Path| -> bool {
            let names = fs::read_dir(far.join(&directory)).map(|entries| {
                let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
                names.filter(|name| !name.to_string_lossy().starts_with('.')).count()
            });
            names.is_ok_and(|names| names == scale.files)
        };
        let seen = wait(&fars, written, LOOK_AT_MANY_EVERY, has_all);
        spread.files.extend(seen.into_iter().max());
    }
    spread.top_kib = nodes[0].rss_kib()?;
    spread.all_kib = nodes.iter().map(Node::rss_kib).sum::<io::Result<u64>>()?;
    Ok(spread)
}

/// Writes a file, and gives how long it takes to each of the places.
fn change(
    near: &Path,
    name: &str,
    content: &[u8],
    fars: &[PathBuf],
    look_every: Duration,
) -> io::Result<Vec<Duration>> {
    fs::File::create(near.join(name))?.write_all(content)?;
    let closed = Instant::now();
    let has_it = |far: &Path| fs::read(far.join(name)).is_ok_and(|there| there == content);
    Ok(wait(fars, closed, look_every, has_it))
}

/// Looks at all places until `is_so` holds everywhere, and gives for each after what time it was first seen.
fn wait(
    fars: &[PathBuf],
    from: Instant,
    look_every: Duration,
    is_so: impl Fn(&Path) -> bool,
) -> Vec<Duration> {
    let mut seen = vec![NEVER; fars.len()];
    while from.elapsed() < PATIENCE {
        for (far, seen) in fars.iter().zip(&mut seen).filter(|(_, seen)| **seen == NEVER) {
            if is_so(far) {
                *seen = from.elapsed();
            }
        }
        if seen.iter().all(|seen| *seen != NEVER) {
            break;
        }
        thread::sleep(look_every);
    }
    seen
}
