//! What the user's parameters make of links.

use super::route::RemoteRoute;
use crate::config::options;

/// Whether the far side gets hard links where there are some here (`-H`). rsync knows of those that are in one run.
pub fn keeps_hard_links(route: &RemoteRoute) -> bool {
    is_on(route, "hard-links", &["no-hard-links", "no-H"])
}

/// Whether rsync takes a symlink that leads to a directory for that directory. `path` is that of the link below the root,
/// and `target` what it says.
pub fn is_followed(route: &RemoteRoute, path: &[u8], target: &[u8]) -> bool {
    follows_all(route) || follows_unsafe(route) && leads_out(path, target)
}

/// Whether there are such symlinks. Then the far side has a directory where there was no more than a symlink here.
pub fn may_be_followed(route: &RemoteRoute) -> bool {
    follows_all(route) || follows_unsafe(route)
}

fn follows_all(route: &RemoteRoute) -> bool {
    is_on(route, "copy-links", &["no-copy-links", "no-L"])
        || is_on(route, "copy-dirlinks", &["no-copy-dirlinks", "no-k"])
}

fn follows_unsafe(route: &RemoteRoute) -> bool {
    is_on(route, "copy-unsafe-links", &["no-copy-unsafe-links"])
}

/// Whether a symlink leads out of what is sent, by its words alone: so rsync judges (unsafe_symlink in its util1.c).
fn leads_out(path: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") {
        return true;
    }
    let mut depth = path.iter().filter(|&&byte| byte == b'/').count();
    for word in target.split(|&byte| byte == b'/') {
        depth = match word {
            b"" | b"." => depth,
            b".." if depth == 0 => return true,
            b".." => depth - 1,
            _ => depth + 1,
        };
    }
    false
}

/// Whether an option is on: what comes last counts.
fn is_on(route: &RemoteRoute, long: &str, off: &[&str]) -> bool {
    options::read(&route.rsync.params)
        .iter()
        .fold(false, |so_far, option| option.is(long) || so_far && !option.is_any(off))
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{rsync, NEW};
    use super::super::route::tests::route_to;
    use super::*;
    use crate::config::Address;

    #[test]
    fn links_are_followed_as_rsync_follows_them() {
        let address = Address::Local { path: "/d".into() };
        let (inside, outside): (&[u8], &[u8]) = (b"../b", b"../../b");
        for (params, target, expected) in [
            (&["-a"][..], outside, false),
            (&["-aL"], inside, true),
            (&["-a", "--copy-links", "--no-L"], inside, false),
            (&["-ak"], inside, true),
            (&["-a", "--copy-unsafe-links"], inside, false),
            (&["-a", "--copy-unsafe-links"], outside, true),
            (&["-a", "--copy-unsafe-links"], b"/b", true),
            (&["-a", "--copy-unsafe-links"], b"c/../../b", false),
        ] {
            let route = route_to(&address, &rsync(params), NEW);
            assert_eq!(is_followed(&route, b"a/link", target), expected, "{params:?} {target:?}");
        }
    }
}
