//! How much memory a remote that is down may cost.
//!
//! `SERSYNC_IT_FULL=1` takes a million paths instead of some ten thousand; with
//! `SERSYNC_BIN=target/release/sersync` for the figures of the program that users run.

use crate::harness::{eventually, memory_kib, Plan};
use std::fs;
use std::path::Path;
use std::time::Duration;

const FULL: &str = "SERSYNC_IT_FULL";
/// Directories and files in each: more paths than are kept one by one with the second.
const USUAL: (usize, usize) = (60, 1_000);
const MANY: (usize, usize) = (1_000, 1_000);
/// What the program may have in memory at its worst, in KiB: with the usual and the large number.
const USUAL_KIB_MAX: u64 = 32 * 1024;
const MANY_KIB_MAX: u64 = 96 * 1024;
const CATCH_UP: Duration = Duration::from_secs(600);

fn file(root: &Path, directory: usize, file: usize) -> std::path::PathBuf {
    root.join(format!("directory-{directory:04}/some-file-with-a-name-{file:04}"))
}

#[test]
fn a_remote_that_is_down_while_everything_changes_costs_little_memory() {
    let full = std::env::var_os(FULL).is_some();
    let ((directories, files), kib_max) =
        if full { (MANY, MANY_KIB_MAX) } else { (USUAL, USUAL_KIB_MAX) };
    let plan = Plan::new();
    for directory in 0..directories {
        fs::create_dir(plan.root.join(format!("directory-{directory:04}"))).unwrap();
    }
    let mut mirror = plan.start();
    mirror.equal();
    let before_kib = memory_kib(mirror.pid(), "VmRSS");
    mirror.daemon.stop();
    for directory in 0..directories {
        for number in 0..files {
            fs::write(file(&mirror.root, directory, number), "").unwrap();
        }
    }
    eventually("the remote fails", || mirror.log().contains("everything is kept"));
    let owed = mirror.dir().join("rsync_fail_log.sh");
    eventually("what is owed is in the fail log", || {
        owed.metadata().is_ok_and(|found| found.len() > 0)
    });
    let down_kib = memory_kib(mirror.pid(), "VmHWM");
    mirror.daemon.start();
    mirror.equal_within(CATCH_UP, "after everything has changed");
    let worst_kib = memory_kib(mirror.pid(), "VmHWM");
    let after_kib = memory_kib(mirror.pid(), "VmRSS");
    println!(
        "{} paths: {before_kib} KiB before, at most {down_kib} KiB while the remote was down, at \
         most {worst_kib} KiB in all, {after_kib} KiB after",
        directories * files
    );
    assert!(worst_kib <= kib_max, "{worst_kib} KiB at its worst, {kib_max} KiB are allowed");
    let folded = mirror.log().contains("more changes than are kept one by one");
    assert_eq!(folded, full, "only the large number is more than is kept");
}
