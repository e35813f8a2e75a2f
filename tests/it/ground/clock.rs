//! The clock is put back while the program does not run: what changed by the earlier clock is found all the same.

use super::{await_content, in_mode, PUSH};
use crate::harness::{eventually, Plan};
use nix::time::{clock_gettime, ClockId};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// By so much was the clock ahead.
const AHEAD: Duration = Duration::from_secs(180);

#[test]
fn what_changed_before_a_clock_was_put_right_is_found() {
    let mut plan = Plan::new();
    in_mode(&mut plan, PUSH);
    let mut mirror = plan.start();
    fs::write(mirror.root.join("before"), "content").unwrap();
    await_content(&mirror.remotes[0].join("before"), "content");
    eventually("the state is there", || mirror.dir().join("states").exists());
    mirror.halt_program();
    fs::create_dir(mirror.root.join("made meanwhile")).unwrap();
    fs::write(mirror.root.join("made meanwhile/file"), "content").unwrap();
    // As if the state were three minutes old, and from a clock that was so far ahead. The directory was made before the
    // time up to which the remote has everything, as that clock showed it.
    written_by_a_clock_ahead(&mirror.state_file());
    mirror.start_again(PUSH);
    await_content(&mirror.remotes[0].join("made meanwhile/file"), "content");
    let said = super::lines_with(&mirror, "the clock was put back by ");
    assert_eq!(said.len(), 1, "{}", mirror.log());
}

fn written_by_a_clock_ahead(state: &Path) {
    let now = |clock| Duration::from(clock_gettime(clock).unwrap());
    let real_ns = now(ClockId::CLOCK_REALTIME_COARSE).as_nanos();
    let boot_ns = (now(ClockId::CLOCK_BOOTTIME) - AHEAD).as_nanos();
    let text = fs::read_to_string(state).unwrap();
    let changed = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["written", _, _, boot_id] => format!("written {real_ns} {boot_ns} {boot_id}\n"),
        ["complete", _] => format!("complete {real_ns}\n"),
        ["end", _] => String::new(),
        _ => format!("{line}\n"),
    };
    let text: String = text.lines().map(changed).collect();
    fs::write(state, format!("{text}end {:016x}\n", fnv(text.as_bytes()))).unwrap();
}

/// The check sum of a state file.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
