//! The kinds of remotes, and remotes that come and go.

use crate::harness::{eventually, Plan, Sshd, Tree};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Everything that a remote must be able to do: take a file, a change, a deletion and a tree.
fn change_everything(root: &Path) {
    fs::create_dir_all(root.join("dir/below")).unwrap();
    fs::write(root.join("dir/below/file"), "content").unwrap();
    fs::write(root.join("changed"), "other content").unwrap();
    fs::remove_file(root.join("deleted")).unwrap();
    fs::remove_dir_all(root.join("deleted-dir")).unwrap();
    fs::rename(root.join("old-name"), root.join("new-name")).unwrap();
}

/// What [`change_everything`] needs to be there.
fn prepare(root: &Path) {
    for file in ["changed", "deleted", "old-name"] {
        fs::write(root.join(file), file).unwrap();
    }
    fs::create_dir_all(root.join("deleted-dir/below")).unwrap();
    fs::write(root.join("deleted-dir/below/file"), "content").unwrap();
}

/// Starts the plan and sees that the first full sync and each change arrive at every remote.
fn works(plan: Plan) {
    prepare(&plan.root);
    let mirror = plan.start();
    mirror.equal();
    change_everything(&mirror.root);
    mirror.equal();
}

fn remote(ip: &str, name: &Path) -> (String, String) {
    (ip.to_string(), name.display().to_string())
}

#[test]
fn eight_remotes_get_everything() {
    works(Plan::with_remotes(8));
}

/// More than there may be processes at a time: they take turns.
#[test]
fn thirty_two_remotes_of_one_daemon_get_everything() {
    works(Plan::with_remotes(32));
}

#[test]
fn a_remote_below_a_module_gets_everything() {
    let mut plan = Plan::new();
    let below = plan.remotes[0].join("some/where");
    fs::create_dir_all(&below).unwrap();
    plan.conf.roots[0].remotes[0].1 = "module0/some/where".to_string();
    plan.remotes[0] = below;
    works(plan);
}

#[test]
fn a_daemon_with_a_password_gets_everything() {
    let mut plan = Plan::new();
    plan.daemon.require("sync", "secret word");
    let file = plan.directory("etc").join("rsync.pass");
    fs::write(&file, "secret word\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    plan.conf.auth = Some(("sync".to_string(), file));
    works(plan);
}

#[test]
fn a_timeout_can_be_set() {
    let mut plan = Plan::new();
    plan.conf.timeout_s = Some(100);
    works(plan);
}

#[test]
fn a_local_directory_gets_everything() {
    works(Plan::local());
}

#[test]
fn a_directory_over_ssh_gets_everything() {
    let mut plan = Plan::without_remotes();
    let sshd = Sshd::start(&plan.directory("sshd"));
    let copy = plan.directory("copy");
    plan.conf.ssh = true;
    plan.conf.params = format!("-artz -e '{} -p {}'", sshd.client(), sshd.port());
    plan.conf.root(&plan.root, &[remote("127.0.0.1", &copy)]);
    plan.remotes.push(copy);
    works(plan);
}

#[test]
fn the_port_reaches_ssh_and_its_path_may_have_spaces() {
    let mut plan = Plan::without_remotes();
    let sshd = Sshd::start(&plan.directory("sshd"));
    let copy = plan.directory("a copy with spaces");
    plan.conf.ssh = true;
    plan.conf.port = Some(sshd.port());
    plan.conf.params = format!("-artz -e '{}'", sshd.client());
    plan.conf.root(&plan.root, &[remote("127.0.0.1", &copy)]);
    plan.remotes.push(copy);
    works(plan);
}

#[test]
fn a_slash_at_the_end_of_the_root_means_nothing() {
    let mut plan = Plan::new();
    plan.conf.roots[0].watch = format!("{}/", plan.root.display()).into();
    works(plan);
}

#[test]
fn several_roots_go_to_their_own_remotes() {
    let mut plan = Plan::new();
    let (second, module) = (plan.directory("second"), plan.daemon.module("second"));
    fs::write(second.join("here"), "from the start").unwrap();
    plan.conf.root(&second, &[("127.0.0.1".to_string(), "second".to_string())]);
    let mirror = plan.start();
    prepare(&second);
    fs::write(mirror.root.join("in the first"), "content").unwrap();
    mirror.equal();
    eventually("the second root's files have arrived", || {
        module.join("deleted-dir/below/file").exists()
    });
    change_everything(&second);
    eventually("the second root is equal", || Tree::compare(&second, &module).is_ok());
    mirror.equal();
}

#[test]
fn one_root_may_have_several_kinds_of_remotes() {
    let mut plan = Plan::new();
    let copy = plan.directory("a copy");
    plan.conf.roots[0].remotes.push(remote("local", &copy));
    plan.remotes.push(copy);
    works(plan);
}

#[test]
fn a_remote_that_is_down_at_the_start_gets_everything_when_it_comes() {
    let mut plan = Plan::new();
    plan.await_full_sync = false;
    prepare(&plan.root);
    let mut mirror = plan.start_without_daemon();
    change_everything(&mirror.root);
    assert!(!mirror.remotes[0].join("anchor").exists(), "the remote is down");
    mirror.daemon.start();
    mirror.equal();
}

/// Without `-r` there is no full sync that could hide a forgotten change.
#[test]
fn changes_for_a_remote_that_is_down_are_kept() {
    let mut plan = Plan::new();
    plan.args.clear();
    let mut mirror = plan.start();
    prepare(&mirror.root);
    eventually("the first changes have arrived", || {
        mirror.remotes[0].join("deleted-dir/below/file").exists()
    });
    mirror.fence();
    mirror.daemon.stop();
    change_everything(&mirror.root);
    fs::write(mirror.root.join("later"), "content").unwrap();
    // That the program has tried and failed is what makes this a test of keeping.
    let about = "127.0.0.1::module0";
    eventually("the log says that the remote fails", || {
        mirror.log().lines().any(|line| line.contains(about) && !line.ends_with(" ms"))
    });
    mirror.daemon.start();
    fs::write(mirror.root.join("anchor"), "now it is sent, too").unwrap();
    mirror.equal();
}

#[test]
fn a_remote_that_is_down_does_not_hold_up_the_others() {
    let mut plan = Plan::new();
    plan.await_full_sync = false;
    // The daemon listens on 127.0.0.1 only: every connection to this address is refused.
    let name = "module0".to_string();
    plan.conf.roots[0].remotes.insert(0, ("127.0.0.2".to_string(), name));
    prepare(&plan.root);
    let mirror = plan.start();
    mirror.equal();
    change_everything(&mirror.root);
    mirror.equal();
}
