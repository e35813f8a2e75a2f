//! The remotes: whether each would take what is sent to it.
//!
//! Each is asked with a rehearsal of a run that needs all that later runs need, and sends nothing.
//! What shows only when something is written (the far side's user may not, its disk is full) stays
//! unknown, and that is said.

use super::finding::Finding;
use super::places::may_write;
use crate::config::{Address, Config, RemoteSettings, Root};
use crate::engine::sending::licence::Grants;
use crate::rsync::asked::plan::probe;
use crate::rsync::asked::rehearsal::rehearsed;
use crate::rsync::asked::route::RemoteRoute;
use crate::rsync::asked::run::Run;
use crate::rsync::told::advice::MAKE_DIRECTORY;
use crate::rsync::told::exit::Exit;
use crate::rsync::told::login::Login;
use crate::rsync::told::outcome::{Failure, Outcome};
use crate::rsync::told::unwanted::Blame;
use crate::run::ssh;
use crate::run::worker::{command, exit};
use crate::start::prepare;
use crate::sys::channel::{channel, Receiver};
use crate::sys::process;
use crate::sys::thread;
use crate::tell::report;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a remote may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long a run may take to end when it is told to. After that it is left alone, since this process ends soon.
const END_MAX: Duration = Duration::from_secs(2);

/// A remote that is to be asked.
struct Question {
    place: String,
    name: String,
    login: Option<Login>,
    run: Run,
    /// The working directory of the run.
    directory: PathBuf,
}

/// What has come of a question.
enum Answer {
    Came(Outcome),
    Late,
}

/// Asks all remotes, at most `workers` at the same time.
pub(super) fn findings(config: &Config, workers: usize) -> Vec<Finding> {
    // Without an rsync, `programs` says so.
    let Ok(local) = prepare::local_rsync() else { return Vec::new() };
    let mut clients = ssh::Clients::default();
    let mut questions = Vec::new();
    let mut found = Vec::new();
    for root in &config.roots {
        for to in &root.remotes {
            let mut rsync = to.rsync.clone();
            clients.suit(&to.address, &mut rsync);
            let (watch, address) = (root.watch.clone(), to.address.clone());
            let route = RemoteRoute { root: watch, address, rsync, local };
            let place = place(config, to);
            if let Address::Local { path } = &to.address {
                found.extend(unwritable(&place, path));
            }
            questions.push(Question {
                place,
                name: route.name(),
                login: route.login(),
                run: rehearsed(&probe(&route, Grants::new(config.events.delete, false).of_paths())),
                directory: directory(root),
            });
        }
    }
    for round in questions.chunks(workers.max(1)) {
        match ask(round) {
            Ok(answers) => found.extend(round.iter().zip(&answers).map(|(it, to)| finding(it, to))),
            Err(error) => {
                found.push(Finding::error("remotes", format!("cannot be asked: {error}")))
            }
        }
    }
    if questions.iter().any(|question| question.login.is_some()) || is_daemon(config) {
        found.push(Finding::note(
            "remotes",
            "whether their users may write, and their disks have room, shows only in real runs",
        ));
    }
    found
}

fn is_daemon(config: &Config) -> bool {
    let mut remotes = config.roots.iter().flat_map(|root| &root.remotes);
    remotes.any(|to| matches!(to.address, Address::Daemon { .. }))
}

fn place(config: &Config, to: &RemoteSettings) -> String {
    to.position.in_file(&config.file)
}

/// Where the remotes of a root are asked from. If the root is not there, they are asked from `/`.
fn directory(root: &Root) -> PathBuf {
    if root.watch.is_dir() {
        root.watch.clone()
    } else {
        "/".into()
    }
}

/// Whether a directory of this machine can be written, or the one in which it would be made.
fn unwritable(place: &str, path: &Path) -> Option<Finding> {
    let there = path.ancestors().find(|directory| directory.exists())?;
    let error = may_write(there).err()?;
    let text = format!("{} cannot be written: {error}; give sersync the right to", there.display());
    Some(Finding::error(place, text))
}

fn finding(question: &Question, answer: &Answer) -> Finding {
    let Question { place, name, .. } = question;
    let Answer::Came(outcome) = answer else {
        let text = format!(
            "{name}: no answer within {} s; look at the network and at firewalls on the way",
            ANSWER_MAX.as_secs()
        );
        return Finding::error(&**place, text);
    };
    let failed = |failure| format!("{name}: {}", report::failure(failure));
    match outcome {
        // No exit means one of the last two.
        Outcome::Done | Outcome::Unwanted(_) | Outcome::Nothing | Outcome::RootChanged => {
            Finding::fine(&**place, format!("{name} answers and takes runs"))
        }
        Outcome::Partial(failure) => Finding::warning(&**place, failed(failure)),
        // All else arrives there, and deletions are owed.
        Outcome::Refused(failure) if failure.blame == Blame::Deleting => {
            Finding::warning(&**place, failed(failure))
        }
        // The run stood in a directory that is there, so it is one of the far side's. Over SSH its own
        // words may come too late to be heard.
        Outcome::NoDirectory(Failure { reason, .. }) => {
            let advice = MAKE_DIRECTORY.trim_end_matches('.');
            Finding::error(&**place, format!("{name}: {reason} ({advice})"))
        }
        Outcome::Unreachable(failure) | Outcome::Refused(failure) => {
            Finding::error(&**place, failed(failure))
        }
    }
}

/// Asks some remotes at the same time; the answers are in the order of the questions.
fn ask(questions: &[Question]) -> io::Result<Vec<Answer>> {
    let (stop, running) = io::pipe()?;
    let stop = Arc::new(stop);
    let (sender, ends) = channel()?;
    for (number, question) in questions.iter().enumerate() {
        let (stop, sender) = (stop.clone(), sender.clone());
        let (run, command) =
            (question.run.clone(), command(&question.run.args, &question.directory));
        thread::start("ask", move || {
            let ran = process::run(command, &run.input, &stop);
            // If nobody receives it, the time for answers is over.
            let _ = sender.send((number, exit(ran)));
        })?;
    }
    drop(sender);
    let mut answers: Vec<Answer> = questions.iter().map(|_| Answer::Late).collect();
    gather(&ends, ANSWER_MAX, |number, exit| {
        let login = questions[number].login.as_ref();
        answers[number] = Answer::Came(Outcome::of(&exit, login));
    });
    drop(running);
    gather(&ends, END_MAX, |_, _| ());
    Ok(answers)
}

/// Takes what comes, until no more can come or the time is over.
fn gather(ends: &Receiver<(usize, Exit)>, time: Duration, mut take: impl FnMut(usize, Exit)) {
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(ends.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) => return,
            Ok(_) => match ends.receive() {
                Some((number, exit)) => take(number, exit),
                None => return,
            },
            Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{Error, Fine, Warning};
    use super::*;
    use crate::rsync::asked::run::Purpose;

    #[test]
    fn each_answer_has_its_finding() {
        let question = Question {
            place: "c.xml:3:5".into(),
            name: "h::m".into(),
            login: None,
            run: Run { args: Vec::new(), input: Vec::new(), purpose: Purpose::Level },
            directory: "/".into(),
        };
        let ended =
            |code, stderr: &str| Answer::Came(Outcome::of(&Exit::with_code(code, stderr), None));
        for (answer, severity, text) in [
            (Answer::Late, Error, "h::m: no answer within 15 s; "),
            (ended(0, ""), Fine, "h::m answers and takes runs"),
            (ended(23, "rsync: x failed"), Warning, "h::m: rsync ended with 23: rsync: x failed"),
            (
                ended(1, "ERROR: module is read only\n"),
                Error,
                "h::m: rsync ended with 1: ERROR: module is read only (Set `read only = no` for ",
            ),
            (
                ended(3, "rsync: [Receiver] change_dir#3 \"/x/y\" failed: No such file\n"),
                Error,
                "h::m: rsync: [Receiver] change_dir#3 \"/x/y\" failed: No such file (Create the \
                 remote's directory on the far side, with the one above it)",
            ),
            (ended(3, ""), Error, "h::m: a directory cannot be entered (Create the remote's dir"),
        ] {
            let finding = finding(&question, &answer);
            assert_eq!((finding.severity, &*finding.place), (severity, "c.xml:3:5"));
            assert!(finding.text.starts_with(text), "{}", finding.text);
        }
    }
}
