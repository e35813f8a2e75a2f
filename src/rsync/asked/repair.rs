//! The runs that the fail log is made of: each lists its paths in its own arguments, can be run at
//! any time and any number of times, and needs nothing on its standard input.
//!
//! Owns their words and what those words mean when they are read back. Called by `faillog`, which writes them
//! as lines of a script. This program does not run them: its own runs are those of `plan`.
//!
//! The paths are patterns for rsync, with everything else excluded, and not arguments of their own:
//! a path that is not there is then no error, nothing is ever followed through a symbolic link, and
//! every version takes it. A *send* run makes the listed paths equal and deletes nothing; a listed
//! directory is sent without what is in it. A *prune* run deletes those that are gone here, and makes
//! nothing there that is new.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::deleting;
use super::guards;
use super::licence::Licence;
use super::pattern::{self, ancestors};
use super::plan::{self, prune_params, words, Gone};
use super::route::RemoteRoute;
use crate::config::options::{self, Spelling};

/// The option that lists a path; with the pattern behind it, one word.
pub const INCLUDE: &[u8] = b"--include=";
/// Stands for the root itself: no path is called so. The root's own attributes are sent by every run, so the
/// pattern only says that they are owed.
const ROOT: &[u8] = b"/./";
/// What stood for it in records of 3.0 before its release.
const ROOT_BEFORE: &[u8] = b"/.";
/// Behind a directory's pattern: everything in it.
const WITHIN: &[u8] = b"/***";
/// Stands behind the list: everything else is left alone. A run with this word is one of a list.
const REST: &[u8] = b"--exclude=*";

/// What a run does to the paths that it lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sends them.
    Send,
    /// Deletes what is gone, and makes way for what took the place of a directory.
    Prune,
}

/// The words that list one path, the way to it included: `--include=/a/`, `--include=/a/b`. What is
/// in a directory is listed only for a prune run of a directory that disappeared.
pub fn includes(path: &[u8], kind: Kind, gone: Gone) -> Vec<Vec<u8>> {
    if path.is_empty() {
        return vec![[INCLUDE, ROOT].concat()];
    }
    let mut patterns: Vec<_> = ancestors(path).map(|above| pattern::literal(above, b"/")).collect();
    patterns.reverse();
    patterns.push(pattern::literal(path, b""));
    if kind == Kind::Prune && gone == Gone::Directory {
        patterns.push(pattern::literal(path, WITHIN));
    }
    patterns.iter().map(|pattern| [INCLUDE, pattern].concat()).collect()
}

/// All arguments of a run over what `includes` has listed. What it may delete counts for a prune run only.
pub fn listed(
    route: &RemoteRoute,
    kind: Kind,
    licence: Licence,
    includes: Vec<Vec<u8>>,
) -> Vec<OsString> {
    let params = prune_params(route);
    let mut flags = words(&["-r"]);
    let params = match kind {
        // -c: somebody was seen to write them, and rsync's own comparison may miss that.
        Kind::Send => {
            flags.push(b"-c".to_vec());
            options::without(&params, options::deletes)
        }
        // `--existing` and not --ignore-existing: a symbolic link over there is then replaced by the directory
        // that is here, and no deletion follows it. The word that deletes also lets a directory over there make way for
        // what is no directory here. --force would do that even where the script takes it out.
        Kind::Prune => {
            let protected = guards::of_backups(&route.rsync.params);
            flags.extend(protected.map(|rule| [b"--filter=", &rule[..]].concat()));
            flags.extend(deleting::what_the_filter_shows(licence).map(Vec::from));
            flags.push(b"--existing".to_vec());
            params
        }
    };
    flags.extend(includes);
    flags.push(REST.to_vec());
    route.arguments(params, flags)
}

/// Whether a prune run over a list would delete what the user's own rules keep: those that cannot stand before the
/// list. The program has another way, which is not for people's hands.
pub fn passes_by_rules(route: &RemoteRoute) -> bool {
    guards::may_open(&route.rsync.params)
}

/// All arguments of a full sync. `rules` of a filter say what is left out.
pub fn full_sync(route: &RemoteRoute, licence: Licence, rules: &[Vec<u8>]) -> Vec<OsString> {
    plan::full_sync(route, licence, rules, None).args
}

/// Whether the word makes a run delete what only the far side has: `--del`, `--delete-after`.
pub fn makes_delete(word: &[u8]) -> bool {
    word.strip_prefix(b"--").is_some_and(options::is_deleting)
}

/// Paths, each with what disappeared there as far as one run tells; `None` for a full sync.
pub type Paths = Option<Vec<(Vec<u8>, Gone)>>;

/// A run that was read back: where it goes and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The destination, as it stands there.
    pub destination: Vec<u8>,
    /// The paths that it lists, in its order.
    pub paths: Paths,
}

/// Reads the arguments of a run back; `None` if [`listed`] and [`full_sync`] would not make them.
/// The user's parameters may be any.
pub fn read(args: &[Vec<u8>]) -> Option<Read> {
    let found = options::read(args);
    let mut operands =
        found.iter().filter(|option| matches!(option.spelling, Spelling::Operand(_)));
    let (source, destination) = (operands.next()?, operands.next()?);
    if operands.next().is_some() || args[source.word] != b"./" {
        return None;
    }
    let destination = args[destination.word].clone();
    // Without that word the includes are the user's own, in a full sync.
    if args[..source.word].last()? != REST {
        return Some(Read { destination, paths: None });
    }
    // No deleting option is left in a send run, not even one of the user's.
    let prunes = found.iter().any(options::deletes);
    let gone = if prunes { Gone::Entry } else { Gone::No };
    let mut paths: Vec<(Vec<u8>, Gone)> = Vec::new();
    for option in found.iter().filter(|option| option.is("include")) {
        let pattern = option.value?;
        if pattern == ROOT || pattern == ROOT_BEFORE {
            paths.push((Vec::new(), gone));
        } else if let Some(path) = named(pattern, WITHIN) {
            // Its own pattern stands just before it.
            let last = paths.last_mut().filter(|last| prunes && last.0 == path)?;
            last.1 = Gone::Directory;
        } else if let Some(path) = named(pattern, b"") {
            paths.push((path, gone));
        } else {
            named(pattern, b"/")?;
        }
    }
    (!paths.is_empty()).then_some(Read { destination, paths: Some(paths) })
}

/// The path of which `pattern::literal` made this pattern, with `suffix` behind it.
fn named(pattern: &[u8], suffix: &[u8]) -> Option<Vec<u8>> {
    let body = pattern.strip_prefix(b"/")?.strip_suffix(suffix)?;
    let mut unescaped = Vec::with_capacity(body.len());
    let mut rest = body.iter();
    while let Some(&byte) = rest.next() {
        unescaped.push(if byte == b'\\' { *rest.next().unwrap_or(&byte) } else { byte });
    }
    // Whether a backslash escapes depends on the whole pattern: the path is the one that gives the same
    // pattern again.
    [body.to_vec(), unescaped]
        .into_iter()
        .find(|path| is_path(path) && pattern::literal(path, suffix) == pattern)
}

/// Whether this is a path below the root, without empty, `.` and `..` parts.
pub fn is_path(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/')
        .all(|name| !matches!(name, b"" | b"." | b"..") && !name.contains(&0))
}

/// The bytes of arguments.
pub fn bytes(args: Vec<OsString>) -> Vec<Vec<u8>> {
    args.into_iter().map(OsString::into_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::super::capability::{Capability, Version};
    use super::super::route::tests::route_to;
    use super::*;
    use crate::config::{Address, Rsync};

    const PATHS: &[&str] = &[
        "a", "a/b", "-x", "a b/c\"d", "a*/b\\c", "a\\b/c", "a[1]?", "***", "a/***", "\\\\", "é\n",
    ];

    fn with_route<T>(params: &[&str], use_it: impl Fn(&RemoteRoute) -> T) -> T {
        let address = Address::Local { path: "/far".into() };
        let params = params.iter().map(|word| word.as_bytes().to_vec()).collect();
        let rsync = Rsync { params, ..Rsync::default() };
        let local = Capability { version: Version { major: 3, minor: 5, patch: 0 } };
        use_it(&route_to(&address, &rsync, local))
    }

    fn written(params: &[&str], kind: Kind, path: &str, gone: Gone) -> Vec<Vec<u8>> {
        let includes = includes(path.as_bytes(), kind, gone);
        with_route(params, |route| bytes(listed(route, kind, Licence::Seen, includes.clone())))
    }

    fn line(args: &[Vec<u8>]) -> String {
        String::from_utf8(args.join(&b' ')).unwrap()
    }

    #[test]
    fn words_of_each_kind() {
        let params = &["-artz"][..];
        for (args, expected) in [
            (
                written(params, Kind::Send, "a/b/c", Gone::No),
                "-artz -r -c --include=/a/ --include=/a/b/ --include=/a/b/c --exclude=* ./ /far",
            ),
            (
                written(params, Kind::Prune, "a", Gone::Entry),
                "-artz -r --delete --existing --include=/a --exclude=* \
                 ./ /far",
            ),
            (
                written(params, Kind::Prune, "a/b*", Gone::Directory),
                "-artz -r --delete --existing --include=/a/ \
                 --include=/a/b\\* --include=/a/b\\*/*** --exclude=* ./ /far",
            ),
            (
                written(params, Kind::Send, "", Gone::No),
                "-artz -r -c --include=/./ --exclude=* ./ /far",
            ),
            (
                // What deletes, hides or opens more than is listed does not belong here.
                written(
                    &["-amz", "--delete-after", "--del", "--include=*/", "--delay-updates"],
                    Kind::Send,
                    "a",
                    Gone::No,
                ),
                "-az --delay-updates -r -c --include=/a --exclude=* ./ /far",
            ),
        ] {
            assert_eq!(line(&args), expected);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let kinds =
            [(Kind::Send, Gone::No), (Kind::Prune, Gone::Entry), (Kind::Prune, Gone::Directory)];
        for path in PATHS {
            for (kind, gone) in kinds {
                let read = read(&written(
                    &["-a", "-e", "ssh -x", "--existing", "--del"],
                    kind,
                    path,
                    gone,
                ))
                .unwrap();
                let expected = vec![(path.as_bytes().to_vec(), gone)];
                assert_eq!(read.paths, Some(expected), "{path} {kind:?}");
                assert_eq!(read.destination, b"/far");
            }
        }
        let root = read(&written(&["-a"], Kind::Send, "", Gone::No)).unwrap();
        assert_eq!(root.paths, Some(vec![(Vec::new(), Gone::No)]));
        let before = "-a -r -c --include=/. --include=/a --exclude=* ./ /far";
        let before: Vec<_> = before.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let both = vec![(Vec::new(), Gone::No), (b"a".to_vec(), Gone::No)];
        assert_eq!(read(&before).unwrap().paths, Some(both));
        let full = with_route(&["-a", "--include=*/", "--existing"], |route| {
            full_sync(route, Licence::Unseen, &[b"-sr /x*".to_vec()])
        });
        assert_eq!(read(&bytes(full)).unwrap().paths, None);
    }

    #[test]
    fn what_nobody_wrote_here_is_not_read() {
        for args in [
            "-a ./a /far",
            "-a ./ /far /farther",
            "-a ./",
            "-a --include=a --exclude=* ./ /far",
            "-a --include=/../a --exclude=* ./ /far",
            "-a --include=/a/./b --exclude=* ./ /far",
            "-a --include=/a//b --exclude=* ./ /far",
            "-a --include=/a* --exclude=* ./ /far",
            "-a --include=/a/*** --exclude=* ./ /far",
            "-a --existing --include=/b --include=/a/*** --exclude=* ./ /far",
            "-a --exclude=* ./ /far",
            "-a --include=/a/ --exclude=* ./ /far",
            "./ /far",
        ] {
            let args: Vec<_> = args.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            assert_eq!(read(&args), None, "{}", line(&args));
        }
    }
}
