//! What the figures depend on: versions and the machine, without a name or a path of either.

use std::fs;
use std::process::Command;
use std::thread;

use super::document::Table;
use super::stage::base;
use super::system::{while_doing, Unmeasurable};
use super::tool::{output, program};

/// All of it, as a table of two columns. `load` is the load of the minute before the run.
pub fn table(load: &str) -> Result<Table, Unmeasurable> {
    let mut table = Table::new(&["", ""]);
    let mut row = |name: &str, value: String| table.row(&[name.to_string(), value]);
    let said = |command: &mut Command| output(command).unwrap_or_default();
    let word =
        |text: &str, at: usize| text.split_whitespace().nth(at).unwrap_or("not there").to_string();
    let sersync = output(Command::new(program()).arg("--version"))?;
    row("sersync", sersync.lines().next().unwrap_or_default().to_string());
    row("rsync, client and daemon", word(&output(Command::new("rsync").arg("--version"))?, 2));
    row("lsyncd", word(&said(Command::new("lsyncd").arg("--version")), 1));
    row("inotifywait", word(&said(Command::new("inotifywait").arg("--help")), 1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_err(while_doing("/proc/sys/kernel/osrelease"))?;
    row("Linux", kernel.split(['-', '\n']).next().unwrap_or_default().to_string());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    row("processors", format!("{processors} ({})", model()));
    row("memory", format!("{} GiB", kib_of("MemTotal:") / 1024 / 1024));
    row("files in", file_system());
    row("load in the minute before", load.to_string());
    Ok(table)
}

/// The load of the last minute.
pub fn load() -> String {
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split_whitespace().next().unwrap_or("unknown").to_string()
}

/// The processor's model, or the architecture where the kernel names no model.
fn model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(": "))
        .map_or(std::env::consts::ARCH, |(_, model)| model)
        .to_string()
}

fn kib_of(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// What the measured files lie in. On a disk, the same run varies by a factor of four.
fn file_system() -> String {
    let magic = nix::sys::statfs::statfs(&base()).map(|fs| fs.filesystem_type());
    match magic {
        Ok(nix::sys::statfs::TMPFS_MAGIC) => "memory (tmpfs)".to_string(),
        _ => "a file system that is not tmpfs: times vary".to_string(),
    }
}
