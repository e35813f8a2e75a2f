//! Whether a process is at rest: what it does is seen by how often its threads were given a processor.

use super::until;
use std::fs;
use std::time::Duration;

/// How long a program may take until it has come to rest.
const COMES_TO_REST: Duration = Duration::from_secs(60);

/// How often the threads of a process have gone to sleep or were interrupted so far: two of these are the
/// same only if none of them ran between.
pub fn switches(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of_task = |task: std::io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
        let lines = status.lines().filter(|line| line.contains("voluntary_ctxt_switches:"));
        lines
            .map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap())
            .sum::<u64>()
    };
    tasks.map(of_task).sum()
}

/// Returns when no thread of any of the processes has run for so long. How soon that is, is not what this is
/// about, but that it comes to be.
pub fn rest_for(pids: &[u32], stretch: Duration) {
    until("nothing runs any more", COMES_TO_REST, || {
        let all = || pids.iter().map(|pid| switches(*pid)).sum::<u64>();
        let before = all();
        std::thread::sleep(stretch);
        let more = all() - before;
        (more == 0).then_some(()).ok_or(format!("in {stretch:?} they ran {more} times"))
    });
}
