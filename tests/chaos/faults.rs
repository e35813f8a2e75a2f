//! What can happen, and how it is mended.

use super::world::{Far, Mode, World};
use crate::churn::random::Random;
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;

/// More events than the kernel's queue takes, by default 16,384.
const EVENTS: usize = 20_000;
/// What is changed while the program does not run.
const DOWN_MS: usize = 60;

/// One thing that happens.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// The daemon ends, and with it its connections.
    DaemonDown,
    /// It and its children are stopped, and say nothing.
    DaemonHangs,
    /// sshd ends, and its connections are cut.
    SshdDown,
    /// The connections alone are cut.
    SshCut,
    /// The far side's disk is full.
    DiskFull,
    /// The directory of the module is not where it was.
    ModuleAway(PathBuf),
    /// The program reads its configuration again.
    Reload,
    /// The program is killed, and started again.
    Killed,
    /// It is ended, and started again with other arguments.
    Ended,
    /// The program sleeps while more happens than the kernel's queue takes.
    Overflow,
    /// A disk comes or goes inside a tree.
    Mount,
    /// The root's link leads to another tree.
    Switch,
}

use Fault::{
    DaemonDown, DaemonHangs, DiskFull, Ended, Killed, ModuleAway, Mount, Overflow, Reload, SshCut,
    SshdDown, Switch,
};

/// Something that can happen now.
pub fn choose(world: &World, random: &mut Random, broken: &[Fault]) -> Fault {
    let daemon = world.directory(Far::Daemon);
    let away = daemon.with_file_name("away");
    loop {
        let fault = match random.below(12) {
            0 => DaemonDown,
            1 => DaemonHangs,
            2 => SshdDown,
            3 => SshCut,
            4 => DiskFull,
            5 => ModuleAway(away.clone()),
            6 => Reload,
            7 => Killed,
            8 => Ended,
            9 => Overflow,
            10 => Mount,
            _ => Switch,
        };
        let possible = match fault {
            SshdDown | SshCut => world.has(Far::Ssh) && !broken.contains(&SshdDown),
            // A daemon has to run to be stopped; and is ended by being asked, which it must hear.
            DaemonDown | DaemonHangs => {
                !broken.iter().any(|it| [DaemonDown, DaemonHangs].contains(it))
            }
            // What a run that hangs is reading cannot be unmounted.
            Mount => !broken.contains(&DaemonHangs),
            DiskFull | ModuleAway(_) => true,
            Reload | Killed | Ended | Overflow | Switch => true,
        };
        if possible && !broken.contains(&fault) {
            return fault;
        }
    }
}

impl Fault {
    /// Its kind, to be counted.
    pub fn name(&self) -> String {
        let all = format!("{self:?}");
        all.split('(').next().unwrap_or_default().to_owned()
    }

    /// Whether there is something to be mended.
    pub fn lasts(&self) -> bool {
        match self {
            DaemonDown | DaemonHangs | SshdDown | DiskFull | ModuleAway(_) => true,
            SshCut | Reload | Killed | Ended | Overflow | Mount | Switch => false,
        }
    }

    /// Has it happen.
    pub fn breaks(&self, world: &mut World, random: &mut Random) {
        match self {
            DaemonDown => world.mirror.daemon.stop(),
            DaemonHangs => world.mirror.daemon.signal(Signal::SIGSTOP),
            SshdDown => world.sshd.stop(),
            SshCut => world.sshd.cut_connections(),
            DiskFull => world.far_disk().fill(),
            ModuleAway(away) => fs::rename(world.directory(Far::Daemon), away).unwrap(),
            Reload => signal(world, Signal::SIGHUP),
            Killed => {
                world.mirror.kill_program();
                start_again(world, random);
            }
            Ended => {
                world.mirror.halt_program();
                start_again(world, random);
            }
            Overflow => {
                signal(world, Signal::SIGSTOP);
                overflow(world);
                signal(world, Signal::SIGCONT);
            }
            Mount => world.mount_or_unmount(random.below(2), random.below(2), random.below(2)),
            Switch => world.switch(random.below(2)),
        }
    }

    /// Mends it; nothing where it was over at once.
    pub fn mend(self, world: &mut World) {
        match self {
            DaemonDown => world.mirror.daemon.start(),
            DaemonHangs => world.mirror.daemon.signal(Signal::SIGCONT),
            SshdDown => world.sshd.start_again(),
            DiskFull => world.far_disk().make_room(),
            ModuleAway(away) => fs::rename(away, world.directory(Far::Daemon)).unwrap(),
            SshCut | Reload | Killed | Ended | Overflow | Mount | Switch => {}
        }
    }
}

fn signal(world: &World, signal: Signal) {
    kill(Pid::from_raw(world.mirror.pid() as i32), signal).unwrap();
}

fn start_again(world: &mut World, random: &mut Random) {
    world.load(DOWN_MS);
    // Who was killed before he kept that a full sync is owed has to be told again.
    let is_told = random.below(3) == 0 || world.mirror.find_state_file().is_none();
    let args: &[&str] = match world.mode {
        Mode::Mirror if is_told => &["-r"],
        Mode::Mirror | Mode::Push => &[],
    };
    world.mirror.start_again(args);
}

/// Each is another file, so that no two events are alike and made one by the kernel.
fn overflow(world: &World) {
    for number in 0..EVENTS / 2 {
        let file = world.mirror.root.join(format!("work/event {number}"));
        fs::write(&file, "").unwrap();
        fs::remove_file(file).unwrap();
    }
}
