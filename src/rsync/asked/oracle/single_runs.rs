//! Rules of rsync that random trees seldom meet, each in a run of its own: the interpreter and the real
//! rsync, to a directory and to a daemon.

use super::super::plan::real_runs::Lab;
use super::real_runs::{compare, destinations, Case};
use super::{join, Entry, Tree};

/// A tree as it is written: `a/` a directory, `a@b` a link, everything else a file; all of them with the
/// directories above them.
fn tree(side: &str, written: &str) -> Tree {
    let mut tree = Tree::new();
    for path in written.split_whitespace() {
        let (path, entry) = match path.split_once('@') {
            Some((path, target)) => (path, Entry::Link(target.into())),
            None if path.ends_with('/') => (path.trim_end_matches('/'), Entry::Directory),
            None => (path, Entry::File(format!("{side} {path}").into_bytes(), 1_000_000_000)),
        };
        let mut above = Vec::new();
        for name in path.split('/') {
            tree.entry(above.clone()).or_insert(Entry::Directory);
            above = join(&above, name.as_bytes());
        }
        tree.insert(above, entry);
    }
    tree.remove(&b""[..]);
    tree
}

/// Parameters and words, the list with blanks, what is here and what is there.
type Rule = (&'static str, &'static str, &'static str, &'static str, &'static str);

const FLAT: &str = " --no-r -d -R -c -0 --files-from=-";
const COMBINED: &str = " --no-r -d -R -c --delete-missing-args -0 --files-from=-";
const FORCED: &str = " --no-r -d -R -c --delete-missing-args --force -0 --files-from=-";
const PRUNE: &str = " -r --delete --force --existing -0 --include-from=- --exclude=*";
const LEVEL: &str = " --no-r -d -R --delete --force -0 --files-from=-";

const RULES: [Rule; 20] = [
    // What is missing is no directory for the filter, and whether there is one depends on the far side.
    ("-a --exclude=f", COMBINED, "./f ./d/f", "d/", "f d/f d/g"),
    ("-a --exclude=d/", FORCED, "./d", "", "d/f"),
    ("-a --exclude=d", FORCED, "./d", "", "d/f"),
    ("-a --delete --exclude=d", FORCED, "./d", "", "d/f"),
    ("-a --delete --exclude=f", FORCED, "./d", "", "d/f d/g"),
    ("-a --exclude=f", FORCED, "./d", "", "d/f d/g"),
    // The directory in which it was is not asked for.
    ("-a", FORCED, "./d/f", "", "d/f d/g"),
    // Nothing goes from a directory with something in it, unless that is asked for.
    ("-a", COMBINED, "./d ./e", "", "d/f e/"),
    ("-a", FLAT, "./d", "d", "d/f"),
    ("-a --force", FLAT, "./d", "d", "d/f"),
    ("-a", FLAT, "./d", "d", "d/"),
    // What was asked for and cannot be looked at stops all deleting; what is missing does not.
    ("-a", LEVEL, "./d/ ./missing", "d/f", "d/f d/g"),
    ("-a", LEVEL, "./d/ ./d/f/x", "d/f", "d/f d/g"),
    ("-a --ignore-errors", LEVEL, "./d/ ./d/f/x", "d/f", "d/f d/g"),
    ("-a --ignore-missing-args", LEVEL, "./d/ ./d/f/x", "d/f", "d/f d/g"),
    // The filter of a run that only deletes leaves the empty way to what it deletes visible.
    ("-a", PRUNE, "/d/ /d/f /d/f/***", "", "d/f e"),
    ("-a", PRUNE, "/d/ /d/f /d/f/***", "", "d/f d/g"),
    // Links over there.
    ("-a", PRUNE, "/d/ /d/f /d/f/***", "d/", "d@e e/f"),
    ("-a", FLAT, "./d/f", "d/f", "d@e e/f"),
    ("-ab", FORCED, "./d", "", "d/f d/f~ d/g~"),
];

#[test]
fn each_rule_is_that_of_rsync() {
    let lab = Lab::new();
    let mut failures = Vec::new();
    for (params, words, list, near, far) in RULES {
        let args = params.split(' ').chain(words.split_whitespace()).chain(["./"]);
        let input = list.split(' ').flat_map(|path| [path.as_bytes(), b"\0"].concat()).collect();
        let case = Case {
            args: args.map(|word| word.into()).collect(),
            input,
            below: Vec::new(),
            near: tree("here", near),
            far: tree("there", far),
        };
        let results = destinations(&lab).map(|destination| compare(&lab, &case, &destination));
        failures.extend(results.into_iter().filter_map(Result::err));
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}
