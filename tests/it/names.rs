//! Names that a shell, a pattern or a list would read as something else.
//!
//! Each is created, changed and deleted: as a file alone (a list of one path), together with all
//! the others (a long list), and as a directory, whose name is in the paths of others.

use crate::harness::{Mirror, Plan, DEADLINE};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The longest name that a directory entry can have.
const NAME_BYTES_MAX: usize = 255;

/// Beside the odd names, so that a pattern that is taken for one has something wrong to match.
const NEIGHBOURS: [&str; 8] = ["a", "abd", "abe", "axxb", "b", "back", "backslash", "pwned"];

fn odd_names() -> Vec<OsString> {
    let mut names: Vec<OsString> = [
        "with space",
        " leading space",
        "trailing space ",
        "two  spaces",
        "tab\there",
        "single'quote",
        "double\"quote",
        "both'\"quotes",
        "'",
        "\"",
        "new\nline",
        "\n",
        "carriage\rreturn",
        "$HOME",
        "${IFS}",
        "$(touch pwned)",
        "`touch pwned`",
        "`",
        "semi;colon",
        ";leading semicolon",
        "pipe|and&more",
        "less<greater>",
        "(parens)",
        "{a,b}",
        "#hash",
        "hash#inside",
        "!bang",
        "-leading",
        "--delete",
        "--",
        "-",
        "+ plus",
        "- minus",
        "[ab]",
        "a[bc]d",
        "[",
        "]",
        "a[!b]d",
        "*",
        "**",
        "***",
        "a*b",
        "?",
        "ab?",
        "a*b?c[d]",
        "back\\slash",
        "back\\*",
        "\\",
        "\\\\",
        "\\?",
        "trailing\\",
        "...",
        "..dots",
        "percent%41",
        "colon:name",
        "host::module",
        "@at",
        "=",
        "tilde~inside",
        "&amp;",
        "\u{1}control\u{7f}",
        "中文名字",
        "e\u{301}",
        "name.ABCDEF",
    ]
    .iter()
    .map(OsString::from)
    .collect();
    names.push(OsStr::from_bytes(b"latin-\xe9-1").to_os_string());
    names.push(OsStr::from_bytes(b"\xff\xfe\x80").to_os_string());
    names.push(OsString::from("n".repeat(NAME_BYTES_MAX)));
    names.push(OsString::from("长".repeat(NAME_BYTES_MAX / 3)));
    names
}

/// A running mirror whose root has the neighbours.
fn mirror_with_neighbours() -> Mirror {
    let plan = Plan::new();
    for name in NEIGHBOURS {
        fs::write(plan.root.join(name), name).unwrap();
    }
    plan.start()
}

#[test]
fn odd_names_arrive_one_by_one() {
    let mirror = mirror_with_neighbours();
    for name in odd_names() {
        let path = mirror.root.join(&name);
        let about = format!("with the file {name:?}");
        let step = |what: &str| mirror.equal_within(DEADLINE, &format!("{about} {what}"));
        fs::write(&path, "content").unwrap();
        step("created");
        fs::write(&path, "other content").unwrap();
        step("changed");
        fs::remove_file(&path).unwrap();
        step("deleted");
    }
}

#[test]
fn odd_names_arrive_all_at_once() {
    let mirror = mirror_with_neighbours();
    let paths: Vec<PathBuf> = odd_names().iter().map(|name| mirror.root.join(name)).collect();
    for content in ["content", "other content"] {
        for path in &paths {
            fs::write(path, content).unwrap();
        }
        mirror.equal();
    }
    for path in &paths {
        fs::remove_file(path).unwrap();
    }
    mirror.equal();
}

#[test]
fn odd_names_of_directories_arrive() {
    let mirror = mirror_with_neighbours();
    let paths: Vec<PathBuf> = odd_names().iter().map(|name| mirror.root.join(name)).collect();
    for path in &paths {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), "content").unwrap();
        fs::create_dir(path.join("below")).unwrap();
    }
    mirror.equal();
    for path in &paths {
        fs::write(path.join("below/file"), "content").unwrap();
        fs::remove_file(path.join("file")).unwrap();
    }
    mirror.equal();
    for path in &paths {
        fs::remove_dir_all(path).unwrap();
    }
    mirror.equal();
}

#[test]
fn odd_names_are_renamed() {
    let mirror = mirror_with_neighbours();
    let names = odd_names();
    fs::write(mirror.root.join("start"), "content").unwrap();
    let mut now = mirror.root.join("start");
    for name in &names {
        let next = mirror.root.join(name);
        fs::rename(&now, &next).unwrap();
        now = next;
    }
    mirror.equal();
    fs::rename(&now, mirror.root.join("end")).unwrap();
    mirror.equal();
}

#[test]
fn odd_names_arrive_with_the_first_full_sync() {
    let plan = Plan::new();
    for name in odd_names() {
        fs::write(plan.root.join(name), "content").unwrap();
    }
    plan.start().equal();
}

/// The words of a name that a shell would run; that nothing was run is seen by what it would leave.
#[test]
fn a_name_with_a_command_is_not_run() {
    let mirror = Plan::new().start();
    for name in ["`touch pwned`", "$(touch pwned)", "a;touch pwned", "\";touch pwned;\""] {
        fs::write(mirror.root.join(name), "content").unwrap();
        fs::create_dir(mirror.root.join(format!("{name} as a directory"))).unwrap();
    }
    mirror.equal();
    for dir in [mirror.root.as_path(), mirror.dir(), mirror.remotes[0].as_path()] {
        assert!(!dir.join("pwned").exists(), "a name was run as a command in {}", dir.display());
    }
}
