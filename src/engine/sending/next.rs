//! What follows from the outcome of a job: said by a remote, done by the engine, counted and told.

use super::extent::Extent;
use super::trust::{Deletions, Doubt};
use crate::rsync::told::unwanted::Why;

/// What follows from an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the batch has arrived.
    Arrived {
        /// What it was.
        sent: Extent,
        /// How long it took.
        took_ms: u64,
        /// The remote had been failing before.
        back: bool,
        /// From now on deletions go the portable way, because the other way does not work here.
        learned: bool,
        /// Why some of it stays as it is over there, if that has not been said today. It is done with.
        unwanted: Vec<(Why, String)>,
    },
    /// The same job leaves again at once, with deletions another way or without any.
    Again {
        /// From now on without any: the far side refuses every deletion, and has not said so before.
        refused: bool,
    },
    /// A full sync has been rehearsed, and starts now. What it would delete waits for a yes, if that is new.
    Rehearsed(Option<(Doubt, Deletions)>),
    /// There is no connection for it beside the sweep on its way: it waits for the end of that.
    Waits {
        /// So will others from now on, and that has not been said before.
        learned: bool,
    },
    /// What did not get through is tried again then, while other changes go on.
    Partial(Retry),
    /// Nothing can be said to have arrived; everything is kept and tried again after a pause.
    Failed {
        /// How long the pause is.
        pause_ms: u64,
    },
}

/// When what did not get through is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Soon, with growing pauses.
    Soon,
    /// That has been done often enough; after so many milliseconds from now on.
    After(u64),
    /// It was a full sync, which is not run again; the paths that it named are tried by themselves.
    Alone,
}
