//! A filter's regular expression as a finite list of plain sequences, where it is one.
//!
//! Owns the reading of the expression: groups, alternatives and bounded repetitions are written
//! out, and what no finite list of sequences can say gives None. Called by `pattern`, which knows what
//! the sequences mean for paths. Only what is exact is translated: a `None` costs the caller some
//! work, a wrong sequence would cost the user files.

/// More sequences than this are not written out.
const SEQUENCES_MAX: usize = 64;
/// A sequence with more pieces than this is given up.
const PIECES_MAX: usize = 1024;
/// Groups nested deeper than this are given up, so that no expression can exhaust the stack.
const DEPTH_MAX: usize = 32;

/// One piece of a sequence. Only a `Byte` or an `Any` can match a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// This byte.
    Byte(u8),
    /// One character of these, all ASCII, no slash among them.
    OneOf(Vec<u8>),
    /// One character that is neither a slash nor one of these, all ASCII.
    NoneOf(Vec<u8>),
    /// Any number of characters but slashes.
    Name,
    /// Any number of any characters.
    Any,
    /// The beginning or the end, from `^` and `$`.
    Edge(Edge),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Start,
    End,
}

pub(super) type Sequence = Vec<Piece>;

/// The sequences that together match what the whole expression matches, without `Edge`s.
pub(super) fn sequences(expression: &str) -> Option<Vec<Sequence>> {
    let mut reader = Reader { rest: expression, depth: 0 };
    let found = reader.alternatives()?;
    if !reader.rest.is_empty() {
        return None;
    }
    found.into_iter().map(without_edges).collect()
}

/// A whole match makes `^` at the very start and `$` at the very end mean nothing.
fn without_edges(sequence: Sequence) -> Option<Sequence> {
    let starts = sequence.iter().take_while(|piece| **piece == Piece::Edge(Edge::Start)).count();
    let mut inner = sequence[starts..].to_vec();
    while inner.last() == Some(&Piece::Edge(Edge::End)) {
        inner.pop();
    }
    let elsewhere = inner.iter().any(|piece| matches!(piece, Piece::Edge(_)));
    (!elsewhere).then_some(inner)
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn alternatives(&mut self) -> Option<Vec<Sequence>> {
        let mut found = self.concatenation()?;
        while self.take("|") {
            found.extend(self.concatenation()?);
        }
        (found.len() <= SEQUENCES_MAX).then_some(found)
    }

    fn concatenation(&mut self) -> Option<Vec<Sequence>> {
        let mut found = vec![Sequence::new()];
        while !self.rest.is_empty() && !self.rest.starts_with(['|', ')']) {
            let mut next = self.atom()?;
            while let Some((least, most)) = self.repetition()? {
                next = repeated(&next, least, most)?;
            }
            found = joined(&found, &next)?;
        }
        Some(found)
    }

    fn atom(&mut self) -> Option<Vec<Sequence>> {
        match self.next()? {
            '(' => self.group(),
            '[' => self.class(),
            '\\' => self.escape(),
            '.' => Some(none_of(Vec::new(), true)),
            '^' => Some(vec![vec![Piece::Edge(Edge::Start)]]),
            '$' => Some(vec![vec![Piece::Edge(Edge::End)]]),
            '*' | '+' | '?' | '{' | '}' | ']' | ')' => None,
            literal => Some(vec![bytes(literal)]),
        }
    }

    fn group(&mut self) -> Option<Vec<Sequence>> {
        // What else begins with (? changes how the rest is read.
        if !self.take("?:") && self.rest.starts_with('?') {
            return None;
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let found = self.alternatives()?;
        self.depth -= 1;
        self.take(")").then_some(found)
    }

    fn escape(&mut self) -> Option<Vec<Sequence>> {
        match self.next()? {
            'd' => Some(one_of((b'0'..=b'9').collect())),
            'w' => Some(one_of(
                (0..128u8).filter(|&byte| byte.is_ascii_alphanumeric() || byte == b'_').collect(),
            )),
            't' => Some(vec![vec![Piece::Byte(b'\t')]]),
            'n' => Some(vec![vec![Piece::Byte(b'\n')]]),
            mark if mark.is_ascii_punctuation() => Some(vec![bytes(mark)]),
            _ => None,
        }
    }

    /// A bracket class of ASCII characters, with ranges and escaped marks.
    fn class(&mut self) -> Option<Vec<Sequence>> {
        let negated = self.take("^");
        let mut members = Vec::new();
        loop {
            let first = self.class_member()?;
            let last = if self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                self.take("-");
                self.class_member()?
            } else {
                first
            };
            if first > last {
                return None;
            }
            members.extend(first..=last);
            if self.take("]") {
                break;
            }
        }
        members.sort_unstable();
        members.dedup();
        if !negated {
            return Some(one_of(members));
        }
        let slash = !members.contains(&b'/');
        members.retain(|&byte| byte != b'/');
        Some(none_of(members, slash))
    }

    fn class_member(&mut self) -> Option<u8> {
        let member = match self.next()? {
            '\\' => self.next().filter(char::is_ascii_punctuation)?,
            // Nested classes and set operations, or an empty class.
            '[' | ']' | '&' | '~' => return None,
            plain => plain,
        };
        u8::try_from(member).ok().filter(u8::is_ascii)
    }

    /// The repetition that follows, as least and most (None: without end). A `?` behind it only
    /// says in which order matches are tried, which a whole match cannot tell.
    fn repetition(&mut self) -> Option<Option<(usize, Option<usize>)>> {
        let found = match self.rest.chars().next() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counted().map(Some),
            _ => return Some(None),
        };
        self.next();
        self.take("?");
        Some(Some(found))
    }

    /// `{2}`, `{2,}`, `{2,3}`.
    fn counted(&mut self) -> Option<(usize, Option<usize>)> {
        let (inside, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        self.rest = rest;
        self.take("?");
        let (least, most) = match inside.split_once(',') {
            None => (inside, Some(inside)),
            Some((least, "")) => (least, None),
            Some((least, most)) => (least, Some(most)),
        };
        let most = most.map(str::parse).transpose().ok()?;
        Some((least.parse().ok()?, most))
    }
}

fn bytes(literal: char) -> Sequence {
    literal.to_string().into_bytes().into_iter().map(Piece::Byte).collect()
}

fn one_of(mut members: Vec<u8>) -> Vec<Sequence> {
    let slash = members.contains(&b'/');
    members.retain(|&byte| byte != b'/');
    let mut found = Vec::new();
    if !members.is_empty() {
        found.push(vec![Piece::OneOf(members)]);
    }
    found.extend(slash.then(|| vec![Piece::Byte(b'/')]));
    found
}

fn none_of(members: Vec<u8>, slash: bool) -> Vec<Sequence> {
    let mut found = vec![vec![Piece::NoneOf(members)]];
    found.extend(slash.then(|| vec![Piece::Byte(b'/')]));
    found
}

/// Each of the first followed by each of the second.
fn joined(first: &[Sequence], second: &[Sequence]) -> Option<Vec<Sequence>> {
    if first.len() * second.len() > SEQUENCES_MAX {
        return None;
    }
    let pairs = first
        .iter()
        .flat_map(|head| second.iter().map(move |tail| [head.as_slice(), tail].concat()));
    let found: Vec<Sequence> = pairs.collect();
    found.iter().all(|sequence| sequence.len() <= PIECES_MAX).then_some(found)
}

fn repeated(once: &[Sequence], least: usize, most: Option<usize>) -> Option<Vec<Sequence>> {
    if least.max(most.unwrap_or(0)) > PIECES_MAX || most.is_some_and(|most| most < least) {
        return None;
    }
    let mut found = vec![Sequence::new()];
    for _ in 0..least {
        found = joined(&found, once)?;
    }
    let Some(most) = most else { return joined(&found, &endless(once)?) };
    let mut longest = found.clone();
    for _ in least..most {
        longest = joined(&longest, once)?;
        found.extend(longest.iter().cloned());
        if found.len() > SEQUENCES_MAX {
            return None;
        }
    }
    Some(found)
}

/// What can be repeated without end and still be said.
fn endless(once: &[Sequence]) -> Option<Vec<Sequence>> {
    let any_name = Piece::NoneOf(Vec::new());
    match once {
        // No path has two slashes in a row, so that any number of them is none or one.
        [only] if only[..] == [Piece::Byte(b'/')] => Some(vec![Sequence::new(), only.clone()]),
        [only] if only[..] == [any_name.clone()] => Some(vec![vec![Piece::Name]]),
        [only] if only[..] == [Piece::Any] || only[..] == [Piece::Name] => Some(once.to_vec()),
        [one, slash] if one[..] == [any_name] && slash[..] == [Piece::Byte(b'/')] => {
            Some(vec![vec![Piece::Any]])
        }
        _ => None,
    }
}
