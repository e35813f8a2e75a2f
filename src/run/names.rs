//! Looks for the names of inodes in a root: reads its directories, on a thread of its own.
//!
//! A directory tells the number of each inode in it. Only what has a number that is looked for is looked at.

use crate::engine::rel_path::{join, RelPath};
use crate::engine::watching::linked::{Inode, Name, Wanted, NAMES_MAX};
use crate::run::walk::{below, is_directory, WalkMessage, WalkedRoot};
use crate::sorted::SortedSet;
use crate::sys::channel::Sender;
use crate::sys::directory::{Buffer, Directory, Kind};
use crate::sys::thread;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Has the names of inodes looked for; they come as a [`WalkMessage::Names`].
///
/// # Errors
/// No thread could be started.
pub fn start(root: Arc<WalkedRoot>, wanted: Wanted, tell: Sender<WalkMessage>) -> io::Result<()> {
    let search = move || {
        let begun = Instant::now();
        let names = find(&root, wanted);
        let took_ms = begun.elapsed().as_millis() as u64;
        // Only while the loop ends is there nobody to receive it.
        let _ = tell.send(WalkMessage::Names(root.id, names, took_ms));
    };
    thread::start("names", search)
}

/// The names of these inodes, but for those that are never synced; somewhat more than [`NAMES_MAX`] at most.
fn find(root: &WalkedRoot, mut wanted: Wanted) -> Vec<Name> {
    let numbers: SortedSet<u64> = wanted.keys().map(|inode| inode.number).collect();
    let mut names = Vec::new();
    let mut buffer = Buffer::default();
    let mut ahead: Vec<Vec<u8>> = vec![Vec::new()];
    // When each has been found under all of its names, there is nothing left to be read for.
    while let Some(path) = ahead.pop().filter(|_| !wanted.is_empty() && names.len() <= NAMES_MAX) {
        if root.second_names.iter().any(|at| **at == *path) {
            continue;
        }
        // What cannot be read has no names that could be sent.
        let opened = Directory::open(&below(&root.path, &path), path.is_empty());
        let Ok(directory) = opened else { continue };
        while let Ok(entries) = directory.read(&mut buffer) {
            if entries.is_end() {
                break;
            }
            for (name, kind, number) in entries {
                let is_dir = match kind {
                    Kind::Directory => true,
                    Kind::Other if !numbers.contains(&number) => continue,
                    Kind::Other => false,
                    Kind::Unknown => {
                        directory.attributes_of(name).is_ok_and(|found| is_directory(&found))
                    }
                };
                let full = join(&path, name);
                if root.filter.excludes(&full, is_dir) {
                    continue;
                }
                if is_dir {
                    ahead.push(full);
                    continue;
                }
                let inode = match directory.attributes_of(name) {
                    Ok(found) => Some(Inode { device: found.st_dev, number: found.st_ino }),
                    Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
                    // Whoever sends it looks again.
                    Err(_) => wanted.keys().find(|inode| inode.number == number).copied(),
                };
                let Some(inode) = inode else { continue };
                let Some(left) = wanted.get_mut(&inode) else { continue };
                names.push((inode, RelPath::from(full)));
                *left = left.saturating_sub(1);
                if *left == 0 {
                    wanted.remove(&inode);
                }
            }
        }
    }
    names
}
