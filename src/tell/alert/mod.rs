//! Alerts: a command of the user's, run when something needs a person and when that is over.
//!
//! [`Alerts`] is all that the loop knows of them: it hears what is reported, and what is owed; when
//! something is due, a thread runs the command, one at a time. `state` decides what is due. Nothing of
//! it ever waits.

mod state;

use self::state::{Alert, States, Subject};
use crate::config;
use crate::config::terminal::harmless;
use crate::engine::sending::trust::{Deletions, Trust};
use crate::engine::succession::Succession;
use crate::engine::time::Time;
use crate::engine::{RemoteId, Report, RootId};
use crate::rsync::told::outcome;
use crate::sys::channel::{channel, Receiver, Sender};
use crate::sys::thread;
use crate::tell::report;
use crate::tell::user_command::{self, Failure, Output, LIMIT};
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What the configured command is told, and whether it is running.
#[derive(Debug)]
pub struct Alerts {
    states: States,
    remotes: Vec<String>,
    roots: Vec<PathBuf>,
    tasks: Sender<Task>,
    ends: Receiver<Result<(), Failure>>,
    is_running: bool,
    is_stopping: bool,
}

/// The variables of one run.
#[derive(Debug)]
struct Task {
    word: &'static str,
    remote: String,
    root: PathBuf,
    message: String,
}

impl Alerts {
    /// The names of the remotes and the roots are in the order of the configuration. When the other
    /// end of `stop` is closed, a command that runs is ended.
    ///
    /// # Errors
    /// The system has no pipes or threads left.
    pub fn new(
        alert: &config::AlertSettings,
        remotes: Vec<String>,
        roots: Vec<PathBuf>,
        stop: PipeReader,
    ) -> io::Result<Alerts> {
        let (tasks, to_thread) = channel()?;
        let (from_thread, ends) = channel()?;
        let command = alert.command.clone();
        thread::start("alert", move || work(&command, &to_thread, &from_thread, &stop))?;
        let states = States::new(alert.after_s * 1000);
        Ok(Alerts { states, remotes, roots, tasks, ends, is_running: false, is_stopping: false })
    }

    /// Another root, behind the others.
    pub fn add_root(&mut self, path: PathBuf) {
        self.roots.push(path);
    }

    /// A root is none any more: there is nothing to tell of it.
    pub fn leave_root(&mut self, id: RootId) {
        self.states.forget(Subject::Root(id.0));
    }

    /// The remotes have become others.
    pub fn change_remotes(&mut self, succession: &Succession, remotes: Vec<String>) {
        self.states.change_remotes(succession);
        self.remotes = remotes;
    }

    /// Hears what the user is told in the log.
    pub fn report(&mut self, report: &Report, now: Time) {
        match report {
            Report::Failed(remote, why, _) => {
                let name = &self.remotes[remote.0];
                let message = || format!("{name}: {}", failure(why));
                self.states.fails(Subject::Remote(remote.0), now, message);
            }
            // Something got through, so the remote works.
            Report::Back(remote) | Report::Arrived(remote, ..) | Report::Partial(remote, ..) => {
                let name = &self.remotes[remote.0];
                self.states.works(Subject::Remote(remote.0), || format!("{name}: works again"));
            }
            Report::Halted(root, _) => {
                let path = self.roots[root.0].display();
                let message = || format!("{path}: nothing of it is synced; the log says why");
                self.states.fails(Subject::Root(root.0), now, message);
            }
            Report::Resumed(root) => {
                let path = self.roots[root.0].display();
                self.states.works(Subject::Root(root.0), || format!("{path}: synced again"));
            }
            Report::Watching(..)
            | Report::Unwatched(..)
            | Report::AllWatched(_)
            | Report::PortableDeletes(_)
            | Report::DeletionsRefused(..)
            | Report::Unwanted(..)
            | Report::DeletionsWait(..)
            | Report::OneConnection(_)
            | Report::TooMany(_)
            | Report::TooLong(..)
            | Report::Overflowed(_)
            | Report::Forgot(_) => {}
        }
    }

    /// Hears whether something is owed by the fail log.
    pub fn owed(&mut self, is_owed: bool, now: Time) {
        if is_owed {
            let message = || "something has not arrived; the fail log says what".into();
            self.states.fails(Subject::FailLog, now, message);
        } else {
            self.states.works(Subject::FailLog, || "everything has arrived".into());
        }
    }

    /// Hears whether deletions on a remote wait for a yes.
    pub fn trusts(&mut self, remote: RemoteId, trust: Trust, now: Time) {
        let (subject, name) = (Subject::Deletions(remote.0), &self.remotes[remote.0]);
        match trust.waits_for() {
            Some((_, Deletions { count, of })) => self.states.fails(subject, now, || {
                format!("{name}: {count} deletions of {of} entries wait for sersync --confirm-deletions")
            }),
            None if trust.permits() => {
                self.states.works(subject, || format!("{name}: no deletion waits any more"));
            }
            // What there is to be deleted is not known yet.
            None => {}
        }
    }

    /// When [`Alerts::run_due`] has something to do.
    pub fn due(&self) -> Option<Time> {
        self.states.due().filter(|_| !self.is_running && !self.is_stopping)
    }

    /// Has the command run for what is due.
    pub fn run_due(&mut self, now: Time) {
        if self.is_running || self.is_stopping {
            return;
        }
        if let Some(alert) = self.states.take(now) {
            self.is_running = self.tasks.send(self.task(alert)).is_ok();
        }
    }

    /// To be called when the descriptor is readable: the command has ended.
    pub fn ended(&mut self) {
        let Some(end) = self.ends.receive() else { return };
        self.is_running = false;
        if let Err(failure) = end {
            log::warn!("alert: {failure}");
        }
    }

    /// From now on nothing is started.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Whether the command is running.
    pub fn is_busy(&self) -> bool {
        self.is_running
    }

    fn task(&self, alert: Alert) -> Task {
        let (remote, root) = match alert.subject {
            Subject::Remote(number) | Subject::Deletions(number) => {
                (self.remotes[number].clone(), PathBuf::new())
            }
            Subject::Root(number) => (String::new(), self.roots[number].clone()),
            Subject::FailLog => (String::new(), PathBuf::new()),
        };
        let word = alert.subject.word(alert.is_well);
        Task { word, remote, root, message: alert.message }
    }
}

impl AsFd for Alerts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ends.as_fd()
    }
}

/// The thread: one command after the other, until there is nobody who hands it any.
fn work(
    command: &[u8],
    tasks: &Receiver<Task>,
    ends: &Sender<Result<(), Failure>>,
    stop: &PipeReader,
) {
    while let Some(task) = tasks.receive() {
        let variables: [(&str, &[u8]); 4] = [
            ("SERSYNC_ALERT", task.word.as_bytes()),
            ("SERSYNC_REMOTE", task.remote.as_bytes()),
            ("SERSYNC_ROOT", task.root.as_os_str().as_bytes()),
            ("SERSYNC_MESSAGE", task.message.as_bytes()),
        ];
        let end = user_command::run(command, &variables, Output::Shown, LIMIT, stop);
        // The loop listens for as long as there is a process.
        let _ = ends.send(end);
    }
}

fn failure(failure: &outcome::Failure) -> String {
    // A NUL would keep the command from being started, and other control characters the message from
    // being sent by mail.
    harmless(&report::failure(failure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sending::extent::Extent;
    use crate::engine::{Halt, RemoteId, RootId};
    use crate::rsync::told::exit::Exit;
    use crate::rsync::told::login::Login;
    use crate::rsync::told::outcome::Outcome;
    use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
    use std::fs;
    use std::path::Path;

    fn start(command: &str, after_s: u64) -> (Alerts, io::PipeWriter) {
        let alert = config::AlertSettings { command: command.into(), after_s };
        let (stop, running) = io::pipe().unwrap();
        let alerts = Alerts::new(&alert, vec!["h::m".into()], vec!["/r a".into()], stop).unwrap();
        (alerts, running)
    }

    /// Does the loop's part for what is due now; the command has ended then.
    fn run(alerts: &mut Alerts, now: u64) {
        while alerts.due().is_some_and(|due| due <= Time(now)) {
            alerts.run_due(Time(now));
            assert!(alerts.is_busy() && alerts.due().is_none());
            let mut fds = [PollFd::new(alerts.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut fds, PollTimeout::from(30_000_u16)), Ok(1));
            alerts.ended();
        }
    }

    fn lines(file: &Path) -> Vec<String> {
        fs::read_to_string(file).unwrap_or_default().lines().map(String::from).collect()
    }

    #[test]
    fn each_alert_runs_the_command_with_its_words() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("seen");
        let say = "echo \"$SERSYNC_ALERT|$SERSYNC_REMOTE|$SERSYNC_ROOT|$SERSYNC_MESSAGE\"";
        let (mut alerts, _running) = start(&format!("{say} >>'{}'", file.display()), 60);
        let remote = RemoteId(0);
        let login = Login { user: None, host: "far".into(), port: None };
        let outcome =
            Outcome::of(&Exit::with_code(255, "Host key verification failed.\n"), Some(&login));
        let failure = outcome.failure().unwrap().clone();
        alerts.report(&Report::Failed(remote, failure, 1000), Time(0));
        run(&mut alerts, 59_999);
        assert_eq!(lines(&file), [""; 0]);
        alerts.report(&Report::Halted(RootId(0), Halt::Lost), Time(59_999));
        alerts.owed(true, Time(60_000));
        run(&mut alerts, 60_000);
        alerts.report(&Report::Arrived(remote, Extent::Paths(1), 5, None), Time(60_001));
        alerts.report(&Report::Resumed(RootId(0)), Time(60_001));
        alerts.owed(false, Time(60_001));
        run(&mut alerts, 60_001);
        let why = "rsync ended with 255: Host key verification failed. (Run as the user that runs \
                   sersync, and compare the key with the far side's: ssh-keyscan far >> \
                   ~/.ssh/known_hosts)";
        assert_eq!(
            lines(&file),
            [
                "halted||/r a|/r a: nothing of it is synced; the log says why".to_string(),
                format!("down|h::m||h::m: {why}"),
                "owed|||something has not arrived; the fail log says what".to_string(),
                "back|h::m||h::m: works again".to_string(),
                "resumed||/r a|/r a: synced again".to_string(),
                "paid|||everything has arrived".to_string(),
            ]
        );
    }

    #[test]
    fn a_command_that_fails_is_no_end_and_one_that_hangs_ends_with_the_program() {
        let (mut alerts, _running) = start("exit 3", 0);
        alerts.owed(true, Time(0));
        run(&mut alerts, 0);
        alerts.owed(false, Time(0));
        assert_eq!(alerts.due(), Some(Time(0)));

        let (mut alerts, running) = start("exec sleep 1000", 0);
        alerts.owed(true, Time(0));
        alerts.run_due(Time(0));
        alerts.stop();
        assert!(alerts.is_busy() && alerts.due().is_none());
        drop(running);
        alerts.ended();
        assert!(!alerts.is_busy());
    }
}
