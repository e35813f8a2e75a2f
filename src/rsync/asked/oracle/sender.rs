//! What the near side sends: a list of paths, each with what it is here.

use super::filter::Side;
use super::words::Words;
use super::{children, join, parent, Entry, Path, Tree};
use std::collections::BTreeMap;

/// One path of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What it is; nothing if it was asked for and is missing.
    pub entry: Option<Entry>,
    /// Everything that is in this directory is in the list as well.
    pub has_content: bool,
}

/// The list, and whether it is certain.
#[derive(Debug, Default)]
pub struct Sent {
    pub listed: BTreeMap<Path, Listed>,
    /// Something that was asked for could not be looked at.
    pub failed: bool,
}

/// What a run sends.
pub fn list(words: &Words, near: &Tree) -> Sent {
    let near = &below(near, &words.near_below);
    let mut sent = Sent::default();
    for path in &words.paths {
        sent.add_asked(words, near, path);
    }
    if words.prune_empty {
        sent.prune_empty(words);
    }
    sent
}

/// The nearest path above that is there and no directory, or the path itself.
fn path_above<'a>(near: &Tree, path: &'a [u8]) -> &'a [u8] {
    let mut above = parent(path);
    while !above.is_empty() && near.get(above).is_none_or(|entry| *entry == Entry::Directory) {
        above = parent(above);
    }
    if above.is_empty() {
        path
    } else {
        above
    }
}

/// A part of a tree as a tree of its own.
fn below(tree: &Tree, top: &[u8]) -> Tree {
    if top.is_empty() {
        return tree.clone();
    }
    let inside = |path: &Path| Some(path.strip_prefix(top)?.strip_prefix(b"/")?.to_vec());
    tree.iter().filter_map(|(path, entry)| Some((inside(path)?, entry.clone()))).collect()
}

impl Sent {
    fn add(&mut self, path: &[u8], entry: Option<&Entry>, has_content: bool) {
        let listed = Listed { entry: entry.cloned(), has_content };
        let there = self.listed.entry(path.to_vec()).or_insert_with(|| listed.clone());
        there.has_content |= has_content;
    }

    /// A path as it stands in the list or on the command line.
    fn add_asked(&mut self, words: &Words, near: &Tree, asked: &[u8]) {
        let asked = match asked.strip_prefix(b"./") {
            Some(rest) => {
                // The dot itself goes along, as a directory above.
                self.add(b"", Some(&Entry::Directory), false);
                rest
            }
            None => asked,
        };
        let ends_with_slash = asked.is_empty() || asked.ends_with(b"/");
        let path = asked.strip_suffix(b"/").unwrap_or(asked);
        let top = Entry::Directory;
        let entry = if path.is_empty() { Some(&top) } else { near.get(path) };
        let Some(entry) = entry else {
            // What is below a file cannot even be looked at. That stops all deleting; what is plainly
            // missing does not.
            let below_a_file = near.contains_key(path_above(near, path));
            self.failed |= below_a_file;
            if words.delete_missing && !below_a_file {
                self.add_above(words, near, path);
                self.add(path, None, false);
            }
            return;
        };
        let is_directory = *entry == Entry::Directory;
        if !path.is_empty() && words.filter.hides(Side::Sender, path, is_directory) {
            return;
        }
        if is_directory && !words.directories {
            return;
        }
        self.add_above(words, near, path);
        let has_content = is_directory && (words.recursive || ends_with_slash);
        self.add(path, Some(entry), has_content);
        if has_content {
            self.add_content(words, near, path);
        }
    }

    /// The directories above a path, whatever the filter says of them.
    fn add_above(&mut self, words: &Words, near: &Tree, path: &[u8]) {
        let mut above = parent(path);
        while words.relative && !above.is_empty() {
            if let Some(entry) = near.get(above) {
                self.add(above, Some(entry), false);
            }
            above = parent(above);
        }
    }

    fn add_content(&mut self, words: &Words, near: &Tree, directory: &[u8]) {
        for (path, entry) in children(near, directory) {
            let is_directory = *entry == Entry::Directory;
            if words.filter.hides(Side::Sender, path, is_directory) {
                continue;
            }
            let has_content = is_directory && words.recursive;
            self.add(path, Some(entry), has_content);
            if has_content {
                self.add_content(words, near, path);
            }
        }
    }

    /// Leaves directories out in which nothing but directories is sent, unless they are protected.
    fn prune_empty(&mut self, words: &Words) {
        let is_directory = |listed: &Listed| listed.entry == Some(Entry::Directory);
        let kept: Vec<Path> = self
            .listed
            .iter()
            .filter(|(path, listed)| {
                !is_directory(listed) || words.filter.hides(Side::Receiver, path, true)
            })
            .map(|(path, _)| path.clone())
            .collect();
        self.listed.retain(|path, listed| {
            let holds = |inside: &Path| inside.starts_with(&join(path, b"x")[..path.len() + 1]);
            !is_directory(listed)
                || path.is_empty()
                || kept.contains(path)
                || kept.iter().any(holds)
        });
    }
}
