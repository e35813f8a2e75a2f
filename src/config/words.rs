//! Splits `commonParams` into words, as a POSIX shell would.
//!
//! Quotes and backslashes work; nothing is ever expanded, and no shell is run: `$`, `*`, `;` and
//! the like are characters. `remote` calls it; what the words mean to rsync is for `params` to judge.

use std::fmt;

/// Why a text is not a list of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Error {
    /// A quote (`'` or `"`) that is never closed.
    OpenQuote(char),
    /// A backslash at the very end.
    LastBackslash,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::OpenQuote(quote) => write!(f, "a {quote} that is never closed"),
            Error::LastBackslash => f.write_str("a backslash with nothing behind it"),
        }
    }
}

/// The words of `text`. Blanks (space, tab, newline) separate them; `''` is an empty word.
pub(super) fn split(text: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => words.extend(word.take()),
            b'\'' => single_quoted(&mut rest, word.get_or_insert_default())?,
            b'"' => double_quoted(&mut rest, word.get_or_insert_default())?,
            b'\\' => match rest.next().ok_or(Error::LastBackslash)? {
                // A backslash joins the line with the next one; it does not start a word.
                b'\n' => {}
                escaped => word.get_or_insert_default().push(escaped),
            },
            plain => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single_quoted(rest: &mut impl Iterator<Item = u8>, word: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        match rest.next().ok_or(Error::OpenQuote('\''))? {
            b'\'' => return Ok(()),
            byte => word.push(byte),
        }
    }
}

fn double_quoted(rest: &mut impl Iterator<Item = u8>, word: &mut Vec<u8>) -> Result<(), Error> {
    let mut next = || rest.next().ok_or(Error::OpenQuote('"'));
    loop {
        match next()? {
            b'"' => return Ok(()),
            // Within double quotes a backslash is one, except before these five.
            b'\\' => match next()? {
                b'\n' => {}
                escaped @ (b'$' | b'`' | b'"' | b'\\') => word.push(escaped),
                other => word.extend([b'\\', other]),
            },
            byte => word.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_split_as_in_a_shell() {
        let cases: [(&str, &[&str]); 15] = [
            ("", &[]),
            ("  \t\n ", &[]),
            ("-artz", &["-artz"]),
            (" -artz  --bwlimit=5 ", &["-artz", "--bwlimit=5"]),
            (
                "-artuz -e 'ssh -o StrictHostKeyChecking=no'",
                &["-artuz", "-e", "ssh -o StrictHostKeyChecking=no"],
            ),
            (r#"-e "ssh -p 22""#, &["-e", "ssh -p 22"]),
            (r#"--exclude="a b"'c d'e"#, &["--exclude=a bc de"]),
            (r"a\ b", &["a b"]),
            (r#""a\"b\$c\\d\e""#, &[r#"a"b$c\d\e"#]),
            (r"'a\'", &[r"a\"]),
            ("''", &[""]),
            ("a '' b", &["a", "", "b"]),
            ("a\\\nb", &["ab"]),
            ("\"a\\\nb\"", &["ab"]),
            ("$HOME `id` * # ; >x", &["$HOME", "`id`", "*", "#", ";", ">x"]),
        ];
        for (text, expected) in cases {
            let words = split(text.as_bytes()).unwrap();
            let expected: Vec<&[u8]> = expected.iter().map(|word| word.as_bytes()).collect();
            assert_eq!(words, expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_left_open_is_an_error() {
        let cases = [
            ("'abc", Error::OpenQuote('\'')),
            ("\"abc", Error::OpenQuote('"')),
            ("\"abc\\", Error::OpenQuote('"')),
            ("a 'b' \"", Error::OpenQuote('"')),
            ("abc\\", Error::LastBackslash),
        ];
        for (text, expected) in cases {
            assert_eq!(split(text.as_bytes()), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_characters_stay() {
        assert_eq!(split(b"--exclude='\xca\xfd'").unwrap(), [b"--exclude=\xca\xfd"]);
    }
}
