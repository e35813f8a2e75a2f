//! rsync as this program uses it: what it is asked for, and what it tells.
//!
//! Pure: nothing here starts a process or looks at a file. May name `config` alone.

pub mod asked;
pub mod quoting;
pub mod temporary;
pub mod told;
