//! A disk with errors: a look at one path, or the reading of one directory, fails or waits as the test says; so does a
//! file's way to the disk. Or something happens just before one of these.
//!
//! Only the program under test meets them. They take the place of an old kernel's missing calls, since
//! one program's calls can be stopped for one reason only.

use super::stopped_calls::{give, load, stop, unless, Verdict, NUMBER};
use super::Plan;
use libc::{c_long, seccomp_notif, sock_filter};
use nix::errno::Errno;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// A path is never longer, its end included.
const PATH_MAX: usize = 4096;
/// What is mapped of a process is mapped in pieces of so many bytes.
const PAGE: usize = 4096;

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// The kernel is asked what is at a path.
    Look,
    /// The entries of a directory are read.
    List,
    /// A file, or a directory, is to be on the disk.
    Sync,
    /// A directory is watched.
    Watch,
}

/// What the program meets.
#[derive(Debug)]
enum Met {
    Error(Errno),
    /// Somebody makes this file in this moment.
    File(PathBuf),
}

/// The errors to come, and what is held back.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    met: Vec<(Call, PathBuf, Met)>,
    /// Calls about anything below the directory wait.
    held: Vec<(Call, PathBuf)>,
    /// One has come.
    waits: bool,
}

impl Faults {
    /// Puts the plan's program on a disk that works at first.
    pub fn before(plan: &mut Plan) -> Faults {
        let faults = Faults::default();
        plan.how.faults = Some(faults.clone());
        faults
    }

    /// The next call about this path fails with this error, and none after it.
    pub fn fail_next(&self, call: Call, path: &Path, error: Errno) {
        self.0.lock().unwrap().met.push((call, path.to_path_buf(), Met::Error(error)));
    }

    /// Just before the next call about this path, an empty file is made.
    pub fn write_before(&self, call: Call, path: &Path, file: PathBuf) {
        self.0.lock().unwrap().met.push((call, path.to_path_buf(), Met::File(file)));
    }

    /// Whether all errors have been met.
    pub fn are_met(&self) -> bool {
        self.0.lock().unwrap().met.is_empty()
    }

    /// From now on every such call about this directory, or something below it, waits.
    pub fn hold(&self, call: Call, directory: &Path) {
        let mut state = self.0.lock().unwrap();
        state.waits = false;
        state.held.push((call, directory.to_path_buf()));
    }

    /// Whether a call has come that waits.
    pub fn is_waited_for(&self) -> bool {
        self.0.lock().unwrap().waits
    }

    /// They go on.
    pub fn release(&self) {
        self.0.lock().unwrap().held.clear();
    }

    /// Has this command, which is or becomes the program under test, meet them.
    pub fn confine(&self, command: &mut Command) {
        let faults = self.clone();
        stop(command, |_| filter(), move |asked| faults.meet(asked));
    }

    fn meet(&self, asked: &seccomp_notif) -> Verdict {
        let mut state = self.0.lock().unwrap();
        if state.met.is_empty() && state.held.is_empty() {
            return Verdict::Pass;
        }
        let Some((call, path)) = subject(asked) else { return Verdict::Pass };
        if state.held.iter().any(|(held, at)| *held == call && path.starts_with(at)) {
            state.waits = true;
            return Verdict::Wait;
        }
        let met = state.met.iter().position(|(what, at, _)| (*what, at) == (call, &path));
        match met.map(|met| state.met.remove(met).2) {
            Some(Met::Error(error)) => Verdict::Fail(error as i32),
            Some(Met::File(file)) => {
                fs::write(file, "").unwrap();
                Verdict::Pass
            }
            None => Verdict::Pass,
        }
    }
}

/// The calls that tell what a path is, by where their path is: behind a directory's descriptor, or first.
const AT: [c_long; 2] = [libc::SYS_newfstatat, libc::SYS_statx];
const FIRST: [c_long; 2] = [libc::SYS_stat, libc::SYS_lstat];
/// Those that wait for a disk.
const SYNC: [c_long; 2] = [libc::SYS_fsync, libc::SYS_fdatasync];

const OTHERS: [c_long; 2] = [libc::SYS_getdents64, libc::SYS_inotify_add_watch];

fn filter() -> Vec<sock_filter> {
    let mut filter = vec![load(NUMBER)];
    for call in AT.into_iter().chain(FIRST).chain(OTHERS).chain(SYNC) {
        filter.push(unless(libc::BPF_JEQ, call as u32, 1));
        filter.push(give(libc::SECCOMP_RET_USER_NOTIF));
    }
    filter.push(give(libc::SECCOMP_RET_ALLOW));
    filter
}

/// What a stopped call is about.
fn subject(asked: &seccomp_notif) -> Option<(Call, PathBuf)> {
    let (call, [first, second, ..]) = (c_long::from(asked.data.nr), asked.data.args);
    let of_fd = |fd: u64| match fd as i32 {
        libc::AT_FDCWD => fs::read_link(format!("/proc/{}/cwd", asked.pid)).ok(),
        fd => fs::read_link(format!("/proc/{}/fd/{fd}", asked.pid)).ok(),
    };
    if call == libc::SYS_getdents64 {
        return Some((Call::List, of_fd(first)?));
    }
    if SYNC.contains(&call) {
        return Some((Call::Sync, of_fd(first)?));
    }
    if call == libc::SYS_inotify_add_watch {
        return Some((Call::Watch, of_fd(libc::AT_FDCWD as u64)?.join(text(asked.pid, second)?)));
    }
    let (directory, path) = match FIRST.contains(&call) {
        true => (libc::AT_FDCWD as u64, text(asked.pid, first)?),
        false => (first, text(asked.pid, second)?),
    };
    // An empty one is the open file itself.
    (!path.as_os_str().is_empty()).then_some(())?;
    Some((Call::Look, of_fd(directory)?.join(path)))
}

/// The path at an address of a process.
fn text(pid: u32, address: u64) -> Option<PathBuf> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let (mut bytes, mut at) = (Vec::new(), address);
    // What is behind its end may be nobody's: never more than the rest of a page.
    while bytes.len() < PATH_MAX {
        let mut page = vec![0; PAGE - at as usize % PAGE];
        memory.read_exact_at(&mut page, at).ok()?;
        let end = page.iter().position(|&byte| byte == 0);
        bytes.extend_from_slice(&page[..end.unwrap_or(page.len())]);
        if end.is_some() {
            return Some(PathBuf::from(OsStr::from_bytes(&bytes)));
        }
        at += page.len() as u64;
    }
    None
}
