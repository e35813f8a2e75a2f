//! File systems that a test mounts and unmounts while the program runs.
//!
//! They are unmounted with the value that holds them. A test that calls [`Mounts::apart`] has a mount
//! namespace of its own besides: no other test's program is woken by what it mounts, and the kernel
//! unmounts everything when the last process in it has ended, whatever ended the test.

use super::{until, DEADLINE};
use nix::mount::{mount, umount2, MntFlags, MsFlags};
use nix::sched::{unshare, CloneFlags};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Large enough for an ext4 of today, and a file of which nothing is written but what is used.
const DISK_BYTES: u64 = 16 * 1024 * 1024;
/// The kernel does not remember by which of its names a directory was found: it may be gone by another one.
const EXFAT: &str = "nonempty,entry_timeout=0";
/// Set by `scripts/test.sh` where exFAT cannot be installed: then what needs it is not tested, and that is said. Without
/// it, a missing exFAT is a failure.
const WITHOUT_EXFAT: &str = "SERSYNC_IT_WITHOUT_EXFAT";

/// What is mounted now, in the order in which that happened.
#[derive(Debug, Default)]
pub struct Mounts {
    at: Vec<PathBuf>,
}

/// A file system that can be mounted again and again, with what is on it: ext4 in a file.
#[derive(Debug)]
pub struct Image {
    file: PathBuf,
}

impl Image {
    /// An empty one in a new file.
    pub fn new(file: &Path) -> Image {
        File::create_new(file).unwrap().set_len(DISK_BYTES).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(file));
        Image { file: file.to_path_buf() }
    }
}

impl Mounts {
    /// From now on this thread, and every process that it starts, has mounts of its own.
    pub fn apart() {
        unshare(CloneFlags::CLONE_NEWNS).unwrap_or_else(|e| panic!("no mounts of its own: {e}"));
        // Otherwise what is mounted here would be mounted outside as well.
        let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
    }

    /// Mounts an empty file system in memory.
    pub fn tmpfs(&mut self, at: &Path) {
        let done = mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), None::<&str>);
        self.mounted(at, done);
    }

    /// Gives a directory, or a file, a second name.
    pub fn bind(&mut self, from: &Path, at: &Path) {
        let done = mount(Some(from), at, None::<&str>, MsFlags::MS_BIND, None::<&str>);
        self.mounted(at, done);
    }

    /// Mounts a disk with what is on it.
    pub fn disk(&mut self, image: &Image, at: &Path) {
        // The loop device goes away with the mount.
        run(Command::new("mount").args(["-o", "loop"]).arg(&image.file).arg(at));
        self.mounted(at, Ok(()));
    }

    /// Mounts an empty exFAT, to which two names that differ in the case of their letters alone are one; false, having
    /// said so, if there is none and there need not be. It runs as a program, so that any kernel with FUSE will do.
    pub fn exfat(&mut self, image: &Path, at: &Path) -> bool {
        if std::env::var_os(WITHOUT_EXFAT).is_some() {
            // Not eprintln!, which is shown only if the test fails.
            let said = format!("SKIPPED: names on exFAT, since {WITHOUT_EXFAT} is set\n");
            std::io::stderr().write_all(said.as_bytes()).unwrap();
            return false;
        }
        File::create_new(image).unwrap().set_len(DISK_BYTES).unwrap();
        run(Command::new("mkfs.exfat").arg(image));
        let device = run(Command::new("losetup").args(["--show", "-f"]).arg(image));
        let device = device.trim_end();
        run(Command::new("mount.exfat-fuse").args(["-o", EXFAT, device]).arg(at));
        // From now on the device goes away with the mount.
        run(Command::new("losetup").args(["-d", device]));
        self.mounted(at, Ok(()));
        true
    }

    /// Unmounts what was mounted last at `at`, as soon as nobody is in it any more.
    pub fn unmount(&mut self, at: &Path) {
        until(&format!("{} is unmounted", at.display()), DEADLINE, || {
            umount2(at, MntFlags::empty()).map_err(|e| e.to_string())
        });
        self.unmounted(at);
    }

    /// Takes it out of sight, whoever is still in it.
    pub fn detach(&mut self, at: &Path) {
        umount2(at, MntFlags::MNT_DETACH).unwrap();
        self.unmounted(at);
    }

    fn mounted(&mut self, at: &Path, done: nix::Result<()>) {
        done.unwrap_or_else(|e| panic!("cannot mount anything at {}: {e}", at.display()));
        self.at.push(at.to_path_buf());
    }

    fn unmounted(&mut self, at: &Path) {
        let last = self.at.iter().rposition(|mounted| mounted == at).unwrap();
        self.at.remove(last);
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for at in self.at.iter().rev() {
            let _ = umount2(at, MntFlags::MNT_DETACH);
        }
    }
}

/// Runs a command that must end well, and gives what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
