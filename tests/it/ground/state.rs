//! Where the state lies: it outlives what is in `/tmp`, and so does what it knows.

use super::{await_content, in_mode, MIRROR, PUSH};
use crate::harness::{eventually, run_to_end, Plan};
use std::fs;
use std::path::{Path, PathBuf};

/// The state files in a directory.
fn states(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "state")).collect()
}

#[test]
fn what_changed_while_it_was_not_running_is_found_though_tmp_was_emptied() {
    let mut plan = Plan::new();
    in_mode(&mut plan, PUSH);
    let tmp = plan.directory("tmp");
    plan.conf.fail_log = tmp.join("rsync_fail_log.sh");
    let mut mirror = plan.start();
    fs::write(mirror.root.join("before"), "content").unwrap();
    await_content(&mirror.remotes[0].join("before"), "content");
    fs::remove_file(mirror.root.join("before")).unwrap();
    mirror.daemon.stop();
    fs::write(mirror.root.join("owed"), "content").unwrap();
    // What came into being will be found by its times.
    eventually("the deletion is in the state", || {
        fs::read_to_string(mirror.state_file()).unwrap().contains("before")
    });
    mirror.kill_program();
    // A reboot.
    fs::remove_dir_all(&tmp).unwrap();
    fs::create_dir(&tmp).unwrap();
    fs::write(mirror.root.join("made meanwhile"), "content").unwrap();
    mirror.daemon.start();
    mirror.start_again(PUSH);
    for name in ["owed", "made meanwhile"] {
        await_content(&mirror.remotes[0].join(name), "content");
    }
    eventually("the deletion is known", || !mirror.remotes[0].join("before").exists());
}

/// It cannot know that there was an earlier one.
#[test]
fn a_start_that_finds_no_state_takes_what_is_there_for_sent_and_r_finds_it() {
    let mut plan = Plan::new();
    in_mode(&mut plan, MIRROR);
    let mut mirror = plan.start();
    mirror.equal();
    mirror.halt_program();
    fs::remove_dir_all(mirror.dir().join("states")).unwrap();
    fs::write(mirror.root.join("made meanwhile"), "content").unwrap();
    mirror.start_again(PUSH);
    fs::write(mirror.root.join("made later"), "content").unwrap();
    await_content(&mirror.remotes[0].join("made later"), "content");
    mirror.fence();
    assert!(!mirror.remotes[0].join("made meanwhile").exists(), "{}", mirror.log());
    mirror.halt_program();
    mirror.start_again(MIRROR);
    mirror.equal();
}

#[test]
fn a_state_beside_the_fail_log_is_taken_over() {
    let mut plan = Plan::new();
    in_mode(&mut plan, PUSH);
    let (tmp, none) = (plan.directory("tmp"), plan.directory("none").join("file"));
    plan.conf.fail_log = tmp.join("rsync_fail_log.sh");
    // Nowhere can a directory be made for it.
    fs::write(&none, "").unwrap();
    let unusable = none.join("x").display().to_string();
    for name in ["STATE_DIRECTORY", "XDG_STATE_HOME"] {
        plan.variables.push((name.into(), unusable.clone()));
    }
    plan.run_as(NOBODY);
    std::os::unix::fs::chown(&tmp, Some(NOBODY), Some(NOBODY)).unwrap();
    let conf = plan.write_conf();
    let mut mirror = plan.start();
    fs::write(mirror.root.join("file"), "content").unwrap();
    await_content(&mirror.remotes[0].join("file"), "content");
    eventually("it is beside the fail log", || states(&tmp).len() == 1);
    mirror.halt_program();
    fs::write(mirror.root.join("made meanwhile"), "content").unwrap();
    let (name, states_dir) = ("STATE_DIRECTORY", mirror.dir().join("states"));
    mirror.set_variable(name, &states_dir.display().to_string());
    mirror.start_again(PUSH);
    await_content(&mirror.remotes[0].join("made meanwhile"), "content");
    eventually("it is where it belongs", || states(&states_dir).len() == 1);
    eventually("the old one is gone", || states(&tmp).is_empty());
    let value = states_dir.display().to_string();
    let args = ["--check".into(), "-o".into(), conf.into_os_string()];
    let said = run_to_end(mirror.dir(), &args, &[(name, &value)]).stdout;
    assert!(said.contains(&states(&states_dir)[0].display().to_string()), "{said}");
}

/// A user without a right to anything.
const NOBODY: u32 = 65_534;
