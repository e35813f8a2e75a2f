//! The interpreter against the real rsync, on random small trees: with the words that the program asks
//! with, and the user's parameters before them.

use super::super::hiding;
use super::super::only::{self, Front, Top};
use super::super::pattern::ancestors;
use super::super::plan::real_runs::Lab;
use super::trees::{make, read, shown, without_times, Random};
use super::{parent, Done, Entry, Path, Tree};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

/// So many to a directory, and as many others to a daemon.
const CASES: u64 = 150;

/// Parameters that users write.
const PARAMS: [&[&str]; 7] =
    [&["-a"], &["-artz"], &["-artuz"], &["-rlt"], &["-ab"], &["-ab", "--suffix=.o"], &["-am"]];

/// What may stand behind them.
const MORE: [&[&str]; 20] = [
    &["--delete"],
    &["--delete"],
    &["--delete-excluded"],
    &["--force"],
    &["--existing"],
    &["--ignore-errors", "--force"],
    &["--ignore-errors"],
    &["--exclude=a"],
    &["--exclude=/a/"],
    &["--exclude=b/c"],
    &["--exclude=**/b"],
    &["--exclude=/a/**"],
    &["--exclude=a\\*"],
    &["--include=*.o", "--exclude=[a-b]"],
    &["--exclude=- x.o"],
    &["--include=a/***", "--exclude=/a"],
    &["-f", "P b"],
    &["--filter=H a"],
    &["-f", "-r c"],
    &["-f", "R a", "-f", "protect a"],
];

/// The words of a run behind the parameters and before the operands, its list, and what is sent.
struct Asked {
    /// What stands before the parameters.
    front: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    input: Vec<u8>,
    source: Path,
    below: Path,
}

/// Parameters that make rsync behave oddly with some lists, which are not asked for then.
#[derive(Clone, Copy)]
struct Quirks {
    prunes: bool,
    existing: bool,
}

fn asked(random: &mut Random, near: &Tree, far: &Tree, quirks: Quirks) -> Asked {
    let words = |words: &str| words.split(' ').map(|word| word.into()).collect();
    let plain = |text: &str, input| Asked {
        front: Vec::new(),
        words: words(text),
        input,
        source: b"./".into(),
        below: Path::new(),
    };
    let force = if random.chance(50) { " --force" } else { "" };
    match random.below(8) {
        0..=2 => {
            let missing = *random.pick(&[
                "",
                " --delete-missing-args",
                " --delete-missing-args",
                " --ignore-missing-args",
            ]);
            // Where it recurses, it is not known what becomes of what is missing: nobody asks for both.
            let recurses = missing != " --delete-missing-args" && random.chance(40);
            let flat = if recurses { "-d" } else { "--no-r -d" };
            let text = format!("{flat} -R -c{missing}{force} -0 --files-from=-");
            plain(&text, listed(random, near, far, quirks))
        }
        3 => {
            let delete = if random.chance(70) { " --delete" } else { "" };
            let text = format!("--no-r -d -R{delete}{force} -0 --files-from=-");
            plain(&text, listed_directories(random, near, quirks.prunes))
        }
        4 => plain(
            "-r -R --delete --force -0 --files-from=-",
            listed_directories(random, near, quirks.prunes),
        ),
        5 => {
            let tops = tops(random, far);
            let tops: Vec<Top> = tops.iter().map(|(path, whole)| (&path[..], *whole)).collect();
            const WORDS: &str = "-r --delete --force --existing";
            if random.chance(50) {
                let front = only::in_front(&[], &tops).remove(0);
                return Asked { front: front.words, ..plain(WORDS, front.lines) };
            }
            let asked =
                plain(&format!("{WORDS} -0"), [only::alone(&tops).join(&0), vec![0]].concat());
            Asked { words: [asked.words, vec![only::READ.into()]].concat(), ..asked }
        }
        6 => {
            let delete = if random.chance(70) { " --delete" } else { "" };
            let front = Front::of(excluded(random));
            let asked = plain(&format!("-R -r{delete}"), front.lines);
            let words = asked.words.into_iter().chain(hiding::temporary_files(&[]));
            Asked { front: front.words, words: words.collect(), ..asked }
        }
        _ => {
            // A daemon would read a pattern in it.
            let is_plain = |path: &&Path| !path.contains(&b'*');
            let directories: Vec<&Path> = directories(near).filter(is_plain).collect();
            if directories.is_empty() {
                return plain("-r", Vec::new());
            }
            let of = (*random.pick(&directories)).clone();
            let source = [b"./", &of[..], b"/"].concat();
            Asked { source, below: of, ..plain("-r --link-dest=../b", Vec::new()) }
        }
    }
}

/// The tree without what has lost the directory that it was in.
fn with_directories(tree: &Tree) -> Tree {
    let mut whole = Tree::new();
    for (path, entry) in tree {
        if parent(path).is_empty() || whole.contains_key(parent(path)) {
            whole.insert(path.clone(), entry.clone());
        }
    }
    whole
}

fn directories(tree: &Tree) -> impl Iterator<Item = &Path> {
    tree.iter().filter(|(_, entry)| **entry == Entry::Directory).map(|(path, _)| path)
}

/// Whether a link stands above a path: rsync would follow it, and nobody asks for that.
fn is_behind_link(tree: &Tree, path: &[u8]) -> bool {
    let above = parent(path);
    !above.is_empty()
        && (matches!(tree.get(above), Some(Entry::Link(_))) || is_behind_link(tree, above))
}

/// So many paths are listed. Where empty directories are left out it is one: rsync takes the second of two
/// equal names for something that is in the directories above it (seen in 3.5.0).
fn count(random: &mut Random, max: usize, prunes: bool) -> usize {
    if prunes {
        1
    } else {
        1 + random.below(max)
    }
}

fn listed(random: &mut Random, near: &Tree, far: &Tree, quirks: Quirks) -> Vec<u8> {
    let Quirks { prunes, existing } = quirks;
    let paths: Vec<&Path> = near.keys().chain(far.keys()).collect();
    let mut input = Vec::new();
    for _ in 0..count(random, 5, prunes) {
        let path = if !paths.is_empty() && random.chance(80) {
            (*random.pick(&paths)).clone()
        } else {
            random.path()
        };
        // With this word rsync takes more for what is below a directory that it does not make.
        let above = parent(&path);
        let is_odd = existing && !above.is_empty() && !near.contains_key(above);
        if !is_behind_link(near, &path) && !is_odd {
            input.extend([b"./", &path[..], b"\0"].concat());
        }
    }
    input
}

fn listed_directories(random: &mut Random, near: &Tree, prunes: bool) -> Vec<u8> {
    let directories: Vec<&Path> = directories(near).collect();
    let mut input = Vec::new();
    for _ in 0..count(random, 3, prunes) {
        if directories.is_empty() || random.chance(20) {
            input.extend(b"./\0");
        } else {
            input.extend([b"./", &random.pick(&directories)[..], b"/\0"].concat());
        }
    }
    input
}

/// Paths of the far side, none in another one, and whether what is in them may be seen.
fn tops(random: &mut Random, far: &Tree) -> Vec<(Path, bool)> {
    let paths: Vec<&Path> = far.keys().collect();
    let mut tops: Vec<(Path, bool)> = Vec::new();
    for _ in 0..1 + random.below(3) {
        let path = if paths.is_empty() { random.path() } else { random.pick(&paths).to_vec() };
        let lies_in =
            |one: &[u8], other: &[u8]| one == other || ancestors(one).any(|above| above == other);
        if !tops.iter().any(|(top, _)| lies_in(top, &path) || lies_in(&path, top)) {
            tops.push((path, random.chance(70)));
        }
    }
    tops
}

fn excluded(random: &mut Random) -> Vec<Vec<u8>> {
    let mut rule = || only::hides(&super::super::pattern::literal(&random.path(), b""));
    (0..2).map(|_| rule()).collect()
}

/// A run: the words with their operands but for the destination, the list, and both trees.
pub struct Case {
    pub args: Vec<Vec<u8>>,
    pub input: Vec<u8>,
    /// The directory over there that is written to, below the top.
    pub below: Path,
    pub near: Tree,
    pub far: Tree,
}

fn case(seed: u64) -> Case {
    let mut random = Random(seed);
    let mut near = random.tree("of this side ");
    let far = random.changed(&near, "of the far ");
    let mut args: Vec<Vec<u8>> =
        random.pick(&PARAMS).iter().map(|word| word.as_bytes().to_vec()).collect();
    for _ in 0..random.below(4) {
        args.extend(random.pick(&MORE).iter().map(|word| word.as_bytes().to_vec()));
    }
    if args.contains(&b"-ab".to_vec()) {
        // Which one is there first, a backup or a file of its name that is sent, is a matter of chance.
        near.retain(|path, _| !path.ends_with(b"~") && !path.ends_with(b".o"));
        near = with_directories(&near);
    }
    let has = |word: &[u8]| args.iter().any(|arg| arg == word);
    let quirks = Quirks { prunes: has(b"-am"), existing: has(b"--existing") };
    let asked = asked(&mut random, &near, &far, quirks);
    args.splice(0..0, asked.front);
    args.extend(asked.words);
    args.push(asked.source);
    Case { args, input: asked.input, below: asked.below, near, far }
}

/// What the far side is when the real rsync has run, and what that said.
fn really(lab: &Lab, case: &Case, destination: &[u8]) -> (Tree, String) {
    lab.clear();
    make(&lab.near(), &case.near);
    make(&lab.far(), &case.far);
    let mut command = Command::new("rsync");
    // For a daemon alone: without it each run takes a seventh of a second longer.
    command.arg("--sockopts=TCP_NODELAY");
    command.args(case.args.iter().map(|word| OsStr::from_bytes(word)));
    command.arg(OsStr::from_bytes(destination)).current_dir(lab.near());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A run without a list may end before it is written.
    let _ = child.stdin.take().unwrap().write_all(&case.input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (read(&lab.far()), format!("{}: {said}", output.status))
}

/// What is wrong about what the interpreter says was deleted, if that is so.
fn misjudged(before: &Tree, after: &Tree, done: &Done) -> Vec<String> {
    let named = |path: &Path| done.deleted.contains(path) || done.replaced.contains(path);
    let is_wrong = |path: &&Path| match (before.get(*path), after.get(*path)) {
        (_, None) => !named(path),
        (Some(Entry::Directory), Some(Entry::Directory)) => false,
        (was, is) => was == is && named(path),
    };
    before.keys().filter(is_wrong).map(|path| path.escape_ascii().to_string()).collect()
}

/// Runs both; an error says where they differ.
pub fn compare(lab: &Lab, case: &Case, top: &[u8]) -> Result<(), String> {
    let mut destination = top.to_vec();
    if !case.below.is_empty() {
        destination.extend([b"/", &case.below[..], b"/"].concat());
    }
    let args = with(&case.args, &destination);
    let done = super::run(&args, &case.input, top, &case.near, &case.far);
    let (found, said) = really(lab, case, &destination);
    let expected = without_times(&done.far);
    let misjudged = misjudged(&without_times(&case.far), &found, &done);
    if expected == found && misjudged.is_empty() {
        return Ok(());
    }
    let only = |these: &Tree, those: &Tree| {
        let differs = |(path, entry): &(&Path, &Entry)| those.get(*path) != Some(*entry);
        let alone = these.iter().filter(differs);
        shown(&alone.map(|(path, entry)| (path.clone(), entry.clone())).collect())
    };
    Err(format!(
        "rsync {} < {}\n  near: {}\n  far: {}\n  the interpreter alone has: {}\n  \
         rsync alone has: {}\n  misjudged: {misjudged:?}\n  it said: {said}",
        args.join(&b' ').escape_ascii(),
        case.input.escape_ascii(),
        shown(&case.near),
        shown(&case.far),
        only(&expected, &found),
        only(&found, &expected),
    ))
}

/// The far side as a directory and as a daemon's module.
pub fn destinations(lab: &Lab) -> [Vec<u8>; 2] {
    let directory = lab.far().into_os_string().into_encoded_bytes();
    [directory, format!("rsync://127.0.0.1:{}/m", lab.port()).into_bytes()]
}

fn compare_all(destination: usize, seeds: std::ops::Range<u64>) {
    let lab = Lab::new();
    let top = &destinations(&lab)[destination];
    let compare =
        |seed| compare(&lab, &case(seed), top).err().map(|said| format!("{seed}: {said}"));
    let failures: Vec<String> = seeds.filter_map(compare).collect();
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn rsync_does_to_a_directory_what_the_interpreter_says() {
    compare_all(0, 0..CASES);
}

#[test]
fn rsync_does_to_a_daemon_what_the_interpreter_says() {
    compare_all(1, CASES..2 * CASES);
}

/// Which ones go until the limit is reached is nobody's business: so many of those that would go without it.
#[test]
fn rsync_stops_deleting_where_the_interpreter_does() {
    let lab = Lab::new();
    let [top, _] = destinations(&lab);
    for seed in 2 * CASES..2 * CASES + CASES / 2 {
        let mut case = case(seed);
        case.below.clear();
        let max = seed as usize % 4;
        let source = case.args.len() - 1;
        case.args[source] = b"./".to_vec();
        let all = super::run(&with(&case.args, &top), &case.input, &top, &case.near, &case.far);
        case.args.insert(0, format!("--max-delete={max}").into_bytes());
        let done = super::run(&with(&case.args, &top), &case.input, &top, &case.near, &case.far);
        let (found, said) = really(&lab, &case, &top);
        let gone = |after: &Tree| {
            let is_gone = |path: &&Path| !after.contains_key(*path);
            case.far.keys().filter(is_gone).cloned().collect::<BTreeSet<_>>()
        };
        let (expected, found) = (gone(&done.far), gone(&found));
        let in_all = |path: &Path| all.deleted.contains(path) || all.replaced.contains(path);
        assert_eq!(found.len(), expected.len(), "seed {seed}: {expected:?}, {found:?}: {said}");
        assert!(found.iter().all(in_all), "seed {seed}: {found:?}: {said}");
    }
}

fn with(args: &[Vec<u8>], destination: &[u8]) -> Vec<Vec<u8>> {
    args.iter().cloned().chain([destination.to_vec()]).collect()
}
