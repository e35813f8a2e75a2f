//! The words of a run, read as rsync reads them.

use super::filter::{Filter, Prefixes};
use super::Path;
use crate::config::options::{self, FoundOption, Spelling};

/// What of the words has a part in what is deleted.
#[derive(Debug, Default)]
pub struct Words {
    pub dry_run: bool,
    pub recursive: bool,
    pub directories: bool,
    pub links: bool,
    /// Paths are sent with the directories above them.
    pub relative: bool,
    pub delete: bool,
    pub delete_excluded: bool,
    pub force: bool,
    /// Listed paths that are missing are deleted.
    pub delete_missing: bool,
    pub ignore_errors: bool,
    pub existing: bool,
    pub update: bool,
    pub prune_empty: bool,
    pub max_delete: Option<usize>,
    /// The ending of backups, if they are made.
    pub backups: Option<Vec<u8>>,
    pub filter: Filter,
    /// What is sent: the paths of the list, or else the source alone. With a slash at the end a directory
    /// stands for what is in it.
    pub paths: Vec<Path>,
    /// Where the run starts in the near tree, and where it writes in the far one.
    pub near_below: Path,
    pub far_below: Path,
    /// Where the far side is another process on this machine, it has the filter whatever else is asked.
    pub local: bool,
}

/// Options that would change what is deleted and are not known here.
const UNKNOWN: [&str; 11] = [
    "cvs-exclude",
    "keep-dirlinks",
    "copy-links",
    "copy-dirlinks",
    "backup-dir",
    "iconv",
    "ignore-existing",
    "max-size",
    "min-size",
    "delete-after",
    "no-implied-dirs",
];

/// Letters that have a part in it, by the names that the options have as well.
const LETTERS: [(u8, &str); 10] = [
    (b'a', "archive"),
    (b'b', "backup"),
    (b'd', "dirs"),
    (b'f', "filter"),
    (b'l', "links"),
    (b'm', "prune-empty-dirs"),
    (b'n', "dry-run"),
    (b'r', "recursive"),
    (b'R', "relative"),
    (b'u', "update"),
];

/// How strongly recursion was asked for: `-a` yields to a list, `-r` does not.
#[derive(Debug, Default, PartialEq, Eq, Clone, Copy)]
enum Recursion {
    #[default]
    No,
    ByArchive,
    Yes,
}

/// What can be judged only when all words have been read.
#[derive(Debug, Default)]
struct Written {
    recursion: Recursion,
    relative: Option<bool>,
    from0: bool,
    files: Option<Vec<u8>>,
    backup: bool,
    suffix: Option<Vec<u8>>,
    operands: Vec<Vec<u8>>,
}

impl Words {
    pub fn read(args: &[Vec<u8>], input: &[u8], destination: &[u8]) -> Words {
        let (mut words, mut written) = (Words::default(), Written::default());
        for option in options::read(args) {
            let unknown = option.is_any(&UNKNOWN) || option.spelling == Spelling::Letter(b'F');
            assert!(!unknown, "the interpreter does not know {option:?}");
            words.take(&option, input, &mut written);
        }
        words.finish(written, input, destination);
        words
    }

    fn take(&mut self, option: &FoundOption, input: &[u8], written: &mut Written) {
        let value = option.value.unwrap_or_default();
        let name = match option.spelling {
            Spelling::Operand(word) => return written.operands.push(word.to_vec()),
            Spelling::Letter(b'0') => b"from0",
            Spelling::Letter(letter) => {
                let known = LETTERS.iter().find(|known| known.0 == letter);
                known.map_or(&b""[..], |known| known.1.as_bytes())
            }
            Spelling::Long(name) => name,
        };
        match name {
            b"archive" => {
                self.links = true;
                if written.recursion == Recursion::No {
                    written.recursion = Recursion::ByArchive;
                }
            }
            b"recursive" => written.recursion = Recursion::Yes,
            b"no-r" | b"no-recursive" => written.recursion = Recursion::No,
            b"dirs" | b"old-dirs" | b"old-d" => self.directories = true,
            b"links" => self.links = true,
            b"relative" => written.relative = Some(true),
            b"no-relative" | b"no-R" => written.relative = Some(false),
            b"dry-run" => self.dry_run = true,
            b"force" => self.force = true,
            b"del" | b"delete" | b"delete-before" | b"delete-during" | b"delete-delay" => {
                self.delete = true;
            }
            b"delete-excluded" => (self.delete, self.delete_excluded) = (true, true),
            b"delete-missing-args" => self.delete_missing = true,
            b"ignore-errors" => self.ignore_errors = true,
            b"existing" | b"ignore-non-existing" => self.existing = true,
            b"update" => self.update = true,
            b"prune-empty-dirs" => self.prune_empty = true,
            b"max-delete" => self.max_delete = max_delete(value),
            b"backup" => written.backup = true,
            b"suffix" => written.suffix = Some(value.to_vec()),
            b"from0" => written.from0 = true,
            b"files-from" => written.files = Some(value.to_vec()),
            b"filter" if value == b". -" => {
                self.add_list(b"-", input, written.from0, Prefixes::Rules);
            }
            b"filter" => self.filter.add(value, Prefixes::Rules),
            b"exclude" => self.filter.add(value, Prefixes::Excludes),
            b"include" => self.filter.add(value, Prefixes::Includes),
            b"exclude-from" => self.add_list(value, input, written.from0, Prefixes::Excludes),
            b"include-from" => self.add_list(value, input, written.from0, Prefixes::Includes),
            _ => {}
        }
    }

    fn finish(&mut self, written: Written, input: &[u8], destination: &[u8]) {
        let has_list = written.files.is_some();
        self.recursive = match written.recursion {
            Recursion::No => false,
            Recursion::ByArchive => !has_list,
            Recursion::Yes => true,
        };
        let known = !(self.recursive && self.delete_missing);
        assert!(known, "the interpreter does not know what is missing where it recurses");
        self.directories |= has_list || self.recursive;
        self.relative = written.relative.unwrap_or(has_list);
        let suffix = written.suffix.unwrap_or_else(|| b"~".to_vec());
        self.backups = written.backup.then_some(suffix);
        self.add_protection_of_backups();
        self.filter.plain_rules_hide_only = self.delete_excluded;
        let [source, target] = &written.operands[..] else {
            panic!("not two operands: {:?}", written.operands)
        };
        self.local = !target.contains(&b':') || target.starts_with(b"/");
        let below = target.strip_prefix(destination).expect("it is below the far side");
        self.far_below = trimmed(below);
        self.place(source, written.files.map(|file| list_of(&file, input, written.from0)));
    }

    /// Lists are read from standard input alone: every other file is out of sight here.
    fn add_list(&mut self, file: &[u8], input: &[u8], from0: bool, prefixes: Prefixes) {
        for line in list_of(file, input, from0) {
            if !line.starts_with(b"#") && !line.starts_with(b";") {
                self.filter.add(&line, prefixes);
            }
        }
    }

    /// rsync keeps `--delete` from taking the backups away that it has made.
    fn add_protection_of_backups(&mut self) {
        if let (Some(suffix), true, false) = (&self.backups, self.delete, self.delete_excluded) {
            let rule = [b"P *", &suffix[..]].concat();
            self.filter.add(&rule, Prefixes::Rules);
        }
    }

    /// Without `-R` the source's own path does not count, and what it names is sent as if it lay at the
    /// top.
    fn place(&mut self, source: &[u8], list: Option<Vec<Path>>) {
        let start = source.strip_prefix(b"./").unwrap_or(source);
        self.paths = match list {
            Some(list) => {
                self.near_below = trimmed(start);
                list
            }
            None if self.relative => vec![start.to_vec()],
            None => {
                assert!(
                    start.is_empty() || start.ends_with(b"/"),
                    "what is in a directory is sent"
                );
                self.near_below = trimmed(start);
                vec![Vec::new()]
            }
        };
    }
}

fn max_delete(value: &[u8]) -> Option<usize> {
    let number: i64 = std::str::from_utf8(value).unwrap().parse().unwrap();
    usize::try_from(number).ok()
}

fn list_of(file: &[u8], input: &[u8], from0: bool) -> Vec<Path> {
    assert_eq!(file, b"-", "only standard input is read");
    let end = if from0 { 0 } else { b'\n' };
    input.split(|&byte| byte == end).filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn trimmed(path: &[u8]) -> Path {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.strip_suffix(b"/").unwrap_or(path).to_vec()
}
