//! What is renamed inside a root is not sent again, and is right in the end whatever was done to it.

use crate::harness::{eventually, Mirror, Plan, Sshd, Tree, Version, DEADLINE};
use crate::standby::{over_ssh, send};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// More than a renamed file needs to be spared.
const FILE_BYTES: usize = 100_000;

fn write(path: &Path) {
    // Different in each file, and nothing that compression makes small.
    let name = path.as_os_str().as_bytes();
    let mut state =
        name.iter().fold(1_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, words.flatten().take(FILE_BYTES).collect::<Vec<u8>>()).unwrap();
}

fn rename(root: &Path, from: &str, to: &str) {
    fs::rename(root.join(from), root.join(to)).unwrap();
}

/// Directories `a` and `b` with files, `other` with one more, and `empty`.
fn fill(root: &Path) {
    for file in ["a/one", "a/below/two", "a/below/further/three", "b/one", "b/four", "other/five"] {
        write(&root.join(file));
    }
    fs::create_dir(root.join("empty")).unwrap();
}

/// What each batch since `before` sent, as the log has it from rsync's own statistics.
fn sent(mirror: &Mirror, before: usize) -> Vec<String> {
    mirror.fence();
    let log = mirror.log();
    let batches = log[before..].lines().filter(|line| line.contains(" path"));
    batches.filter_map(|line| Some(line.split(", ").nth(1)?.to_string())).collect()
}

type Change = fn(&Path);

const SPARED: &[(&str, Change)] = &[
    ("a directory", |root| rename(root, "a", "new")),
    ("a directory, into another", |root| rename(root, "a", "other/a")),
    ("a directory, from deep below", |root| rename(root, "a/below/further", "further")),
    ("a directory, twice", |root| {
        rename(root, "a", "passing");
        rename(root, "passing", "there");
    }),
    ("a directory, and what was in it", |root| {
        rename(root, "a", "new");
        rename(root, "new/below", "other/below");
    }),
    ("a directory, over an empty one", |root| rename(root, "a", "empty")),
    ("a directory, and another to its name", |root| {
        rename(root, "a", "c");
        fs::remove_dir_all(root.join("b")).unwrap();
        rename(root, "c", "d");
    }),
    (BLANK, |root| rename(root, "a", "图片 2026")),
    ("a file", |root| rename(root, "a/one", "other/one")),
    ("a file, to the root", |root| rename(root, "a/below/two", "two")),
    ("files", |root| {
        for name in ["b/one", "b/four"] {
            rename(root, name, &format!("other/{}", &name[2..]));
        }
    }),
];

/// An rsync before 3.0.0 cannot keep it from a shell, and as the far side it does not know the word for that.
const BLANK: &str = "with a blank and beyond ASCII";

fn spares_all(plan: impl Fn() -> (Plan, Option<Sshd>)) {
    for (about, change) in SPARED {
        let (plan, sshd) = plan();
        let is_old = |version| version == Some(Version::V2_6_9);
        let is_lost =
            if is_old(Version::here()) { sshd.is_some() } else { is_old(Version::there()) };
        let is_lost = *about == BLANK && is_lost;
        fill(&plan.root);
        let mirror = plan.start();
        mirror.equal();
        let before = mirror.log().len();
        // All changes come before the first batch, even if making them is slow.
        send(mirror.pid(), Signal::SIGSTOP);
        change(&mirror.root);
        send(mirror.pid(), Signal::SIGCONT);
        mirror.equal();
        let sent = sent(&mirror, before);
        let spared = sent.len() > 1 && sent.iter().all(|bytes| bytes == "0 B");
        assert_eq!(spared, !is_lost, "{about}: {sent:?}");
    }
}

#[test]
fn nothing_is_sent_again_to_a_daemon() {
    spares_all(|| (Plan::new(), None));
}

#[test]
fn nothing_is_sent_again_to_a_directory() {
    spares_all(|| (Plan::local(), None));
}

#[test]
fn nothing_is_sent_again_over_ssh() {
    spares_all(|| {
        let (plan, sshd) = over_ssh("");
        (plan, Some(sshd))
    });
}

#[test]
fn nothing_is_sent_again_by_one_process() {
    spares_all(|| {
        let mut plan = Plan::new();
        plan.args.extend(["-n".into(), "1".into()]);
        (plan, None)
    });
}

#[test]
fn nothing_is_sent_again_when_the_remote_is_back() {
    let plan = Plan::new();
    fill(&plan.root);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.daemon.stop();
    rename(&mirror.root, "b", "new");
    // Directories that the far side has not got yet: they have to be made before.
    fs::create_dir_all(mirror.root.join("x/y")).unwrap();
    eventually("it has failed", || mirror.log().contains("rsync ended with"));
    rename(&mirror.root, "a", "x/y/z");
    let before = mirror.log().len();
    mirror.daemon.start();
    mirror.equal();
    let sent = sent(&mirror, before);
    assert!(sent.iter().all(|bytes| bytes == "0 B"), "{sent:?}");
}

#[test]
fn whatever_happens_around_a_rename_the_end_is_right() {
    let changes: &[(&str, Change)] = &[
        ("two directories change places", |root| {
            rename(root, "a", "passing");
            rename(root, "b", "a");
            rename(root, "passing", "b");
        }),
        ("something in it changes", |root| {
            rename(root, "a", "new");
            fs::write(root.join("new/one"), "changed").unwrap();
            fs::remove_file(root.join("new/below/two")).unwrap();
        }),
        ("something in it has just changed", |root| {
            fs::write(root.join("a/one"), "changed").unwrap();
            rename(root, "a", "new");
        }),
        ("something in it changes as neither size nor time tell", |root| {
            let path = root.join("a/one");
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            let mut content = fs::read(&path).unwrap();
            content.reverse();
            fs::write(&path, content).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
            rename(root, "a", "new");
        }),
        ("it comes back", |root| {
            rename(root, "a", "new");
            rename(root, "new", "a");
        }),
        ("another one takes its name", |root| {
            rename(root, "a", "new");
            write(&root.join("a/one"));
        }),
        ("it takes the name of a file", |root| {
            fs::remove_file(root.join("other/five")).unwrap();
            rename(root, "a", "other/five");
        }),
        ("it is deleted", |root| {
            rename(root, "a", "new");
            fs::remove_dir_all(root.join("new")).unwrap();
        }),
        ("a link takes its name", |root| {
            rename(root, "a", "new");
            std::os::unix::fs::symlink("other", root.join("a")).unwrap();
        }),
        ("its name is a pattern", |root| rename(root, "a", "o*[h]?r $(x) `y`")),
    ];
    for (about, change) in changes {
        let plan = Plan::local();
        fill(&plan.root);
        let mirror = plan.start();
        mirror.equal();
        change(&mirror.root);
        mirror.equal_within(DEADLINE, about);
    }
}

#[test]
fn where_a_hard_link_would_not_do_it_is_an_ordinary_change() {
    for change in [
        (|plan| plan.conf.params.push_str(" --inplace")) as fn(&mut Plan),
        |plan| plan.conf.params.push_str(" --exclude=*.o"),
        |plan| plan.conf.excludes.push("none".into()),
        |plan| plan.conf.params.push_str(" --size-only"),
        |plan| plan.conf.params.push_str(" --max-delete=1000"),
    ] {
        let mut plan = Plan::new();
        change(&mut plan);
        fill(&plan.root);
        let mirror = plan.start();
        mirror.equal();
        rename(&mirror.root, "a", "other/new");
        rename(&mirror.root, "b", "a");
        mirror.equal();
    }
}

#[test]
fn a_backup_is_another_file_than_the_one_that_is_live() {
    for params in ["-artzb", "-artz --suffix=.old --backup"] {
        let mut plan = Plan::local();
        plan.conf.params = params.into();
        fill(&plan.root);
        // It has done its full sync. With backups rsync leaves the times of directories alone.
        let mirror = plan.start();
        rename(&mirror.root, "a", "new");
        eventually("it has arrived", || mirror.remotes[0].join("new/below/further/three").exists());
        mirror.fence();
        let copy = &mirror.remotes[0];
        let files = ["new/one", "new/below/two", "new/below/further/three"];
        let names = files.map(|name| fs::metadata(copy.join(name)).unwrap().nlink());
        assert_eq!(names, [1, 1, 1], "{params}");
    }
}

/// A name of two words, of which one is the name of another directory over there.
#[test]
fn over_ssh_no_shell_splits_the_name_of_a_directory() {
    for (params, variable) in [("", Some("RSYNC_OLD_ARGS")), (" --old-args", None)] {
        if Version::here().is_some() && variable.is_none() {
            continue; // The option came with 3.2.4.
        }
        let (mut plan, _sshd) = over_ssh("");
        plan.conf.params.push_str(params);
        plan.variables.extend(variable.map(|name| (name.to_string(), "1".to_string())));
        write(&plan.root.join("stage/index.html"));
        write(&plan.root.join("www/index.html"));
        let live = fs::read(plan.root.join("www/index.html")).unwrap();
        let mirror = plan.start();
        mirror.equal();
        rename(&mirror.root, "stage", "www old");
        mirror.equal();
        assert_eq!(fs::read(mirror.remotes[0].join("www/index.html")).unwrap(), live, "{params}");
        rename(&mirror.root, "www old", "it's (new) & $x");
        mirror.equal();
    }
}

#[test]
fn from_one_root_to_another_it_is_sent() {
    let mut plan = Plan::new();
    fill(&plan.root);
    let second = plan.directory("second");
    fs::write(second.join("anchor"), "").unwrap();
    let copy = plan.daemon.module("second");
    plan.conf.root(&second, &[("127.0.0.1".into(), "second".into())]);
    let mirror = plan.start();
    mirror.equal();
    fs::rename(mirror.root.join("a"), second.join("a")).unwrap();
    mirror.equal();
    eventually("it has arrived", || Tree::compare(&second, &copy).is_ok());
}
