//! How far a remote is known to have everything, from one run of the program to the next.
//!
//! Times are nanoseconds since 1970 on the clock that stamps files. The engine is told each time
//! that the kernel's queue had been read to its end ([`Standing::seen_up_to`]); when all that was
//! owed by then has arrived, the remote has everything that changed before that time.

/// What is known of a remote when the program starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is new, and what changed before this time is not its business.
    From(u64),
    /// It has everything that changed before this time; what changed since has to be looked for.
    Until(u64),
    /// It may lack anything: a full sync is owed.
    Nothing,
}

/// How far a remote is known to have everything.
#[derive(Debug)]
pub struct Standing {
    /// What changed in an earlier run, or between two, concerns it from this time on.
    since_ns: Option<u64>,
    complete_ns: Option<u64>,
    seen_ns: Option<u64>,
}

impl Standing {
    /// At the start.
    pub fn new(known: Known) -> Standing {
        let (since_ns, complete_ns) = match known {
            Known::From(start_ns) => (None, Some(start_ns)),
            Known::Until(complete_ns) => (Some(complete_ns), Some(complete_ns)),
            Known::Nothing => (None, None),
        };
        Standing { since_ns, complete_ns, seen_ns: None }
    }

    /// Whether something that may have changed at this time, when nobody watched, has to be sent.
    pub fn concerns(&self, changed_ns: u64) -> bool {
        self.since_ns.is_some_and(|since_ns| changed_ns >= since_ns)
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
            (self.complete_ns, self.since_ns) = (seen_ns, None);
        }
    }

    /// Whether something that happened when nobody watched may still be there to be found.
    pub fn looks_back(&self) -> bool {
        self.since_ns.is_some()
    }

    /// The remote has everything that changed before this time; `None` if that cannot be said.
    pub fn complete_ns(&self) -> Option<u64> {
        self.complete_ns
    }
}
