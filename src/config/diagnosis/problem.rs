//! One mistake in a configuration: where it is, what was found there, and what to do.
//!
//! Owns this value alone. What was found is said in English by whoever found it, so that it can be searched
//! for; what to do is a [`Hint`], in the user's language. How a problem is shown is not known here:
//! that is `error`, with the file's name, and `excerpt`, with the line of the file.

use super::edit::Edit;
use super::hint::Hint;
use crate::config::language::Language;
use std::fmt;
use std::ops::Deref;
use std::path::Path;

/// A place in the file. All positions are equal, so that two configurations are equal that say the same in
/// different places.
#[derive(Debug, Clone, Copy, Default)]
pub struct Position {
    /// Counted from 1; 0 where the whole file is meant.
    pub line: u32,
    /// Counted from 1, in characters; 0 where the whole file is meant.
    pub column: u32,
}

impl PartialEq for Position {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Position {}

impl Position {
    /// The place of a byte offset of the file's text.
    pub(in crate::config) fn of(text: &str, offset: usize) -> Position {
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let counted = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        let line = counted(before.matches('\n').count());
        Position { line, column: counted(before[line_start..].chars().count()) }
    }

    /// The place as messages name it: `file:line:column`, or the file alone.
    pub fn in_file(self, file: &Path) -> String {
        let file = file.display();
        match self.line {
            0 => file.to_string(),
            line => format!("{file}:{line}:{}", self.column),
        }
    }
}

/// Something that the user should know about one place of the configuration.
///
/// It is one word wide, because nearly everything that reads the configuration may give one and hands those of others on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Details>);

/// What there is to know of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Where it is.
    pub position: Position,
    /// What was found and what was expected.
    pub text: String,
    /// What to do, if `text` does not say it.
    pub hint: Option<Hint>,
    /// What would mend it, where that is known.
    pub(in crate::config) edit: Option<Edit>,
}

impl Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl Problem {
    pub(in crate::config) fn new(position: Position, text: impl Into<String>) -> Problem {
        Problem(Box::new(Details { position, text: text.into(), hint: None, edit: None }))
    }

    /// A problem with what stands at a byte offset of the file's text.
    pub(in crate::config) fn at(source: &str, offset: usize, text: impl Into<String>) -> Problem {
        Problem::new(Position::of(source, offset), text)
    }

    /// A problem with the file as a whole.
    pub(in crate::config) fn whole_file(text: impl Into<String>) -> Problem {
        Problem::new(Position::default(), text)
    }

    /// Adds what to do.
    pub(in crate::config) fn hint(mut self, hint: Hint) -> Problem {
        self.0.hint = Some(hint);
        self
    }

    /// Adds what would mend it.
    pub(in crate::config) fn edit(mut self, edit: Edit) -> Problem {
        self.0.edit = Some(edit);
        self
    }

    /// What was found, and what to do.
    pub fn said(&self, language: Language) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {}", self.text, hint.say(language)),
            None => self.text.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said(Language::English);
        match self.position.line {
            0 => write!(f, "{said}"),
            line => write!(f, "{line}:{}: {said}", self.position.column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_and_in_characters() {
        let text = "ab\n数据<x>\n";
        for (offset, place) in [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (9, (2, 3)), (13, (3, 1))] {
            let position = Position::of(text, offset);
            assert_eq!((position.line, position.column), place, "{offset}");
        }
    }
}
