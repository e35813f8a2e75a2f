//! What no sweep sends, although rsync would find it: the temporary files of editors.
//!
//! They are hidden on this side alone. So a mirror deletes those that are over there, and only a push leaves
//! them. The rules stand behind the user's own, since the first says that they are not about directories: it must
//! not take in what the user leaves out.

use crate::config::options;
use crate::rsync::temporary;

/// The rules of `-C`, which rsync puts behind all others. They have to stand before the first of ours.
const CVS: [&str; 2] = ["--filter=:C", "--filter=-C"];

/// The words for it, behind these parameters.
pub fn temporary_files(params: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let cvs = options::has_any(params, &["cvs-exclude"]).then_some(CVS);
    let mut words: Vec<Vec<u8>> = cvs.into_iter().flatten().map(Vec::from).collect();
    words.push(b"--filter=S */".to_vec());
    words.extend(temporary::PATTERNS.map(|pattern| format!("--filter=H {pattern}").into_bytes()));
    words
}
