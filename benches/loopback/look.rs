//! Whether the far side has become equal, and when: looks at directories, without being a burden for who fills them.
//!
//! Equal is: the same names, of the same kinds, with the same content. Called by `session`; starts nothing.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::figures::NEVER;

/// Between two looks: short beside the milliseconds that are measured.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// A look that takes longer is followed by a pause of so many times its length, up to a limit: the machine belongs to
/// the others, but what is measured are tens of milliseconds.
const PAUSE_FOR_LOOK: u32 = 10;
const PAUSE_MAX: Duration = Duration::from_millis(5);
/// However often something goes on over there, after this time the rest counts as never.
const PATIENCE_MAX: Duration = Duration::from_secs(120);

/// What lies at a path. Other kinds do not occur in the trees that are measured.
#[derive(PartialEq, Eq)]
enum Kind {
    Directory,
    File { length: u64 },
    Link { target: PathBuf },
}

impl Kind {
    fn of(path: &Path, metadata: &Metadata) -> io::Result<Kind> {
        Ok(if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_symlink() {
            Kind::Link { target: fs::read_link(path)? }
        } else {
            Kind::File { length: metadata.len() }
        })
    }

    fn at(path: &Path) -> io::Result<Kind> {
        Kind::of(path, &fs::symlink_metadata(path)?)
    }
}

/// How far side and near side differ at the end, in entries.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Only here.
    pub missing: usize,
    /// Only there.
    pub left_over: usize,
    /// On both sides, with another kind or content.
    pub different: usize,
}

impl Difference {
    /// Nothing.
    pub fn none(self) -> bool {
        self == Difference::default()
    }

    fn and(self, other: Difference) -> Difference {
        Difference {
            missing: self.missing + other.missing,
            left_over: self.left_over + other.left_over,
            different: self.different + other.different,
        }
    }
}

/// How a wait for equality ended.
pub struct Seen {
    /// From the given moment until all was equal, or [`NEVER`].
    pub time: Duration,
    /// What was wrong when it was given up, of all far sides together.
    pub difference: Difference,
}

/// One far side, and how much of the near one has been found there.
struct Far<'a> {
    path: &'a Path,
    found: usize,
    /// From the given moment until all cheap signs were there.
    seen_after: Option<Duration>,
}

/// Waits until all of `fars` are equal to `near`, counting from `started`.
///
/// `gone` must have disappeared before anything else is looked at. It is given up when for `patience` nothing
/// has come nearer and `progress` has not changed.
pub fn wait_for_equality(
    near: &Path,
    fars: &[PathBuf],
    gone: &[&str],
    started: Instant,
    patience: Duration,
    progress: &dyn Fn() -> u64,
) -> io::Result<Seen> {
    let expected: Vec<(PathBuf, Kind)> = tree(near)?.into_iter().collect();
    let mut fars: Vec<Far> =
        fars.iter().map(|path| Far { path, found: 0, seen_after: None }).collect();
    let mut last_progress = (0, 0);
    let mut moved = Instant::now();
    loop {
        let look = Instant::now();
        for far in fars.iter_mut().filter(|far| far.seen_after.is_none()) {
            far.seen_after = far.signs(&expected, gone).then(|| started.elapsed());
        }
        if let Some(seen) = fars.iter().map(|far| far.seen_after).collect::<Option<Vec<_>>>() {
            // Only now, and at most a few times: reading everything would hold up those that are not there yet.
            for far in &mut fars {
                if !compare(near, far.path)?.none() {
                    far.seen_after = None;
                }
            }
            if fars.iter().all(|far| far.seen_after.is_some()) {
                let time = seen.into_iter().max().unwrap_or_default();
                return Ok(Seen { time, difference: Difference::default() });
            }
        }
        let now = (progress(), fars.iter().map(|far| far.found).sum::<usize>());
        if now != last_progress {
            last_progress = now;
            moved = Instant::now();
        }
        if moved.elapsed() > patience || started.elapsed() > PATIENCE_MAX {
            let mut difference = Difference::default();
            for far in &fars {
                difference = difference.and(compare(near, far.path)?);
            }
            return Ok(Seen { time: NEVER, difference });
        }
        thread::sleep((look.elapsed() * PAUSE_FOR_LOOK).clamp(LOOK_EVERY, PAUSE_MAX));
    }
}

impl Far<'_> {
    /// Whether what is cheap to look at is right. An entry is looked at until it has been seen once.
    fn signs(&mut self, expected: &[(PathBuf, Kind)], gone: &[&str]) -> bool {
        if gone.iter().any(|path| fs::symlink_metadata(self.path.join(path)).is_ok()) {
            return false;
        }
        while let Some((path, kind)) = expected.get(self.found) {
            if Kind::at(&self.path.join(path)).ok().as_ref() != Some(kind) {
                return false;
            }
            self.found += 1;
        }
        true
    }
}

/// Looks at everything.
pub fn compare(near: &Path, far: &Path) -> io::Result<Difference> {
    let here = tree(near)?;
    let mut there = tree(far)?;
    let mut difference = Difference::default();
    for (path, kind) in here {
        match there.remove(&path) {
            None => difference.missing += 1,
            Some(other)
                if other == kind && same_content(&near.join(&path), &far.join(&path), &kind) => {}
            Some(_) => difference.different += 1,
        }
    }
    difference.left_over = there.len();
    Ok(difference)
}

fn same_content(near: &Path, far: &Path, kind: &Kind) -> bool {
    match kind {
        Kind::Directory | Kind::Link { .. } => true,
        Kind::File { .. } => matches!((fs::read(near), fs::read(far)), (Ok(a), Ok(b)) if a == b),
    }
}

/// All that lies below `top`, by its path from there. What disappears while it is read is left out.
fn tree(top: &Path) -> io::Result<BTreeMap<PathBuf, Kind>> {
    let mut found = BTreeMap::new();
    let mut to_read = vec![PathBuf::new()];
    while let Some(directory) = to_read.pop() {
        let entries = match fs::read_dir(top.join(&directory)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            let kind = entry.metadata().and_then(|metadata| Kind::of(&entry.path(), &metadata));
            let Ok(kind) = kind else { continue };
            if kind == Kind::Directory {
                to_read.push(path.clone());
            }
            found.insert(path, kind);
        }
    }
    Ok(found)
}
