//! The changes that are made for a measurement: many files, a copied tree, appends, random work. Only writes; called by
//! the workloads.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The length of a file, where it makes no difference.
const FILE_BYTES: usize = 1024;
/// How many files there are in a directory.
const FILES_IN_DIRECTORY: usize = 100;
/// The length of one append.
const RECORD_BYTES: usize = 100;

/// `count` new files of 1 KB in `top`, a hundred to a directory, each with another content.
pub fn new_files(top: &Path, count: usize) -> io::Result<()> {
    for file in 0..count {
        let directory = top.join(format!("d{:04}", file / FILES_IN_DIRECTORY));
        if file % FILES_IN_DIRECTORY == 0 {
            fs::create_dir_all(&directory)?;
        }
        let mut content = vec![b'y'; FILE_BYTES];
        write!(&mut content[..], "{file}")?;
        fs::write(directory.join(format!("f{file:06}")), content)?;
    }
    Ok(())
}

/// `count` appends to one file, each with an open and a close, as a script logs.
pub fn appends(file: &Path, count: usize) -> io::Result<()> {
    for _ in 0..count {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        file.write_all(&[b'l'; RECORD_BYTES])?;
    }
    Ok(())
}

/// A tree of real source files.
pub struct Sources {
    /// Directories, each of which is copied by its last name.
    pub tops: Vec<PathBuf>,
    /// Files in them.
    pub files: usize,
    /// Bytes of these.
    pub bytes: u64,
}

impl Sources {
    /// The sources of what this program is built with: Cargo has them on each machine that has built it, and by
    /// Cargo.lock they are the same everywhere.
    pub fn find() -> io::Result<Sources> {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let user = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
        let home = home.or_else(user).unwrap_or_default();
        let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock"))?;
        let quoted = |line: &str, key: &str| {
            let value = line.strip_prefix(key)?.strip_prefix(" = \"")?;
            Some(value.trim_end_matches('"').to_string())
        };
        let mut names = Vec::new();
        let mut name = String::new();
        for line in lock.lines() {
            if let Some(found) = quoted(line, "name") {
                name = found;
            } else if let Some(version) = quoted(line, "version") {
                names.push(format!("{name}-{version}"));
            }
        }
        let mut sources = Sources { tops: Vec::new(), files: 0, bytes: 0 };
        for registry in fs::read_dir(home.join("registry/src"))? {
            let registry = registry?.path();
            let tops = names.iter().map(|name| registry.join(name)).filter(|top| top.is_dir());
            sources.tops.extend(tops);
        }
        for top in &sources.tops {
            count(top, &mut sources.files, &mut sources.bytes)?;
        }
        match sources.files {
            0 => Err(io::Error::other("Cargo has no sources; build the program first")),
            _ => Ok(sources),
        }
    }

    /// Copies all of it to `target`.
    pub fn copy_to(&self, target: &Path) -> io::Result<()> {
        fs::create_dir_all(target)?;
        self.tops.iter().try_for_each(|top| match top.file_name() {
            Some(name) => copy(top, &target.join(name)),
            None => Ok(()),
        })
    }
}

fn count(directory: &Path, files: &mut usize, bytes: &mut u64) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            count(&entry.path(), files, bytes)?;
        } else {
            *files += 1;
            *bytes += metadata.len();
        }
    }
    Ok(())
}

/// As `cp -r` does it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Bytes that do not compress, the same for each seed: xorshift64.
pub struct Random(u64);

impl Random {
    /// Each seed gives other bytes.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or_default() % limit
    }

    /// Fills a file with `length` bytes.
    pub fn write(&mut self, path: &Path, length: usize) -> io::Result<()> {
        let mut file = io::BufWriter::new(fs::File::create(path)?);
        for _ in 0..length.div_ceil(8) {
            file.write_all(&self.next().to_le_bytes())?;
        }
        file.flush()
    }
}

/// How many entries a churned tree may have.
const CHURN_FILES_MAX: usize = 300;
const CHURN_DIRECTORIES_MAX: usize = 30;
/// The length of a file is a multiple of this, up to 64 times.
const CHURN_BYTES: usize = 16;

/// Random work in a tree: files and directories are created, written again, renamed and deleted. It is the same for the
/// same seed.
pub struct Churn {
    random: Random,
    files: BTreeSet<PathBuf>,
    directories: BTreeSet<PathBuf>,
    named: usize,
}

impl Churn {
    /// No work done yet.
    pub fn new(seed: u64) -> Churn {
        let directories = BTreeSet::from([PathBuf::new()]);
        Churn { random: Random::new(seed), files: BTreeSet::new(), directories, named: 0 }
    }

    /// Does `steps` pieces of work in `top`, spread over `time`; as fast as possible if that is zero.
    pub fn run(&mut self, top: &Path, steps: u32, time: Duration) -> io::Result<()> {
        let started = Instant::now();
        for step in 0..steps {
            self.step(top)?;
            let due = time * step / steps;
            thread::sleep(due.saturating_sub(started.elapsed()));
        }
        Ok(())
    }

    fn step(&mut self, top: &Path) -> io::Result<()> {
        match self.random.below(100) {
            0..45 => self.write(top),
            45..60 => self.rename_file(top),
            60..80 => self.delete_file(top),
            80..88 => self.make_directory(top),
            88..95 => self.rename_directory(top),
            _ => self.delete_directory(top),
        }
    }

    /// Writes a new file, or one that is there already.
    fn write(&mut self, top: &Path) -> io::Result<()> {
        let again = self.files.len() >= CHURN_FILES_MAX || self.random.below(3) == 0;
        let file = match pick(&mut self.random, &self.files).filter(|_| again) {
            Some(file) => file,
            None => self.new_name("f"),
        };
        let length = (1 + self.random.below(64)) * CHURN_BYTES;
        self.random.write(&top.join(&file), length)?;
        self.files.insert(file);
        Ok(())
    }

    fn rename_file(&mut self, top: &Path) -> io::Result<()> {
        let Some(from) = pick(&mut self.random, &self.files) else { return Ok(()) };
        let to = self.new_name("f");
        fs::rename(top.join(&from), top.join(&to))?;
        self.files.remove(&from);
        self.files.insert(to);
        Ok(())
    }

    fn delete_file(&mut self, top: &Path) -> io::Result<()> {
        let Some(file) = pick(&mut self.random, &self.files) else { return Ok(()) };
        fs::remove_file(top.join(&file))?;
        self.files.remove(&file);
        Ok(())
    }

    fn make_directory(&mut self, top: &Path) -> io::Result<()> {
        if self.directories.len() < CHURN_DIRECTORIES_MAX {
            let directory = self.new_name("d");
            fs::create_dir(top.join(&directory))?;
            self.directories.insert(directory);
        }
        Ok(())
    }

    fn rename_directory(&mut self, top: &Path) -> io::Result<()> {
        let Some(from) = self.pick_directory() else { return Ok(()) };
        let to = self.new_name("d");
        // A directory cannot be moved into itself.
        if !to.starts_with(&from) {
            fs::rename(top.join(&from), top.join(&to))?;
            for known in [&mut self.files, &mut self.directories] {
                *known = known.iter().map(|path| moved(path, &from, &to)).collect();
            }
        }
        Ok(())
    }

    fn delete_directory(&mut self, top: &Path) -> io::Result<()> {
        let Some(directory) = self.pick_directory() else { return Ok(()) };
        fs::remove_dir_all(top.join(&directory))?;
        for known in [&mut self.files, &mut self.directories] {
            known.retain(|path| !path.starts_with(&directory));
        }
        Ok(())
    }

    /// A directory that may go: never the top.
    fn pick_directory(&mut self) -> Option<PathBuf> {
        pick(&mut self.random, &self.directories).filter(|path| !path.as_os_str().is_empty())
    }

    /// A name that was never used, in any directory.
    fn new_name(&mut self, kind: &str) -> PathBuf {
        let directory = pick(&mut self.random, &self.directories).unwrap_or_default();
        self.named += 1;
        directory.join(format!("{kind}{}", self.named))
    }
}

fn pick(random: &mut Random, from: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    from.iter().nth(random.below(from.len().max(1))).cloned()
}

fn moved(path: &Path, from: &Path, to: &Path) -> PathBuf {
    path.strip_prefix(from).map_or(path.to_path_buf(), |rest| to.join(rest))
}
