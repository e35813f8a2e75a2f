//! What is said when a plugin cannot be told of paths: not a line for each of thousands. Pure.
//!
//! `Plugins` logs what this gives it.

use super::answer::shown;
use crate::engine::time::Time;

/// At most one line in this time; what fails meanwhile is counted.
const SAY_MS: u64 = 60_000;

/// The failures since the last success.
#[derive(Debug, Default)]
pub struct Trouble {
    /// Failures since the last line.
    unsaid: usize,
    said_at: Option<Time>,
}

impl Trouble {
    /// A path was not told of. Gives a line to be logged, if one is due.
    pub fn failed(&mut self, path: &[u8], why: &str, now: Time) -> Option<String> {
        if self.said_at.is_some_and(|at| now.since(at) < SAY_MS) {
            self.unsaid += 1;
            return None;
        }
        self.said_at = Some(now);
        let others = match std::mem::take(&mut self.unsaid) {
            0 => String::new(),
            others => format!(", nor {others} others since the last message"),
        };
        Some(format!("{} was not told of{others}: {why}", shown(path)))
    }

    /// A path was told of. Gives a line if others before it were not, and not all of them were
    /// counted in a line.
    ///
    /// The time of the next line stays as it is: a plugin that fails every second time causes no
    /// more lines than one that always fails.
    pub fn passed(&mut self) -> Option<String> {
        let unsaid = std::mem::take(&mut self.unsaid);
        (unsaid > 0).then(|| format!("works again; {unsaid} more paths were not told of"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_the_first_failure_and_then_one_a_minute() {
        let mut trouble = Trouble::default();
        let mut failed = |at| trouble.failed(b"/a", "why", Time(at));
        assert_eq!(failed(5).as_deref(), Some("/a was not told of: why"));
        assert_eq!([10, 11, 60_004].map(&mut failed), [None, None, None]);
        let later = "/a was not told of, nor 3 others since the last message: why";
        assert_eq!(failed(60_005).as_deref(), Some(later));
        assert_eq!(failed(60_006), None);
        let back = "works again; 1 more paths were not told of";
        assert_eq!(trouble.passed().as_deref(), Some(back));
        assert_eq!(trouble.passed(), None);
    }
}
