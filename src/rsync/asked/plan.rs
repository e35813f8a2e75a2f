//! From changed paths to rsync runs: what is sent, what is deleted, in which order.
//!
//! Owns the lists and the flags of each kind of run. Called by `worker`, which has looked at the
//! paths just before, with their state as a value; nothing here touches the file system.
//!
//! A *flat* run makes each listed path equal and nothing else. A listed directory is sent without what is in
//! it; but where all that is in it would be listed as well, the directory is listed with a slash in place of
//! that. A *prune* run only deletes. A *full sync* is rsync on the whole root.

use crate::rsync::temporary;
use crate::sorted::SortedSet;
use std::ffi::OsString;
use std::sync::Arc;

use super::anew;
use super::deleting;
use super::guards;
use super::hiding;
use super::letter_case;
use super::licence::{Licence, Way};
use super::only::{self, Front, Top};
use super::pattern::{self, ancestors};
use super::route::RemoteRoute;
use super::run::{Purpose, Run};
use crate::config::options::{self, FoundOption};

/// What disappeared under a name since the remote last had everything. Of two, the larger counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gone {
    /// Nothing.
    No,
    /// Something that was not a directory.
    Entry,
    /// A directory, and with it all that was in it.
    Directory,
}

/// What a name is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now {
    /// It does not exist.
    Missing,
    /// It does not exist, and nor does the directory that it was in. Unless that was seen to go as well, it is
    /// away, and stays over there without what was in it.
    Orphaned,
    /// Something above it is no directory any more. It cannot be listed: with it rsync sends the way to it
    /// (`-R`), and where a part of that is a symlink, rsync follows it and makes a directory of it over
    /// there (measured).
    Hidden,
    /// It could not be looked at. Nothing is sent or deleted for it, and it stays owed.
    Unknown,
    /// A real directory.
    Directory,
    /// Anything else, symbolic links included.
    Other,
    /// A large file, which has a job of its own. In this batch it only means that nothing lies below it.
    Apart,
}

/// A changed path, just looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// Relative to the root, without a slash at either end; empty for the root itself, of which
    /// only its own times and modes are meant.
    pub path: Arc<[u8]>,
    /// What disappeared there.
    pub gone: Gone,
    /// What is there now.
    pub now: Now,
    /// Its size, if it is a regular file.
    pub bytes: u64,
    /// It need not be compared by content: the far side cannot have anything under this name, or
    /// something of another size or time.
    pub fresh: bool,
    /// The far side may have it under another name as well.
    pub joined: bool,
}

impl Looked {
    /// Whether something that disappeared is still there after a run that may delete nothing.
    pub fn needs_licence(&self) -> bool {
        match (self.gone, self.now) {
            (Gone::No, _)
            | (Gone::Entry, Now::Directory | Now::Other)
            | (_, Now::Hidden | Now::Apart | Now::Unknown) => false,
            (Gone::Entry, Now::Missing | Now::Orphaned)
            | (Gone::Directory, Now::Missing | Now::Orphaned | Now::Directory | Now::Other) => true,
        }
    }
}

/// With a file of this size in the list, or a directory to be deleted, the far side may be at work
/// for a while without saying a word, and needs its own `--timeout` to send signs of life.
const SILENT_WORK_BYTES_MIN: u64 = 256 << 20;

/// How a flat run is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSettings {
    /// What it may delete.
    pub licence: Licence,
    /// How it deletes.
    pub way: Way,
    /// Flat runs have the words of a standby wherever they can, so that one can be used for them.
    pub standby: bool,
}

impl PlanSettings {
    /// The same with the way that the user's parameters leave.
    fn on(self, route: &RemoteRoute) -> PlanSettings {
        PlanSettings { way: guards::way(&route.rsync.params, self.way), ..self }
    }

    /// Whether what disappeared is deleted by the flat run.
    fn deletes_combined(self) -> bool {
        self.licence.covers_seen() && self.way == Way::Combined
    }
}

/// The words of a flat run that is started before its list is known, and waits for it.
pub fn standby(route: &RemoteRoute, settings: PlanSettings) -> Vec<OsString> {
    let deletes = settings.on(route).deletes_combined();
    let usual = List { deletes, ..List::default() };
    flat(route, settings.licence, &usual, false).args
}

/// The runs that make a remote equal to what was looked at, to be run in this order; none if there
/// is nothing to do. A run may start only when the one before it got through, if only in part.
///
/// `whole` are directories, sorted, that have nothing in them but what is in `paths`; none unless that
/// [is possible](super::whole::is_possible).
pub fn batch(
    route: &RemoteRoute,
    settings: PlanSettings,
    paths: &[Looked],
    whole: &[Arc<[u8]>],
) -> Vec<Run> {
    let settings = settings.on(route);
    let mut lists = Lists::of(settings, paths, whole, anew::is_kept(route));
    if settings.way == Way::Combined && guards::names_differ(&route.rsync.params) {
        let is_here = |looked: &&Looked| looked.now == Now::Directory;
        let here: SortedSet<&[u8]> = paths.iter().filter(is_here).map(|it| &*it.path).collect();
        let (again, prune): (Vec<Top>, Vec<Top>) =
            lists.prune.into_iter().partition(|(top, _)| here.contains(top));
        lists.prune = prune;
        lists.made_again = again.into_iter().map(|(directory, _)| directory).collect();
    }
    // The run gets --delete-missing-args even if nothing is missing, so that a waiting standby, which has it,
    // can be used.
    lists.flat.deletes |= settings.standby && !lists.all_fresh && settings.deletes_combined();
    let mut runs = prunes(route, settings.licence, &lists.prune);
    runs.extend(emptying(route, settings.licence, &lists.made_again));
    for list in [&lists.emptied, &lists.flat] {
        if !list.is_empty() {
            runs.push(flat(route, settings.licence, list, lists.all_fresh));
        }
    }
    if !lists.anew.is_empty() {
        let route = anew::route(route, lists.anew.joined);
        runs.push(flat(&route, settings.licence, &lists.anew, false));
    }
    let nothing_listed =
        [&lists.emptied, &lists.flat, &lists.anew].iter().all(|list| list.is_empty());
    if nothing_listed && paths.iter().any(|looked| looked.path.is_empty()) {
        runs.push(root_itself(route));
    }
    runs
}

/// A full sync. `rules` of a filter say what is left out; `left_out` are paths relative to the root, which are
/// left out literally, with all that is below them, and never deleted. Both stand before the user's own rules,
/// which can take nothing of it in.
pub fn full_sync(
    route: &RemoteRoute,
    licence: Licence,
    rules: &[Vec<u8>],
    left_out: Option<&[Vec<u8>]>,
) -> Run {
    let left_out = left_out.unwrap_or_default().iter();
    let front = Front::of(left_out.map(|path| only::hides(&pattern::literal(path, b""))).collect());
    whole_root(route, licence, rules, front)
}

/// A full sync behind further rules.
pub(super) fn whole_root(
    route: &RemoteRoute,
    licence: Licence,
    rules: &[Vec<u8>],
    front: Front,
) -> Run {
    let mut flags = vec![b"-R".to_vec()];
    if !options::recursive(&options::read(&route.rsync.params)) {
        flags.push(b"-r".to_vec());
    }
    flags.extend(deleting::whatever_is_only_there(licence).map(Vec::from));
    flags.extend(hiding::temporary_files(&route.rsync.params));
    let params = deleting::licensed(&route.rsync.params, licence);
    let words = rules.iter().map(|rule| only::word(rule)).chain(front.words).chain(params);
    let args = route.arguments(words.collect(), flags);
    Run { args, input: front.lines, purpose: Purpose::FullSync }
}

/// What a flat run lists.
#[derive(Default)]
struct List<'a> {
    paths: Vec<&'a [u8]>,
    /// Directories, sorted, that are listed with all that is in them.
    whole: &'a [Arc<[u8]>],
    /// It has paths that are gone and must be deleted.
    deletes: bool,
    /// A directory over there goes with all that is in it, whichever path of the list it has.
    empties: bool,
    /// It has something that would take a directory's place over there although none was seen to go.
    may_replace: bool,
    /// The far side may be silent for long while it does what the list says.
    silent_work: bool,
    /// Something in it may have another name over there, from which it has to be parted.
    joined: bool,
}

impl List<'_> {
    fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.whole.is_empty()
    }
}

/// What each run of a batch lists.
#[derive(Default)]
struct Lists<'a> {
    /// Sorted, since the paths are gone through in order. With each, whether what is in it goes as well.
    prune: Vec<Top<'a>>,
    /// Directories that were made again, where no filter can name them.
    made_again: Vec<&'a [u8]>,
    /// Those that were directories when they were seen to go.
    emptied: List<'a>,
    flat: List<'a>,
    /// What came back under a name from which something disappeared, where it has to be [sent anew](super::anew).
    anew: List<'a>,
    /// Nothing in the lists can be on the far side already.
    all_fresh: bool,
    /// What went and is here in another case of its letters: that goes before anything is sent.
    other_case: SortedSet<&'a [u8]>,
}

impl<'a> Lists<'a> {
    fn of(
        settings: PlanSettings,
        paths: &'a [Looked],
        whole: &'a [Arc<[u8]>],
        keeps: bool,
    ) -> Lists<'a> {
        let looked = unique(paths);
        let is_listed =
            |looked: &&Looked| !matches!(looked.now, Now::Hidden | Now::Apart | Now::Unknown);
        let listed = || paths.iter().filter(is_listed);
        let all_fresh = listed().all(|looked| looked.fresh);
        let silent_work = listed().any(|looked| looked.bytes >= SILENT_WORK_BYTES_MIN);
        let flat = List { whole, may_replace: !whole.is_empty(), silent_work, ..List::default() };
        let anew = List { silent_work, ..List::default() };
        let mut lists = Lists { flat, anew, all_fresh, ..Lists::default() };
        let joined: SortedSet<&[u8]> =
            paths.iter().filter(|looked| looked.joined).map(|looked| &*looked.path).collect();
        let is_missing = |now: Now| matches!(now, Now::Missing | Now::Orphaned);
        let paths_that = |missing: bool| {
            let wanted = looked.iter().filter(move |(_, gone, now)| {
                is_missing(*now) == missing && (*gone != Gone::No || !missing)
            });
            wanted.map(|(path, _, _)| *path)
        };
        lists.other_case = letter_case::renamed(paths_that(true), paths_that(false));
        for &(path, gone, now) in &looked {
            match now {
                Now::Missing | Now::Orphaned => {
                    lists.add_missing(settings, (path, gone, now), &looked)
                }
                Now::Directory => lists.add_directory(settings, path, gone),
                Now::Other if gone != Gone::No && (keeps || joined.contains(path)) => {
                    lists.add_anew(settings, path, gone);
                    lists.anew.joined |= joined.contains(path);
                }
                Now::Other => lists.add_other(settings, path, gone),
                Now::Hidden | Now::Apart | Now::Unknown => {}
            }
        }
        lists.together()
    }

    /// The same with one flat list for both where that does no harm.
    fn together(mut self) -> Lists<'a> {
        if !self.emptied.paths.is_empty() && !self.flat.may_replace {
            let emptied = std::mem::take(&mut self.emptied);
            self.flat.paths.extend(emptied.paths);
            self.flat.deletes |= emptied.deletes;
            self.flat.silent_work |= emptied.silent_work;
            self.flat.empties = true;
        }
        for list in [&mut self.emptied, &mut self.flat] {
            list.paths.sort_unstable();
            list.paths.dedup();
        }
        self
    }

    /// Lists what is there, unless it goes with a directory that is listed with all that is in it.
    fn add(&mut self, path: &'a [u8]) {
        let is_whole = |directory: &[u8]| {
            self.flat.whole.binary_search_by(|whole| (**whole).cmp(directory)).is_ok()
        };
        if !ancestors(path).next().is_some_and(is_whole) && !is_whole(path) {
            self.flat.paths.push(path);
        }
    }

    /// What is no directory may take the place of one that was seen to go, and of no other.
    fn add_other(&mut self, settings: PlanSettings, path: &'a [u8], gone: Gone) {
        let emptied = settings.licence.covers_seen() && gone == Gone::Directory;
        match settings.way {
            Way::Combined if emptied => {
                self.emptied.paths.push(path);
                self.emptied.empties = true;
            }
            Way::Combined | Way::Portable => {
                self.add(path);
                self.flat.may_replace = true;
            }
        }
        if emptied && settings.way == Way::Portable {
            self.add_prune(path, gone);
        }
    }

    /// The same of what has to be sent anew.
    fn add_anew(&mut self, settings: PlanSettings, path: &'a [u8], gone: Gone) {
        let emptied = settings.licence.covers_seen() && gone == Gone::Directory;
        self.anew.paths.push(path);
        match settings.way {
            Way::Combined => self.anew.empties |= emptied,
            Way::Portable if emptied => self.add_prune(path, gone),
            Way::Portable => {}
        }
    }

    /// Only the topmost of several missing paths is listed: it takes the others with it.
    fn add_missing(
        &mut self,
        settings: PlanSettings,
        (path, gone, now): State<'a>,
        looked: &[State],
    ) {
        let covered = ancestors(path).any(|above| {
            // Below what is no directory now nothing can be listed: rsync would fail on it. What
            // was there goes with the entry above, now or when that one's own event arrives.
            let may_be_there = |now| matches!(now, Now::Directory | Now::Unknown);
            let absent = looked
                .binary_search_by_key(&above, |&(path, _, _)| path)
                .is_ok_and(|at| !may_be_there(looked[at].2));
            absent || self.prunes(above)
        });
        if covered || gone == Gone::No || !settings.licence.covers_seen() {
            return;
        }
        let way = match self.other_case.contains(path) {
            true => Way::Portable,
            false => settings.way,
        };
        match way {
            Way::Combined => {
                let whole = gone == Gone::Directory;
                let list = if whole { &mut self.emptied } else { &mut self.flat };
                list.paths.push(path);
                list.deletes = true;
                list.empties |= whole;
                list.silent_work |= whole;
                list.may_replace |= !whole;
            }
            // A prune run has to be let see the way to what it deletes, and would delete that as well.
            Way::Portable if now == Now::Orphaned => {}
            Way::Portable => {
                self.add_prune(path, gone);
                // Listed so that its time, changed over there by the deletion, is set again.
                self.flat.paths.extend(ancestors(path).next());
            }
        }
    }

    fn prunes(&self, path: &[u8]) -> bool {
        self.prune.binary_search_by_key(&path, |(top, _)| top).is_ok()
    }

    /// Of several below each other, only the topmost is named.
    fn add_prune(&mut self, path: &'a [u8], gone: Gone) {
        if !ancestors(path).any(|above| self.prunes(above)) {
            self.prune.push((path, gone == Gone::Directory));
        }
    }

    /// A directory where another one was has the other's content on the far side: that must go.
    fn add_directory(&mut self, settings: PlanSettings, path: &'a [u8], gone: Gone) {
        self.add(path);
        if settings.licence.covers_seen() && gone == Gone::Directory {
            self.add_prune(path, gone);
        }
    }
}

/// What a path was and is.
type State<'a> = (&'a [u8], Gone, Now);

/// The paths in order, each once. A parent stands before what is below it.
fn unique(paths: &[Looked]) -> Vec<State<'_>> {
    let mut looked: Vec<_> = paths
        .iter()
        .filter(|entry| !entry.path.is_empty())
        .map(|entry| (&*entry.path, entry.gone, entry.now))
        .collect();
    // A slash at the end would send the directory's content, and could delete in it.
    debug_assert!(looked
        .iter()
        .all(|(path, _, _)| !path.starts_with(b"/") && !path.ends_with(b"/")));
    looked.sort_by_key(|(path, _, _)| *path);
    looked.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            *kept = (kept.0, kept.1.max(later.1), later.2);
        }
        same
    });
    looked
}

/// Sends the listed paths: no recursion, directories as themselves, with their parents' attributes,
/// compared by content. rsync's own comparison (size, and time in whole seconds) misses a file that
/// is written twice in a second, and the path is here because the kernel saw it written. It may be
/// left out where there is nothing to compare with (measured for 10,000 files: 0.56 s instead of
/// 0.65).
fn flat(route: &RemoteRoute, licence: Licence, list: &List, all_fresh: bool) -> Run {
    let mut flags = words(&["--no-r", "-d", "-R"]);
    // What is joined comes with parameters of its own for that.
    if !all_fresh && !list.joined {
        flags.push(b"-c".to_vec());
    }
    if list.deletes {
        flags.extend(deleting::missing_paths(licence).map(Vec::from));
    } else if route.local.ignore_missing_args() {
        // What vanishes between the look and the run has its own event on the way. Without the word
        // the whole run would count as failed. It stays on this side: no server has to know it.
        flags.push(b"--ignore-missing-args".to_vec());
    }
    if list.empties {
        flags.extend(deleting::full_directories(licence).map(Vec::from));
    }
    if !list.whole.is_empty() {
        let patterns = temporary::PATTERNS.iter().chain([&temporary::RECEIVERS]);
        flags.extend(patterns.map(|pattern| format!("--exclude={pattern}").into_bytes()));
    }
    if !list.silent_work {
        flags.extend(route.far_side_timeout());
    }
    // -0 before the list: rsync reads the list the way that was set when it meets the option.
    flags.extend(words(&["-0", "--files-from=-"]));
    let mut input = Vec::new();
    let flat = list.paths.iter().map(|path| (*path, &b"\0"[..]));
    let whole = list.whole.iter().map(|path| (&**path, &b"/\0"[..]));
    for (path, end) in flat.chain(whole) {
        // The first ./ has the root's own attributes sent. Any ./ keeps a name that starts with # or ;
        // from being read as a comment. Elsewhere it only costs: rsync reads the list byte by byte.
        if input.is_empty() || path.starts_with(b"#") || path.starts_with(b";") {
            input.extend_from_slice(b"./");
        }
        input.extend_from_slice(path);
        input.extend_from_slice(end);
    }
    let params = options::without(&route.rsync.params, deleting::is_one);
    Run { args: route.arguments(params, flags), input, purpose: Purpose::Flat }
}

/// Sends the root's own attributes. They go along with every flat run, as those of a parent; but in
/// a list the root cannot stand, since `./` there means everything in it.
fn root_itself(route: &RemoteRoute) -> Run {
    let flags = words(&["--no-r", "-d", "-R", "--exclude=*"]);
    let params = options::without(&route.rsync.params, |option| {
        deleting::is_one(option) || options::is_filter(option)
    });
    Run { args: route.arguments(params, flags), input: Vec::new(), purpose: Purpose::Flat }
}

/// A run that needs from the remote what batches and full syncs need, for a rehearsal: it lists the
/// root and nothing in it, compares by content, and has the words that delete if there is a licence.
pub fn probe(route: &RemoteRoute, licence: Licence) -> Run {
    let mut flags = words(&["--no-r", "-d", "-R", "-c", "--exclude=*"]);
    flags.extend(deleting::what_the_filter_shows(licence).map(Vec::from));
    flags.extend(deleting::full_directories(licence).map(Vec::from));
    let params = options::without(&route.rsync.params, |option| {
        deleting::is_one(option) || options::is_filter(option)
    });
    Run { args: route.arguments(params, flags), input: Vec::new(), purpose: Purpose::Level }
}

/// Deletes on the far side what is gone here among the listed paths and in them, and makes nothing there that is
/// new. The filter lets rsync see only these and the way to them, and of these what the user's own rules let it
/// delete. What both sides have may be updated: to forbid that too (`--ignore-existing`) would keep rsync
/// from replacing a symlink over there by the directory that is here, and the deletion would follow the link
/// (measured).
fn prunes(route: &RemoteRoute, licence: Licence, tops: &[Top]) -> Vec<Run> {
    if tops.is_empty() {
        return Vec::new();
    }
    let params = options::without(&route.rsync.params, hides_from_prune);
    let mut flags = words(&["-r"]);
    flags.extend(deleting::what_the_filter_shows(licence).map(Vec::from));
    flags.extend(deleting::full_directories(licence).map(Vec::from));
    flags.push(b"--existing".to_vec());
    if !guards::may_open(&route.rsync.params) {
        let mut rules = Vec::from_iter(guards::of_backups(&route.rsync.params));
        rules.extend(only::alone(tops));
        flags.extend(words(&["-0", only::READ]));
        let mut input = rules.join(&0);
        input.push(0);
        let args = route.arguments(params, flags);
        return vec![Run { args, input, purpose: Purpose::Prune }];
    }
    only::in_front(&guards::of_rule_files(&route.rsync.params), tops)
        .into_iter()
        .map(|front| {
            let args = route.arguments([front.words, params.clone()].concat(), flags.clone());
            Run { args, input: front.lines, purpose: Purpose::Prune }
        })
        .collect()
}

/// The same for directories that are here, and by a list: with `--iconv` the far side's names are other bytes, which rsync
/// translates in lists and not in a filter. What is in them is sent along.
fn emptying(route: &RemoteRoute, licence: Licence, directories: &[&[u8]]) -> Option<Run> {
    let mut flags = words(&["-r", "-R"]);
    flags.extend(deleting::what_the_filter_shows(licence).map(Vec::from));
    flags.extend(deleting::full_directories(licence).map(Vec::from));
    flags.extend(hiding::temporary_files(&route.rsync.params));
    if route.local.ignore_missing_args() {
        flags.push(b"--ignore-missing-args".to_vec());
    }
    flags.extend(words(&["-0", "--files-from=-"]));
    let input = directories.iter().flat_map(|path| [b"./", *path, b"/\0"].concat()).collect();
    let params = options::without(&route.rsync.params, hides_from_prune);
    let run = Run { args: route.arguments(params, flags), input, purpose: Purpose::Prune };
    (!directories.is_empty()).then_some(run)
}

/// Whether an option has no place in a prune run: it would make that delete more than its list, or hide it.
fn hides_from_prune(option: &FoundOption) -> bool {
    // It deletes what the filter hides, and here that is everything else.
    option.is(deleting::HIDDEN)
        // Every directory of this run looks empty, so it would have them all deleted.
        || option.is("prune-empty-dirs")
}

/// The user's parameters for a run that names its paths behind them: an include of the user's would open it to
/// all that it names, and without it the excludes behind it would hide what is listed. So they go together.
pub(super) fn prune_params(route: &RemoteRoute) -> Vec<Vec<u8>> {
    let params = &route.rsync.params;
    let opened = options::read(params).iter().any(options::may_include);
    options::without(params, |option| {
        hides_from_prune(option) || (opened && options::is_filter(option))
    })
}

pub(super) fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[cfg(test)]
pub(super) mod real_runs;
#[cfg(test)]
pub(super) mod tests;
