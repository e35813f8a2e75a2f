//! A line of the file as it should be.
//!
//! Owns how far a line is mended for a message: one mistake after the other, until the file has no
//! other one in that line. Where one cannot be mended, no line is offered.

use super::problem::Problem;
use super::source::Source;

/// At most this many mistakes in one line are mended. After each of them the whole file is read again.
const EDITS_MAX: usize = 16;

/// The line of `problem` as it should be, whole, without its end; `None` if that is not known.
/// `first_problem` reads a file and gives the first problem in it.
pub fn mended_line(
    source: &Source,
    problem: &Problem,
    first_problem: impl Fn(&Source) -> Option<Problem>,
) -> Option<String> {
    let line = problem.position.line;
    let mut mended = Source { text: source.text.clone(), encoding: source.encoding };
    let mut problem = problem.clone();
    for _ in 0..EDITS_MAX {
        mended.text = problem.edit.as_ref()?.apply(&mended.text);
        problem = match first_problem(&mended) {
            Some(next) if next.position.line == line => next,
            Some(_) | None => return mended.line(line).map(str::to_owned),
        };
    }
    None
}
