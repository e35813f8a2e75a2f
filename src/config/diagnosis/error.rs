//! Why a configuration cannot be used, as people read it.
//!
//! Owns how a [`Problem`] is shown: behind the file's name and the place, with the line of the file below.

use super::excerpt::Excerpt;
use super::hint::Hint;
use super::problem::Problem;
use crate::config::language::Language;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a configuration file cannot be used. Its `Display` is one line, `file:line:column: text`, in
/// English; [`Error::told`] says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The file as the user named it.
    pub file: PathBuf,
    /// What is wrong, and where.
    pub problem: Problem,
    /// The line of the file, if it has one.
    pub(in crate::config) excerpt: Option<Box<Excerpt>>,
}

impl Error {
    pub(in crate::config) fn new(file: &Path, problem: Problem) -> Error {
        Error { file: file.to_owned(), problem, excerpt: None }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: Hint) -> Error {
        self.problem = self.problem.hint(hint);
        self
    }

    /// All there is to say, in one or more lines: the message, and the line of the file.
    pub fn told(&self, language: Language) -> String {
        match self.excerpt(language) {
            Some(excerpt) => format!("{}\n{excerpt}", self.message(language)),
            None => self.message(language),
        }
    }

    /// The line of the file with a mark under the place, and below it how the line should be, where that is
    /// known; without a newline at the end.
    pub fn excerpt(&self, language: Language) -> Option<String> {
        self.excerpt.as_ref().map(|excerpt| excerpt.told(language))
    }

    fn message(&self, language: Language) -> String {
        let place = self.problem.position.in_file(&self.file);
        format!("{place}: {}", self.problem.said(language))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Language::English))
    }
}

impl std::error::Error for Error {}
