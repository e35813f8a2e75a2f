//! Rules that this program has had and that were wrong: put back in the model, its oracles have to find them.

use super::World;
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::plan::Gone;

/// One of these rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A directory in which things may have come and gone before it was watched is emptied of all that is not here.
    UnseenIsDeleted,
    /// What went and came back is sent like anything that has changed, and kept out by what is newer over there.
    ReplacedIsNotSentAnew,
    /// An old name stays, if it is used again, while what it led to has got a new one beside it.
    OldNameStaysJoined,
    /// A deletion takes a missing directory above it along.
    MissingParentGoes,
    /// What is on a disk that is away is deleted like anything that only the far side has.
    AwayIsDeleted,
    /// What has arrived beside a sweep is taken for certain.
    NoSecondLook,
    /// A full sync leaves nothing out but what it names.
    NamedIsAll,
    /// What lies below the disk of the root, which is not mounted, is taken for the root.
    AnyDiskIsTrusted,
    /// A disk that is mounted in the place of the root's while the program runs is taken for the root's.
    AnyDiskIsTheRoot,
}

impl World {
    /// What only the engine could do wrong is done wrong to the paths of a batch.
    pub(super) fn put_old_rule_back(&self, paths: &mut [(RelPath, Gone)]) {
        if self.fault == Some(Fault::UnseenIsDeleted) {
            for (path, gone) in paths {
                if self.walk.read_beside_a_job.contains(&**path) {
                    *gone = Gone::Directory;
                }
            }
        }
    }
}
