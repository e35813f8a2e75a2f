//! What a remote is to get as a whole, because nobody can say which paths of it have changed.
//!
//! | | nothing | levels | scheduled | full |
//! |---|---|---|---|---|
//! | a directory is to be made equal | levels | one level more | one level more | full |
//! | too many are, or the whole root is | full | full | full | full |
//! | a full sync is needed | full | full | full | full |
//! | the schedule wants a full sync | scheduled | scheduled, with the levels | scheduled | full |
//! | a sweep starts | - | takes the levels: nothing | takes the root: levels, or nothing | takes the root: nothing |
//! | the levels that left did not arrive | levels | levels, with these | scheduled, with these | full |
//! | the scheduled one did not arrive | scheduled | scheduled, with the levels | scheduled | full |
//! | the full sync did not arrive | full | full | full | full |
//!
//! A full sync makes every directory equal and is what the schedule wants, so *full* stands for all of it. A *scheduled*
//! one leaves out what its own filter says, and is nothing that is owed: it cannot stand for levels, which follow it.

use super::flight::Cargo;
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::level::Depth;
use crate::sorted::SortedMap;

/// Directories that may wait to be made equal one by one; more become a full sync.
const LEVELS_MAX: usize = 10_000;

/// What is to be made equal as a whole.
#[derive(Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Nothing.
    Nothing,
    /// These directories.
    Levels(SortedMap<RelPath, Depth>),
    /// The root, because the schedule wants it, and then these directories.
    Scheduled(SortedMap<RelPath, Depth>),
    /// The root.
    Full,
}

/// There were too many directories: they have become a full sync.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany;

impl Sweep {
    /// Makes a directory equal as a whole.
    ///
    /// # Errors
    /// There were too many.
    pub fn need_level(&mut self, path: &RelPath, depth: Depth) -> Result<(), TooMany> {
        if path.is_empty() && depth == Depth::All {
            self.need_full();
            return Ok(());
        }
        if self.is_nothing() {
            *self = Sweep::Levels(SortedMap::new());
        }
        let (Sweep::Levels(levels) | Sweep::Scheduled(levels)) = self else { return Ok(()) };
        if levels.len() >= LEVELS_MAX {
            self.need_full();
            return Err(TooMany);
        }
        let deepest = levels.entry(path.clone()).or_insert(depth);
        *deepest = depth.max(*deepest);
        Ok(())
    }

    /// The whole root has to be made equal.
    pub fn need_full(&mut self) {
        *self = Sweep::Full;
    }

    /// The schedule wants a full sync.
    pub fn schedule(&mut self) {
        *self = match std::mem::replace(self, Sweep::Nothing) {
            Sweep::Nothing => Sweep::Scheduled(SortedMap::new()),
            Sweep::Levels(levels) | Sweep::Scheduled(levels) => Sweep::Scheduled(levels),
            Sweep::Full => Sweep::Full,
        };
    }

    /// Takes out what a sweep that starts now is to carry.
    pub fn take(&mut self) -> Option<Cargo> {
        let (cargo, left) = match std::mem::replace(self, Sweep::Nothing) {
            Sweep::Nothing => return None,
            Sweep::Levels(levels) => (Cargo::Levels(levels), Sweep::Nothing),
            Sweep::Scheduled(levels) if levels.is_empty() => {
                (Cargo::Everything { scheduled: true }, Sweep::Nothing)
            }
            Sweep::Scheduled(levels) => {
                (Cargo::Everything { scheduled: true }, Sweep::Levels(levels))
            }
            Sweep::Full => (Cargo::Everything { scheduled: false }, Sweep::Nothing),
        };
        *self = left;
        Some(cargo)
    }

    /// Whether nothing is to be made equal as a whole.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Sweep::Nothing)
    }

    /// Whether nothing of it is owed: what the schedule wants is not.
    pub fn owes_nothing(&self) -> bool {
        match self {
            Sweep::Nothing => true,
            Sweep::Scheduled(levels) => levels.is_empty(),
            Sweep::Levels(_) | Sweep::Full => false,
        }
    }

    /// Whether directories wait to be made equal.
    pub fn has_levels(&self) -> bool {
        match self {
            Sweep::Levels(_) => true,
            Sweep::Scheduled(levels) => !levels.is_empty(),
            Sweep::Nothing | Sweep::Full => false,
        }
    }

    /// Whether a full sync is owed.
    pub fn is_full(&self) -> bool {
        matches!(self, Sweep::Full)
    }

    /// Whether the next sweep is a full sync, owed or not.
    pub fn is_full_or_scheduled(&self) -> bool {
        matches!(self, Sweep::Full | Sweep::Scheduled(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(paths: &[&str]) -> SortedMap<RelPath, Depth> {
        paths.iter().map(|path| (RelPath::from(path.as_bytes()), Depth::One)).collect()
    }

    fn need(sweep: &mut Sweep, path: &str, depth: Depth) -> Result<(), TooMany> {
        sweep.need_level(&RelPath::from(path.as_bytes()), depth)
    }

    fn states() -> [Sweep; 4] {
        [
            Sweep::Nothing,
            Sweep::Levels(levels(&["a"])),
            Sweep::Scheduled(levels(&["a"])),
            Sweep::Full,
        ]
    }

    /// Every cell of the table at the top of this file, but for what a sweep that starts takes.
    #[test]
    fn what_is_to_be_swept_after_each_event() {
        type Event = fn(&mut Sweep);
        let a_directory: Event = |sweep| need(sweep, "b", Depth::One).unwrap();
        let the_root: Event = |sweep| need(sweep, "", Depth::All).unwrap();
        let full = || Sweep::Full;
        let scheduled = |paths| Sweep::Scheduled(levels(paths));
        let table: [(&str, Event, [Sweep; 4]); 4] = [
            (
                "a directory is to be made equal, or did not arrive",
                a_directory,
                [
                    Sweep::Levels(levels(&["b"])),
                    Sweep::Levels(levels(&["a", "b"])),
                    scheduled(&["a", "b"]),
                    full(),
                ],
            ),
            ("the whole root is", the_root, [full(), full(), full(), full()]),
            (
                "a full sync is needed, or did not arrive",
                Sweep::need_full,
                [full(), full(), full(), full()],
            ),
            (
                "the schedule wants one, or it did not arrive",
                Sweep::schedule,
                [scheduled(&[]), scheduled(&["a"]), scheduled(&["a"]), full()],
            ),
        ];
        for (name, event, expected) in table {
            for (mut state, expected) in states().into_iter().zip(expected) {
                let before = format!("{state:?}");
                event(&mut state);
                assert_eq!(state, expected, "{before}: {name}");
            }
        }
    }

    #[test]
    fn what_a_sweep_that_starts_takes_and_leaves() {
        let mut taken = Vec::new();
        for mut state in states() {
            let cargo = state.take().map(|cargo| format!("{cargo:?}"));
            taken.push((cargo, state));
        }
        let carries = |cargo: Cargo| Some(format!("{cargo:?}"));
        let everything = |scheduled| carries(Cargo::Everything { scheduled });
        assert_eq!(
            taken,
            [
                (None, Sweep::Nothing),
                (carries(Cargo::Levels(levels(&["a"]))), Sweep::Nothing),
                (everything(true), Sweep::Levels(levels(&["a"]))),
                (everything(false), Sweep::Nothing),
            ]
        );
        let mut scheduled = Sweep::Scheduled(levels(&[]));
        scheduled.take();
        assert_eq!(scheduled, Sweep::Nothing);
    }

    #[test]
    fn what_the_schedule_wants_is_not_owed_but_levels_are() {
        for (state, owes_nothing, has_levels, full_or_scheduled) in [
            (Sweep::Nothing, true, false, false),
            (Sweep::Levels(levels(&["a"])), false, true, false),
            (Sweep::Scheduled(levels(&[])), true, false, true),
            (Sweep::Scheduled(levels(&["a"])), false, true, true),
            (Sweep::Full, false, false, true),
        ] {
            assert_eq!(state.owes_nothing(), owes_nothing, "{state:?}");
            assert_eq!(state.has_levels(), has_levels, "{state:?}");
            assert_eq!(state.is_full_or_scheduled(), full_or_scheduled, "{state:?}");
        }
    }

    #[test]
    fn a_directory_is_made_equal_as_deep_as_anybody_wants_it() {
        for depths in [[Depth::One, Depth::All], [Depth::All, Depth::One]] {
            let mut sweep = Sweep::Nothing;
            for depth in depths {
                need(&mut sweep, "a", depth).unwrap();
            }
            let Sweep::Levels(levels) = sweep else { panic!("{sweep:?}") };
            assert_eq!(levels.get(&b"a"[..]), Some(&Depth::All));
        }
    }

    #[test]
    fn too_many_directories_become_a_full_sync() {
        for start in [Sweep::Nothing, Sweep::Scheduled(levels(&[]))] {
            let mut sweep = start;
            for number in 0..LEVELS_MAX {
                assert_eq!(need(&mut sweep, &number.to_string(), Depth::One), Ok(()));
            }
            assert_eq!(need(&mut sweep, "one more", Depth::One), Err(TooMany));
            assert_eq!(sweep, Sweep::Full);
            assert_eq!(need(&mut sweep, "another", Depth::One), Ok(()), "it takes that along");
        }
    }
}
