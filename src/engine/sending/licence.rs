//! The gate: the only place that says what a run may delete.
//!
//! A grant is a value that travels with the work. What is to be deleted without a grant from here cannot be said
//! to rsync, since `rsync::asked::deleting` has its words for a licence only.

use crate::rsync::asked::licence::Licence;

/// What a remote may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grants {
    seen: bool,
    unseen: bool,
}

impl Grants {
    /// By the configuration: whether anything is ever deleted, and whether the remote is a mirror, which has
    /// nothing that the root has not.
    pub const fn new(delete: bool, mirror: bool) -> Grants {
        Grants { seen: delete, unseen: delete && mirror }
    }

    /// The same for a far side that refuses every deletion, so that none is asked for.
    pub fn withheld(self) -> Grants {
        Grants { seen: false, unseen: false }
    }

    /// The same for what is not certain to lack what was on the root when it was last equal.
    pub fn in_doubt(self) -> Grants {
        Grants { unseen: false, ..self }
    }

    /// Of a job that carries paths.
    pub fn of_paths(self) -> Licence {
        match self.seen {
            true => Licence::Seen,
            false => Licence::Nothing,
        }
    }

    /// Of a job that makes whole directories equal.
    pub fn of_sweeps(self) -> Licence {
        match self.unseen {
            true => Licence::Unseen,
            false => Licence::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_deletes_what_was_seen_and_a_mirror_the_rest_in_its_sweeps() {
        use Licence::{Nothing, Seen, Unseen};
        for (delete, mirror, paths, sweeps) in [
            (false, false, Nothing, Nothing),
            (false, true, Nothing, Nothing),
            (true, false, Seen, Nothing),
            (true, true, Seen, Unseen),
        ] {
            let grants = Grants::new(delete, mirror);
            assert_eq!((grants.of_paths(), grants.of_sweeps()), (paths, sweeps), "{grants:?}");
            let withheld = grants.withheld();
            assert_eq!((withheld.of_paths(), withheld.of_sweeps()), (Nothing, Nothing));
            let in_doubt = grants.in_doubt();
            assert_eq!((in_doubt.of_paths(), in_doubt.of_sweeps()), (paths, Nothing));
        }
    }
}
