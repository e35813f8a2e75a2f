//! What is never sent: the filter's expressions, hidden files, editors' temporary files.

use crate::harness::{Mirror, Plan, Tree};
use std::fs;
use std::path::Path;

/// A plan whose filter has these expressions.
fn plan_excluding(expressions: &[&str]) -> Plan {
    let mut plan = Plan::new();
    plan.conf.excludes = expressions.iter().map(|expression| expression.to_string()).collect();
    plan
}

/// Writes a file, with the directories that it needs.
fn write(root: &Path, name: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, name).unwrap();
}

/// What of `names` is on the far side.
fn arrived<'a>(mirror: &Mirror, names: &[&'a str]) -> Vec<&'a str> {
    let there = |name: &&&str| mirror.remotes[0].join(name).symlink_metadata().is_ok();
    names.iter().filter(there).copied().collect()
}

/// An expression, what it excludes, and what it must let through.
const EXPRESSIONS: [(&str, &[&str], &[&str]); 7] = [
    (r"(.*)\.log", &["a.log", "d/b.log", "d/e/c.log"], &["a.log.txt", "log", "d/xlog"]),
    (r"^info/*", &["info/file", "info/d/file"], &["information", "d/info/file"]),
    (r"^static/*", &["static/x"], &["statics/x", "my/static/x"]),
    (r"tmp/", &["tmp/x", "tmp/d/x"], &["d/tmp/x", "tmpx"]),
    (r"/d/skipped", &["d/skipped"], &["skipped", "d/e/skipped", "d/skipped2"]),
    (r"d/skipped", &["d/skipped"], &["e/d/skipped"]),
    (r"(.*)/cache/(.*)", &["d/cache/x", "d/cache/y/z"], &["cached", "d/cache2"]),
];

#[test]
fn the_filter_excludes_in_real_time_what_its_expressions_match() {
    for (expression, excluded, sent) in EXPRESSIONS {
        let mirror = plan_excluding(&[expression]).start();
        for name in excluded.iter().chain(sent) {
            write(&mirror.root, name);
        }
        mirror.fence();
        assert_eq!(arrived(&mirror, excluded), [""; 0], "{expression} must exclude these");
        assert_eq!(arrived(&mirror, sent), sent, "{expression} must let these through");
    }
}

#[test]
fn the_filter_excludes_the_same_from_the_first_full_sync() {
    for (expression, excluded, sent) in EXPRESSIONS {
        let plan = plan_excluding(&[expression]);
        for name in excluded.iter().chain(sent) {
            write(&plan.root, name);
        }
        let mirror = plan.start();
        assert_eq!(arrived(&mirror, excluded), [""; 0], "{expression} must exclude these");
        assert_eq!(arrived(&mirror, sent), sent, "{expression} must let these through");
    }
}

/// A list of new files names their directory in place of them, if there is nothing else in it.
#[test]
fn what_is_excluded_does_not_go_with_the_directory_it_is_in() {
    let mirror = plan_excluding(&[r"(.*)\.log"]).start();
    let names: Vec<String> = (0..3_000).map(|i| format!("new/file{i}")).collect();
    write(&mirror.root, "new/excluded.log");
    for name in &names {
        write(&mirror.root, name);
    }
    mirror.fence();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(arrived(&mirror, &names).len(), names.len());
    assert_eq!(arrived(&mirror, &["new/excluded.log"]), [""; 0]);
}

#[test]
fn one_of_several_expressions_is_enough() {
    let mirror = plan_excluding(&[r"(.*)\.svn", r"(.*)\.gz"]).start();
    for name in ["a.svn", "b.gz", "c.txt"] {
        write(&mirror.root, name);
    }
    mirror.fence();
    assert_eq!(arrived(&mirror, &["a.svn", "b.gz", "c.txt"]), ["c.txt"]);
}

#[test]
fn a_filter_that_is_off_excludes_nothing() {
    let mut plan = Plan::new();
    write(&plan.root, "a.svn");
    plan.conf.excludes.clear();
    let mirror = plan.start();
    write(&mirror.root, "d/b.svn");
    mirror.equal();
}

#[test]
fn what_appears_below_an_excluded_directory_later_stays_excluded() {
    let plan = plan_excluding(&["skipped/"]);
    write(&plan.root, "skipped/at/the/start");
    let mirror = plan.start();
    write(&mirror.root, "skipped/at/the/end");
    write(&mirror.root, "skipped/new/deep/file");
    fs::remove_dir_all(mirror.root.join("skipped/at/the")).unwrap();
    mirror.fence();
    assert_eq!(arrived(&mirror, &["skipped"]), [""; 0]);
}

#[test]
fn what_is_moved_out_of_an_excluded_directory_arrives() {
    let plan = plan_excluding(&["skipped/", r"(.*)\.part"]);
    write(&plan.root, "skipped/file");
    write(&plan.root, "skipped/dir/below/file");
    let mirror = plan.start();
    write(&mirror.root, "download.part");
    fs::rename(mirror.root.join("skipped/file"), mirror.root.join("file")).unwrap();
    fs::rename(mirror.root.join("skipped/dir"), mirror.root.join("dir")).unwrap();
    fs::rename(mirror.root.join("download.part"), mirror.root.join("download")).unwrap();
    mirror.fence();
    let sent = ["file", "dir/below/file", "download"];
    assert_eq!(arrived(&mirror, &sent), sent);
    write(&mirror.root, "dir/below/later");
    mirror.fence();
    assert_eq!(arrived(&mirror, &["dir/below/later"]), ["dir/below/later"], "it is watched now");
}

#[test]
fn what_is_moved_into_an_excluded_directory_goes() {
    let plan = plan_excluding(&["skipped/"]);
    write(&plan.root, "skipped/here");
    write(&plan.root, "file");
    write(&plan.root, "dir/below/file");
    let mirror = plan.start();
    assert_eq!(arrived(&mirror, &["file", "dir"]), ["file", "dir"]);
    fs::rename(mirror.root.join("file"), mirror.root.join("skipped/file")).unwrap();
    fs::rename(mirror.root.join("dir"), mirror.root.join("skipped/dir")).unwrap();
    mirror.fence();
    assert_eq!(arrived(&mirror, &["file", "dir", "skipped"]), [""; 0]);
}

#[test]
fn hidden_files_are_sent_by_themselves() {
    let mirror = Plan::new().start();
    write(&mirror.root, ".htaccess");
    write(&mirror.root, ".config/.deep");
    mirror.equal();
}

// COMPAT: sersync 2.5.4 never sent a file whose name starts with a dot; directories it did send.
#[test]
fn the_hidden_attribute_leaves_out_files_with_a_dot_but_not_directories() {
    let mut plan = Plan::new();
    plan.conf.hidden = true;
    let mirror = plan.start();
    write(&mirror.root, ".htaccess");
    write(&mirror.root, "d/.hidden");
    write(&mirror.root, ".dir/file");
    mirror.fence();
    let names = [".htaccess", "d/.hidden", ".dir/file"];
    assert_eq!(arrived(&mirror, &names), [".dir/file"]);
}

#[test]
fn temporary_files_of_editors_are_not_sent() {
    const TEMPORARY: [&str; 8] = [
        "text~",
        ".text.swp",
        ".text.swo",
        ".text.swx",
        ".#text",
        ".goutputstream-X2Y3Z1",
        ".nfs000000000123",
        "d/.file.swp",
    ];
    const SENT: [&str; 8] =
        ["4913.txt", "49130", "~text", "text.swp", "#text", "goutputstream-X", "nfs000", "d/x~y"];
    let mirror = Plan::new().start();
    for name in TEMPORARY.iter().chain(&SENT) {
        write(&mirror.root, name);
    }
    mirror.fence();
    assert_eq!(arrived(&mirror, &TEMPORARY), [""; 0]);
    assert_eq!(arrived(&mirror, &SENT), SENT);
}

/// What vim does at `:w` in a directory: probe, back up, write beside, clean up.
#[test]
fn a_save_by_an_editor_sends_the_file_alone() {
    let plan = Plan::new();
    fs::write(plan.root.join("text"), "old").unwrap();
    let mirror = plan.start();
    let root = &mirror.root;
    fs::write(root.join("4913"), "").unwrap();
    fs::remove_file(root.join("4913")).unwrap();
    fs::rename(root.join("text"), root.join("text~")).unwrap();
    fs::write(root.join("text"), "new and longer").unwrap();
    fs::remove_file(root.join("text~")).unwrap();
    mirror.equal();
    assert!(Tree::read_still(&mirror.remotes[0]).len() > 2);
}
