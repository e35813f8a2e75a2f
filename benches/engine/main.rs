//! What the engine costs by itself: no disk, no rsync, one thread.
//!
//! `cargo bench --bench engine`. The limits are in processor time, and leave much room on any machine of these years.
//! They show that nothing on the way of an event takes time that grows with the square of something.

use nix::sys::resource::{getrusage, UsageWho};
use sersync::config::{Batch, Events, MaxDelete};
use sersync::engine::sending::licence::Grants;
use sersync::engine::sending::settings::SendingSettings;
use sersync::engine::sending::standing::Standing;
use sersync::engine::sending::trust::Trust;
use sersync::engine::time::Time;
use sersync::engine::watching::event::{mask, parse, RawEvent, Wd};
use sersync::engine::watching::scan::{Listing, Place, Reached, Scan};
use sersync::engine::{Action, Engine, Input, RootId, RootSettings, Settings};
use sersync::rsync::asked::licence::Way;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const ROOT: RootId = RootId(0);
const ROOT_WD: Wd = Wd(1);
/// The engine is told this one time for everything.
const NOW: Time = Time(1);
const EVENTS: usize = 1_000_000;
const PATHS: usize = 100_000;
const DIRECTORIES: usize = 100_000;
/// Enough to tell how much memory one takes, and fewer than become a full sync.
const MANY: usize = 400_000;
/// How often each time is taken. The least counts, because whatever else a machine does adds to it: as much
/// again, where caches are shared with others.
const TIMES: usize = 5;
/// The words that tell a process of its own what to measure.
const PENDING: &str = "pending";
const DIRECTORY: &str = "directory";

fn main() {
    // Memory is measured in processes of their own, so that nothing freed before is used again.
    match std::env::args().nth(1).as_deref() {
        Some(PENDING) => return println!("{}", pending_bytes()),
        Some(DIRECTORY) => return println!("{}", directory_bytes()),
        Some(_) | None => {}
    }
    println!("{:<58}{:>12}{:>12}", "the engine alone", "time", "limit");
    let mut met = true;
    for (what, limit_ms, measure) in [
        ("1,000,000 events on 100,000 paths", 1_000, events as fn() -> Duration),
        ("a directory with 100,000 pending paths is deleted", 200, deleted),
        ("a directory with 100,000 watched ones below is renamed", 200, renamed),
    ] {
        let took = (0..TIMES).map(|_| measure()).min().expect("it is measured at least once");
        let ok = took <= Duration::from_millis(limit_ms);
        met &= ok;
        let verdict = if ok { "met" } else { "MISSED" };
        println!("{what:<58}{:>9} ms{limit_ms:>9} ms  {verdict}", took.as_millis());
    }
    for (what, limit, measure) in [
        ("each pending path, beside its own bytes", 150, PENDING),
        ("each watched directory, with a name of 20 bytes", 120, DIRECTORY),
    ] {
        let bytes = in_a_process_of_its_own(measure);
        met &= bytes <= limit;
        let verdict = if bytes <= limit { "met" } else { "MISSED" };
        println!("{what:<58}{bytes:>9} B {limit:>9} B   {verdict}");
    }
    println!("{}", if met { "all met" } else { "missed: see above" });
}

/// An engine with one root and one remote, whose root is watched and has no directories.
fn engine() -> Engine {
    let (mut engine, scan) = started();
    engine.handle(Input::ScanEnded(ROOT, scan.id), NOW);
    drain(&mut engine);
    engine
}

/// An engine with one root and one remote, whose root is still being scanned, and the scan.
fn started() -> (Engine, Scan) {
    let mut engine = Engine::new(Settings {
        // The engine is stopped, so no worker gets a job, and what is pending stays.
        workers: 1,
        events: Events { create_file: true, ..Events::default() },
        sending: SendingSettings {
            max_delete: MaxDelete::default(),
            timing: Batch {
                quiet_ms: 1_000_000,
                delay_ms_max: 1_000_000,
                interval_ms: Some(1_000_000),
            },
            grants: Grants::new(true, true),
            way: Way::Combined,
            standby: true,
            put_aside_ms: 60_000,
        },
        roots: vec![RootSettings {
            filter: Arc::default(),
            remotes: vec![(Standing::From(0), Trust::Certain)],
            halt: None,
        }],
    });
    engine.stop();
    let scan = next_scan(&mut engine).expect("the root is scanned first");
    watched(&mut engine, &scan, Place::Root, ROOT_WD, b"");
    (engine, scan)
}

fn next_scan(engine: &mut Engine) -> Option<Scan> {
    loop {
        if let Action::Scan(_, scan) = engine.poll_action(NOW)? {
            return Some(scan);
        }
    }
}

fn drain(engine: &mut Engine) {
    while engine.poll_action(NOW).is_some() {}
}

fn watched(engine: &mut Engine, scan: &Scan, place: Place, wd: Wd, path: &[u8]) {
    let listing = Listing {
        scan: scan.id,
        reached: Reached::Watched { place, wd },
        path: path.to_vec(),
        origin: scan.origin,
        changed_ns: None,
        entries: Vec::new(),
    };
    engine.handle(Input::Listing(ROOT, listing), NOW);
}

fn event(engine: &mut Engine, wd: Wd, bits: u32, cookie: u32, name: &[u8]) {
    let event = RawEvent { wd, mask: bits, cookie, name: name.into() };
    engine.handle(Input::Event(ROOT, event), NOW);
}

/// A directory in the root, with its watch.
fn directory(engine: &mut Engine, name: &[u8], wd: Wd) -> Scan {
    event(engine, ROOT_WD, mask::CREATE | mask::ISDIR, 0, name);
    let scan = next_scan(engine).expect("a new directory is scanned");
    let place = Place::In { parent: ROOT_WD, name: name.into() };
    watched(engine, &scan, place, wd, name);
    scan
}

/// A record of the kernel for an entry of the root: its name ends with a NUL and is filled up to 16 bytes.
fn write_record(to: &mut Vec<u8>, bits: u32, name: &[u8]) {
    let padded = (name.len() + 1).next_multiple_of(16);
    to.extend(ROOT_WD.0.to_ne_bytes());
    for field in [bits, 0, padded as u32] {
        to.extend(field.to_ne_bytes());
    }
    to.extend(name);
    to.resize(to.len() + padded - name.len(), 0);
}

fn name(number: usize) -> Vec<u8> {
    format!("some-file-{number:06}.jpg").into_bytes()
}

fn events() -> Duration {
    let mut engine = engine();
    // The records stand one after the other in memory, as the kernel hands them over. With names from all over
    // a list, a third of the whole time went into fetching them, which no real event needs.
    let mut records = Vec::new();
    for number in 0..EVENTS {
        // Two events in a row are about names that are far from each other in their order.
        write_record(&mut records, mask::CLOSE_WRITE, &name(number * 7_919 % PATHS));
    }
    cpu(|| {
        for event in parse(&records) {
            engine.handle(Input::Event(ROOT, event), NOW);
            drain(&mut engine);
        }
    })
}

fn deleted() -> Duration {
    let mut engine = engine();
    let scan = directory(&mut engine, b"dir", Wd(2));
    engine.handle(Input::ScanEnded(ROOT, scan.id), NOW);
    for number in 0..PATHS {
        event(&mut engine, Wd(2), mask::CLOSE_WRITE, 0, &name(number));
    }
    drain(&mut engine);
    cpu(|| {
        event(&mut engine, ROOT_WD, mask::DELETE | mask::ISDIR, 0, b"dir");
        drain(&mut engine);
    })
}

fn renamed() -> Duration {
    let mut engine = engine();
    let scan = directory(&mut engine, b"dir", Wd(2));
    for number in 0..DIRECTORIES {
        let name = name(number);
        let path = [b"dir/", &name[..]].concat();
        let place = Place::In { parent: Wd(2), name: name.into() };
        watched(&mut engine, &scan, place, Wd(3 + number as i32), &path);
    }
    engine.handle(Input::ScanEnded(ROOT, scan.id), NOW);
    drain(&mut engine);
    cpu(|| {
        event(&mut engine, ROOT_WD, mask::MOVED_FROM | mask::ISDIR, 7, b"dir");
        event(&mut engine, ROOT_WD, mask::MOVED_TO | mask::ISDIR, 7, b"other");
        drain(&mut engine);
    })
}

fn pending_bytes() -> usize {
    let mut engine = engine();
    let before = resident_bytes();
    for number in 0..MANY {
        event(&mut engine, ROOT_WD, mask::CLOSE_WRITE, 0, &name(number));
    }
    drain(&mut engine);
    (resident_bytes() - before) / MANY - name(0).len()
}

fn directory_bytes() -> usize {
    let (mut engine, scan) = started();
    let before = resident_bytes();
    for number in 0..MANY {
        let name = name(number);
        let place = Place::In { parent: ROOT_WD, name: name.clone().into() };
        watched(&mut engine, &scan, place, Wd(2 + number as i32), &name);
    }
    engine.handle(Input::ScanEnded(ROOT, scan.id), NOW);
    drain(&mut engine);
    (resident_bytes() - before) / MANY
}

fn in_a_process_of_its_own(what: &str) -> usize {
    let program = std::env::current_exe().expect("this program has a path");
    let told = Command::new(program).arg(what).output().expect("it runs once more");
    String::from_utf8_lossy(&told.stdout).trim().parse().expect("a number")
}

/// Memory of this process.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("there is a /proc");
    let pages: usize =
        statm.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a number");
    pages * 4096
}

/// The processor time of this process for something.
fn cpu(work: impl FnOnce()) -> Duration {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the kernel counts");
        let micros = |time: nix::sys::time::TimeVal| {
            time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64
        };
        Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time()))
    };
    let before = used();
    work();
    used() - before
}
