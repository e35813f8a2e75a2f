//! What is shown of roots and remotes that the engine does not know: their names, and the last error
//! of each remote, as the log had it. Pure; the loop tells it of every report.

use crate::config::terminal::harmless;
use crate::engine::succession::Succession;
use crate::engine::time::Time;
use crate::engine::{RemoteId, Report, RootId};
use crate::tell::report::{advised, failure};

/// Paths that are named with an error; the others are counted.
const PATHS_SHOWN_MAX: usize = 3;

/// What does not change while the configuration stays the same.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// The configuration file, resolved.
    pub config: String,
    /// The number by which `--status` knows that it asks the right instance.
    pub instance: u64,
    /// The process.
    pub pid: u32,
    /// The roots; empty is what is none any more.
    pub roots: Vec<String>,
    /// The remotes, counted over all roots.
    pub remotes: Vec<Named>,
}

/// A remote.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// Which root it gets.
    pub root: usize,
    /// As the log names it, told apart from others of the same root.
    pub name: String,
}

/// What a root's path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadsTo {
    /// The directory, without a symlink on its way.
    pub path: String,
    /// What kind of file system it is on; empty if that is not known.
    pub file_system: String,
    /// Since when, as far as this process knows.
    pub since: Time,
}

/// Names, what the roots lead to, and the last errors.
#[derive(Debug, Default)]
pub struct Board {
    /// The names, without what a terminal would obey.
    pub names: Names,
    /// For each root; none while it leads nowhere.
    pub leads_to: Vec<Option<LeadsTo>>,
    errors: Vec<Option<String>>,
}

impl Board {
    /// Without errors so far.
    pub fn new(mut names: Names) -> Board {
        let roots = names.roots.iter_mut();
        let remotes = names.remotes.iter_mut().map(|remote| &mut remote.name);
        std::iter::once(&mut names.config)
            .chain(roots)
            .chain(remotes)
            .for_each(|text| *text = harmless(text));
        let errors = vec![None; names.remotes.len()];
        let leads_to = vec![None; names.roots.len()];
        Board { names, leads_to, errors }
    }

    /// The remotes have become others.
    pub fn change_remotes(&mut self, succession: &Succession, names: Names) {
        let errors = succession.carry(std::mem::take(&mut self.errors), || None);
        let mut leads_to = std::mem::take(&mut self.leads_to);
        leads_to.resize(names.roots.len(), None);
        *self = Board { errors, leads_to, ..Board::new(names) };
    }

    /// A root leads there now, or nowhere.
    pub fn leads_to(&mut self, root: RootId, found: Option<LeadsTo>) {
        let Some(known) = self.leads_to.get_mut(root.0) else { return };
        let found = found.map(|found| LeadsTo { path: harmless(&found.path), ..found });
        let is_same = |known: &LeadsTo, found: &LeadsTo| {
            known.path == found.path && known.file_system == found.file_system
        };
        match (&known, &found) {
            (Some(before), Some(now)) if is_same(before, now) => {}
            (Some(_) | None, _) => *known = found,
        }
    }

    /// Hears what the user is told in the log.
    pub fn report(&mut self, report: &Report) {
        match report {
            Report::Failed(remote, why, _) => self.failed(*remote, &failure(why)),
            Report::Partial(remote, failure, _) => {
                let named = &failure.named;
                let shown = named.iter().take(PATHS_SHOWN_MAX);
                let shown: Vec<_> = shown.map(|path| path.escape_ascii().to_string()).collect();
                let more = match named.len().saturating_sub(PATHS_SHOWN_MAX) {
                    0 if named.is_empty() => "",
                    0 => ": ",
                    more => &format!(" and {more} more: "),
                };
                self.failed(*remote, &format!("{}{more}{}", shown.join(", "), advised(failure)));
            }
            Report::Watching(..)
            | Report::Arrived(..)
            | Report::Back(_)
            | Report::PortableDeletes(_)
            | Report::DeletionsRefused(..)
            | Report::Unwanted(..)
            | Report::DeletionsWait(..)
            | Report::OneConnection(_)
            | Report::TooMany(_)
            | Report::TooLong(..)
            | Report::Overflowed(_)
            | Report::Forgot(_)
            | Report::Unwatched(..)
            | Report::AllWatched(_)
            | Report::Halted(..)
            | Report::Resumed(_) => {}
        }
    }

    /// The last error of a remote.
    pub fn error(&self, remote: usize) -> Option<&str> {
        self.errors.get(remote).and_then(Option::as_deref)
    }

    fn failed(&mut self, remote: RemoteId, text: &str) {
        if let Some(error) = self.errors.get_mut(remote.0) {
            *error = Some(harmless(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sending::next::Retry;
    use crate::rsync::told::exit::Exit;
    use crate::rsync::told::outcome::Outcome;

    #[test]
    fn the_last_error_stays_and_is_one_harmless_line() {
        let remotes = vec![Named { name: "h::m\x1b[2J".into(), ..Named::default() }];
        let mut board = Board::new(Names { remotes, ..Names::default() });
        assert_eq!(board.names.remotes[0].name, r"h::m\u{1b}[2J");
        assert_eq!(board.error(0), None);
        let named = ["a", "b\n", "c", "d", "e"].map(|path| path.as_bytes().to_vec()).to_vec();
        let outcome = Outcome::of(&Exit::with_code(10, "rsync: no\x07 route"), None);
        let failure = outcome.naming(|| (named, true)).failure().unwrap().clone();
        board.report(&Report::Failed(RemoteId(0), failure.clone(), 1));
        let said = board.error(0).unwrap().to_string();
        assert!(said.starts_with("rsync ended with 10: ") && !said.contains('\x07'), "{said}");
        board.report(&Report::Back(RemoteId(0)));
        assert_eq!(board.error(0), Some(said.as_str()));
        board.report(&Report::Partial(RemoteId(0), failure.clone(), Retry::Soon));
        let said = board.error(0).unwrap();
        assert!(said.starts_with("a, b\\n, c and 2 more: "), "{said}");
        board.report(&Report::Failed(RemoteId(7), failure, 1));
        assert_eq!(board.error(7), None);
    }
}
