//! Trust: whether what a remote has beyond the root may be deleted there, though nobody saw it disappear.
//!
//! A disk that is not mounted looks like one on which everything was deleted. So a mirror's sweeps delete only while
//! the ground is known to be the one on which a full sync has made both sides equal. Where it is not, a rehearsal
//! counts first what a full sync would delete. If that is too much, everything is sent, nothing that was not seen to
//! disappear is deleted, and it waits until somebody says yes or another rehearsal finds less.
//!
//! | | certain | unsure | waiting | confirmed |
//! |---|---|---|---|---|
//! | the ground is another one | unsure | unsure | unsure | unsure |
//! | a rehearsal finds little to delete | certain | unsure, but this full sync deletes | the same | confirmed |
//! | it finds too much | certain | waiting | waiting, for that | confirmed |
//! | somebody says yes | certain | unsure | confirmed | confirmed |
//! | a full sync that deleted has arrived | certain | certain | certain | certain |

use crate::config::MaxDelete;

/// Fewer deletions are never asked about where only a share is the limit: a small tree may well become another one.
const FLOOR: u64 = 100;

/// Why the ground may not be what the remote has a copy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// No full sync has ever made this remote equal.
    First,
    /// It is another directory on the same file system, or something has been mounted over it.
    Directory,
    /// It was empty when the program started: a disk may not be mounted.
    Empty,
    /// It is on another file system, or its disk is not there.
    Disk,
}

/// What a full sync would delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletions {
    /// So many entries of the far side.
    pub count: u64,
    /// Of so many that it has.
    pub of: u64,
}

impl Deletions {
    /// Whether somebody has to say yes first.
    fn is_too_much(self, limit: MaxDelete, doubt: Doubt) -> bool {
        match limit {
            MaxDelete::Share(percent) => {
                let (count, of) = (u128::from(self.count), u128::from(self.of));
                let is_much = count * 100 > of * u128::from(percent);
                match doubt {
                    Doubt::First | Doubt::Directory => is_much && self.count > FLOOR,
                    // A disk that is missing must not cost the smallest copy.
                    Doubt::Disk => is_much,
                    // However much has been written to it since.
                    Doubt::Empty => self.count > 0 && percent < 100,
                }
            }
            MaxDelete::Number(number) => self.count > number,
            MaxDelete::Any => false,
        }
    }
}

/// The states of the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The ground is the one on which both sides were made equal.
    Certain,
    /// It may not be.
    Unsure(Doubt),
    /// It may not be, and a full sync would delete too much.
    Waiting(Doubt, Deletions),
    /// Somebody has said yes to that.
    Confirmed,
}

impl Default for Trust {
    fn default() -> Self {
        Trust::Unsure(Doubt::First)
    }
}

impl Trust {
    /// Whether sweeps may delete what nobody saw disappear.
    pub fn permits(self) -> bool {
        match self {
            Trust::Certain | Trust::Confirmed => true,
            Trust::Unsure(_) | Trust::Waiting(..) => false,
        }
    }

    /// What waits for a yes, and why.
    pub fn waits_for(self) -> Option<(Doubt, Deletions)> {
        match self {
            Trust::Waiting(doubt, deletions) => Some((doubt, deletions)),
            Trust::Certain | Trust::Unsure(_) | Trust::Confirmed => None,
        }
    }

    /// The ground is another one. Whatever comes in the place of a disk that was missed, the disk is missed still.
    pub fn doubt(&mut self, doubt: Doubt) {
        *self = Trust::Unsure(match *self {
            Trust::Unsure(Doubt::Disk) | Trust::Waiting(Doubt::Disk, _) => Doubt::Disk,
            Trust::Certain | Trust::Unsure(_) | Trust::Waiting(..) | Trust::Confirmed => doubt,
        });
    }

    /// A rehearsal has found this. Gives whether the full sync behind it may delete.
    pub fn rehearsed(&mut self, found: Deletions, limit: MaxDelete) -> bool {
        match *self {
            Trust::Certain | Trust::Confirmed => true,
            Trust::Unsure(doubt) | Trust::Waiting(doubt, _) => {
                let waits = found.is_too_much(limit, doubt);
                *self = match waits {
                    true => Trust::Waiting(doubt, found),
                    false => Trust::Unsure(doubt),
                };
                !waits
            }
        }
    }

    /// Somebody says yes to what waits. Gives whether something did.
    pub fn confirm(&mut self) -> bool {
        let waits = self.waits_for().is_some();
        if waits {
            *self = Trust::Confirmed;
        }
        waits
    }

    /// A full sync that deleted whatever only the far side had has arrived.
    pub fn is_equal(&mut self) {
        *self = Trust::Certain;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Trust::{Certain, Confirmed, Unsure, Waiting};

    const MUCH: Deletions = Deletions { count: 900, of: 1000 };
    const LESS: Deletions = Deletions { count: 800, of: 1000 };
    const HALF: MaxDelete = MaxDelete::Share(50);

    /// Every cell of the table at the top of this file.
    #[test]
    fn what_is_trusted_after_each_event() {
        type Event = fn(&mut Trust) -> bool;
        let doubt = Doubt::First;
        let states = [Certain, Unsure(doubt), Waiting(doubt, MUCH), Confirmed];
        let nothing = false;
        type Cells = [(Trust, bool); 4];
        let table: [(&str, Event, Cells); 5] = [
            (
                "the ground is another one",
                |trust| {
                    trust.doubt(Doubt::Directory);
                    false
                },
                [(Unsure(Doubt::Directory), nothing); 4],
            ),
            (
                "a rehearsal finds little to delete",
                |trust| trust.rehearsed(Deletions { count: 1, of: 1000 }, HALF),
                [(Certain, true), (Unsure(doubt), true), (Unsure(doubt), true), (Confirmed, true)],
            ),
            (
                "it finds too much",
                |trust| trust.rehearsed(LESS, HALF),
                [
                    (Certain, true),
                    (Waiting(doubt, LESS), false),
                    (Waiting(doubt, LESS), false),
                    (Confirmed, true),
                ],
            ),
            (
                "somebody says yes",
                Trust::confirm,
                [(Certain, false), (Unsure(doubt), false), (Confirmed, true), (Confirmed, false)],
            ),
            (
                "a full sync that deleted has arrived",
                |trust| {
                    trust.is_equal();
                    false
                },
                [(Certain, nothing); 4],
            ),
        ];
        for (name, event, expected) in table {
            for (mut trust, expected) in states.into_iter().zip(expected) {
                let before = trust;
                let said = event(&mut trust);
                assert_eq!((trust, said), expected, "{before:?}: {name}");
            }
        }
        let permitted = states.map(Trust::permits);
        assert_eq!(permitted, [true, false, false, true]);
        assert_eq!(states.map(Trust::waits_for), [None, None, Some((doubt, MUCH)), None]);
    }

    #[test]
    fn a_disk_that_is_missed_stays_missed_until_the_far_side_is_equal() {
        for mut trust in [Certain, Unsure(Doubt::First), Waiting(Doubt::Directory, MUCH), Confirmed]
        {
            trust.doubt(Doubt::Disk);
            trust.doubt(Doubt::Directory);
            assert_eq!(trust, Unsure(Doubt::Disk));
            trust.rehearsed(MUCH, HALF);
            trust.doubt(Doubt::Directory);
            assert_eq!(trust, Unsure(Doubt::Disk));
            trust.is_equal();
            trust.doubt(Doubt::Directory);
            assert_eq!(trust, Unsure(Doubt::Directory));
        }
    }

    #[test]
    fn more_than_a_share_of_a_large_copy_is_too_much_and_of_a_small_one_if_a_disk_may_be_missing() {
        let [share, number, any] = [HALF, MaxDelete::Number(10), MaxDelete::Any];
        for (count, of, limit, [first, disk, empty]) in [
            (0, 0, share, [false, false, false]),
            (1, 1, share, [false, true, true]),
            (4, 5, share, [false, true, true]),
            (2, 4, share, [false, false, true]),
            (100, 100, share, [false, true, true]),
            (101, 202, share, [false, false, true]),
            (101, 201, share, [true, true, true]),
            (1_000_000, 1_000_000, share, [true, true, true]),
            (u64::MAX, u64::MAX, MaxDelete::Share(99), [true, true, true]),
            (1000, 1000, MaxDelete::Share(100), [false, false, false]),
            (1, 1000, MaxDelete::Share(0), [false, true, true]),
            (10, 10, number, [false, false, false]),
            (11, 1_000_000, number, [true, true, true]),
            (1, 1, MaxDelete::Number(0), [true, true, true]),
            (1_000_000, 1_000_000, any, [false, false, false]),
        ] {
            let deletions = Deletions { count, of };
            let found = [Doubt::First, Doubt::Directory, Doubt::Disk, Doubt::Empty];
            let found = found.map(|doubt| deletions.is_too_much(limit, doubt));
            assert_eq!(found, [first, first, disk, empty], "{deletions:?} {limit:?}");
        }
    }
}
