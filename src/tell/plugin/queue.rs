//! What a plugin has yet to be told: a bounded queue of paths. Pure.
//!
//! A path is in it once, however often it arrives before its turn comes, because what it has become
//! is looked at then. When there are too many, the oldest give way to the directories in which they
//! lie: the plugin learns less, but of every place. `Plugins` owns it.

use super::is_within;
use crate::rsync::asked::plan::Gone;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Paths that may wait. A plugin that is this far behind (a quarter of an hour, at ten paths a
/// second) is better told where something changed than what; and the queue never takes more than
/// some megabytes.
pub const QUEUE_PATHS_MAX: usize = 10_000;

/// A tree that the plugin is told of.
pub type Tree = usize;

/// A path that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    tree: Tree,
    path: Arc<[u8]>,
}

/// What is told of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Of which tree.
    pub tree: Tree,
    /// The full path.
    pub path: Arc<[u8]>,
    /// What disappeared there, if it is not there any more.
    pub gone: Gone,
    /// It is a directory that stands for paths in it.
    pub folded: bool,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    /// The directories above which nothing is folded.
    tops: Vec<Vec<u8>>,
    order: VecDeque<Key>,
    waiting: HashMap<Key, (Gone, bool)>,
    /// Those that were taken and have not come back.
    taken: HashSet<Key>,
}

impl Queue {
    /// Another tree, with this topmost directory.
    pub fn add_tree(&mut self, top: Vec<u8>) {
        self.tops.push(top);
    }

    /// Number of paths that wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Adds a path behind the others, unless it waits already. Gives `true` if that was one too many,
    /// so that the oldest were folded.
    pub fn push(&mut self, tree: Tree, path: Arc<[u8]>, gone: Gone) -> bool {
        self.insert(Key { tree, path }, gone, false);
        let full = self.order.len() > QUEUE_PATHS_MAX;
        while self.order.len() > QUEUE_PATHS_MAX {
            self.fold();
        }
        full
    }

    /// Takes the first path that is not on its way already: two calls for one path at the same time
    /// could end in the wrong order.
    pub fn take(&mut self) -> Option<Entry> {
        let at = self.order.iter().position(|key| !self.taken.contains(key))?;
        let key = self.order.remove(at)?;
        let (gone, folded) = self.waiting.remove(&key)?;
        self.taken.insert(key.clone());
        Some(Entry { tree: key.tree, path: key.path, gone, folded })
    }

    /// A path that was taken has come back.
    pub fn finish(&mut self, entry: &Entry) {
        self.taken.remove(&Key { tree: entry.tree, path: entry.path.clone() });
    }

    /// Forgets what waits, and gives its number.
    pub fn clear(&mut self) -> usize {
        self.waiting.clear();
        std::mem::take(&mut self.order).len()
    }

    fn insert(&mut self, key: Key, gone: Gone, folded: bool) {
        let known = self.waiting.entry(key.clone());
        if let std::collections::hash_map::Entry::Vacant(_) = known {
            self.order.push_back(key);
        }
        let (known, was_folded) = known.or_insert((gone, folded));
        (*known, *was_folded) = ((*known).max(gone), *was_folded || folded);
    }

    /// Puts the directories of the older half of the paths in the place of these paths. Each time
    /// every path gets shorter, until it is the top of its tree, so repeating this comes to an end.
    fn fold(&mut self) {
        let newer = self.order.split_off(self.order.len() / 2);
        let older = std::mem::take(&mut self.order);
        let mut paths = HashSet::new();
        for key in older {
            self.waiting.remove(&key);
            let above = Key { tree: key.tree, path: above(&key.path, &self.tops[key.tree]) };
            if paths.insert(above.clone()) {
                self.order.push_back(above.clone());
            }
        }
        for key in &self.order {
            self.waiting.insert(key.clone(), (Gone::Directory, true));
        }
        // The directory may also wait by itself among the newer paths: its newer entry is told with
        // this one.
        self.order.extend(newer.into_iter().filter(|key| !paths.contains(key)));
    }
}

/// The directory in which a path lies, or the top.
fn above(path: &Arc<[u8]>, top: &[u8]) -> Arc<[u8]> {
    let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    let directory = &path[..slash.max(1)];
    Arc::from(if is_within(directory, top) { directory } else { top })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Arc<[u8]> {
        Arc::from(text.as_bytes())
    }

    fn texts(queue: &mut Queue) -> Vec<String> {
        let entries = std::iter::from_fn(|| queue.take());
        entries.map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect()
    }

    fn queue(tops: &[&str]) -> Queue {
        let mut queue = Queue::default();
        tops.iter().for_each(|top| queue.add_tree(top.as_bytes().to_vec()));
        queue
    }

    #[test]
    fn a_path_waits_once_and_in_its_first_place() {
        let mut queue = queue(&["/r", "/s"]);
        for (tree, text, gone) in [
            (0, "/r/b", Gone::No),
            (0, "/r/a", Gone::No),
            (0, "/r/b", Gone::Entry),
            (1, "/s/a", Gone::No),
        ] {
            assert!(!queue.push(tree, path(text), gone));
        }
        assert_eq!(queue.len(), 3);
        let first = queue.take().unwrap();
        assert_eq!((&*first.path, first.gone, first.folded), (&b"/r/b"[..], Gone::Entry, false));
        assert_eq!(texts(&mut queue), ["/r/a", "/s/a"]);
    }

    #[test]
    fn a_path_on_its_way_waits_for_its_return_and_lets_others_pass() {
        let mut queue = queue(&["/r"]);
        queue.push(0, path("/r/a"), Gone::No);
        let first = queue.take().unwrap();
        queue.push(0, path("/r/a"), Gone::Entry);
        queue.push(0, path("/r/b"), Gone::No);
        assert_eq!(texts(&mut queue), ["/r/b"]);
        queue.finish(&first);
        assert_eq!(texts(&mut queue), ["/r/a"]);
    }

    #[test]
    fn the_oldest_fold_into_their_directories() {
        let mut queue = queue(&["/r"]);
        for number in 0..QUEUE_PATHS_MAX {
            assert!(!queue.push(0, path(&format!("/r/d{}/f{number}", number % 10)), Gone::No));
        }
        assert!(queue.push(0, path("/r/last"), Gone::No));
        assert_eq!(queue.len(), QUEUE_PATHS_MAX / 2 + 11);
        let first = queue.take().unwrap();
        assert_eq!(
            (&*first.path, first.gone, first.folded),
            (&b"/r/d0"[..], Gone::Directory, true)
        );
        let rest = texts(&mut queue);
        assert_eq!(rest[..9], [1, 2, 3, 4, 5, 6, 7, 8, 9].map(|number| format!("/r/d{number}")));
        assert_eq!(rest[9], "/r/d0/f5000");
        assert_eq!(rest.last().map(String::as_str), Some("/r/last"));
    }

    #[test]
    fn paths_of_which_none_share_a_directory_fold_to_the_top_and_no_further() {
        let mut queue = queue(&["/r/top"]);
        for number in 0..3 * QUEUE_PATHS_MAX {
            queue.push(0, path(&format!("/r/top/a{number}/b/c/d")), Gone::No);
            assert!(queue.len() <= QUEUE_PATHS_MAX && queue.waiting.len() == queue.len());
        }
        let first = queue.take().unwrap();
        assert_eq!(&*first.path, b"/r/top");
        assert!(texts(&mut queue).iter().all(|text| text.starts_with("/r/top")));
    }

    #[test]
    fn the_directory_above_ends_at_the_top() {
        for (of, top, expected) in [
            ("/r/a/b", "/r", "/r/a"),
            ("/r/a", "/r", "/r"),
            ("/r", "/r", "/r"),
            ("/a", "/", "/"),
            ("/a/b", "/", "/a"),
            ("/", "/", "/"),
        ] {
            assert_eq!(&*above(&path(of), top.as_bytes()), expected.as_bytes(), "{of} below {top}");
        }
    }
}
