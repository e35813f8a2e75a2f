//! The program under test as a process: started, read, ended.

use super::child::Child;
use super::faults::Faults;
use super::old_kernel::{Kernel, Strangers};
use super::{path, until, DEADLINE};
use nix::sys::signal::Signal;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Only the end of a long output is shown when a test fails.
const LINES_SHOWN_MAX: usize = 120;

/// The program to be tested, if it is not the one that was built with the tests.
const BINARY: &str = "SERSYNC_BIN";
/// Names the directory in which the program keeps what the next run has to know.
const STATES: &str = "STATE_DIRECTORY";
/// What is linked statically.
const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

/// A running program, with its output in the files `stdout` and `stderr` of its directory.
pub struct Sersync {
    child: Child,
    dir: PathBuf,
    kernel: Option<Kernel>,
    strangers: Strangers,
}

/// In which surroundings the program is run.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// The user that it runs as; whoever runs the tests, if there is none.
    pub user: Option<u32>,
    /// A command before the program's own, which must become the program with exec.
    pub behind: Vec<OsString>,
    /// The kernel that it finds; the one that the environment asks for, or today's, if there is none.
    pub kernel: Option<Kernel>,
    /// The errors of the disk that it works on.
    pub faults: Option<Faults>,
}

/// How a program ended that ends by itself.
#[derive(Debug)]
pub struct Exit {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program to its end in `dir`, with `variables` set; panics if it goes on running.
pub fn run_to_end(dir: &Path, args: &[OsString], variables: &[(&str, &str)]) -> Exit {
    let mut sersync = Sersync::start(dir, args, variables, &How::default());
    let what = format!("sersync {args:?} ends by itself");
    let status = until(&what, DEADLINE, || sersync.ended().ok_or_else(|| sersync.show()));
    Exit { code: status.code(), stdout: sersync.stdout(), stderr: sersync.stderr() }
}

impl Sersync {
    /// Starts the program with `dir` as its working directory, where its output goes, too.
    pub fn start(dir: &Path, args: &[OsString], variables: &[(&str, &str)], how: &How) -> Sersync {
        let kernel = how.kernel.or_else(Kernel::wanted).filter(|_| how.faults.is_none());
        let binary = if kernel.is_some() { static_binary() } else { binary() };
        let binary = how.user.map_or(binary.clone(), |_| copied(&binary, dir));
        let mut words = how.behind.iter().chain([&binary]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        if let Some(user) = how.user {
            command.uid(user).gid(user);
        }
        command.args(args).current_dir(dir).env("LC_ALL", "C").env("PATH", path());
        command.env(STATES, dir.join("states"));
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null());
        command.stdout(fs::File::create(dir.join("stdout")).unwrap());
        command.stderr(fs::File::create(dir.join("stderr")).unwrap());
        let strangers = kernel.map(|kernel| kernel.confine(&mut command)).unwrap_or_default();
        how.faults.iter().for_each(|faults| faults.confine(&mut command));
        let child = Child::spawn(&mut command);
        Sersync { child, dir: dir.to_path_buf(), kernel, strangers }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The numbers of the system calls that its kernel did not have.
    pub fn refused(&self) -> Vec<i32> {
        self.strangers.seen()
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
            (Some(0), _) if self.kernel == Some(Kernel::Listed) && !self.refused().is_empty() => {
                let numbers = self.refused();
                Err(format!("sersync made system calls that docs/KERNELS.md lacks: {numbers:?}"))
            }
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
fn copied(binary: &OsString, dir: &Path) -> OsString {
    let copy = dir.join("sersync");
    fs::copy(binary, &copy).unwrap();
    copy.into_os_string()
}

/// A command that is the program under test, with the kernel that the environment asks for. For
/// tests that start it in a way of their own.
pub fn program() -> Command {
    let mut command = Command::new(binary());
    // Not where the machine's own instances have theirs.
    command.env(STATES, concat!(env!("CARGO_TARGET_TMPDIR"), "/states"));
    if let Some(kernel) = Kernel::wanted() {
        kernel.confine(&mut command);
    }
    command
}

/// The program under test.
pub fn binary() -> OsString {
    if Kernel::wanted().is_some() {
        return static_binary();
    }
    env::var_os(BINARY).unwrap_or_else(|| env!("CARGO_BIN_EXE_sersync").into())
}

/// The program for old kernels: the C library that is linked into it copes with them, and that of
/// this machine need not. Built when it is first asked for.
fn static_binary() -> OsString {
    static BUILT: OnceLock<OsString> = OnceLock::new();
    let given = || env::var_os(BINARY);
    BUILT.get_or_init(|| given().unwrap_or_else(build_statically)).clone()
}

fn build_statically() -> OsString {
    let target_dir = Path::new(env!("CARGO_BIN_EXE_sersync")).ancestors().nth(2).unwrap();
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--bin", "sersync", "--target", STATIC_TARGET, "--target-dir"]);
    command.arg(target_dir).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap_or_else(|e| panic!("cannot run cargo: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    let advice = "if the target is missing: rustup target add";
    assert!(output.status.success(), "{}\n{advice} {STATIC_TARGET}", end_of(&said));
    target_dir.join(STATIC_TARGET).join("debug/sersync").into_os_string()
}

/// The last lines of a text.
pub fn end_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN_MAX)..].join("\n")
}
