//! rsync's patterns: a path written literally, and a filter's expression translated.
//!
//! All patterns are anchored: they begin with a slash and match from the root on. Called by `plan`
//! for literal paths, and at start for the filter's expressions.

use super::expression::{sequences, Piece, Sequence};

/// The path as a pattern that matches it and nothing else, with `suffix` (`/`, `/***`) behind it.
///
/// A backslash escapes only in a pattern that has `*`, `?` or `[` in it; in any other it stands for itself. So
/// the same name is written in one of two ways.
pub fn literal(path: &[u8], suffix: &[u8]) -> Vec<u8> {
    let wild = path.iter().chain(suffix).any(|&byte| is_wildcard(byte));
    let mut pattern = vec![b'/'];
    for &byte in path {
        push_literal(&mut pattern, byte, wild);
    }
    pattern.extend_from_slice(suffix);
    pattern
}

/// The directories above a path, nearest first, without the root.
pub fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .rev()
        .filter(|&(_, &byte)| byte == b'/')
        .map(|(slash, _)| &path[..slash])
}

/// A name that goes on with none of these bytes, which are sorted.
pub fn none_of(bytes: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::new();
    push_class(&mut pattern, b"[^", bytes);
    pattern.push(b'*');
    pattern
}

fn is_wildcard(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[')
}

fn push_literal(pattern: &mut Vec<u8>, byte: u8, wild: bool) {
    if wild && (byte == b'\\' || is_wildcard(byte)) {
        pattern.push(b'\\');
    }
    pattern.push(byte);
}

/// A filter's expression as exclude patterns of rsync that leave out exactly the same entries, or
/// None where that cannot be said: then the entries themselves must be listed.
///
/// The expression leaves out the entry at the relative path `a/b` if it matches the whole of `a/b`
/// or of `/a/b`, or of `a/b/` if that is a directory. A dot matches every character, a line's end
/// included. Characters are taken for one byte or for several where that makes no difference;
/// where it does, the answer is None.
pub fn translate(expression: &str) -> Option<Vec<Vec<u8>>> {
    let mut patterns = Vec::new();
    for sequence in sequences(expression)? {
        let sequence = collapsed(sequence);
        if !counts_no_characters(&sequence) {
            return None;
        }
        patterns.extend(written(&sequence, false));
        patterns.extend(without_first_slash(&sequence).and_then(|rest| written(&rest, false)));
        patterns.extend(without_last_slash(&sequence).and_then(|rest| written(&rest, true)));
    }
    patterns.sort_unstable();
    patterns.dedup();
    Some(patterns)
}

/// Neighbouring stars as one, since rsync reads `***` as something else.
fn collapsed(sequence: Sequence) -> Sequence {
    let mut collapsed = Sequence::new();
    for piece in sequence {
        match (collapsed.last(), &piece) {
            (Some(Piece::Any), Piece::Any | Piece::Name) | (Some(Piece::Name), Piece::Name) => {}
            (Some(Piece::Name), Piece::Any) => {
                collapsed.pop();
                collapsed.push(piece);
            }
            _ => collapsed.push(piece),
        }
    }
    collapsed
}

/// rsync counts bytes, while the expression counts characters. One character out of an open set means the
/// same for both only next to a star, which takes the other bytes of a longer character.
fn counts_no_characters(sequence: &[Piece]) -> bool {
    let is_open = |piece: &Piece| matches!(piece, Piece::NoneOf(_));
    let is_star = |piece: &Piece| matches!(piece, Piece::Name | Piece::Any);
    let runs = sequence.split(|piece| !is_open(piece) && !is_star(piece));
    runs.into_iter().all(|run| {
        let open = run.iter().filter(|piece| is_open(piece)).count();
        open == 0 || (open == 1 && run.len() > 1)
    })
}

/// What is left of the sequence behind a slash at its start: the paths `a/b` that it matches as `/a/b`. Of a
/// star before that slash, only the empty match counts here: the whole sequence covers the others.
fn without_first_slash(sequence: &[Piece]) -> Option<Sequence> {
    let rest = match sequence {
        [Piece::Any | Piece::Name, rest @ ..] => rest,
        all => all,
    };
    rest.split_first()
        .filter(|(first, _)| **first == Piece::Byte(b'/'))
        .map(|(_, rest)| rest.to_vec())
}

/// The same at the end: the directories `a/b` that it matches as `a/b/`.
fn without_last_slash(sequence: &[Piece]) -> Option<Sequence> {
    let rest = match sequence {
        [rest @ .., Piece::Any | Piece::Name] => rest,
        all => all,
    };
    rest.split_last().filter(|(last, _)| **last == Piece::Byte(b'/')).map(|(_, rest)| rest.to_vec())
}

/// The pattern for a relative path; None if no path is written like that.
fn written(body: &[Piece], directories_only: bool) -> Option<Vec<u8>> {
    const SLASH: Piece = Piece::Byte(b'/');
    let twice = body.windows(2).any(|pair| pair == [SLASH, SLASH]);
    if body.is_empty() || body.first() == Some(&SLASH) || body.last() == Some(&SLASH) || twice {
        return None;
    }
    let wild = body.iter().any(|piece| !matches!(piece, Piece::Byte(byte) if !is_wildcard(*byte)));
    let mut pattern = vec![b'/'];
    for piece in body {
        match piece {
            Piece::Byte(byte) => push_literal(&mut pattern, *byte, wild),
            Piece::OneOf(members) => push_class(&mut pattern, b"[", members),
            Piece::NoneOf(members) if members.is_empty() => pattern.push(b'?'),
            Piece::NoneOf(members) => push_class(&mut pattern, b"[^", members),
            Piece::Name => pattern.push(b'*'),
            Piece::Any => pattern.extend_from_slice(b"**"),
            Piece::Edge(_) => return None,
        }
    }
    pattern.extend(directories_only.then_some(b'/'));
    Some(pattern)
}

/// A class, its members in order and without repetition; three and more in a row as a range.
fn push_class(pattern: &mut Vec<u8>, opening: &[u8], members: &[u8]) {
    pattern.extend_from_slice(opening);
    for range in members.chunk_by(|one, next| one + 1 == *next) {
        match range {
            [first, _, .., last] => {
                push_member(pattern, *first);
                pattern.push(b'-');
                push_member(pattern, *last);
            }
            few => few.iter().for_each(|&byte| push_member(pattern, byte)),
        }
    }
    pattern.push(b']');
}

fn push_member(pattern: &mut Vec<u8>, byte: u8) {
    if byte.is_ascii_punctuation() {
        pattern.push(b'\\');
    }
    pattern.push(byte);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sorted::SortedSet;
    use regex_lite::Regex;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::process::Command;

    #[test]
    fn names_are_escaped_only_beside_a_wildcard() {
        for (path, suffix, expected) in [
            ("a/b", "", "/a/b"),
            ("a/b", "/***", "/a/b/***"),
            ("a\\b", "", "/a\\b"),
            ("a\\b", "/", "/a\\b/"),
            ("a\\b", "/***", "/a\\\\b/***"),
            ("a\\[b]*?", "", "/a\\\\\\[b]\\*\\?"),
        ] {
            assert_eq!(
                literal(path.as_bytes(), suffix.as_bytes()),
                expected.as_bytes(),
                "{path}{suffix}"
            );
        }
    }

    fn lines(patterns: Option<Vec<Vec<u8>>>) -> Option<String> {
        patterns.map(|patterns| String::from_utf8(patterns.join(&b' ')).unwrap())
    }

    #[test]
    fn expressions_become_these_patterns() {
        for (expression, expected) in [
            (r"(.*)\.svn", Some("/**.svn")),
            (r"^info/*", Some("/info /info/")),
            ("cache/.*", Some("/cache/ /cache/**")),
            (r"^\..*", Some("/.**")),
            (".*test.*", Some("/**test**")),
            (".*/tmp", Some("/**/tmp /tmp")),
            ("/a", Some("/a")),
            ("a/", Some("/a/")),
            ("[a-c,x/]y", Some(r"/[\,a-cx]y /y")),
            ("a//b", Some("")),
            ("a(b", None),
            ("*.log", None),
            ("a.b", None),
            ("[^x]", None),
            ("a*", None),
            ("(?i)a", None),
            ("(a|b){7}", None),
            ("a{9999}", None),
            (r"\bx", None),
            ("a^b", None),
        ] {
            assert_eq!(lines(translate(expression)).as_deref(), expected, "{expression}");
        }
        assert_eq!(translate(&format!("{}a{}", "(".repeat(9000), ")".repeat(9000))), None);
    }

    /// Every expression of sersync's guides and template, and the shapes that people make of them.
    const EXPRESSIONS: &[&str] = &[
        r"(.*)\.svn",
        r"(.*)\.gz",
        r"^info/*",
        r"^static/*",
        r"(.*)\.log",
        r"(.*)\.tmp",
        r"(.*)\.swp",
        r"(.*)\.php",
        r"(.*)\.sh",
        ".*test.*",
        r"^\..*",
        "cache/.*",
        "tmp/.*",
        "info/*",
        ".*",
        "",
        "/",
        "a",
        "/a",
        "a/",
        "/a/",
        "/a/b",
        "a/b/",
        "^a$",
        "(^a|b$)",
        "a/*b",
        "a/+b",
        "a//b",
        "/*a",
        "(.*)/a",
        ".*/b/",
        "[^/]*",
        "[^/]*/[^/]*",
        "a/[^/]+",
        "/[^/]*",
        "[^/]*/",
        "(a|b)/(a|b)",
        "a(/.*)?",
        "(a/)?b",
        "(.*).gz",
        ".+",
        ".+/b",
        "a.*b",
        r"[ab]+?c{0}",
        r"a\[1\]",
        r"(.*)\*(.*)",
        r".*\\.*",
        r"\?",
        "[a-c]",
        r"[\]\[*]x?",
        r"[^.][^/]*",
        r".*[^a-z]",
        "[a/]b",
        "[^b]*?",
        r"(.*/)?\.[^/]*",
        "(?:a|.*b)/.*c",
        "a{2}",
        "(a|b){1,2}",
        r"\w",
        r"\d.*",
        ".*.*/.*",
        "照片/.*",
        "é?x",
        "(.*)\n(.*)",
        "/.*/a",
        "./a",
        ".*[/]",
        "(.*)~",
        r".*\.(jpg|png|gz)",
    ];

    const FILES: &[&str] = &[
        "a/a",
        "a/b",
        "a/c/b",
        "a/ab",
        "a/x.gz",
        "b/a/b",
        "b/b/a",
        "b/.hid",
        "c",
        "x",
        "y",
        "ab",
        "aa",
        "abb",
        "info/x/y",
        "static/s",
        "cache/c1/c2",
        "tmp/t",
        "tmp/tmp",
        "x.svn",
        "d.svn/f",
        "x.log",
        "b.gz/inner",
        ".hidden",
        ".dir/f",
        "a[1]",
        "q*r",
        "q\\r",
        "?",
        "]x",
        "[",
        "*",
        "xé",
        "éx",
        "é",
        "照片/一",
        "照",
        "1x",
        "_",
        "n\nl",
        "n\n",
        "test",
        "my test/f",
        "atestb",
        "e~",
        "p.jpg",
        "p.png",
        "gz",
        ".gz",
        "xgz",
        "k/tmp/z",
        "empty.svn/",
        "k/a/",
        "Z",
        "z-9",
        "!",
        "^",
        "info2",
        "infox/f",
        "b/info/f",
        "k/b/",
        "acb",
        "a b/c",
    ];

    /// The kinds of name the other way round: what is a directory above is a file here.
    const OTHER_FILES: &[&str] =
        &["a", "b", "info", "static", "cache", "tmp", "d.svn", "b.gz", "k", ".dir", "照片", "aa/"];

    #[test]
    fn patterns_leave_out_what_the_expression_does() {
        let home = tempfile::tempdir().unwrap();
        for (number, files) in [FILES, OTHER_FILES].into_iter().enumerate() {
            let root = home.path().join(number.to_string());
            files.iter().for_each(|file| make(&root, file));
            let all = below(&root, &root);
            for (index, expression) in EXPRESSIONS.iter().enumerate() {
                let Some(patterns) = translate(expression) else { continue };
                let far = home.path().join(format!("{number}-{index}"));
                let arrived = copied(&root, &far, &patterns);
                let expected = all
                    .iter()
                    .filter(|(path, _)| !left_out(expression, path, &all))
                    .cloned()
                    .collect();
                assert_eq!(arrived, expected, "{expression:?} as {:?}", lines(Some(patterns)));
            }
        }
        let untranslated =
            EXPRESSIONS.iter().filter(|expression| translate(expression).is_none()).count();
        assert_eq!(untranslated, 3, "the table is there to be translated");
    }

    type Entries = SortedSet<(String, bool)>;

    fn make(root: &Path, file: &str) {
        let path = root.join(file);
        if file.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
    }

    fn below(root: &Path, directory: &Path) -> Entries {
        let mut entries = Entries::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
            entries.insert((relative, path.is_dir()));
            if path.is_dir() {
                entries.extend(below(root, &path));
            }
        }
        entries
    }

    fn copied(root: &Path, far: &Path, patterns: &[Vec<u8>]) -> Entries {
        let excludes = patterns.iter().map(|pattern| [b"--exclude=", pattern.as_slice()].concat());
        let mut rsync = Command::new("rsync");
        rsync.args(["-r", "-R", "--from0"]).current_dir(root);
        rsync.args(excludes.map(|word| std::ffi::OsStr::from_bytes(&word).to_owned()));
        assert!(rsync.arg("./").arg(far).status().unwrap().success());
        below(far, far)
    }

    /// The filter as it is defined: of the entry itself, or of a directory above it.
    fn left_out(expression: &str, path: &str, all: &Entries) -> bool {
        let whole = Regex::new(&format!("(?s)^(?:{expression})$")).unwrap();
        path.match_indices('/').map(|(slash, _)| &path[..slash]).chain([path]).any(|entry| {
            let directory = all.contains(&(entry.to_string(), true));
            whole.is_match(entry)
                || whole.is_match(&format!("/{entry}"))
                || (directory && whole.is_match(&format!("{entry}/")))
        })
    }
}
