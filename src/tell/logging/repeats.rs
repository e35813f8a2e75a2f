//! The same warning again and again, said once a minute.
//!
//! Owns which messages were said lately and how often they were kept back. Only warnings and errors
//! are kept back: other lines tell of single things, and the user asked for them. Pure; `logging`
//! asks before it writes a message, and first writes the summaries that it is given.

use log::Level;
use std::collections::VecDeque;

/// A message is said again after this time.
const WHILE_MS: u64 = 60_000;
/// So many different messages are remembered. With more of them at the same time, some are said
/// more often.
const MESSAGES_MAX: usize = 64;
/// So much of a message is remembered to be said again, in bytes. Messages that are the same up to
/// there and of the same length are taken for the same.
const TEXT_BYTES_MAX: usize = 500;

/// What was said lately, the oldest first.
#[derive(Debug, Default)]
pub struct Repeats {
    lately: VecDeque<Said>,
}

/// A message that was said lately.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    level: Level,
    length: usize,
    start: String,
    said_ms: u64,
    kept_back: u32,
}

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Due {
    /// That messages were repeated, each with its level.
    pub summaries: Vec<(Level, String)>,
    /// Whether the message itself is written.
    pub say: bool,
}

impl Repeats {
    /// A message comes.
    pub fn message(&mut self, level: Level, text: &str, now_ms: u64) -> Due {
        let summaries = self.forget(|said| now_ms.saturating_sub(said.said_ms) >= WHILE_MS);
        let mut due = Due { summaries, say: true };
        if level > Level::Warn {
            return due;
        }
        let start = start_of(text);
        let same = |said: &&mut Said| {
            (said.level, said.length, said.start.as_str()) == (level, text.len(), start)
        };
        if let Some(said) = self.lately.iter_mut().find(same) {
            said.kept_back = said.kept_back.saturating_add(1);
            due.say = false;
            return due;
        }
        if self.lately.len() == MESSAGES_MAX {
            due.summaries.extend(self.lately.pop_front().and_then(Said::summary));
        }
        let (length, start) = (text.len(), start.to_owned());
        self.lately.push_back(Said { level, length, start, said_ms: now_ms, kept_back: 0 });
        due
    }

    /// The end: what was kept back until now.
    pub fn end(&mut self) -> Vec<(Level, String)> {
        self.forget(|_| true)
    }

    fn forget(&mut self, old: impl Fn(&Said) -> bool) -> Vec<(Level, String)> {
        let mut summaries = Vec::new();
        while self.lately.front().is_some_and(&old) {
            summaries.extend(self.lately.pop_front().and_then(Said::summary));
        }
        summaries
    }
}

impl Said {
    fn summary(self) -> Option<(Level, String)> {
        let times = match self.kept_back {
            0 => return None,
            1 => "once".to_string(),
            count => format!("{count} times"),
        };
        let end = if self.start.len() < self.length { "..." } else { "" };
        Some((self.level, format!("repeated {times} within a minute: {}{end}", self.start)))
    }
}

fn start_of(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written when these messages come, each at its second.
    fn written(messages: &[(u64, Level, &str)]) -> Vec<String> {
        let mut repeats = Repeats::default();
        let mut written = Vec::new();
        for (second, level, text) in messages {
            let due = repeats.message(*level, text, second * 1000);
            written
                .extend(due.summaries.into_iter().map(|(level, text)| format!("{level} {text}")));
            written.extend(due.say.then(|| format!("{level} {text}")));
        }
        written.extend(repeats.end().into_iter().map(|(level, text)| format!("{level} {text}")));
        written
    }

    #[test]
    fn a_message_is_said_once_a_minute() {
        use Level::{Error, Info, Warn};
        let cases = [
            (
                vec![(0, Warn, "a"), (59, Warn, "a")],
                vec!["WARN a", "WARN repeated once within a minute: a"],
            ),
            (vec![(0, Warn, "a"), (60, Warn, "a")], vec!["WARN a", "WARN a"]),
            (vec![(0, Warn, "a"), (1, Error, "a")], vec!["WARN a", "ERROR a"]),
            (vec![(0, Info, "a"), (1, Info, "a")], vec!["INFO a", "INFO a"]),
            (
                vec![
                    (0, Error, "a"),
                    (1, Error, "b"),
                    (2, Error, "a"),
                    (3, Error, "a"),
                    (61, Info, "c"),
                ],
                vec!["ERROR a", "ERROR b", "ERROR repeated 2 times within a minute: a", "INFO c"],
            ),
            (
                vec![(0, Warn, "a"), (1, Warn, "a"), (60, Warn, "a")],
                vec!["WARN a", "WARN repeated once within a minute: a", "WARN a"],
            ),
        ];
        for (messages, expected) in cases {
            assert_eq!(written(&messages), expected, "{messages:?}");
        }
    }

    #[test]
    fn memory_has_a_bound_and_nothing_kept_back_is_forgotten() {
        let mut repeats = Repeats::default();
        let texts: Vec<_> = (0..200).map(|number| format!("数{number} ").repeat(1000)).collect();
        let mut kept_back = 0;
        for text in &texts {
            for _ in 0..2 {
                kept_back += repeats.message(Level::Warn, text, 0).summaries.len();
            }
        }
        assert_eq!(repeats.lately.len(), MESSAGES_MAX);
        assert!(repeats.lately.iter().all(|said| said.start.len() <= TEXT_BYTES_MAX));
        let rest = repeats.end();
        assert!(rest.iter().all(|(_, text)| text.ends_with("...")));
        assert_eq!(kept_back + rest.len(), texts.len());
    }
}
