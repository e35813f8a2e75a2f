//! What every record of a fail log has, whoever wrote it: the line that it begins with, the start of its
//! command, and whom it is about. `script` writes and reads our own records, `original` reads those of
//! sersync 2.5.4.

use std::os::unix::ffi::OsStrExt;

use crate::engine::sending::licence::Grants;
use crate::rsync::asked::repair;
use crate::rsync::asked::route::RemoteRoute;

/// The first line of every record, with the wait status behind it.
// COMPAT: sersync called it so; it is no errno.
pub(super) const HEADER: &[u8] = b"#errno ";

/// A root and a remote, as the records name them.
#[derive(Debug, Clone, Copy)]
pub struct Creditor<'a> {
    /// From the root to the remote.
    pub route: &'a RemoteRoute,
    /// The inode number of the root, as long as it is itself.
    pub inode: u64,
    /// What the remote may lose.
    pub grants: Grants,
    /// The rsync patterns of what a full sync leaves out; `None` if some of it cannot be said in
    /// patterns, and so not in a script.
    pub excludes: Option<&'a [Vec<u8>]>,
}

/// One record, and of which creditor.
pub(super) struct Record {
    pub creditor: usize,
    pub paths: repair::Paths,
}

/// `cd W && rsync `, with which every command begins.
pub(super) fn start(root: &[u8]) -> Vec<u8> {
    [b"cd ", root, b" && rsync "].concat()
}

/// Whether a destination is the one of this route, whoever the user was.
pub(super) fn goes_to(destination: &[u8], route: &RemoteRoute) -> bool {
    let ours = route.destination();
    let ours = ours.as_bytes();
    let user = route.rsync.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let place = ours.strip_prefix(user.as_bytes()).unwrap_or(ours);
    let is_user = |user: &[u8]| {
        user.strip_suffix(b"@").is_some_and(|name| !name.iter().any(|byte| b"@:/".contains(byte)))
    };
    destination.strip_suffix(place).is_some_and(|before| before.is_empty() || is_user(before))
}
