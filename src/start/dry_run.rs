//! `--dry-run`: what `-r` would run, and what that would change.
//!
//! Owns the words around rsync's own lines. The full syncs of the remotes are rehearsed one after the other, so
//! that lines can be printed as they come and a list of any length takes no memory. Deletions stand last, right
//! above the numbers, where nobody overlooks them. It watches nothing, locks nothing and writes no file. `main`
//! calls it with what a start would use.

use super::prepare;
use crate::engine::sending::trust::Deletions;
use crate::rsync::asked::progress::telling;
use crate::rsync::asked::rehearsal::{counted, rehearsed};
use crate::rsync::asked::route::RemoteRoute;
use crate::rsync::asked::run::Run;
use crate::rsync::told::outcome::Outcome;
use crate::rsync::told::rehearsal::{Change, Counter};
use crate::run::setup::Setup;
use crate::run::worker::{command, exit, WorkerRemote};
use crate::sys::process;
use crate::tell::amounts::count;
use crate::tell::logging::{self, print};
use crate::tell::report;
use std::fmt;
use std::io::{self, IsTerminal, PipeReader};
use std::ops::AddAssign;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many bytes of lines about deletions are held back until the other lines have been printed. Further
/// deletions stand among the others.
const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A line that is longer is printed in pieces: a path has at most 4096 bytes, which rsync may write
/// as five characters each, and a symlink has two.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// How a terminal shows deletions.
const RED: (&[u8], &[u8]) = (b"\x1b[31m", b"\x1b[0m");

/// Shows it for each remote; whether all of them could be asked.
///
/// # Errors
/// No descriptor is left.
pub fn run(setup: &Setup) -> io::Result<bool> {
    if setup.remotes.is_empty() {
        print(b"nothing is synced: with -m NAME no rsync runs\n");
        return Ok(true);
    }
    let red = io::stdout().is_terminal() && logging::no_wish_against_colours();
    // The other end stays open: nothing but the user ends a rehearsal.
    let (stop, _open) = io::pipe()?;
    let (mut all, mut asked) = (Numbers::default(), 0);
    for (remote, trust) in setup.remotes.iter().zip(prepare::trusts(setup)) {
        print(&heading(&remote.route));
        if is_missing(setup, &remote.route.root) {
            print(MISSING.as_bytes());
            continue;
        }
        let run = remote.full_sync(false, setup.grants.of_sweeps());
        print(&[run.shown(&remote.route.root), b"\n".to_vec()].concat());
        let mut lines = Lines::new(red);
        let rehearsal = rehearsed(&run);
        let ran = process::run_heard(
            command(&rehearsal.args, &remote.route.root),
            &rehearsal.input,
            &stop,
            &mut |bytes| print(&lines.take(bytes)),
        );
        print(&lines.end());
        all += lines.numbers;
        let outcome = Outcome::of(&exit(ran), remote.route.login().as_ref());
        let name = remote.route.name();
        asked += usize::from(outcome.gets_through());
        if let Some(failure) = outcome.failure() {
            let failure = report::failure(failure);
            print(format!("{name}: not everything is known: {failure}\n").as_bytes());
        }
        print(format!("{name}: {}\n", lines.numbers).as_bytes());
        if lines.numbers.deleted > 0 && !trust.permits() {
            let limit = setup.config.safety.max_delete;
            let found = deletions(&run, remote, &stop);
            if let Some(found) = found.filter(|it| !{ trust }.rehearsed(*it, limit)) {
                print(asking(found).as_bytes());
            }
        }
        print(b"\n");
    }
    print(closing(all, asked, setup.remotes.len()).as_bytes());
    Ok(asked == setup.remotes.len())
}

const MISSING: &str = "the root is not there: -r would wait until it is, and delete nothing\n\n";

/// Whether `-r` would wait with this root.
fn is_missing(setup: &Setup, root: &Path) -> bool {
    let mut roots = setup.config.roots.iter().zip(&setup.halts);
    roots.any(|(of_config, halt)| of_config.watch == root && halt.is_some())
}

/// How much a full sync would delete, and of how much, as it finds out itself before it does.
fn deletions(run: &Run, remote: &WorkerRemote, stop: &PipeReader) -> Option<Deletions> {
    let counted = counted(run);
    let args = telling(&counted.args, counted.purpose, remote.route.local);
    let mut counter = Counter::default();
    let heard = &mut |bytes: &[u8]| counter.take(bytes);
    process::run_heard(command(&args, &remote.route.root), &counted.input, stop, heard).ok()?;
    let (count, of) = counter.deletions()?;
    Some(Deletions { count, of })
}

fn heading(route: &RemoteRoute) -> Vec<u8> {
    let name = route.name();
    [b"== ", route.root.as_os_str().as_bytes(), b" -> ", name.as_bytes(), b"\n"].concat()
}

fn asking(Deletions { count, of }: Deletions) -> String {
    format!("that is {count} of {of} entries over there: -r would delete none of them before somebody says yes\n")
}

fn closing(all: Numbers, asked: usize, remotes: usize) -> String {
    let whom = match remotes - asked {
        0 => format!("{} asked", count(remotes, "remote")),
        failed => format!("{asked} of {} asked, {failed} failed", count(remotes, "remote")),
    };
    format!("{whom}: {all}; nothing was changed\n")
}

/// What would be changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Numbers {
    sent: usize,
    deleted: usize,
    other: usize,
}

impl AddAssign for Numbers {
    fn add_assign(&mut self, more: Numbers) {
        self.sent += more.sent;
        self.deleted += more.deleted;
        self.other += more.other;
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to send, {} to delete", count(self.sent, "file"), self.deleted)?;
        write!(f, ", {} other (directories, links, attributes)", self.other)
    }
}

/// rsync's standard output on its way to ours, line by line.
struct Lines {
    numbers: Numbers,
    /// A line that is not whole yet.
    begun: Vec<u8>,
    /// Deletions.
    held: Vec<u8>,
    red: bool,
}

impl Lines {
    fn new(red: bool) -> Lines {
        Lines { numbers: Numbers::default(), begun: Vec::new(), held: Vec::new(), red }
    }

    /// What can be printed now.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") || self.begun.len() > LINE_BYTES_MAX {
                let line = std::mem::take(&mut self.begun);
                self.line(&line, &mut out);
            }
        }
        out
    }

    /// What is left when rsync has ended.
    fn end(&mut self) -> Vec<u8> {
        let mut out = if self.begun.is_empty() { Vec::new() } else { self.take(b"\n") };
        out.append(&mut self.held);
        out
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        match Change::of(line) {
            Some(Change::Sent) => self.numbers.sent += 1,
            Some(Change::Other) => self.numbers.other += 1,
            Some(Change::Deleted) => {
                self.numbers.deleted += 1;
                let (start, end) = if self.red { RED } else { (&b""[..], &b""[..]) };
                let line = [start, line.strip_suffix(b"\n").unwrap_or(line), end, b"\n"].concat();
                let room = HELD_BYTES_MAX.saturating_sub(self.held.len());
                (if line.len() <= room { &mut self.held } else { out }).extend(line);
                return;
            }
            // Other lines of rsync are passed on.
            None => {}
        }
        out.extend_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_stand_last_however_the_output_is_cut() {
        let told = b"*deleting   old\n<f+++++++++ new\ncd+++++++++ d/\n*deleting   d2/\n";
        for size in [1, 7, 1000] {
            let mut lines = Lines::new(false);
            let mut out: Vec<u8> = told.chunks(size).flat_map(|part| lines.take(part)).collect();
            out.extend(lines.end());
            let expected = "<f+++++++++ new\ncd+++++++++ d/\n*deleting   old\n*deleting   d2/\n";
            assert_eq!(String::from_utf8(out).unwrap(), expected, "in pieces of {size}");
            assert_eq!(lines.numbers, Numbers { sent: 1, deleted: 2, other: 1 });
        }
    }

    #[test]
    fn more_deletions_than_are_held_back_stand_among_the_others() {
        let mut lines = Lines::new(false);
        let line = b"*deleting   a/path/of/some/length\n";
        let many = HELD_BYTES_MAX / line.len() + 10;
        let out: Vec<u8> = (0..many).flat_map(|_| lines.take(line)).collect();
        assert_eq!(out.len(), 10 * line.len());
        assert_eq!(lines.end().len(), (many - 10) * line.len());
        assert_eq!(lines.numbers.deleted, many);
    }

    #[test]
    fn a_terminal_shows_deletions_in_red() {
        let mut lines = Lines::new(true);
        assert_eq!(lines.take(b"*deleting   old\n.d..t...... ./"), b"");
        assert_eq!(lines.end(), b".d..t...... ./\n\x1b[31m*deleting   old\x1b[0m\n");
    }

    #[test]
    fn the_closing_line_says_who_was_asked() {
        let all = Numbers { sent: 1, deleted: 0, other: 2 };
        let numbers = "1 file to send, 0 to delete, 2 other (directories, links, attributes)";
        let all_asked = format!("1 remote asked: {numbers}; nothing was changed\n");
        assert_eq!(closing(all, 1, 1), all_asked);
        let failed = format!("2 of 3 remotes asked, 1 failed: {numbers}; nothing was changed\n");
        assert_eq!(closing(all, 2, 3), failed);
    }
}
