//! What the user's parameters make of links.

use super::route::RemoteRoute;
use crate::config::options;

/// Whether the far side gets hard links where there are some here (`-H`). rsync knows of those that are in one run.
pub fn keeps_hard_links(route: &RemoteRoute) -> bool {
    options::read(&route.rsync.params).iter().fold(false, |so_far, option| {
        let off = option.is_any(&["no-hard-links", "no-H"]);
        option.is("hard-links") || so_far && !off
    })
}
