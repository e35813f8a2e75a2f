//! The life of the program in short, over an rsync daemon: for programs that run slowly, in an
//! emulator. See `scripts/smoke.sh`, which runs nothing but this.

use crate::harness::Plan;
use std::fs;

#[test]
fn smoke_it_syncs_renames_deletes_and_survives_being_killed() {
    let plan = Plan::new();
    fs::create_dir_all(plan.root.join("before/deep")).unwrap();
    fs::write(plan.root.join("before/deep/file"), "from before the start").unwrap();
    let mut mirror = plan.start();
    mirror.equal();
    let root = mirror.root.clone();

    fs::write(root.join("new"), "a file").unwrap();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::write(root.join("a/b/c/file"), "in directories of the same moment").unwrap();
    mirror.fence();
    mirror.equal();

    fs::rename(root.join("new"), root.join("renamed")).unwrap();
    fs::rename(root.join("a"), root.join("z")).unwrap();
    mirror.fence();
    mirror.equal();

    fs::remove_file(root.join("renamed")).unwrap();
    fs::remove_dir_all(root.join("z")).unwrap();
    mirror.fence();
    mirror.equal();

    mirror.kill_program();
    fs::write(root.join("before/deep/file"), "changed while nobody looked").unwrap();
    fs::remove_dir_all(root.join("before")).unwrap();
    fs::write(root.join("unseen"), "new while nobody looked").unwrap();
    mirror.start_again(&["-r"]);
    mirror.equal();
    // A start without -r finds what is newer by itself.
    mirror.kill_program();
    fs::write(root.join("unseen"), "changed while nobody looked").unwrap();
    mirror.start_again(&[]);
    mirror.equal();
    fs::write(root.join("at the end"), "it still watches").unwrap();
    mirror.fence();
    mirror.equal();
}
