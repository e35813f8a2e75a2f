//! Which paths are never synced: the user's expressions, hidden files, temporary files of editors and rsync.
//!
//! `root` and the walk ask for each entry by itself. They never ask for what lies below an excluded
//! directory, because that directory is neither watched nor read.

use crate::config;
use crate::engine::rel_path::RelPath;
use crate::rsync::temporary::is_temporary;
use crate::sorted::SortedSet;
use regex_lite::Regex;
use std::borrow::Cow;

/// Where an rsync that sends to this root with `--delay-updates` keeps files until it is done.
const DELAYED_UPDATES: &[u8] = b".~tmp~";

/// What one call can name (limits.h: 4,096 bytes with the NUL at the end).
const PATH_BYTES_MAX: usize = 4_095;

/// The compiled `filter` element, and the names that are left out by rule.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    excludes: Vec<Regex>,
    hidden: bool,
    /// Files that each sync changes, so that none can be part of one.
    own: SortedSet<RelPath>,
    /// How long a path below the root can be, in bytes; `None` if that is not known.
    path_bytes_max: Option<usize>,
}

impl Filter {
    /// Compiles the expressions.
    ///
    /// # Errors
    /// Why an expression does not compile. Those of a configuration that was read do: the reader tries
    /// each of them.
    pub fn new(filter: &config::FilterSettings) -> Result<Filter, String> {
        let excludes: Result<_, _> = filter
            .excludes
            .iter()
            .map(|expression| config::expression::compile(expression))
            .collect();
        Ok(Filter { excludes: excludes?, hidden: filter.hidden, ..Filter::default() })
    }

    /// The same for a root whose own path has so many bytes, and in which these files lie that each sync changes:
    /// the program's own and rsync's.
    pub fn of_root(&self, root_bytes: usize, own: SortedSet<RelPath>) -> Filter {
        let path_bytes_max = Some(PATH_BYTES_MAX.saturating_sub(root_bytes + 1));
        Filter { own, path_bytes_max, ..self.clone() }
    }

    /// Whether no call can name this entry, nor rsync: it cannot be looked at, watched or sent.
    pub fn is_too_long(&self, path: &[u8]) -> bool {
        self.path_bytes_max.is_some_and(|bytes_max| path.len() > bytes_max)
    }

    /// The files that each sync changes.
    pub fn own(&self) -> impl Iterator<Item = &RelPath> {
        self.own.iter()
    }

    /// Whether the user leaves out anything. Then what is left out below a directory depends on where
    /// that lies, and a renamed directory has to be read again.
    pub fn is_active(&self) -> bool {
        self.hidden || !self.excludes.is_empty()
    }

    /// Whether this entry is left out for its own sake, whatever becomes of the directories above it.
    /// `path` is relative to the root, without a leading slash.
    pub fn excludes(&self, path: &[u8], is_dir: bool) -> bool {
        if self.is_too_long(path) {
            return true;
        }
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        if is_dir && name == DELAYED_UPDATES {
            return true;
        }
        if !is_dir && self.own.contains(path) {
            return true;
        }
        if !is_dir && (is_temporary(name) || self.hidden && name.starts_with(b".")) {
            return true;
        }
        self.excluded_by_expression(path, is_dir)
    }

    /// Whether one of the expressions of the user matches this entry.
    ///
    /// COMPAT: sersync hands its expressions files at the root without a leading slash, deeper ones
    /// with it, and directories with a slash behind. Users have written for either, so any of the
    /// three forms may match.
    pub fn excluded_by_expression(&self, path: &[u8], is_dir: bool) -> bool {
        if self.excludes.is_empty() {
            return false;
        }
        let path = as_text(path);
        let rooted = format!("/{path}");
        let folder = is_dir.then(|| format!("{path}/"));
        self.excludes.iter().any(|expression| {
            expression.is_match(&path)
                || expression.is_match(&rooted)
                || folder.as_deref().is_some_and(|folder| expression.is_match(folder))
        })
    }
}

/// A path for an expression to look at: as it is if it is UTF-8, otherwise one character for each
/// byte, as the configuration reads its own bytes.
fn as_text(path: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(path) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(path.iter().map(|&byte| char::from(byte)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(expressions: &[&str]) -> Filter {
        let excludes = expressions.iter().map(|text| text.to_string()).collect();
        Filter::new(&config::FilterSettings { excludes, hidden: false }).unwrap()
    }

    #[test]
    fn an_expression_must_match_the_whole_path_in_one_of_three_forms() {
        let table: [(&str, &[u8], bool, bool); 14] = [
            (r"(.*)\.svn", b".svn", true, true),
            (r"(.*)\.svn", b"a/.svn", true, true),
            (r"(.*)\.gz", b"a/b.gz", false, true),
            (r"(.*)\.gz", b"a/b.gzip", false, false),
            (r"^info/*", b"info", true, true),
            (r"^info/*", b"information", false, false),
            (r"^static/*", b"a/static", true, false),
            (r"cache/.*", b"cache", true, true),
            (r"cache/.*", b"cache", false, false),
            (r"cache/.*", b"a/cache/x", false, false),
            (r"/a/b", b"a/b", false, true),
            (r"^\..*", b".htaccess", false, true),
            (r".*\.log", b"caf\xe9.log", false, true),
            (r"a.b", b"a\nb", false, true),
        ];
        for (expression, path, is_dir, excluded) in table {
            let seen = filter(&[expression]).excludes(path, is_dir);
            assert_eq!(seen, excluded, "{expression} on {}", as_text(path));
        }
    }

    #[test]
    fn temporary_files_are_left_out_and_other_dotfiles_are_not() {
        let none = filter(&[]);
        for name in ["x~", ".x.swp", ".x.swo", ".#x", ".goutputstream-AB12", ".nfs0001"] {
            assert!(none.excludes(name.as_bytes(), false), "{name}");
            assert!(none.excludes(format!("d/{name}").as_bytes(), false), "d/{name}");
            assert!(!none.excludes(name.as_bytes(), true), "the directory {name}");
        }
        for name in [".htaccess", ".swp", "x.swp", "4913", ".env", ".sw", "~x"] {
            assert!(!none.excludes(name.as_bytes(), false), "{name}");
        }
        assert!(none.excludes(b"d/.~tmp~", true) && !none.excludes(b"~tmp~", true));
    }

    #[test]
    fn what_no_call_can_name_is_left_out() {
        let of_root = filter(&[]).of_root("/data".len(), SortedSet::new());
        for (bytes, too_long) in [(4_089, false), (4_090, true)] {
            assert_eq!(of_root.is_too_long(&vec![b'x'; bytes]), too_long, "{bytes}");
            assert_eq!(of_root.excludes(&vec![b'x'; bytes], true), too_long, "{bytes}");
        }
    }

    #[test]
    fn own_files_are_left_out_at_their_places_alone() {
        let own = filter(&[]).of_root(1, [b"opt/fail.sh".as_slice().into()].into());
        for (path, is_dir, excluded) in [
            ("opt/fail.sh", false, true),
            ("opt/fail.sh", true, false),
            ("fail.sh", false, false),
            ("a/opt/fail.sh", false, false),
            ("opt/fail.sh.bak", false, false),
        ] {
            assert_eq!(own.excludes(path.as_bytes(), is_dir), excluded, "{path}");
        }
        assert!(!own.is_active(), "the user leaves out nothing");
    }

    #[test]
    fn hidden_brings_the_old_rule_back() {
        let hidden = Filter { hidden: true, ..Filter::default() };
        assert!(hidden.excludes(b"a/.htaccess", false));
        assert!(!hidden.excludes(b".git", true), "directories never fell under it");
        assert!(hidden.is_active() && !filter(&[]).is_active());
    }
}
