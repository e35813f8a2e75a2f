//! What the status server answers, and what has to be remembered for that.
//!
//! [`StatusPage`] is all that the loop knows of it: it hears of every report and every round, and when a
//! descriptor of the server is readable, it answers. `server` has the sockets, `http` the protocol;
//! `snapshot` is the value that `page.html`, `json`, `metrics` and `view` are drawn from; `board`,
//! `history` and `progress` remember what the engine does not. `ask` is the other end: how `--status`, in a
//! process of its own, asks for the page. Nothing here changes anything.

pub mod ask;
mod board;
pub mod history;
pub mod http;
pub mod json;
pub mod metrics;
pub mod progress;
mod server;
pub mod snapshot;
pub mod view;

pub use self::board::{LeadsTo, Named, Names};
pub use self::server::Server;

use self::board::Board;
use self::history::History;
use self::http::Request;
use self::progress::{Long, Progress};
use self::server::Answer;
use self::snapshot::{Facts, Snapshot};
use crate::config::StatusAddress;
use crate::engine::succession::Succession;
use crate::engine::time::Time;
use crate::engine::{Engine, RemoteId, Report, RootId};
use crate::rsync::told::progress::Sample;
use crate::tell::amounts::age;
use std::hash::{BuildHasher, RandomState};
use std::io;

/// The page; `NONCE` in it is a word that only the server knows.
const PAGE: &str = include_str!("page.html");
/// With it the browser runs nothing but what has the word, whatever might get into the page.
const NONCE: &str = "NONCE";

/// Columns of a name in the line that a terminal shows: what is said of it has to find room there.
const DRAWN_NAME_WIDTH: usize = 22;

const TEXT: &str = "text/plain";

/// What is shown, and who is shown it.
#[derive(Debug)]
pub struct StatusPage {
    board: Board,
    history: History,
    progress: Progress,
    /// None if the configuration wants no port.
    pub server: Option<Server>,
}

impl StatusPage {
    /// For these roots and remotes. The server listens as soon as it can.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new(names: Names, address: &StatusAddress) -> io::Result<StatusPage> {
        let remotes = names.remotes.len();
        let server = server(&names, address)?;
        let (board, progress) = (Board::new(names), Progress::default());
        Ok(StatusPage { board, history: History::new(remotes), progress, server })
    }

    /// It is asked for at another address from now on. Gives the server that was there.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn change_address(&mut self, address: &StatusAddress) -> io::Result<Option<Server>> {
        let server = server(&self.board.names, address)?;
        Ok(std::mem::replace(&mut self.server, server))
    }

    /// The remotes have become others, or the roots.
    pub fn change_remotes(&mut self, succession: &Succession, names: Names) {
        self.board.change_remotes(succession, names);
        self.history.change_remotes(succession);
        self.progress.change_remotes(succession);
    }

    /// Hears what the user is told in the log.
    pub fn report(&mut self, report: &Report) {
        self.board.report(report);
    }

    /// A root is none any more, and is not shown.
    pub fn leave_root(&mut self, root: RootId) {
        self.board.names.roots[root.0].clear();
    }

    /// The path of a root leads there now, or nowhere.
    pub fn leads_to(&mut self, root: RootId, found: Option<LeadsTo>) {
        self.board.leads_to(root, found);
    }

    /// The full sync of a remote says how far it has come.
    pub fn hear(&mut self, remote: RemoteId, sample: Sample, now: Time) {
        self.progress.hear(remote.0, sample, now);
    }

    /// The walk of a root has found so many files and directories.
    pub fn count(&mut self, root: RootId, entries: u64) {
        self.progress.count(root.0, entries);
    }

    /// A round of the loop is over; gives the lines that the log should have about long work.
    pub fn round(&mut self, engine: &Engine, now: Time) -> Vec<String> {
        let arrived = engine.paths_arrived().zip(engine.literal_bytes());
        self.history.note(engine.changes(), engine.oldest(), arrived, now);
        let said = self.progress.note(engine.is_walking(), engine.is_syncing_fully(), now);
        said.into_iter().map(|long| self.line(long, engine, now)).collect()
    }

    /// After [`StatusPage::round`]: the line that a terminal is to show of long work, if it is another one
    /// now; empty if there is none any more.
    pub fn draw(&mut self, engine: &Engine, now: Time) -> Option<String> {
        let (long, others) = match self.progress.draw(now)? {
            Some(drawn) => drawn,
            None => return Some(String::new()),
        };
        let names = &self.board.names;
        let mut line = match long {
            Long::Walk(root, _) => {
                let (known, rate) = self.walked(root, engine, now);
                let path = names.roots.get(root).map_or("", String::as_str);
                format!("{}: {known} directories, {rate}/s", view::end_of(path, DRAWN_NAME_WIDTH))
            }
            Long::FullSync(remote, took_ms) => {
                let name = names.remotes.get(remote).map_or("", |named| named.name.as_str());
                let course = self.course(remote, now);
                let course = course.unwrap_or_else(|| format!("for {}", age(took_ms)));
                format!("{}: full sync {course}", view::end_of(name, DRAWN_NAME_WIDTH))
            }
        };
        if others > 0 {
            line += &format!(" (+ {others})");
        }
        Some(line)
    }

    /// When [`StatusPage::round`], [`StatusPage::draw`] (if there is a terminal) or the server has something to
    /// do although nothing happens.
    pub fn due(&self, on_terminal: bool) -> Option<Time> {
        let server = self.server.as_ref().and_then(Server::due);
        self.progress.due(on_terminal).into_iter().chain(server).min()
    }

    /// Answers who asks. The facts are only looked up if somebody does.
    pub fn serve(&mut self, engine: &Engine, facts: impl Fn() -> Facts, now: Time) {
        let Some(mut server) = self.server.take() else { return };
        server.serve(now, &mut |request| self.answer(request, engine, facts(), now));
        self.server = Some(server);
    }

    fn answer(&mut self, request: &Request, engine: &Engine, facts: Facts, now: Time) -> Answer {
        let (board, progress) = (&self.board, &self.progress);
        let snapshot = Snapshot::of(engine, board, &mut self.history, progress, facts, now);
        let is_healthy = snapshot.is_healthy();
        let plain = |body| Answer { is_healthy, ..Answer::ok(TEXT, body) };
        match request.path.as_str() {
            "/" => Answer { is_healthy, ..page() },
            "/status.json" => Answer { kind: "application/json", ..plain(json::render(&snapshot)) },
            "/status.txt" => plain(view::render(&snapshot)),
            "/metrics" => {
                Answer { kind: "text/plain; version=0.0.4", ..plain(metrics::render(&snapshot)) }
            }
            "/healthz" if is_healthy => plain("healthy\n".into()),
            "/healthz" => {
                let reasons = snapshot.problems.join("\n") + "\n";
                Answer { status: http::StatusCode::Unavailable, ..plain(reasons) }
            }
            _ => Answer { is_healthy, ..Answer::error(http::StatusCode::NotFound) },
        }
    }

    /// What the log says about long work.
    fn line(&self, long: Long, engine: &Engine, now: Time) -> String {
        let names = &self.board.names;
        match long {
            Long::Walk(root, took_ms) => {
                let (known, rate) = self.walked(root, engine, now);
                let path = names.roots.get(root).map_or("", String::as_str);
                let took_s = took_ms / 1000;
                format!(
                    "{path}: read {known} directories in {took_s} s, {rate} a second; not done yet"
                )
            }
            Long::FullSync(remote, took_ms) => {
                let name = names.remotes.get(remote).map_or("", |named| named.name.as_str());
                let course = self.course(remote, now);
                let course = course.map_or(String::new(), |course| format!(": {course}"));
                format!("{name}: the full sync has been under way for {} s{course}", took_ms / 1000)
            }
        }
    }

    /// Directories that the walk of a root has read, and how many it reads in a second.
    fn walked(&self, root: usize, engine: &Engine, now: Time) -> (usize, u64) {
        let known = engine.snapshot().roots.get(root).map_or(0, |root| root.directories);
        (known, self.progress.directories_per_s(root, known, now))
    }

    fn course(&self, remote: usize, now: Time) -> Option<String> {
        let root = self.board.names.remotes.get(remote)?.root;
        Some(self.progress.course(remote, root, now)?.to_string())
    }
}

fn server(names: &Names, address: &StatusAddress) -> io::Result<Option<Server>> {
    match address.port {
        0 => Ok(None),
        _ => Server::new(address, names.instance).map(Some),
    }
}

fn page() -> Answer {
    // Keys that nobody can guess are all the randomness that is needed.
    let nonce = format!("{:016x}", RandomState::new().hash_one(0));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let body = PAGE.replace(NONCE, &nonce);
    Answer { policy: Some(policy), ..Answer::ok("text/html", body) }
}

/// Where the page is, for people; an IPv6 address in brackets.
pub fn url(address: &StatusAddress) -> String {
    let StatusAddress { host, port } = address;
    if host.contains(':') {
        format!("http://[{host}]:{port}/")
    } else {
        format!("http://{host}:{port}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_loads_nothing() {
        assert!(PAGE.len() < 16 * 1024, "{} bytes", PAGE.len());
        for word in ["://", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import"]
        {
            assert!(!PAGE.contains(word), "{word}");
        }
        let nonces = PAGE.matches("nonce=\"NONCE\"").count();
        let inline = PAGE.matches("<script").count() + PAGE.matches("<style").count();
        assert_eq!((nonces, PAGE.matches(NONCE).count()), (inline, inline));
        assert!(!PAGE.contains(" style="), "the policy forbids it");
    }

    #[test]
    fn each_page_has_its_own_word() {
        let [one, other] = [page(), page()];
        assert_ne!(one.policy, other.policy);
        assert_ne!(one.body, other.body);
    }
}
