//! The fail log: what is owed to the remotes, as a shell script that anybody can run.
//!
//! `script` turns what is owed into the text and back; `original` reads the records of sersync
//! 2.5.4, and `record` has what both formats share. These three are pure; `store` is the file, and `place` says
//! which file it is where several configurations name the same one.
//! Nothing here runs anything: what is read from the file goes back into the sets of owed paths,
//! and is sent and deleted like any other change, under the configuration's rules. `ledger` is what
//! the event loop calls: at start, and whenever what is owed has changed.

pub mod ledger;
mod original;
pub mod place;
pub mod record;
pub mod script;
pub mod store;
