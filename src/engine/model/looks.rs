//! What the engine looks at: a path, a file with several names, or the directories for names of inodes.

use super::super::{Input, RootId};
use super::file_system::{self, Kind};
use super::World;
use crate::engine::rel_path::RelPath;
use crate::engine::watching::linked::{Inode, LinkedFile, Name, Wanted};
use crate::engine::watching::settle::{Seen, Stamp};

impl World {
    pub(super) fn look(&self, path: &[u8]) -> Seen {
        match self.fs.find(path).map(|ino| &self.fs.inodes[ino].kind) {
            None => Seen::Missing,
            Some(Kind::Dir(_)) => Seen::Directory,
            Some(Kind::Symlink(_)) => Seen::Other,
            Some(Kind::File { content, modified, links }) => {
                let stamp = Stamp { size: *content, modified_ns: i128::from(*modified) };
                Seen::Regular { links: *links, stamp, times_set: false }
            }
        }
    }

    /// Of a file that has other names, what is told of it.
    pub(super) fn linked(&mut self, path: &RelPath, new: bool) -> Option<LinkedFile> {
        let number = self.fs.find(path)?;
        let Seen::Regular { links, stamp, .. } = self.look(path) else { return None };
        let inode = &mut self.fs.inodes[number];
        inode.changed_by = None;
        let file_system::Inode { changed_ns, written_ns, .. } = *inode;
        (links > 1).then(|| LinkedFile {
            path: path.clone(),
            inode: Inode { device: 1, number: number as u64 },
            links,
            stamp,
            changed_ns: i128::from(changed_ns),
            together: false,
            only_named: new && written_ns != changed_ns,
        })
    }

    pub(super) fn names(&self, wanted: &Wanted) -> Vec<Name> {
        let inode = |number: usize| Inode { device: 1, number: number as u64 };
        let found = self.fs.names(|number| wanted.get(&inode(number)).is_some());
        found.into_iter().map(|(number, path)| (inode(number), RelPath::from(path))).collect()
    }

    /// The names of files are told, as they were when they were asked for or as they are now.
    pub(super) fn tell_names(&mut self) {
        if let Some((wanted, found)) = self.search.take() {
            let names = found.unwrap_or_else(|| self.names(&wanted));
            let took_ms = self.random.below(3) as u64;
            self.handle(Input::Names(RootId(0), names, took_ms));
        }
    }
}
