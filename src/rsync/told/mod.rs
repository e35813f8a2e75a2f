//! What rsync says to us: what it did (`exit`), what that means (`outcome`), which paths it named, how
//! far it has come.
//!
//! Pure. [`outcome`] decides once what an end means; whoever needs it is handed the value.

pub mod advice;
pub mod exit;
pub mod failed;
pub mod login;
pub mod outcome;
pub mod progress;
mod reason;
