//! The load: random changes to a tree, of every kind that a program can make.
//!
//! Few names and shallow directories, so that changes collide: a file is renamed over another, a
//! directory moves below one that was made a moment before, a name is a file, then a symlink, then
//! a directory. A step that the system refuses (a directory into itself) is no step. There are no
//! fifos: an rsync that has listed a file and finds a fifo in its place when it opens it waits for a
//! writer for ever, whatever its timeout is.

use super::random::Random;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{utimensat, UtimensatFlags};
use nix::sys::time::TimeSpec;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{symlink, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The names of everything; one of them is not plain.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "longer-name", "with [odd] *"];
/// Directories lie at most so deep.
const DEPTH_MAX: usize = 4;
/// The most bytes that are written at a time.
const WRITE_BYTES_MAX: usize = 3_000;
/// The longest pause between two steps of a gentle load.
const PAUSE_MS_MAX: usize = 8;

/// How fast the steps follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As fast as the file system takes them.
    None,
    /// With pauses of some milliseconds, in which batches leave.
    Gentle,
}

/// One kind of step.
#[derive(Debug, Clone, Copy)]
enum Step {
    Write,
    RewriteSameLength,
    Append,
    Truncate,
    AtomicSave,
    WriteAndKeepOpen,
    CloseKept,
    MakeDirectory,
    MakeTree,
    Rename,
    DeleteFile,
    DeleteTree,
    Symlink,
    Retarget,
    HardLink,
    Replace,
    Chmod,
    SetTime,
}

/// The steps and how often each comes. Chmod and SetTime are last: a load without attributes
/// leaves them out.
const WEIGHTS: [(Step, usize); 18] = [
    (Step::Write, 24),
    (Step::RewriteSameLength, 8),
    (Step::Append, 8),
    (Step::Truncate, 3),
    (Step::AtomicSave, 6),
    (Step::WriteAndKeepOpen, 3),
    (Step::CloseKept, 4),
    (Step::MakeDirectory, 14),
    (Step::MakeTree, 3),
    (Step::Rename, 18),
    (Step::DeleteFile, 9),
    (Step::DeleteTree, 4),
    (Step::Symlink, 4),
    (Step::Retarget, 2),
    (Step::HardLink, 4),
    (Step::Replace, 4),
    (Step::Chmod, 5),
    (Step::SetTime, 5),
];
/// How many of [`WEIGHTS`] change attributes alone.
const ATTRIBUTE_STEPS: usize = 2;

/// A running load.
pub struct Load {
    root: PathBuf,
    random: Random,
    weights: &'static [(Step, usize)],
    kept: Option<File>,
    done: usize,
}

impl Load {
    /// A load on `root`; `attributes` says whether modes and times are changed alone.
    pub fn new(root: &Path, seed: u64, attributes: bool) -> Load {
        let count = WEIGHTS.len() - if attributes { 0 } else { ATTRIBUTE_STEPS };
        let weights = &WEIGHTS[..count];
        let random = Random::new(seed);
        Load { root: root.to_path_buf(), random, weights, kept: None, done: 0 }
    }

    /// Makes steps for as long as `duration`.
    pub fn run(&mut self, duration: Duration, pace: Pace) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let step = self.choose();
            if self.step(step).is_ok() {
                self.done += 1;
            }
            match pace {
                Pace::None => {}
                Pace::Gentle => {
                    let pause_ms = self.random.below(PAUSE_MS_MAX + 1);
                    thread::sleep(Duration::from_millis(pause_ms as u64));
                }
            }
        }
    }

    /// Closes what is still open, and tells how many steps were made.
    pub fn end(self) -> usize {
        self.done
    }

    fn choose(&mut self) -> Step {
        let all: usize = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut left = self.random.below(all);
        for (step, weight) in self.weights {
            if left < *weight {
                return *step;
            }
            left -= weight;
        }
        unreachable!("the weights add up to their sum")
    }

    fn step(&mut self, step: Step) -> io::Result<()> {
        match step {
            Step::Write => self.write(),
            Step::RewriteSameLength => self.rewrite_same_length(),
            Step::Append => self.append(),
            Step::Truncate => self.truncate(),
            Step::AtomicSave => self.atomic_save(),
            Step::WriteAndKeepOpen => self.write_and_keep_open(),
            Step::CloseKept => self.close_kept(),
            Step::MakeDirectory => fs::create_dir(self.any_path()),
            Step::MakeTree => self.make_tree(),
            Step::Rename => fs::rename(self.present()?, self.any_path()),
            Step::DeleteFile => fs::remove_file(self.present()?),
            Step::DeleteTree => fs::remove_dir_all(self.present()?),
            Step::Symlink => symlink(self.name(), self.any_path()),
            Step::Retarget => self.retarget(),
            Step::HardLink => self.hard_link(),
            Step::Replace => self.replace(),
            Step::Chmod => self.chmod(),
            Step::SetTime => self.set_time(),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let path = self.any_path();
        write_file(&path, &self.content())
    }

    fn rewrite_same_length(&mut self) -> io::Result<()> {
        let path = self.present_alone()?;
        let length = path.metadata()?.len() as usize;
        let mut content = self.content();
        content.resize(length, b'=');
        // Without truncating: not even the length changes for a moment.
        OpenOptions::new().write(true).open(path)?.write_all(&content)
    }

    fn append(&mut self) -> io::Result<()> {
        let path = self.present_alone()?;
        OpenOptions::new().append(true).open(path)?.write_all(b"one more line\n")
    }

    fn truncate(&mut self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.present_alone()?)?;
        file.set_len(self.random.below(WRITE_BYTES_MAX) as u64)
    }

    fn atomic_save(&mut self) -> io::Result<()> {
        let path = self.any_path();
        let beside = path.with_file_name("beside");
        write_file(&beside, &self.content())?;
        fs::rename(&beside, path).or_else(|_| fs::remove_file(beside))
    }

    fn write_and_keep_open(&mut self) -> io::Result<()> {
        let path = self.any_path();
        let mut file = open_for_writing(&path)?;
        file.write_all(&self.content())?;
        self.kept = Some(file);
        Ok(())
    }

    fn close_kept(&mut self) -> io::Result<()> {
        let Some(mut file) = self.kept.take() else { return Ok(()) };
        if file.metadata()?.nlink() <= 1 {
            file.write_all(b"written just before the end")?;
        }
        Ok(())
    }

    fn make_tree(&mut self) -> io::Result<()> {
        let top = self.any_path();
        let below = top.join(self.name());
        fs::create_dir_all(&below)?;
        write_file(&top.join("file"), &self.content())?;
        write_file(&below.join(self.name()), b"deep")
    }

    fn retarget(&mut self) -> io::Result<()> {
        let path = self.any_path();
        let beside = path.with_file_name("beside");
        symlink(self.name(), &beside)?;
        fs::rename(&beside, path).or_else(|_| fs::remove_file(beside))
    }

    /// Not of the file that is kept open: its last write is told under the name that it was opened
    /// by, which may be gone by then.
    fn hard_link(&mut self) -> io::Result<()> {
        let path = self.present_file()?;
        if let Some(kept) = &self.kept {
            if kept.metadata()?.ino() == path.metadata()?.ino() {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
        }
        fs::hard_link(path, self.any_path())
    }

    /// Makes something of another kind in the place of what is there.
    fn replace(&mut self) -> io::Result<()> {
        let path = self.present()?;
        if path.symlink_metadata()?.is_dir() {
            fs::remove_dir_all(&path)?;
            if self.random.below(2) == 0 {
                return symlink(self.name(), path);
            }
            return write_file(&path, &self.content());
        }
        fs::remove_file(&path)?;
        fs::create_dir(&path)?;
        write_file(&path.join(self.name()), &self.content())
    }

    fn chmod(&mut self) -> io::Result<()> {
        let path = self.present()?;
        let metadata = path.symlink_metadata()?;
        let bits = self.random.below(0o1000) as u32;
        if metadata.is_dir() {
            return fs::set_permissions(path, fs::Permissions::from_mode(0o700 | bits));
        }
        fs::set_permissions(self.present_alone()?, fs::Permissions::from_mode(bits))
    }

    fn set_time(&mut self) -> io::Result<()> {
        let path = self.present()?;
        if !path.symlink_metadata()?.is_dir() {
            alone_or_absent(&path)?;
        }
        let seconds = 1_000_000_000 + self.random.below(700_000_000) as i64;
        let time = TimeSpec::new(seconds, 0);
        Ok(utimensat(AT_FDCWD, &path, &time, &time, UtimensatFlags::NoFollowSymlink)?)
    }

    fn content(&mut self) -> Vec<u8> {
        let length = self.random.below(WRITE_BYTES_MAX);
        let letter = b'a' + self.random.below(26) as u8;
        vec![letter; length]
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.random.below(NAMES.len())]
    }

    /// A directory of the tree, the root more often than a deep one.
    fn directory(&mut self) -> PathBuf {
        let mut path = self.root.clone();
        for _ in 0..self.random.below(DEPTH_MAX + 1) {
            let below: Vec<PathBuf> =
                entries(&path).into_iter().filter(|entry| is_directory(entry)).collect();
            match self.random.pick(&below) {
                Some(next) => path = next.clone(),
                None => break,
            }
        }
        path
    }

    /// A path at which something may or may not be.
    fn any_path(&mut self) -> PathBuf {
        let directory = self.directory();
        directory.join(self.name())
    }

    /// Something that is there.
    fn present(&mut self) -> io::Result<PathBuf> {
        let found = entries(&self.directory());
        self.random.pick(&found).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn present_file(&mut self) -> io::Result<PathBuf> {
        let path = self.present()?;
        if path.symlink_metadata()?.is_file() {
            return Ok(path);
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// A file with no other name.
    fn present_alone(&mut self) -> io::Result<PathBuf> {
        let path = self.present_file()?;
        alone_or_absent(&path)?;
        Ok(path)
    }
}

/// Refuses a path that has other names: the kernel tells of a change under the name that was used
/// and under no other, so nobody who watches can know of the others.
fn alone_or_absent(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.nlink() > 1 => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Creates or truncates a file that has no other name, never through a symlink.
fn open_for_writing(path: &Path) -> io::Result<File> {
    alone_or_absent(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(libc::O_NOFOLLOW).open(path)
}

fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    open_for_writing(path)?.write_all(content)
}

/// In the order of their names: the order in which a directory gives them is not the seed's.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = found.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}
