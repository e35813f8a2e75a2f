//! rsync's options in a command line, read as rsync reads them.
//!
//! Owns how options are spelt, and the one parser: which options are among the words, with which values,
//! and what is left of the words without some of them. Whether an option is good or bad is for its
//! callers to say, `params` and `rsync::asked`. The words have been split before.

/// The letters that this program has to know, each with the long option that it stands for. `-P` stands for two,
/// and `-s` was called otherwise before 3.2.6; `-F` has no long name.
const LETTERS: &[(u8, &str)] = &[
    (b'0', "from0"),
    (b'@', "modify-window"),
    (b'B', "block-size"),
    (b'C', "cvs-exclude"),
    (b'H', "hard-links"),
    (b'K', "keep-dirlinks"),
    (b'L', "copy-links"),
    (b'M', "remote-option"),
    (b'P', "partial"),
    (b'P', "progress"),
    (b'R', "relative"),
    (b'T', "temp-dir"),
    (b'V', "version"),
    (b'a', "archive"),
    (b'b', "backup"),
    (b'c', "checksum"),
    (b'e', "rsh"),
    (b'f', "filter"),
    (b'h', "human-readable"),
    (b'i', "itemize-changes"),
    (b'k', "copy-dirlinks"),
    (b'm', "prune-empty-dirs"),
    (b'n', "dry-run"),
    (b'q', "quiet"),
    (b'r', "recursive"),
    (b's', "protect-args"),
    (b's', "secluded-args"),
    (b'u', "update"),
    (b'v', "verbose"),
    (b'x', "one-file-system"),
];

/// The options that take a value. A long one has it behind a `=`, or else as the next word; a letter has
/// the rest of its cluster, or else the next word. From rsync's manual, with the names of older versions.
/// The value of one that is missing here would be read as options: `--exclude '- x'`.
const WITH_VALUE: &[&str] = &[
    "address",
    "backup-dir",
    "block-size",
    "bwlimit",
    "cc",
    "checksum-choice",
    "checksum-seed",
    "chmod",
    "chown",
    "compare-dest",
    "compress-choice",
    "compress-level",
    "compress-threads",
    "config",
    "confine-root",
    "contimeout",
    "copy-as",
    "copy-dest",
    "debug",
    "dparam",
    "early-input",
    "exclude",
    "exclude-from",
    "files-from",
    "filter",
    "groupmap",
    "iconv",
    "include",
    "include-from",
    "info",
    "link-dest",
    "log-file",
    "log-file-format",
    "log-format",
    "max-alloc",
    "max-delete",
    "max-size",
    "min-size",
    "modify-window",
    "only-write-batch",
    "out-format",
    "outbuf",
    "partial-dir",
    "password-file",
    "port",
    "protocol",
    "read-batch",
    "remote-option",
    "rsh",
    "rsync-path",
    "skip-compress",
    "sockopts",
    "stderr",
    "stop-after",
    "stop-at",
    "suffix",
    "temp-dir",
    "time-limit",
    "timeout",
    "usermap",
    "write-batch",
    "zc",
    "zl",
    "zt",
];

/// How an option is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling<'a> {
    /// The `z` of `-artz`.
    Letter(u8),
    /// The `delete` of `--delete`.
    Long(&'a [u8]),
    /// A word that is no option.
    Operand(&'a [u8]),
}

/// One option as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundOption<'a> {
    pub spelling: Spelling<'a>,
    /// Its value, if it takes one and has one.
    pub value: Option<&'a [u8]>,
    /// The index of the word that names it.
    pub word: usize,
    /// The index of the word that its value ends; `word` if the value stands there, or has none.
    pub value_word: usize,
}

impl FoundOption<'_> {
    /// Whether it is the option of this long name, spelt so or as a letter.
    pub fn is(&self, long: &str) -> bool {
        match self.spelling {
            Spelling::Letter(letter) => LETTERS.contains(&(letter, long)),
            Spelling::Long(name) => name == long.as_bytes(),
            Spelling::Operand(_) => false,
        }
    }

    /// Whether it is one of these options.
    pub fn is_any(&self, long: &[&str]) -> bool {
        long.iter().any(|name| self.is(name))
    }
}

/// The options of the words, in their order.
pub(crate) fn read(words: &[Vec<u8>]) -> Vec<FoundOption<'_>> {
    let mut found = Vec::new();
    let mut next = 0;
    while next < words.len() {
        let word = next;
        if let Some(long) = words[word].strip_prefix(b"--") {
            found.push(read_long(words, word, long));
        } else if words[word].len() > 1 && words[word][0] == b'-' {
            read_cluster(words, word, &mut found);
        } else {
            found.push(FoundOption {
                spelling: Spelling::Operand(&words[word]),
                value: None,
                word,
                value_word: word,
            });
        }
        next = found.last().map_or(word, |last| last.value_word) + 1;
    }
    found
}

fn read_long<'a>(words: &'a [Vec<u8>], word: usize, long: &'a [u8]) -> FoundOption<'a> {
    if let Some(equals) = long.iter().position(|&byte| byte == b'=') {
        let (spelling, value) = (Spelling::Long(&long[..equals]), Some(&long[equals + 1..]));
        return FoundOption { spelling, value, word, value_word: word };
    }
    let takes_value = WITH_VALUE.iter().any(|name| name.as_bytes() == long);
    with_next_word(words, word, Spelling::Long(long), takes_value)
}

fn read_cluster<'a>(words: &'a [Vec<u8>], word: usize, found: &mut Vec<FoundOption<'a>>) {
    let letters = &words[word][1..];
    for (index, &letter) in letters.iter().enumerate() {
        let rest = &letters[index + 1..];
        let is_it = |(known, long): &(u8, &str)| *known == letter && WITH_VALUE.contains(long);
        let takes_value = LETTERS.iter().any(is_it);
        if takes_value && !rest.is_empty() {
            let value = Some(rest.strip_prefix(b"=").unwrap_or(rest));
            found.push(FoundOption {
                spelling: Spelling::Letter(letter),
                value,
                word,
                value_word: word,
            });
            return;
        }
        found.push(with_next_word(words, word, Spelling::Letter(letter), takes_value));
    }
}

fn with_next_word<'a>(
    words: &'a [Vec<u8>],
    word: usize,
    spelling: Spelling<'a>,
    takes_value: bool,
) -> FoundOption<'a> {
    let value = words.get(word + 1).filter(|_| takes_value).map(Vec::as_slice);
    FoundOption { spelling, value, word, value_word: word + usize::from(value.is_some()) }
}

/// The words without the options that `dropped` names: letters leave their cluster, values leave
/// with their option, everything else stays as it was written.
pub(crate) fn without(words: &[Vec<u8>], dropped: impl Fn(&FoundOption) -> bool) -> Vec<Vec<u8>> {
    let found = read(words);
    let mut left = Vec::with_capacity(words.len());
    for options in found.chunk_by(|one, other| one.word == other.word) {
        let word = options[0].word;
        let last = &options[options.len() - 1];
        if !options.iter().any(&dropped) {
            left.extend_from_slice(&words[word..=last.value_word]);
            continue;
        }
        let kept = options.iter().filter(|option| !dropped(option));
        let mut cluster = b"-".to_vec();
        cluster.extend(kept.filter_map(|option| match option.spelling {
            Spelling::Letter(letter) => Some(letter),
            Spelling::Long(_) | Spelling::Operand(_) => None,
        }));
        if cluster.len() == 1 {
            continue;
        }
        if !dropped(last) {
            // Only the last letter of a cluster can have a value: behind it, or in the next word.
            let behind = last.value.filter(|_| last.value_word == word);
            cluster.extend_from_slice(behind.unwrap_or_default());
        }
        left.push(cluster);
        if !dropped(last) && last.value_word != word {
            left.push(words[last.value_word].clone());
        }
    }
    left
}

/// The last option of that name, which is the one that counts for rsync.
pub(crate) fn last<'a>(found: &[FoundOption<'a>], long: &str) -> Option<FoundOption<'a>> {
    found.iter().rev().find(|option| option.is(long)).copied()
}

/// Whether one of these options is among the words.
pub(crate) fn has_any(words: &[Vec<u8>], long: &[&str]) -> bool {
    read(words).iter().any(|option| option.is_any(long))
}

/// Whether the words make rsync descend into directories.
pub(crate) fn recursive(found: &[FoundOption]) -> bool {
    found.iter().fold(false, |so_far, option| {
        let on = option.is_any(&["recursive", "archive"]);
        let off = option.is_any(&["no-recursive", "no-r"]);
        on || (so_far && !off)
    })
}

/// Whether it makes rsync delete on the far side.
pub(crate) fn deletes(option: &FoundOption) -> bool {
    matches!(option.spelling, Spelling::Long(name) if is_deleting(name))
}

/// Whether the option of this long name makes rsync delete on the far side: `del`, `delete-after`.
pub(crate) fn is_deleting(long: &[u8]) -> bool {
    long == b"del" || long.starts_with(b"delete")
}

/// Whether it is a filter rule of any kind.
pub(crate) fn is_filter(option: &FoundOption) -> bool {
    option.spelling == Spelling::Letter(b'F')
        || option.is_any(&[
            "cvs-exclude",
            "exclude",
            "exclude-from",
            "filter",
            "include",
            "include-from",
        ])
}

/// Whether this filter rule can take something in, and not only out. What stands in files is not read
/// here, so it may; `+ x` as the pattern of an exclude is an include.
pub(crate) fn may_include(option: &FoundOption) -> bool {
    let value = option.value.unwrap_or_default();
    if option.is("exclude") {
        return value.starts_with(b"+ ");
    }
    if option.is("filter") {
        return !(value.starts_with(b"- ")
            || value.starts_with(b"exclude ")
            || value.starts_with(b"P "));
    }
    is_filter(option) && !option.is("cvs-exclude")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<Vec<u8>> {
        text.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn values_are_found_wherever_they_stand() {
        for (text, expected) in [
            (&["-aze", "ssh -v"][..], Some("ssh -v")),
            (&["-azessh"], Some("ssh")),
            (&["-e=ssh"], Some("ssh")),
            (&["--rsh", "ssh"], Some("ssh")),
            (&["--rsh=ssh -p 3"], Some("ssh -p 3")),
            (&["-e", "rsh", "-e", "ssh"], Some("ssh")),
            (&["--exclude", "-e", "x"], None),
            (&["-f", "- *.exe"], None),
            (&["-f- *.exe"], None),
            (&["-az", "e"], None),
            (&["-e"], None),
        ] {
            let words = words(text);
            let found = last(&read(&words), "rsh").and_then(|option| option.value);
            assert_eq!(found, expected.map(str::as_bytes), "{text:?}");
        }
    }

    #[test]
    fn dropped_options_leave_the_rest_as_it_was() {
        for (text, expected) in [
            (&["-artz"][..], &["-artz"][..]),
            (&["-amz", "--delete"], &["-az", "--delete"]),
            (&["-m"], &[]),
            (&["-me", "ssh -v", "x"], &["-e", "ssh -v", "x"]),
            (&["-messh"], &["-essh"]),
            (&["--prune-empty-dirs", "--filter", "-m"], &["--filter", "-m"]),
            (&["--exclude", "--prune-empty-dirs"], &["--exclude", "--prune-empty-dirs"]),
        ] {
            let left = without(&words(text), |option| option.is("prune-empty-dirs"));
            assert_eq!(left, words(expected), "{text:?}");
        }
        let left = without(&words(&["-af", "+ x", "--exclude", "y", "-vC", "z"]), is_filter);
        assert_eq!(left, words(&["-a", "-v", "z"]));
    }

    #[test]
    fn recursion_is_what_the_last_word_says() {
        for (text, expected) in [
            (&["-artuz"][..], true),
            (&["-ltz"], false),
            (&["--recursive"], true),
            (&["--archive", "--no-r"], false),
            (&["-a", "--no-recursive", "-r"], true),
            (&["--exclude", "-r"], false),
        ] {
            assert_eq!(recursive(&read(&words(text))), expected, "{text:?}");
        }
    }

    #[test]
    fn includes_are_told_from_excludes() {
        for (text, expected) in [
            (&["--exclude=*.o", "-C", "--filter=- x", "-f", "exclude y"][..], false),
            (&["--include=*/"], true),
            (&["--exclude", "+ *.c"], true),
            (&["--exclude-from=list"], true),
            (&["-f", "+ x"], true),
            (&["-f", "merge x"], true),
            (&["-aF"], true),
            (&["-a", "--existing"], false),
        ] {
            assert_eq!(read(&words(text)).iter().any(may_include), expected, "{text:?}");
        }
    }
}
