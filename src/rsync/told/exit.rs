//! What an rsync process did: how it ended, and what it said on standard error.
//!
//! Owns this value alone; what it means is decided in `outcome`. Whoever runs rsync makes it from what
//! the system tells of the process.

use crate::config::terminal::harmless;
use std::io::ErrorKind;

/// A line is cut after this many bytes: it shares one of the log with other things.
pub(super) const LINE_BYTES_MAX: usize = 300;

/// How a process ended, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard error, from the beginning.
    pub stderr: Vec<u8>,
    /// It said more than was kept.
    pub is_cut: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// With this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It could not be started.
    NotStarted(ErrorKind),
}

impl Exit {
    /// Of a process that could not be started, for this reason.
    pub fn not_started(kind: ErrorKind) -> Exit {
        Exit { status: ExitStatus::NotStarted(kind), stderr: Vec::new(), is_cut: false }
    }

    /// Of a process that ended with this exit code, and said this.
    #[cfg(test)]
    pub fn with_code(code: i32, stderr: &str) -> Exit {
        Exit { status: ExitStatus::Code(code), stderr: stderr.into(), is_cut: false }
    }

    /// Whether it said this, which is in lower case, in whatever case.
    pub(super) fn says(&self, words: &str) -> bool {
        says(&self.stderr, words)
    }
}

/// Whether a text holds this, which is in lower case, in whatever case.
pub(super) fn says(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
}

/// A line of a text for one of the log: bounded, without control characters.
pub(super) fn visible(line: &[u8]) -> String {
    let start = &line[..line.len().min(LINE_BYTES_MAX)];
    let cut = if start.len() < line.len() { "..." } else { "" };
    harmless(&String::from_utf8_lossy(start)) + cut
}
