//! What rsync says to us: what it did (`exit`), what that means (`outcome`), why (`reason`) and what to change (`advice`,
//! `login`), what the far side will not have (`unwanted`), which paths it named (`failed`), how far it has come, what it
//! would do.
//!
//! Pure, and names nothing of `asked`. Whoever ran rsync has [`outcome`] decide, once, what its exit
//! means; whoever else needs to know is handed the value.

pub mod advice;
pub mod exit;
pub mod failed;
pub mod login;
pub mod outcome;
pub mod progress;
mod reason;
pub mod rehearsal;
pub mod unwanted;
