//! What a remote's state of the last run means for this one.
//!
//! Pure; `prepare` calls it for each remote.

use super::Kept;
use crate::engine::sending::standing::Standing;
use crate::rsync::asked::plan::Gone;
use std::sync::Arc;

/// Where to go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Resume {
    /// What the engine starts from.
    pub standing: Standing,
    /// Paths to be looked at again, and what disappeared under each.
    pub paths: Vec<(Arc<[u8]>, Gone)>,
    /// Why nothing is known although there was a last run.
    pub why: Option<&'static str>,
}

impl Resume {
    /// A remote that gets a full sync, whatever was before.
    pub fn with_full_sync(why: Option<&'static str>) -> Resume {
        Resume { standing: Standing::Nothing, paths: Vec::new(), why }
    }

    /// `kept` is what the last run left of this remote, if there was one. `inode` is the root's now;
    /// `now_ns` is on the clock that stamps files.
    pub fn from(kept: Option<&Kept>, inode: u64, now_ns: u64) -> Resume {
        let Some(kept) = kept else {
            // What was there before the first start is only sent with -r, as with sersync.
            return Resume { standing: Standing::From(now_ns), paths: Vec::new(), why: None };
        };
        if kept.inode != inode {
            return Resume::with_full_sync(Some(
                "the root is another directory than in the last run",
            ));
        }
        let (standing, why) = match kept.complete_ns {
            _ if kept.full_sync => (Standing::Nothing, Some("a full sync was owed")),
            _ if kept.paths.is_incomplete() => {
                (Standing::Nothing, Some("more was owed than could be kept"))
            }
            Some(complete_ns) if complete_ns <= now_ns => (Standing::Until(complete_ns), None),
            Some(_) => (Standing::Nothing, Some("the clock has been set back")),
            None => (Standing::Nothing, Some("it never had everything")),
        };
        let paths = kept.paths.iter().map(|(path, gone)| (path.clone(), gone)).collect();
        Resume { standing, paths, why }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Paths;
    use super::*;

    #[test]
    fn what_the_last_run_left_decides() {
        let gone: (Arc<[u8]>, Gone) = (b"a".as_slice().into(), Gone::Entry);
        let paths = || Paths::from_iter([gone.clone()]);
        let incomplete = || {
            let mut paths = paths();
            paths.mark_incomplete();
            paths
        };
        let kept = |complete_ns, full_sync, paths| Kept {
            inode: 7,
            complete_ns,
            full_sync,
            paths,
            ..Kept::default()
        };
        let resume = |standing, paths: &[_], why| Resume { standing, paths: paths.to_vec(), why };
        let all = std::slice::from_ref(&gone);
        for (kept, inode, expected) in [
            (None, 7, resume(Standing::From(100), &[], None)),
            (Some(kept(Some(90), false, paths())), 7, resume(Standing::Until(90), all, None)),
            (Some(kept(Some(100), false, paths())), 7, resume(Standing::Until(100), all, None)),
            (
                Some(kept(Some(101), false, paths())),
                7,
                resume(Standing::Nothing, all, Some("the clock has been set back")),
            ),
            (
                Some(kept(Some(90), true, paths())),
                7,
                resume(Standing::Nothing, all, Some("a full sync was owed")),
            ),
            (
                Some(kept(Some(90), false, incomplete())),
                7,
                resume(Standing::Nothing, all, Some("more was owed than could be kept")),
            ),
            (
                Some(kept(None, false, paths())),
                7,
                resume(Standing::Nothing, all, Some("it never had everything")),
            ),
            (
                // What disappeared from another disk must not be deleted because of this one.
                Some(kept(Some(90), false, paths())),
                8,
                resume(
                    Standing::Nothing,
                    &[],
                    Some("the root is another directory than in the last run"),
                ),
            ),
        ] {
            assert_eq!(Resume::from(kept.as_ref(), inode, 100), expected, "{kept:?} {inode}");
        }
    }
}
