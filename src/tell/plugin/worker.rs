//! The threads that tell a plugin. Each is handed a path, tells of it, hands back how it went, and
//! keeps nothing.
//!
//! Several threads for `command`, one for the others. A connection that fails is tried again with
//! growing pauses; meanwhile the other paths wait in the queue. `Plugins` starts the threads.

use super::command::Command;
use super::connection::Failure;
use super::http::Http;
use super::notice::Notice;
use super::queue::Entry;
use super::refresh_cdn::RefreshCdn;
use super::socket::Socket;
use crate::sys::channel::{Receiver, Sender};
use crate::sys::process::is_stopped_within;
use std::io::PipeReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Attempts for each path, as in the original.
const TRIES_MAX: u32 = 5;
/// The pause after the first of them; each further one is twice as long, together 7.5 s: a service
/// that is restarted is back by then.
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// How a plugin is told.
#[derive(Debug)]
pub enum Target {
    /// By a shell command.
    Command(Command),
    /// By a TCP connection.
    Socket(Socket),
    /// By a form that is posted.
    Http(Http),
    /// By a request to a CDN.
    RefreshCdn(RefreshCdn),
}

/// A path that was told of, or the reason why not.
pub type End = (Entry, Result<(), String>);

/// What the threads share.
#[derive(Debug)]
pub struct Shared {
    /// How the plugin is told.
    pub target: Target,
    /// The next paths, and the watched directory of each.
    pub entries: Receiver<(PathBuf, Entry)>,
    /// What became of them.
    pub ends: Sender<End>,
    /// Closed when the program ends.
    pub stop: PipeReader,
}

/// One thread, until nobody hands it anything any more.
pub fn work(shared: &Shared) {
    while let Some((root, entry)) = shared.entries.receive() {
        let end = tell(shared, &root, &entry);
        // The loop listens for as long as there is a process.
        let _ = shared.ends.send((entry, end));
    }
}

fn tell(shared: &Shared, root: &Path, entry: &Entry) -> Result<(), String> {
    let look = || Notice::look(root, entry);
    match &shared.target {
        Target::Command(command) => {
            command.tell(&look(), &shared.stop).map_err(|failure| failure.to_string())
        }
        Target::Socket(socket) => tried(&shared.stop, PAUSE_FIRST, || socket.tell(&look())),
        Target::Http(http) => tried(&shared.stop, PAUSE_FIRST, || http.tell(&look())),
        Target::RefreshCdn(cdn) => tried(&shared.stop, PAUSE_FIRST, || cdn.tell(&look())),
    }
}

/// Tries until it works, or another try is of no use.
fn tried(
    stop: &PipeReader,
    mut pause: Duration,
    mut tell: impl FnMut() -> Result<(), Failure>,
) -> Result<(), String> {
    let mut tries = 1;
    loop {
        match tell() {
            Ok(()) => return Ok(()),
            Err(failure) if tries == TRIES_MAX || !failure.may_pass() => {
                return Err(failure.to_string());
            }
            Err(failure) if is_stopped_within(pause, Some(stop)) => return Err(failure.to_string()),
            Err(_) => {}
        }
        tries += 1;
        pause *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tell::plugin::answer::Error;
    use std::io;

    #[test]
    fn a_failure_that_may_pass_is_tried_five_times_and_no_other() {
        let (stop, running) = io::pipe().unwrap();
        for (error, expected) in [
            (Error::Short, TRIES_MAX),
            (Error::Status(503, String::new()), TRIES_MAX),
            (Error::Status(404, String::new()), 1),
        ] {
            let mut tries = 0;
            let ended = tried(&stop, Duration::from_millis(1), || {
                tries += 1;
                Err(Failure::Answer(error.clone()))
            });
            assert_eq!((tries, ended), (expected, Err(error.to_string())));
        }
        drop(running);
        let mut tries = 0;
        let ended = tried(&stop, Duration::from_millis(1), || {
            tries += 1;
            Err(Failure::Answer(Error::Short))
        });
        assert_eq!((tries, ended.is_err()), (1, true), "nothing is tried when the program ends");
    }
}
