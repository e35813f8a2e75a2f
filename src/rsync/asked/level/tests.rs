//! The runs of a level sync, and what they do to a real daemon.

use super::super::plan::real_runs::{make, tree, Lab};
use super::super::plan::tests::{rsync, NEW};
use super::super::route::tests::route_to;
use super::*;
use crate::config::Address;
use std::ffi::OsStr;

fn paths(written: &[&str]) -> Vec<Arc<[u8]>> {
    written.iter().map(|path| path.as_bytes().into()).collect()
}

fn bytes(written: &[&str]) -> Vec<Vec<u8>> {
    written.iter().map(|path| path.as_bytes().to_vec()).collect()
}

/// Each run as its words and its list with NULs as spaces.
fn planned(depth: Depth, left_out: &[&str], directories: &[&str]) -> Vec<String> {
    let address = Address::Local { path: "/d".into() };
    let rsync = rsync(&["-am", "--delete-excluded"]);
    let route = route_to(&address, &rsync, NEW);
    let (left_out, directories) = (bytes(left_out), paths(directories));
    let rules = bytes(&["-sr *.o"]);
    let level = Level { route: &route, depth, licence: Licence::Unseen, rules: &rules };
    let runs = runs(level, Some(&left_out), &directories);
    let line = |run: &Run| {
        let args = run.args.join(OsStr::new(" ")).into_string().unwrap();
        format!("{args} < {}", String::from_utf8_lossy(&run.input).replace('\0', " ").trim_end())
    };
    runs.iter().map(line).collect()
}

#[test]
fn directories_share_a_run() {
    const ONE: &str = "-a --no-r -d -R --delete --force";
    const ALL: &str = "-am -r -R --delete --force";
    const END: &str = "--filter=S */ --filter=H *~ --filter=H .*.sw? --filter=H .#* \
                       --filter=H .goutputstream-* --filter=H .nfs* --ignore-missing-args -0 \
                       --files-from=- ./ /d <";
    let line = |rules: &str, words: &str, list: &str| {
        Some(format!("--filter=-sr *.o {rules}{words} {END} {list}"))
    };
    type Case<'a> = (Depth, &'a [&'a str], &'a [&'a str], Option<String>);
    let cases: [Case; 7] = [
        (Depth::One, &[], &[], None),
        (Depth::One, &[], &["b", "", "a/b", "b"], line("", ONE, "./ ./a/b/ ./b/")),
        (Depth::All, &[], &["a/b"], line("", ALL, "./a/b/")),
        // Only what can be seen in a listed directory needs a word.
        (
            Depth::One,
            &["a", "b/x", "b/x*", "b/c/y", "b.z", "c"],
            &["a", "a/c", "b", "d"],
            line("--filter=-sr /b/x --filter=-sr /b/x\\* ", ONE, "./b/ ./d/"),
        ),
        (Depth::One, &["x", "a/y"], &[""], line("--filter=-sr /x ", ONE, "./")),
        (
            Depth::All,
            &["a", "b/x", "b/c/y", "b.z"],
            &["a/c", "b"],
            line("--filter=-sr /b/c/y --filter=-sr /b/x ", ALL, "./b/"),
        ),
        (Depth::One, &["a"], &["a", "a/b/c"], None),
    ];
    for (depth, left_out, directories, expected) in cases {
        let runs = planned(depth, left_out, directories);
        assert_eq!(runs, Vec::from_iter(expected), "{depth:?} {left_out:?} {directories:?}");
    }
}

#[test]
fn no_command_grows_past_its_limit() {
    let names: Vec<String> = (0..2000)
        .map(|n| format!("{}/{n:0250}", ["few", "many", "some"][(n + 1).min(130) / 65]))
        .collect();
    let left_out: Vec<&str> = names.iter().map(String::as_str).collect();
    let runs = planned(Depth::One, &left_out, &["few", "many", "none", "some"]);
    let shapes: Vec<(usize, bool)> = runs
        .iter()
        .map(|run| (run.matches("--filter=-sr /").count(), run.contains("--files-from=-")))
        .collect();
    assert_eq!(shapes, [(64, true), (0, false), (65, true),]);
    assert!(runs[0].ends_with("< ./few/") && runs[2].ends_with("< ./many/ ./none/"), "{runs:?}");
    assert!(runs[1].contains("./some/ /d < -sr /some/"), "{}", runs[1]);
}

const NEAR: &[&str] =
    &["a/b/new=", "a/b/sub/unsent=", "a/b/turned=", "a/b/x.o=", "a/b/log=", "a/c/", "deep/d/e=1"];
const FAR: &[&str] = &[
    "a/b/extra/deep/z=",
    "a/b/far.o=",
    "a/b/gone=",
    "a/b/kept[1]=",
    "a/b/sub/own=",
    "a/b/turned/old=",
    "a/c/own=",
    "a/own=",
    "deep/d/gone=",
    "top=",
];

fn run_all(lab: &Lab, depth: Depth, params: &[&str], left_out: &[Vec<u8>], directories: &[&str]) {
    let rsync = lab.rsync(params);
    let route = route_to(&lab.address, &rsync, NEW);
    let rules = bytes(&["-sr *.o"]);
    let level = Level { route: &route, depth, licence: Licence::Unseen, rules: &rules };
    for run in runs(level, Some(left_out), &paths(directories)) {
        lab.run(&run);
    }
}

#[test]
fn one_level_is_made_equal_and_nothing_else() {
    let lab = Lab::new();
    let few = bytes(&["a/b/log", "a/b/kept[1]"]);
    // So many that the directory has a run of its own: the same comes of it.
    let many =
        [few.clone(), (0..200).map(|n| format!("a/b/{n:0200}").into_bytes()).collect()].concat();
    for params in [&["-artz"][..], &["-artm", "--delete-excluded"], &["-a", "--no-dirs", "--del"]] {
        for left_out in [&few, &many] {
            lab.clear();
            make(&lab.near(), NEAR);
            make(&lab.far(), FAR);
            run_all(&lab, Depth::One, params, left_out, &["a/b"]);
            let expected = [
                "a/",
                "a/b/",
                "a/b/far.o=",
                "a/b/kept[1]=",
                "a/b/new=",
                "a/b/sub/",
                "a/b/sub/own=",
                "a/b/turned=",
                "a/c/",
                "a/c/own=",
                "a/own=",
                "deep/",
                "deep/d/",
                "deep/d/gone=",
                "top=",
            ];
            assert_eq!(tree(&lab.far()), expected, "{params:?} {}", left_out.len());
        }
    }
}

#[test]
fn the_root_is_a_level_too() {
    let lab = Lab::new();
    make(&lab.near(), &["a/unsent=", "new/unsent=", "file="]);
    make(&lab.far(), &["a/own=", "extra/deep/z=", "extra.o=", "top=", "gone="]);
    run_all(&lab, Depth::One, &["-artz"], &bytes(&["top"]), &[""]);
    assert_eq!(tree(&lab.far()), ["a/", "a/own=", "extra.o=", "file=", "new/", "top="]);
}

#[test]
fn a_whole_tree_is_made_equal_below_the_listed_directory_only() {
    let lab = Lab::new();
    make(&lab.near(), NEAR);
    make(&lab.far(), FAR);
    run_all(&lab, Depth::All, &["-artz"], &bytes(&["a/b/kept[1]", "a/c"]), &["a/b", "a/c", "deep"]);
    let expected = [
        "a/",
        "a/b/",
        "a/b/far.o=",
        "a/b/kept[1]=",
        "a/b/log=",
        "a/b/new=",
        "a/b/sub/",
        "a/b/sub/unsent=",
        "a/b/turned=",
        "a/c/",
        "a/c/own=",
        "a/own=",
        "deep/",
        "deep/d/",
        "deep/d/e=1",
        "top=",
    ];
    assert_eq!(tree(&lab.far()), expected);
}

#[test]
fn what_the_user_hides_above_the_level_is_not_touched() {
    let lab = Lab::new();
    let kept: Vec<String> =
        FAR.iter().filter(|path| path.starts_with("a/")).map(|path| path.to_string()).collect();
    for depth in [Depth::One, Depth::All] {
        for params in [&["-artz", "--exclude=/a"][..], &["-artz", "-f", "- /a"]] {
            lab.clear();
            make(&lab.near(), NEAR);
            make(&lab.far(), FAR);
            run_all(&lab, depth, params, &[], &["a/b", "deep/d"]);
            let far = tree(&lab.far());
            assert!(kept.iter().all(|path| far.contains(path)), "{params:?} {far:?}");
            assert!(far.contains(&"top=".into()), "{depth:?} {params:?}: nobody asked for it");
            assert!(far.contains(&"deep/d/e=1".into()) && !far.contains(&"deep/d/gone=".into()));
            assert!(!far.contains(&"a/b/new=".into()), "{params:?} {far:?}");
        }
    }
}
