//! What is mounted below the ground of a root.

use crate::engine::rel_path::RelPath;
use crate::engine::watching::mounts::SecondName;
use crate::sys::mounts::table::{Part, Table};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Something that is mounted on a directory below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// The directory.
    pub at: RelPath,
    /// The directory in the root that is seen there a second time, if it is one of the root.
    second_name_of: Option<RelPath>,
    part: Option<Part>,
}

impl Below {
    /// All that is mounted below a directory, which is given without a symlink on its way.
    pub fn all(table: &Table, directory: &Path) -> Vec<Below> {
        let relative = |path: &Path| {
            path.strip_prefix(directory).ok().map(|path| RelPath::from(path.as_os_str().as_bytes()))
        };
        let below = table.below_directory(directory).filter_map(|mount| {
            let other = table.other_name(mount, directory);
            Some(Below {
                at: relative(&mount.at)?,
                second_name_of: other.and_then(|path| relative(&path)),
                part: mount.part.clone(),
            })
        });
        below.collect()
    }

    /// The second name that this is, if it is one.
    pub fn second_name(&self) -> Option<SecondName> {
        let of = self.second_name_of.clone()?;
        Some(SecondName { of, at: self.at.clone() })
    }
}
