//! Integration tests: the built program against a real rsync daemon and a real sshd on loopback.
//!
//! One binary, so that it is linked once. [`harness`] starts and ends everything that a test needs;
//! the other modules are the tests, by subject. They run as root (owners and modes are compared)
//! and need `rsync`, `sshd` and `ssh`: a missing tool is a failure and never a skip.
// clippy knows `#[test]` functions as tests, but not what they call.
#![allow(clippy::unwrap_used)]

mod harness;

mod bad_input;
mod banner;
mod changes;
mod churn;
mod failures;
mod filters;
mod halts;
mod harness_itself;
mod names;
mod options;
mod races;
mod remotes;
mod silent;
mod ssh;
mod switches;
