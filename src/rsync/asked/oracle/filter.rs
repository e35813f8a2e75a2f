//! rsync's filter: rules in their order, of which the first that matches a name counts.

/// What the rules of an option look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefixes {
    /// Of `--filter`: each names its kind.
    Rules,
    /// Of `--exclude`: a pattern, unless it begins with a plus or a minus and a blank.
    Excludes,
    /// Of `--include`, in the same way.
    Includes,
}

/// On which side a name is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is hidden here is not sent.
    Sender,
    /// What is hidden here is not deleted.
    Receiver,
}

/// For which sides a rule was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sides {
    /// None is named: for both.
    Unnamed,
    One(Side),
    Both,
}

#[derive(Debug)]
struct Rule {
    pattern: Vec<u8>,
    include: bool,
    sides: Sides,
    only_directories: bool,
}

/// All rules of a run.
#[derive(Debug, Default)]
pub struct Filter {
    rules: Vec<Rule>,
    /// With `--delete-excluded` a rule that names no side hides and does not protect.
    pub plain_rules_hide_only: bool,
}

/// The kinds of rules, by letter and by name: whether they include, and on which side.
const KINDS: [(u8, &str, bool, Sides); 6] = [
    (b'-', "exclude", false, Sides::Unnamed),
    (b'+', "include", true, Sides::Unnamed),
    (b'H', "hide", false, Sides::One(Side::Sender)),
    (b'S', "show", true, Sides::One(Side::Sender)),
    (b'P', "protect", false, Sides::One(Side::Receiver)),
    (b'R', "risk", true, Sides::One(Side::Receiver)),
];

impl Filter {
    /// Adds the rule that an option gives, or forgets all there are for a `!`.
    pub fn add(&mut self, written: &[u8], prefixes: Prefixes) {
        let (kind, pattern) = match (prefixes, written) {
            (_, b"!") => return self.rules.clear(),
            (Prefixes::Rules, written) => split_rule(written),
            (_, [sign @ (b'-' | b'+'), b' ', pattern @ ..]) => {
                ((*sign == b'+', Sides::Unnamed), pattern)
            }
            (Prefixes::Excludes, pattern) => ((false, Sides::Unnamed), pattern),
            (Prefixes::Includes, pattern) => ((true, Sides::Unnamed), pattern),
        };
        let (include, sides) = kind;
        let only_directories = pattern.len() > 1 && pattern.ends_with(b"/");
        let pattern = pattern[..pattern.len() - usize::from(only_directories)].to_vec();
        self.rules.push(Rule { pattern, include, sides, only_directories });
    }

    /// Whether a name is hidden on a side.
    pub fn hides(&self, side: Side, path: &[u8], is_directory: bool) -> bool {
        let counts = |rule: &&Rule| match rule.sides {
            Sides::Unnamed => side == Side::Sender || !self.plain_rules_hide_only,
            Sides::One(only) => only == side,
            Sides::Both => true,
        };
        let mut rules = self.rules.iter().filter(counts);
        rules.find(|rule| rule.matches(path, is_directory)).is_some_and(|rule| !rule.include)
    }
}

/// A rule of `--filter`: its kind, perhaps with modifiers, a blank or an underscore, and the pattern.
fn split_rule(written: &[u8]) -> ((bool, Sides), &[u8]) {
    let end = written.iter().position(|byte| matches!(byte, b' ' | b'_')).expect("a blank");
    let (word, pattern) = (&written[..end], &written[end + 1..]);
    let long = KINDS.iter().find(|kind| word.starts_with(kind.1.as_bytes()));
    let (kind, modifiers) = match long {
        Some(kind) => (kind, &word[kind.1.len()..]),
        None => {
            let kind = KINDS.iter().find(|kind| kind.0 == word[0]);
            (kind.unwrap_or_else(|| panic!("the interpreter does not know {word:?}")), &word[1..])
        }
    };
    let mut sides = kind.3;
    for modifier in modifiers {
        match modifier {
            b',' => {}
            b's' => sides = with(sides, Side::Sender),
            b'r' => sides = with(sides, Side::Receiver),
            other => panic!("the interpreter does not know the modifier {other}"),
        }
    }
    ((kind.2, sides), pattern)
}

/// The same with one side more.
fn with(sides: Sides, side: Side) -> Sides {
    match sides {
        Sides::Unnamed => Sides::One(side),
        Sides::One(other) if other == side => sides,
        Sides::One(_) | Sides::Both => Sides::Both,
    }
}

impl Rule {
    fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        if self.only_directories && !is_directory {
            return false;
        }
        let anchored = self.pattern.starts_with(b"/");
        let pattern = self.pattern.strip_prefix(b"/").unwrap_or(&self.pattern);
        let is_wild = self.pattern.iter().any(|byte| matches!(byte, b'*' | b'[' | b'?'));
        let crosses = is_wild && self.pattern.windows(2).any(|two| two == b"**");
        let slashes = self.pattern.iter().filter(|&&byte| byte == b'/').count();
        let mut name = path.to_vec();
        if slashes == 0 && !crosses {
            name = name.rsplit(|&byte| byte == b'/').next().unwrap_or_default().to_vec();
        } else if crosses && self.pattern.starts_with(b"**") {
            name.insert(0, b'/');
        }
        if is_directory && crosses && self.pattern.ends_with(b"***") {
            name.push(b'/');
        }
        let fits = |name: &[u8]| if is_wild { wild(pattern, name) } else { pattern == name };
        if anchored || slashes == 0 && !crosses || self.pattern.starts_with(b"**") {
            return fits(&name);
        }
        if !crosses {
            return fits(last_names(&name, slashes + 1));
        }
        let starts =
            name.iter().enumerate().filter(|(_, &byte)| byte == b'/').map(|(at, _)| at + 1);
        std::iter::once(0).chain(starts).any(|start| fits(&name[start..]))
    }
}

/// The end of a path that has so many names.
fn last_names(path: &[u8], count: usize) -> &[u8] {
    let mut slashes = path.iter().enumerate().rev().filter(|(_, &byte)| byte == b'/');
    slashes.nth(count - 1).map_or(path, |(at, _)| &path[at + 1..])
}

/// Whether a pattern with wildcards matches a text: one star stops at a slash, two do not.
fn wild(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', rest @ ..] => {
            let rest = &rest[rest.iter().take_while(|&&byte| byte == b'*').count()..];
            (0..=text.len()).any(|skipped| wild(rest, &text[skipped..]))
        }
        [b'*', rest @ ..] => {
            let within = text.iter().take_while(|&&byte| byte != b'/').count();
            (0..=within).any(|skipped| wild(rest, &text[skipped..]))
        }
        [b'?', rest @ ..] => {
            matches!(text, [byte, left @ ..] if *byte != b'/' && wild(rest, left))
        }
        [b'[', rest @ ..] => match text {
            [byte, left @ ..] if *byte != b'/' => {
                let (found, rest) = class(rest, *byte);
                found && wild(rest, left)
            }
            _ => false,
        },
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
            matches!(text, [first, left @ ..] if first == byte && wild(rest, left))
        }
    }
}

/// Whether a class has a byte, and what follows it in the pattern.
fn class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let negated = matches!(pattern, [b'!' | b'^', ..]);
    let (mut at, mut found) = (usize::from(negated), false);
    let start = at;
    while at < pattern.len() && (pattern[at] != b']' || at == start) {
        at += usize::from(pattern[at] == b'\\');
        let low = pattern[at];
        let is_range = pattern.get(at + 1) == Some(&b'-') && pattern.get(at + 2) != Some(&b']');
        let high = if is_range { pattern[at + 2] } else { low };
        found |= (low..=high).contains(&byte);
        at += if is_range { 3 } else { 1 };
    }
    (found != negated, &pattern[(at + 1).min(pattern.len())..])
}
