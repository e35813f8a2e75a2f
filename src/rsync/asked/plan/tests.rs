//! The words and lists of a batch's runs.

use super::super::capability::{Capability, Version};
use super::super::route::tests::route_to;
use super::*;
use crate::config::{Address, Rsync};
use std::ffi::OsStr;

const OLD: Capability = Capability { version: Version { major: 2, minor: 6, patch: 9 } };

pub(in crate::rsync) const NEW: Capability =
    Capability { version: Version { major: 3, minor: 5, patch: 0 } };

/// Runs that find no standby, and delete in each way.
pub(in crate::rsync) const COMBINED: PlanSettings =
    PlanSettings { licence: Licence::Seen, way: Way::Combined, standby: false };
pub(in crate::rsync) const PORTABLE: PlanSettings = PlanSettings { way: Way::Portable, ..COMBINED };
/// The same, which may not delete.
pub(in crate::rsync) const NEVER: PlanSettings =
    PlanSettings { licence: Licence::Nothing, ..COMBINED };

pub(in crate::rsync) fn looked(path: &[u8], gone: Gone, now: Now) -> Looked {
    Looked { path: path.into(), gone, now, bytes: 0, fresh: false, joined: false }
}

pub(in crate::rsync) fn rsync(params: &[&str]) -> Rsync {
    Rsync { params: words(params), ..Rsync::default() }
}

pub(super) fn disappeared() -> [Looked; 4] {
    [
        looked(b"a/b", Gone::Directory, Now::Missing),
        looked(b"a/c", Gone::Entry, Now::Missing),
        looked(b"gone", Gone::Entry, Now::Missing),
        looked(b"lone/gone", Gone::Entry, Now::Missing),
    ]
}

/// The runs to a local directory, each as its words and its list with NULs as spaces.
fn planned(
    params: &[&str],
    local: Capability,
    deletes: PlanSettings,
    paths: &[Looked],
) -> Vec<String> {
    let (address, rsync) = (Address::Local { path: "/d".into() }, rsync(params));
    let runs = batch(&route_to(&address, &rsync, local), deletes, paths, &[]);
    let line = |run: &Run| {
        let args = run.args.join(OsStr::new(" ")).into_string().unwrap();
        let input = String::from_utf8(run.input.clone()).unwrap();
        format!("{args} < {}", input.replace('\0', " ").trim_end())
    };
    runs.iter().map(line).collect()
}

#[test]
fn each_state_of_a_path_has_its_runs() {
    use Gone::*;
    const FLAT: &str = "-a --no-r -d -R -c --ignore-missing-args -0 --files-from=- ./ /d < ./a/b";
    const FORCED: &str =
        "-a --no-r -d -R -c --ignore-missing-args --force -0 --files-from=- ./ /d < ./a/b";
    const DELETE: &str = "-a --no-r -d -R -c --delete-missing-args -0 --files-from=- ./ /d < ./a/b";
    const DELETE_TREE: &str =
        "-a --no-r -d -R -c --delete-missing-args --force -0 --files-from=- ./ /d < ./a/b";
    const PARENT: &str = "-a --no-r -d -R -c --ignore-missing-args -0 --files-from=- ./ /d < ./a";
    const PRUNE: &str =
        "-a -r --delete --force --existing -0 --filter=. - ./ /d < S /a/ + /a/b - *";
    const PRUNE_TREE: &str =
        "-a -r --delete --force --existing -0 --filter=. - ./ /d < S /a/ + /a/b + /a/b/*** - *";
    for (deletes, gone, now, expected) in [
        (NEVER, No, Now::Missing, &[][..]),
        (NEVER, Entry, Now::Missing, &[]),
        (NEVER, Directory, Now::Missing, &[]),
        (NEVER, No, Now::Directory, &[FLAT]),
        (NEVER, Entry, Now::Directory, &[FLAT]),
        (NEVER, Directory, Now::Directory, &[FLAT]),
        (NEVER, No, Now::Other, &[FLAT]),
        (NEVER, Entry, Now::Other, &[FLAT]),
        (NEVER, Directory, Now::Other, &[FLAT]),
        (COMBINED, No, Now::Missing, &[]),
        (COMBINED, Entry, Now::Missing, &[DELETE]),
        (COMBINED, Directory, Now::Missing, &[DELETE_TREE]),
        (COMBINED, No, Now::Directory, &[FLAT]),
        (COMBINED, Entry, Now::Directory, &[FLAT]),
        (COMBINED, Directory, Now::Directory, &[PRUNE_TREE, FLAT]),
        (COMBINED, No, Now::Other, &[FLAT]),
        (COMBINED, Entry, Now::Other, &[FLAT]),
        (COMBINED, Directory, Now::Other, &[FORCED]),
        (PORTABLE, No, Now::Missing, &[]),
        (PORTABLE, Entry, Now::Missing, &[PRUNE, PARENT]),
        (PORTABLE, Directory, Now::Missing, &[PRUNE_TREE, PARENT]),
        (PORTABLE, No, Now::Directory, &[FLAT]),
        (PORTABLE, Entry, Now::Directory, &[FLAT]),
        (PORTABLE, Directory, Now::Directory, &[PRUNE_TREE, FLAT]),
        (PORTABLE, No, Now::Other, &[FLAT]),
        (PORTABLE, Entry, Now::Other, &[FLAT]),
        (PORTABLE, Directory, Now::Other, &[PRUNE_TREE, FLAT]),
    ] {
        let runs = planned(&["-a"], NEW, deletes, &[looked(b"a/b", gone, now)]);
        assert_eq!(runs, expected, "{deletes:?} {gone:?} {now:?}");
    }
}

#[test]
fn a_directory_that_was_not_seen_to_go_does_not_go_with_what_was_in_it() {
    let orphan = [looked(b"a/b", Gone::Directory, Now::Orphaned)];
    assert_eq!(
        planned(&["-a"], NEW, COMBINED, &orphan),
        ["-a --no-r -d -R -c --delete-missing-args --force -0 --files-from=- ./ /d < ./a/b"]
    );
    assert!(planned(&["-a"], NEW, PORTABLE, &orphan).is_empty());
    let hidden = [looked(b"a/b", Gone::Directory, Now::Hidden)];
    for settings in [COMBINED, PORTABLE] {
        assert!(planned(&["-a"], NEW, settings, &hidden).is_empty());
    }
}

#[test]
fn what_could_not_be_looked_at_is_neither_sent_nor_deleted_nor_taken_for_missing() {
    let paths = [
        looked(b"a", Gone::Directory, Now::Unknown),
        looked(b"a/b", Gone::Entry, Now::Missing),
        looked(b"c", Gone::No, Now::Unknown),
        looked(b"d", Gone::Entry, Now::Unknown),
    ];
    for settings in [COMBINED, PORTABLE, NEVER] {
        assert!(planned(&["-a"], NEW, settings, &paths[2..]).is_empty());
    }
    assert_eq!(
        planned(&["-a"], NEW, COMBINED, &paths),
        ["-a --no-r -d -R -c --delete-missing-args -0 --files-from=- ./ /d < ./a/b"]
    );
}

#[test]
fn only_the_topmost_is_deleted_and_lists_are_sorted_and_unique() {
    use Gone::*;
    let paths = [
        looked(b"z", No, Now::Other),
        looked(b"d/x", Entry, Now::Missing),
        looked(b"d", Directory, Now::Missing),
        looked(b"d-x", Entry, Now::Missing),
        looked(b"d/e/f", Directory, Now::Missing),
        looked(b"file/x", Entry, Now::Missing),
        looked(b"file", Directory, Now::Other),
        looked(b"again", Directory, Now::Directory),
        looked(b"again/gone", Entry, Now::Missing),
        looked(b"again/sub", Directory, Now::Directory),
        looked(b"brief/x", Entry, Now::Missing),
        looked(b"brief", No, Now::Missing),
        looked(b"", No, Now::Directory),
        looked(b"twice", Entry, Now::Other),
        looked(b"twice", No, Now::Missing),
        looked(b"z", Directory, Now::Other),
    ];
    let prune = "-r --delete --force --existing -0 --filter=. - ./ /d <";
    assert_eq!(
        planned(&[], NEW, COMBINED, &paths),
        [
            format!("{prune} + /again + /again/*** - *"),
            "--no-r -d -R -c --delete-missing-args --force -0 --files-from=- ./ /d < ./d file z"
                .to_string(),
            "--no-r -d -R -c --delete-missing-args -0 --files-from=- ./ /d \
             < ./again again/sub d-x twice"
                .to_string()
        ]
    );
    assert_eq!(
        planned(&[], OLD, PORTABLE, &paths),
        [
            format!(
                "{prune} + /again + /again/*** + /d + /d/*** + /d-x + /file + /file/*** + /twice \
                 + /z + /z/*** - *"
            ),
            "--no-r -d -R -c -0 --files-from=- ./ /d < ./again again/sub file z".to_string()
        ]
    );
    assert_eq!(
        planned(&[], OLD, NEVER, &paths),
        ["--no-r -d -R -c -0 --files-from=- ./ /d < ./again again/sub file z"]
    );
}

#[test]
fn a_directory_that_was_seen_to_go_makes_way_and_no_other_one() {
    use Gone::*;
    const FORCED: &str =
        "-a --no-r -d -R -c --ignore-missing-args --force -0 --files-from=- ./ /d <";
    const PLAIN: &str = "-a --no-r -d -R -c --ignore-missing-args -0 --files-from=- ./ /d <";
    let replaced = looked(b"was/dir", Directory, Now::Other);
    let directory = looked(b"new", No, Now::Directory);
    let file = looked(b"new/f", No, Now::Other);
    for (paths, expected) in [
        (&[replaced.clone(), directory.clone()][..], vec![format!("{FORCED} ./new was/dir")]),
        (
            &[replaced.clone(), directory.clone(), file.clone()],
            vec![format!("{FORCED} ./was/dir"), format!("{PLAIN} ./new new/f")],
        ),
    ] {
        assert_eq!(planned(&["-a"], NEW, COMBINED, paths), expected);
    }
}

#[test]
fn what_the_users_parameters_keep_they_keep_in_a_batch() {
    let gone = [looked(b"a/b", Gone::Directory, Now::Missing)];
    let end = "-r --delete --force --existing";
    for (params, prune) in [
        (
            &["-a", "--exclude=x"][..],
            format!("-a --exclude=x {end} -0 --filter=. - ./ /d < S /a/ + /a/b + /a/b/*** - *"),
        ),
        (
            &["-ab", "--suffix=.o"],
            format!(
                "-ab --suffix=.o {end} -0 --filter=. - ./ /d < P *.o S /a/ + /a/b + /a/b/*** - *"
            ),
        ),
        (
            &["-aFF", "--include=y", "--del", "-m"],
            format!(
                "--filter=. - -aFF --include=y --del {end} ./ /d < P .rsync-filter\n-sr /[^a]*\n-sr /a?*\nP /a\n\
                 -sr /a/[^b]*\n-sr /a/b?*"
            ),
        ),
    ] {
        let runs = planned(params, NEW, COMBINED, &gone);
        assert_eq!(runs[0], prune);
        assert!(!runs[1].contains(" --del") && !runs[1].contains("--force"), "{runs:?}");
    }
}

#[test]
fn a_whole_directory_stands_for_all_that_is_in_it() {
    use Gone::*;
    let paths = [
        looked(b"", No, Now::Directory),
        looked(b"d", No, Now::Directory),
        looked(b"d/f", No, Now::Other),
        looked(b"d/gone", Entry, Now::Missing),
        looked(b"d/part", No, Now::Directory),
        looked(b"d/part/f", No, Now::Other),
        looked(b"d/whole", No, Now::Directory),
        looked(b"d/whole/f", No, Now::Other),
        looked(b"d/whole/replaced", Directory, Now::Other),
        looked(b"dd/f", No, Now::Other),
        looked(b"f", No, Now::Other),
    ];
    let (address, rsync) = (Address::Local { path: "/d".into() }, rsync(&["-a"]));
    let route = route_to(&address, &rsync, NEW);
    let inputs = |deletes| -> Vec<String> {
        let whole = [Arc::from(&b"d"[..]), Arc::from(&b"d/whole"[..])];
        let runs = batch(&route, deletes, &paths, &whole);
        let forces = |run: &Run| run.args.contains(&OsString::from("--force"));
        let input = |run: &Run| String::from_utf8_lossy(&run.input).replace('\0', " ");
        runs.iter().map(|run| format!("{} {}", input(run), forces(run))).collect()
    };
    // What was a directory is not forgotten for lying in a whole one.
    assert_eq!(
        inputs(COMBINED),
        ["./d/whole/replaced  true", "./d/gone d/part/f dd/f f d/ d/whole/  false"]
    );
    assert_eq!(inputs(NEVER), ["./d/part/f dd/f f d/ d/whole/  false"]);
    // A list of whole directories alone is a list.
    let runs = batch(&route, NEVER, &paths[1..3], &[Arc::from(&b"d"[..])]);
    assert_eq!(runs.iter().map(|run| &run.input[..]).collect::<Vec<_>>(), [b"./d/\0"]);
}

#[test]
fn no_run_of_a_batch_deletes_what_the_users_filter_hides() {
    let paths = [looked(b"a", Gone::Directory, Now::Directory)];
    let runs = planned(&["-a", "--delete-excluded", "--exclude=x"], NEW, PORTABLE, &paths);
    assert_eq!(runs.len(), 2);
    for run in runs {
        assert!(run.starts_with("-a --exclude=x -") && !run.contains("excluded"), "{run}");
    }
}

#[test]
fn where_names_are_other_bytes_over_there_no_filter_names_a_directory() {
    let again = [looked(b"d", Gone::Directory, Now::Directory)];
    let runs = planned(&["-a", "--iconv=UTF-8,GBK"], NEW, COMBINED, &again);
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0].starts_with("-a --iconv=UTF-8,GBK -r -R --delete --force --filter=S "));
    assert!(runs[0].ends_with(" --ignore-missing-args -0 --files-from=- ./ /d < ./d/"), "{runs:?}");
    assert!(planned(&["-a", "--iconv=."], NEW, NEVER, &again)[0].contains(" --no-r "));
}

#[test]
fn a_word_of_the_users_that_deletes_needs_the_licence_as_well() {
    let rsync = rsync(&["-a", "--delete-after", "--force", "--delete-excluded", "--exclude=x"]);
    let route = route_to(&Address::Local { path: "/d".into() }, &rsync, NEW);
    for (licence, expected) in [
        (Licence::Nothing, &["-a", "--exclude=x"][..]),
        (Licence::Seen, &["-a", "--exclude=x"]),
        (Licence::Unseen, &["-a", "--delete-after", "--force", "--delete-excluded", "--exclude=x"]),
    ] {
        let args = full_sync(&route, licence, &[], None).args;
        assert_eq!(args[..expected.len()], *expected, "{licence:?}");
        assert_eq!(args[expected.len()], "-R", "{licence:?}");
    }
}

#[test]
fn lists_end_every_entry_with_a_nul() {
    let (address, rsync) = (Address::Local { path: "/d".into() }, rsync(&["-a"]));
    let route = route_to(&address, &rsync, NEW);
    for run in batch(&route, PORTABLE, &disappeared(), &[]) {
        assert_eq!(run.input.last(), Some(&0));
        assert!(!run.input.windows(2).any(|pair| pair == [0, 0]), "an empty entry");
    }
    let run = full_sync(&route, Licence::Unseen, &[], Some(&[]));
    assert!(run.input.is_empty() && !run.args.contains(&OsString::from("-0")));
}

/// The words of the flat run to a daemon.
fn flat_words(local: Capability, address: Address, path: Looked) -> String {
    let rsync = rsync(&["-a"]);
    let route = route_to(&address, &rsync, local);
    let runs = batch(&route, COMBINED, &[path], &[]);
    runs[0].args.join(OsStr::new(" ")).into_string().unwrap()
}

#[test]
fn a_daemon_waits_longer_than_we_do_unless_this_side_waits_for_it() {
    let daemon = || Address::Daemon { host: "h".into(), module: b"m".to_vec() };
    let ssh = Address::Ssh { host: "h".into(), path: b"/p".to_vec() };
    let small = looked(b"a", Gone::No, Now::Other);
    let large = Looked { bytes: SILENT_WORK_BYTES_MIN, ..small.clone() };
    let directory = looked(b"a", Gone::Directory, Now::Missing);
    let file = looked(b"a", Gone::Entry, Now::Missing);
    for (local, address, path, longer) in [
        (NEW, daemon(), small.clone(), true),
        (NEW, daemon(), file, true),
        (NEW, daemon(), large, false),
        (NEW, daemon(), directory, false),
        (OLD, daemon(), small.clone(), false),
        (NEW, ssh, small, false),
    ] {
        let words = flat_words(local, address, path);
        assert_eq!(words.contains(" -M--timeout=900 "), longer, "{words}");
        assert!(words.contains("--timeout=600"), "{words}");
    }
}

/// The words of a standby.
fn standby_words(local: Capability, deletes: PlanSettings) -> Vec<OsString> {
    let address = Address::Daemon { host: "h".into(), module: b"m".to_vec() };
    let rsync = rsync(&["-artz"]);
    let route = route_to(&address, &rsync, local);
    standby(&route, PlanSettings { standby: true, ..deletes })
}

#[test]
fn a_standby_does_every_flat_run_that_has_nothing_special_to_do() {
    use Gone::*;
    let file = looked(b"a/b", No, Now::Other);
    let large = Looked { bytes: SILENT_WORK_BYTES_MIN, ..file.clone() };
    let fresh = Looked { fresh: true, ..file.clone() };
    let gone = looked(b"a/b", Entry, Now::Missing);
    let tree_gone = looked(b"a/b", Directory, Now::Missing);
    let replaced = looked(b"a/b", Directory, Now::Other);
    for (local, deletes, path, runs, by_standby) in [
        (NEW, COMBINED, &file, 1, true),
        (NEW, PORTABLE, &file, 1, true),
        (NEW, NEVER, &file, 1, true),
        (OLD, PORTABLE, &file, 1, true),
        (NEW, COMBINED, &gone, 1, true),
        // What is sent after the deletion.
        (NEW, PORTABLE, &gone, 2, true),
        // The far side may be silent for long.
        (NEW, COMBINED, &large, 1, false),
        (NEW, COMBINED, &tree_gone, 1, false),
        // Nothing is compared with what cannot be there.
        (NEW, COMBINED, &fresh, 1, false),
        // No standby empties directories.
        (NEW, COMBINED, &replaced, 1, false),
        (OLD, PORTABLE, &replaced, 2, true),
    ] {
        let address = Address::Daemon { host: "h".into(), module: b"m".to_vec() };
        let rsync = rsync(&["-artz"]);
        let route = route_to(&address, &rsync, local);
        let settings = PlanSettings { standby: true, ..deletes };
        let planned = batch(&route, settings, std::slice::from_ref(path), &[]);
        let what = format!("{deletes:?} {path:?}");
        assert_eq!(planned.len(), runs, "{what}");
        let words = standby_words(local, deletes);
        assert_eq!(planned.last().unwrap().args == words, by_standby, "{what}: {words:?}");
    }
}

#[test]
fn a_standby_empties_no_directory() {
    for (deletes, deletes_missing) in [(COMBINED, true), (PORTABLE, false), (NEVER, false)] {
        let words = standby_words(NEW, deletes);
        let has = |word: &str| words.contains(&OsString::from(word));
        assert_eq!(has("--delete-missing-args"), deletes_missing, "{words:?}");
        assert!(!has("--force") && !has("--delete") && has("--no-r") && has("-c"), "{words:?}");
    }
}

#[test]
fn a_name_that_is_here_in_another_case_is_deleted_before_it_is_sent() {
    let paths = [
        looked(b"readme", Gone::Entry, Now::Missing),
        looked(b"README", Gone::No, Now::Other),
        looked(b"other", Gone::Entry, Now::Missing),
    ];
    let runs = planned(&["-a"], NEW, COMBINED, &paths);
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert!(runs[0].contains("--delete ") && runs[0].ends_with("< + /readme - *"), "{runs:?}");
    assert!(runs[1].contains("--delete-missing-args") && runs[1].ends_with("< ./README other"));
}
