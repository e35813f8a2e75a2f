//! How far a remote is known to have everything, from one run of the program to the next.
//!
//! Times are nanoseconds since 1970 on the clock that stamps files. The engine is told each time
//! that the kernel's queue had been read to its end ([`Standing::seen_up_to`]); when all that was
//! owed by then has arrived, the remote has everything that changed before that time.

/// A file counts as changed for so long after its last change, if the last run has not seen it
/// closed: no event tells of what was written to it until then, and it may have been closed while
/// nobody watched.
const STILL_OPEN_NS: u64 = 60_000_000_000;

/// What is known of a remote when the program starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is new, and what changed before this time is not its business. What changes while the
    /// watches are being set is looked for, but for what disappears: nobody knows what it has.
    From(u64),
    /// It has everything that changed before this time; what changed since has to be looked for.
    Until(u64),
    /// It may lack anything: a full sync is owed.
    Nothing,
}

impl Known {
    /// From which time on things that have changed have to be looked for when the program starts.
    pub fn since_ns(self) -> Option<u64> {
        match self {
            // That clock stands still for some milliseconds: what has the very time of the start was there before.
            Known::From(start_ns) => Some(start_ns + 1),
            Known::Until(complete_ns) => Some(complete_ns.saturating_sub(STILL_OPEN_NS)),
            Known::Nothing => None,
        }
    }
}

/// How far a remote is known to have everything.
#[derive(Debug)]
pub struct Standing {
    /// What to look for of what happened when nobody watched; nothing any more once all of it has
    /// arrived.
    known: Known,
    complete_ns: Option<u64>,
    seen_ns: Option<u64>,
}

impl Standing {
    /// At the start.
    pub fn new(known: Known) -> Standing {
        let complete_ns = match known {
            Known::From(start_ns) => Some(start_ns),
            Known::Until(complete_ns) => Some(complete_ns),
            Known::Nothing => None,
        };
        Standing { known, complete_ns, seen_ns: None }
    }

    /// Whether something that may have changed at this time, when nobody watched, has to be sent.
    pub fn concerns(&self, changed_ns: u64, is_dir: bool) -> bool {
        let since_ns = match self.known {
            // A directory is changed by one call, and is not kept open for it.
            Known::Until(complete_ns) if is_dir => Some(complete_ns),
            Known::Until(_) | Known::From(_) | Known::Nothing => self.known.since_ns(),
        };
        since_ns.is_some_and(|since_ns| changed_ns >= since_ns)
    }

    /// Everything that happened before this time is known.
    pub fn see_up_to(&mut self, stamp_ns: u64) {
        self.seen_ns = Some(stamp_ns);
    }

    /// Up to which time everything is known to have been seen.
    pub fn seen_ns(&self) -> Option<u64> {
        self.seen_ns
    }

    /// All that was owed has arrived of what was seen by then. Not the larger of two times: a clock
    /// that was set back has files stamped with the earlier ones from now on.
    pub fn arrived(&mut self, seen_ns: Option<u64>) {
        if seen_ns.is_some() {
            (self.complete_ns, self.known) = (seen_ns, Known::Nothing);
        }
    }

    /// Whether something of what it has may have disappeared when nobody watched, and that is still
    /// to be found.
    pub fn looks_back(&self) -> bool {
        matches!(self.known, Known::Until(_))
    }

    /// The remote has everything that changed before this time; `None` if that cannot be said.
    pub fn complete_ns(&self) -> Option<u64> {
        self.complete_ns
    }
}
