//! Symlinks that are sent as what they lead to: `-L`, `-k`, `--copy-unsafe-links`.

use super::{await_content, in_mode, MIRROR, PUSH};
use crate::harness::{eventually, Plan};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn what_a_new_symlink_to_a_directory_leads_to_arrives_at_once() {
    for params in ["-artL", "-artk", "-art --copy-unsafe-links"] {
        for mode in [MIRROR, PUSH] {
            let mut plan = Plan::new();
            in_mode(&mut plan, mode);
            plan.conf.params = params.into();
            let outside = plan.directory("outside");
            for directory in ["one", "second"] {
                fs::create_dir_all(outside.join(directory).join("deep")).unwrap();
                fs::write(outside.join(directory).join("deep/file"), directory).unwrap();
            }
            fs::create_dir(plan.root.join("dir")).unwrap();
            let mirror = plan.start();
            let (root, remote) = (&mirror.root, &mirror.remotes[0]);
            symlink(outside.join("one"), root.join("link")).unwrap();
            await_content(&remote.join("link/deep/file"), "one");
            symlink("../../outside/second", root.join("dir/link")).unwrap();
            await_content(&remote.join("dir/link/deep/file"), "second");
            // As a deployment switches it. rsync would take files of one length and second for the same, as in a full sync.
            symlink(outside.join("second"), root.join("new")).unwrap();
            await_content(&remote.join("new/deep/file"), "second");
            fs::rename(root.join("new"), root.join("link")).unwrap();
            await_content(&remote.join("link/deep/file"), "second");
            eventually("the name before is gone", || !remote.join("new").exists());
            fs::remove_file(root.join("dir/link")).unwrap();
            eventually("the link is gone over there", || !remote.join("dir/link").exists());
        }
    }
}

/// A link inside the root is one over there, but for `-L` and `-k`.
#[test]
fn a_symlink_that_is_not_followed_arrives_as_one() {
    let mut plan = Plan::local();
    plan.conf.params = "-art --copy-unsafe-links".into();
    fs::create_dir(plan.root.join("dir")).unwrap();
    fs::write(plan.root.join("dir/file"), "content").unwrap();
    let mirror = plan.start();
    symlink("dir", mirror.root.join("link")).unwrap();
    eventually("it is a link", || mirror.remotes[0].join("link").is_symlink());
    mirror.equal();
}
