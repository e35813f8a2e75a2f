//! From raw events to changes: which directory an event is about, and what it means for a path.
//!
//! [`event`] has the kernel's records, and [`scan`] what is asked of the walk and what it hands over. [`watches`] and
//! [`tree`] say which directory is where, [`unwatched`] which ones have no watch. [`filter`] and [`settle`] say what is
//! no change, or not yet, [`times`] which modification is one; [`renames`] pairs old and new names; [`linked`] has the files with several; [`mounts`] has those that mounts give. [`root`] makes changes of it all.
//!
//! What has to be done about a path is the same for every remote, so nothing here knows one. From other wings this names
//! the configuration's switches and expressions, what rsync's temporary names look like, and the words for a change: the
//! change itself, of [`sending`](super::sending), and what is gone, of [`rsync::asked`](crate::rsync::asked).

pub mod appointments;
pub mod event;
pub mod filter;
pub mod linked;
pub mod mounts;
pub mod numbers;
pub mod renames;
pub mod root;
pub mod scan;
pub mod settle;
pub mod times;
pub mod tree;
pub mod unread;
pub mod unwatched;
pub mod watches;
