//! Mounts, unmounts, switches, writes and second names in a random order: equal when it is over, and at rest.
//!
//! `SERSYNC_CHURN_SEEDS=7,8` takes other seeds, `SERSYNC_CHURN_SECONDS=30` another time for each.

use super::{fill, in_mode, MIRROR};
use crate::churn::random::Random;
use crate::churn::{duration, seeds};
use crate::harness::{rest_for, until, Image, Mirror, Plan, Tree};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The pause between two steps, so that the program sees some of them singly.
const PAUSE_MS_MAX: usize = 40;
const CATCH_UP: Duration = Duration::from_secs(60);
/// So long nothing may happen when all is equal.
const IDLE: Duration = Duration::from_secs(2);

/// A root that is a link to one of two trees, each with two places for disks.
struct Ground {
    mirror: Mirror,
    trees: [PathBuf; 2],
    disks: [Image; 2],
    /// Where each disk is mounted.
    at: [Option<PathBuf>; 2],
    random: Random,
    steps: usize,
}

impl Ground {
    fn start(seed: u64) -> Ground {
        let mut plan = Plan::new().apart();
        let trees = ["1", "2"].map(|name| plan.directory("trees").join(name));
        for (tree, name) in trees.iter().zip(["1", "2"]) {
            fill(tree, name);
            fs::create_dir_all(tree.join("disk")).unwrap();
            fs::create_dir_all(tree.join("dir/disk")).unwrap();
        }
        let disks = ["a", "b"].map(|name| Image::new(&plan.directory("disks").join(name)));
        fs::remove_dir_all(&plan.root).unwrap();
        symlink(&trees[0], &plan.root).unwrap();
        in_mode(&mut plan, MIRROR);
        let mirror = plan.start();
        let random = Random::new(seed);
        Ground { mirror, trees, disks, at: [None, None], random, steps: 0 }
    }

    fn step(&mut self) {
        self.steps += 1;
        let (tree, disk) = (self.random.below(2), self.random.below(2));
        match self.random.below(10) {
            0 => self.switch(tree),
            1 | 2 => self.mount_or_unmount(tree, disk),
            _ => self.write(tree),
        }
    }

    fn switch(&mut self, tree: usize) {
        let next = self.mirror.dir().join("next");
        symlink(&self.trees[tree], &next).unwrap();
        fs::rename(next, &self.mirror.root).unwrap();
    }

    fn mount_or_unmount(&mut self, tree: usize, disk: usize) {
        if let Some(at) = self.at[disk].take() {
            return self.mirror.mounts.unmount(&at);
        }
        let place = *self.random.pick(&["disk", "dir/disk"]).unwrap();
        let at = self.trees[tree].join(place);
        if !self.at.contains(&Some(at.clone())) {
            self.mirror.mounts.disk(&self.disks[disk], &at);
            self.at[disk] = Some(at);
        }
    }

    /// Into the tree or what is mounted in it; not into a mount point without its disk, which the disk
    /// would hide and nobody would miss.
    fn write(&mut self, tree: usize) {
        let mut places = vec![self.trees[tree].join("dir"), self.trees[tree].join("dir/deep")];
        places.extend(self.at.iter().flatten().cloned());
        let place = self.random.pick(&places).unwrap().clone();
        // No two are of one length: rsync would take those of one second for the same in a full sync.
        let (name, content) = (self.random.below(8), "x".repeat(self.steps));
        match self.random.below(5) {
            0 => remove(&place.join(format!("file {name}"))),
            1 => {
                let from = place.join(format!("file {name}"));
                let _ = fs::rename(from, place.join(format!("file {}", (name + 1) % 8)));
            }
            2 => {
                // A second name in any place on the same disk; what is written under one is seen under both.
                let to =
                    self.random.pick(&places).unwrap().join(format!("file {}", (name + 3) % 8));
                remove(&to);
                let _ = fs::hard_link(place.join(format!("file {name}")), to);
            }
            3 => {
                fs::create_dir_all(place.join(format!("new {name}"))).unwrap();
                fs::write(place.join(format!("new {name}/file")), &content).unwrap();
            }
            _ => fs::write(place.join(format!("file {name}")), &content).unwrap(),
        }
    }

    /// All disks are there, so that nothing is away, and the remote has what the link leads to.
    fn end(mut self, about: &str) {
        for (disk, place) in [(0, "disk"), (1, "dir/disk")] {
            if let Some(at) = self.at[disk].take() {
                self.mirror.mounts.unmount(&at);
            }
            let at = fs::canonicalize(&self.mirror.root).unwrap().join(place);
            self.mirror.mounts.disk(&self.disks[disk], &at);
        }
        let tree = fs::canonicalize(&self.mirror.root).unwrap();
        until(&format!("equal {about}, {} steps", self.steps), CATCH_UP, || {
            Tree::compare(&tree, &self.mirror.remotes[0])
        });
        // Some files with two names are still looked at, with growing pauses.
        rest_for(&[self.mirror.pid()], IDLE);
    }
}

fn remove(path: &Path) {
    let _ = fs::remove_file(path);
}

#[test]
fn a_random_walk_of_the_ground_ends_equal() {
    for seed in seeds(31..=34) {
        let mut ground = Ground::start(seed);
        let end = Instant::now() + duration();
        while Instant::now() < end {
            ground.step();
            let pause = ground.random.below(PAUSE_MS_MAX) as u64;
            thread::sleep(Duration::from_millis(pause)); // The pace of the walk.
        }
        ground.end(&format!("after seed {seed}"));
    }
}
