//! What is odd in a file but no error.
//!
//! Owns how many warnings are kept, and their order. `ignored`, `remote` and `read` add to them, and decide
//! what deserves one.

use super::problem::Problem;

/// At most this many warnings are kept. One more says that there were others.
pub const WARNINGS_MAX: usize = 50;

/// The warnings of one file.
#[derive(Debug, Default)]
pub struct Warnings(Vec<Problem>);

impl Warnings {
    /// Adds a warning while there is room. It is made only if it is kept: to find its place, lines are
    /// counted, which would take for ever in a file that is full of nonsense.
    pub fn add(&mut self, warning: impl FnOnce() -> Problem) {
        if self.0.len() < WARNINGS_MAX {
            self.0.push(warning());
        } else if self.0.len() == WARNINGS_MAX {
            let text = format!("more than {WARNINGS_MAX} warnings: the others are not shown");
            self.0.push(Problem::whole_file(text));
        }
    }

    /// Sorted by place, since people read them beside the file; what has no place comes last.
    pub fn in_file_order(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| {
            let at = problem.position;
            (at.line == 0, at.line, at.column)
        });
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::Position;
    use super::*;

    fn warning(line: u32, column: u32) -> Problem {
        Problem::new(Position { line, column }, "")
    }

    #[test]
    fn warnings_are_sorted_by_place() {
        let mut warnings = Warnings::default();
        for (line, column) in [(0, 0), (2, 1), (1, 9), (1, 3)] {
            warnings.add(|| warning(line, column));
        }
        let place = |warning: &Problem| (warning.position.line, warning.position.column);
        let places: Vec<_> = warnings.in_file_order().iter().map(place).collect();
        assert_eq!(places, [(1, 3), (1, 9), (2, 1), (0, 0)]);
    }

    #[test]
    fn warnings_beyond_the_limit_are_not_even_made() {
        let mut warnings = Warnings::default();
        let mut made = 0;
        for _ in 0..1000 {
            warnings.add(|| {
                made += 1;
                warning(1, 1)
            });
        }
        let warnings = warnings.in_file_order();
        assert_eq!((made, warnings.len()), (WARNINGS_MAX, WARNINGS_MAX + 1));
        assert!(warnings[WARNINGS_MAX].text.starts_with("more than 50 warnings"));
    }
}
