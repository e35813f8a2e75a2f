//! Lists that name a directory with a slash in place of all that is in it.
//!
//! rsync then reads the directory by itself, a moment after the worker has seen that there is nothing in it but
//! what would be listed. What was made in it since then is sent as well. Mostly it has an event of its own on the
//! way, and the engine knows that a run of new paths may have sent it. But what is never sent on its own must
//! not be sent so either, since it would not be deleted over there again. So such a run excludes temporary
//! names, and where the user filters, there is no such run.

use super::plan::Looked;
use super::route::RemoteRoute;
use crate::config::options::{self, FoundOption};
use crate::rsync::temporary::matches_pattern;

/// Whether a list of these paths may name whole directories. All must be new to the far side. The user's own
/// parameters must not delete: with a slash behind a directory, rsync would delete in it. Nor may they filter:
/// rules that name a path above the directory do not count when it is listed by itself.
pub fn is_possible(route: &RemoteRoute, paths: &[Looked]) -> bool {
    let does_more = |option: &FoundOption| options::deletes(option) || options::is_filter(option);
    paths.iter().all(|looked| looked.fresh && !has_temporary_name(&looked.path))
        && !options::read(&route.rsync.params).iter().any(does_more)
}

/// Whether one of the [patterns](crate::rsync::temporary::PATTERNS) matches a path or a directory above it.
fn has_temporary_name(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(matches_pattern)
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{looked, rsync, NEW};
    use super::super::plan::{Gone, Now};
    use super::super::route::tests::route_to;
    use super::*;
    use crate::config::Address;

    fn new(path: &[u8]) -> Looked {
        Looked { fresh: true, ..looked(path, Gone::No, Now::Other) }
    }

    fn possible(params: &[&str], paths: &[Looked]) -> bool {
        let address = Address::Local { path: "/d".into() };
        is_possible(&route_to(&address, &rsync(params), NEW), paths)
    }

    #[test]
    fn parameters_that_could_do_more_with_a_slash_forbid_it() {
        for (params, expected) in [
            (&["-artuz"][..], true),
            (&["-a", "--delay-updates", "--max-delete=5", "--partial"], true),
            (&["-a", "--del"], false),
            (&["-a", "--delete"], false),
            (&["-a", "--delete-after"], false),
            (&["-a", "--exclude=x"], false),
            (&["-aC"], false),
            (&["-a", "-f- x"], false),
        ] {
            assert_eq!(possible(params, &[new(b"d/f")]), expected, "{params:?}");
        }
    }

    #[test]
    fn what_is_listed_must_be_new_and_nothing_that_is_excluded_then() {
        assert!(!possible(&["-a"], &[new(b"d/f"), Looked { fresh: false, ..new(b"d/g") }]));
        for (path, expected) in [
            ("d/.htaccess", true),
            ("d/..hid", true),
            ("a.abcdef", true),
            ("d/.a.abcde", true),
            ("d/.a.ab-def", false),
            ("..abcdef", false),
            ("d/x~", false),
            ("x~/f", false),
            ("d/.a.swp/f", false),
            ("d/4913", true),
        ] {
            assert_eq!(possible(&["-a"], &[new(b"d/f"), new(path.as_bytes())]), expected, "{path}");
        }
    }
}
