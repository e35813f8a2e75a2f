//! The state as text, and back.
//!
//! One line for each record, in ASCII, so that people can read it:
//!
//! ```text
//! sersync state 1
//! written 1767225600123456789 86400000000000 5f3b2c1e-0000-4000-8000-123456789abc
//! remote /data backup@10.0.0.8::data
//! ground 1234567 5f3a90c2e1 ef53 / /data
//! equal
//! mounted var/disk
//! complete 1767225600000000000
//! full-sync
//! gone entry a/b%20c
//! gone directory d
//! changed e
//! more
//! end 89abcdef01234567
//! ```
//!
//! `equal` says that a full sync has made both sides equal on this directory, `yes` that somebody wants what only the
//! far side has to go, and `doubt disk 12 15` that 12 of 15 entries over there wait for that.
//!
//! Pure. The last line holds a hash of everything before it: a file that a power failure has cut
//! short, or filled with zeros, must not pass for one in which less is owed.

use super::clock::Moment;
use super::ground::KeptGround;
use super::word::{escaped, unescaped};
use super::{hash, Kept, Paths, State, MOUNTED_MAX};
use crate::engine::sending::trust::{Deletions, Doubt, Trust};
use crate::rsync::asked::plan::Gone;
use std::fmt;

/// The first words of the file; the version is behind them.
const TITLE: &str = "sersync state ";
/// Counted up when an older program would misread what a newer one writes.
const VERSION: &str = "1";

/// Why a text cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It is something else.
    Foreign,
    /// A newer program has written it; its version.
    Version(String),
    /// It is not what was written: cut short, or changed.
    Damaged,
    /// The hash is right and this line, counted from 1, cannot be read.
    Line(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Foreign => f.write_str("is no state file of sersync"),
            Error::Version(version) => {
                write!(f, "has the version {version}, expected {VERSION}")
            }
            Error::Damaged => f.write_str("is damaged: its check sum is wrong"),
            Error::Line(number) => write!(f, "line {number} cannot be read"),
        }
    }
}

impl std::error::Error for Error {}

/// The text of a state.
pub fn render(state: &State) -> Vec<u8> {
    let mut text = format!("{TITLE}{VERSION}\n");
    if let Some(Moment { real_ns, boot_ns, boot_id }) = &state.written {
        text.push_str(&format!("written {real_ns} {boot_ns} {}\n", escaped(boot_id.as_bytes())));
    }
    for kept in &state.remotes {
        let (root, destination) = (escaped(&kept.root), escaped(&kept.destination));
        text.push_str(&format!("remote {root} {destination}\n"));
        text.push_str(&kept.ground.as_ref().map_or(String::new(), KeptGround::line));
        text.push_str(&trust(kept.trust));
        for at in &kept.mounted {
            text.push_str(&format!("mounted {}\n", escaped(at)));
        }
        if let Some(complete_ns) = kept.complete_ns {
            text.push_str(&format!("complete {complete_ns}\n"));
        }
        if kept.full_sync {
            text.push_str("full-sync\n");
        }
        for (path, gone) in kept.paths.iter() {
            let word = match gone {
                Gone::No => "changed",
                Gone::Entry => "gone entry",
                Gone::Directory => "gone directory",
            };
            text.push_str(&format!("{word} {}\n", escaped(path)));
        }
        if kept.paths.is_incomplete() {
            text.push_str("more\n");
        }
    }
    let end = format!("end {:016x}\n", hash(text.as_bytes()));
    text.push_str(&end);
    text.into_bytes()
}

const DOUBTS: [(&str, Doubt); 4] = [
    ("first", Doubt::First),
    ("directory", Doubt::Directory),
    ("empty", Doubt::Empty),
    ("disk", Doubt::Disk),
];

/// The line of a trust; nothing for what is so where nothing is known.
fn trust(trust: Trust) -> String {
    let word = |doubt| DOUBTS.iter().find(|(_, it)| *it == doubt).map_or("", |(word, _)| word);
    match trust {
        Trust::Certain => "equal\n".into(),
        Trust::Confirmed => "yes\n".into(),
        Trust::Unsure(Doubt::First) => String::new(),
        Trust::Unsure(doubt) => format!("doubt {}\n", word(doubt)),
        Trust::Waiting(doubt, Deletions { count, of }) => {
            format!("doubt {} {count} {of}\n", word(doubt))
        }
    }
}

fn read_doubt(rest: &str) -> Option<Trust> {
    let (word, numbers) = rest.split_once(' ').unwrap_or((rest, ""));
    let (_, doubt) = DOUBTS.iter().find(|(known, _)| *known == word)?;
    if numbers.is_empty() {
        return Some(Trust::Unsure(*doubt));
    }
    let (count, of) = numbers.split_once(' ')?;
    let deletions = Deletions { count: count.parse().ok()?, of: of.parse().ok()? };
    Some(Trust::Waiting(*doubt, deletions))
}

/// The state of a text.
///
/// # Errors
/// See [`Error`].
pub fn parse(bytes: &[u8]) -> Result<State, Error> {
    if !bytes.starts_with(TITLE.as_bytes()) {
        return Err(Error::Foreign);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Damaged)?;
    let version = text[TITLE.len()..].lines().next().unwrap_or_default();
    if version != VERSION {
        let shown = version.chars().filter(|c| !c.is_control()).take(20).collect();
        return Err(Error::Version(shown));
    }
    let (records, end) = split_end(text).ok_or(Error::Damaged)?;
    if u64::from_str_radix(end, 16) != Ok(hash(records.as_bytes())) {
        return Err(Error::Damaged);
    }
    let mut state = State::default();
    for (number, line) in (1..).zip(records.lines()).skip(1) {
        read_line(&mut state, line).ok_or(Error::Line(number))?;
    }
    Ok(state)
}

/// All lines but the last, and the hash that stands in the last.
fn split_end(text: &str) -> Option<(&str, &str)> {
    let before = text.strip_suffix('\n')?;
    let start = before.rfind('\n')? + 1;
    Some((&text[..start], before[start..].strip_prefix("end ")?))
}

fn read_line(state: &mut State, line: &str) -> Option<()> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    if word == "remote" {
        let (root, destination) = rest.split_once(' ')?;
        let (root, destination) = (unescaped(root)?, unescaped(destination)?);
        state.remotes.push(Kept { root, destination, ..Kept::default() });
        return Some(());
    }
    if word == "written" {
        let mut words = rest.splitn(3, ' ');
        let (real_ns, boot_ns) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let boot_id = String::from_utf8(unescaped(words.next()?)?).ok()?;
        state.written = Some(Moment { real_ns, boot_ns, boot_id });
        return Some(());
    }
    let kept = state.remotes.last_mut()?;
    match (word, rest) {
        ("ground", rest) => kept.ground = Some(KeptGround::read(rest)?),
        ("inode", number) => kept.ground = Some(KeptGround::Inode(number.parse().ok()?)),
        ("mounted", at) if kept.mounted.len() < MOUNTED_MAX => {
            kept.mounted.push(unescaped(at)?.into());
        }
        ("equal", "") => kept.trust = Trust::Certain,
        ("yes", "") => kept.trust = Trust::Confirmed,
        ("doubt", rest) => kept.trust = read_doubt(rest)?,
        ("complete", time) => kept.complete_ns = Some(time.parse().ok()?),
        ("full-sync", "") => kept.full_sync = true,
        ("changed", path) => kept.paths.insert(unescaped(path)?.into(), Gone::No),
        ("gone", rest) => read_gone(&mut kept.paths, rest)?,
        ("more", "") => kept.paths.mark_incomplete(),
        _ => return None,
    }
    Some(())
}

fn read_gone(paths: &mut Paths, rest: &str) -> Option<()> {
    let (kind, path) = rest.split_once(' ')?;
    let gone = match kind {
        "entry" => Gone::Entry,
        "directory" => Gone::Directory,
        _ => return None,
    };
    paths.insert(unescaped(path)?.into(), gone);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::file_system::FileSystem;

    /// Enough randomness for tests, the same on every machine (xorshift).
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }

        fn bytes(&mut self) -> Vec<u8> {
            const ODD: &[u8] = b"%%  \n\r\0/ab\\\"'\x7f\x80\xff\xc3\xa9";
            let count = self.below(12);
            (0..count)
                .map(|_| match self.below(3) {
                    0 => self.below(256) as u8,
                    _ => ODD[self.below(ODD.len())],
                })
                .collect()
        }

        fn state(&mut self) -> State {
            let remotes = (0..self.below(4)).map(|_| self.kept()).collect();
            let (real_ns, boot_ns) = (self.below(usize::MAX) as u64, self.below(99) as u64);
            let written = Moment { real_ns, boot_ns, boot_id: self.below(99).to_string() };
            State { written: (self.below(3) > 0).then_some(written), remotes }
        }

        fn ground(&mut self) -> Option<KeptGround> {
            let (inode, id) = (self.below(usize::MAX) as u64, self.below(usize::MAX) as u64);
            let whole = KeptGround::Whole {
                resolved: self.bytes(),
                mounted_at: self.bytes(),
                inode,
                file_system: FileSystem::numbered(id, u64::MAX >> self.below(64)),
            };
            [None, Some(KeptGround::Inode(inode)), Some(whole)][self.below(3)].clone()
        }

        fn trust(&mut self) -> Trust {
            let (_, doubt) = DOUBTS[self.below(4)];
            let (count, of) = (u64::MAX >> self.below(64), u64::MAX >> self.below(64));
            let waiting = Trust::Waiting(doubt, Deletions { count, of });
            [Trust::Certain, Trust::Confirmed, Trust::Unsure(doubt), waiting][self.below(4)]
        }

        fn kept(&mut self) -> Kept {
            let kinds = [Gone::No, Gone::Entry, Gone::Directory];
            let count = self.below(6);
            let mut paths: Paths =
                (0..count).map(|_| (self.bytes().into(), kinds[self.below(3)])).collect();
            if self.below(2) == 0 {
                paths.mark_incomplete();
            }
            Kept {
                root: self.bytes(),
                destination: self.bytes(),
                trust: self.trust(),
                ground: self.ground(),
                mounted: (0..self.below(4)).map(|_| self.bytes().into()).collect(),
                complete_ns: (self.below(3) > 0).then(|| u64::MAX >> self.below(64)),
                full_sync: self.below(2) == 0,
                paths,
            }
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let mut random = Random(0x5e25_79c1);
        for round in 0..3000 {
            let state = random.state();
            let text = render(&state);
            assert!(text.iter().all(|&byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
            assert_eq!(parse(&text), Ok(state), "{round}: {}", String::from_utf8_lossy(&text));
        }
    }

    fn example() -> State {
        let mut paths = Paths::from_iter([
            (b"d".as_slice().into(), Gone::Directory),
            (b"e".as_slice().into(), Gone::No),
            (b"a/b c\xff%".as_slice().into(), Gone::Entry),
        ]);
        paths.mark_incomplete();
        let kept = Kept {
            root: b"/data".into(),
            destination: b"backup@10.0.0.8::data".into(),
            trust: Trust::Waiting(Doubt::Disk, Deletions { count: 4, of: 5 }),
            mounted: vec![b"var/a disk".as_slice().into()],
            ground: Some(KeptGround::Whole {
                resolved: b"/mnt/data".into(),
                mounted_at: b"/mnt".into(),
                inode: 12,
                file_system: FileSystem::numbered(0x5f3a, 0xef53),
            }),
            complete_ns: Some(1_767_225_600_000_000_000),
            full_sync: true,
            paths,
        };
        let written = Moment { real_ns: 1_767_225_601, boot_ns: 86_400, boot_id: "5f3b-1".into() };
        let second = Kept { root: b"/x y".into(), ..Kept::default() };
        State { written: Some(written), remotes: vec![kept, second] }
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read() {
        let text = "sersync state 1\nremote /data b::m\ninode 12\ncomplete 5\n";
        let text = format!("{text}end {:016x}\n", hash(text.as_bytes()));
        let State { remotes, .. } = parse(text.as_bytes()).unwrap();
        let expected = Kept {
            root: b"/data".into(),
            destination: b"b::m".into(),
            ground: Some(KeptGround::Inode(12)),
            complete_ns: Some(5),
            ..Kept::default()
        };
        assert_eq!(remotes, [expected]);
    }

    #[test]
    fn the_text_is_what_it_always_was() {
        let text = String::from_utf8(render(&example())).unwrap();
        let (records, end) = split_end(&text).unwrap();
        assert_eq!(
            records,
            "sersync state 1\nwritten 1767225601 86400 5f3b-1\n\
             remote /data backup@10.0.0.8::data\nground 12 5f3a ef53 /mnt /mnt/data\ndoubt disk 4 5\nmounted var/a%20disk\ncomplete 1767225600000000000\n\
             full-sync\ngone entry a/b%20c%FF%25\ngone directory d\nchanged e\nmore\n\
             remote /x%20y \n"
        );
        assert_eq!(end.len(), 16);
    }

    #[test]
    fn no_damage_passes_for_a_state() {
        let whole = render(&example());
        for cut in 0..whole.len() {
            assert!(parse(&whole[..cut]).is_err(), "{cut} bytes");
            let zeros = [&whole[..cut], &vec![0; whole.len() - cut][..]].concat();
            assert!(parse(&zeros).is_err(), "zeros from {cut} on");
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[cut] ^= 1 << bit;
                // A digit of the check sum may become its own capital letter.
                let parsed = parse(&flipped);
                assert!(parsed.is_err() || parsed == Ok(example()), "bit {bit} of byte {cut}");
            }
        }
        let doubled = [&whole[..], &whole[..]].concat();
        assert_eq!(parse(&doubled), Err(Error::Damaged));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let sealed = |text: &str| format!("{text}end {:016x}\n", hash(text.as_bytes()));
        let line = |line: &str| sealed(&format!("sersync state 1\nremote /a b\n{line}\n"));
        for (text, expected) in [
            (String::new(), Error::Foreign),
            ("#!/bin/sh\n".into(), Error::Foreign),
            ("sersync state ".into(), Error::Version(String::new())),
            ("sersync state 12\nfuture\n".into(), Error::Version("12".into())),
            ("sersync state 1\n".into(), Error::Damaged),
            (sealed("sersync state 1\ncomplete 1\n"), Error::Line(2)),
            (line("complete 18446744073709551616"), Error::Line(3)),
            (line("complete -1"), Error::Line(3)),
            (line("complete"), Error::Line(3)),
            (line("full-sync now"), Error::Line(3)),
            (line("equal or not"), Error::Line(3)),
            (line("doubt"), Error::Line(3)),
            (line("doubt disk 1"), Error::Line(3)),
            (line("doubt it"), Error::Line(3)),
            (line("gone entry"), Error::Line(3)),
            (line("gone all x"), Error::Line(3)),
            (line("more or less"), Error::Line(3)),
            (line("inode x"), Error::Line(3)),
            (line("ground 12 5f3a ef53 /mnt"), Error::Line(3)),
            (line("ground 12 5f3a ef53 /mnt /mnt/data x"), Error::Line(3)),
            (line("written 1 2"), Error::Line(3)),
            (line("gone entry %4"), Error::Line(3)),
            (line("gone entry %+1"), Error::Line(3)),
            (line("remote x"), Error::Line(3)),
            (line("bogus"), Error::Line(3)),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(expected), "{text:?}");
        }
        assert!(parse(line("full-sync").as_bytes()).is_ok());
    }
}
