//! Standing: up to when a remote has everything, from one run of the program to the next.
//!
//! Times are nanoseconds since 1970 on the clock that stamps files. The engine is told each time that the kernel's
//! events have been read to the end of the queue ([`Watermark::read_up_to`]); when all that was owed by then has
//! arrived, the remote has everything that changed before that time.

/// A file counts as changed for so long after its last change, if the last run has not seen it
/// closed: no event tells of what was written to it until then, and it may have been closed while
/// nobody watched.
const STILL_OPEN_NS: u64 = 60_000_000_000;

/// Up to when a remote has everything, as the program starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is new, and what changed before this time is not its business. What changes while the
    /// watches are being set is looked for, but for what disappears: nobody knows what it has.
    From(u64),
    /// It has everything that changed before this time; what changed since has to be looked for.
    Until(u64),
    /// It may lack anything: a full sync is owed.
    Nothing,
}

impl Standing {
    /// From which time on things that have changed have to be looked for when the program starts.
    pub fn since_ns(self) -> Option<u64> {
        match self {
            // That clock stands still for some milliseconds: what has the very time of the start was there before.
            Standing::From(start_ns) => Some(start_ns + 1),
            Standing::Until(complete_ns) => Some(complete_ns.saturating_sub(STILL_OPEN_NS)),
            Standing::Nothing => None,
        }
    }
}

/// Keeps a remote's standing while the program runs.
#[derive(Debug)]
pub struct Watermark {
    reached: Reached,
    /// Every event before this time has been handed in.
    read_ns: Option<u64>,
    version: u64,
}

/// Up to when the remote has everything.
#[derive(Debug, Clone, Copy)]
enum Reached {
    /// As at the start: not all has arrived yet that changed while nobody watched.
    Start(Standing),
    /// This time, in this run of the program.
    Time(u64),
}

impl Watermark {
    /// At the start.
    pub fn new(standing: Standing) -> Watermark {
        Watermark { reached: Reached::Start(standing), read_ns: None, version: 0 }
    }

    /// Whether something that may have changed at this time, when nobody watched, has to be sent.
    pub fn concerns(&self, changed_ns: u64, is_dir: bool) -> bool {
        let Reached::Start(standing) = self.reached else { return false };
        let since_ns = match standing {
            // A directory is changed by one call, and is not kept open for it.
            Standing::Until(complete_ns) if is_dir => Some(complete_ns),
            Standing::Until(_) | Standing::From(_) | Standing::Nothing => standing.since_ns(),
        };
        since_ns.is_some_and(|since_ns| changed_ns >= since_ns)
    }

    /// Whether something of what it has may have disappeared when nobody watched, and that is still
    /// to be found.
    pub fn looks_back(&self) -> bool {
        matches!(self.reached, Reached::Start(Standing::Until(_)))
    }

    /// What has changed since it had everything is looked for once more. From then on it is as at a start of the program.
    pub fn look_back(&mut self) -> Standing {
        let standing = match self.reached {
            Reached::Start(standing) => standing,
            Reached::Time(complete_ns) => Standing::Until(complete_ns),
        };
        self.reached = Reached::Start(standing);
        standing
    }

    /// Every event before this time has been handed in. Gives whether this is the first time that this can be said.
    pub fn read_up_to(&mut self, stamp_ns: u64) -> bool {
        self.read_ns.replace(stamp_ns).is_none()
    }

    /// Up to which time every event has been handed in.
    pub fn read_ns(&self) -> Option<u64> {
        self.read_ns
    }

    /// All that was owed has arrived of what changed before this time. Not the larger of two times: a clock
    /// that was set back has files stamped with the earlier ones from now on.
    pub fn arrived(&mut self, read_ns: Option<u64>) {
        if let Some(read_ns) = read_ns {
            self.reached = Reached::Time(read_ns);
        }
        self.version += 1;
    }

    /// What the next run of the program has to know by name has changed.
    pub fn names_changed(&mut self) {
        self.version += 1;
    }

    /// A number that changes with what the next run of the program has to know.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The remote has everything that changed before this time; `None` if that cannot be said.
    pub fn complete_ns(&self) -> Option<u64> {
        match self.reached {
            Reached::Start(Standing::From(complete_ns) | Standing::Until(complete_ns))
            | Reached::Time(complete_ns) => Some(complete_ns),
            Reached::Start(Standing::Nothing) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_NS: u64 = 100_000_000_000;

    /// Every cell of standing x what changed when: whether it has to be sent.
    #[test]
    fn what_changed_while_nobody_watched_concerns_who_may_lack_it() {
        let still_open_ns = START_NS - STILL_OPEN_NS;
        for (standing, changed_ns, is_dir, concerns) in [
            (Standing::From(START_NS), START_NS, false, false),
            (Standing::From(START_NS), START_NS + 1, false, true),
            (Standing::From(START_NS), START_NS, true, false),
            (Standing::From(START_NS), START_NS + 1, true, true),
            (Standing::Until(START_NS), still_open_ns - 1, false, false),
            (Standing::Until(START_NS), still_open_ns, false, true),
            (Standing::Until(START_NS), START_NS - 1, true, false),
            (Standing::Until(START_NS), START_NS, true, true),
            // A full sync is owed, which sends it.
            (Standing::Nothing, u64::MAX, false, false),
            (Standing::Nothing, u64::MAX, true, false),
        ] {
            let mut watermark = Watermark::new(standing);
            let is = watermark.concerns(changed_ns, is_dir);
            assert_eq!(is, concerns, "{standing:?} {changed_ns} {is_dir}");
            watermark.arrived(Some(START_NS));
            assert!(!watermark.concerns(changed_ns, is_dir), "all of that has arrived");
        }
    }

    #[test]
    fn only_what_has_been_complete_looks_back() {
        for (standing, looks_back, complete_ns) in [
            (Standing::From(START_NS), false, Some(START_NS)),
            (Standing::Until(START_NS), true, Some(START_NS)),
            (Standing::Nothing, false, None),
        ] {
            let mut watermark = Watermark::new(standing);
            assert_eq!(watermark.looks_back(), looks_back, "{standing:?}");
            assert_eq!(watermark.complete_ns(), complete_ns, "{standing:?}");
            watermark.arrived(None);
            assert_eq!(
                watermark.complete_ns(),
                complete_ns,
                "{standing:?}: it is not known by when"
            );
            watermark.arrived(Some(7));
            assert!(!watermark.looks_back(), "{standing:?}");
            assert_eq!(watermark.complete_ns(), Some(7), "{standing:?}: the clock was set back");
        }
    }
}
