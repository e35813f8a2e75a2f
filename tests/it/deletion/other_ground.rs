//! The root is another disk than before, or what lies below a disk that is not mounted, while the program runs or
//! after a restart: that a copy is of something else is noticed, and it is not emptied for that.

use super::*;
use crate::harness::{Image, Mounts};

/// So many that what the tests write besides, with their fences, never makes them less than half of what is there.
const COPY: &[&str] = &[
    "kept",
    "dir/kept",
    "dir/deep/kept",
    "dir/deep/other",
    "last",
    "dir/1",
    "dir/2",
    "dir/3",
    "dir/4",
    "dir/5",
    "dir/6",
    "dir/7",
    "dir/8",
    "dir/9",
    "dir/deep/1",
    "dir/deep/2",
    "dir/deep/3",
    "dir/deep/4",
    "dir/deep/5",
    "dir/deep/6",
];

/// What a root is mounted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ext4,
    /// A directory of the file system below, under another name.
    Bind,
    Tmpfs,
}

/// Two of a kind, each mounted again and again.
struct Disks {
    kind: Kind,
    images: Vec<Image>,
    keepers: Vec<PathBuf>,
}

impl Disks {
    fn new(kind: Kind, plan: &mut Plan) -> Disks {
        let keepers = ["keeper0", "keeper1"].map(|name| plan.directory(name)).to_vec();
        let images = match kind {
            Kind::Ext4 => ["0", "1"].map(|name| Image::new(&plan.directory("disks").join(name))),
            Kind::Bind => return Disks { kind, images: Vec::new(), keepers },
            Kind::Tmpfs => {
                keepers.iter().for_each(|keeper| plan.mounts.tmpfs(keeper));
                return Disks { kind, images: Vec::new(), keepers };
            }
        };
        Disks { kind, images: images.into(), keepers }
    }

    fn mount(&self, mounts: &mut Mounts, number: usize, at: &Path) {
        match self.kind {
            Kind::Ext4 => mounts.disk(&self.images[number], at),
            Kind::Bind | Kind::Tmpfs => mounts.bind(&self.keepers[number], at),
        }
    }
}

/// A mirror that is equal, whose root is the first disk.
fn on_a_disk(mode: Mode, kind: Kind, stray: &[&str]) -> (Mirror, Disks) {
    let mut plan = Plan::new().apart();
    mode.apply(&mut plan);
    plan.await_full_sync = false;
    let disks = Disks::new(kind, &mut plan);
    fs::remove_file(plan.root.join("anchor")).unwrap();
    put(&plan.root, stray);
    disks.mount(&mut plan.mounts, 0, &plan.root);
    put(&plan.root, COPY);
    let mirror = plan.start();
    full_sync(&mirror);
    mirror.equal();
    (mirror, disks)
}

/// What is in the root now is sent, and the copy of what was there before is as it was.
fn is_sent_and_empties_nothing(mirror: &Mirror, name: &str) {
    eventually("it is sent", || mirror.remotes[0].join(name).exists());
    eventually("it is said", || mirror.log().contains("a full sync would delete"));
    mirror.fence();
    assert_eq!(present(&mirror.remotes[0], COPY), COPY);
}

#[test]
fn another_disk_while_the_program_runs() {
    each(pairs(&Mode::MIRRORS, &[Kind::Ext4, Kind::Tmpfs]), |(mode, kind)| {
        let (mut mirror, disks) = on_a_disk(mode, kind, &[]);
        mirror.mounts.detach(&mirror.root);
        eventually("it halts", || mirror.log().contains("until it is back"));
        disks.mount(&mut mirror.mounts, 1, &mirror.root);
        put(&mirror.root, &["only"]);
        is_sent_and_empties_nothing(&mirror, "only");
        // The first one again: what it has is there, and nothing has to be asked.
        mirror.mounts.detach(&mirror.root);
        disks.mount(&mut mirror.mounts, 0, &mirror.root);
        fs::remove_file(mirror.root.join("last")).unwrap();
        put(&mirror.root, &["later"]);
        eventually("it is sent", || mirror.remotes[0].join("later").exists());
    });
}

#[test]
fn another_disk_after_a_restart() {
    each(pairs(&Mode::MIRRORS, &[Kind::Ext4, Kind::Tmpfs]), |(mode, kind)| {
        let (mut mirror, disks) = on_a_disk(mode, kind, &[]);
        mirror.halt_program();
        mirror.mounts.detach(&mirror.root);
        disks.mount(&mut mirror.mounts, 1, &mirror.root);
        put(&mirror.root, &["only"]);
        mirror.start_again(mode.args());
        is_sent_and_empties_nothing(&mirror, "only");
        // Another start is no yes.
        mirror.halt_program();
        mirror.start_again(&["-r"]);
        is_sent_and_empties_nothing(&mirror, "only");
    });
}

#[test]
fn what_lies_below_a_disk_that_is_missing_after_a_restart() {
    let kinds = [Kind::Ext4, Kind::Bind, Kind::Tmpfs];
    each(pairs(&Mode::MIRRORS, &kinds), |(mode, kind)| {
        let (mut mirror, disks) = on_a_disk(mode, kind, &["stray"]);
        mirror.halt_program();
        mirror.mounts.detach(&mirror.root);
        mirror.start_again(mode.args());
        is_sent_and_empties_nothing(&mirror, "stray");
        // The disk is mounted late: the copy is of it, and what is not on it goes.
        disks.mount(&mut mirror.mounts, 0, &mirror.root);
        put(&mirror.root, &["later"]);
        mirror.equal();
    });
}

#[test]
fn the_same_disk_after_a_restart_is_in_doubt_no_more() {
    each(Mode::MIRRORS, |mode| {
        let (mut mirror, disks) = on_a_disk(mode, Kind::Ext4, &[]);
        mirror.halt_program();
        mirror.mounts.unmount(&mirror.root);
        disks.mount(&mut mirror.mounts, 0, &mirror.root);
        COPY[1..].iter().for_each(|name| fs::remove_file(mirror.root.join(name)).unwrap());
        mirror.start_again(mode.args());
        mirror.equal();
        assert!(!mirror.log().contains("would delete"), "{}", mirror.log());
    });
}
