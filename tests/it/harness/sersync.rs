//! The program under test as a process: started, read, ended.

use super::child::Child;
use super::{until, DEADLINE};
use nix::sys::signal::Signal;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Only the end of a long output is shown when a test fails.
const LINES_SHOWN_MAX: usize = 120;

/// A running program, with its output in the files `stdout` and `stderr` of its directory.
pub struct Sersync {
    child: Child,
    dir: PathBuf,
}

/// In which surroundings the program is run.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// The user that it runs as; whoever runs the tests, if there is none.
    pub user: Option<u32>,
    /// A command before the program's own, which must become the program with exec.
    pub behind: Vec<OsString>,
}

/// How a program ended that ends by itself.
pub struct Ended {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program to its end in `dir`, with `variables` set; panics if it goes on running.
pub fn run_to_end(dir: &Path, args: &[OsString], variables: &[(&str, &str)]) -> Ended {
    let mut sersync = Sersync::start(dir, args, variables, &How::default());
    let what = format!("sersync {args:?} ends by itself");
    let status = until(&what, DEADLINE, || sersync.ended().ok_or_else(|| sersync.show()));
    Ended { code: status.code(), stdout: sersync.stdout(), stderr: sersync.stderr() }
}

impl Sersync {
    /// Starts the program with `dir` as its working directory, where its output goes, too.
    pub fn start(dir: &Path, args: &[OsString], variables: &[(&str, &str)], how: &How) -> Sersync {
        let binary = how.user.map_or_else(binary, |_| copied(dir));
        let mut words = how.behind.iter().chain([&binary]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        if let Some(user) = how.user {
            command.uid(user).gid(user);
        }
        command.args(args).current_dir(dir).env("LC_ALL", "C");
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null());
        command.stdout(fs::File::create(dir.join("stdout")).unwrap());
        command.stderr(fs::File::create(dir.join("stderr")).unwrap());
        Sersync { child: Child::spawn(&mut command), dir: dir.to_path_buf() }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.ended()
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// Standard error so far: the log.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Both outputs, their ends, as shown when a test fails.
    pub fn show(&self) -> String {
        let (out, err) = (self.stdout(), self.stderr());
        format!("--- standard output\n{}\n--- standard error\n{}", end_of(&out), end_of(&err))
    }

    /// Asks it to end and waits until it has. A right program ends with 0.
    pub fn stop(&mut self) -> Result<(), String> {
        if self.ended().is_some_and(|status| status.success()) {
            return Ok(());
        }
        self.child.signal(Signal::SIGTERM);
        let status = until("sersync ends at SIGTERM", DEADLINE, || {
            self.child.ended().ok_or_else(|| self.show())
        });
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (code, signal) => Err(format!("sersync ended with code {code:?}, signal {signal:?}")),
        }
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.signal(Signal::SIGKILL);
        until("sersync is gone", DEADLINE, || self.child.ended().ok_or("it runs".to_string()));
    }

    fn read(&self, file: &str) -> String {
        let bytes = fs::read(self.dir.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The program in a place where every user can run it; where it was built may be nobody else's.
fn copied(dir: &Path) -> OsString {
    let copy = dir.join("sersync");
    fs::copy(binary(), &copy).unwrap();
    copy.into_os_string()
}

/// The program under test.
pub fn binary() -> OsString {
    env::var_os("SERSYNC_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_sersync").into())
}

/// The last lines of a text.
pub fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN_MAX)..].join("\n")
}
