//! Integration tests: the built program against a real rsync daemon and a real sshd on loopback.
//!
//! One binary, so that it is linked once. [`harness`] starts and ends everything that a test needs;
//! the other modules are the tests, by subject. They run as root (owners and modes are compared)
//! and need `rsync`, `sshd`, `ssh` and `prlimit`: a missing tool is a failure and never a skip.
// clippy knows `#[test]` functions as tests, but not what they call.
#![allow(clippy::unwrap_used)]

mod harness;

mod alerts;
mod background;
mod bad_input;
mod banner;
mod broken_configs;
mod cascades;
mod changes;
#[path = "../chaos/mod.rs"]
mod chaos;
mod check;
mod churn;
mod crash;
mod cut_links;
mod deletion;
mod disk_full;
mod dry_run;
mod ending;
mod exit_codes;
mod fail_log;
mod failures;
mod filters;
mod first_start;
mod full_syncs;
mod ground;
mod halts;
mod harness_itself;
mod idle;
mod init;
mod install;
mod keepalive;
mod lanes;
mod local_trouble;
mod logs;
mod long_walk;
mod memory;
mod names;
mod next_to_nothing;
#[cfg(target_arch = "x86_64")]
mod old_kernel;
mod old_rsync;
mod options;
mod overflow;
mod plugins;
mod process_one;
mod progress;
mod quickstart;
mod races;
mod release;
mod reload;
mod remote_down;
mod remote_settings;
mod remotes;
mod renames;
mod restart;
mod silent;
mod slow_disk;
mod smoke;
mod ssh;
mod standby;
mod status;
mod status_page;
mod switches;
mod unwanted;
mod watch_limit;
