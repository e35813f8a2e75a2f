//! The line as it should be.
//!
//! Owns how a file is mended for a message: an [`Edit`] is what would mend one mistake, and a line is
//! offered only if with its mistakes mended the file has no other one in that line. `damage` and `xml`
//! make the edits; nothing here ever changes a file.

use super::error::Problem;
use super::source::Source;
use crate::config::{read, Config};
use std::path::Path;

/// So many mistakes in one line are mended; each takes a look at the whole file.
const EDITS_MAX: usize = 16;

/// What would mend a mistake: other characters in place of some within a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct Edit {
    /// Where, as a byte offset of the file's text.
    pub at: usize,
    /// How many bytes are replaced.
    pub length: usize,
    /// What comes there.
    pub with: String,
}

impl Edit {
    pub fn insert(at: usize, with: impl Into<String>) -> Edit {
        Edit { at, length: 0, with: with.into() }
    }

    pub fn replace(at: usize, length: usize, with: impl Into<String>) -> Edit {
        Edit { at, length, with: with.into() }
    }

    pub fn delete(at: usize, length: usize) -> Edit {
        Edit { at, length, with: String::new() }
    }

    fn apply(&self, text: &str) -> String {
        [&text[..self.at], &self.with, &text[self.at + self.length..]].concat()
    }
}

/// The line of `problem` as it should be, whole, without its end; `None` if that is not known.
pub(in crate::config) fn mended_line(source: &Source, problem: &Problem) -> Option<String> {
    let line = problem.line;
    let mut mended = Source { text: source.text.clone(), encoding: source.encoding };
    let mut problem = problem.clone();
    for _ in 0..EDITS_MAX {
        mended.text = problem.edit.as_ref()?.apply(&mended.text);
        problem = match config(&mended) {
            Err(next) if next.line == line => next,
            Err(_) | Ok(_) => return line_of(&mended.text, line).map(str::to_owned),
        };
    }
    None
}

fn config(source: &Source) -> Result<Config, Problem> {
    read::config(Path::new(""), source)
}

/// A line by its number from 1, without its end.
pub(in crate::config) fn line_of(text: &str, number: u32) -> Option<&str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    text.split('\n').nth(index).map(|line| line.strip_suffix('\r').unwrap_or(line))
}
