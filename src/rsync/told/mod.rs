//! What rsync says to us: how it ended and what that means, which paths it named, how far it has come.
//!
//! Pure. [`outcome`] decides once what an end means; whoever needs it is handed the value.

pub mod failed;
pub mod login;
pub mod outcome;
pub mod progress;
