//! The least that any watcher has to do for a burst of new files, to compare with: watch the new directories, read what
//! is in them already, read the events of the rest, and look once at each file. Nothing is remembered or sent. It reads
//! as soon as there is an event. One that waits for several at a time takes less: some 0.05 x of rsync's processor time
//! instead of 0.1 x.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use nix::fcntl::AtFlags;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::stat::fstatat;
use nix::time::{clock_gettime, ClockId};
use sersync::engine::watching::event::{mask, parse, Wd};
use sersync::sys::inotify::{Inotify, DIRECTORY};

use super::figures::median;
use super::stage::base;
use super::system::{while_doing, Unmeasurable};
use super::work::new_files;

/// The file that is created when the burst is over.
const LAST: &str = "last";
const RECORDS_BYTES: usize = 64 * 1024;
const ROUNDS: usize = 3;

/// The processor time that this takes for `files` new files: the median of some rounds.
pub fn cpu_for(files: usize) -> Result<Duration, Unmeasurable> {
    let rounds: io::Result<Vec<Duration>> = (0..ROUNDS).map(|_| burst(files)).collect();
    let times = rounds.map_err(while_doing("a bare loop that reads events"))?;
    median(&times).ok_or_else(|| Unmeasurable("no rounds".into()))
}

fn burst(files: usize) -> io::Result<Duration> {
    let near = tempfile::Builder::new().prefix("sersync-bench.").tempdir_in(base())?;
    let mut watcher = Watcher { inotify: Inotify::new()?, directories: BTreeMap::new() };
    watcher.watch(near.path().to_path_buf())?;
    let watching = thread::spawn(move || watcher.run_until_last());
    new_files(&near.path().join("new"), files)?;
    fs::write(near.path().join(LAST), "")?;
    watching.join().unwrap_or_else(|_| Err(io::Error::other("the bare loop has panicked")))
}

struct Watcher {
    inotify: Inotify,
    directories: BTreeMap<Wd, (PathBuf, File)>,
}

impl Watcher {
    /// Watches a directory and those below it, and looks at the files in it: those that were there before the
    /// watch give no event.
    fn watch(&mut self, directory: PathBuf) -> io::Result<()> {
        let wd = Wd(self.inotify.add(&directory, DIRECTORY)?);
        let opened = File::open(&directory)?;
        let entries = fs::read_dir(&directory)?;
        self.directories.insert(wd, (directory, opened));
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.watch(entry.path())?;
            } else {
                entry.metadata()?;
            }
        }
        Ok(())
    }

    /// The processor time of this thread until it has seen [`LAST`].
    fn run_until_last(mut self) -> io::Result<Duration> {
        let mut records = vec![0; RECORDS_BYTES];
        loop {
            poll(&mut [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
            let count = self.inotify.read(&mut records)?;
            for event in parse(&records[..count]) {
                if event.has(mask::Q_OVERFLOW) {
                    // The last event may be among those that were lost.
                    return Err(io::Error::other("the kernel's queue of events was full"));
                }
                let Some((directory, opened)) = self.directories.get(&event.wd) else { continue };
                if event.has(mask::CREATE) && event.is_dir() {
                    self.watch(directory.join(OsStr::from_bytes(&event.name)))?;
                } else if event.has(mask::CLOSE_WRITE) {
                    fstatat(opened, &event.name[..], AtFlags::AT_SYMLINK_NOFOLLOW)?;
                    if event.name[..] == *LAST.as_bytes() {
                        return Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into());
                    }
                }
            }
        }
    }
}
