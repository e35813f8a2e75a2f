//! The kernel of an old system, as far as the program is concerned: what came later is not there.
//!
//! The calls in question are stopped, and fail as they would fail there; how, stands in
//! `stopped_calls.rs`. So any binary can be tried as it is.
//!
//! What it does not show: flags that old kernels overlook in silence (`O_CLOEXEC` before 2.6.23),
//! calls that never reach the kernel (the clocks), and other architectures: the numbers of x86-64
//! were given out in the order of time, which is what makes the filter a single comparison.
//!
//! `SERSYNC_IT_KERNEL=2.6.18`, or another name of [`Kernel`], has every test run its programs so.

use super::stopped_calls::{argument, give, load, stop, unless, Verdict, NUMBER};
use libc::{c_int, c_long, sock_filter};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::RawFd;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::{env, fs};

/// Which kernel the program has.
const VARIABLE: &str = "SERSYNC_IT_KERNEL";
/// The calls that the program may make. See [`Kernel::Listed`].
const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/KERNELS.md");

/// What the program finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// That of CentOS 5.
    V2_6_18,
    /// That of CentOS 6.
    V2_6_32,
    /// Today's; but a call that is not in the table of docs/KERNELS.md is written down.
    Listed,
}

/// The numbers of the calls that the program made and its kernel has not; with [`Kernel::Listed`], that
/// are not in the table.
#[derive(Debug, Clone, Default)]
pub struct Strangers(Arc<Mutex<BTreeSet<i32>>>);

impl Strangers {
    /// What there were so far.
    pub fn seen(&self) -> Vec<i32> {
        self.0.lock().unwrap().iter().copied().collect()
    }
}

impl Kernel {
    /// The one that the environment asks for.
    pub fn wanted() -> Option<Kernel> {
        let wanted = env::var(VARIABLE).ok()?;
        Some(match wanted.as_str() {
            "2.6.18" => Kernel::V2_6_18,
            "2.6.32" => Kernel::V2_6_32,
            "listed" => Kernel::Listed,
            _ => panic!("{VARIABLE}={wanted}: it is 2.6.18, 2.6.32 or listed"),
        })
    }

    /// The last call that there was: 2.6.18 brought `move_pages`, 2.6.31 `perf_event_open`.
    fn last_call(self) -> u32 {
        let last = match self {
            Kernel::V2_6_18 => libc::SYS_move_pages,
            Kernel::V2_6_32 => libc::SYS_perf_event_open,
            Kernel::Listed => unreachable!("it lets everything through"),
        };
        last as u32
    }

    /// Has this command, which is or becomes the program under test, find this kernel. To be called
    /// last, just before it is started.
    pub fn confine(self, command: &mut Command) -> Strangers {
        let strangers = Strangers::default();
        let written = strangers.clone();
        let list = (self == Kernel::Listed).then(listed);
        stop(
            command,
            |channel| self.filter(channel),
            move |asked| {
                let asked = &asked.data;
                let known = list.as_ref().map(|list| list.contains_key(&asked.nr));
                if known != Some(true) {
                    written.0.lock().unwrap().insert(asked.nr);
                }
                known.map_or_else(|| Verdict::Fail(self.error(asked)), |_| Verdict::Pass)
            },
        );
        strangers
    }

    /// What a call that the filter stopped gives there.
    fn error(self, asked: &libc::seccomp_data) -> c_int {
        let known = asked.nr as u32 <= self.last_call();
        // Of the calls that were there, one had other operations, the others other arguments.
        match c_long::from(asked.nr) {
            libc::SYS_futex => libc::ENOSYS,
            _ if known => libc::EINVAL,
            _ => libc::ENOSYS,
        }
    }

    /// Which calls are stopped, for the kernel to decide. `channel` is the descriptor over which
    /// the filter's own is sent.
    fn filter(self, channel: RawFd) -> Vec<sock_filter> {
        let mut filter = vec![load(NUMBER)];
        if self == Kernel::Listed {
            // All but the one call that must be made before anybody can answer.
            filter.extend([
                unless(libc::BPF_JEQ, libc::SYS_sendmsg as u32, 3),
                load(argument(0)),
                unless(libc::BPF_JEQ, channel as u32, 1),
                give(libc::SECCOMP_RET_ALLOW),
                give(libc::SECCOMP_RET_USER_NOTIF),
            ]);
            return filter;
        }
        filter.push(unless(libc::BPF_JGT, self.last_call(), 1));
        filter.push(give(libc::SECCOMP_RET_USER_NOTIF));
        for (call, place, test, value) in self.arguments() {
            filter.extend([
                unless(libc::BPF_JEQ, call as u32, 4),
                load(argument(place)),
                unless(test, value, 1),
                give(libc::SECCOMP_RET_USER_NOTIF),
                give(libc::SECCOMP_RET_ALLOW),
            ]);
        }
        filter.push(give(libc::SECCOMP_RET_ALLOW));
        filter
    }

    /// The arguments that calls refuse which were there already: the call, which argument, and how
    /// it is compared with what.
    fn arguments(self) -> Vec<(c_long, u32, u32, u32)> {
        if self == Kernel::V2_6_32 {
            return Vec::new();
        }
        let flags = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u32;
        let coarse = libc::CLOCK_REALTIME_COARSE as u32;
        vec![
            // The operations up to 8 are of 2.6.18; private ones (2.6.22) have the bit 128, and
            // std's wait is 9 (2.6.25).
            (libc::SYS_futex, 1, libc::BPF_JGT, libc::FUTEX_TRYLOCK_PI as u32),
            (libc::SYS_fcntl, 1, libc::BPF_JEQ, libc::F_DUPFD_CLOEXEC as u32), // 2.6.24
            (libc::SYS_socket, 1, libc::BPF_JSET, flags),                      // 2.6.27
            (libc::SYS_socketpair, 1, libc::BPF_JSET, flags),                  // 2.6.27
            (libc::SYS_clock_gettime, 0, libc::BPF_JEQ, coarse),               // 2.6.32
        ]
    }
}

/// The table of calls: for each number its name, since which kernel it is there, and what is done
/// without it.
pub fn listed() -> BTreeMap<i32, [String; 3]> {
    let text = fs::read_to_string(LIST).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(|cell| cell.trim().to_string());
        let number = cells.next()?.parse().ok()?;
        Some((number, [cells.next()?, cells.next()?, cells.next()?]))
    });
    rows.collect()
}
