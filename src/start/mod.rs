//! What happens before anything runs: the command line, the look at the system, the lines at start, and the
//! commands that only look (`--check`, `--dry-run`, `--status`).
//!
//! May name every other wing, since it puts the program together. None of them names it: what runs does not
//! know how it was started. Nothing here changes a file of the user's, and nothing talks to a remote but a
//! rehearsal.

pub mod ask;
pub mod banner;
pub mod check;
pub mod cli;
pub mod destinations;
pub mod dry_run;
pub mod own_files;
pub mod password_file;
pub mod prepare;
pub mod status;
