//! What a remote's state of the last run means for this one.
//!
//! Pure; `prepare` calls it for each remote.

use super::Kept;
use crate::config::EmptyRoot;
use crate::engine::sending::standing::Standing;
use crate::engine::sending::trust::{Doubt, Trust};
use crate::rsync::asked::plan::Gone;
use std::sync::Arc;

/// Where to go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Resume {
    /// What the engine starts from.
    pub standing: Standing,
    /// Whether the far side may lose what is not here.
    pub trust: Trust,
    /// Paths to be looked at again, and what disappeared under each.
    pub paths: Vec<(Arc<[u8]>, Gone)>,
    /// Why nothing is known although there was a last run.
    pub why: Option<&'static str>,
}

impl Resume {
    /// A remote that gets a full sync, of which nothing is known.
    pub fn with_full_sync(why: Option<&'static str>) -> Resume {
        Resume { standing: Standing::Nothing, trust: Trust::default(), paths: Vec::new(), why }
    }

    /// The same for a mirror whose root is empty: its disk may not be mounted. A full sync finds out what would go.
    pub fn with_empty_root(mut self, empty_root: EmptyRoot) -> Resume {
        match empty_root {
            EmptyRoot::Halt if self.trust.waits_for().is_none() => self.trust.doubt(Doubt::Empty),
            EmptyRoot::Halt => {}
            EmptyRoot::Sync => self.trust = Trust::Confirmed,
        }
        Resume { standing: Standing::Nothing, ..self }
    }

    /// `kept` is what the last run left of this remote, if there was one. `inode` is the root's now;
    /// `now_ns` is on the clock that stamps files. `everything`: it gets a full sync, whatever was before.
    pub fn from(kept: Option<&Kept>, inode: u64, now_ns: u64, everything: bool) -> Resume {
        let Some(kept) = kept else {
            // What was there before the first start is only sent with -r, as with sersync.
            let standing = if everything { Standing::Nothing } else { Standing::From(now_ns) };
            return Resume { standing, ..Resume::with_full_sync(None) };
        };
        if kept.inode != inode {
            let mut trust = kept.trust;
            trust.doubt(Doubt::Directory);
            let why = (!everything).then_some("the root is another directory than in the last run");
            return Resume { trust, ..Resume::with_full_sync(why) };
        }
        let (standing, why) = match kept.complete_ns {
            _ if everything => (Standing::Nothing, None),
            _ if kept.full_sync => (Standing::Nothing, Some("a full sync was owed")),
            _ if kept.paths.is_incomplete() => {
                (Standing::Nothing, Some("more was owed than could be kept"))
            }
            Some(complete_ns) if complete_ns <= now_ns => (Standing::Until(complete_ns), None),
            Some(_) => (Standing::Nothing, Some("the clock has been set back")),
            None => (Standing::Nothing, Some("it never had everything")),
        };
        let paths = kept.paths.iter().map(|(path, gone)| (path.clone(), gone)).collect();
        Resume { standing, trust: kept.trust, paths, why }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Paths;
    use super::*;
    use crate::engine::sending::trust::Deletions;

    const TRUST: Trust = Trust::Certain;

    #[test]
    fn an_empty_root_is_in_doubt_unless_the_user_wants_it_so() {
        let waiting = Trust::Waiting(Doubt::Directory, Deletions { count: 4, of: 5 });
        for (trust, halt) in [
            (Trust::Certain, Trust::Unsure(Doubt::Empty)),
            (Trust::default(), Trust::Unsure(Doubt::Empty)),
            (Trust::Confirmed, Trust::Unsure(Doubt::Empty)),
            (Trust::Unsure(Doubt::Disk), Trust::Unsure(Doubt::Disk)),
            (waiting, waiting),
        ] {
            for (empty_root, expected) in
                [(EmptyRoot::Halt, halt), (EmptyRoot::Sync, Trust::Confirmed)]
            {
                let standing = Standing::Until(1);
                let resume = Resume { standing, trust, ..Resume::with_full_sync(None) };
                let found = resume.with_empty_root(empty_root);
                assert_eq!(
                    (found.standing, found.trust),
                    (Standing::Nothing, expected),
                    "{trust:?}"
                );
            }
        }
    }

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
            trust: TRUST,
            complete_ns,
            full_sync,
            paths,
            ..Kept::default()
        };
        let new = |standing| Resume { standing, ..Resume::with_full_sync(None) };
        let resume = |standing, paths: &[_], why| Resume {
            standing,
            trust: TRUST,
            paths: paths.to_vec(),
            why,
        };
        let all = std::slice::from_ref(&gone);
        let elsewhere =
            |why| Resume { trust: Trust::Unsure(Doubt::Directory), ..Resume::with_full_sync(why) };
        let other = Some("the root is another directory than in the last run");
        for (kept, inode, expected, with_everything) in [
            (None, 7, new(Standing::From(100)), new(Standing::Nothing)),
            (
                Some(kept(Some(90), false, paths())),
                7,
                resume(Standing::Until(90), all, None),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(100), false, paths())),
                7,
                resume(Standing::Until(100), all, None),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(101), false, paths())),
                7,
                resume(Standing::Nothing, all, Some("the clock has been set back")),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(90), true, paths())),
                7,
                resume(Standing::Nothing, all, Some("a full sync was owed")),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(90), false, incomplete())),
                7,
                resume(Standing::Nothing, all, Some("more was owed than could be kept")),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(None, false, paths())),
                7,
                resume(Standing::Nothing, all, Some("it never had everything")),
                resume(Standing::Nothing, all, None),
            ),
            // What disappeared from another disk must not be deleted because of this one.
            (Some(kept(Some(90), false, paths())), 8, elsewhere(other), elsewhere(None)),
        ] {
            for (everything, expected) in [(false, expected), (true, with_everything)] {
                let found = Resume::from(kept.as_ref(), inode, 100, everything);
                assert_eq!(found, expected, "{kept:?} {inode} {everything}");
            }
        }
    }
}
