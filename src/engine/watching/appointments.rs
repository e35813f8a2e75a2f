//! Paths that are to be looked at again, each at its own time, with what is remembered of each until then.
//!
//! `times` and `linked` keep theirs here. A path stays here while it is looked at, so that the answer is known for the one
//! that was asked for.

use crate::engine::rel_path::RelPath;
use crate::engine::time::Time;
use crate::sorted::SortedMap;
use std::collections::BTreeSet;

/// The paths, and what is remembered of each.
#[derive(Debug)]
pub struct Appointments<T> {
    /// When each path is to be looked at; not of those that are being looked at.
    at: BTreeSet<(Time, RelPath)>,
    of: SortedMap<RelPath, (Time, T)>,
}

impl<T> Default for Appointments<T> {
    fn default() -> Self {
        Appointments { at: BTreeSet::new(), of: SortedMap::new() }
    }
}

impl<T> Appointments<T> {
    /// A path is to be looked at then; whatever was to become of it before is void.
    pub fn make(&mut self, path: &RelPath, at: Time, known: T) {
        self.cancel(path);
        self.at.insert((at, path.clone()));
        self.of.insert(path.clone(), (at, known));
    }

    /// Nothing is to become of a path any more.
    pub fn cancel(&mut self, path: &RelPath) {
        if let Some((at, _)) = self.of.remove(path) {
            self.at.remove(&(at, path.clone()));
        }
    }

    /// What is remembered of a path.
    pub fn get(&self, path: &[u8]) -> Option<&T> {
        self.of.get(path).map(|(_, known)| known)
    }

    /// How many paths there are.
    pub fn count(&self) -> usize {
        self.of.len()
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Time> {
        self.at.first().map(|(at, _)| *at)
    }

    /// One that is due.
    pub fn take(&mut self, now: Time) -> Option<RelPath> {
        self.next().filter(|at| *at <= now)?;
        self.at.pop_first().map(|(_, path)| path)
    }

    /// A path has been looked at: what was remembered of it, if the look was one of these.
    pub fn kept(&mut self, path: &RelPath) -> Option<T> {
        let (at, _) = self.of.get(path)?;
        if self.at.contains(&(*at, path.clone())) {
            return None;
        }
        self.of.remove(path).map(|(_, known)| known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_for_the_one_that_was_asked_for() {
        let path = |name: &str| RelPath::from(name.as_bytes());
        let mut looks = Appointments::default();
        looks.make(&path("b"), Time(2), 20);
        looks.make(&path("a"), Time(3), 30);
        looks.make(&path("b"), Time(1), 10);
        assert_eq!((looks.next(), looks.count(), looks.get(b"b")), (Some(Time(1)), 2, Some(&10)));
        assert_eq!((looks.take(Time(0)), looks.kept(&path("b"))), (None, None), "nobody asked");
        assert_eq!(looks.take(Time(9)), Some(path("b")));
        assert_eq!((looks.kept(&path("b")), looks.kept(&path("b"))), (Some(10), None));
        assert_eq!(looks.take(Time(9)), Some(path("a")));
        looks.cancel(&path("a"));
        assert_eq!((looks.kept(&path("a")), looks.next(), looks.count()), (None, None, 0));
    }
}
