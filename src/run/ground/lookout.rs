//! The thread that looks out for roots whose ground moves: a symlink is switched, a directory above is swapped,
//! something is mounted or unmounted.
//!
//! What the paths of the roots go by is watched, and the kernel tells of mounts. Whenever either may have
//! changed what a path leads to, all roots are looked at; the loop, which must not wait for a disk, is told the
//! differences, and nothing else. What they mean is for the loop and the engine to say.

use super::below::Below;
use super::way::Way;
use super::{is_empty, Ground};
use crate::engine::rel_path::RelPath;
use crate::engine::watching::event::{self, mask, RawEvent, Wd};
use crate::engine::RootId;
use crate::sorted::SortedMap;
use crate::sys::channel::{channel, Receiver, Sender};
use crate::sys::epoll::Epoll;
use crate::sys::inotify::{Inotify, MISSING, WAY};
use crate::sys::mounts::{self, Mounts};
use crate::sys::thread::start;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What epoll gives back for each descriptor that is waited for.
const ASKED: u64 = 0;
const WAYS: u64 = 1;
const MOUNTS: u64 = 2;
/// A way that is another one each time it is gone by, so often in a row, is believed as it is: what moves it tells
/// again.
const TRIES_MAX: usize = 8;
/// What is read from the kernel's queue at once.
const EVENT_BYTES_MAX: usize = 16 * 1024;

/// What a root's path leads to now.
#[derive(Debug)]
pub struct Sighting {
    /// Which root.
    pub root: RootId,
    /// The ground, or why there is none.
    pub ground: io::Result<Ground>,
    /// Nothing is in it.
    pub is_empty: bool,
    /// What is mounted below it.
    pub below: Vec<Below>,
    /// Of that, what has been mounted since the last sighting, if the ground is the same.
    pub came: Vec<RelPath>,
    /// Where something was unmounted since, if the ground is the same.
    pub went: Vec<RelPath>,
}

/// The loop's side of the lookout. The thread ends when this is dropped.
#[derive(Debug)]
pub struct Lookout(Sender<Asked>);

/// What the loop asks.
#[derive(Debug)]
enum Asked {
    /// To look at a root.
    Look(RootId),
    /// To look out for another root from now on, behind the others; what it led to was seen before.
    Add(PathBuf, Seen),
    /// To look out for a root no more.
    Leave(RootId),
}

/// What a root led to, and what was mounted below it, before the walk began.
pub type Seen = Option<(Ground, Vec<Below>)>;

impl Lookout {
    /// Looks at the roots at these paths, tells what each leads to, and from then on what has changed. `seen` is what
    /// each led to, and what was mounted below it, before the walk began.
    ///
    /// # Errors
    /// No thread could be started, or no descriptor is left.
    pub fn start(
        roots: Vec<PathBuf>,
        seen: Vec<Seen>,
        tell: Sender<Sighting>,
    ) -> io::Result<Lookout> {
        let (ask, asked) = channel()?;
        let epoll = Epoll::new()?;
        epoll.add(&asked, ASKED)?;
        let mounts = Mounts::new().and_then(|mounts| {
            epoll.add_exceptional(&mounts, MOUNTS)?;
            Ok(mounts)
        });
        let inotify = Inotify::new().and_then(|inotify| {
            epoll.add(&inotify, WAYS)?;
            Ok(inotify)
        });
        for (what, error) in
            [("mounts", mounts.as_ref().err()), ("symlinks", inotify.as_ref().err())]
        {
            if let Some(error) = error {
                log::warn!("{what} on the ways to the roots are not looked out for: {error}");
            }
        }
        let told = seen.into_iter().map(|seen| seen.map(Ok)).collect();
        let (watched, records) = (SortedMap::new(), vec![0; EVENT_BYTES_MAX].into());
        let thread = Thread {
            roots,
            told,
            tell,
            epoll,
            asked,
            inotify: inotify.ok(),
            _mounts: mounts.ok(),
            watched,
            records,
        };
        start("lookout", move || thread.run())?;
        Ok(Lookout(ask))
    }

    /// Has a root looked at, and what is seen told, even if it is the same as before.
    pub fn look(&self, root: RootId) {
        self.ask(Asked::Look(root));
    }

    /// Another root, behind the others.
    pub fn add(&self, root: PathBuf, seen: Seen) {
        self.ask(Asked::Add(root, seen));
    }

    /// A root is none any more.
    pub fn leave(&self, root: RootId) {
        self.ask(Asked::Leave(root));
    }

    fn ask(&self, asked: Asked) {
        // The thread ends only when this sender is dropped.
        let _ = self.0.send(asked);
    }
}

/// What was told of a root last: its ground with what is mounted below, or the number of the error.
type Looked = Result<(Ground, Vec<Below>), Option<i32>>;

struct Thread {
    roots: Vec<PathBuf>,
    told: Vec<Option<Looked>>,
    tell: Sender<Sighting>,
    epoll: Epoll,
    asked: Receiver<Asked>,
    inotify: Option<Inotify>,
    _mounts: Option<Mounts>,
    /// What is watched, and which names that are missing in it have to come.
    watched: SortedMap<Wd, Vec<OsString>>,
    records: Box<[u8]>,
}

impl Thread {
    fn run(mut self) {
        self.look_at_all(None);
        while let Ok(tokens) = self.epoll.wait(None) {
            let mut may_have_moved = false;
            for token in tokens {
                match token {
                    ASKED => match self.asked.receive() {
                        Some(Asked::Look(root)) => self.look_at_all(Some(root)),
                        Some(Asked::Add(root, seen)) => {
                            self.roots.push(root);
                            self.told.push(seen.map(Ok));
                            may_have_moved = true;
                        }
                        // An empty path stands for no root.
                        Some(Asked::Leave(root)) => self.roots[root.0] = PathBuf::new(),
                        None => return,
                    },
                    WAYS => may_have_moved |= self.a_way_may_have_changed(),
                    _ => may_have_moved = true,
                }
            }
            if may_have_moved {
                self.look_at_all(None);
            }
        }
    }

    /// Looks at every root, and tells what has changed, and what was asked for.
    fn look_at_all(&mut self, asked: Option<RootId>) {
        let ways = self.watched_ways();
        let table = mounts::table().ok();
        for (number, way) in ways.into_iter().enumerate() {
            let (root, path) = (RootId(number), &self.roots[number]);
            if path.as_os_str().is_empty() {
                continue;
            }
            let ground = Ground::at_the_end(path, way, table.as_ref());
            let below = match (&ground, &table) {
                (Ok(ground), Some(table)) => Below::all(table, &ground.resolved),
                (Err(_), _) | (_, None) => Vec::new(),
            };
            let now = match &ground {
                Ok(ground) => Ok((ground.clone(), below.clone())),
                Err(error) => Err(error.raw_os_error()),
            };
            if self.told[number].as_ref() == Some(&now) && asked != Some(root) {
                continue;
            }
            let (came, went) = match (&self.told[number], &now) {
                (Some(Ok((before, was_below))), Ok((ground, _))) if before == ground => {
                    changes(was_below, &below)
                }
                (None | Some(Ok(_) | Err(_)), _) => (Vec::new(), Vec::new()),
            };
            self.told[number] = Some(now);
            let is_empty = is_empty(path);
            let sighting = Sighting { root, ground, is_empty, below, came, went };
            // Only while the loop ends is there nobody to receive it.
            let _ = self.tell.send(sighting);
        }
    }

    /// The ways of all roots, which are watched as far as they are there: what changes from now on will be told.
    fn watched_ways(&mut self) -> Vec<Way> {
        let mut ways = self.ways_now();
        for _ in 0..TRIES_MAX {
            self.watch(&ways);
            // Before they were watched they may have become others.
            let again = self.ways_now();
            let mut both = ways.iter().zip(&again);
            let are_same =
                both.all(|(it, now)| it.steps == now.steps && it.end.is_ok() == now.end.is_ok());
            ways = again;
            if are_same {
                break;
            }
        }
        ways
    }

    fn ways_now(&self) -> Vec<Way> {
        self.roots.iter().map(|path| Way::of(path)).collect()
    }

    /// Watches what has the names of the ways; where there is nothing, the directory in which it is missing. What
    /// may not be read cannot be watched.
    fn watch(&mut self, ways: &[Way]) {
        let Some(inotify) = &self.inotify else { return };
        let (mut watched, mut missing) =
            (SortedMap::new(), SortedMap::<&Path, Vec<OsString>>::new());
        for step in ways.iter().flat_map(|way| &way.steps) {
            match inotify.add_on_the_way(&step.directory.join(&step.name)) {
                Ok(wd) => watched.insert(Wd(wd), Vec::new()),
                Err(_) => missing.entry(&step.directory).or_default().push(step.name.clone()),
            }
        }
        // After the others, since a directory may have been watched as one of them.
        for (directory, names) in missing {
            if let Ok(wd) = inotify.add(directory, WAY | MISSING) {
                watched.insert(Wd(wd), names);
            }
        }
        let before = std::mem::replace(&mut self.watched, watched);
        let no_more = before.keys().filter(|wd| self.watched.get(wd).is_none());
        no_more.for_each(|wd| inotify.remove(wd.0));
    }

    fn a_way_may_have_changed(&mut self) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let Ok(count) = inotify.read(&mut self.records) else { return false };
        let mut events = event::parse(&self.records[..count]);
        events.any(|event| self.concerns_a_way(&event))
    }

    fn concerns_a_way(&self, event: &RawEvent) -> bool {
        let is_one = |names: &Vec<OsString>| {
            // What is watched has gone itself if no name is told.
            event.name.is_empty() || names.iter().any(|name| *name.as_bytes() == *event.name)
        };
        event.has(mask::Q_OVERFLOW) || self.watched.get(&event.wd).is_some_and(is_one)
    }
}

/// Where something was mounted, and where something was unmounted.
fn changes(before: &[Below], now: &[Below]) -> (Vec<RelPath>, Vec<RelPath>) {
    let came = now.iter().filter(|it| !before.contains(it)).map(|it| it.at.clone());
    let is_free = |it: &&Below| now.iter().all(|other| other.at != it.at);
    let went = before.iter().filter(is_free).map(|it| it.at.clone());
    (came.collect(), went.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Where the next sighting says that the root's path leads to.
    fn next(from_lookout: &Receiver<Sighting>) -> Option<PathBuf> {
        let sighting = from_lookout.receive().unwrap();
        assert!(sighting.is_empty, "nothing is in any of these directories");
        sighting.ground.ok().map(|ground| ground.resolved)
    }

    #[test]
    fn whatever_changes_what_a_path_leads_to_is_told_and_nothing_else_is() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let at = |name: &str| place.join(name);
        for name in ["1", "2", "above/3"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        symlink("1", at("link")).unwrap();
        let (tell, from_lookout) = channel().unwrap();
        let lookout = Lookout::start(vec![at("link")], vec![None], tell).unwrap();
        assert_eq!(next(&from_lookout), Some(at("1")));
        let steps: [(&dyn Fn(), Option<PathBuf>); 8] = [
            (&|| fs::remove_file(at("link")).unwrap(), None),
            (&|| symlink("2", at("link")).unwrap(), Some(at("2"))),
            (
                &|| {
                    // What is beside the way, or the same as before, is not told.
                    fs::create_dir(at("beside")).unwrap();
                    symlink("above/3", at("next")).unwrap();
                    fs::rename(at("next"), at("link")).unwrap();
                },
                Some(at("above/3")),
            ),
            (&|| fs::rename(at("above"), at("aside")).unwrap(), None),
            // Now two names are missing, one after the other.
            (
                &|| {
                    fs::create_dir(at("above")).unwrap();
                    fs::rename(at("aside/3"), at("above/3")).unwrap();
                },
                Some(at("above/3")),
            ),
            (&|| fs::remove_dir(at("above/3")).unwrap(), None),
            (&|| fs::create_dir(at("above/3")).unwrap(), Some(at("above/3"))),
            // Asked for, it is told though nothing has changed.
            (&|| lookout.look(RootId(0)), Some(at("above/3"))),
        ];
        for (number, (step, leads_to)) in steps.into_iter().enumerate() {
            step();
            assert_eq!(next(&from_lookout), leads_to, "step {number}");
        }
        drop(lookout);
        assert!(from_lookout.receive().is_none(), "the thread has ended");
    }

    #[test]
    fn the_roots_do_not_take_each_other_s_watches() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        let (above, missing) = (place.join("above"), place.join("above/missing"));
        fs::create_dir(&above).unwrap();
        // The directory in which one is missing is the other.
        let (tell, from_lookout) = channel().unwrap();
        let _lookout =
            Lookout::start(vec![missing.clone(), above.clone()], vec![None, None], tell).unwrap();
        let first = [next(&from_lookout), next(&from_lookout)];
        assert_eq!(first, [None, Some(above.clone())]);
        fs::create_dir(&missing).unwrap();
        let sighting = from_lookout.receive().unwrap();
        assert_eq!((sighting.root, sighting.ground.unwrap().resolved), (RootId(0), missing));
        fs::rename(&above, place.join("aside")).unwrap();
        assert_eq!([next(&from_lookout), next(&from_lookout)], [None, None]);
    }
}
