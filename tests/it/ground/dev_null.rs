//! There is no `/dev/null`, as in a hand-made chroot.

use crate::harness::{binary, path, Plan};
use std::process::{Command, Stdio};

/// All of `/dev` is hidden but the directory in memory, where the test's files lie.
const HIDE: &str = "mount --bind /dev/shm /mnt && mount -t tmpfs dev /dev && mkdir /dev/shm && \
                    mount --move /mnt /dev/shm && [ ! -e /dev/null ] && exec \"$@\"";

#[test]
fn a_start_without_dev_null_says_what_is_missing() {
    let mut plan = Plan::new();
    plan.daemon.start();
    for args in [&["-r"][..], &["-d"], &["--check"]] {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", HIDE, "sh"]).arg(binary()).args(args);
        command.arg("-o").arg(plan.write_conf()).env("PATH", path()).env("LC_ALL", "C");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap()).concat();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("/dev/null"), "{args:?}: {said}");
        assert!(!said.contains("no rsync in PATH"), "{args:?}: {said}");
    }
}
