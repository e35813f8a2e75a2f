//! What a process has in memory, as the kernel counts it.

use std::fs;

/// A line of `/proc/PID/status` that is about memory, in KiB: `VmRSS` is what it has at the moment, `VmHWM` the most
/// that it has had, `RssAnon` what of it belongs to no file.
pub fn memory_kib(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let found = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    found.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}
