//! What is kept of each remote from one run of the program to the next.
//!
//! Owns the values that are kept, and their limits. `text` writes and reads them, `store` has the
//! file, `place` says where it lies, and `clock` whether its times can be believed. After a start, the walk compares the times of files and directories with the time up to
//! which a remote is known to be complete. Deletions leave no trace that a walk could find, and what
//! did not get through has no new time: those are kept by name. The loop saves, `prepare` loads.

pub mod clock;
pub mod ground;
pub mod place;
pub mod resume;
pub mod saver;
pub mod store;
pub mod text;
mod word;

use self::clock::Moment;
use self::ground::KeptGround;
use crate::engine::sending::trust::Trust;
use crate::rsync::asked::plan::Gone;
use crate::sorted::SortedMap;
use crate::sys::own_file;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So many paths are kept for each remote. They are written anew with every change, at most once
/// a second: this many lines are about half a megabyte. Beyond it [`Paths::is_incomplete`].
pub const STATE_PATHS_MAX: usize = 10_000;
/// So many places below a root where disks are mounted are kept.
pub const MOUNTED_MAX: usize = 1_000;
/// And so many bytes of paths: with long ones this limit is reached first.
pub const STATE_PATHS_BYTES_MAX: usize = 1024 * 1024;

/// What is known of so many remotes is kept while they are in no configuration, should they come back.
pub const AWAY_MAX: usize = 64;

/// What is kept, of every remote in the order of the configuration, and behind those of remotes that have been taken
/// out of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// When it was written, if that is known.
    pub written: Option<Moment>,
    /// One for each pair of root and remote.
    pub remotes: Vec<Kept>,
}

impl State {
    /// What was kept of a remote; the configuration may have changed since.
    pub fn of(&self, root: &[u8], destination: &[u8]) -> Option<&Kept> {
        self.remotes.iter().find(|kept| kept.root == root && kept.destination == destination)
    }

    /// What was kept of remotes that are not configured now.
    pub fn away(&self, is_configured: impl Fn(&Kept) -> bool) -> Vec<Kept> {
        let away = self.remotes.iter().filter(|kept| !is_configured(kept));
        away.take(AWAY_MAX).cloned().collect()
    }
}

/// What is kept of one remote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// The watched directory.
    pub root: Vec<u8>,
    /// Where it is pushed, as rsync takes it: two users of one module are two remotes. With the port,
    /// if it has one of its own.
    pub destination: Vec<u8>,
    /// The remote has everything that changed before this time: nanoseconds since 1970 on the clock
    /// that stamps files. `None` if it never had everything.
    pub complete_ns: Option<u64>,
    /// A full sync is owed.
    pub full_sync: bool,
    /// Whether the remote may lose what nobody saw disappear.
    pub trust: Trust,
    /// What the root's path led to, if it ever led anywhere: the times of another directory say nothing.
    pub ground: Option<KeptGround>,
    /// Where disks were mounted below the root, those included that were away then: what is not there after a restart
    /// is away. At most [`MOUNTED_MAX`].
    pub mounted: Vec<Arc<[u8]>>,
    /// What was seen to disappear here and may still be there, and what changed and did not get
    /// through.
    pub paths: Paths,
}

/// Paths by name, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    paths: SortedMap<Arc<[u8]>, Gone>,
    /// All bytes of the paths.
    bytes: usize,
    incomplete: bool,
}

impl Paths {
    /// Keeps a path. Past the limit nothing more is.
    pub fn insert(&mut self, path: Arc<[u8]>, gone: Gone) {
        if let Some(kept) = self.paths.get_mut(&path) {
            *kept = gone.max(*kept);
            return;
        }
        let bytes = self.bytes + path.len();
        if self.paths.len() == STATE_PATHS_MAX || bytes > STATE_PATHS_BYTES_MAX {
            self.incomplete = true;
            return;
        }
        self.bytes = bytes;
        self.paths.insert(path, gone);
    }

    /// Remembers that there were more.
    pub fn mark_incomplete(&mut self) {
        self.incomplete = true;
    }

    /// Whether there were more than could be kept. Then a full sync is needed; and if that deletes
    /// nothing, the user must be told that the rest stays on the far side.
    pub fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// The paths that were kept, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<[u8]>, Gone)> {
        self.paths.iter().map(|(path, gone)| (path, *gone))
    }
}

impl FromIterator<(Arc<[u8]>, Gone)> for Paths {
    fn from_iter<T: IntoIterator<Item = (Arc<[u8]>, Gone)>>(paths: T) -> Self {
        let mut kept = Paths::default();
        paths.into_iter().for_each(|(path, gone)| kept.insert(path, gone));
        kept
    }
}

/// Where a file of this configuration lies beside its fail log: `/tmp/fail.sh.0123456789abcdef.state`.
/// Several configurations often share the template's fail log, so the name tells them apart. `config`
/// must be the resolved path: one file has many names.
pub fn beside(fail_log: &Path, config: &Path, ending: &str) -> PathBuf {
    own_file::with_ending(fail_log, &format!(".{:016x}.{ending}", number(config)))
}

/// The number of a configuration file, by its resolved path.
pub fn number(config: &Path) -> u64 {
    hash(config.as_os_str().as_bytes())
}

/// FNV-1a. Not std's hash, which may change: these are compared with those that an earlier version
/// wrote.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_to_their_limits_and_say_so() {
        let name = |number: usize, length: usize| -> Arc<[u8]> {
            format!("{number:0length$}").into_bytes().into()
        };
        for (count, length, kept) in [
            (STATE_PATHS_MAX, 10, STATE_PATHS_MAX),
            (STATE_PATHS_MAX + 1, 10, STATE_PATHS_MAX),
            (1024, 1024, 1024),
            (1025, 1024, 1024),
        ] {
            let paths = (0..count).map(|number| (name(number, length), Gone::Entry));
            let mut all: Paths = paths.collect();
            assert_eq!(all.iter().count(), kept, "{count} {length}");
            assert_eq!(all.is_incomplete(), kept < count, "{count} {length}");
            // A path that is kept already takes no more room.
            all.insert(name(0, length), Gone::Directory);
            all.insert(name(0, length), Gone::Entry);
            assert_eq!(all.iter().next(), Some((&name(0, length), Gone::Directory)));
            assert_eq!(all.is_incomplete(), kept < count, "{count} {length}");
        }
    }

    #[test]
    fn each_configuration_has_its_own_file_for_ever() {
        let of = |config: &str| beside(Path::new("/tmp/x.sh"), Path::new(config), "state");
        // The value stays what it is: another one would lose what an earlier version has written.
        assert_eq!(of("/etc/confxml.xml"), Path::new("/tmp/x.sh.9200c46aa46eb337.state"));
        assert_ne!(of("/etc/confxml.xml"), of("/etc/confxml2.xml"));
        // FNV-1a's own test vector.
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
