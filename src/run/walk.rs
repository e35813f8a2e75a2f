//! Reads directories, and watches them first: the threads beside the loop that touch the disk.
//!
//! The loop asks for a [`Scan`]; listings come back through a channel, then the news that the scan
//! has ended. A directory is watched before it is read, so that nothing can happen in between
//! unseen. Whether a listing is still true when it arrives is for the engine to judge.

use crate::engine::rel_path::{join, RelPath};
use crate::engine::watching::event::Wd;
use crate::engine::watching::filter::Filter;
use crate::engine::watching::linked::Name;
use crate::engine::watching::scan::{Entry, Listing, Origin, Place, Reached, Scan, ScanId, Stamps};
use crate::engine::RootId;
use crate::sys::channel::{channel, Sender};
use crate::sys::directory::{Buffer, Directory, Kind};
use crate::sys::inotify::{self, Inotify};
use crate::sys::thread;
use nix::sys::stat::{stat, FileStat, SFlag};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many directories and entries are in one message. With fewer the loop would be woken more often; with
/// more, what waits in the channel would take more memory.
const MESSAGE_ITEMS_MAX: usize = 256;
/// What has been read waits no longer for more while the disk is slow: what happens there is no change before it is handed
/// over.
const MESSAGE_DELAY_MAX: Duration = Duration::from_millis(2);
/// How many scans are handed to the walk at the same time. They must all fit into its channel: otherwise the
/// loop could wait for the walk while the walk waits for the loop.
const SCANS_MAX: usize = 1_024;

/// What the walk needs to know of a root.
#[derive(Debug, Clone)]
pub struct WalkedRoot {
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
    /// Directories that are seen under another name as well, and are watched under that one: the kernel has one watch
    /// for both.
    pub second_names: Vec<RelPath>,
    /// Only what is on the root's own file system is watched and read: what `-x` means to rsync.
    pub one_file_system: bool,
}

/// What the walk tells the loop.
#[derive(Debug)]
pub enum WalkMessage {
    /// Directories that were read.
    Listings(RootId, Vec<Listing>),
    /// A scan has ended, after messages with all that it found. If it was of the whole root, with the number
    /// of files and directories in it.
    Ended(RootId, ScanId, Option<u64>),
    /// The names of inodes that were looked for, and in how many milliseconds.
    Names(RootId, Vec<Name>, u64),
    /// Something in a directory has a path that is too long.
    TooLong(RootId, RelPath),
    /// A directory (its path relative to the root) could not be watched or read.
    Trouble(RootId, Vec<u8>, Trouble),
}

/// Why a directory is not watched or read: what was tried, and what the system says.
#[derive(Debug)]
pub struct Trouble(pub &'static str, pub io::Error);

/// The loop's side of the walk.
#[derive(Debug)]
pub struct Walks {
    tell: Sender<WalkMessage>,
    /// The thread for directories that turn up while the program runs.
    thread: Sender<(Arc<WalkedRoot>, Scan)>,
    under_way: usize,
    waiting: VecDeque<(Arc<WalkedRoot>, Scan)>,
}

impl Walks {
    /// A walk that tells what it finds through `tell`. Its thread is there from the start: when it is
    /// needed there may be none to be had.
    ///
    /// # Errors
    /// No thread could be started, or no descriptor is left.
    pub fn new(tell: Sender<WalkMessage>) -> io::Result<Walks> {
        let (thread, scans) = channel::<(Arc<WalkedRoot>, Scan)>()?;
        let to_loop = tell.clone();
        thread::start("walk", move || {
            while let Some((root, scan)) = scans.receive() {
                walk(&root, scan, &to_loop);
            }
        })?;
        Ok(Walks { tell, thread, under_way: 0, waiting: VecDeque::new() })
    }

    /// Has a directory read. The scan of a whole root gets a thread of its own, so that it never
    /// holds up a directory that is made meanwhile; where there is none to be had, it waits its turn.
    pub fn start(&mut self, root: Arc<WalkedRoot>, scan: Scan) {
        if scan.place == Place::Root {
            let (tell, root, scan) = (self.tell.clone(), root.clone(), scan.clone());
            if thread::start("walk", move || walk(&root, scan, &tell)).is_ok() {
                self.under_way += 1;
                return;
            }
        }
        self.waiting.push_back((root, scan));
        self.hand_over();
    }

    /// Through which something else that reads directories can tell the loop.
    pub fn tell(&self) -> Sender<WalkMessage> {
        self.tell.clone()
    }

    /// A scan has ended: there is room for the next.
    pub fn ended(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        self.hand_over();
    }

    fn hand_over(&mut self) {
        while self.under_way < SCANS_MAX {
            let Some(next) = self.waiting.pop_front() else { return };
            // The thread ends only when this sender is dropped, so it is there to receive.
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
    /// Of the directory above, for [`Origin::Since`]; otherwise zeros.
    above: Stamps,
}

/// Listings on their way to the loop.
struct Outbox<'a> {
    root: &'a WalkedRoot,
    tell: &'a Sender<WalkMessage>,
    listings: Vec<Listing>,
    items: usize,
    /// When a message left last; the first one leaves at once.
    left_at: Option<Instant>,
    /// Entries of all directories that were read.
    entries: u64,
}

impl Outbox<'_> {
    fn add(&mut self, listing: Listing) {
        self.items += 1 + listing.entries.len();
        self.listings.push(listing);
        let has_waited = self.left_at.is_none_or(|at| at.elapsed() >= MESSAGE_DELAY_MAX);
        if self.items >= MESSAGE_ITEMS_MAX || has_waited {
            self.flush();
            self.left_at = Some(Instant::now());
        }
    }

    fn flush(&mut self) {
        let listings = std::mem::take(&mut self.listings);
        self.items = 0;
        if !listings.is_empty() {
            self.send(WalkMessage::Listings(self.root.id, listings));
        }
    }

    /// Tells what could not be done, unless the directory is gone or no directory any more: then the events
    /// about it say what has happened.
    fn trouble(&mut self, path: &[u8], tried: &'static str, error: io::Error) {
        if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) {
            self.send(WalkMessage::Trouble(self.root.id, path.to_vec(), Trouble(tried, error)));
        }
    }

    fn send(&self, message: WalkMessage) {
        // Only while the loop ends is there nobody to receive it.
        let _ = self.tell.send(message);
    }
}

/// Walks a directory and everything below it.
fn walk(root: &WalkedRoot, scan: Scan, tell: &Sender<WalkMessage>) {
    let mut outbox =
        Outbox { root, tell, listings: Vec::new(), items: 0, left_at: None, entries: 0 };
    let mut buffer = Buffer::default();
    let is_whole = scan.place == Place::Root;
    let first = scan.place.clone();
    let place = scan.watch.then_some(scan.place);
    let mut ahead = vec![Ahead { path: scan.path, place, above: Stamps::default() }];
    let mut full = PathBuf::new();
    let only_on = root.one_file_system.then(|| device(&root.path)).flatten();
    while let Some(next) = ahead.pop() {
        full.as_mut_os_string().clear();
        full.push(&root.path);
        full.push(OsStr::from_bytes(&next.path));
        let is_left_out = root.second_names.iter().any(|at| **at == *next.path)
            || only_on.is_some_and(|root| device(&full) != Some(root));
        if is_left_out {
            continue;
        }
        let mut reached = Reached::Read;
        if let Some(place) = next.place {
            match watch(root, &full, &place) {
                Ok(wd) => reached = Reached::Watched { place, wd },
                Err(error) if out_of_watches(&error) => reached = Reached::Unwatched { place },
                Err(error) => {
                    if says_nothing(&error) {
                        let unread = Reached::Unread { place };
                        outbox.add(Listing::empty(scan.id, scan.origin, unread, &next.path));
                    }
                    outbox.trouble(&next.path, "watch", error);
                    continue;
                }
            }
        }
        // It is opened only now that it is watched: what happened in between would be missed otherwise.
        let opened = match reached {
            // A symlink is followed for the root alone, which the user may have named so. Elsewhere it has
            // taken the place of a directory since the name was read, and may lead out of the tree.
            Reached::Watched { .. } | Reached::Read => Directory::open(&full, next.path.is_empty()),
            Reached::Unwatched { .. } | Reached::Unread { .. } => {
                Err(io::Error::from_raw_os_error(libc::ENOSPC))
            }
        };
        let (stamps, changed_ns) = match scan.origin {
            Origin::Since(since_ns) => {
                let own = match &opened {
                    Ok(directory) => directory.attributes(),
                    Err(_) => stat(&full).map_err(io::Error::from),
                };
                let own_ns = own.map_or(0, |found| changed(&found));
                let stamps = next.above.of_entry(own_ns, true);
                (stamps, Some(stamps.changed_ns).filter(|ns| *ns >= since_ns))
            }
            Origin::Start | Origin::Created(_) | Origin::Moved => (Stamps::default(), None),
        };
        let place = match &reached {
            Reached::Watched { place, .. } => place.clone(),
            Reached::Read | Reached::Unwatched { .. } | Reached::Unread { .. } => first.clone(),
        };
        let is_watchable = !matches!(reached, Reached::Unwatched { .. });
        let listing =
            Listing { changed_ns, ..Listing::empty(scan.id, scan.origin, reached, &next.path) };
        let failed = match opened {
            Ok(directory) => {
                let read = read(&directory, &mut buffer, stamps, listing, &mut ahead, &mut outbox);
                read.err().map(|error| (error, true))
            }
            Err(error) => {
                // Listed without entries: if it is watched, the engine must know it when its events come.
                outbox.add(listing);
                let again = says_nothing(&error);
                is_watchable.then_some((error, again))
            }
        };
        if let Some((error, again)) = failed {
            if again {
                let unread = Reached::Unread { place };
                outbox.add(Listing::empty(scan.id, scan.origin, unread, &next.path));
            }
            outbox.trouble(&next.path, "read", error);
        }
    }
    outbox.flush();
    let entries = is_whole.then_some(outbox.entries);
    outbox.send(WalkMessage::Ended(root.id, scan.id, entries));
}

/// The number of the device that a path is on; nothing if it is gone.
fn device(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| found.dev())
}

fn watch(root: &WalkedRoot, full: &Path, place: &Place) -> io::Result<Wd> {
    let mask = match place {
        // A symlink is followed for the root alone; everywhere else it is an entry like a file.
        Place::Root => root.mask | inotify::ROOT,
        Place::In { .. } => root.mask | libc::IN_DONT_FOLLOW,
    };
    root.inotify.add(full, mask).map(Wd)
}

/// `fs.inotify.max_user_watches` is reached, or the kernel's own memory is used up.
fn out_of_watches(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::ENOMEM))
}

/// Whether an error at the first step leaves open what is in a directory, so that it has to be read again. What is gone has
/// events of its own, and so has a right that is given; a path that is too long stays too long.
fn says_nothing(error: &io::Error) -> bool {
    let known =
        [libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::EACCES, libc::EPERM, libc::ENAMETOOLONG];
    !error.raw_os_error().is_some_and(|error| known.contains(&error))
}

/// Reads one directory: its entries go to the loop, and the directories among them are read later.
///
/// # Errors
/// What getdents(2) gives, unless the directory has been deleted.
fn read(
    directory: &Directory,
    buffer: &mut Buffer,
    stamps: Stamps,
    mut listing: Listing,
    ahead: &mut Vec<Ahead>,
    outbox: &mut Outbox,
) -> io::Result<()> {
    let filter = &outbox.root.filter;
    let (mut end, mut too_long) = (Ok(()), false);
    loop {
        let entries = match directory.read(buffer) {
            Ok(entries) if entries.is_end() => break,
            Ok(entries) => entries,
            Err(error) => {
                let is_gone = error.raw_os_error() == Some(libc::ENOENT);
                end = if is_gone { Ok(()) } else { Err(error) };
                break;
            }
        };
        for (name, kind, _) in entries {
            let is_dir = match kind {
                Kind::Directory => true,
                Kind::Other => false,
                Kind::Unknown => {
                    directory.attributes_of(name).is_ok_and(|found| is_directory(&found))
                }
            };
            let path = join(&listing.path, name);
            if filter.is_too_long(&path) {
                too_long = true;
                continue;
            }
            if filter.excludes(&path, is_dir) {
                continue;
            }
            outbox.entries += 1;
            if is_dir {
                let place = place_in(&listing.reached, name);
                ahead.push(Ahead { path, place, above: stamps });
            }
            let changed_ns = match listing.origin {
                Origin::Start => None,
                Origin::Since(_) if is_dir => None,
                Origin::Since(since_ns) => {
                    // 0 if it has gone since.
                    let own_ns = directory.attributes_of(name).map_or(0, |found| changed(&found));
                    Some(stamps.of_entry(own_ns, false).changed_ns).filter(|ns| *ns >= since_ns)
                }
                Origin::Created(_) | Origin::Moved => Some(0),
            };
            if let Some(changed_ns) = changed_ns {
                listing.entries.push(Entry { name: name.into(), is_dir, changed_ns });
                if listing.entries.len() >= MESSAGE_ITEMS_MAX {
                    let entries = std::mem::take(&mut listing.entries);
                    outbox.add(Listing { entries, ..listing.clone() });
                }
            }
        }
    }
    if too_long {
        outbox.send(WalkMessage::TooLong(outbox.root.id, RelPath::from(&*listing.path)));
    }
    outbox.add(listing);
    end
}

/// Where an entry of a directory is to be watched; not at all if the scan only reads.
fn place_in(reached: &Reached, name: &[u8]) -> Option<Place> {
    match reached {
        Reached::Watched { wd, .. } => Some(Place::In { parent: *wd, name: name.into() }),
        Reached::Read | Reached::Unwatched { .. } | Reached::Unread { .. } => None,
    }
}

/// Whether this is a directory.
pub fn is_directory(found: &FileStat) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

/// The time of the last change of content, attributes, name or place: nobody can set it.
fn changed(found: &FileStat) -> u64 {
    let ns = i128::from(found.st_ctime) * 1_000_000_000 + i128::from(found.st_ctime_nsec);
    u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
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
        // rsync cannot read it either, so nothing of it is sent.
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
