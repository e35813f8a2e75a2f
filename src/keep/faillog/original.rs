//! The fail log's records as sersync 2.5.4 wrote them.
//!
//! Owns that one format, in which names stand in double quotes with nothing escaped:
//!
//! ```text
//! cd W && rsync -artuz -R  --port=873 "./dir/file" host::module --password-file=F
//! cd W && rsync -artuz -R --delete ./   --include="dir/" --include="dir/file" --exclude=*  host::module
//! cd W && rsync -artuz -R --delete ./  --port=873 host::module --exclude="*.php" >/dev/null 2>&1
//! ```
//!
//! Called by `script` for what is no record of its own. What is read is only a set of paths; no
//! part of it is ever run. A name may have a `"` in it: it ends at the last one of its record,
//! since nothing behind the names is in quotes. So such a file, which sersync never got through, is
//! sent. If a name is read wrongly, no such file is there, and nothing happens. For deletions the
//! names must be a path and each directory above it, in order, or the record is not read.
// COMPAT: the whole file, so that what sersync left behind on the day of the upgrade is worked off.

use std::os::unix::ffi::OsStrExt;

use super::record::{goes_to, start, Creditor, Record, HEADER};
use crate::rsync::asked::plan::Gone;
use crate::rsync::asked::repair::{is_path, makes_delete, Paths};
use crate::rsync::asked::route::RemoteRoute;

/// In a full sync, which has no names, these mean that there is something else on the line.
const MORE_THAN_A_COMMAND: &[u8] = b"\n;|&<>`$#";
/// A name may hold empty lines, which also end a record: so many are tried.
const ENDS_MAX: usize = 8;
/// The end of the commands whose output nobody wanted.
const SILENCED: &[u8] = b">/dev/null 2>&1";
/// Before the name of what is sent.
const SENT: &[u8] = b" \"./";
/// Before the first name of what is deleted, and between two.
const INCLUDE: &[u8] = b"--include=\"";
const NEXT_INCLUDE: &[u8] = b"\" --include=\"";

/// Reads the command at the start of `body`, which ends before the next record; gives it with the
/// number of bytes that it takes.
pub(super) fn read(body: &[u8], creditors: &[Creditor]) -> Option<(Record, usize)> {
    let ends = body.windows(2).enumerate().filter(|(_, two)| *two == b"\n\n").map(|(at, _)| at);
    ends.take(ENDS_MAX).find_map(|end| {
        // A whole record that was appended to half of one would look like part of a name.
        let command = Some(&body[..end]).filter(|command| find(command, HEADER).is_none())?;
        Some((read_command(command, creditors)?, end + 2))
    })
}

fn read_command(command: &[u8], creditors: &[Creditor]) -> Option<Record> {
    creditors.iter().enumerate().find_map(|(creditor, at)| {
        let options =
            command.strip_prefix(start(at.route.root.as_os_str().as_bytes()).as_slice())?;
        let paths = read_options(options.strip_suffix(SILENCED).unwrap_or(options), at.route)?;
        Some(Record { creditor, paths })
    })
}

/// What the command with these options does, if it goes there.
fn read_options(options: &[u8], route: &RemoteRoute) -> Option<Paths> {
    let ends_well = |behind: &[u8]| {
        let mut others = blank_separated(behind).filter(|word| !word.starts_with(b"-"));
        others.next().is_some_and(|word| goes_to(word, route)) && others.next().is_none()
    };
    if let Some(listed) = find(options, INCLUDE) {
        let (names, behind) = names(&options[listed + INCLUDE.len()..])?;
        let deletes = blank_separated(&options[..listed]).any(makes_delete);
        let path = deleted(names).filter(|_| deletes && ends_well(behind))?;
        return Some(Some(vec![path]));
    }
    if let Some(sent) = find(options, SENT) {
        let (name, behind) = names(&options[sent + SENT.len()..])?;
        let path = sent_path(name).filter(|_| ends_well(behind))?;
        return Some(Some(vec![(path, Gone::No)]));
    }
    let whole = blank_separated(options).any(|word| word == b"./");
    let there = blank_separated(options).any(|word| goes_to(word, route));
    let more = options.iter().any(|byte| MORE_THAN_A_COMMAND.contains(byte));
    (whole && there && !more).then_some(None)
}

/// What stands up to the last quote, and what is behind it.
fn names(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().rposition(|&byte| byte == b'"')?;
    Some((&text[..end], &text[end + 1..]))
}

fn sent_path(name: &[u8]) -> Option<Vec<u8>> {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    (name.is_empty() || is_path(name)).then(|| name.to_vec())
}

/// The path of a deletion, from `dir/" --include="dir/file`.
fn deleted(names: &[u8]) -> Option<(Vec<u8>, Gone)> {
    let mut patterns = Vec::new();
    let mut rest = names;
    while let Some(at) = find(rest, NEXT_INCLUDE) {
        patterns.push(&rest[..at]);
        rest = &rest[at + NEXT_INCLUDE.len()..];
    }
    let mut gone = Gone::Entry;
    let mut last = rest;
    if let Some(directory) = rest.strip_suffix(b"/***") {
        gone = Gone::Directory;
        last = patterns.pop()?;
        last = last.strip_suffix(b"/").unwrap_or(last);
        if last != directory {
            return None;
        }
    }
    let slashes = last.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at);
    let above: Vec<&[u8]> = slashes.map(|slash| &last[..=slash]).collect();
    (is_path(last) && above == patterns).then(|| (last.to_vec(), gone))
}

fn blank_separated(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b' ').filter(|word| !word.is_empty())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
