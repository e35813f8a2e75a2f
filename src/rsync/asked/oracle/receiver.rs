//! The model of rsync's receiver: what it makes of the list, and what it deletes for it.

use super::filter::Side;
use super::sender::{Listed, Sent};
use super::words::Words;
use super::{children, join, name, parent, Done, Entry, Path, Tree};

/// Whether something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    Yes,
    /// Something in it, or the limit, keeps it.
    No,
}

/// Where a path leads to if all links in it are followed; nothing if something in it is missing.
fn resolved(tree: &Tree, path: &[u8]) -> Option<Path> {
    const LINKS_MAX: usize = 8;
    let (mut place, mut links) = (Path::new(), 0);
    let mut left: Vec<&[u8]> = path.split(|&byte| byte == b'/').rev().collect();
    while let Some(name) = left.pop().filter(|name| !name.is_empty()) {
        let next = join(&place, name);
        match tree.get(&next)? {
            Entry::Link(target) => {
                links += 1;
                left.extend(target.split(|&byte| byte == b'/').rev());
            }
            Entry::Directory | Entry::File(..) => place = next,
        }
        if links > LINKS_MAX {
            return None;
        }
    }
    Some(place)
}

/// The far side at work.
pub struct Receiver<'a> {
    words: &'a Words,
    sent: &'a Sent,
    done: &'a mut Done,
    /// It has a filter only if it was sent one: where nothing is to be deleted, none is.
    has_filter: bool,
    /// Where it writes.
    top: Path,
    deletions: usize,
}

impl<'a> Receiver<'a> {
    pub fn new(words: &'a Words, sent: &'a Sent, done: &'a mut Done) -> Receiver<'a> {
        let has_filter = words.local || words.delete || words.prune_empty;
        Receiver { words, sent, done, has_filter, top: words.far_below.clone(), deletions: 0 }
    }

    /// Goes through the list: what is above something comes before it.
    pub fn receive(&mut self) {
        if !self.makes_top() {
            return;
        }
        let mut skipped: Vec<Path> = Vec::new();
        for (path, listed) in &self.sent.listed {
            let inside =
                |above: &Path| path.starts_with(above) && path.get(above.len()) == Some(&b'/');
            if !skipped.iter().any(inside) && !self.receive_one(path, listed) {
                skipped.push(path.clone());
            }
        }
    }

    /// Finds the directory that is written to, or makes it in one that is there: false if there can be
    /// none. Links are followed here, and nowhere else.
    fn makes_top(&mut self) -> bool {
        let far = &mut self.done.far;
        let asked = &self.words.far_below;
        let is_directory =
            |far: &Tree, path: &[u8]| path.is_empty() || far.get(path) == Some(&Entry::Directory);
        if let Some(top) = resolved(far, asked) {
            self.top = top;
            return is_directory(far, &self.top);
        }
        let Some(above) = resolved(far, parent(asked)) else { return false };
        self.top = join(&above, name(asked));
        let makes = is_directory(far, &above) && !far.contains_key(&self.top);
        if makes {
            far.insert(self.top.clone(), Entry::Directory);
        }
        makes
    }

    /// One entry; false if nothing that is in it can be received.
    fn receive_one(&mut self, path: &Path, listed: &Listed) -> bool {
        let there = self.there(path);
        match &listed.entry {
            None => {
                // Nobody knows what it was, so that a rule for directories does not keep it.
                if there.is_some() && !self.protects(path, false) {
                    self.delete(path, self.words.delete || self.words.force);
                }
                true
            }
            Some(Entry::Directory) => {
                self.receive_directory(path, there.as_ref(), listed.has_content)
            }
            Some(other) => {
                self.receive_other(path, there.as_ref(), other);
                true
            }
        }
    }

    fn receive_directory(&mut self, path: &Path, there: Option<&Entry>, has_content: bool) -> bool {
        let is_there = there == Some(&Entry::Directory) || path.is_empty();
        if !is_there {
            if there.is_none() && self.words.existing {
                return false;
            }
            if there.is_some() && self.make_way(path, true) == Gone::No {
                return false;
            }
            self.put(path, Entry::Directory);
        }
        if has_content && self.words.delete && (!self.sent.failed || self.words.ignore_errors) {
            self.delete_in(path);
        }
        true
    }

    fn receive_other(&mut self, path: &Path, there: Option<&Entry>, entry: &Entry) {
        if there.is_none() && self.words.existing {
            return;
        }
        match (entry, there) {
            (Entry::Link(_), _) if !self.words.links => {}
            (Entry::Link(_), Some(same)) if same == entry => {}
            (Entry::Link(_), Some(Entry::Link(_))) => {
                self.back_up(path);
                self.put(path, entry.clone());
            }
            (Entry::File(_, time), Some(Entry::File(_, newer)))
                if self.words.update && newer > time => {}
            (Entry::File(..), Some(Entry::File(..))) => {
                self.back_up(path);
                self.put(path, entry.clone());
            }
            (_, Some(_)) => {
                if self.make_way(path, false) == Gone::Yes {
                    self.put(path, entry.clone());
                }
            }
            (_, None) => self.put(path, entry.clone()),
        }
    }

    /// What is at a path over there.
    fn there(&self, path: &[u8]) -> Option<Entry> {
        self.done.far.get(&self.place(path)).cloned()
    }

    fn place(&self, path: &[u8]) -> Path {
        join(&self.top, path)
    }

    /// Makes an entry, and the directories above it that are missing.
    fn put(&mut self, path: &[u8], entry: Entry) {
        let place = self.place(path);
        let mut above = parent(&place);
        while !above.is_empty() && !self.done.far.contains_key(above) {
            self.done.far.insert(above.to_vec(), Entry::Directory);
            above = parent(above);
        }
        self.done.far.insert(place, entry);
    }

    fn protects(&self, path: &[u8], is_directory: bool) -> bool {
        self.has_filter && self.words.filter.hides(Side::Receiver, path, is_directory)
    }

    /// What is in a directory over there and may be seen, last first.
    fn visible(&self, directory: &[u8]) -> Vec<Path> {
        let place = self.place(directory);
        let skipped = if self.top.is_empty() { 0 } else { self.top.len() + 1 };
        let found = children(&self.done.far, &place);
        let seen = found.filter_map(|(path, entry)| {
            let path = path[skipped..].to_vec();
            (!self.protects(&path, *entry == Entry::Directory)).then_some(path)
        });
        let mut seen: Vec<Path> = seen.collect();
        // Directories sort behind what is none.
        seen.sort_by_key(|path| (self.there(path) == Some(Entry::Directory), path.clone()));
        seen.reverse();
        seen
    }

    /// Deletes what is in a directory and is not in the list.
    fn delete_in(&mut self, directory: &[u8]) {
        for path in self.visible(directory) {
            if !self.sent.listed.contains_key(&path) {
                self.delete(&path, true);
            }
        }
    }

    /// Deletes an entry; with `recursive` what is in it as well, as far as that is not protected.
    fn delete(&mut self, path: &[u8], recursive: bool) -> Gone {
        if self.there(path) == Some(Entry::Directory) && self.empty(path, recursive) == Gone::No {
            return Gone::No;
        }
        if self.words.max_delete.is_some_and(|max| self.deletions >= max) {
            return Gone::No;
        }
        self.deletions += 1;
        self.done.deleted.insert(self.place(path));
        self.back_up_deleted(path);
        self.done.far.remove(&self.place(path));
        Gone::Yes
    }

    /// Empties a directory if `recursive`, and says whether nothing is left in it.
    fn empty(&mut self, directory: &[u8], recursive: bool) -> Gone {
        if recursive {
            for path in self.visible(directory) {
                self.delete(&path, true);
            }
        }
        let place = self.place(directory);
        let left = children(&self.done.far, &place).next().is_some();
        if left {
            Gone::No
        } else {
            Gone::Yes
        }
    }

    /// Deletes what is in the way of an entry of another kind: the limit does not count for it.
    fn make_way(&mut self, path: &[u8], makes_directory: bool) -> Gone {
        let recursive = self.words.delete || self.words.force;
        if self.there(path) == Some(Entry::Directory) && self.empty(path, recursive) == Gone::No {
            return Gone::No;
        }
        self.done.replaced.insert(self.place(path));
        if makes_directory {
            self.back_up_deleted(path);
        } else {
            self.back_up(path);
        }
        self.done.far.remove(&self.place(path));
        Gone::Yes
    }

    /// What is deleted gets the name of a backup, unless it is one.
    fn back_up_deleted(&mut self, path: &[u8]) {
        if self.words.backups.as_ref().is_some_and(|suffix| !path.ends_with(suffix)) {
            self.back_up(path);
        }
    }

    /// What is no directory gets the name of a backup before it goes; what had that name goes.
    fn back_up(&mut self, path: &[u8]) {
        let Some(suffix) = &self.words.backups else { return };
        let place = self.place(path);
        let backup = [&place[..], suffix].concat();
        let entry = self.done.far.get(&place).filter(|entry| **entry != Entry::Directory).cloned();
        if entry.and_then(|entry| self.done.far.insert(backup.clone(), entry)).is_some() {
            self.done.deleted.insert(backup);
        }
    }
}
