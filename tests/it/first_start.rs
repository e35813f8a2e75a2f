//! A first start without `-r`: what was there before is not sent, and whatever changes from then on
//! is.

use crate::harness::{eventually, Plan, Tree, DEADLINE};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

/// So many that setting their watches takes some time.
const DIRECTORIES: usize = 30_000;

/// Looks without a pause: what is waited for lasts for a part of a second.
fn at_once<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
    }
}

/// The process whose last argument is this file.
fn process_of(conf: &Path) -> Option<Pid> {
    let end = [conf.as_os_str().as_bytes(), b"\0"].concat();
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_it =
        |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it.ends_with(&end));
    pids.find(is_it).map(Pid::from_raw)
}

/// The inodes that a process watches.
fn watched(pid: Pid) -> HashSet<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return HashSet::new() };
    let texts = files.flatten().map(|file| fs::read_to_string(file.path()).unwrap_or_default());
    let text: String = texts.collect();
    let inode = |line: &str| {
        let (_, rest) = line.strip_prefix("inotify ")?.split_once("ino:")?;
        u64::from_str_radix(rest.split(' ').next()?, 16).ok()
    };
    text.lines().filter_map(inode).collect()
}

/// Holds the program when it has set its first watches, and changes what it does not watch yet: a file is
/// rewritten in the first directory, made in the second, made deep in the third; the fourth has got its name.
fn interfere(conf: &Path, root: &Path) -> [PathBuf; 4] {
    let pid = at_once("the program runs", || process_of(conf));
    at_once("it watches", || (!watched(pid).is_empty()).then_some(()));
    kill(pid, Signal::SIGSTOP).unwrap();
    let watched = watched(pid);
    let is_unwatched = |path: &PathBuf| !watched.contains(&fs::metadata(path).unwrap().ino());
    let directories = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = directories.filter(is_unwatched).take(4).collect();
    let Ok([rewritten, new, made, old]) = <[PathBuf; 4]>::try_from(found) else {
        panic!("all was watched already: {} inodes", watched.len());
    };
    fs::write(rewritten.join("old"), "as it is").unwrap();
    fs::write(new.join("new"), "new").unwrap();
    fs::create_dir_all(made.join("directory/below")).unwrap();
    fs::write(made.join("directory/below/file"), "made").unwrap();
    let moved = root.join("moved");
    fs::rename(old, &moved).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    [rewritten, new, made, moved]
}

#[test]
fn what_changes_while_the_watches_are_set_arrives_and_nothing_older() {
    let mut plan = Plan::new();
    plan.args.clear();
    for number in 0..DIRECTORIES {
        let directory = plan.root.join(number.to_string());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("old"), "as it was").unwrap();
    }
    let (conf, root) = (plan.directory("").join("confxml.xml"), plan.root.clone());
    let watched_root = root.clone();
    let interfering = thread::spawn(move || interfere(&conf, &watched_root));
    let mirror = plan.start();
    let [rewritten, new, made, moved] = interfering.join().unwrap();
    let far = |near: &Path| mirror.remotes[0].join(near.strip_prefix(&root).unwrap());
    eventually("all of it is there", || {
        far(&new.join("new")).exists()
            && far(&made.join("directory/below/file")).exists()
            && far(&moved.join("old")).exists()
            && fs::read(far(&rewritten.join("old"))).is_ok_and(|content| content == b"as it is")
    });
    mirror.fence();
    let there = Tree::read_still(&mirror.remotes[0]);
    assert!(there.len() < 20, "{:?}", there.paths());
}
