//! Words for a POSIX shell, quoted so that no byte of them can end the quotes or run anything.
//!
//! Called for what people see or run by hand: the start banner, the debug lines, the fail log. The
//! program itself starts rsync without a shell.

use std::borrow::Cow;

/// One word as a shell reads it back: as it is if nothing in it is special, else in double quotes.
// COMPAT: double quotes, because sersync wrote its paths so and old tooling greps for them.
pub fn quoted(word: &[u8]) -> Cow<'_, [u8]> {
    if !word.is_empty() && word.iter().all(|&byte| is_plain(byte)) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(in_double_quotes(word))
}

/// One word in double quotes, whether it needs them or not.
pub fn in_double_quotes(word: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(word.len() + 2);
    quoted.push(b'"');
    for &byte in word {
        if matches!(byte, b'\\' | b'"' | b'$' | b'`') {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    quoted
}

/// Whether no shell reads anything into this byte, wherever in a word it stands.
pub(super) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"-_./:=@,+%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    const WORDS: &[(&[u8], &[u8])] = &[
        (b"--port=874", b"--port=874"),
        (b"user@host::module", b"user@host::module"),
        (b"", b"\"\""),
        (b"a b", b"\"a b\""),
        (b"--exclude=*.php", b"\"--exclude=*.php\""),
        (b"a\"b\\c$d`id`", b"\"a\\\"b\\\\c\\$d\\`id\\`\""),
        (b"new\nline", b"\"new\nline\""),
        (b"it's", b"\"it's\""),
        (b"#x;y&z|(~!)", b"\"#x;y&z|(~!)\""),
        (b"\xff\xe4", b"\xff\xe4"),
    ];

    #[test]
    fn words_are_quoted_where_they_need_it() {
        for (word, expected) in WORDS {
            assert_eq!(quoted(word).as_ref(), *expected, "{word:?}");
        }
    }

    #[test]
    fn a_shell_reads_back_every_byte() {
        let all: Vec<u8> = (1..=255).collect();
        for word in WORDS.iter().map(|(word, _)| *word).chain([all.as_slice()]) {
            let mut script = b"printf %s ".to_vec();
            script.extend_from_slice(&quoted(word));
            let output =
                Command::new("sh").arg("-c").arg(OsStr::from_bytes(&script)).output().unwrap();
            assert_eq!(output.stdout, word);
        }
    }
}
