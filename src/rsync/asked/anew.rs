//! What comes back under a name from which something disappeared is sent anew: the old one has been deleted here, so
//! nothing of it is kept over there.
//!
//! The original sersync ran a command for each of the two events, and the second found nothing in its way. One run for
//! both finds the old file, and some parameters keep that (`-u` keeps a newer one, so that a restored backup would
//! never arrive) or add to it. So this run goes without them. And where the run of a rename may have made the old file
//! one with another name, rsync would set attributes of both: this run writes each file as a new one, which parts them.
//! No file is missing over there meanwhile. Called by `plan`, and for whole directories by `worker`.

use super::route::RemoteRoute;
use crate::config::options::{self, FoundOption};

/// Options that keep what the far side has, or a part of it.
const KEEPING: &[&str] = &["append", "append-verify", "ignore-existing", "update"];
/// Options that overrule `-I`, by which a file is written as a new one.
const COMPARING: &[&str] = &["checksum", "size-only"];

/// Whether the user's parameters keep what the far side has.
pub fn is_kept(route: &RemoteRoute) -> bool {
    options::has_any(&route.rsync.params, KEEPING)
}

/// The same for what lies in a directory, which can be sent by itself only without rules of the user's.
pub fn is_kept_inside(route: &RemoteRoute) -> bool {
    is_kept(route) && !options::read(&route.rsync.params).iter().any(options::is_filter)
}

/// The route with parameters that keep nothing; where something may be `joined` with another name, with none either
/// that could take it for unchanged.
pub fn route(route: &RemoteRoute, joined: bool) -> RemoteRoute {
    let mut anew = route.clone();
    let is_left_out =
        |option: &FoundOption| option.is_any(KEEPING) || joined && option.is_any(COMPARING);
    anew.rsync.params = options::without(&route.rsync.params, is_left_out);
    anew.rsync.params.extend(joined.then(|| b"-I".to_vec()));
    anew
}
