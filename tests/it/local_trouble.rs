//! Trouble on this side: what may not be read, what cannot be replaced, an rsync that is not there,
//! no process to be had. One path or one remote waits, and nothing has to be started again.

use crate::harness::{eventually, Mirror, Plan};
use std::fs;
use std::os::unix::fs::{chown, symlink, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What cannot work before somebody changes something is tried again after a minute and some seconds.
const REFUSED_WAIT: Duration = Duration::from_secs(100);
/// Users of their own, so that nobody else's processes count for them.
const READER: u32 = 54_321;
const FORKER: u32 = 54_322;

fn owed(mirror: &Mirror) -> String {
    fs::read_to_string(mirror.dir().join("rsync_fail_log.sh")).unwrap_or_default()
}

fn lines_with(mirror: &Mirror, words: &str) -> Vec<String> {
    mirror.log().lines().filter(|line| line.contains(words)).map(str::to_string).collect()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_mount_point_in_the_way_holds_up_one_path_alone() {
    let mut plan = Plan::new();
    let in_the_way = plan.remotes[0].join("blocked");
    fs::create_dir(&in_the_way).unwrap();
    fs::create_dir(plan.root.join("blocked")).unwrap();
    plan.mount(&in_the_way, 64);
    let mut mirror = plan.start();
    mirror.equal();
    fs::remove_dir(mirror.root.join("blocked")).unwrap();
    fs::write(mirror.root.join("blocked"), "content").unwrap();
    fs::write(mirror.root.join("beside"), "content").unwrap();
    eventually("what is beside it arrives", || mirror.remotes[0].join("beside").exists());
    eventually("it alone is owed", || owed(&mirror).contains("/blocked"));
    let connections = mirror.daemon.connections();
    eventually("it is tried again", || mirror.daemon.connections() >= connections + 3);
    eventually("what is beside it is not owed", || !owed(&mirror).contains("beside"));
    let told = lines_with(&mirror, "not everything got through");
    assert!(told.len() == 1 && told[0].contains("blocked"), "{told:?}");
    mirror.disks.clear();
    mirror.equal_within(REFUSED_WAIT, "when nothing is mounted there");
    eventually("the fail log is empty", || owed(&mirror).is_empty());
}

#[test]
fn what_may_not_be_read_waits_alone_and_arrives_when_it_may() {
    let mut plan = Plan::new();
    plan.await_full_sync = false;
    let root = plan.root.clone();
    // One from the start, the others made later.
    for directory in ["locked-before", "open"] {
        fs::create_dir(root.join(directory)).unwrap();
        fs::write(root.join(directory).join("file"), "content").unwrap();
    }
    chmod(&root.join("locked-before"), 0o700);
    plan.run_as(READER);
    let mirror = plan.start();
    eventually("the rest of the first full sync arrives", || {
        mirror.remotes[0].join("open/file").exists()
    });
    // The rename brings it in one piece, so that it was never open.
    let outside = mirror.dir().join("locked-later");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "content").unwrap();
    chmod(&outside, 0o700);
    fs::rename(&outside, root.join("locked-later")).unwrap();
    let outside = mirror.dir().join("secret");
    fs::write(&outside, "content").unwrap();
    chmod(&outside, 0o600);
    fs::rename(&outside, root.join("secret")).unwrap();
    for number in 0..3 {
        fs::write(root.join(format!("beside{number}")), "content").unwrap();
        eventually("what is beside it arrives", || {
            mirror.remotes[0].join(format!("beside{number}")).exists()
        });
    }
    eventually("what may not be read is owed", || owed(&mirror).contains("/secret"));
    eventually("what is beside it is not owed", || !owed(&mirror).contains("beside"));
    eventually("the full sync is owed", || owed(&mirror).contains(" -R "));
    for name in ["secret", "locked-before", "locked-later"] {
        chown(root.join(name), Some(READER), Some(READER)).unwrap();
        if name != "secret" {
            chmod(&root.join(name), 0o755);
        }
    }
    mirror.equal_within(REFUSED_WAIT, "when everything may be read");
    for name in ["locked-before", "locked-later"] {
        fs::write(root.join(name).join("later"), "content").unwrap();
    }
    mirror.equal_within(REFUSED_WAIT, "and what changes there");
    eventually("the fail log is empty", || owed(&mirror).is_empty());
}

/// The rsync that `PATH` finds.
fn installed() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&path).map(|place| place.join("rsync"));
    places.find(|place| place.exists()).expect("rsync is not installed; the tests need it")
}

/// A mirror whose rsync, by another name, is the only program in its `PATH`; and where it is.
fn with_its_own_rsync() -> (Mirror, PathBuf) {
    let mut plan = Plan::new();
    let rsync = plan.directory("bin").join("rsync");
    symlink(installed(), &rsync).unwrap();
    let path = rsync.parent().unwrap().display().to_string();
    plan.variables.push(("PATH".to_string(), path));
    let mirror = plan.start();
    mirror.equal();
    (mirror, rsync)
}

/// What is in the place of rsync, by its mode, and words of what is said then.
const BROKEN: [(Option<u32>, &str); 3] = [
    (None, "there is no rsync in PATH (Install rsync, or put its directory into PATH)"),
    (Some(0o644), "(Make the rsync in PATH executable: chmod +x)"),
    // Half installed: a shell would take the empty file for a script, and for a success.
    (Some(0o755), "rsync could not be started"),
];

#[test]
fn an_rsync_that_is_away_or_cannot_be_run_is_used_when_it_is_back() {
    // All at the same time, since each is tried again only after a minute.
    let broken = BROKEN.map(|(mode, words)| {
        let (mirror, rsync) = with_its_own_rsync();
        fs::remove_file(&rsync).unwrap();
        if let Some(mode) = mode {
            fs::write(&rsync, "").unwrap();
            chmod(&rsync, mode);
        }
        fs::write(mirror.root.join("owed"), "content").unwrap();
        eventually("it is said", || !lines_with(&mirror, "everything is kept").is_empty());
        eventually("what is owed is in the fail log", || owed(&mirror).contains("/owed"));
        fs::remove_file(mirror.root.join("anchor")).unwrap();
        eventually("what changes meanwhile, too", || owed(&mirror).contains("/anchor"));
        let told = lines_with(&mirror, "everything is kept");
        assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
        let _ = fs::remove_file(&rsync);
        symlink(installed(), &rsync).unwrap();
        mirror
    });
    for mirror in broken {
        mirror.equal_within(REFUSED_WAIT, "when rsync is there again");
        eventually("the fail log is empty", || owed(&mirror).is_empty());
    }
}

/// Changes how many processes the program's user may have.
fn limit_processes(mirror: &Mirror, user: u32, soft: &str) {
    let mut command = Command::new("prlimit");
    // As the same user: whoever changes another's limits needs a right that root may lack.
    command
        .arg(format!("--pid={}", mirror.pid()))
        .arg(format!("--nproc={soft}:"))
        .uid(user)
        .gid(user);
    let status = command.status().unwrap_or_else(|e| panic!("cannot run prlimit: {e}"));
    assert!(status.success(), "prlimit ended with {status}");
}

#[test]
fn without_a_process_to_be_had_everything_is_kept() {
    let mut plan = Plan::new();
    plan.run_as(FORKER);
    let mirror = plan.start();
    mirror.equal();
    limit_processes(&mirror, FORKER, "0");
    fs::write(mirror.root.join("owed"), "content").unwrap();
    eventually("it is said", || !lines_with(&mirror, "everything is kept").is_empty());
    // New directories need the walk's thread.
    fs::create_dir_all(mirror.root.join("new/deep")).unwrap();
    fs::write(mirror.root.join("new/deep/file"), "content").unwrap();
    fs::rename(mirror.root.join("anchor"), mirror.root.join("new/anchor")).unwrap();
    eventually("what is owed is in the fail log", || owed(&mirror).contains("/new"));
    let told = lines_with(&mirror, "everything is kept");
    assert!(told.len() == 1 && told[0].contains("ulimit -u"), "{told:?}");
    limit_processes(&mirror, FORKER, "1000");
    mirror.equal_within(REFUSED_WAIT, "when processes are to be had");
    fs::write(mirror.root.join("new/deep/later"), "content").unwrap();
    mirror.equal();
    eventually("the fail log is empty", || owed(&mirror).is_empty());
}
