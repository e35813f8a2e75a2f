//! A line of the file as a terminal shows it, with a mark under one place.
//!
//! A long line is cut around the place. Each character keeps its columns, so that the mark stands where it
//! should; one that would move the cursor becomes a question mark. What is wrong with the line is not known
//! here.

use super::problem::Position;
use super::source::Source;
use crate::config::language::Language;
use crate::config::terminal::{is_harmful, width_of};
use crate::config::text::Encoding;

/// In front of each line that is shown.
const INDENT: &str = "    ";
/// At most this many columns of a line are shown. With the indent they fit into a terminal of 80.
const LINE_COLUMNS_MAX: usize = 76;
/// At most this many columns of a mended line are shown. It is there to be copied, and has no mark under it.
const MENDED_COLUMNS_MAX: usize = 240;
/// Stands where a line was cut.
const CUT: &str = "...";

/// What is shown of the file below a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, without its end.
    line: String,
    /// The place in it, in characters from 0.
    at: usize,
    /// The line as it should be, where that is known; empty if it should not be there.
    pub(super) mended: Option<String>,
    /// The characters stand for bytes of some unknown encoding, and only ASCII can be shown.
    ascii: bool,
}

impl Excerpt {
    /// The line of a place, if the file has it. `mended` is how it should be, where that is known.
    pub fn of(source: &Source, position: Position, mended: Option<String>) -> Option<Excerpt> {
        Some(Excerpt {
            line: source.line(position.line)?.to_owned(),
            at: usize::try_from(position.column).ok()?.checked_sub(1)?,
            mended,
            ascii: source.encoding == Encoding::Bytes,
        })
    }

    /// The lines that are shown, without a newline at the end.
    pub fn told(&self, language: Language) -> String {
        let (line, mark) = self.window(&self.line, LINE_COLUMNS_MAX);
        let mut told = format!("{INDENT}{line}\n{INDENT}{}^", " ".repeat(mark));
        let label = match language {
            Language::English => "write: ",
            Language::Chinese => "应写成：",
        };
        // A line that cannot be shown as it is must not be copied.
        let mended = self.mended.as_ref().filter(|line| !self.ascii || line.is_ascii());
        if let Some(mended) = mended.filter(|line| !line.trim().is_empty()) {
            let (mended, _) = self.window(mended, MENDED_COLUMNS_MAX);
            told.push_str(&format!("\n{INDENT}{label}{mended}"));
        }
        told
    }

    /// The part of a line around the place that fits, and in which column of it the place is.
    fn window(&self, line: &str, columns_max: usize) -> (String, usize) {
        let blanks = line.chars().take_while(|c| c.is_whitespace()).count().min(self.at);
        let shown: Vec<char> = line.chars().skip(blanks).map(|c| self.visible(c)).collect();
        let at = (self.at - blanks).min(shown.len());
        let columns = |chars: &[char]| chars.iter().copied().map(width_of).sum::<usize>();
        if columns(&shown) <= columns_max {
            return (shown.iter().collect(), columns(&shown[..at]));
        }
        let room = columns_max - 2 * CUT.len();
        // At first, what stands before the place gets a third of the room.
        let (mut start, mut before) = (at, 0);
        while start > 0 && before + width_of(shown[start - 1]) <= room / 3 {
            start -= 1;
            before += width_of(shown[start]);
        }
        let (mut end, mut all) = (at, before);
        while end < shown.len() && all + width_of(shown[end]) <= room {
            all += width_of(shown[end]);
            end += 1;
        }
        // If the place is near the end, it gets what is left as well.
        while start > 0 && all + width_of(shown[start - 1]) <= room {
            start -= 1;
            before += width_of(shown[start]);
            all += width_of(shown[start]);
        }
        let front = if start > 0 { CUT } else { "" };
        let back = if end < shown.len() { CUT } else { "" };
        let part: String = shown[start..end].iter().collect();
        (format!("{front}{part}{back}"), front.len() + before)
    }

    fn visible(&self, c: char) -> char {
        match c {
            '\t' => ' ',
            _ if self.ascii && !c.is_ascii() => '?',
            _ if is_harmful(c) => '?',
            _ => c,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str, at: usize) -> String {
        let excerpt = Excerpt { line: line.into(), at, mended: None, ascii: false };
        excerpt.told(Language::English)
    }

    /// The column of the mark, and what stands in that column.
    fn marked(line: &str, at: usize) -> (usize, char) {
        let told = told(line, at);
        let lines: Vec<&str> = told.lines().collect();
        let mark = lines[1].find('^').unwrap();
        let mut column = 0;
        let under = lines[0].chars().find(|&c| {
            let here = column == mark;
            column += width_of(c);
            here
        });
        assert!(column <= LINE_COLUMNS_MAX + INDENT.len(), "{told}");
        (mark - INDENT.len(), under.unwrap_or('\n'))
    }

    #[test]
    fn the_mark_stands_under_the_place() {
        let cases = [
            ("<ssh/>", 0, (0, '<')),
            ("  <ssh/>", 3, (1, 's')),
            ("\t\t<ssh\tstart/>", 7, (5, 's')),
            ("<a 数据=“x”/>", 6, (8, '“')),
            ("数据<x", 2, (4, '<')),
            ("<a", 2, (2, '\n')),
            ("", 0, (0, '\n')),
            ("   ", 1, (0, ' ')),
        ];
        for (line, at, expected) in cases {
            assert_eq!(marked(line, at), expected, "{line:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        for filler in ["a", "数", "数a"] {
            for (front, back) in [(0, 500), (500, 0), (200, 300), (70, 10), (3, 100), (100, 3)] {
                let line = format!("{}X{}", filler.repeat(front), filler.repeat(back));
                let at = line.chars().position(|c| c == 'X').unwrap();
                assert_eq!(marked(&line, at).1, 'X', "{filler} {front} {back}");
            }
        }
        let shown = told(&"a".repeat(100), 0);
        assert_eq!(shown, format!("    {}...\n    ^", "a".repeat(70)));
    }

    #[test]
    fn nothing_in_a_line_moves_the_cursor() {
        let line = "a\u{1b}[2Jb\u{9b}c\rd\u{202e}e\u{200b}f\u{7f}";
        let shown = told(line, 0);
        assert_eq!(shown.lines().next(), Some("    a?[2Jb?c?d?e?f?"));
    }

    #[test]
    fn what_is_not_utf8_is_shown_as_far_as_it_is_ascii() {
        let line = "<!-- \u{ca}\u{fd} --><x".to_string();
        let mended = Some("<!-- \u{ca}\u{fd} --><x/>".to_string());
        let excerpt = Excerpt { at: 11, line, mended, ascii: true };
        assert_eq!(excerpt.told(Language::English), "    <!-- ?? --><x\n               ^");
    }

    #[test]
    fn the_mended_line_is_offered_in_the_users_language() {
        let mended = |text: &str| Excerpt {
            line: "  <sshstart".into(),
            at: 2,
            mended: Some(text.into()),
            ascii: false,
        };
        let english = mended("  <ssh start").told(Language::English);
        assert_eq!(english, "    <sshstart\n    ^\n    write: <ssh start");
        let chinese = mended("  <ssh start").told(Language::Chinese);
        assert_eq!(chinese, "    <sshstart\n    ^\n    应写成：<ssh start");
        assert_eq!(mended("  ").told(Language::English), "    <sshstart\n    ^");
    }
}
