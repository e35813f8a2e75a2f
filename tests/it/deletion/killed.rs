//! The program is killed in the middle of a deletion.

use super::*;
use crate::harness::{Gate, Rsync};

/// So many rules that no pipe takes them at once.
const GOING: usize = 2_000;

#[test]
fn a_run_whose_program_is_killed_deletes_what_it_was_to_and_nothing_else() {
    let mut plan = Plan::new();
    // Most of them are one batch.
    plan.conf.batch = r#"<batch quietMs="500" maxDelayMs="20000"/>"#.into();
    let gate = Gate::before(&mut plan, Rsync::Old);
    let name = |number: usize| format!("d/{}-{number}", "a-long-name".repeat(5));
    (0..GOING).for_each(|number| write(&plan.root.join(name(number)), "ours"));
    write(&plan.root.join("d/stays"), "ours");
    let mut mirror = plan.start();
    let far = mirror.remotes[0].clone();
    mirror.equal();
    let theirs = ["theirs", "d/theirs", "their/own"];
    theirs.iter().for_each(|path| write(&far.join(path), "theirs"));
    gate.hold();
    (0..GOING).for_each(|number| fs::remove_file(mirror.root.join(name(number))).unwrap());
    gate.await_run();
    mirror.kill_program();
    gate.release();
    // rsync deletes from the last name of a directory to the first.
    eventually("what was seen to go goes", || !far.join(name(0)).exists());
    assert_eq!(present(&far, &theirs), theirs);
    mirror.start_again(&[]);
    mirror.fence();
    assert_eq!(present(&far, &theirs), theirs);
}
