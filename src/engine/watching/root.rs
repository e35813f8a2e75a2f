//! One watched tree: what its events and listings mean for its paths.
//!
//! Events and listings come in, changes go out. `watches` says where a directory is, `filter` what is
//! left out, the configuration's switches which events count, and `settle` what has to wait a moment.

use super::event::{mask, RawEvent};
use super::filter::Filter;
use super::linked::{Linked, LinkedFile, Name, Wanted};
use super::renames::{Halves, Rename};
use super::scan::{Listing, Origin, Reached, ScanId};
use super::settle::{Creations, Recent, Seen};
use super::times::Times;
use super::tree::NodeId;
use super::watches::{WatchAction, Watches, Whose};
use crate::config::Events;
use crate::engine::rel_path::{above, join, RelPath};
use crate::engine::sending::change::Change;
use crate::engine::time::Time;
use crate::rsync::asked::plan::Gone;
use crate::rsync::temporary::may_be_brief;
use std::sync::Arc;

/// What became of the root as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Fine,
    /// Events were lost: everything has to be looked at again.
    Overflowed,
    /// What went from directories that are still to be read is not known.
    Forgot,
    /// Directories were without a watch, and it is not known any more which.
    LostCount,
    /// The root itself was deleted, moved or unmounted.
    Lost,
}

/// A watched tree.
#[derive(Debug)]
pub struct Root {
    switches: Events,
    filter: Arc<Filter>,
    watches: Watches,
    creations: Creations,
    times: Times,
    linked: Linked,
    recent: Recent,
    changes: Vec<(RelPath, Change)>,
    halves: Halves,
    renames: Vec<Rename>,
    /// Directories in which something has a path that is too long.
    too_long: Vec<RelPath>,
    /// Mounts that have changed in what is still to be read.
    postponed: Vec<(RelPath, bool)>,
    /// Where paths are put together.
    scratch: Vec<u8>,
}

impl Root {
    /// A tree of which nothing is known yet; [`Root::start`] begins.
    pub fn new(switches: Events, filter: Arc<Filter>) -> Root {
        Root {
            switches,
            filter,
            watches: Watches::default(),
            creations: Creations::default(),
            times: Times::default(),
            linked: Linked::default(),
            recent: Recent::default(),
            changes: Vec::new(),
            halves: Halves::default(),
            renames: Vec::new(),
            too_long: Vec::new(),
            postponed: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Reads the tree; also after an overflow, when what was known of it is void.
    pub fn start(&mut self, origin: Origin) {
        self.creations.clear();
        self.read_again(origin);
    }

    /// Other events count, and something else is left out, from now on.
    pub fn change_rules(&mut self, switches: Events, filter: Arc<Filter>) {
        (self.switches, self.filter) = (switches, filter);
    }

    /// Reads the tree once more, although nothing that is known of its files is void.
    pub fn read_again(&mut self, origin: Origin) {
        self.postponed.clear();
        self.watches.start(origin);
    }

    /// What was known of the tree is void, the watches as well: another inotify instance tells of it from now on.
    /// [`Root::start`] begins anew.
    pub fn forget(&mut self) {
        self.watches.forget();
        self.halves = Halves::default();
        self.linked = Linked::default();
    }

    /// Something was mounted or unmounted on a directory, so that another one is there now. If it `came`, the
    /// directory is made equal as a whole, since nobody has seen what happened to it elsewhere.
    pub fn mount_changed(&mut self, at: &RelPath, came: bool, now: Time) {
        if !self.watches.mount_changed(at, came, now) {
            self.postponed.push((at.clone(), came));
        }
    }

    /// Whether everything is watched that there is to watch.
    pub fn is_complete(&self) -> bool {
        self.watches.is_complete()
    }

    /// Whether all that has happened so far is known once the kernel's queue has been read, but for
    /// [`Root::created`].
    pub fn sees_everything(&self) -> bool {
        self.watches.sees_everything()
    }

    /// Whether directories are without a watch.
    pub fn has_unwatched(&self) -> bool {
        self.watches.has_unwatched()
    }

    /// Files that were created and are no changes yet, and what disappeared there before and may still be at a remote.
    pub fn created(&self, remote: usize) -> impl Iterator<Item = (&RelPath, Gone)> {
        self.creations.paths(remote)
    }

    /// Number of directories known.
    pub fn directories(&self) -> usize {
        self.watches.len()
    }

    /// The changes since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<(RelPath, Change)> {
        std::mem::take(&mut self.changes)
    }

    /// The renames since the last call, in order; their paths are among the changes.
    pub fn take_renames(&mut self) -> Vec<Rename> {
        std::mem::take(&mut self.renames)
    }

    /// Directories in which something has a path that is [too long](Filter::is_too_long), since the last call.
    pub fn take_too_long(&mut self) -> Vec<RelPath> {
        std::mem::take(&mut self.too_long)
    }

    /// The next scan to be made or watch to be taken back.
    pub fn take_action(&mut self) -> Option<WatchAction> {
        self.watches.take_action()
    }

    /// A file to look at now; the answer goes to [`Root::handle_seen`].
    pub fn take_look(&mut self, now: Time) -> Option<RelPath> {
        let created = self.creations.take_look(now);
        created.or_else(|| self.times.take_look(now)).or_else(|| self.linked.take_look(now))
    }

    /// When something is due although nothing happens.
    pub fn next_deadline(&self) -> Option<Time> {
        let looks = [self.creations.next_look(), self.times.next_look(), self.linked.next_look()];
        let others = [self.linked.next_search(), self.watches.next_deadline()];
        looks.into_iter().chain(others).flatten().min()
    }

    /// Does what is due.
    pub fn handle_time(&mut self, now: Time) -> Fate {
        if self.watches.next_deadline().is_none_or(|due| due > now) {
            return Fate::Fine;
        }
        let lost_count = self.watches.has_lost_count();
        if lost_count && self.watches.poll_is_due(now) {
            self.changes.push((RelPath::from([]), Change::MakeEqual));
        }
        self.watches.expire(now);
        // Since those that are remembered could be watched, there may be room for the others.
        if lost_count && self.watches.misses_only_the_uncounted() {
            return Fate::LostCount;
        }
        Fate::Fine
    }

    /// Everything that was in the kernel's queue has been handed in.
    pub fn queue_was_read(&mut self) {
        self.watches.queue_was_read();
    }

    /// An event of the kernel.
    pub fn handle_event(&mut self, event: &RawEvent, now: Time) -> Fate {
        if event.has(mask::Q_OVERFLOW) {
            return Fate::Overflowed;
        }
        if event.has(mask::IGNORED) {
            return if self.watches.ignored(event.wd, now) { Fate::Lost } else { Fate::Fine };
        }
        let node = match self.watches.whose(event) {
            Whose::Node(node) => node,
            // The root may be unmounted before it is known to be watched, and its watch ends with that.
            Whose::Nobody if event.has(mask::UNMOUNT) && self.watches.is_empty() => {
                return Fate::Lost
            }
            Whose::Nobody => return Fate::Fine,
            Whose::TooMany => return Fate::Forgot,
        };
        if event.name.is_empty() {
            // Any other directory's own events come from the directory above as well, with its name.
            return if node == NodeId::ROOT { self.handle_root(event, now) } else { Fate::Fine };
        }
        // While a directory is on its way between two places, what is in it has no path. What happens
        // then is no change yet: the directory is read when it has arrived.
        let path = self.path_of(node, &event.name);
        if let Some(path) = path.as_ref().filter(|path| self.filter.is_too_long(path)) {
            self.too_long.extend(above(path).last().map(RelPath::from));
        }
        let excluded =
            path.as_deref().is_some_and(|path| self.filter.excludes(path, event.is_dir()));
        if event.is_dir() {
            self.handle_directory(node, event, path, excluded, now);
        } else if let Some(path) = path.filter(|_| !excluded) {
            self.handle_file(path, event, now);
        }
        Fate::Fine
    }

    /// A directory was read, so that the events that were held for it can be handled: the fate is what
    /// these lead to.
    pub fn handle_listing(&mut self, listing: &Listing, now: Time) -> Fate {
        let Some(held) = self.watches.listed(listing, now) else { return Fate::Fine };
        let (folders, files) = match listing.origin {
            Origin::Start | Origin::Since(_) => (false, false),
            Origin::Created(_) => (
                self.switches.create_folder,
                // What is there was created, and may have been closed, before the directory was watched:
                // neither event came.
                self.switches.create_file || self.switches.close_write,
            ),
            Origin::Moved => (self.switches.move_to, self.switches.move_to),
        };
        let directory = || RelPath::from(&*listing.path);
        if matches!(listing.reached, Reached::Unwatched { .. } | Reached::Unread { .. }) {
            if listing.origin != Origin::Start && !self.watches.is_retry(listing.scan) {
                self.changes.push((directory(), Change::MakeEqual));
            }
            return Fate::Fine;
        }
        if folders && !listing.path.is_empty() {
            self.recent.note(&directory(), now);
            self.changes.push((directory(), Change::SendDirectory));
        }
        if let Some(changed_ns) = listing.changed_ns {
            self.changes.push((directory(), Change::SendNewer { changed_ns, is_dir: true }));
        }
        for entry in &listing.entries {
            let change = match listing.origin {
                Origin::Since(_) => {
                    Change::SendNewer { changed_ns: entry.changed_ns, is_dir: entry.is_dir }
                }
                Origin::Created(created) if if entry.is_dir { folders } else { files } => {
                    Change::SendNew { created, by_name: false }
                }
                Origin::Moved if if entry.is_dir { folders } else { files } => Change::Send,
                Origin::Start | Origin::Created(_) | Origin::Moved => continue,
            };
            let path = RelPath::from(join(&listing.path, &entry.name));
            if let (Change::SendNew { created, .. }, false, true) =
                (change, entry.is_dir, may_be_brief(&entry.name))
            {
                if self.creations.find(&path, created, now) {
                    continue;
                }
            }
            self.recent.note(&path, now);
            self.changes.push((path, change));
        }
        for event in held {
            match self.handle_event(&event, now) {
                Fate::Fine => {}
                fate @ (Fate::Overflowed | Fate::Forgot | Fate::LostCount | Fate::Lost) => {
                    return fate
                }
            }
        }
        Fate::Fine
    }

    /// A scan has ended; gives its path, unless it was the whole root's.
    pub fn handle_scan_ended(&mut self, id: ScanId, now: Time) -> Option<RelPath> {
        let retried = self.watches.is_retry(id);
        let path = self.watches.scan_ended(id).map(RelPath::from);
        if let Some(path) = path.as_ref().filter(|_| retried) {
            // Whether it is watched now or not, no event has told what disappeared from it so far.
            self.changes.push((path.clone(), Change::MakeEqual));
        }
        for (at, came) in std::mem::take(&mut self.postponed) {
            self.mount_changed(&at, came, now);
        }
        path.filter(|path| !path.is_empty())
    }

    /// The directories below which things may change unseen, because they are being scanned.
    pub fn unseen(&self) -> impl Iterator<Item = RelPath> + '_ {
        self.watches.unseen().map(RelPath::from)
    }

    /// What a look at a file saw.
    pub fn handle_seen(&mut self, path: &RelPath, seen: Seen, now: Time) {
        let is_change = self.times.seen(path, seen);
        if let Some(is_change) = is_change.or_else(|| self.linked.seen(path, seen, now)) {
            if is_change {
                self.changes.push((path.clone(), Change::Send));
            }
            return;
        }
        let if_regular = self.switches.close_write || self.switches.create_file;
        if let Some(created) = self.creations.seen(path, seen, if_regular, now) {
            let change = created.change(true);
            self.recent.note(path, now);
            self.changes.push((path.clone(), change));
        }
    }

    /// Files with other names are on their way, to the only remote or to one of several.
    pub fn sent_linked(&mut self, files: Vec<LinkedFile>, to_all: bool, now: Time) {
        let restless = self.switches.close_write || self.switches.create_file;
        for file in files {
            self.linked.sent(file, restless, to_all, now);
        }
    }

    /// Symlinks stand for directories on a far side, of which nothing is watched.
    pub fn handle_followed(&mut self, links: Vec<RelPath>) {
        self.changes.extend(links.into_iter().map(|link| (link, Change::MakeEqual)));
    }

    /// Inodes whose names are to be looked for now; the answer goes to [`Root::handle_names`].
    pub fn take_search(&mut self, now: Time) -> Option<Wanted> {
        self.linked.take_search(now)
    }

    /// The names that were found, in so many milliseconds.
    pub fn handle_names(&mut self, names: Vec<Name>, took_ms: u64, now: Time) {
        match self.linked.found(names, took_ms, now) {
            Some(names) => self.changes.extend(names.into_iter().map(|path| (path, Change::Send))),
            None => self.changes.push((RelPath::from([]), Change::MakeEqual)),
        }
    }

    /// A job has ended that may have sent whatever it `reaches`.
    pub fn may_be_sent(&mut self, reaches: impl Fn(&[u8]) -> bool) {
        self.creations.may_be_sent(reaches);
    }

    /// A job to a remote has ended that emptied directories, and may have kept what had the names of files that are here
    /// now; `None` if it had nothing to do with that.
    pub fn may_be_kept(&mut self, remote: usize, is_kept: impl Fn(&[u8]) -> Option<bool>) {
        self.creations.may_be_kept(remote, is_kept);
    }

    /// The remotes have other numbers: `after` gives that of one that stays.
    pub fn renumber(&mut self, after: impl Fn(usize) -> Option<usize>) {
        self.creations.renumber(after);
    }

    /// The path of an entry, if its directory has one.
    fn path_of(&mut self, node: NodeId, name: &[u8]) -> Option<RelPath> {
        self.scratch.clear();
        self.watches.write_path(node, &mut self.scratch)?;
        if !self.scratch.is_empty() {
            self.scratch.push(b'/');
        }
        self.scratch.extend_from_slice(name);
        Some(RelPath::from(&*self.scratch))
    }

    fn handle_root(&mut self, event: &RawEvent, now: Time) -> Fate {
        if event.has(mask::DELETE_SELF | mask::MOVE_SELF | mask::UNMOUNT) {
            return Fate::Lost;
        }
        if event.has(mask::ATTRIB | mask::MODIFY) {
            self.attributes_changed(Some(RelPath::from([])), true, now);
        }
        Fate::Fine
    }

    fn handle_directory(
        &mut self,
        parent: NodeId,
        event: &RawEvent,
        path: Option<RelPath>,
        excluded: bool,
        now: Time,
    ) {
        let name = &event.name;
        let path = path.filter(|_| !excluded);
        if event.has(mask::CREATE) {
            if !excluded {
                self.watches.created(parent, name, now);
            }
            if let Some(path) = path.filter(|_| self.switches.create_folder) {
                self.recent.note(&path, now);
                self.changes.push((path, Change::SendNew { created: now, by_name: false }));
            }
        } else if event.has(mask::MOVED_TO) {
            if excluded {
                // It is out of sight now. That it left its old name, another event has told.
                return;
            }
            // With a filter, what is left out below a directory depends on where it lies.
            let keep = !self.filter.is_active();
            self.watches.moved_to(parent, name, event.cookie, keep, now);
            if let Some(path) = path.filter(|_| self.switches.move_to) {
                self.recent.note(&path, now);
                self.came(&path, event);
                self.changes.push((path, Change::SendInPlace));
            }
        } else if event.has(mask::DELETE) {
            self.watches.deleted(parent, name);
            self.removed(path.filter(|_| self.switches.delete), Gone::Directory);
        } else if event.has(mask::MOVED_FROM) {
            self.watches.moved_from(parent, name, event.cookie, now);
            self.left(path.as_ref(), event);
            self.removed(path.filter(|_| self.removes_what_moves()), Gone::Directory);
        } else if event.has(mask::ATTRIB | mask::MODIFY) {
            if event.has(mask::ATTRIB) && !excluded {
                self.watches.rights_changed(parent, name, now);
            }
            self.attributes_changed(path, true, now);
        }
    }

    fn handle_file(&mut self, path: RelPath, event: &RawEvent, now: Time) {
        if may_be_brief(&event.name) && self.handle_received(&path, event, now) {
            return;
        }
        if event.has(mask::CREATE) {
            let is_closed = event.has(mask::CLOSE_WRITE) && self.switches.close_write;
            if self.switches.create_file || is_closed {
                self.recent.note(&path, now);
                self.changes.push((path, Change::SendNew { created: now, by_name: false }));
            } else if !self.creations.insert(&path, now) {
                self.changed(&path, now);
            }
        } else if event.has(mask::CLOSE_WRITE) {
            if self.switches.close_write {
                self.times.forget(&path);
                let created = self.creations.remove(&path);
                self.recent.note(&path, now);
                let change = created.map_or(Change::Send, |created| created.change(false));
                self.changes.push((path, change));
            }
        } else if event.has(mask::MODIFY) {
            let waits = !self.switches.modify
                && (self.creations.contains(&path) || self.times.modified(&path, now));
            if !waits {
                self.changed(&path, now);
            }
        } else if event.has(mask::MOVED_TO) {
            if self.switches.move_to {
                self.creations.remove(&path);
                self.recent.note(&path, now);
                self.came(&path, event);
                self.changes.push((path, Change::SendInPlace));
            }
        } else if event.has(mask::DELETE) {
            self.removed(Some(path).filter(|_| self.switches.delete), Gone::Entry);
        } else if event.has(mask::MOVED_FROM) {
            self.left(Some(&path), event);
            self.removed(Some(path).filter(|_| self.removes_what_moves()), Gone::Entry);
        } else if event.has(mask::ATTRIB) {
            self.attributes_changed(Some(path), false, now);
        }
    }

    /// What another rsync receives here has a temporary name until it is complete, and is no change
    /// before; nor is what an editor makes for a moment. `false` if the event is to be handled as that of any other file. A file that only looks
    /// like one, and keeps its name, is a change a little later.
    fn handle_received(&mut self, path: &RelPath, event: &RawEvent, now: Time) -> bool {
        if event.has(mask::CREATE) {
            return self.creations.receive(path, event.has(mask::CLOSE_WRITE), now);
        }
        let waits = self.creations.contains(path);
        if waits && event.has(mask::CLOSE_WRITE) {
            self.creations.received(path, now);
        }
        // rsync sets owner, mode and times under the temporary name.
        waits && !event.has(mask::MOVED_TO | mask::MOVED_FROM | mask::DELETE)
    }

    /// Something left its name, perhaps for another one. With a filter it is no rename: what is left
    /// out below a directory depends on where it lies.
    fn left(&mut self, path: Option<&RelPath>, event: &RawEvent) {
        let may = self.removes_what_moves() && self.switches.move_to && !self.filter.is_active();
        if let Some(path) = path.filter(|_| may) {
            self.halves.left(event.cookie, path);
        }
    }

    fn came(&mut self, path: &RelPath, event: &RawEvent) {
        self.renames.extend(self.halves.came(event.cookie, path, event.is_dir()));
    }

    fn removes_what_moves(&self) -> bool {
        self.switches.delete && self.switches.move_from
    }

    fn attributes_changed(&mut self, path: Option<RelPath>, is_dir: bool, now: Time) {
        let Some(path) = path else { return };
        let itself = self.recent.contains(&path, false, now);
        if is_dir && !itself && self.recent.contains(&path, true, now) {
            self.changes.push((path, Change::SendTime));
        } else if itself || self.switches.attrib {
            self.changes.push((path, Change::Send));
        }
    }

    fn changed(&mut self, path: &RelPath, now: Time) {
        self.recent.note(path, now);
        self.changes.push((path.clone(), Change::Send));
    }

    fn removed(&mut self, path: Option<RelPath>, gone: Gone) {
        if let Some(path) = path {
            let unsent = self.creations.removed(&path);
            self.changes.push((path, Change::Delete { gone, unsent }));
        }
    }
}
