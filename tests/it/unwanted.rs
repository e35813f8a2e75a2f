//! What the far side will not have, or not all of: what has arrived is not owed, and neither is what never will.

use crate::deletion::nothing_is_owed;
use crate::harness::{eventually, Mirror, Plan};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

const FILES: usize = 64;

fn fill(mirror: &Mirror, ending: &str) {
    for number in 0..FILES {
        let directory = mirror.root.join(format!("dir{}", number % 4));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("file{number}.{ending}")), "content").unwrap();
    }
}

fn arrived(mirror: &Mirror, ending: &str) -> usize {
    let far = &mirror.remotes[0];
    let is_there =
        |number: &usize| far.join(format!("dir{}/file{number}.{ending}", number % 4)).exists();
    (0..FILES).filter(is_there).count()
}

/// The lines of the log that warn of something, the time of day left out.
fn warnings(mirror: &Mirror) -> Vec<String> {
    let log = mirror.log();
    let warned = log.lines().filter_map(|line| line.split_once("WARN")).map(|(_, told)| told);
    warned.filter(|told| told.contains("::module0")).map(str::to_owned).collect()
}

/// A module whose directory is root's and open to everybody, with a daemon that is somebody else.
#[test]
fn what_arrived_in_a_directory_of_somebody_elses_is_not_owed() {
    for args in [&["-r"][..], &[]] {
        let mut plan = Plan::new();
        plan.daemon.every_module("uid = nobody");
        plan.daemon.every_module("gid = nogroup");
        fs::set_permissions(&plan.remotes[0], Permissions::from_mode(0o777)).unwrap();
        plan.args = args.iter().map(Into::into).collect();
        let mirror = plan.start();
        fill(&mirror, "txt");
        eventually("all are there", || arrived(&mirror, "txt") == FILES);
        fs::write(mirror.root.join("at the top"), "content").unwrap();
        fs::remove_dir_all(mirror.root.join("dir0")).unwrap();
        mirror.fence();
        assert!(!mirror.remotes[0].join("dir0").exists());
        nothing_is_owed(&mirror);
        let told = warnings(&mirror);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("-O and --no-p"), "{told:?}");
    }
}

#[test]
fn what_a_module_leaves_out_is_not_owed_and_is_forgotten_when_it_goes() {
    for args in [&["-r"][..], &[]] {
        let mut plan = Plan::new();
        plan.daemon.every_module("exclude = *.log");
        plan.args = args.iter().map(Into::into).collect();
        fs::write(plan.root.join("before.log"), "content").unwrap();
        fs::write(plan.remotes[0].join("theirs.log"), "content").unwrap();
        let mirror = plan.start();
        fill(&mirror, "log");
        fill(&mirror, "txt");
        eventually("what is not left out is there", || arrived(&mirror, "txt") == FILES);
        mirror.fence();
        nothing_is_owed(&mirror);
        // Beside it, everything else is done: what goes goes, whether it was left out or not.
        fs::remove_file(mirror.root.join("dir0/file0.log")).unwrap();
        fs::remove_file(mirror.root.join("dir0/file0.txt")).unwrap();
        fs::rename(mirror.root.join("dir1/file1.log"), mirror.root.join("dir1/new.log")).unwrap();
        fs::rename(mirror.root.join("dir1/file1.txt"), mirror.root.join("dir1/new.txt")).unwrap();
        mirror.fence();
        assert!(!mirror.remotes[0].join("dir0/file0.txt").exists());
        assert!(mirror.remotes[0].join("dir1/new.txt").exists());
        assert_eq!((arrived(&mirror, "txt"), arrived(&mirror, "log")), (FILES - 2, 0));
        assert!(mirror.remotes[0].join("theirs.log").exists());
        nothing_is_owed(&mirror);
        let told = warnings(&mirror);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("`exclude`") && told[0].contains(".log"), "{told:?}");
    }
}
