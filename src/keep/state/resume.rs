//! What a remote's state of the last run means for this one.
//!
//! Pure; `prepare` calls it for each remote.

use super::ground::KeptGround;
use super::Kept;
use crate::config::EmptyRoot;
use crate::engine::sending::standing::Standing;
use crate::engine::sending::trust::{Doubt, Trust};
use crate::engine::Shift;
use crate::rsync::asked::plan::Gone;
use std::sync::Arc;

/// Where to go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Resume {
    /// What the engine starts from.
    pub standing: Standing,
    /// A full sync is owed although it is known up to when the remote has everything.
    pub full: bool,
    /// Whether the far side may lose what is not here.
    pub trust: Trust,
    /// The ground of the last run.
    pub ground: Option<KeptGround>,
    /// Where disks were mounted below the root in the last run.
    pub mounted: Vec<Arc<[u8]>>,
    /// Paths to be looked at again, and what disappeared under each.
    pub paths: Vec<(Arc<[u8]>, Gone)>,
    /// Why nothing is known although there was a last run.
    pub why: Option<&'static str>,
}

impl Resume {
    /// A remote that gets a full sync, of which nothing is known.
    pub fn with_full_sync(why: Option<&'static str>) -> Resume {
        let (standing, trust) = (Standing::Nothing, Trust::default());
        let (ground, mounted, paths) = (None, Vec::new(), Vec::new());
        Resume { standing, full: false, trust, ground, mounted, paths, why }
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

    /// `kept` is what the last run left of this remote, if there was one. `shift` is what has become of its ground
    /// since; nothing while the root is missing. `now_ns` is on the clock that stamps files. `everything`: it gets a
    /// full sync, whatever was before.
    pub fn from(
        kept: Option<&Kept>,
        shift: Option<Shift>,
        now_ns: u64,
        everything: bool,
    ) -> Resume {
        // What was there before is not known, so that all of it is new when it comes.
        let everything = everything || shift.is_none();
        let Some(kept) = kept else {
            // What was there before the first start is only sent with -r, as with sersync.
            let standing = if everything { Standing::Nothing } else { Standing::From(now_ns) };
            return Resume { standing, ..Resume::with_full_sync(None) };
        };
        let moved = match shift {
            Some(Shift::None) => None,
            None => Some(""),
            Some(Shift::Directory) => Some("the root is another directory than in the last run"),
            Some(Shift::Disk) => Some("the root is on another disk than in the last run"),
            Some(Shift::Mounted) => Some("a disk has been mounted on the root since the last run"),
            Some(Shift::Unmounted) => Some("the disk of the root is not mounted any more"),
        };
        let mut trust = kept.trust;
        if let Some(doubt) = shift.and_then(Shift::doubt) {
            trust.doubt(doubt);
        }
        if let Some(why) = moved {
            let why = Some(why).filter(|_| !everything);
            return Resume { trust, ground: kept.ground.clone(), ..Resume::with_full_sync(why) };
        }
        let (standing, why) = match kept.complete_ns {
            _ if everything => (Standing::Nothing, None),
            // It takes a file for unchanged that was written twice in a second and has the same length, as it may have
            // been when the last run was killed. So what has changed is looked for as well.
            Some(complete_ns) if kept.full_sync && complete_ns <= now_ns => {
                (Standing::Until(complete_ns), Some("a full sync was owed"))
            }
            _ if kept.full_sync => (Standing::Nothing, Some("a full sync was owed")),
            _ if kept.paths.is_incomplete() => {
                (Standing::Nothing, Some("more was owed than could be kept"))
            }
            Some(complete_ns) if complete_ns <= now_ns => (Standing::Until(complete_ns), None),
            Some(_) => (Standing::Nothing, Some("the clock has been set back")),
            None => (Standing::Nothing, Some("it never had everything")),
        };
        let paths = kept.paths.iter().map(|(path, gone)| (path.clone(), gone)).collect();
        let (ground, mounted) = (kept.ground.clone(), kept.mounted.clone());
        let full = kept.full_sync && standing != Standing::Nothing;
        Resume { standing, full, trust, ground, mounted, paths, why }
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
            trust: TRUST,
            complete_ns,
            full_sync,
            paths,
            ..Kept::default()
        };
        let new = |standing| Resume { standing, ..Resume::with_full_sync(None) };
        let resume = |standing, paths: &[_], why: Option<&'static str>| Resume {
            standing,
            full: standing != Standing::Nothing && why.is_some(),
            trust: TRUST,
            ground: None,
            mounted: Vec::new(),
            paths: paths.to_vec(),
            why,
        };
        let all = std::slice::from_ref(&gone);
        let elsewhere =
            |why| Resume { trust: Trust::Unsure(Doubt::Directory), ..Resume::with_full_sync(why) };
        let other = Some("the root is another directory than in the last run");
        for (kept, shift, expected, with_everything) in [
            (None, Shift::Directory, new(Standing::From(100)), new(Standing::Nothing)),
            (
                Some(kept(Some(90), false, paths())),
                Shift::None,
                resume(Standing::Until(90), all, None),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(100), false, paths())),
                Shift::None,
                resume(Standing::Until(100), all, None),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(101), false, paths())),
                Shift::None,
                resume(Standing::Nothing, all, Some("the clock has been set back")),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(90), true, paths())),
                Shift::None,
                resume(Standing::Until(90), all, Some("a full sync was owed")),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(None, true, paths())),
                Shift::None,
                resume(Standing::Nothing, all, Some("a full sync was owed")),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(Some(90), false, incomplete())),
                Shift::None,
                resume(Standing::Nothing, all, Some("more was owed than could be kept")),
                resume(Standing::Nothing, all, None),
            ),
            (
                Some(kept(None, false, paths())),
                Shift::None,
                resume(Standing::Nothing, all, Some("it never had everything")),
                resume(Standing::Nothing, all, None),
            ),
            // What disappeared from another disk must not be deleted because of this one.
            (
                Some(kept(Some(90), false, paths())),
                Shift::Directory,
                elsewhere(other),
                elsewhere(None),
            ),
        ] {
            for (everything, expected) in [(false, expected), (true, with_everything)] {
                let found = Resume::from(kept.as_ref(), Some(shift), 100, everything);
                assert_eq!(found, expected, "{kept:?} {shift:?} {everything}");
            }
        }
    }

    #[test]
    fn a_disk_that_is_missed_is_in_doubt_and_a_root_that_is_missing_is_not_yet() {
        let kept = Kept { trust: Trust::Certain, complete_ns: Some(90), ..Kept::default() };
        for (shift, trust) in [
            (Some(Shift::None), Trust::Certain),
            (Some(Shift::Directory), Trust::Unsure(Doubt::Directory)),
            (Some(Shift::Mounted), Trust::Unsure(Doubt::Directory)),
            (Some(Shift::Disk), Trust::Unsure(Doubt::Disk)),
            (Some(Shift::Unmounted), Trust::Unsure(Doubt::Disk)),
            (None, Trust::Certain),
        ] {
            let resume = Resume::from(Some(&kept), shift, 100, false);
            assert_eq!(resume.trust, trust, "{shift:?}");
            let is_known = shift == Some(Shift::None);
            assert_eq!(resume.standing == Standing::Until(90), is_known, "{shift:?}");
            assert_eq!(resume.why.is_some(), shift.is_some() && !is_known, "{shift:?}");
        }
        let new = Resume::from(None, None, 100, false);
        assert_eq!((new.standing, new.trust), (Standing::Nothing, Trust::default()));
    }
}
