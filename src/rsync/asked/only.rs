//! Rules that let rsync see some paths, what is in them and the way to them, and nothing else. Over there the way
//! is protected: what is missing on it here is not deleted along.
//!
//! There are two kinds. [`alone`] names what is seen and shuts everything else out, so no rule behind it counts. [`in_front`]
//! names what is *not* seen, so that the user's rules, whatever they are, can stand behind it and count as
//! ever: whatever they take in, nothing else is seen. A name that is none of some others is said by the first byte in
//! which it differs: beside `abc` these are `[^a]*`, `a`, `a[^b]*`, `ab`, `ab[^c]*` and `abc?*`.

use super::pattern::{self, ancestors};
use crate::sorted::{SortedMap, SortedSet};

/// rsync leaves out a rule of more than 4,095 bytes, and so would show what it hides. In a rule each byte of a path can
/// take two, and a set of bytes stands at its end.
const PATH_BYTES_MAX: usize = 1_700;

/// A path that may be seen, and whether what is in it may be seen as well.
pub type Top<'a> = (&'a [u8], bool);

/// How many bytes of rules stand in one command at most. Kernels before 2.6.23 take 128 KiB for all words and the
/// environment together, and the user's own words have to fit as well.
const WORDS_BYTES_MAX: usize = 32 * 1024;

/// Has rsync read rules from standard input.
pub const READ: &str = "--filter=. -";

/// Rules that stand in front of all others: as words, or one in each line of standard input.
#[derive(Debug, Default)]
pub struct Front {
    /// The first words of the command.
    pub words: Vec<Vec<u8>>,
    /// What it gets on standard input.
    pub lines: Vec<u8>,
}

impl Front {
    /// Of rules that all hide something, so that their order does not count.
    ///
    /// They end with the line, and not with a NUL: `-0` would have rsync read the user's own files in that way.
    /// Names with a line's end in them stand in words.
    pub fn of(rules: Vec<Vec<u8>>) -> Front {
        let (odd, plain): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| ends_line(rule));
        let mut words: Vec<_> = odd.iter().map(|rule| word(rule)).collect();
        words.extend((!plain.is_empty()).then(|| READ.into()));
        let lines = plain.into_iter().flat_map(|rule| [rule, b"\n".to_vec()].concat()).collect();
        Front { words, lines }
    }
}

/// The word that gives a run a rule.
pub fn word(rule: &[u8]) -> Vec<u8> {
    [b"--filter=", rule].concat()
}

fn ends_line(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
}

/// Rules that show these paths and nothing else.
pub fn alone(tops: &[Top]) -> Vec<Vec<u8>> {
    let ways: SortedSet<&[u8]> = tops.iter().flat_map(|(top, _)| ancestors(top)).collect();
    let shown = |way: &&[u8]| rule(b"S ", &pattern::literal(way, b"/"));
    let mut rules: Vec<_> = ways.iter().map(shown).collect();
    for (top, whole) in tops {
        rules.push(rule(b"+ ", &pattern::literal(top, b"")));
        rules.extend(whole.then(|| rule(b"+ ", &pattern::literal(top, b"/***"))));
    }
    rules.push(b"- *".to_vec());
    rules
}

/// Rules that hide everything but these paths, and say nothing of them, for as many runs as it takes; `first` are rules
/// that stand before them. None of the paths lies in another one that is seen with what is in it. One that is too
/// long is seen by none.
pub fn in_front(first: &[Vec<u8>], tops: &[Top]) -> Vec<Front> {
    let sayable = tops.iter().filter(|(top, _)| top.len() <= PATH_BYTES_MAX);
    let (odd, plain): (Vec<Top>, Vec<Top>) = sayable.partition(|(top, _)| ends_line(top));
    let mut groups = vec![plain];
    let mut bytes = usize::MAX;
    for top in odd {
        let more = hiding_others(&[top]).iter().map(Vec::len).sum();
        bytes = bytes.saturating_add(more);
        if bytes > WORDS_BYTES_MAX {
            groups.push(Vec::new());
            bytes = more;
        }
        groups.last_mut().expect("there is one").push(top);
    }
    let groups = groups.iter().filter(|group| !group.is_empty());
    groups.map(|group| Front::of([first, &hiding_others(group)].concat())).collect()
}

fn hiding_others(tops: &[Top]) -> Vec<Vec<u8>> {
    let mut names: SortedMap<&[u8], SortedSet<&[u8]>> = SortedMap::new();
    let mut rules = Vec::new();
    for (top, whole) in tops {
        let mut path = *top;
        for way in ancestors(top).chain([&b""[..]]) {
            names.entry(way).or_default().insert(&path[way.len() + usize::from(!way.is_empty())..]);
            path = way;
        }
        rules.extend((!whole).then(|| hides(&pattern::literal(top, b"/*"))));
    }
    for (directory, names) in names {
        if !directory.is_empty() {
            rules.push(protects(&pattern::literal(directory, b"")));
        }
        let mut others = Others { directory, rules: &mut rules };
        others.than(&names.into_iter().collect::<Vec<_>>(), 0);
    }
    rules
}

/// A rule that keeps it over there.
pub fn protects(pattern: &[u8]) -> Vec<u8> {
    rule(b"P ", pattern)
}

/// The rule of a pattern that rsync would read behind `--exclude`.
pub fn as_excluded(pattern: &[u8]) -> Vec<u8> {
    match pattern {
        [b'+', b' ', ..] => pattern.to_vec(),
        [b'-', b' ', pattern @ ..] | pattern => hides(pattern),
    }
}

fn rule(kind: &[u8], pattern: &[u8]) -> Vec<u8> {
    [kind, pattern].concat()
}

/// A rule that hides what a pattern matches, on both sides, and with `--delete-excluded` as well: it is neither sent nor
/// deleted.
pub fn hides(pattern: &[u8]) -> Vec<u8> {
    rule(b"-sr ", pattern)
}

/// The rules that hide everything in a directory but some names.
struct Others<'a> {
    directory: &'a [u8],
    rules: &'a mut Vec<Vec<u8>>,
}

impl Others<'_> {
    /// All that begin as these names, sorted, do in so many bytes, and go on in another way.
    fn than(&mut self, names: &[&[u8]], same: usize) {
        let between: &[u8] = if self.directory.is_empty() { b"" } else { b"/" };
        let start = [self.directory, between, &names[0][..same]].concat();
        let longer = &names[usize::from(names[0].len() == same)..];
        if same > 0 && longer.len() == names.len() {
            self.rules.push(hides(&pattern::literal(&start, b"")));
        }
        if longer.is_empty() {
            return self.rules.push(hides(&pattern::literal(&start, b"?*")));
        }
        let next: Vec<&[&[u8]]> = longer.chunk_by(|one, other| one[same] == other[same]).collect();
        let bytes: Vec<u8> = next.iter().map(|names| names[0][same]).collect();
        self.rules.push(hides(&pattern::literal(&start, &pattern::none_of(&bytes))));
        next.into_iter().for_each(|names| self.than(names, same + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_where_it_can() {
        let long = vec![b'x'; PATH_BYTES_MAX + 1];
        let odd: Vec<Vec<u8>> = (0..100).map(|n| format!("{n:0100}\n").into_bytes()).collect();
        let mut tops: Vec<Top> = odd.iter().map(|path| (&path[..], true)).collect();
        tops.extend([(&b"plain"[..], true), (&long, true)]);
        let fronts = in_front(&[b"P x".to_vec()], &tops);
        assert_eq!(fronts[0].words, [READ.as_bytes()]);
        assert!(fronts[0].lines.starts_with(b"P x\n-sr "));
        assert!(fronts[0].lines.ends_with(b"-sr /plain?*\n") && fronts[0].lines.len() < 150);
        assert!(fronts.len() > 10, "{}", fronts.len());
        for front in &fronts[1..] {
            let bytes: usize = front.words.iter().map(Vec::len).sum();
            assert!(bytes < 2 * WORDS_BYTES_MAX && !front.words.is_empty());
        }
    }

    fn shown(rules: Vec<Vec<u8>>) -> String {
        String::from_utf8(rules.join(&b" | "[..])).unwrap()
    }

    #[test]
    fn what_is_seen_is_named_or_all_else_is() {
        let tops: [Top; 2] = [(b"a/b*", true), (b"c", false)];
        assert_eq!(shown(alone(&tops)), "S /a/ | + /a/b\\* | + /a/b\\*/*** | + /c | - *");
        assert_eq!(
            shown(hiding_others(&tops)),
            "-sr /c/* | -sr /[^ac]* | -sr /a?* | -sr /c?* | P /a | -sr /a/[^b]* | -sr /a/b | \
             -sr /a/b[^\\*]* | -sr /a/b\\*?*"
        );
    }

    #[test]
    fn of_names_that_begin_alike_each_is_seen() {
        let tops: [Top; 3] = [(b"ab", true), (b"abcd", true), (b"abx", true)];
        assert_eq!(
            shown(hiding_others(&tops)),
            "-sr /[^a]* | -sr /a | -sr /a[^b]* | -sr /ab[^cx]* | -sr /abc | -sr /abc[^d]* | \
             -sr /abcd?* | -sr /abx?*"
        );
    }
}
