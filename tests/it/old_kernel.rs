//! Old kernels. What the filter shows and what not stands in `harness/old_kernel.rs`.
//!
//! The whole suite runs under it with `SERSYNC_IT_KERNEL=2.6.18`; here is what makes the most
//! different calls, in each run.

use crate::harness::{eventually, listed, rest_for, Kernel, Plan, Sshd};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So long nothing may happen in an idle program.
const IDLE: Duration = Duration::from_secs(3);
/// The first number of a call that 2.6.18 has not.
const NEWER: i32 = libc::SYS_move_pages as i32 + 1;

/// A mirror to a daemon and to a local directory. Every path is told to a plugin, which writes it into
/// the file.
fn plan(kernel: Kernel) -> (Plan, PathBuf) {
    let mut plan = Plan::new();
    plan.how.kernel = Some(kernel);
    let copy = plan.directory("copy");
    plan.conf.roots[0].remotes.push(("local".to_string(), copy.display().to_string()));
    plan.remotes.push(copy);
    let told = plan.directory("plugin").join("told");
    plan.conf.plugin = "<plugin start=\"true\" name=\"command\"/>".to_string();
    plan.conf.blocks = format!(
        "<plugin name=\"command\"><param prefix=\"echo &gt;&gt;'{}'\" suffix=\"\" \
         ignoreError=\"true\"/></plugin>\n",
        told.display()
    );
    (plan, told)
}

fn over_ssh(kernel: Kernel) -> (Plan, Sshd) {
    let mut plan = Plan::without_remotes();
    plan.how.kernel = Some(kernel);
    let sshd = Sshd::start(&plan.directory("sshd"));
    let copy = plan.directory("copy");
    plan.conf.ssh = true;
    plan.conf.port = Some(sshd.port());
    plan.conf.params = format!("-artz -e '{}'", sshd.client());
    plan.conf.root(&plan.root, &[("127.0.0.1".into(), copy.display().to_string())]);
    plan.remotes.push(copy);
    (plan, sshd)
}

/// Something new, changed, renamed and gone.
fn change(root: &Path, name: &str) {
    fs::create_dir_all(root.join(name).join("below")).unwrap();
    fs::write(root.join(name).join("below/file"), "content").unwrap();
    fs::write(root.join("anchor"), name).unwrap();
    if let Ok(old) = fs::read_link(root.join("link")) {
        fs::remove_dir_all(root.join(old)).unwrap();
        fs::remove_file(root.join("link")).unwrap();
    }
    std::os::unix::fs::symlink(name, root.join("link")).unwrap();
    fs::rename(root.join("anchor"), root.join("moved")).unwrap();
    fs::rename(root.join("moved"), root.join("anchor")).unwrap();
}

/// All that happens in a long life: changes, a remote that goes and comes back, signals, a restart.
fn lives_through_everything(kernel: Kernel) {
    let (plan, told) = plan(kernel);
    let mut mirror = plan.start();
    change(&mirror.root, "first");
    mirror.equal();
    eventually("the plugin is told", || told.exists());
    mirror.daemon.stop();
    change(&mirror.root, "second");
    let owed = mirror.dir().join("rsync_fail_log.sh");
    eventually("it is owed", || owed.metadata().is_ok_and(|found| found.len() > 0));
    mirror.daemon.start();
    mirror.equal();
    for (signal, said) in
        [(Signal::SIGHUP, "read again"), (Signal::SIGUSR1, "full sync"), (Signal::SIGUSR2, "")]
    {
        kill(Pid::from_raw(mirror.pid() as i32), signal).unwrap();
        eventually(said, || mirror.log().contains(said));
    }
    change(&mirror.root, "third");
    mirror.equal();
    // What changes meanwhile is found by the state file; what disappears, only with -r.
    mirror.halt_program();
    fs::write(mirror.root.join("third/meanwhile"), "content").unwrap();
    mirror.start_again(&[]);
    mirror.equal();
    let (plan, _sshd) = over_ssh(kernel);
    let mirror = plan.start();
    change(&mirror.root, "first");
    mirror.equal();
}

#[test]
fn everything_works_on_2_6_18() {
    lives_through_everything(Kernel::V2_6_18);
}

#[test]
fn everything_works_on_2_6_32() {
    lives_through_everything(Kernel::V2_6_32);
}

/// Where the kernel refuses the wait of std's channels and condition variables, a thread that waits
/// with one never sleeps.
#[test]
fn an_idle_program_on_2_6_18_is_never_woken() {
    let mirror = plan(Kernel::V2_6_18).0.start();
    change(&mirror.root, "first");
    mirror.equal();
    let threads = fs::read_dir(format!("/proc/{}/task", mirror.pid())).unwrap().count();
    assert!(threads > 1, "{threads}");
    rest_for(&[mirror.pid()], IDLE);
}

/// Each call stands in docs/KERNELS.md, or a program ends badly here that makes another one.
#[test]
fn no_system_call_is_missing_in_the_table() {
    lives_through_everything(Kernel::Listed);
}

#[test]
fn the_table_says_what_happens_without_a_newer_call() {
    let table = listed();
    assert!(table.len() > 50, "{table:?}");
    for (number, [name, since, without]) in table {
        let since_it_all = since == "2.6.18";
        assert_eq!(number < NEWER, since_it_all, "{name} is of {since}");
        assert_eq!(without.is_empty(), since_it_all, "{name}: what without it?");
    }
}

/// The filter itself: without it this file would test today's kernel.
#[test]
fn an_old_kernel_refuses_what_is_newer() {
    for (kernel, expected) in [
        (Kernel::V2_6_18, &[libc::SYS_inotify_init1, libc::SYS_epoll_create1, libc::SYS_pipe2][..]),
        (Kernel::V2_6_32, &[libc::SYS_getrandom]),
    ] {
        let mut plan = Plan::local();
        plan.how.kernel = Some(kernel);
        let mirror = plan.start();
        mirror.equal();
        let refused = mirror.refused();
        for call in expected {
            assert!(refused.contains(&(*call as i32)), "{kernel:?}: {call} is not in {refused:?}");
        }
        assert!(kernel == Kernel::V2_6_18 || !refused.contains(&(libc::SYS_pipe2 as i32)));
    }
}
