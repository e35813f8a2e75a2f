//! What there is: a root that is a link to one of two trees, disks that are mounted in them, far sides of three
//! kinds, and the program between them. And what must be true of it at rest.

use super::faults::Fault;
use super::others::{Others, SHARED};
use crate::churn::load::{Load, Pace};
use crate::churn::random::Random;
use crate::deletion::ask;
use crate::harness::{until, Disk, Image, Mirror, Plan, Sshd, Tree};
use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long it may take until everything is right again. The last tries of what failed are a minute apart.
const REST_WITHIN: Duration = Duration::from_secs(180);
/// Room on the far side that can become full.
const DISK_KIB: usize = 32 * 1024;
/// Directories of the load; the second one is on the far side as well.
const LOADED: [&str; 2] = ["work", SHARED];
/// Where disks are mounted, in either tree.
const PLACES: [&str; 2] = ["disk", "dir/disk"];
/// A schedule that never comes makes a mirror: what nobody saw go is deleted all the same.
const MIRROR: &str = r#"<crontab start="true" schedule="8000h"/>"#;

/// What only the far side has is deleted, or is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Mirror,
    Push,
}

/// Which far side a fault is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Far {
    /// A module of a daemon, on a disk of its own.
    Daemon,
    Ssh,
    Local,
}

/// Everything of one life.
pub struct World {
    pub mode: Mode,
    /// The program, what it reads, and where it writes.
    pub mirror: Mirror,
    pub sshd: Sshd,
    pub trees: [PathBuf; 2],
    /// Where each disk is mounted now.
    pub at: [Option<PathBuf>; 2],
    seed: u64,
    disks: [Image; 2],
    far: Vec<Far>,
    others: Vec<Others>,
    loads: Vec<Load>,
    random: Random,
    story: Vec<String>,
    started: Instant,
    /// Whether the root's link has ever led to another tree.
    is_switched: bool,
    /// How often the program has asked for a yes and got it, since the rest began.
    answered: Cell<usize>,
}

impl World {
    /// By a seed: the mode and the far sides; the program runs, and may be in its first full sync.
    pub fn new(seed: u64, random: &mut Random) -> World {
        let mode = *random.pick(&[Mode::Mirror, Mode::Mirror, Mode::Push]).unwrap();
        let mut far = vec![Far::Daemon];
        far.extend([Far::Ssh, Far::Local].into_iter().filter(|_| random.below(2) == 0));
        let mut plan = Plan::without_remotes().apart();
        let trees = ["1", "2"].map(|name| plan.directory("trees").join(name));
        for tree in &trees {
            LOADED.iter().chain(&PLACES).for_each(|it| fs::create_dir_all(tree.join(it)).unwrap());
        }
        let disks = ["a", "b"].map(|name| Image::new(&plan.directory("disks").join(name)));
        fs::remove_dir_all(&plan.root).unwrap();
        symlink(&trees[0], &plan.root).unwrap();
        let sshd = Sshd::start(&plan.directory("sshd"));
        far.iter().for_each(|far| add(&mut plan, *far, &sshd));
        let others = match mode {
            Mode::Mirror => Vec::new(),
            Mode::Push => plan.remotes.iter().map(|far| Others::put(far)).collect(),
        };
        plan.conf.event("attrib", true);
        match mode {
            // Without it, nothing is ever made equal, and what nobody saw disappear stays for ever.
            Mode::Mirror => {
                plan.conf.crontab = MIRROR.into();
                plan.args = vec![OsString::from("-r")];
            }
            // With `-r` it would be a mirror.
            Mode::Push => plan.args.clear(),
        }
        plan.await_full_sync = false;
        let loads = LOADED.map(|it| Load::new(&plan.root.join(it), random.bits(), true)).into();
        let mirror = plan.start();
        // Not before: a push sends nothing that is older than its start. Another length for each: rsync takes two of
        // one length and second for the same.
        for (number, tree) in trees.iter().enumerate() {
            fs::write(tree.join("only here"), "x".repeat(number + 1)).unwrap();
        }
        let (at, random) = ([None, None], Random::new(random.bits()));
        let (story, started) = (Vec::new(), Instant::now());
        let (is_switched, answered) = (false, Cell::new(0));
        World {
            mode,
            mirror,
            sshd,
            trees,
            at,
            seed,
            disks,
            far,
            others,
            loads,
            random,
            story,
            started,
            is_switched,
            answered,
        }
    }

    /// Makes changes for some milliseconds.
    pub fn load(&mut self, ms: usize) {
        let which = self.random.below(LOADED.len());
        let pace = if self.random.below(3) == 0 { Pace::None } else { Pace::Gentle };
        self.loads[which].run(Duration::from_millis(ms as u64), pace);
    }

    /// Which far sides there are.
    pub fn has(&self, far: Far) -> bool {
        self.far.contains(&far)
    }

    /// Where a far side lies.
    pub fn directory(&self, far: Far) -> &Path {
        let at = self.far.iter().position(|it| *it == far).unwrap();
        &self.mirror.remotes[at]
    }

    /// The disk on which the daemon's module lies.
    pub fn far_disk(&self) -> &Disk {
        &self.mirror.disks[0]
    }

    /// Lets the root's link lead to another tree.
    pub fn switch(&mut self, tree: usize) {
        self.is_switched = true;
        let next = self.mirror.dir().join("next");
        symlink(&self.trees[tree], &next).unwrap();
        fs::rename(next, &self.mirror.root).unwrap();
    }

    /// Mounts a disk somewhere in a tree, or unmounts it.
    pub fn mount_or_unmount(&mut self, disk: usize, tree: usize, place: usize) {
        if let Some(at) = self.at[disk].take() {
            return self.mirror.mounts.unmount(&at);
        }
        let at = self.trees[tree].join(PLACES[place]);
        if !self.at.contains(&Some(at.clone())) {
            self.mirror.mounts.disk(&self.disks[disk], &at);
            fs::write(at.join(format!("on disk {disk}")), "on a disk").unwrap();
            self.at[disk] = Some(at);
        }
    }

    /// Breaks something.
    pub fn breaks(&mut self, fault: &Fault, random: &mut Random) {
        fault.breaks(self, random);
    }

    /// Mends what a fault has broken.
    pub fn mend(&mut self, fault: Fault) {
        self.says(&format!("{} is over", fault.name()));
        fault.mend(self);
    }

    /// One more thing that has happened, for the report of a failure.
    pub fn says(&mut self, what: &str) {
        let what = format!("{:.1} s: {what}", self.started.elapsed().as_secs_f32());
        println!("seed {}, {what}", self.seed);
        self.story.push(what);
    }

    /// The life in one line.
    pub fn about(&self) -> String {
        format!("{:?} to {:?}: {}", self.mode, self.far, self.story.join(", "))
    }

    /// Everything that was away is there, and then: each far side has what the root has, and keeps it; nothing of
    /// other sources is gone; nothing is owed.
    pub fn rest(mut self) {
        self.says("rest");
        // What was written to a file that stays open is nothing that has happened.
        self.loads.drain(..).for_each(|load| assert!(load.end() > 0, "a load made no change"));
        for disk in 0..self.disks.len() {
            if let Some(at) = self.at[disk].take() {
                self.mirror.mounts.unmount(&at);
            }
        }
        let tree = fs::canonicalize(&self.mirror.root).unwrap();
        for (disk, place) in self.disks.iter().zip(PLACES) {
            self.mirror.mounts.disk(disk, &tree.join(place));
        }
        let about = format!("seed {}, {}", self.seed, self.about());
        for _ in 0..2 {
            for far in &self.mirror.remotes {
                until(&format!("{} is right, {about}", far.display()), REST_WITHIN, || {
                    self.answer();
                    self.compare(&tree, far)
                });
            }
            self.mirror.fence();
        }
        let lost: Vec<_> = self.others.iter().flat_map(Others::lost).collect();
        assert!(lost.is_empty(), "{lost:?} of another source are gone, {about}");
        if self.mode == Mode::Mirror {
            let fail_log = self.mirror.dir().join("rsync_fail_log.sh");
            until(&format!("nothing is owed, {about}"), REST_WITHIN, || {
                let owed = fs::read_to_string(&fail_log).unwrap_or_default();
                owed.is_empty().then_some(()).ok_or(owed)
            });
        }
    }

    /// Says yes to the deletions that wait for it: a tree that is much smaller than the one before it is meant.
    fn answer(&self) {
        let asked = self.mirror.log().matches("--confirm-deletions -o ").count();
        if asked > self.answered.replace(asked) {
            assert!(
                self.is_switched,
                "a yes is asked for, and nothing was switched: {}",
                self.about()
            );
            // Another rehearsal may have found meanwhile that there is less to delete.
            ask(&self.mirror, "--confirm-deletions");
        }
    }

    fn compare(&self, tree: &Path, far: &Path) -> Result<(), String> {
        if self.mode == Mode::Mirror {
            return Tree::compare(tree, far);
        }
        let read = |top: &Path| Tree::read(top).map_err(|e| format!("{}: {e}", top.display()));
        let (mut here, mut there) = (read(tree)?, read(far)?);
        // What is only there may be another source's, or went while nobody looked. Where a directory of that kind
        // is in the way of a file, the file cannot arrive.
        let in_the_way = here.in_the_place_of_directories(&there);
        let reachable = |path: &[u8]| !in_the_way.iter().any(|it| is_at_or_below(path, it));
        here.retain(reachable);
        there.retain(|path| reachable(path) && here.has(path));
        let lines = here.differences(&there);
        // Who puts a file into a directory gives it another time.
        let times = lines.iter().filter(|line| line.contains(": mtime ")).count();
        if lines.len() == times {
            return Ok(());
        }
        Err(lines.join("\n  "))
    }
}

fn is_at_or_below(path: &[u8], top: &[u8]) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// One more far side for the plan.
fn add(plan: &mut Plan, far: Far, sshd: &Sshd) {
    let (ip, name, directory) = match far {
        Far::Daemon => {
            let directory = plan.daemon.module("module");
            // Not the module itself, which can be taken away.
            plan.mount(directory.parent().unwrap(), DISK_KIB);
            fs::create_dir(&directory).unwrap();
            plan.conf.port = Some(plan.daemon.port());
            ("127.0.0.1", "module".to_owned(), directory)
        }
        Far::Ssh => {
            let directory = plan.directory("over ssh");
            let name = format!("name=\"{}\"", directory.display());
            let (port, client) = (sshd.port(), sshd.client());
            let own = format!(
                "{name} ssh=\"true\" users=\"root\" port=\"{port}\" params=\"-artz -e '{client}'\""
            );
            plan.as_saved = Box::new(move |text| text.replace(&name, &own).into_bytes());
            ("127.0.0.1", directory.display().to_string(), directory)
        }
        Far::Local => {
            let directory = plan.directory("a copy");
            ("local", directory.display().to_string(), directory)
        }
    };
    let remote = (ip.to_owned(), name);
    match plan.conf.roots.is_empty() {
        true => plan.conf.root(&plan.root.clone(), &[remote]),
        false => plan.conf.roots[0].remotes.push(remote),
    }
    plan.remotes.push(directory);
}
