//! The ground moves under the program: disks come and go, links lead elsewhere, names have others
//! beside them, the disk gives errors.
//!
//! What is mounted here is mounted for one test alone: see `harness/mounts.rs`.

mod bind_mounts;
mod clock;
mod dev_null;
mod disks_below;
#[cfg(target_arch = "x86_64")]
mod errors;
#[cfg(target_env = "gnu")]
mod exchanges;
mod followed_links;
mod hard_links;
mod instances;
mod late_disks;
mod letter_case;
mod links;
mod long_paths;
mod missing_roots;
mod other_user;
mod own_files;
mod rsync_files;
mod shown;
mod state;
mod times;
mod walk;

use crate::harness::{until, Mirror, Plan, Tree, DEADLINE};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// The arguments of the two modes: what only the far side has is deleted, or is somebody else's.
const MIRROR: &[&str] = &["-r"];
const PUSH: &[&str] = &[];

/// Has the plan's program started in a mode. Its first full sync is not waited for.
fn in_mode(plan: &mut Plan, mode: &[&str]) {
    plan.args = mode.iter().map(OsString::from).collect();
    plan.await_full_sync = false;
}

/// Some files and directories, each with the name of the tree in it. Files of the same name have other times in
/// other trees: rsync would take two of one length and time for the same.
fn fill(top: &Path, name: &str) {
    fs::create_dir_all(top.join("dir/deep")).unwrap();
    fs::write(top.join(format!("only in {name}")), name).unwrap();
    let seconds = name.bytes().fold(1_000_000_000, |sum, byte| 2 * sum + u64::from(byte) % 2);
    for file in ["file", "dir/file", "dir/deep/file"] {
        fs::write(top.join(file), format!("{file} of {name}")).unwrap();
        let file = fs::File::options().write(true).open(top.join(file)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds % 1_000_000_000)).unwrap();
    }
}

/// Waits until the remote is equal to a tree that is not at the root's path, or not the root alone.
fn become_equal(tree: &Path, remote: &Path) {
    until(&format!("the remote is equal to {}", tree.display()), DEADLINE, || {
        Tree::compare(tree, remote)
    });
}

/// Waits until a file has this content.
fn await_content(file: &Path, content: &str) {
    until(&format!("{} has {content:?}", file.display()), DEADLINE, || {
        let there = fs::read(file).map_err(|e| e.to_string())?;
        (there == content.as_bytes())
            .then_some(())
            .ok_or_else(|| String::from_utf8_lossy(&there).into_owned())
    });
}

/// The lines of the log with these words.
fn lines_with(mirror: &Mirror, words: &str) -> Vec<String> {
    mirror.log().lines().filter(|line| line.contains(words)).map(str::to_string).collect()
}
