//! Reads directories, and watches them first: the threads beside the loop that touch the disk.
//!
//! The loop asks for a [`Scan`]; listings come back through a channel, then the news that the scan
//! has ended. A directory is watched before it is read, so that nothing can happen in between
//! unseen. Whether a listing is still true when it arrives is for the engine to judge.

use crate::engine::event::Wd;
use crate::engine::filter::Filter;
use crate::engine::scan::{Entry, Listing, Origin, Place, Reached, Scan, ScanId};
use crate::engine::watches::join;
use crate::engine::RootId;
use crate::sys::channel::{channel, Sender};
use crate::sys::inotify::{self, Inotify};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// Directories and entries in one message: fewer cost wake-ups of the loop, more cost memory while
/// they wait in the channel.
const MESSAGE_ITEMS_MAX: usize = 256;
/// Scans handed to the walk at the same time; they must all fit into its channel, so that the loop
/// never waits for the walk while the walk waits for the loop.
const SCANS_MAX: usize = 1_024;

/// What the walk needs to know of a root.
#[derive(Debug)]
pub struct Ground {
    /// Which root this is.
    pub id: RootId,
    /// The directory.
    pub path: PathBuf,
    /// Where its watches are set.
    pub inotify: Arc<Inotify>,
    /// The events that are asked of each directory.
    pub mask: u32,
    /// What is neither watched nor read.
    pub filter: Arc<Filter>,
}

/// What the walk tells the loop.
#[derive(Debug)]
pub enum Told {
    /// Directories that were read.
    Listings(RootId, Vec<Listing>),
    /// A scan has ended; everything it found has been told.
    Ended(RootId, ScanId),
    /// A directory (its path relative to the root) could not be watched or read.
    Trouble(RootId, Vec<u8>, Trouble),
}

/// Why a directory is not watched or read.
#[derive(Debug)]
pub enum Trouble {
    /// `fs.inotify.max_user_watches` is reached.
    WatchLimit,
    /// Anything else, with what was tried.
    Other(&'static str, io::Error),
}

/// The loop's side of the walk.
#[derive(Debug)]
pub struct Walks {
    tell: Sender<Told>,
    /// The thread for directories that turn up while the program runs.
    thread: Sender<(Arc<Ground>, Scan)>,
    under_way: usize,
    waiting: VecDeque<(Arc<Ground>, Scan)>,
}

impl Walks {
    /// A walk that tells what it finds through `tell`. Its thread is there from the start: when it is
    /// needed there may be none to be had.
    ///
    /// # Errors
    /// No thread could be started, or no descriptor is left.
    pub fn new(tell: Sender<Told>) -> io::Result<Walks> {
        let (thread, scans) = channel::<(Arc<Ground>, Scan)>()?;
        let told = tell.clone();
        thread::Builder::new().name("walk".into()).spawn(move || {
            while let Some((ground, scan)) = scans.receive() {
                walk(&ground, scan, &told);
            }
        })?;
        Ok(Walks { tell, thread, under_way: 0, waiting: VecDeque::new() })
    }

    /// Has a directory read. The scan of a whole root gets a thread of its own, so that it never
    /// holds up a directory that is made meanwhile; where there is none to be had, it waits its turn.
    pub fn start(&mut self, ground: Arc<Ground>, scan: Scan) {
        if scan.place == Place::Root {
            let (tell, ground, scan) = (self.tell.clone(), ground.clone(), scan.clone());
            let own = thread::Builder::new().name("walk".into());
            if own.spawn(move || walk(&ground, scan, &tell)).is_ok() {
                self.under_way += 1;
                return;
            }
        }
        self.waiting.push_back((ground, scan));
        self.hand_over();
    }

    /// A scan has ended: there is room for the next.
    pub fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.hand_over();
    }

    fn hand_over(&mut self) {
        while self.under_way < SCANS_MAX {
            let Some(next) = self.waiting.pop_front() else { return };
            // The thread ends only with its sender.
            let _ = self.thread.send(next);
            self.under_way += 1;
        }
    }
}

/// A directory that is still to be read.
struct Ahead {
    path: Vec<u8>,
    /// Where it is, if it is to be watched.
    place: Option<Place>,
    /// How it counts as reached if it is not.
    otherwise: Reached,
}

/// Listings on their way to the loop.
struct Outbox<'a> {
    ground: &'a Ground,
    tell: &'a Sender<Told>,
    listings: Vec<Listing>,
    items: usize,
}

impl Outbox<'_> {
    fn add(&mut self, listing: Listing) {
        self.items += 1 + listing.entries.len();
        self.listings.push(listing);
        if self.items >= MESSAGE_ITEMS_MAX {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let listings = std::mem::take(&mut self.listings);
        self.items = 0;
        if !listings.is_empty() {
            self.send(Told::Listings(self.ground.id, listings));
        }
    }

    fn trouble(&mut self, path: &[u8], trouble: Trouble) {
        self.send(Told::Trouble(self.ground.id, path.to_vec(), trouble));
    }

    fn send(&self, told: Told) {
        // Nobody listens any more only while the process ends.
        let _ = self.tell.send(told);
    }
}

/// Walks a directory and everything below it.
fn walk(ground: &Ground, scan: Scan, tell: &Sender<Told>) {
    let mut outbox = Outbox { ground, tell, listings: Vec::new(), items: 0 };
    let place = scan.watch.then_some(scan.place);
    let mut ahead = vec![Ahead { path: scan.path, place, otherwise: Reached::Read }];
    while let Some(next) = ahead.pop() {
        let full = below(&ground.path, &next.path);
        let reached = match next.place {
            Some(place) => match watch(ground, &full, place) {
                Ok(reached) => reached,
                Err(error) => match trouble_of("watch", error) {
                    Some(trouble) => {
                        outbox.trouble(&next.path, trouble);
                        Reached::Unwatched
                    }
                    None => continue,
                },
            },
            None => next.otherwise,
        };
        let listing = Listing {
            scan: scan.id,
            reached,
            path: next.path,
            origin: scan.origin,
            entries: Vec::new(),
        };
        read(&full, listing, &mut ahead, &mut outbox);
    }
    outbox.flush();
    outbox.send(Told::Ended(ground.id, scan.id));
}

fn watch(ground: &Ground, full: &Path, place: Place) -> io::Result<Reached> {
    let mask = match place {
        // The user may have named a symlink for the root; everywhere else a symlink is a file.
        Place::Root => ground.mask | inotify::ROOT,
        Place::In { .. } => ground.mask | libc::IN_DONT_FOLLOW,
    };
    ground.inotify.add(full, mask).map(|wd| Reached::Watched { place, wd })
}

/// Reads one directory: its entries go out, its directories go on the list of what is ahead.
fn read(full: &Path, mut listing: Listing, ahead: &mut Vec<Ahead>, outbox: &mut Outbox) {
    let filter = &outbox.ground.filter;
    let entries = match std::fs::read_dir(full) {
        Ok(entries) => entries,
        Err(error) => {
            if let Some(trouble) = trouble_of("read", error) {
                outbox.trouble(&listing.path, trouble);
            }
            // Watched is watched: its events must find their directory.
            return outbox.add(listing);
        }
    };
    for entry in entries {
        // A directory that goes while it is read ends early; the events tell.
        let Ok(entry) = entry else { break };
        let name: Box<[u8]> = entry.file_name().as_bytes().into();
        let Ok(is_dir) = entry.file_type().map(|kind| kind.is_dir()) else { continue };
        let path = join(&listing.path, &name);
        if filter.excludes(&path, is_dir) {
            continue;
        }
        if is_dir {
            ahead.push(below_of(&listing.reached, path, &name));
        }
        if listing.origin != Origin::Start {
            listing.entries.push(Entry { name, is_dir });
            if listing.entries.len() >= MESSAGE_ITEMS_MAX {
                let entries = std::mem::take(&mut listing.entries);
                outbox.add(Listing { entries, ..listing.clone() });
            }
        }
    }
    outbox.add(listing);
}

fn below_of(reached: &Reached, path: Vec<u8>, name: &[u8]) -> Ahead {
    let inside = |parent: Wd| Place::In { parent, name: name.into() };
    match reached {
        Reached::Watched { wd, .. } => {
            Ahead { path, place: Some(inside(*wd)), otherwise: Reached::Unwatched }
        }
        Reached::Read => Ahead { path, place: None, otherwise: Reached::Read },
        Reached::Unwatched => Ahead { path, place: None, otherwise: Reached::Unwatched },
    }
}

/// `None` for a directory that is gone, or is no directory any more: its events tell.
fn trouble_of(tried: &'static str, error: io::Error) -> Option<Trouble> {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP) => None,
        Some(libc::ENOSPC) => Some(Trouble::WatchLimit),
        _ => Some(Trouble::Other(tried, error)),
    }
}

/// A path relative to a root as one that the system can open.
pub fn below(root: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() {
        return root.to_path_buf();
    }
    root.join(OsStr::from_bytes(path))
}

/// The topmost entries that the user's expressions exclude, for a full sync that has to leave them
/// out one by one because rsync has no pattern that means the same.
pub fn left_out(root: &Path, filter: &Filter) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut ahead = vec![Vec::new()];
    while let Some(path) = ahead.pop() {
        // What cannot be read is not sent either.
        let Ok(entries) = std::fs::read_dir(below(root, &path)) else { continue };
        for entry in entries.flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = join(&path, entry.file_name().as_bytes());
            if filter.excluded_by_expression(&path, is_dir) {
                found.push(path);
            } else if is_dir {
                ahead.push(path);
            }
        }
    }
    found
}
