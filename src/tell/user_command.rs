//! Runs a shell command that the user wrote into the configuration, to its end or to its limit.
//!
//! Owns how it is started and what its end means, and nothing of what it is for: the `command` plugin and the
//! alerts call it, each in a thread of its own. A path gets into such a command only as one quoted
//! word, by [`crate::rsync::quoting`], or in a variable.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, PipeReader};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::sys::process::{code_or_signal, Group, Waited};

/// A command that is not done by then is ended: the next one waits for it.
pub const LIMIT: Duration = Duration::from_secs(60);
/// What it gets to end by itself when it is asked to; then it is killed. Less than what the loop waits
/// at the program's end, so that nothing is left behind.
const GRACE: Duration = Duration::from_secs(1);
/// What becomes of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// It goes where the program's own goes.
    Shown,
    /// Nobody sees it.
    Dropped,
}

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// There is no shell, or no process.
    NotStarted(io::Error),
    /// It ended with a code other than 0.
    Exited(i32),
    /// A signal ended it.
    Signaled(i32),
    /// It was ended, because it took so long.
    TooLong(Duration),
    /// It was ended, because the program ends.
    Stopped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotStarted(error) => write!(f, "the command cannot be started: {error}"),
            Failure::Exited(code) => write!(f, "the command ended with {code}"),
            Failure::Signaled(signal) => write!(f, "the command was ended by signal {signal}"),
            Failure::TooLong(limit) => {
                write!(f, "the command took more than {} s and was ended", limit.as_secs())
            }
            Failure::Stopped => f.write_str("the command was ended with the program"),
        }
    }
}

/// Runs `script` with `/bin/sh -c`, in a process group of its own, for at most `limit`. When `stop`
/// becomes readable or is closed, or the limit is reached, the group is ended.
///
/// # Errors
/// It could not be started, or did not end with 0.
pub fn run(
    script: &[u8],
    variables: &[(&str, &[u8])],
    output: Output,
    limit: Duration,
    stop: &PipeReader,
) -> Result<(), Failure> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(OsStr::from_bytes(script)).stdin(Stdio::null());
    command.envs(variables.iter().map(|(name, value)| (name, OsStr::from_bytes(value))));
    if output == Output::Dropped {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let mut group = Group::spawn(command).map_err(Failure::NotStarted)?;
    let why = match group.wait_within(limit, Some(stop)).map_err(Failure::NotStarted)? {
        Waited::Exited(status) => return result(status),
        Waited::TooLong => Failure::TooLong(limit),
        Waited::Stopped => Failure::Stopped,
    };
    group.end_within(GRACE);
    Err(why)
}

fn result(status: ExitStatus) -> Result<(), Failure> {
    match code_or_signal(status) {
        Ok(0) => Ok(()),
        Ok(code) => Err(Failure::Exited(code)),
        Err(signal) => Err(Failure::Signaled(signal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::Instant;

    fn shell(script: &str, limit: Duration) -> Result<(), String> {
        let (stop, _running) = io::pipe().unwrap();
        run(script.as_bytes(), &[], Output::Dropped, limit, &stop).map_err(|why| why.to_string())
    }

    /// The processes of the group that wrote its number into `file`.
    fn is_alive(file: &std::path::Path) -> bool {
        let pid: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // A zombie whose parent has not looked yet is as good as gone.
        !stat.is_empty() && !stat.contains(") Z ")
    }

    fn until(what: &str, probe: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !probe() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_end_of_a_command_is_told() {
        for (script, expected) in [
            ("true", Ok(())),
            ("exit 3", Err("the command ended with 3")),
            ("kill -9 $$", Err("the command was ended by signal 9")),
            ("/nowhere/command", Err("the command ended with 127")),
        ] {
            assert_eq!(shell(script, LIMIT), expected.map_err(String::from), "{script}");
        }
    }

    #[test]
    fn variables_hold_any_bytes() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("seen");
        let (stop, _running) = io::pipe().unwrap();
        let value = b"a \"$(touch x)\"`\n\xff";
        let variables = [("SERSYNC_PATH", &value[..]), ("FILE", file.as_os_str().as_bytes())];
        let script = b"printf %s \"$SERSYNC_PATH\" >\"$FILE\"";
        run(script, &variables, Output::Shown, LIMIT, &stop).unwrap();
        assert_eq!(fs::read(file).unwrap(), value);
    }

    #[test]
    fn the_whole_group_of_a_command_that_takes_too_long_is_ended() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("pid");
        // The child of the shell takes no notice of being asked.
        let script = format!(
            "sh -c 'trap \"\" TERM; echo $$ >{}; while :; do sleep 1; done' & wait",
            file.display()
        );
        let limit = Duration::from_millis(1500);
        assert_eq!(
            shell(&script, limit),
            Err("the command took more than 1 s and was ended".into())
        );
        until("it is killed", || !is_alive(&file));
    }

    #[test]
    fn closing_the_stop_pipe_ends_a_command() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("pid");
        let script = format!("echo $$ >{}; exec sleep 1000", file.display());
        let (stop, running) = io::pipe().unwrap();
        let thread = std::thread::spawn(move || {
            run(script.as_bytes(), &[], Output::Dropped, LIMIT, &stop).unwrap_err().to_string()
        });
        until("it runs", || fs::read_to_string(&file).is_ok_and(|pid| pid.ends_with('\n')));
        drop(running);
        assert_eq!(thread.join().unwrap(), "the command was ended with the program");
        assert!(!is_alive(&file));
    }
}
