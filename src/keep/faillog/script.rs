//! What is owed, as a shell script, and back.
//!
//! A record is a line `#errno N`, one command, and an empty line. Every command can be run by hand
//! with `sh` at any time, alone or with the others, whatever its paths have become by then: it sends
//! what is there, deletes what is not, and run twice does no more than run once. How a word is quoted is for
//! `rsync::quoting` to say.
//!
//! Two things keep a command that deletes from running over a root that is not there. `cd` fails when the
//! directory is gone. And the word `--delete` is only there if the directory has the inode number that the
//! root had. Otherwise nothing is deleted, with exit code 0; once the root is back, the same line does its
//! work. The directory below an unmounted disk mostly has another number. But a disk that is mounted in the
//! place of another one may not: the top directory of every ext4 has number 2, so this does not tell two
//! disks from each other. The number stays the same over a reboot, and the program writes the commands anew
//! when it starts. Of what may lie below a disk that is mounted in the root, or is away, no full sync by hand deletes
//! anything: the event loop gives no grant for it then.
//!
//! Pure. The event loop calls [`render`] with what the remotes are owed, and [`parse`] at start with
//! what [`store`](super::store) has found.

use crate::sorted::{SortedMap, SortedSet};
use std::os::unix::ffi::OsStrExt;

use super::original;
use super::record::{goes_to, start, Creditor, Record, HEADER};
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::plan::Gone;
use crate::rsync::asked::repair::{self, Kind, INCLUDE};
use crate::rsync::quoting;
use crate::rsync::told::exit::ExitStatus;

/// Paths in one command: what people can still read, and what is done again if one of them fails.
pub const COMMAND_PATHS_MAX: usize = 100;
/// Bytes of the list of one command, if it has more than one path. All arguments and the
/// environment together may have 128 KiB on Linux before 2.6.23.
pub const COMMAND_BYTES_MAX: usize = 32 * 1024;
/// Bytes of the list of a single path, which has all directories above it, or of a full sync's
/// patterns. What needs more cannot be said in one command.
const ALONE_BYTES_MAX: usize = 96 * 1024;
/// Paths of one remote. More become a full sync, which is one line.
pub const PATHS_MAX: usize = 10_000;
/// Bytes of one remote's records, about: 10,000 paths of usual length.
const REMOTE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of the records of all remotes, about. Half of what is read back, so that what could not be
/// read has room beside it.
const SCRIPT_BYTES_MAX: usize = super::store::FILE_BYTES_MAX / 2;
/// Records that are read. sersync wrote one for each path; what comes behind is kept unread.
const RECORDS_MAX: usize = 500_000;

/// Before each line of what could not be read, so that no shell runs it either.
const UNREAD: &[u8] = b"#unread ";
/// Before a full sync that cannot be said in one command, and before what a shell would delete too much with.
const NO_COMMAND: &[u8] = b"#only sersync itself can make up for this: ";
/// What stands for a word that deletes, before and behind the root's inode number, and at its end.
const GUARD: [&[u8]; 3] = [b"$(ls -di . | grep -q \"^ *", b" \" && echo ", b")"];

/// What one remote is owed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owed {
    /// The wait status of the run that failed last, see [`wait_status`].
    pub status: i32,
    /// The whole root. Whether that deletes anything is for the [`Grants`](crate::engine::sending::licence::Grants) to say, never for a file.
    pub full_sync: bool,
    /// Relative to the root, and what disappeared there. Empty for the root's own attributes.
    pub paths: SortedMap<RelPath, Gone>,
}

impl Owed {
    /// Nothing, so no line of the script.
    pub fn is_nothing(&self) -> bool {
        !self.full_sync && self.paths.is_empty()
    }

    /// Adds what stood in another place.
    pub fn join(&mut self, other: Owed) {
        self.status = self.status.max(other.status);
        self.full_sync |= other.full_sync;
        other.paths.into_iter().for_each(|(path, gone)| self.add(path, gone));
    }

    /// Adds paths. With more than [`PATHS_MAX`] a full sync stands for those where nothing
    /// disappeared, as it does in the script: half a million need not be kept a second time.
    pub fn add_all(&mut self, paths: Vec<(RelPath, Gone)>) {
        let many = paths.len() > PATHS_MAX;
        self.full_sync |= many;
        for (path, gone) in paths {
            if !many || gone != Gone::No {
                self.add(path, gone);
            }
        }
    }

    /// Adds a path; of two things that disappeared there, the larger counts.
    pub fn add(&mut self, path: RelPath, gone: Gone) {
        let known = self.paths.entry(path).or_insert(gone);
        *known = gone.max(*known);
    }
}

/// What [`render`] gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// The text; empty if nothing is owed.
    pub text: Vec<u8>,
    /// Deletions that found no room and that no full sync of their remote makes up for.
    pub forgotten: usize,
}

/// Commands in a script, whoever wrote it.
pub fn count_commands(script: &[u8]) -> usize {
    script.split(|&byte| byte == b'\n').filter(|line| line.starts_with(HEADER)).count()
}

/// What [`parse`] gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// For each creditor what it is owed.
    pub owed: Vec<Owed>,
    /// What is no record of any creditor, byte for byte: half a record after a crash, a remote that
    /// is not configured any more, other people's commands. To be handed to [`render`] and reported,
    /// never to be run.
    pub unread: Vec<Vec<u8>>,
}

/// The wait status of a run, as sersync wrote it: the exit code times 256, or the signal. A run that
/// did not start counts as a command that the shell did not find.
pub fn wait_status(status: ExitStatus) -> i32 {
    match status {
        ExitStatus::Code(code) => code << 8,
        ExitStatus::Signal(signal) => signal,
        ExitStatus::NotStarted(_) => 127 << 8,
    }
}

/// The script for what each creditor is owed: in the order of the creditors, the paths in the order of
/// their bytes, deletions before what takes their place. Behind that the unread, as comments.
pub fn render(all: &[(Creditor, &Owed)], unread: &[Vec<u8>]) -> Script {
    let mut script = Script::default();
    for (creditor, owed) in all.iter().filter(|(_, owed)| !owed.is_nothing()) {
        let room = SCRIPT_BYTES_MAX.saturating_sub(script.text.len()).min(REMOTE_BYTES_MAX);
        let (lines, forgotten) = commands(creditor, owed, room);
        script.forgotten += forgotten;
        for line in lines {
            script.text.extend_from_slice(HEADER);
            script.text.extend_from_slice(format!("{}\n", owed.status).as_bytes());
            script.text.extend_from_slice(&line);
            script.text.extend_from_slice(b"\n\n");
        }
    }
    for text in unread {
        for line in text.split(|&byte| byte == b'\n') {
            script.text.extend_from_slice(UNREAD);
            script.text.extend_from_slice(line);
            script.text.push(b'\n');
        }
        script.text.push(b'\n');
    }
    script
}

/// The commands of one creditor, and how many deletions they leave out.
fn commands(creditor: &Creditor, owed: &Owed, room: usize) -> (Vec<Vec<u8>>, usize) {
    let changed = || owed.paths.iter().map(|(path, gone)| (&**path, *gone));
    let gone = || changed().filter(|(_, gone)| *gone != Gone::No);
    if owed.paths.len() <= PATHS_MAX {
        let mut all = Lines::new(creditor, room);
        if creditor.grants.of_paths().covers_seen() {
            all.list(gone(), true);
        }
        all.list(changed(), false);
        if all.left_out == 0 {
            all.lines.extend(owed.full_sync.then(|| full_sync(creditor)));
            return (all.lines, 0);
        }
    }
    // A full sync that deletes stands for everything; one that does not, for all but the deletions.
    let mut few = Lines::new(creditor, room);
    let (paths, sweeps) = (creditor.grants.of_paths(), creditor.grants.of_sweeps());
    if paths.covers_seen() && !sweeps.covers_unseen() {
        few.list(gone().take(PATHS_MAX), true);
        few.left_out += gone().skip(PATHS_MAX).count();
    }
    few.lines.push(full_sync(creditor));
    (few.lines, few.left_out)
}

/// Fills commands with paths.
struct Lines<'a> {
    creditor: &'a Creditor<'a>,
    lines: Vec<Vec<u8>>,
    room: usize,
    /// Paths that found none.
    left_out: usize,
}

impl<'a> Lines<'a> {
    fn new(creditor: &'a Creditor<'a>, room: usize) -> Lines<'a> {
        Lines { creditor, lines: Vec::new(), room, left_out: 0 }
    }

    fn list<'p>(&mut self, paths: impl Iterator<Item = (&'p [u8], Gone)>, prune: bool) {
        let mut list = List::default();
        for (path, gone) in paths {
            if prune && self.is_comment() && path.contains(&b'\n') {
                self.left_out += 1;
                continue;
            }
            let kind = if prune { Kind::Prune } else { Kind::Send };
            let words = repair::includes(path, kind, gone);
            let bytes = list.bytes_with(&words);
            if list.paths == COMMAND_PATHS_MAX || (list.paths > 0 && bytes > COMMAND_BYTES_MAX) {
                self.close(&mut list, prune);
            }
            let bytes = list.bytes_with(&words);
            if bytes > ALONE_BYTES_MAX {
                self.left_out += 1;
                continue;
            }
            list.bytes = bytes;
            list.paths += 1;
            for word in words {
                if list.known.insert(word.clone()) {
                    list.words.push(word);
                }
            }
        }
        self.close(&mut list, prune);
    }

    /// Whether commands that delete are for this program alone.
    fn is_comment(&self) -> bool {
        repair::passes_by_rules(self.creditor.route)
    }

    fn close(&mut self, list: &mut List, prune: bool) {
        let list = std::mem::take(list);
        if list.paths == 0 {
            return;
        }
        if list.bytes > self.room {
            self.left_out += list.paths;
            return;
        }
        let kind = if prune { Kind::Prune } else { Kind::Send };
        let licence = self.creditor.grants.of_paths();
        let args = repair::listed(self.creditor.route, kind, licence, list.words);
        let mut line = line(self.creditor, &repair::bytes(args));
        if prune && self.is_comment() {
            line.splice(0..0, NO_COMMAND.iter().copied());
        }
        self.room = self.room.saturating_sub(line.len());
        self.lines.push(line);
    }
}

/// The list of a command that is being filled.
#[derive(Default)]
struct List {
    words: Vec<Vec<u8>>,
    known: SortedSet<Vec<u8>>,
    bytes: usize,
    paths: usize,
}

impl List {
    fn bytes_with(&self, words: &[Vec<u8>]) -> usize {
        let new = words.iter().filter(|word| !self.known.contains(*word));
        self.bytes + new.map(|word| written(word).len() + 1).sum::<usize>()
    }
}

fn full_sync(creditor: &Creditor) -> Vec<u8> {
    let licence = creditor.grants.of_sweeps();
    let whole = creditor.excludes.map(|excludes| {
        line(creditor, &repair::bytes(repair::full_sync(creditor.route, licence, excludes)))
    });
    whole.filter(|line| line.len() <= ALONE_BYTES_MAX).unwrap_or_else(|| {
        let args = repair::bytes(repair::full_sync(creditor.route, licence, &[]));
        // Nothing of it may be a line of its own, which a shell would run.
        let mut line = line(creditor, &args);
        line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        [NO_COMMAND, &line].concat()
    })
}

/// The command line, without its end.
fn line(creditor: &Creditor, args: &[Vec<u8>]) -> Vec<u8> {
    let mut line = start(&quoting::quoted(creditor.route.root.as_os_str().as_bytes()));
    for (number, arg) in args.iter().enumerate() {
        if number > 0 {
            line.push(b' ');
        }
        if repair::makes_delete(arg) {
            let inode = creditor.inode.to_string();
            line.extend([GUARD[0], inode.as_bytes(), GUARD[1], arg, GUARD[2]].concat());
        } else {
            line.extend(written(arg));
        }
    }
    line
}

/// One word as it stands in the script.
// COMPAT: only the pattern is in quotes, as sersync wrote it.
fn written(word: &[u8]) -> Vec<u8> {
    for option in [INCLUDE, b"--exclude="] {
        if let Some(pattern) = word.strip_prefix(option) {
            return [option, &quoting::in_double_quotes(pattern)].concat();
        }
    }
    quoting::quoted(word).into_owned()
}

/// Reads a script back: our own, and that of sersync 2.5.4. Never fails: what cannot be read is
/// given back as it is.
pub fn parse(text: &[u8], creditors: &[Creditor]) -> Found {
    let mut found = Found { owed: vec![Owed::default(); creditors.len()], unread: Vec::new() };
    let mut rest = text;
    let mut records = 0;
    while !rest.is_empty() {
        if rest[0] == b'\n' {
            rest = &rest[1..];
            continue;
        }
        if records == RECORDS_MAX {
            found.unread.push(rest.to_vec());
            break;
        }
        records += 1;
        if let Some((unread, behind)) = read_unread(rest) {
            // Its remote may have come back to the configuration since.
            match read_record(&unread, creditors) {
                Some((status, record, b"" | b"\n" | b"\n\n")) => {
                    found.take(status, record, creditors);
                }
                Some(_) | None => found.unread.push(unread),
            }
            rest = behind;
            continue;
        }
        if let Some((status, record, behind)) = read_record(rest, creditors) {
            found.take(status, record, creditors);
            rest = behind;
        } else {
            let (unread, behind) = rest.split_at(next_start(rest));
            found.unread.push(unread.to_vec());
            rest = behind;
        }
    }
    found
}

impl Found {
    fn take(&mut self, status: i32, record: Record, creditors: &[Creditor]) {
        let owed = &mut self.owed[record.creditor];
        owed.status = status;
        owed.full_sync |= record.paths.is_none();
        for (path, gone) in record.paths.unwrap_or_default() {
            let deletes = creditors[record.creditor].grants.of_paths().covers_seen();
            owed.add(path.into(), if deletes { gone } else { Gone::No });
        }
    }
}

/// The record at the start of the text, whoever wrote it, and what is behind it.
fn read_record<'t>(text: &'t [u8], creditors: &[Creditor]) -> Option<(i32, Record, &'t [u8])> {
    let (status, body) = header(text)?;
    let original = || {
        let (record, bytes) = original::read(&body[..next_start(body)], creditors)?;
        Some((record, &body[bytes..]))
    };
    let (record, behind) = read_own(body, creditors).or_else(original)?;
    Some((status, record, behind))
}

/// The status of `#errno N` and what stands behind that line.
fn header(text: &[u8]) -> Option<(i32, &[u8])> {
    let line = text.strip_prefix(HEADER)?;
    let end = line.iter().position(|&byte| byte == b'\n')?;
    let status = std::str::from_utf8(&line[..end]).ok()?.parse().ok()?;
    Some((status, &line[end + 1..]))
}

/// Where the next record may start, at a line's start behind the first.
fn next_start(text: &[u8]) -> usize {
    let starts = |at: &usize| {
        let behind = &text[at + 1..];
        text[*at] == b'\n' && (behind.starts_with(HEADER) || behind.starts_with(UNREAD))
    };
    (0..text.len()).find(starts).map_or(text.len(), |at| at + 1)
}

/// What stands behind [`UNREAD`] in the lines from here on.
fn read_unread(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut rest = text;
    while let Some(line) = rest.strip_prefix(UNREAD) {
        let end = line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len());
        lines.push(&line[..end]);
        rest = line.get(end + 1..).unwrap_or_default();
    }
    (!lines.is_empty()).then(|| (lines.join(&b'\n'), rest))
}

/// Reads a command of our own, to the end of its line. Every word must be written just as we write
/// it: a name in a record of sersync, whatever is in it, cannot pass for one.
fn read_own<'t>(body: &'t [u8], creditors: &[Creditor]) -> Option<(Record, &'t [u8])> {
    let body = body.strip_prefix(NO_COMMAND).unwrap_or(body);
    let same_root = |creditor: &Creditor| {
        let root = quoting::quoted(creditor.route.root.as_os_str().as_bytes());
        body.strip_prefix(start(&root).as_slice())
    };
    let (mut rest, mut args) = (creditors.iter().find_map(same_root)?, Vec::new());
    loop {
        let (word, behind) = read_word(rest)?;
        args.push(word);
        let (&separator, behind) = behind.split_first()?;
        rest = behind;
        match separator {
            b' ' => {}
            b'\n' => break,
            _ => return None,
        }
    }
    let read = repair::read(&args)?;
    let fits = |creditor: &Creditor| {
        same_root(creditor).is_some() && goes_to(&read.destination, creditor.route)
    };
    let mut fitting = (0..creditors.len()).filter(|&number| fits(&creditors[number]));
    let first = fitting.next()?;
    // Ports, users and parameters may have changed since, so they only choose among several.
    let difference = |number: usize| creditors[number].route.difference(&args);
    let nearer = |best, other| if difference(other) < difference(best) { other } else { best };
    let creditor = fitting.fold(first, nearer);
    Some((Record { creditor, paths: read.paths }, rest))
}

/// The word at the start of the text, and what is behind it.
fn read_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if let Some(guarded) = text.strip_prefix(GUARD[0]) {
        let digits = guarded.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let behind = guarded[digits..].strip_prefix(GUARD[1])?;
        let is_option = |byte: &&u8| byte.is_ascii_lowercase() || **byte == b'-';
        let (word, behind) = behind.split_at(behind.iter().take_while(is_option).count());
        let behind = behind.strip_prefix(GUARD[2])?;
        return repair::makes_delete(word).then(|| (word.to_vec(), behind));
    }
    let mut word = Vec::new();
    let (mut quoted, mut at) = (false, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b' ' | b'\n' if !quoted => break,
            b'"' => quoted = !quoted,
            b'\\' => {
                at += 1;
                word.push(*text.get(at)?);
            }
            _ => word.push(byte),
        }
        at += 1;
    }
    (written(&word) == text[..at]).then_some((word, &text[at..]))
}

#[cfg(test)]
mod real_runs;
#[cfg(test)]
mod tests;
