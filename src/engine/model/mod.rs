//! The engine against a model of everything around it: a file system with watches and a kernel
//! queue, a walk that runs ahead, jobs that look and send at moments of their own, remotes.
//!
//! A seed decides what happens and in which order everything is seen. Whatever the order, when the
//! file system rests the remote must become equal to it, within a bounded number of steps.

mod deeds;
mod far_side;
mod faults;
mod file_system;
mod ground;
mod jobs;
mod looks;
mod mounts;
mod oracles;
mod rest;
mod walk;

use self::deeds::{Habits, NAMES};
use self::far_side::FarSide;
use self::faults::Fault;
use self::file_system::{trace, FileSystem, Is, Random};
use self::ground::Ground;
use self::jobs::Sending;
use self::mounts::Disk;
use self::walk::Walk;
use super::sending::settings::SendingSettings;
use super::sending::standing::Standing;
use super::sending::trust::Trust;
use super::time::Time;
use super::watching::linked::{Name, Wanted};
use super::{Action, Engine, Input, RemoteId};
use super::{RootId, RootSettings, Settings};
use crate::config::{Batch, Events, MaxDelete};
use crate::engine::rel_path::{join, RelPath};
use crate::engine::sending::licence::Grants;
use crate::rsync::asked::licence::Way;
use crate::rsync::asked::plan::Gone;
use std::sync::Arc;

/// What others call what they put on the far side. Nothing here has this name.
const OTHERS: &[u8] = b"others";

/// Where full syncs are scheduled, the last begins so many steps before nothing happens any more.
const STEPS_BESIDE_THE_LAST: usize = 600;

struct World {
    fs: FileSystem,
    /// One that is away.
    disk: Option<Disk>,
    /// That of the root, while it is away.
    root_disk: Option<Disk>,
    ground: Ground,
    walk: Walk,
    /// Names that are being looked for, and those that have been found.
    search: Option<(Wanted, Option<Vec<Name>>)>,
    engine: Engine,
    jobs: Vec<Sending>,
    remotes: Vec<FarSide>,
    /// For each remote.
    seen: Vec<oracles::Seen>,
    now: Time,
    random: Random,
    seed: u64,
    mirror: bool,
    /// With `-u`.
    update: bool,
    /// What is renamed is linked.
    links: bool,
    failures: bool,
    sweeps_make_no_directory: bool,
    syncs_slowly: bool,
    fault: Option<Fault>,
    habits: Habits,
    settings: Settings,
    /// What would be found on the disk after a crash.
    saved: Vec<Saved>,
}

/// Of one remote, what would be found on the disk after a crash.
struct Saved {
    /// Complete up to when, whether a full sync is owed, and paths.
    standing: (Option<u64>, bool, Vec<(RelPath, Gone)>),
    trust: Trust,
    /// The disk of the root was not there then.
    root_was_away: bool,
    seen: oracles::Seen,
}

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
                Action::FindNames(_, wanted) => {
                    let found = self.random.one_in(2).then(|| self.names(&wanted));
                    self.search = Some((wanted, found));
                }
                Action::CheckRoot(_) => self.ground.ask(),
                Action::Run(job) => self.start(job),
                Action::Report(_) | Action::Arrived(..) => {}
            }
        }
    }

    /// Somebody does something.
    fn disturb(&mut self) {
        self.name_what_was_seen();
        self.fs.disturb(&mut self.random, self.habits);
        self.fs.change_by_names_that_stay();
    }

    fn save(&mut self) {
        self.name_what_was_seen();
        let saved = |(remote, seen): (usize, &oracles::Seen)| Saved {
            standing: self.engine.standing(RemoteId(remote)),
            trust: self.engine.trust(RemoteId(remote)),
            root_was_away: self.root_disk.is_some(),
            seen: seen.clone(),
        };
        self.saved = self.seen.iter().enumerate().map(saved).collect();
    }

    /// The program is killed, whatever it is doing; some time later it starts again. If a disk goes or comes meanwhile,
    /// a full sync is owed.
    fn crash(&mut self, disks_move: fn(&mut World) -> bool) {
        trace(|| format!("{:?} crash", self.now));
        self.fs.forget_watches();
        for (seen, saved) in self.seen.iter_mut().zip(&self.saved) {
            // What was seen since it was saved has been seen by nobody.
            self.fs.untold.append(&mut seen.paths);
            seen.clone_from(&saved.seen);
        }
        self.walk = Walk::default();
        self.search = None;
        self.jobs.clear();
        for _ in 0..self.random.below(12) {
            self.now = self.now + self.random.below(3) as u64;
            self.fs.now_ns = stamp_ns(self.now);
            if self.root_disk.is_none() {
                self.disturb();
            }
        }
        self.name_what_was_seen();
        self.fs.lose_queue();
        let moved = disks_move(self) && self.root_disk.is_none();
        self.doubt_root();
        let standing = |saved: &Saved| match saved.standing {
            (Some(complete_ns), _, _) if !moved && !self.root_has_moved_since(saved) => {
                (Standing::Until(complete_ns), saved.trust)
            }
            _ => (Standing::Nothing, saved.trust),
        };
        self.settings.roots[0].remotes = self.saved.iter().map(standing).collect();
        self.engine = Engine::new(self.settings.clone());
        for (remote, saved) in self.saved.iter().enumerate() {
            self.engine.owe(RemoteId(remote), saved.standing.1, saved.standing.2.clone(), false);
        }
        self.carry_out();
    }

    fn deliver_event(&mut self) {
        if let Some(first) = self.fs.queue.pop_front() {
            let (mut event, mut went) = (first.event, vec![first.went]);
            // One read may give both, or the first alone.
            let next = self.fs.queue.front().filter(|_| self.random.one_in(2));
            if next.is_some_and(|next| event.absorb(&next.event)) {
                went.extend(self.fs.queue.pop_front().map(|next| next.went));
            }
            went.into_iter().flatten().for_each(|went| self.license(&went));
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

    fn walk_step(&mut self) {
        if self.random.one_in(2) {
            self.tell_names();
        }
        self.walk.step(&mut self.fs, &mut self.random, !self.jobs.is_empty());
    }

    /// Somebody else puts a file, or a directory with a file in it, on a far side.
    fn put_by_others(&mut self) {
        let mut dirs = Vec::new();
        let remote = self.random.below(self.remotes.len());
        let far = &mut self.remotes[remote];
        dirs.extend(far.iter().filter(|(_, it)| it.is.is_dir()).map(|(path, _)| path.clone()));
        dirs.push(Vec::new());
        let above = &dirs[self.random.below(dirs.len())];
        let content = self.fs.fresh();
        let dir = Is { kind: 'd', content: 0, mode: content, modified: 0 };
        let file = Is { kind: 'f', content, mode: content, modified: content };
        let name = NAMES[self.random.below(NAMES.len())];
        let dir_path = join(above, name);
        if self.random.one_in(2) {
            far.put_by_others(&dir_path, dir);
        }
        far.put_by_others(&join(&dir_path, OTHERS), file);
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
    /// With `crashes`, disks below the root go and come then.
    disks: bool,
    /// With `crashes`, the disk of the root goes and comes then. What the program would delete for that waits for a yes.
    root_disk: bool,
    /// The disk of the root goes and comes while the program runs, and others come in its place.
    ground_moves: bool,
    /// With `-u`: what is newer over there is kept.
    update: bool,
    /// A full sync is wanted in one of so many steps.
    scheduled: Option<usize>,
    /// There are watches for so many directories, until everything rests.
    watches_max: usize,
    steps: usize,
    fault: Option<Fault>,
}

/// The clock that stamps files is as coarse as the engine's.
fn stamp_ns(now: Time) -> u64 {
    now.0 * 1_000_000
}

impl World {
    fn of(seed: u64, plan: &Plan) -> World {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let nothing_special = Habits { attrib: false, update: false };
        let mut fs = FileSystem::new();
        // What the far side has already is older, so that -u keeps none of it.
        let mut other = FileSystem::new();
        if plan.full_sync {
            for _ in 0..random.below(80) {
                other.disturb(&mut random, nothing_special);
            }
            fs.stamp = 2 * other.stamp;
        }
        for _ in 0..random.below(80) {
            fs.disturb(&mut random, nothing_special);
        }
        let habits = Habits { attrib: random.one_in(2), update: plan.update };
        let far = FarSide::of(if plan.full_sync { other.image() } else { fs.image() });
        let beginning = match plan.full_sync {
            true => (Standing::Nothing, Trust::default()),
            // Nothing that was there before, since both sides are equal.
            false => (Standing::From(stamp_ns(Time(1))), Trust::Certain),
        };
        let settings = Settings {
            // Sweeps leave one worker to batches.
            workers: 1 + random.below(2) + 2 * usize::from(plan.scheduled.is_some()),
            events: Events {
                attrib: habits.attrib,
                create_file: random.one_in(2),
                ..Events::default()
            },
            sending: SendingSettings {
                // Nothing, where the disk of the root may be missing.
                max_delete: match plan.root_disk || plan.ground_moves {
                    true => MaxDelete::Number(0),
                    false => MaxDelete::default(),
                },
                timing: Batch { quiet_ms: 2, delay_ms_max: 20, interval_ms: None },
                grants: Grants::new(true, plan.mirror),
                way: Way::Combined,
                standby: random.one_in(2),
                put_aside_ms: 60_000,
            },
            roots: vec![RootSettings {
                filter: Arc::default(),
                remotes: vec![beginning; 2],
                halt: None,
            }],
        };
        fs.untold.clear();
        let (links, sweeps_make_no_directory) = (random.one_in(2), random.one_in(3));
        World {
            fs,
            disk: None,
            root_disk: None,
            ground: Ground::new(),
            walk: Walk::default(),
            search: None,
            engine: Engine::new(settings.clone()),
            jobs: Vec::new(),
            remotes: vec![far.clone(), far],
            seen: vec![oracles::Seen::default(); 2],
            now: Time(1),
            random,
            seed,
            mirror: plan.mirror,
            update: plan.update,
            links,
            failures: plan.failures,
            sweeps_make_no_directory,
            syncs_slowly: plan.scheduled.is_some(),
            fault: plan.fault,
            habits,
            settings,
            saved: Vec::new(),
        }
    }

    fn want_full_syncs(&mut self) {
        (0..self.remotes.len()).for_each(|it| self.engine.schedule_full_sync(RemoteId(it)));
        self.carry_out();
    }

    /// One step of whatever is under way.
    fn step(&mut self, plan: &Plan, calm: usize) {
        match self.random.below(8) {
            0 | 1 if self.random.one_in(calm) && self.root_is_there() => {
                for _ in 0..=self.random.below(4) {
                    self.disturb();
                }
            }
            2 | 3 => self.deliver_event(),
            4 => self.walk_step(),
            5 => self.deliver_listing(),
            6 => self.job_step(),
            7 => {
                let longest_ms = if self.random.one_in(20) { 2_000 } else { 8 };
                let duration_ms = self.random.below(longest_ms) as u64;
                self.pass_time(duration_ms);
            }
            _ => {}
        }
        if self.random.one_in(10) {
            self.save();
        }
        if self.random.one_in(150) {
            self.put_by_others();
        }
        if plan.crashes && self.random.one_in(300) {
            self.crash(match (plan.disks, plan.root_disk) {
                (true, _) => World::move_disks,
                (false, true) => World::move_root,
                (false, false) => |_| false,
            });
        }
        if plan.scheduled.is_some_and(|steps| self.random.one_in(steps)) {
            self.want_full_syncs();
        }
        if plan.ground_moves && self.random.one_in(150) {
            self.move_ground();
        }
        if self.ground.is_asked() && self.random.one_in(8) {
            self.look_at_ground();
        }
        if plan.overflows && self.random.one_in(400) {
            self.fs.overflow();
        }
        self.expire_licences();
    }
}

fn live(seed: u64, plan: &Plan) {
    let mut world = World::of(seed, plan);
    world.fs.now_ns = stamp_ns(world.now);
    world.fs.watches_max = plan.watches_max;
    world.save();
    world.carry_out();
    if !plan.full_sync {
        world.rest();
    }
    // How fast things happen against how fast they are seen differs from seed to seed.
    let calm = 1 + world.random.below(6);
    for left in (0..plan.steps).rev() {
        world.step(plan, calm);
        // What the last one does wrong, no other mends.
        if left == STEPS_BESIDE_THE_LAST && plan.scheduled.is_some() {
            world.want_full_syncs();
        }
    }
    if plan.disks {
        world.crash(World::bring_disk_back);
    }
    if plan.root_disk {
        world.crash(World::bring_root_back);
    }
    if plan.ground_moves {
        world.bring_ground_back();
    }
    while !world.fs.open.is_empty() {
        world.fs.close(0);
    }
    world.failures = false;
    world.fs.watches_max = usize::MAX;
    world.rest();
    if !world.engine.confirm_deletions().is_empty() {
        world.carry_out();
        world.rest();
    }
    world.judge_rest();
}

fn lives(plan: &Plan) {
    let seeds = std::env::var("SERSYNC_MODEL_SEEDS").unwrap_or("1-60".into());
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
    disks: false,
    root_disk: false,
    ground_moves: false,
    update: false,
    scheduled: None,
    watches_max: usize::MAX,
    steps: 1_500,
    fault: None,
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
fn remotes_become_equal_with_full_syncs_beside_changes() {
    let plan = Plan { scheduled: Some(100), failures: true, ..PLAN };
    lives(&plan);
    lives(&Plan { full_sync: true, mirror: true, ..plan });
    lives(&Plan { crashes: true, ..plan });
    lives(&Plan { crashes: true, mirror: true, ..plan });
}

#[test]
fn nothing_is_missing_after_crashes() {
    lives(&Plan { failures: true, crashes: true, ..PLAN });
}

#[test]
fn mirrors_keep_what_is_on_a_disk_that_is_away() {
    lives(&Plan { failures: true, crashes: true, mirror: true, disks: true, ..PLAN });
}

#[test]
fn mirrors_keep_what_is_on_the_disk_of_the_root_while_it_is_away() {
    lives(&Plan { failures: true, crashes: true, mirror: true, root_disk: true, ..PLAN });
}

#[test]
fn mirrors_keep_what_is_on_the_disk_of_the_root_while_another_one_is_in_its_place() {
    lives(&Plan { failures: true, mirror: true, ground_moves: true, ..PLAN });
}

#[test]
fn what_comes_back_older_arrives_although_newer_files_are_kept() {
    lives(&Plan { update: true, failures: true, ..PLAN });
}

/// How many seeds it takes at most until a fault is seen.
const SEEDS_TO_FIND: u64 = 200;

/// The model finds a fault, and says so in these words.
fn finds(plan: &Plan, fault: Fault, words: &str) {
    let plan = Plan { fault: Some(fault), ..*plan };
    let found = |seed| {
        let said = std::panic::catch_unwind(|| live(seed, &plan)).err()?;
        Some(said.downcast_ref::<String>()?.contains(words))
    };
    let found = (1..=SEEDS_TO_FIND).find(|&seed| found(seed) == Some(true));
    println!("{fault:?}: seed {found:?}");
    assert!(found.is_some(), "{fault:?} is not found");
}

const NOBODY_SAW: &str = "nobody saw it go";

#[test]
fn it_is_found_if_what_was_unseen_for_a_moment_is_deleted() {
    finds(&PLAN, Fault::UnseenIsDeleted, NOBODY_SAW);
}

#[test]
fn it_is_found_if_what_came_back_older_is_not_sent() {
    let plan = Plan { update: true, ..PLAN };
    finds(&plan, Fault::ReplacedIsNotSentAnew, "only here [(");
}

#[test]
fn it_is_found_if_two_names_stay_one_file() {
    finds(&PLAN, Fault::OldNameStaysJoined, "are one file");
}

#[test]
fn it_is_found_if_a_deletion_takes_a_missing_directory_along() {
    let plan = Plan { failures: true, crashes: true, ..PLAN };
    finds(&plan, Fault::MissingParentGoes, NOBODY_SAW);
}

#[test]
fn it_is_found_if_what_is_on_a_disk_that_is_away_is_deleted() {
    let plan = Plan { crashes: true, mirror: true, disks: true, ..PLAN };
    finds(&plan, Fault::AwayIsDeleted, NOBODY_SAW);
}

#[test]
fn it_is_found_if_what_arrived_beside_a_sweep_is_not_looked_at_again() {
    for mirror in [false, true] {
        let plan = Plan { scheduled: Some(200), mirror, steps: 700, ..PLAN };
        finds(&plan, Fault::NoSecondLook, "only ");
    }
}

#[test]
fn it_is_found_if_a_full_sync_counts_for_what_lies_below_a_directory_that_it_could_not_make() {
    finds(&Plan { full_sync: true, failures: true, ..PLAN }, Fault::NamedIsAll, "only here [(");
}

#[test]
fn it_is_found_if_what_lies_below_the_disk_of_the_root_is_taken_for_the_root() {
    let plan = Plan { crashes: true, mirror: true, root_disk: true, ..PLAN };
    finds(&plan, Fault::AnyDiskIsTrusted, NOBODY_SAW);
}

#[test]
fn it_is_found_if_another_disk_in_the_place_of_the_root_is_taken_for_it() {
    let plan = Plan { mirror: true, ground_moves: true, ..PLAN };
    finds(&plan, Fault::AnyDiskIsTheRoot, NOBODY_SAW);
}
