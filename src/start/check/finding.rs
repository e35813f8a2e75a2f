//! What was found, and how it is printed.
//!
//! Owns the four kinds of findings, the lines that people read, and the exit code. Pure. The other
//! files of `check` make findings, `mod` prints them.

use crate::config::language::Language;
use crate::config::terminal::harmless;
use crate::config::Error as ConfigError;
use crate::tell::amounts::count;

/// How much it matters, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// A start would end, or something that is configured would not work.
    Error,
    /// It would work, most likely not as it is meant.
    Warning,
    /// Good to know.
    Note,
    /// Looked at, and nothing to say but that.
    Fine,
}

impl Severity {
    fn label(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
            Severity::Fine => "ok",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub severity: Severity,
    /// `file:line:column`, or the element or thing that it is about; empty if the text says it.
    pub place: String,
    /// What was found and what to do, in one line.
    pub text: String,
    /// Lines below it, each with its end: what stands in the file, and what should.
    below: String,
}

impl Finding {
    pub fn error(place: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, place, text)
    }

    pub fn warning(place: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, place, text)
    }

    pub fn note(place: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Note, place, text)
    }

    pub fn fine(place: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Fine, place, text)
    }

    fn new(severity: Severity, place: impl Into<String>, text: impl Into<String>) -> Finding {
        Finding { severity, place: place.into(), text: text.into(), below: String::new() }
    }

    /// The error of a configuration, as a start would say it.
    pub fn of_fault(fault: &ConfigError, language: Language) -> Finding {
        let place = fault.problem.position.in_file(&fault.file);
        let below = fault.excerpt(language).map(|below| below + "\n").unwrap_or_default();
        Finding { below, ..Finding::error(place, fault.problem.said(language)) }
    }

    /// The same about the same place, of another kind.
    pub fn into_warning(self) -> Finding {
        Finding { severity: Severity::Warning, ..self }
    }

    fn lines(&self) -> String {
        let colon = if self.place.is_empty() { "" } else { ": " };
        let line = format!("{}: {}{colon}{}", self.severity.label(), self.place, self.text);
        format!("{}\n{}", harmless(&line), self.below)
    }
}

/// All lines, in the order of the findings; what is fine is only counted, unless `every` finding is
/// asked for.
pub(super) fn report(found: &[Finding], every: bool) -> String {
    let shown = found.iter().filter(|finding| every || finding.severity != Severity::Fine);
    shown.map(Finding::lines).collect::<String>() + &closing(found, every)
}

fn closing(found: &[Finding], every: bool) -> String {
    let of = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let fine = count(of(Severity::Fine), "thing");
    let nothing = of(Severity::Fine) == 0;
    let list = if every || nothing { "" } else { " (--log-level debug lists them)" };
    match (of(Severity::Error), of(Severity::Warning)) {
        (0, 0) => format!("ready to start; {fine} looked at and fine{list}\n"),
        (0, warnings) => format!("{}; {fine} fine{list}\n", count(warnings, "warning")),
        (errors, warnings) => {
            let (errors, warnings) = (count(errors, "error"), count(warnings, "warning"));
            format!("{errors}, {warnings}; {fine} fine{list}\n")
        }
    }
}

/// What the process ends with.
pub(super) fn exit_code(found: &[Finding]) -> u8 {
    match found.iter().map(|finding| finding.severity).min() {
        Some(Severity::Error) => 1,
        Some(Severity::Warning) => 2,
        Some(Severity::Note | Severity::Fine) | None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_is_the_exit_code() {
        let [error, warning, note, fine] =
            [Finding::error, Finding::warning, Finding::note, Finding::fine]
                .map(|make| make("p", "t"));
        for (found, code) in [
            (vec![], 0),
            (vec![&fine, &note], 0),
            (vec![&fine, &warning, &note], 2),
            (vec![&warning, &error, &fine], 1),
        ] {
            let found: Vec<_> = found.into_iter().cloned().collect();
            assert_eq!(exit_code(&found), code, "{found:?}");
        }
    }

    #[test]
    fn what_is_fine_is_counted_and_listed_where_it_is_asked_for() {
        let fine = [Finding::fine("rsync", "3.2.7"), Finding::fine("", "all\nof it")];
        assert_eq!(
            report(&fine, false),
            "ready to start; 2 things looked at and fine (--log-level debug lists them)\n"
        );
        let expected = "ok: rsync: 3.2.7\nok: all\\nof it\nready to start; 2 things looked at and \
                        fine\n";
        assert_eq!(report(&fine, true), expected);
        let bad = [Finding::error("a:1:2", "is bad"), Finding::warning("", "is odd")];
        let expected = "error: a:1:2: is bad\nwarning: is odd\n1 error, 1 warning; 0 things fine\n";
        assert_eq!(report(&bad, true), expected);
        assert!(report(&bad[1..], true).ends_with("\n1 warning; 0 things fine\n"));
    }
}
