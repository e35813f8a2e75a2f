//! From events to changes: which directory an event is about, and what it means for a path.
//!
//! Names `rsync` only for what a temporary name looks like, and `engine::sending` only for what a change and a path are. It knows no
//! remote: what has to be done about a path is the same for all of them.

pub mod event;
pub mod filter;
pub mod numbers;
pub mod renames;
pub mod root;
pub mod scan;
pub mod settle;
pub mod tree;
pub mod unwatched;
pub mod watches;
