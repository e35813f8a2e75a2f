//! What a run may delete on the far side, and by which words.
//!
//! A licence travels with the work, from the one place that grants it, `engine::sending::licence`, to the words
//! that rsync gets, which stand in [`super::deleting`] and nowhere else.

/// What a run may delete. Of two, the later one allows more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Licence {
    /// Nothing.
    Nothing,
    /// What was seen to disappear here, path by path: those of a batch.
    Seen,
    /// Whatever only the far side has below the directories of the run.
    Unseen,
}

impl Licence {
    /// Whether something that was seen to disappear may go.
    pub fn covers_seen(self) -> bool {
        match self {
            Licence::Nothing => false,
            Licence::Seen | Licence::Unseen => true,
        }
    }

    /// Whether what nobody saw disappear may go.
    pub fn covers_unseen(self) -> bool {
        match self {
            Licence::Nothing | Licence::Seen => false,
            Licence::Unseen => true,
        }
    }
}

/// By which words a batch deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// In the flat run, by an option which both ends must know.
    Combined,
    /// By a run of its own before the flat run, which every version takes.
    Portable,
}
