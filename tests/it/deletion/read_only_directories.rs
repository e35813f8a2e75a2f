//! A directory over there that nobody may write to goes as well, where the far side is not root.

use super::{each, nothing_is_owed, put, Mode};
use crate::harness::{eventually, Plan};
use std::fs;
use std::os::unix::fs::{chown, PermissionsExt};
use std::path::Path;

/// A user of its own, who owns everything over there.
const OWNER: u32 = 54_323;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn it_goes_and_nothing_is_owed() {
    each(Mode::ALL, |mode| {
        let mut plan = Plan::new();
        mode.apply(&mut plan);
        for line in [format!("uid = {OWNER}"), format!("gid = {OWNER}")] {
            plan.daemon.every_module(&line);
        }
        // Of the files over there the daemon is the owner, and can be no other's.
        plan.conf.params = "-rltpz".into();
        chown(&plan.remotes[0], Some(OWNER), Some(OWNER)).unwrap();
        let mirror = plan.start();
        put(&mirror.root, &["tree/sub/below/file", "tree/file", "kept"]);
        for directory in ["tree/sub/below", "tree/sub", "tree"] {
            chmod(&mirror.root.join(directory), 0o555);
        }
        // With `attrib` off the modes go along with the next change.
        fs::write(mirror.root.join("tree/sub/below/file"), "changed").unwrap();
        fs::write(mirror.root.join("tree/file"), "changed").unwrap();
        let far = mirror.remotes[0].clone();
        let mode_there =
            |name: &str| fs::metadata(far.join(name)).map(|it| it.permissions().mode() & 0o777);
        eventually("the modes arrive", || {
            mode_there("tree/sub/below").is_ok_and(|mode| mode == 0o555)
                && mode_there("tree").is_ok_and(|mode| mode == 0o555)
        });
        fs::remove_dir_all(mirror.root.join("tree")).unwrap();
        eventually(&format!("{mode:?}: it goes"), || !far.join("tree").exists());
        mirror.fence();
        nothing_is_owed(&mirror);
    });
}
