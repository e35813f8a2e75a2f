//! What goes into the engine and what comes out: the words that it shares with its owner.

use super::sending::extent::Extent;
use super::sending::next::Retry;
use super::sending::settings::SendingSettings;
use super::sending::standing::Standing;
use super::sending::trust::{Deletions, Doubt, Trust};
use super::watching::event::{RawEvent, Wd};
use super::watching::filter::Filter;
use super::watching::linked::{LinkedFile, Name, Wanted};
use super::watching::mounts::{MountChange, SecondName};
use super::watching::renames::Rename;
use super::watching::scan::{Listing, Scan, ScanId};
use super::watching::settle::{Seen, Stamp};
use crate::config;
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::level::Depth;
use crate::rsync::asked::licence::{Licence, Way};
use crate::rsync::asked::plan::Gone;
use crate::rsync::told::outcome::{Failure, Outcome};
use crate::rsync::told::unwanted::Why;
use std::sync::Arc;

/// A root, by its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId(pub usize);

/// A remote, counted over all roots in the order of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteId(pub usize);

/// Numbers the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What the engine needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Jobs at the same time, all remotes together (`-n`); at least 1.
    pub workers: usize,
    /// Which events count.
    pub events: config::Events,
    /// How every remote is treated.
    pub sending: SendingSettings,
    /// The roots.
    pub roots: Vec<RootSettings>,
}

/// What the engine needs to know of a root.
#[derive(Debug, Clone)]
pub struct RootSettings {
    /// What it leaves out.
    pub filter: Arc<Filter>,
    /// Up to when each of its remotes has everything, and whether it may lose what is not here.
    pub remotes: Vec<(Standing, Trust)>,
    /// Why nothing of it must be synced yet.
    pub halt: Option<Halt>,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The kernel told something about a root.
    Event(RootId, RawEvent),
    /// The walk has read a directory.
    Listing(RootId, Listing),
    /// The walk has ended a scan.
    ScanEnded(RootId, ScanId),
    /// The kernel's queue of a root has been read to its end: every event before this time (in
    /// nanoseconds since 1970, on the clock that stamps files) has been handed in.
    ReadUpTo(RootId, u64),
    /// The answer to [`Action::Look`].
    Seen(RootId, RelPath, Seen),
    /// The path of a root leads to a directory with something in it. Told whenever this has become another
    /// one, and as the answer to [`Action::CheckRoot`]. Unless it is the same, the root has a new inotify
    /// instance from now on.
    GroundFound(RootId, Shift),
    /// The path of a root leads nowhere, or to what must not take the root's place. Told as
    /// [`Input::GroundFound`] is.
    GroundMissing(RootId),
    /// Which directories of a root can be seen at other places in it as well. The walk does not enter these.
    SecondNames(RootId, Vec<SecondName>),
    /// Something was mounted or unmounted at a place below a root.
    Mount(RootId, RelPath, MountChange),
    /// What a job on its way has found to be large files, as they were then. Of a batch, these are
    /// left out, to travel by themselves.
    Large(JobId, Vec<(RelPath, Stamp)>),
    /// The directories, sorted, that a job on its way is about to list in place of what is in them. Told of
    /// each [`Work::Batch`] that is `fresh`, before anything is run.
    Whole(JobId, Vec<RelPath>),
    /// What a [`Work::Rehearsal`] on its way has found. Told before its end.
    Rehearsed(JobId, Deletions),
    /// The files of a job on its way that have other names as well. Told before anything is run, if there are any.
    Linked(JobId, Vec<LinkedFile>),
    /// The symlinks of a job on its way that are sent as the directories to which they lead. The job sends the directories
    /// alone, and not what is in them.
    Followed(JobId, Vec<RelPath>),
    /// The answer to [`Action::FindNames`], and how many milliseconds it took.
    Names(RootId, Vec<Name>, u64),
    /// The paths that a job on its way should delete and does not, because it has no licence. Told before anything is
    /// run, if there are any.
    Withheld(JobId, Vec<RelPath>),
    /// The far side takes what a job brings.
    Answered(JobId),
    /// A job has ended, and has sent so many bytes of files because the remote did not have them, if
    /// rsync said so. Events that the kernel had told before are to be handed in first: then whatever
    /// the job can have seen is known to have been there.
    JobEnded(JobId, Outcome, Option<u64>),
    /// Time has passed.
    Time,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Have a directory read, and watched if the scan says so.
    Scan(RootId, Scan),
    /// Take a watch back.
    RemoveWatch(RootId, Wd),
    /// Look what a file is, at once.
    Look(RootId, RelPath),
    /// Find the names of these inodes in a root.
    FindNames(RootId, Wanted),
    /// Look what the path of a halted root leads to, and whether something is in it.
    CheckRoot(RootId),
    /// Have a job run.
    Run(Job),
    /// Tell the user.
    Report(Report),
    /// Paths of a root have arrived, in order, with what disappeared there: for a plugin, after
    /// [`Engine::tell_arrivals`](super::Engine::tell_arrivals).
    Arrived(RootId, Vec<(RelPath, Gone)>),
}

/// One piece of work for a worker: one rsync run, or two where deletions need their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Given back with its end.
    pub id: JobId,
    /// Whose files.
    pub root: RootId,
    /// To where.
    pub remote: RemoteId,
    /// What.
    pub work: Work,
}

/// What a job has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Make paths equal, whatever they are now.
    Batch {
        /// What may be deleted.
        licence: Licence,
        /// How deletions are done.
        way: Way,
        /// The far side can have none of them, so that nothing has to be compared.
        fresh: bool,
        /// Run it as two processes at the same time, each with one half.
        split: bool,
        /// The paths, sorted, and what disappeared under each name.
        paths: Vec<(RelPath, Gone)>,
        /// Those of them, sorted, under whose names the far side may have a file that it has under another name
        /// as well.
        joined: Vec<RelPath>,
        /// What the far side has under another name, so that it need not be sent again.
        renames: Vec<Rename>,
    },
    /// Make one path equal that was a large file, beside whatever else runs.
    Bulk {
        /// What may be deleted.
        licence: Licence,
        /// How deletions are done.
        way: Way,
        /// The far side cannot have it.
        fresh: bool,
        /// As the far side got it last, if that is known.
        sent: Option<Stamp>,
        /// The path, and what disappeared under its name.
        path: (RelPath, Gone),
        /// The far side may have the file under another name as well.
        joined: bool,
    },
    /// Make whole directories equal.
    Level {
        /// Which.
        directories: Vec<(RelPath, Depth)>,
        /// What may be deleted.
        licence: Licence,
        /// Paths below the root whose disks are not there: what the far side has of them stays.
        away: Vec<RelPath>,
    },
    /// Find out what a full sync would delete, and change nothing.
    Rehearsal {
        /// As in [`Work::FullSync`].
        scheduled: bool,
        /// What that may delete at most.
        licence: Licence,
        /// As in [`Work::FullSync`].
        away: Vec<RelPath>,
    },
    /// Make the whole root equal.
    FullSync {
        /// The schedule wants it, and nothing else: then its own filter counts as well.
        scheduled: bool,
        /// What may be deleted.
        licence: Licence,
        /// Paths below the root whose disks are not there: what the far side has of them stays.
        away: Vec<RelPath>,
    },
}

/// What the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A root is watched completely for the first time, or again after an overflow.
    Watching(RootId, usize),
    /// A job has arrived, and took so many milliseconds; so many bytes of files were sent, if that is
    /// known.
    Arrived(RemoteId, Extent, u64, Option<u64>),
    /// A remote that had failed works again.
    Back(RemoteId),
    /// A job failed as a whole; said once until the remote is back or fails for another reason.
    Failed(RemoteId, Failure, u64),
    /// Some paths of a job did not get through.
    Partial(RemoteId, Failure, Retry),
    /// A remote's rsync does not know combined deletes.
    PortableDeletes(RemoteId),
    /// A remote takes no connection beside that of a sweep: changes wait until it has ended.
    OneConnection(RemoteId),
    /// A remote refuses every deletion. They wait until it is asked again.
    DeletionsRefused(RemoteId, Failure),
    /// Something stays over there as it is, and is done with: why, and the line that told it.
    Unwanted(RemoteId, Why, String),
    /// It is not certain that the root is what it was, and a full sync would delete so much on a remote that somebody
    /// has to say yes first.
    DeletionsWait(RemoteId, Doubt, Deletions),
    /// More paths were pending than fit; they became a full sync.
    TooMany(RemoteId),
    /// Something in this directory of a root has a path that is too long to be sent.
    TooLong(RootId, RelPath),
    /// The kernel's queue overflowed: everything is read again.
    Overflowed(RootId),
    /// So much has gone from directories that are still to be read that it is not known what.
    Forgot(RootId),
    /// The kernel has no watch left for some directories of a root; it knows so many.
    Unwatched(RootId, usize),
    /// It has again, for all of them.
    AllWatched(RootId),
    /// A root halts; nothing of it is synced until it is back.
    Halted(RootId, Halt),
    /// A halted root is synced again, with a full sync first.
    Resumed(RootId),
}

/// What has become of a root's ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// It is the same directory, though its disk may have been away meanwhile.
    None,
    /// It is another directory on the same file system.
    Directory,
    /// It leads to another file system than before.
    Disk,
    /// The mount on which it was is not there, and what was hidden below it is seen.
    Unmounted,
    /// Something has been mounted over it, or on a directory above it.
    Mounted,
}

impl Shift {
    /// Why what a remote has may be a copy of something else.
    pub fn doubt(self) -> Option<Doubt> {
        match self {
            Shift::None => None,
            // Where something is mounted over a directory, that directory was taken for the root by mistake.
            Shift::Directory | Shift::Mounted => Some(Doubt::Directory),
            Shift::Disk | Shift::Unmounted => Some(Doubt::Disk),
        }
    }
}

/// Why a root must not be synced now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// It was deleted, moved, unmounted, or is not the directory that it was.
    Lost,
    /// It has not been there since the start of the program.
    Missing,
}
