//! The user's own rsync parameters, read as rsync reads them.
//!
//! Owns which options are in `commonParams`, and what is left of the words without some of them. Whether an
//! option is good or bad is for its callers to say. The words have been split before.

/// Options of one letter that take a value: the rest of their cluster, or the next word.
pub(crate) const SHORT_WITH_VALUE: &[u8] = b"eBTfM@";

/// Long options that take a value as the next word if it is not behind a `=`; from rsync's manual,
/// with the names of older versions. Without them `--exclude '- x'` would read like options.
pub(crate) const LONG_WITH_VALUE: &[&str] = &[
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

/// What one option of the words is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// The `z` of `-artz`.
    Short(u8),
    /// The `delete` of `--delete`.
    Long(&'a [u8]),
    /// A word that is no option.
    Operand,
}

/// One option as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub name: Name<'a>,
    /// Its value, if it takes one and has one.
    pub value: Option<&'a [u8]>,
    /// The index of the word that names it.
    pub word: usize,
    /// The index of the word that its value ends; `word` if the value stands there, or has none.
    pub value_word: usize,
}

impl Found<'_> {
    /// Is it this option, by its letter (if it has one) or its long name?
    pub fn is(&self, short: Option<u8>, long: &str) -> bool {
        match self.name {
            Name::Short(letter) => short == Some(letter),
            Name::Long(name) => name == long.as_bytes(),
            Name::Operand => false,
        }
    }
}

/// The options of the words, in their order.
pub(crate) fn read(words: &[Vec<u8>]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut next = 0;
    while next < words.len() {
        let word = next;
        if let Some(long) = words[word].strip_prefix(b"--") {
            found.push(read_long(words, word, long));
        } else if words[word].len() > 1 && words[word][0] == b'-' {
            read_cluster(words, word, &mut found);
        } else {
            found.push(Found { name: Name::Operand, value: None, word, value_word: word });
        }
        next = found.last().map_or(word, |last| last.value_word) + 1;
    }
    found
}

fn read_long<'a>(words: &'a [Vec<u8>], word: usize, long: &'a [u8]) -> Found<'a> {
    if let Some(equals) = long.iter().position(|&byte| byte == b'=') {
        let (name, value) = (Name::Long(&long[..equals]), Some(&long[equals + 1..]));
        return Found { name, value, word, value_word: word };
    }
    let takes_value = LONG_WITH_VALUE.iter().any(|name| name.as_bytes() == long);
    with_next_word(words, word, Name::Long(long), takes_value)
}

fn read_cluster<'a>(words: &'a [Vec<u8>], word: usize, found: &mut Vec<Found<'a>>) {
    let letters = &words[word][1..];
    for (index, &letter) in letters.iter().enumerate() {
        let rest = &letters[index + 1..];
        let takes_value = SHORT_WITH_VALUE.contains(&letter);
        if takes_value && !rest.is_empty() {
            let value = Some(rest.strip_prefix(b"=").unwrap_or(rest));
            found.push(Found { name: Name::Short(letter), value, word, value_word: word });
            return;
        }
        found.push(with_next_word(words, word, Name::Short(letter), takes_value));
    }
}

fn with_next_word<'a>(
    words: &'a [Vec<u8>],
    word: usize,
    name: Name<'a>,
    takes_value: bool,
) -> Found<'a> {
    let value = words.get(word + 1).filter(|_| takes_value).map(Vec::as_slice);
    Found { name, value, word, value_word: word + usize::from(value.is_some()) }
}

/// The words without the options that `dropped` names: letters leave their cluster, values leave
/// with their option, everything else stays as it was written.
pub(crate) fn without(words: &[Vec<u8>], dropped: impl Fn(&Found) -> bool) -> Vec<Vec<u8>> {
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
        cluster.extend(kept.filter_map(|option| match option.name {
            Name::Short(letter) => Some(letter),
            Name::Long(_) | Name::Operand => None,
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
pub(crate) fn last<'a>(found: &[Found<'a>], short: Option<u8>, long: &str) -> Option<Found<'a>> {
    found.iter().rev().find(|option| option.is(short, long)).copied()
}

/// Is one of these long options among the words, or this letter in a cluster?
pub(crate) fn name_one(words: &[Vec<u8>], short: Option<u8>, long: &[&str]) -> bool {
    read(words).iter().any(|option| long.iter().any(|name| option.is(short, name)))
}

/// Do the words make rsync descend into directories?
pub(crate) fn recursive(found: &[Found]) -> bool {
    found.iter().fold(false, |so_far, option| {
        let on = option.is(Some(b'r'), "recursive") || option.is(Some(b'a'), "archive");
        let off = option.is(None, "no-recursive") || option.is(None, "no-r");
        on || (so_far && !off)
    })
}

/// Does it make rsync delete what the source does not have?
pub(crate) fn deletes(option: &Found) -> bool {
    let Name::Long(name) = option.name else { return false };
    name == b"del" || name.starts_with(b"delete")
}

/// Is it a filter rule of any kind?
pub(crate) fn is_filter(option: &Found) -> bool {
    ["include", "include-from", "exclude", "exclude-from"].iter().any(|name| option.is(None, name))
        || option.is(Some(b'f'), "filter")
        || option.is(Some(b'F'), "")
        || option.is(Some(b'C'), "cvs-exclude")
}

/// Can this filter rule take something in, and not only out? Rules in files are not read here, so
/// they may; `+ x` as the pattern of an exclude is an include.
pub(crate) fn may_include(option: &Found) -> bool {
    let value = option.value.unwrap_or_default();
    if option.is(None, "exclude") {
        return value.starts_with(b"+ ");
    }
    if option.is(Some(b'f'), "filter") {
        return !(value.starts_with(b"- ")
            || value.starts_with(b"exclude ")
            || value.starts_with(b"P "));
    }
    is_filter(option) && !option.is(Some(b'C'), "cvs-exclude")
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
            let found = last(&read(&words), Some(b'e'), "rsh").and_then(|option| option.value);
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
            let left = without(&words(text), |option| option.is(Some(b'm'), "prune-empty-dirs"));
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
