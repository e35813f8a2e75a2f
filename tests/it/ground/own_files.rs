//! The program's own files lie inside a root: they are no changes of it, and are never sent.

use super::{await_content, in_mode, MIRROR, PUSH};
use crate::harness::{eventually, rest_for, Plan, Tree};
use std::fs;
use std::time::Duration;

/// So long nothing may happen when all is equal.
const IDLE: Duration = Duration::from_secs(3);

#[test]
fn own_files_inside_a_root_are_left_alone() {
    for (mode, modify) in [(MIRROR, false), (MIRROR, true), (PUSH, false), (PUSH, true)] {
        let mut plan = Plan::new();
        in_mode(&mut plan, mode);
        plan.conf.event("modify", modify);
        plan.conf.event("createFile", modify);
        // As in `watch="/opt/"`.
        plan.conf.roots[0].watch = plan.root.join("");
        let own = plan.root.join("opt/sersync");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("of the user"), "content").unwrap();
        plan.conf.fail_log = own.join("rsync_fail_log.sh");
        for (option, file) in [("--log-file", "sersync.log"), ("--pid-file", "sersync.pid")] {
            plan.args.extend([option.into(), own.join(file).into_os_string()]);
        }
        plan.variables.push(("STATE_DIRECTORY".into(), own.display().to_string()));
        let mut mirror = plan.start();
        fs::write(own.join("of the user"), "changed").unwrap();
        fs::write(mirror.root.join("file"), "content").unwrap();
        await_content(&mirror.remotes[0].join("file"), "content");
        await_content(&mirror.remotes[0].join("opt/sersync/of the user"), "changed");
        rest_for(&[mirror.pid()], IDLE);
        // Now the fail log has something in it, too.
        mirror.daemon.stop();
        fs::write(mirror.root.join("owed"), "content").unwrap();
        let fail_log = own.join("rsync_fail_log.sh");
        eventually("it is owed", || fail_log.metadata().is_ok_and(|found| found.len() > 0));
        mirror.daemon.start();
        await_content(&mirror.remotes[0].join("owed"), "content");
        rest_for(&[mirror.pid()], IDLE);
        let sent = Tree::read_still(&mirror.remotes[0].join("opt/sersync")).paths();
        assert_eq!(sent, ["of the user"], "{mode:?}, modify {modify}");
    }
}

/// Another instance may run there, with the same directories.
#[test]
fn what_has_the_names_of_own_files_stays_over_there() {
    for params in ["-artz --include=fail.sh", "-artz --delete-excluded --exclude=none"] {
        let mut plan = Plan::local();
        plan.conf.params = params.into();
        let own = plan.root.join("sersync");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("of the user"), "content").unwrap();
        plan.conf.fail_log = own.join("fail.sh");
        plan.args.extend(["--pid-file".into(), own.join("pid").into_os_string()]);
        let there = plan.remotes[0].join("sersync");
        fs::create_dir_all(&there).unwrap();
        for name in ["fail.sh", "pid", "other"] {
            fs::write(there.join(name), "theirs").unwrap();
        }
        let mirror = plan.start();
        await_content(&there.join("of the user"), "content");
        mirror.fence();
        let left = Tree::read_still(&there).paths();
        assert_eq!(left, ["fail.sh", "of the user", "pid"], "{params}");
        await_content(&there.join("pid"), "theirs");
    }
}
