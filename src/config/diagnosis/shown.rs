//! A value of the configuration as a message shows it.

use crate::config::terminal::harmless;
use std::path::Path;

/// Messages show at most this many characters of a value: enough to recognise it.
const SHOWN_CHARS_MAX: usize = 80;

/// A value as a message shows it: shortened, and harmless to a terminal.
pub fn shown(value: &str) -> String {
    let start: String = value.chars().take(SHOWN_CHARS_MAX).collect();
    let mut shown = harmless(&start);
    if value.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A path as a message shows it.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}
