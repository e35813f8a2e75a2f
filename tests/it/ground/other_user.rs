//! The program runs already, as another user: root's cron beside a user's.

use crate::harness::{binary, path, Plan};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const USER: u32 = 54_332;

#[test]
fn a_second_start_as_another_user_says_who_runs_and_ends_with_3() {
    // Where the second may not look for the lock beside the fail log, there is the one on the configuration.
    for (first, second, closed) in
        [(Some(USER), None, false), (None, Some(USER), false), (None, Some(USER), true)]
    {
        let mut plan = Plan::new();
        let program = plan.directory("").join("sersync");
        fs::copy(binary(), &program).unwrap();
        match first {
            Some(user) => plan.run_as(user),
            None => {
                let open = fs::Permissions::from_mode(0o755);
                fs::set_permissions(plan.directory(""), open).unwrap();
            }
        }
        if closed {
            let place = plan.directory("closed");
            fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).unwrap();
            plan.conf.fail_log = place.join("rsync_fail_log.sh");
        }
        let mirror = plan.start();
        mirror.equal();
        let mut command = Command::new(&program);
        command.args(["-r", "-o"]).arg(mirror.dir().join("confxml.xml")).env("PATH", path());
        command.env("LC_ALL", "C").stdin(Stdio::null()).current_dir(mirror.dir());
        if let Some(user) = second {
            command.uid(user).gid(user);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "first {first:?}, second {second:?}: {said}");
        assert!(said.contains(&format!("process {}", mirror.pid())), "{said}");
        assert!(!said.contains("delete"), "{said}");
    }
}
