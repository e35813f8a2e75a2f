//! What is mounted below a root, as far as it matters to paths: second names, and places whose disk is away.
//!
//! The loop tells what comes and goes. What is away stays on the far sides until the disk is back or its place is
//! deleted here.

use crate::engine::rel_path::{lies_in, RelPath};

/// So many places may be away, each of which is said in the command of a full sync. With more, such a command
/// would be too long, and nothing that only a far side has is deleted.
const AWAY_MAX: usize = 100;

/// A directory of the root that can be seen at a second place, where it is mounted again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondName {
    /// The directory, by the name under which it is watched.
    pub of: RelPath,
    /// The place.
    pub at: RelPath,
}

/// What has become of a mount below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountChange {
    /// Something has been mounted there.
    Came,
    /// It was unmounted.
    Went,
    /// Either of them, and what is mounted below the root is none of its business.
    LeftOut,
}

/// What is mounted below a root, and what was.
#[derive(Debug, Default)]
pub struct Mounts {
    second_names: Vec<SecondName>,
    away: Vec<RelPath>,
    /// There were more, and these are not known.
    more_are_away: bool,
}

impl Mounts {
    /// What is known of second names from now on.
    pub fn set_second_names(&mut self, second_names: Vec<SecondName>) {
        self.second_names = second_names;
    }

    /// The other names of a path.
    pub fn other_names<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = RelPath> + 'a {
        let seen_there = self.second_names.iter().filter(|it| lies_in(path, &it.of));
        seen_there.map(|it| [&*it.at, &path[it.of.len()..]].concat().into())
    }

    /// Something was mounted or unmounted at a place.
    pub fn changed(&mut self, at: &RelPath, change: MountChange) {
        self.away.retain(|other| other != at);
        match change {
            MountChange::Went if self.away.len() < AWAY_MAX => self.away.push(at.clone()),
            MountChange::Went => self.more_are_away = true,
            MountChange::Came | MountChange::LeftOut => {}
        }
    }

    /// A path was seen to disappear, and with it what was mounted in it. Whether anything was.
    pub fn deleted(&mut self, path: &[u8]) -> bool {
        let before = self.away.len();
        self.away.retain(|at| !lies_in(at, path));
        self.away.len() < before
    }

    /// The root is on another ground, where nothing is known to be away.
    pub fn forget_away(&mut self) {
        self.away.clear();
        self.more_are_away = false;
    }

    /// The places whose disk is away. If these are too many, the root stands for all of them.
    pub fn away(&self) -> Vec<RelPath> {
        match self.more_are_away {
            true => vec![RelPath::from([])],
            false => self.away.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: &str) -> RelPath {
        path.as_bytes().into()
    }

    #[test]
    fn a_path_has_a_name_by_each_mount_that_shows_it() {
        let mut mounts = Mounts::default();
        let second = |of: &str, at: &str| SecondName { of: path(of), at: path(at) };
        mounts.set_second_names(vec![second("a", "b"), second("a/c", "d/e"), second("a", "a/in")]);
        let names = |of: &str| mounts.other_names(of.as_bytes()).collect::<Vec<_>>();
        assert_eq!(names("a/x"), [path("b/x"), path("a/in/x")]);
        assert_eq!(names("a"), [path("b"), path("a/in")]);
        assert_eq!(names("a/c/y"), [path("b/c/y"), path("d/e/y"), path("a/in/c/y")]);
        assert!(names("ab").is_empty());
    }

    #[test]
    fn what_was_unmounted_is_away_until_it_is_back_or_its_place_is_deleted() {
        let mut mounts = Mounts::default();
        for at in ["a", "b/c", "b/d", "e"] {
            mounts.changed(&path(at), MountChange::Went);
        }
        mounts.changed(&path("a"), MountChange::Came);
        mounts.changed(&path("f"), MountChange::LeftOut);
        assert_eq!(mounts.away(), [path("b/c"), path("b/d"), path("e")]);
        assert!(mounts.deleted(b"b"));
        assert!(!mounts.deleted(b"e/below"));
        assert_eq!(mounts.away(), [path("e")]);
        mounts.forget_away();
        assert_eq!(mounts.away(), []);
    }

    #[test]
    fn with_too_many_away_nothing_is_deleted_anywhere() {
        let mut mounts = Mounts::default();
        let went = |mounts: &mut Mounts, number: usize| {
            mounts.changed(&path(&number.to_string()), MountChange::Went);
        };
        (0..AWAY_MAX).for_each(|number| went(&mut mounts, number));
        assert_eq!(mounts.away().len(), AWAY_MAX);
        (AWAY_MAX..2 * AWAY_MAX).for_each(|number| went(&mut mounts, number));
        assert_eq!(mounts.away(), [path("")]);
    }
}
