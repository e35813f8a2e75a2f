//! Symlinks that are sent as the directories to which they lead, as they are at this moment.

use crate::rsync::asked::links;
use crate::rsync::asked::route::RemoteRoute;
use crate::run::walk::below;
use std::os::unix::ffi::OsStrExt;

/// Whether what lies at a path of the root is such a symlink for this remote.
pub(super) fn is_followed(route: &RemoteRoute, path: &[u8]) -> bool {
    let full = below(&route.root, path);
    let Ok(target) = std::fs::read_link(&full) else { return false };
    links::is_followed(route, path, target.as_os_str().as_bytes()) && full.is_dir()
}
