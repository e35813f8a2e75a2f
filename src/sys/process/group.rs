//! A process with a group of its own, and how it is ended with everything that it has started.
//!
//! Owns the signals, the waiting with a limit, and that nothing of a killed group is left behind.
//! What is said to the process and by it is for `process`, which runs rsync, and for
//! `tell::user_command`, which runs what the user wrote.

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{killpg, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Between two looks whether a process has ended that has no pipe of ours whose end would tell. The
/// pauses grow from the first to the last, so that a short command costs no wait and a long one no
/// time.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(50);

/// The process that leads the group.
#[derive(Debug)]
pub struct Group {
    leader: Child,
}

/// How a wait came to its end.
#[derive(Debug)]
pub enum Waited {
    /// The process ended.
    Exited(ExitStatus),
    /// It runs, and the time is over.
    TooLong,
    /// It runs, and is not to run any longer.
    Stopped,
}

impl Group {
    /// Starts the command.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn spawn(mut command: Command) -> io::Result<Group> {
        Ok(Group { leader: command.process_group(0).spawn()? })
    }

    /// The number of the process and of its group.
    pub fn id(&self) -> u32 {
        self.leader.id()
    }

    /// The ends of its pipes, the first time that this is asked.
    pub(super) fn pipes(
        &mut self,
    ) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        let leader = &mut self.leader;
        (leader.stdin.take(), leader.stdout.take(), leader.stderr.take())
    }

    /// Whether the process has ended.
    ///
    /// # Errors
    /// None for a process that nobody else has waited for.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.leader.try_wait()?.is_some())
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// None for a process that nobody else has waited for.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.leader.wait()
    }

    /// Waits for the end of the process, for at most `limit`, or until `stop` becomes readable or is
    /// closed.
    ///
    /// # Errors
    /// None for a process that nobody else has waited for.
    pub fn wait_within(
        &mut self,
        limit: Duration,
        stop: Option<&PipeReader>,
    ) -> io::Result<Waited> {
        let since = Instant::now();
        let mut pause = LOOK_FIRST;
        loop {
            if let Some(status) = self.leader.try_wait()? {
                return Ok(Waited::Exited(status));
            }
            if since.elapsed() >= limit {
                return Ok(Waited::TooLong);
            }
            if is_stopped_within(pause, stop) {
                return Ok(Waited::Stopped);
            }
            pause = (pause * 2).min(LOOK_LAST);
        }
    }

    /// Sends a signal to every process of the group.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = self.pid() {
            // That nobody is left in the group is what was wanted.
            let _ = killpg(group, signal);
            // A stopped process takes no other signal before this one.
            let _ = killpg(group, Signal::SIGCONT);
        }
    }

    /// Asks the group to end, and kills what is left of it when the process has ended or `grace` is
    /// over.
    pub fn end_within(&mut self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        // What the process has started may live on when it is gone; the group is killed in any case.
        let _ = self.wait_within(grace, None);
        self.kill();
    }

    /// Kills the group.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        // It is gone at once; nothing keeps it.
        let _ = self.wait();
        // What the process has started is ours now if this is the first process of a container: nobody
        // else would wait for it. Elsewhere there is nothing to wait for.
        while self.pid().is_some_and(|pid| waitpid(Pid::from_raw(-pid.as_raw()), None).is_ok()) {}
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.id()).ok().map(Pid::from_raw)
    }
}

/// Waits so long, or until `stop` becomes readable or is closed; `true` if that is what happened.
pub fn is_stopped_within(pause: Duration, stop: Option<&PipeReader>) -> bool {
    let mut fds: Vec<_> =
        stop.iter().map(|stop| PollFd::new(stop.as_fd(), PollFlags::POLLIN)).collect();
    let pause = PollTimeout::try_from(pause).unwrap_or(PollTimeout::MAX);
    // A signal that cuts the wait short does no harm.
    poll(&mut fds, pause).is_ok_and(|ready| ready > 0)
}
