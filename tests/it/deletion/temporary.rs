//! Temporary files of editors reach no remote, by whatever way, and what earlier versions left there goes from a
//! mirror.

use super::{each, everything_is_done, full_sync, present, put, unseen, Mode, Way};
use crate::harness::{eventually, Plan};
use std::fs;

const TEMPORARY: [&str; 7] =
    [".page.php.swp", "page.php~", "d/.x.swo", "d/.#x", "d/x~", ".goutputstream-AB12", ".nfs0001"];
/// Directories of such names are directories.
const OTHERS: [&str; 4] = ["page.php", "d/x~y", "old~/f", "old~/.dir.swp/f"];

#[test]
fn no_sweep_sends_them() {
    each(Mode::ALL.into_iter().flat_map(|mode| Way::ALL.map(|way| (mode, way))), |(mode, way)| {
        let (mut plan, _sshd): (Plan, _) = way.plan();
        mode.apply(&mut plan);
        put(&plan.root, &TEMPORARY);
        put(&plan.root, &OTHERS);
        put(&plan.root, &["moving"]);
        let mirror = plan.start();
        full_sync(&mirror);
        assert_eq!(present(&mirror.remotes[0], &TEMPORARY), [""; 0], "{mode:?} {way:?}");
        assert_eq!(present(&mirror.remotes[0], &OTHERS), OTHERS, "{mode:?} {way:?}");
    });
    each(Mode::ALL, |mode| {
        let mut plan = Plan::new();
        mode.apply(&mut plan);
        put(&plan.root, &["moving"]);
        let mirror = plan.start();
        unseen(&mirror, |root| {
            put(root, &TEMPORARY);
            put(root, &OTHERS);
        });
        eventually("all others arrive", || present(&mirror.remotes[0], &OTHERS) == OTHERS);
        mirror.fence();
        assert_eq!(present(&mirror.remotes[0], &TEMPORARY), [""; 0], "{mode:?}");
    });
}

#[test]
fn a_mirror_removes_what_is_there() {
    for params in ["", " --exclude=cache", " --include=*.php --exclude=*.o"] {
        let mut plan = Plan::new();
        plan.conf.params.push_str(params);
        for top in [&plan.root, &plan.remotes[0]] {
            put(top, &TEMPORARY);
            put(top, &OTHERS);
        }
        let mirror = plan.start();
        let left: Vec<&str> = present(&mirror.remotes[0], &TEMPORARY);
        assert_eq!(left, [""; 0], "{params}");
        assert_eq!(present(&mirror.remotes[0], &OTHERS), OTHERS, "{params}");
    }
}

#[test]
fn a_file_that_has_the_name_of_an_editors_probe_is_a_file() {
    each(Mode::ALL, |mode| {
        let mut plan = Plan::new();
        mode.apply(&mut plan);
        let mirror = plan.start();
        let there = mirror.remotes[0].join("d/4913");
        put(&mirror.root, &["d/4913"]);
        eventually("it arrives", || there.exists());
        fs::write(mirror.root.join("d/4913"), "changed").unwrap();
        eventually("it changes", || fs::read(&there).is_ok_and(|text| text == b"changed"));
        fs::remove_file(mirror.root.join("d/4913")).unwrap();
        eventually("it goes", || !there.exists());
        // As vim has it.
        let before = mirror.batches();
        fs::write(mirror.root.join("4913"), "").unwrap();
        fs::remove_file(mirror.root.join("4913")).unwrap();
        everything_is_done(&mirror);
        assert!(mirror.batches() >= before && !mirror.remotes[0].join("4913").exists());
    });
}
