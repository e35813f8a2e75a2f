//! Paths below a root, as bytes: `dir/file`, without a leading slash; the root itself is empty.
//!
//! An absolute path is a [`std::path::Path`]. Names are whatever the file system allows, so nothing here
//! knows an encoding.

use std::sync::Arc;

/// A path below a root. Shared by the remotes of the root and the jobs on their way.
pub type RelPath = Arc<[u8]>;

/// The directories above a path, the root left out.
pub fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, &byte)| byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

/// Whether `path` is `directory` or lies below it.
pub fn lies_in(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// `name` below the directory `above`, both relative to the root.
pub fn join(above: &[u8], name: &[u8]) -> Vec<u8> {
    if above.is_empty() {
        return name.to_vec();
    }
    let mut path = Vec::with_capacity(above.len() + 1 + name.len());
    path.extend_from_slice(above);
    path.push(b'/');
    path.extend_from_slice(name);
    path
}
