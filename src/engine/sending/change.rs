//! A change: what has to be done about a path.
//!
//! `watching` makes changes of what the kernel tells. Each remote applies them to what it has pending; what a change
//! means may differ between two remotes, because they differ in what they have already.

use crate::engine::time::Time;
use crate::rsync::asked::plan::Gone;

/// What has to be done about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Send what is there: it has changed, or may have.
    Send,
    /// Send what came into being under a name that was free. A remote to which nothing was sent since then cannot
    /// have it.
    SendNew {
        /// When it came into being.
        created: Time,
        /// That is a while ago: after a restart its times alone would not tell that it is owed.
        by_name: bool,
    },
    /// Send what came into being in the place of something that had disappeared with a directory above. The job that was
    /// to delete the old one has ended meanwhile, and may have kept it.
    SendBack {
        /// That is a while ago, as with [`Change::SendNew`].
        by_name: bool,
    },
    /// Send what was put under this name, perhaps in the place of something else. When two files are swapped, this comes
    /// before the news that the other one has left, so what is here is not gone after that.
    SendInPlace,
    /// Send a directory's time. Whoever changed something in it waits for that, and nobody for the time, so it may wait
    /// for a change to go with.
    SendTime,
    /// Send a directory that came into being or was moved here, and has just been read.
    SendDirectory,
    /// Send what may have changed while nobody watched, to each remote that may lack it.
    SendNewer {
        /// When it changed at the latest, in nanoseconds since 1970.
        changed_ns: u64,
        /// It is a directory, and something may have disappeared from it.
        is_dir: bool,
    },
    /// Make a directory equal with all that is below it: it cannot be watched, so whatever is in it may have changed.
    MakeEqual,
    /// Delete once more what is left over there of a directory that was seen to disappear, and send what is here: the job
    /// that deleted it was under way while things came and went in its successor unseen, or made it again.
    DeleteAgain,
    /// Delete what disappeared, and send what is there by then, if anything is.
    Delete {
        /// What disappeared; never [`Gone::No`].
        gone: Gone,
        /// It had come into being a while ago, under a name that was free, and was no change yet: no job that has
        /// ended can have sent it.
        unsent: bool,
    },
}

impl Change {
    /// Whether a directory disappeared, and with it all that was below it.
    pub fn empties(self) -> bool {
        matches!(self, Change::Delete { gone: Gone::Directory, .. })
    }
}
