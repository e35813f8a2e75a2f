//! The model's walk, which reads directories ahead of the engine.

use super::super::{Input, RootId};
use super::file_system::{FileSystem, Random};
use crate::engine::rel_path::{join, lies_in};
use crate::engine::watching::scan::{Entry, Listing, Origin, Place, Reached, Scan, ScanId, Stamps};
use std::collections::{BTreeSet, VecDeque};

/// The walk: several threads' worth of steps.
#[derive(Default)]
pub(super) struct Walk {
    scans: VecDeque<Walking>,
    pub(super) told: VecDeque<Input>,
    /// Directories that have been read since they came, while a job was on its way.
    pub(super) read_beside_a_job: BTreeSet<Vec<u8>>,
}

struct Walking {
    scan: Scan,
    ahead: Vec<(Vec<u8>, Option<Place>, Stamps)>,
    /// Watched, and to be read in the next step.
    watched: Option<(Vec<u8>, Reached, usize, Stamps)>,
}

impl Walk {
    pub(super) fn start(&mut self, scan: Scan) {
        let place = scan.watch.then(|| scan.place.clone());
        let ahead = vec![(scan.path.clone(), place, Stamps::default())];
        self.scans.push_back(Walking { scan, ahead, watched: None });
    }

    /// Whether a directory above a path is being read: what happens in there meanwhile has no path yet.
    pub(super) fn reads_above(&self, path: &[u8]) -> bool {
        self.scans.iter().any(|walking| lies_in(path, &walking.scan.path))
    }

    /// Nothing more is read; what has been is still told.
    pub(super) fn stop(&mut self) {
        self.scans.clear();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.scans.is_empty() && self.told.is_empty()
    }

    pub(super) fn step(&mut self, fs: &mut FileSystem, random: &mut Random, beside_a_job: bool) {
        // The scan of the root and one other are under way at the same time.
        if self.scans.is_empty() {
            return;
        }
        let number = random.below(self.scans.len().min(2));
        let walking = &mut self.scans[number];
        let root = RootId(0);
        let origin = walking.scan.origin;
        if let Some((path, reached, ino, stamps)) = walking.watched.take() {
            let mut entries = Vec::new();
            for (name, &ino) in fs.entries(ino) {
                let is_dir = fs.is_dir(ino);
                let its = stamps.of_entry(fs.inodes[ino].changed_ns, is_dir);
                if is_dir {
                    let place = match &reached {
                        Reached::Watched { wd, .. } => {
                            Some(Place::In { parent: *wd, name: name.clone() })
                        }
                        Reached::Read | Reached::Unwatched { .. } | Reached::Unread { .. } => None,
                    };
                    walking.ahead.push((join(&path, name), place, stamps));
                }
                let counts = match origin {
                    Origin::Start => false,
                    Origin::Since(since_ns) => !is_dir && its.changed_ns >= since_ns,
                    Origin::Created(_) | Origin::Moved => true,
                };
                if counts {
                    let changed_ns = its.changed_ns;
                    entries.push(Entry { name: name.clone(), is_dir, changed_ns });
                }
            }
            let changed_ns = match origin {
                Origin::Since(since_ns) => Some(stamps.changed_ns).filter(|ns| *ns >= since_ns),
                Origin::Start | Origin::Created(_) | Origin::Moved => None,
            };
            let scan = walking.scan.id;
            let listing = Listing { scan, reached, path, origin, changed_ns, entries };
            self.told.push_back(Input::Listing(root, listing));
        } else if let Some((path, place, above)) = walking.ahead.pop() {
            let Some(ino) = fs.find(&path).filter(|&ino| fs.is_dir(ino)) else { return };
            let stamps = above.of_entry(fs.inodes[ino].changed_ns, true);
            let reached = match place {
                Some(place) => match fs.watch(ino) {
                    Some(wd) => Reached::Watched { place, wd },
                    None => Reached::Unwatched { place },
                },
                None => Reached::Read,
            };
            if matches!(reached, Reached::Unwatched { .. }) {
                let (scan, entries) = (walking.scan.id, Vec::new());
                let listing = Listing { scan, reached, path, origin, changed_ns: None, entries };
                self.told.push_back(Input::Listing(root, listing));
                return;
            }
            walking.watched = Some((path, reached, ino, stamps));
        } else {
            let id: ScanId = walking.scan.id;
            let Walking { scan, .. } = self.scans.remove(number).expect("it was there");
            if beside_a_job && matches!(origin, Origin::Created(_) | Origin::Moved) {
                self.read_beside_a_job.insert(scan.path.to_vec());
            }
            self.told.push_back(Input::ScanEnded(root, id));
        }
    }
}
