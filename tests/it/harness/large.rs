//! Large files on their way over a slow line, and runs that are stopped in the middle of one.

use super::{until, Mirror, Plan, DEADLINE};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;

/// A little more than makes a file large.
pub const LARGE_BYTES: usize = 65 << 20;
/// So fast that a file arrives in some seconds, and so slow that it can be caught on its way.
pub const SLOW: &str = " --bwlimit=20000";

/// Writes a large file that no compression makes smaller.
pub fn write_large(path: &Path, seed: u64) {
    let mut state = seed | 1;
    let words = std::iter::repeat_with(|| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let content: Vec<u8> = words.flatten().take(LARGE_BYTES).collect();
    fs::write(path, content).unwrap();
}

/// A mirror over a slow line.
pub fn slow() -> Plan {
    let mut plan = Plan::new();
    plan.conf.params.push_str(SLOW);
    plan
}

/// An rsync that has been stopped with a file on its way. It goes on when this goes.
pub struct Held(Pid);

impl Held {
    /// Waits until a file of the root is on its way, and stops it there.
    pub fn catch(mirror: &Mirror, name: &str) -> Held {
        let path = fs::canonicalize(mirror.root.join(name)).unwrap();
        let pid = until(&format!("{name} is on its way"), DEADLINE, || {
            opened_by_rsync(&path).ok_or_else(|| "no rsync has it open".to_string())
        });
        kill(pid, Signal::SIGSTOP).unwrap();
        Held(pid)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have ended: then the test has something to say about that.
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

fn opened_by_rsync(path: &Path) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let rsyncs = processes.filter(|process| {
        let name = fs::read_to_string(process.path().join("comm"));
        name.is_ok_and(|name| name == "rsync\n")
    });
    let has_it = |directory: &Path| {
        let descriptors = fs::read_dir(directory.join("fd")).into_iter().flatten().flatten();
        descriptors.filter_map(|it| fs::read_link(it.path()).ok()).any(|target| target == *path)
    };
    let found = rsyncs.map(|process| process.path()).find(|process| has_it(process))?;
    found.file_name()?.to_str()?.parse().ok().map(Pid::from_raw)
}
