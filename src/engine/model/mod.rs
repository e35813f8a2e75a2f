//! The engine against a model of everything around it: a file system with watches and a kernel
//! queue, a walk that runs ahead, jobs that look and send at moments of their own, remotes.
//!
//! A seed decides what happens and in which order everything is seen. Whatever the order, when the
//! file system rests the remote must become equal to it, within a bounded number of steps.

mod file_system;
mod jobs;

use self::file_system::{trace, FileSystem, Image, Kind, Random, ROOT};
use self::jobs::Sending;
use super::sending::settings::SendingSettings;
use super::sending::standing::Standing;
use super::time::Time;
use super::watching::event::{mask, RawEvent, Wd};
use super::watching::scan::{Entry, Listing, Origin, Place, Reached, Scan, ScanId, Stamps};
use super::watching::settle::{Seen, Stamp};
use super::{Action, Engine, Input, RemoteId};
use super::{RootId, RootSettings, Settings};
use crate::config::{Batch, Events};
use crate::engine::rel_path::join;
use crate::engine::rel_path::RelPath;
use crate::engine::sending::licence::Grants;
use crate::rsync::asked::licence::Way;
use crate::rsync::asked::plan::Gone;
use std::collections::VecDeque;
use std::sync::Arc;

const STEPS_TO_REST_MAX: usize = 200_000;

/// The walk: several threads' worth of steps.
#[derive(Default)]
struct Walk {
    scans: VecDeque<Walking>,
    told: VecDeque<Input>,
}

struct Walking {
    scan: Scan,
    ahead: Vec<(Vec<u8>, Option<Place>, Stamps)>,
    /// Watched, and to be read in the next step.
    watched: Option<(Vec<u8>, Reached, usize, Stamps)>,
}

impl Walk {
    fn start(&mut self, scan: Scan) {
        let place = scan.watch.then(|| scan.place.clone());
        let ahead = vec![(scan.path.clone(), place, Stamps::default())];
        self.scans.push_back(Walking { scan, ahead, watched: None });
    }

    fn step(&mut self, fs: &mut FileSystem, random: &mut Random) {
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
                        Reached::Read | Reached::Unwatched { .. } => None,
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
            self.scans.remove(number);
            self.told.push_back(Input::ScanEnded(root, id));
        }
    }
}

struct World {
    fs: FileSystem,
    walk: Walk,
    engine: Engine,
    jobs: Vec<Sending>,
    remotes: Vec<Image>,
    now: Time,
    random: Random,
    failures: bool,
    settings: Settings,
    /// What would be found on the disk after a crash.
    saved: Vec<Saved>,
}

/// Of one remote: complete up to when, whether a full sync is owed, and paths.
type Saved = (Option<u64>, bool, Vec<(RelPath, Gone)>);

impl World {
    fn handle(&mut self, input: Input) {
        trace(|| format!("{:?} <- {input:?}", self.now));
        self.engine.handle(input, self.now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.engine.poll_action(self.now) {
            trace(|| format!("    -> {action:?}"));
            match action {
                Action::Scan(_, scan) => self.walk.start(scan),
                Action::RemoveWatch(_, wd) => {
                    let watched = self.fs.inodes.iter().position(|inode| inode.wd == Some(wd));
                    if let Some(ino) = watched {
                        self.fs.unwatch(ino);
                    }
                }
                Action::Look(root, path) => {
                    let seen = self.look(&path);
                    self.engine.handle(Input::Seen(root, path, seen), self.now);
                }
                Action::CheckRoot(_) => panic!("the root of the model never goes"),
                Action::Run(job) => self.start(job),
                Action::Report(_) | Action::Arrived(..) => {}
            }
        }
    }

    fn look(&self, path: &[u8]) -> Seen {
        match self.fs.find(path).map(|ino| &self.fs.inodes[ino].kind) {
            None => Seen::Missing,
            Some(Kind::Dir(_)) => Seen::Directory,
            Some(Kind::Symlink(_)) => Seen::Other,
            Some(Kind::File { content, links }) => {
                Seen::Regular { links: *links, stamp: Stamp { size: *content, modified_ns: 0 } }
            }
        }
    }

    fn save(&mut self) {
        self.saved = (0..2).map(|remote| self.engine.standing(RemoteId(remote))).collect();
    }

    /// The program is killed, whatever it is doing; some time later it starts again.
    fn crash(&mut self, attrib: bool) {
        trace(|| format!("{:?} crash; saved {:?}", self.now, self.saved));
        self.fs.forget_watches();
        self.walk = Walk::default();
        self.jobs.clear();
        for _ in 0..self.random.below(12) {
            self.now = self.now + self.random.below(3) as u64;
            self.fs.now_ns = stamp_ns(self.now);
            self.fs.disturb(&mut self.random, attrib);
        }
        self.fs.queue.clear();
        let standing = |(complete_ns, full, _): &Saved| match complete_ns {
            Some(complete_ns) if !full => Standing::Until(*complete_ns),
            _ => Standing::Nothing,
        };
        self.settings.roots[0].remotes = self.saved.iter().map(standing).collect();
        self.engine = Engine::new(self.settings.clone());
        for (remote, (_, _, paths)) in self.saved.iter().enumerate() {
            self.engine.owe(RemoteId(remote), false, paths.clone(), false);
        }
        self.carry_out();
    }

    fn deliver_event(&mut self) {
        if let Some(mut event) = self.fs.queue.pop_front() {
            // One read may give both, or the first alone.
            let next = self.fs.queue.front().filter(|_| self.random.one_in(2));
            if next.is_some_and(|next| event.absorb(next)) {
                self.fs.queue.pop_front();
            }
            self.handle(Input::Event(RootId(0), event));
        }
        self.read_up_to();
    }

    fn read_up_to(&mut self) {
        if self.fs.queue.is_empty() {
            self.handle(Input::ReadUpTo(RootId(0), stamp_ns(self.now)));
        }
    }

    fn deliver_listing(&mut self) {
        if let Some(told) = self.walk.told.pop_front() {
            self.handle(told);
            self.read_up_to();
        }
    }

    fn pass_time(&mut self, duration_ms: u64) {
        self.now = self.now + duration_ms;
        self.fs.now_ns = stamp_ns(self.now);
        self.handle(Input::Time);
    }

    /// Lets everything come to rest that is under way.
    fn rest(&mut self) {
        for _ in 0..STEPS_TO_REST_MAX {
            let busy = [
                !self.fs.queue.is_empty(),
                !self.walk.told.is_empty(),
                !self.walk.scans.is_empty(),
                !self.jobs.is_empty(),
            ];
            match self.random.below(4) {
                0 => self.deliver_event(),
                1 => self.deliver_listing(),
                2 => self.walk.step(&mut self.fs, &mut self.random),
                _ => self.job_step(),
            }
            if busy == [false; 4] {
                match self.engine.poll_timeout() {
                    Some(due) => self.pass_time(due.since(self.now)),
                    None => return,
                }
            }
        }
        panic!("no rest after {STEPS_TO_REST_MAX} steps: {:?}", self.engine.snapshot());
    }
}

struct Plan {
    /// `-r`, with a far side that holds other things, and things happen while everything is read.
    full_sync: bool,
    failures: bool,
    overflows: bool,
    /// The program is killed now and then. Without `mirror`, what disappears at that time stays.
    crashes: bool,
    mirror: bool,
    /// There are watches for so many directories, until everything rests.
    watches_max: usize,
    steps: usize,
}

/// The clock that stamps files is as coarse as the engine's.
fn stamp_ns(now: Time) -> u64 {
    now.0 * 1_000_000
}

fn live(seed: u64, plan: &Plan) {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut fs = FileSystem::new();
    for _ in 0..random.below(80) {
        fs.disturb(&mut random, false);
    }
    let attrib = random.one_in(2);
    let far = if plan.full_sync {
        let mut far = FileSystem::new();
        for _ in 0..random.below(80) {
            far.disturb(&mut random, false);
        }
        far.image()
    } else {
        fs.image()
    };
    // Nothing that was there before.
    let standing =
        if plan.full_sync { Standing::Nothing } else { Standing::From(stamp_ns(Time(1))) };
    let settings = Settings {
        workers: 1 + random.below(2),
        events: Events { attrib, create_file: random.one_in(2), ..Events::default() },
        sending: SendingSettings {
            timing: Batch { quiet_ms: 2, delay_ms_max: 20, interval_ms: None },
            grants: Grants::new(true, plan.mirror),
            way: Way::Combined,
            standby: random.one_in(2),
            put_aside_ms: 60_000,
        },
        roots: vec![RootSettings {
            filter: Arc::default(),
            remotes: vec![standing; 2],
            halt: None,
        }],
    };
    let mut world = World {
        fs,
        walk: Walk::default(),
        engine: Engine::new(settings.clone()),
        jobs: Vec::new(),
        remotes: vec![far.clone(), far],
        now: Time(1),
        random,
        failures: plan.failures,
        settings,
        saved: Vec::new(),
    };
    world.fs.now_ns = stamp_ns(world.now);
    world.fs.watches_max = plan.watches_max;
    world.save();
    world.carry_out();
    if !plan.full_sync {
        world.rest();
    }
    // How fast things happen against how fast they are seen differs from seed to seed.
    let calm = 1 + world.random.below(6);
    for _ in 0..plan.steps {
        match world.random.below(8) {
            0 | 1 if world.random.one_in(calm) => {
                let World { fs, random, .. } = &mut world;
                for _ in 0..=random.below(4) {
                    fs.disturb(random, attrib);
                }
            }
            2 | 3 => world.deliver_event(),
            4 => world.walk.step(&mut world.fs, &mut world.random),
            5 => world.deliver_listing(),
            6 => world.job_step(),
            7 => {
                let longest_ms = if world.random.one_in(20) { 2_000 } else { 8 };
                let duration_ms = world.random.below(longest_ms) as u64;
                world.pass_time(duration_ms);
            }
            _ => {}
        }
        if world.random.one_in(10) {
            world.save();
        }
        if plan.crashes && world.random.one_in(300) {
            world.crash(attrib);
        }
        if plan.overflows && world.random.one_in(400) {
            world.fs.queue.clear();
            let event =
                RawEvent { wd: Wd(-1), mask: mask::Q_OVERFLOW, cookie: 0, name: Box::default() };
            world.fs.queue.push_back(event);
        }
    }
    while !world.fs.open.is_empty() {
        world.fs.close(0);
    }
    world.failures = false;
    world.fs.watches_max = usize::MAX;
    world.rest();
    let here = world.fs.image();
    let disappears = plan.crashes && !plan.mirror;
    for far in &world.remotes {
        let only_here: Vec<_> =
            here.iter().filter(|(path, is)| far.get(*path) != Some(is)).collect();
        let only_far: Vec<_> =
            far.iter().filter(|(path, is)| !disappears && here.get(*path) != Some(is)).collect();
        assert!(
            only_here.is_empty() && only_far.is_empty(),
            "seed {seed}: here {only_here:?}, far {only_far:?}"
        );
    }
    for dir in 0..world.fs.inodes.len() {
        let inside = world.fs.is_dir(dir) && world.fs.holds(ROOT, dir);
        assert!(!inside || world.fs.inodes[dir].wd.is_some(), "seed {seed}: {dir} is not watched");
    }
    let mut dirs = Vec::new();
    world.fs.dirs(ROOT, &mut dirs);
    assert_eq!(world.engine.directories(RootId(0)), dirs.len(), "seed {seed}: the tree");
}

fn lives(plan: &Plan) {
    let seeds = std::env::var("SERSYNC_MODEL_SEEDS").unwrap_or("1-600".into());
    let (first, last) = seeds.split_once('-').expect("SERSYNC_MODEL_SEEDS=FIRST-LAST");
    for seed in first.parse().unwrap()..=last.parse().unwrap() {
        live(seed, plan);
    }
}

const PLAN: Plan = Plan {
    full_sync: false,
    failures: false,
    overflows: false,
    crashes: false,
    mirror: false,
    watches_max: usize::MAX,
    steps: 1_500,
};

#[test]
fn remotes_become_equal_whatever_the_order() {
    lives(&PLAN);
}

#[test]
fn remotes_become_equal_after_failed_jobs() {
    lives(&Plan { failures: true, ..PLAN });
}

#[test]
fn remotes_become_equal_from_a_start_in_the_middle_of_changes() {
    lives(&Plan { full_sync: true, failures: true, mirror: true, ..PLAN });
}

#[test]
fn remotes_become_equal_after_overflows() {
    let steps = 2_500;
    lives(&Plan { full_sync: true, failures: true, mirror: true, overflows: true, steps, ..PLAN });
}

#[test]
fn mirrors_become_equal_after_crashes() {
    let plan = Plan { failures: true, crashes: true, mirror: true, ..PLAN };
    lives(&plan);
    lives(&Plan { full_sync: true, ..plan });
}

#[test]
fn mirrors_become_equal_when_there_are_watches_again() {
    let plan = Plan { full_sync: true, failures: true, mirror: true, watches_max: 4, ..PLAN };
    lives(&plan);
    lives(&Plan { crashes: true, ..plan });
}

#[test]
fn nothing_is_missing_after_crashes() {
    lives(&Plan { failures: true, crashes: true, ..PLAN });
}
