//! Finds out when the far side has become equal. It looks at directories, and must be no burden for what fills them.
//!
//! Two sides are equal if they have the same names, of the same kinds, with the same content. Called by `session`;
//! starts nothing.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::figures::NEVER;

/// The least pause between two looks: short beside the milliseconds that are measured.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// After each look comes a pause of this many times its length, so that the machine belongs to the others; but never
/// longer than [`PAUSE_MAX`], because tens of milliseconds are measured.
const PAUSE_FOR_LOOK: u32 = 10;
const PAUSE_MAX: Duration = Duration::from_millis(5);
/// What has not arrived after this time counts as never, whatever still goes on over there.
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

/// How many entries differ between the far side and the near one at the end.
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
    /// Whether the two sides are equal.
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
    /// The time from the given moment until all was equal, or [`NEVER`].
    pub time: Duration,
    /// What was wrong on all far sides together when the wait was given up.
    pub difference: Difference,
}

/// One far side, and how much of the near one has been found there.
struct Far<'a> {
    path: &'a Path,
    found: usize,
    /// The time from the given moment until all that is cheap to look at was right.
    seen_after: Option<Duration>,
}

/// Waits until all of `fars` are equal to `near`, counting from `started`.
///
/// The entries `gone` must have disappeared before anything else is looked at. The wait is given up when for
/// `patience` nothing more has arrived and `progress` has not changed.
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
            // Everything is read only now, and at most a few times: it would hold up what has not arrived yet.
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
    /// Whether what is cheap to look at is right. An entry that was right once is not looked at again.
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

/// Compares everything.
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
