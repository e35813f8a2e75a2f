//! What no sweep sends, although rsync would find it: the temporary files of editors.
//!
//! They are hidden on this side alone. So a mirror deletes those that are over there, and only a push leaves
//! them. The rules stand behind the user's own, since the first says that they are not about directories: it must
//! not take in what the user leaves out.

use crate::rsync::temporary;

/// The words for it.
pub fn temporary_files() -> impl Iterator<Item = Vec<u8>> {
    let hidden = temporary::PATTERNS.iter().map(|pattern| format!("--filter=H {pattern}"));
    std::iter::once("--filter=S */".to_string()).chain(hidden).map(String::into_bytes)
}
