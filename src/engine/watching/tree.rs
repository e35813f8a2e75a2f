//! The tree of watched directories of one root: watch descriptor to path, and back.
//!
//! A node is a directory; files have none. Watches follow the directory and not its name, so a
//! rename moves one node, and everything below it keeps its descriptor. A node can be *detached*
//! while the second half of a rename has not come yet: it and what is below it have no path then.
//!
//! Built for a million directories: nodes lie in one vector and are linked by their number in it, and
//! an entry of either index takes eight bytes.

use super::event::Wd;
use super::numbers::NumberMap;
use std::hash::{BuildHasher, RandomState};

/// A directory in the tree; valid until it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The root of the tree; it always exists.
    pub const ROOT: NodeId = NodeId(0);
    /// No node: what stands at the end of a chain, and for the parent of a detached node.
    const NONE: NodeId = NodeId(u32::MAX);

    fn get(self) -> Option<NodeId> {
        (self != NodeId::NONE).then_some(self)
    }
}

#[derive(Debug)]
struct Node {
    parent: NodeId,
    first_child: NodeId,
    /// The next child of the same parent; of a free node, the next free one.
    next: NodeId,
    prev: NodeId,
    /// The next node with the same hash of parent and name.
    next_same_hash: NodeId,
    /// [`NO_WD`] in a free node, and in a root that is not watched. An `Option` would take four bytes more.
    wd: Wd,
    name: Box<[u8]>,
}

/// No descriptor: the kernel counts from 1.
const NO_WD: Wd = Wd(-1);

/// The watched directories of one root.
#[derive(Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    first_free: NodeId,
    by_wd: NumberMap<Wd, NodeId>,
    /// Hash of parent and name to the first of the nodes that have it.
    by_place: NumberMap<u32, NodeId>,
    hasher: RandomState,
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Tree {
            nodes: Vec::new(),
            first_free: NodeId::NONE,
            by_wd: NumberMap::default(),
            by_place: NumberMap::default(),
            hasher: RandomState::new(),
        };
        tree.allocate(NO_WD);
        tree
    }
}

impl Tree {
    /// The root is watched from now on, under this descriptor.
    pub fn set_root_wd(&mut self, wd: Wd) {
        let old = std::mem::replace(&mut self.nodes[0].wd, wd);
        self.by_wd.remove(&old);
        self.by_wd.insert(wd, NodeId::ROOT);
    }

    /// Number of watched directories.
    pub fn len(&self) -> usize {
        self.by_wd.len()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.by_wd.is_empty()
    }

    /// Every descriptor in use.
    pub fn wds(&self) -> impl Iterator<Item = Wd> + '_ {
        self.by_wd.keys().copied()
    }

    /// The directory behind a descriptor.
    pub fn node(&self, wd: Wd) -> Option<NodeId> {
        self.by_wd.get(&wd).copied()
    }

    /// The descriptor of a directory; `None` only for a root that is not watched yet.
    pub fn wd(&self, node: NodeId) -> Option<Wd> {
        Some(self.at(node).wd).filter(|wd| *wd != NO_WD)
    }

    /// The directory called `name` in `parent`.
    pub fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let mut next = self.by_place.get(&self.place_hash(parent, name)).copied();
        while let Some(id) = next {
            let node = self.at(id);
            if node.parent == parent && *node.name == *name {
                return Some(id);
            }
            next = node.next_same_hash.get();
        }
        None
    }

    /// The directory at `path`, relative to the root without a leading slash; empty is the root.
    pub fn find(&self, path: &[u8]) -> Option<NodeId> {
        if path.is_empty() {
            return Some(NodeId::ROOT);
        }
        path.split(|&byte| byte == b'/')
            .try_fold(NodeId::ROOT, |parent, name| self.child(parent, name))
    }

    /// Where a directory lies: its parent and its name there; `None` for the root and for what is
    /// detached.
    pub fn place(&self, node: NodeId) -> Option<(NodeId, &[u8])> {
        let Node { parent, name, .. } = self.at(node);
        parent.get().map(|parent| (parent, &**name))
    }

    /// The path of a directory, as [`Tree::find`] takes it; `None` while it, or a directory above
    /// it, is detached.
    pub fn path(&self, node: NodeId) -> Option<Vec<u8>> {
        let mut path = Vec::new();
        self.write_path(node, &mut path).map(|()| path)
    }

    /// Appends the path of a directory to what is there already, as [`Tree::path`] gives it.
    pub fn write_path(&self, node: NodeId, to: &mut Vec<u8>) -> Option<()> {
        let start = to.len();
        let mut at = node;
        while at != NodeId::ROOT {
            let Node { parent, name, .. } = self.at(at);
            to.extend(name.iter().rev());
            at = parent.get()?;
            if at != NodeId::ROOT {
                to.push(b'/');
            }
        }
        // The path was written from its end to its beginning.
        to[start..].reverse();
        Some(())
    }

    /// Whether `node` is `above` or lies somewhere below it.
    pub fn is_within(&self, node: NodeId, above: NodeId) -> bool {
        std::iter::successors(Some(node), |&id| self.at(id).parent.get()).any(|id| id == above)
    }

    /// Adds the directory `name` in `parent`. The place must be free and `wd` unknown.
    pub fn insert(&mut self, parent: NodeId, name: &[u8], wd: Wd) -> NodeId {
        debug_assert!(!self.by_wd.contains_key(&wd), "{wd:?} is in the tree already");
        let id = self.allocate(wd);
        self.by_wd.insert(wd, id);
        self.attach(id, parent, name);
        id
    }

    /// Takes a directory, with what is below it, from its place, for [`Tree::attach`] to put
    /// elsewhere or [`Tree::remove`] to end.
    pub fn detach(&mut self, node: NodeId) {
        assert!(node != NodeId::ROOT, "the root has no place to be taken from");
        let parent = self.at(node).parent;
        if parent == NodeId::NONE {
            return;
        }
        self.forget_place(node);
        let Node { prev, next, .. } = *self.at(node);
        match prev.get() {
            Some(prev) => self.at_mut(prev).next = next,
            None => self.at_mut(parent).first_child = next,
        }
        if let Some(next) = next.get() {
            self.at_mut(next).prev = prev;
        }
        let node = self.at_mut(node);
        (node.parent, node.prev, node.next) = (NodeId::NONE, NodeId::NONE, NodeId::NONE);
    }

    /// Puts a detached directory at a free place, which must not be below itself.
    pub fn attach(&mut self, node: NodeId, parent: NodeId, name: &[u8]) {
        debug_assert!(self.child(parent, name).is_none(), "the place is taken");
        debug_assert!(!self.is_within(parent, node), "a directory cannot lie in itself");
        let first = self.at(parent).first_child;
        if let Some(first) = first.get() {
            self.at_mut(first).prev = node;
        }
        self.at_mut(parent).first_child = node;
        let hash = self.place_hash(parent, name);
        let same = self.by_place.insert(hash, node).unwrap_or(NodeId::NONE);
        let at = self.at_mut(node);
        (at.parent, at.prev, at.next) = (parent, NodeId::NONE, first);
        at.next_same_hash = same;
        // A rename often keeps the name: then its memory stays where it is.
        if *at.name != *name {
            at.name = name.into();
        }
    }

    /// Removes everything but the root itself, which is not watched any more.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.by_wd.clear();
        self.by_place.clear();
        self.first_free = NodeId::NONE;
        self.allocate(NO_WD);
    }

    /// Removes a directory and everything below it; gives the descriptors that it had.
    pub fn remove(&mut self, node: NodeId) -> Vec<Wd> {
        self.detach(node);
        let mut wds = Vec::new();
        let mut doomed = vec![node];
        while let Some(id) = doomed.pop() {
            let mut child = self.at(id).first_child.get();
            while let Some(id) = child {
                self.forget_place(id);
                doomed.push(id);
                child = self.at(id).next.get();
            }
            self.at_mut(id).first_child = NodeId::NONE;
            let wd = std::mem::replace(&mut self.at_mut(id).wd, NO_WD);
            if self.by_wd.remove(&wd).is_some() {
                wds.push(wd);
            }
            let free = self.first_free;
            let at = self.at_mut(id);
            (at.parent, at.prev, at.next, at.name) =
                (NodeId::NONE, NodeId::NONE, free, Box::default());
            self.first_free = id;
        }
        wds
    }

    fn allocate(&mut self, wd: Wd) -> NodeId {
        let fresh = Node {
            parent: NodeId::NONE,
            first_child: NodeId::NONE,
            next: NodeId::NONE,
            prev: NodeId::NONE,
            next_same_hash: NodeId::NONE,
            wd,
            name: Box::default(),
        };
        match self.first_free.get() {
            Some(id) => {
                self.first_free = self.at(id).next;
                *self.at_mut(id) = fresh;
                id
            }
            None => {
                let id = NodeId(self.nodes.len() as u32);
                self.nodes.push(fresh);
                id
            }
        }
    }

    /// Takes a node out of the index of places; its links to parent and siblings stay.
    fn forget_place(&mut self, node: NodeId) {
        let hash = self.place_hash(self.at(node).parent, &self.at(node).name);
        let rest = std::mem::replace(&mut self.at_mut(node).next_same_hash, NodeId::NONE);
        let first = self.by_place.get(&hash).copied().expect("a placed node is in the index");
        if first == node {
            match rest.get() {
                Some(rest) => self.by_place.insert(hash, rest),
                None => self.by_place.remove(&hash),
            };
            return;
        }
        let mut at = first;
        while self.at(at).next_same_hash != node {
            at = self.at(at).next_same_hash;
        }
        self.at_mut(at).next_same_hash = rest;
    }

    fn place_hash(&self, parent: NodeId, name: &[u8]) -> u32 {
        // Half of the hash is enough to find a place, and takes half the memory.
        self.hasher.hash_one((parent, name)) as u32
    }

    fn at(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn at_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree_of(paths: &[&str]) -> Tree {
        let mut tree = Tree::default();
        tree.set_root_wd(Wd(1));
        for (number, path) in paths.iter().enumerate() {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let parent = tree.find(above.as_bytes()).unwrap();
            tree.insert(parent, name.as_bytes(), Wd(number as i32 + 2));
        }
        tree
    }

    fn path(tree: &Tree, wd: i32) -> Option<String> {
        tree.path(tree.node(Wd(wd))?).map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn a_renamed_directory_takes_what_is_below_along() {
        let mut tree = tree_of(&["a", "a/b", "a/b/c", "d"]);
        let b = tree.find(b"a/b").unwrap();
        tree.detach(b);
        assert_eq!(path(&tree, 4), None, "what is below a detached directory has no path");
        assert_eq!(tree.find(b"a/b"), None);
        tree.attach(b, tree.find(b"d").unwrap(), b"new");
        assert_eq!(path(&tree, 4).as_deref(), Some("d/new/c"));
        assert_eq!(tree.find(b"d/new/c"), tree.node(Wd(4)));
        assert_eq!(tree.len(), 5);
    }

    #[test]
    fn a_removed_directory_gives_back_all_its_descriptors_and_its_memory() {
        let mut tree = tree_of(&["a", "a/b", "a/c", "a/b/d", "e"]);
        let mut wds = tree.remove(tree.find(b"a").unwrap());
        wds.sort();
        assert_eq!(wds, [Wd(2), Wd(3), Wd(4), Wd(5)]);
        assert_eq!(tree.len(), 2);
        let nodes = tree.nodes.len();
        for (number, name) in [b"w", b"x", b"y", b"z"].iter().enumerate() {
            tree.insert(NodeId::ROOT, *name, Wd(10 + number as i32));
        }
        assert_eq!(tree.nodes.len(), nodes, "freed nodes are used again");
        assert_eq!(path(&tree, 6).as_deref(), Some("e"));
        assert_eq!(tree.find(b"a"), None);
    }

    #[test]
    fn a_cleared_tree_has_an_unwatched_root() {
        let mut tree = tree_of(&["a", "a/b"]);
        tree.remove(tree.find(b"a/b").unwrap());
        tree.clear();
        assert!(tree.is_empty());
        tree.set_root_wd(Wd(9));
        tree.insert(NodeId::ROOT, b"a", Wd(2));
        assert_eq!(path(&tree, 2).as_deref(), Some("a"));
    }

    #[test]
    fn names_with_one_hash_do_not_hide_each_other() {
        let mut tree = Tree::default();
        tree.set_root_wd(Wd(0));
        // A test cannot make so many names that two have the same 32 bits, so it makes the chain by hand.
        let a = tree.insert(NodeId::ROOT, b"a", Wd(1));
        let hash = tree.place_hash(NodeId::ROOT, b"a");
        let other = tree.allocate(Wd(2));
        tree.at_mut(other).parent = NodeId::ROOT;
        tree.at_mut(other).name = b"b"[..].into();
        tree.at_mut(other).next_same_hash = a;
        tree.by_place.insert(hash, other);
        assert_eq!(tree.child(NodeId::ROOT, b"a"), Some(a));
        tree.detach(a);
        assert_eq!(tree.child(NodeId::ROOT, b"a"), None);
        assert_eq!(tree.by_place[&hash], other);
    }

    #[test]
    fn is_within_sees_every_ancestor() {
        let tree = tree_of(&["a", "a/b", "c"]);
        let (a, b, c) = (tree.find(b"a"), tree.find(b"a/b"), tree.find(b"c"));
        assert!(tree.is_within(b.unwrap(), a.unwrap()));
        assert!(tree.is_within(b.unwrap(), NodeId::ROOT));
        assert!(!tree.is_within(a.unwrap(), b.unwrap()));
        assert!(!tree.is_within(c.unwrap(), a.unwrap()));
    }
}
