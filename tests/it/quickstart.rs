//! scripts/quickstart.sh leaves nothing behind, however it ends.

use crate::harness::{binary, eventually, scratch};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// What becomes of it in the middle of the demonstration.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Its reader goes away, as `head` does.
    NobodyReads,
    Signal(Signal),
}

fn start(shell: &[&str], option: Option<&str>, dir: &Path) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/quickstart.sh");
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(script).args(option);
    command.env("SERSYNC_BIN", binary()).env("TMPDIR", dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Returns when a line with these words has been read.
fn read_to(lines: &mut BufReader<ChildStdout>, words: &str) {
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended before it said {words}");
    }
}

/// Processes that have something to do with a directory.
fn processes_of(dir: &Path) -> Vec<String> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let lines = pids.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let of_dir = |line: &Vec<u8>| {
        line.windows(dir.as_os_str().len()).any(|part| part == dir.as_os_str().as_bytes())
    };
    lines.filter(of_dir).map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}

#[test]
fn nothing_stays_behind_however_it_ends() {
    let ends = [
        (Some("--once"), "arrived after", End::NobodyReads),
        (Some("--once"), "a new file", End::Signal(Signal::SIGTERM)),
        (Some("--once"), "started with", End::Signal(Signal::SIGHUP)),
        (None, "Still running", End::Signal(Signal::SIGINT)),
        (None, "Everything arrived", End::NobodyReads),
    ];
    for (shell, ends) in [(&["sh"][..], &ends[..]), (&["busybox", "ash"], &ends[..2])] {
        for &(option, words, end) in ends {
            let dir = scratch();
            let mut script = start(shell, option, dir.path());
            let mut lines = BufReader::new(script.stdout.take().unwrap());
            read_to(&mut lines, words);
            match end {
                End::NobodyReads => drop(lines),
                End::Signal(signal) => {
                    kill(Pid::from_raw(script.id() as i32), signal).unwrap();
                    // It reads on, as a terminal does.
                    std::thread::spawn(move || lines.lines().count());
                }
            }
            eventually(&format!("{shell:?} ends after {end:?}"), || {
                script.try_wait().unwrap().is_some()
            });
            let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
            assert!(left.is_empty(), "{shell:?} {end:?}: {left:?}");
            assert_eq!(processes_of(dir.path()), [""; 0], "{shell:?} {end:?}");
        }
    }
}
