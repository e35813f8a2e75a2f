//! Cascades: what one instance pushes, the next one pushes on.

use crate::harness::{eventually, rest_for, Mirror, Plan, Tree};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::time::Duration;

/// After so long without a sign of life of any of them, nothing goes round.
const AT_REST: Duration = Duration::from_secs(2);

/// Where the first instance's rsync may have what is on its way; the others leave it out.
const RECEIVING: &str = "receiving";

/// What docs/OPERATIONS.md advises for an instance whose root is written by another rsync: that sets times
/// and modes of files that it does not write.
fn as_advised(plan: &mut Plan) {
    plan.conf.event("attrib", true);
    plan.conf.excludes = vec![format!("{RECEIVING}/.*")];
    // Names and ends of what arrives, one to a line.
    plan.daemon.every_module("transfer logging = yes");
    plan.daemon.every_module("log format = <%o> %n");
}

/// An instance whose root is the remote of `before`.
fn behind(before: &Mirror) -> Mirror {
    let mut plan = Plan::new();
    plan.root = before.remotes[0].clone();
    plan.conf.roots[0].watch = plan.root.clone();
    as_advised(&mut plan);
    plan.start()
}

/// Three in a row; the first one as `set_up` makes it.
fn cascade(set_up: impl FnOnce(&mut Plan)) -> [Mirror; 3] {
    let mut plan = Plan::new();
    as_advised(&mut plan);
    fs::create_dir_all(plan.root.join("there/below")).unwrap();
    set_up(&mut plan);
    let first = plan.start();
    let second = behind(&first);
    let third = behind(&second);
    [first, second, third]
}

fn equal(all: &[Mirror]) {
    all.iter().for_each(Mirror::equal);
}

fn at_rest(all: &[Mirror]) {
    rest_for(&all.iter().map(Mirror::pid).collect::<Vec<_>>(), AT_REST);
    equal(all);
}

/// The names that the daemon behind a mirror was sent or told to delete, directories left out.
fn arrivals(mirror: &Mirror) -> Vec<String> {
    let log = mirror.daemon.log();
    let names = log.lines().filter_map(|line| Some(line.split_once("> ")?.1.to_string()));
    names.filter(|name| !name.ends_with('/')).collect()
}

/// The paths of all batches that the log tells of.
fn paths(mirror: &Mirror) -> usize {
    let log = mirror.log();
    let counted = regex_lite::Regex::new(r": (\d+) paths?, .* ms\n").unwrap();
    counted.captures_iter(&log).map(|found| found[1].parse::<usize>().unwrap()).sum()
}

fn fill(root: &Path, files: usize) {
    for number in 0..files {
        fs::write(root.join(format!("there/below/file{number}")), number.to_string()).unwrap();
    }
}

#[test]
fn whatever_happens_goes_down_to_the_last_and_nothing_goes_round() {
    let all = cascade(|_| ());
    let root = all[0].root.clone();
    fill(&root, 50);
    fs::create_dir_all(root.join("new/deep")).unwrap();
    fs::write(root.join("new/deep/file"), vec![b'x'; 100_000]).unwrap();
    symlink("deep/file", root.join("new/link")).unwrap();
    equal(&all);
    fs::rename(root.join("new"), root.join("moved")).unwrap();
    fs::rename(root.join("moved/deep/file"), root.join("file")).unwrap();
    fs::set_permissions(root.join("anchor"), fs::Permissions::from_mode(0o600)).unwrap();
    equal(&all);
    // The same content at another time, and another content of the same length.
    fs::write(root.join("there/below/file1"), "1").unwrap();
    fs::write(root.join("there/below/file2"), "3").unwrap();
    fs::remove_file(root.join("file")).unwrap();
    fs::remove_dir_all(root.join("moved")).unwrap();
    at_rest(&all);
}

#[test]
fn what_rsync_receives_under_other_names_is_no_work() {
    const FILES: usize = 2_000;
    let all = cascade(|_| ());
    fill(&all[0].root, FILES);
    at_rest(&all);
    for mirror in &all[1..] {
        // Beside the files a batch may have their directories, whose times have changed.
        let may_be = FILES + 3 * mirror.batches();
        assert!(paths(mirror) <= may_be, "{} paths of {may_be}", paths(mirror));
        let strange: Vec<_> =
            arrivals(mirror).into_iter().filter(|name| name.contains("/.file")).collect();
        assert_eq!(strange, [""; 0]);
    }
}

#[test]
fn what_is_received_slowly_is_sent_when_it_is_there() {
    // rsync writes 256 KiB at a time: seconds in which nothing happens to the file.
    let all = cascade(|plan| plan.conf.params = "-art --bwlimit=128".to_string());
    let content: Vec<u8> = (0..600_000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
    fs::write(all[0].root.join("slow"), &content).unwrap();
    let on_its_way = || {
        let names = fs::read_dir(&all[1].root).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".slow.")).count()
    };
    eventually("it is on its way", || on_its_way() == 1);
    // Others are not held up by it.
    for number in 0..3 {
        fs::write(all[1].root.join(format!("beside{number}")), "content").unwrap();
        eventually("what changes meanwhile arrives", || {
            all[2].remotes[0].join(format!("beside{number}")).exists()
        });
    }
    assert_eq!(on_its_way(), 1, "the test is too slow");
    eventually("it is there", || all[0].remotes[0].join("slow").exists());
    all[1..].iter().for_each(Mirror::equal);
    assert_eq!(fs::read(all[2].remotes[0].join("slow")).unwrap(), content);
    let sent = arrivals(&all[1]);
    let slow: Vec<_> = sent.iter().filter(|name| name.contains("slow")).collect();
    assert_eq!(slow, ["slow"], "{sent:?}");
}

#[test]
fn a_name_like_those_of_rsync_may_be_somebodys_name() {
    let all = cascade(|_| ());
    let root = &all[0].root;
    fs::write(root.join(".a.B1c2D3"), "content").unwrap();
    fs::create_dir(root.join("new")).unwrap();
    fs::write(root.join("new/.a.B1c2D3"), "content").unwrap();
    equal(&all);
    fs::write(root.join(".a.B1c2D3"), "other content").unwrap();
    fs::remove_file(root.join("new/.a.B1c2D3")).unwrap();
    equal(&all);
    fs::rename(root.join(".a.B1c2D3"), root.join("a")).unwrap();
    at_rest(&all);
}

#[test]
fn another_place_for_what_is_on_its_way_is_no_work_either() {
    for params in ["--temp-dir=receiving", "--delay-updates", "--partial-dir=.partial"] {
        let all = cascade(|plan| {
            plan.conf.params = format!("-artz {params}");
            // The daemon takes it for a place in the module.
            fs::create_dir(plan.root.join(RECEIVING)).unwrap();
            fs::create_dir(plan.remotes[0].join(RECEIVING)).unwrap();
        });
        fill(&all[0].root, 50);
        fs::create_dir(all[0].root.join("new")).unwrap();
        fs::write(all[0].root.join("new/file"), "content").unwrap();
        let last = &all[2].remotes[0];
        let all_equal = || {
            ["there", "new"].iter().all(|directory| {
                Tree::compare(&all[0].root.join(directory), &last.join(directory)).is_ok()
            })
        };
        eventually("it has arrived", || last.join("new/file").exists() && all_equal());
        fs::write(all[0].root.join("new/file"), "other content").unwrap();
        eventually("the change has arrived", all_equal);
        rest_for(&all.each_ref().map(Mirror::pid), AT_REST);
        let sent = arrivals(&all[1]);
        let is_strange = |name: &&String| name.contains("/.") || name.contains(RECEIVING);
        let strange: Vec<_> = sent.iter().filter(is_strange).collect();
        assert_eq!(strange, [""; 0], "{params}");
    }
}
