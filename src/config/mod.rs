//! What the user configured, typed and checked.
//!
//! [`Config::parse`] turns the bytes of a `confxml.xml` into the types of `settings`, or into one
//! [`Error`] that names file, line and column, what was found and what was expected. Pure: it reads
//! no file and asks the system nothing; whether a root exists is the caller's question. It names no
//! other wing, and may be named by all but `sys`.
//!
//! Each file names only files of the lines before its own:
//!
//! - `language`, `terminal`, `text`, `words`, `url`, `options`, `schema`, `spelling`: characters, words and names
//!   by themselves;
//! - `diagnosis`: what is said about a mistake;
//! - `settings`, and `units`, `expression`, `params`: what can be configured, and how single values are written;
//! - `xml`: the elements and attributes of a file, as they were written;
//! - `ignored`, `address`, `remote`, `plugins`: what some of them mean;
//! - `read`: the whole file;
//! - `difference`: what another file changes.

mod address;
mod diagnosis;
mod difference;
pub mod expression;
mod ignored;
pub mod language;
pub(crate) mod options;
mod params;
mod plugins;
mod read;
mod remote;
mod schema;
mod settings;
mod spelling;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod text;
pub mod units;
mod url;
mod words;
mod xml;

pub use diagnosis::error::Error;
pub use diagnosis::hint::Hint;
pub use diagnosis::problem::{Position, Problem};
pub use diagnosis::source::FILE_BYTES_MAX;
pub use difference::Difference;
pub use settings::{
    Address, AlertSettings, Batch, Config, CrontabSettings, EmptyRoot, Events, FailLog,
    FilterSettings, MaxDelete, Plugin, PluginKind, RemoteSettings, Root, Rsync, Safety,
    StandbyMode, StatusAddress, TimeOfDay, Timetable,
};
