//! Why a configuration cannot be used, as people read it.
//!
//! Owns the shape of a complaint: where, what was found (in English, so that it can be searched
//! for), what to do (in the user's language), the line with a mark under the place, and the line as
//! it should be. The words themselves belong to whoever complains, and to `hint`.

use super::excerpt::Excerpt;
use super::hint::Hint;
use super::repair::Edit;
use crate::config::language::Language;
use crate::config::Position;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

/// Why a configuration file cannot be used. Its `Display` is one line, `file:line:column: text`, in
/// English; [`Error::told`] says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Counted from 1; 0 where the whole file is meant.
    pub line: u32,
    /// Counted from 1, in characters; 0 where the whole file is meant.
    pub column: u32,
    /// What was found and what was expected.
    pub text: String,
    /// What to do.
    pub hint: Option<Hint>,
    /// The line itself, where there is one.
    pub excerpt: Option<Box<Excerpt>>,
}

impl Error {
    pub(in crate::config) fn new(
        file: PathBuf,
        problem: Problem,
        excerpt: Option<Excerpt>,
    ) -> Error {
        let Complaint { line, column, text, hint, edit: _ } = *problem.0;
        Error { file, line, column, text, hint, excerpt: excerpt.map(Box::new) }
    }

    /// A complaint about what stands at a place of the file, with what to do.
    pub(in crate::config) fn at(file: PathBuf, at: Position, text: String) -> Error {
        let (line, column) = (at.line, at.column);
        Error { file, line, column, text, hint: None, excerpt: None }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: Hint) -> Error {
        self.hint = Some(hint);
        self
    }

    /// All there is to say, in one or more lines: the message, the line of the file with a mark under
    /// the place, and how the line should be where that is known.
    pub fn told(&self, language: Language) -> String {
        let mut told = self.message(language);
        if let Some(excerpt) = &self.excerpt {
            told.push_str(&excerpt.told(language));
        }
        told
    }

    fn message(&self, language: Language) -> String {
        let file = self.file.display();
        let text = with_hint(&self.text, self.hint.as_ref(), language);
        match self.line {
            0 => format!("{file}: {text}"),
            line => format!("{file}:{line}:{}: {text}", self.column),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Language::English))
    }
}

impl std::error::Error for Error {}

/// Something the user should know about one place of the configuration. A pointer, since it is
/// handed up through every function that reads a part of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Complaint>);

/// What a [`Problem`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Counted from 1; 0 where the whole file is meant.
    pub line: u32,
    /// Counted from 1, in characters; 0 where the whole file is meant.
    pub column: u32,
    /// What was found and what was expected.
    pub text: String,
    /// What to do, if `text` does not say it.
    pub hint: Option<Hint>,
    /// What would mend it, where that is known.
    pub(in crate::config) edit: Option<Box<Edit>>,
}

impl Problem {
    pub(in crate::config) fn new(line: u32, column: u32, text: impl Into<String>) -> Problem {
        let text = text.into();
        Problem(Box::new(Complaint { line, column, text, hint: None, edit: None }))
    }

    /// A complaint about the file as a whole.
    pub(in crate::config) fn whole_file(text: impl Into<String>) -> Problem {
        Problem::new(0, 0, text)
    }

    /// Adds what to do.
    pub(in crate::config) fn hint(mut self, hint: Hint) -> Problem {
        self.0.hint = Some(hint);
        self
    }

    /// Adds what would mend it.
    pub(in crate::config) fn edit(mut self, edit: Edit) -> Problem {
        self.0.edit = Some(Box::new(edit));
        self
    }
}

impl Deref for Problem {
    type Target = Complaint;

    fn deref(&self) -> &Complaint {
        &self.0
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = with_hint(&self.text, self.hint.as_ref(), Language::English);
        match self.line {
            0 => write!(f, "{text}"),
            line => write!(f, "{line}:{}: {text}", self.column),
        }
    }
}

fn with_hint(text: &str, hint: Option<&Hint>, language: Language) -> String {
    match hint {
        Some(hint) => format!("{text}; {}", hint.say(language)),
        None => text.to_owned(),
    }
}
