//! The ground of a root as it is kept: whatever tells one directory from another after a restart.
//!
//! Pure. `run::ground` makes it, and compares it with what the root's path leads to then.

use super::word::{escaped, unescaped};
use crate::sys::file_system::FileSystem;

/// The ground of the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptGround {
    /// As versions before 3.1 kept it: the number of its inode alone, which says nothing of a disk. The top directory
    /// of every ext4 has number 2.
    Inode(u64),
    /// All of it.
    Whole {
        /// Where the root's path led to, without a symlink.
        resolved: Vec<u8>,
        /// Where its file system was mounted.
        mounted_at: Vec<u8>,
        /// The number of the directory in it.
        inode: u64,
        /// Which file system it was. Not its device: that may get another number at each boot.
        file_system: FileSystem,
    },
}

impl KeptGround {
    /// A line of the state.
    pub(super) fn line(&self) -> String {
        match self {
            KeptGround::Inode(inode) => format!("inode {inode}\n"),
            KeptGround::Whole { resolved, mounted_at, inode, file_system } => {
                let (id, kind) = file_system.numbers();
                let (resolved, mounted_at) = (escaped(resolved), escaped(mounted_at));
                format!("ground {inode} {id:x} {kind:x} {mounted_at} {resolved}\n")
            }
        }
    }

    /// What stands behind the word `ground`.
    pub(super) fn read(rest: &str) -> Option<KeptGround> {
        let mut words = rest.split(' ');
        let inode = words.next()?.parse().ok()?;
        let id = u64::from_str_radix(words.next()?, 16).ok()?;
        let kind = u64::from_str_radix(words.next()?, 16).ok()?;
        let (mounted_at, resolved) = (unescaped(words.next()?)?, unescaped(words.next()?)?);
        let file_system = FileSystem::numbered(id, kind);
        words.next().is_none().then_some(KeptGround::Whole {
            resolved,
            mounted_at,
            inode,
            file_system,
        })
    }
}
