//! What would mend one mistake.
//!
//! Owns the value that travels with a [`Problem`](super::problem::Problem): `damage` and `xml` make it, `repair`
//! uses it. Nothing here ever changes a file.

/// Other characters in place of some within a line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where, as a byte offset of the file's text.
    at: usize,
    /// How many bytes are replaced.
    length: usize,
    /// What comes there.
    with: String,
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

    /// The text with the mistake mended.
    pub fn apply(&self, text: &str) -> String {
        [&text[..self.at], &self.with, &text[self.at + self.length..]].concat()
    }
}
