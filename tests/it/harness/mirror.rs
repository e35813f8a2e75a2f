//! A watched root, its remotes, and the program that runs between them: what most tests need.

use super::sersync::{end_of, How, Sersync};
use super::{scratch, until, ConfXml, Daemon, Disk, Mounts, Tree, DEADLINE, KEEP};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A file that every root has from the start: an empty root together with `-r` is suspicious to
/// the program, and no test means that by accident.
const ANCHOR: &str = "anchor";
/// The line on standard output that says that all watches are set.
const READY: &str = "watch path is:";

/// A mirror that is not running yet. Tests change it, fill its root, and start it.
pub struct Plan {
    /// The watched root; it has one file.
    pub root: PathBuf,
    /// The directories that the remotes write to.
    pub remotes: Vec<PathBuf>,
    /// The configuration as it will be written.
    pub conf: ConfXml,
    /// The daemon with a module for each remote, started by [`Plan::start`].
    pub daemon: Daemon,
    /// A remote that is down does not keep [`Plan::start`] from returning if this is false.
    pub await_full_sync: bool,
    /// The command line, without `-o FILE` at its end.
    pub args: Vec<OsString>,
    /// Environment variables of the program.
    pub variables: Vec<(String, String)>,
    /// The bytes of the configuration as an editor saves them; UTF-8 as it is without it.
    pub as_saved: Box<dyn Fn(String) -> Vec<u8>>,
    /// In which surroundings the program is run.
    pub how: How,
    /// What the test has mounted, until the mirror ends.
    pub mounts: Mounts,
    disks: Vec<Disk>,
    dir: TempDir,
}

/// A running mirror. When it goes, the program is asked to end, and must end well.
pub struct Mirror {
    /// The watched root.
    pub root: PathBuf,
    /// The directories that the remotes write to.
    pub remotes: Vec<PathBuf>,
    /// The daemon, to be stopped and started again.
    pub daemon: Daemon,
    /// Those of [`Plan::mount`].
    pub disks: Vec<Disk>,
    /// What the test has mounted, until the mirror ends.
    pub mounts: Mounts,
    sersync: Sersync,
    variables: Vec<(String, String)>,
    how: How,
    fences: AtomicU32,
    // Last, so that nothing is mounted in it when it is removed.
    dir: TempDir,
}

impl Plan {
    /// One root and one remote, a module of a daemon; `-r`.
    pub fn new() -> Plan {
        Plan::with_remotes(1)
    }

    /// One root that is pushed to `count` modules of a daemon; `-r`.
    pub fn with_remotes(count: usize) -> Plan {
        let names: Vec<String> = (0..count).map(|i| format!("module{i}")).collect();
        let mut plan = Plan::without_remotes();
        plan.remotes = names.iter().map(|name| plan.daemon.module(name)).collect();
        let remotes: Vec<_> = names.into_iter().map(|name| ("127.0.0.1".into(), name)).collect();
        plan.conf.root(&plan.root, &remotes);
        plan.conf.port = Some(plan.daemon.port());
        plan
    }

    /// One root whose remote is a directory on this machine; `-r`. A daemon takes the leading slash
    /// off an absolute symlink unless it can chroot; this remote takes every symlink as it is.
    pub fn local() -> Plan {
        let mut plan = Plan::without_remotes();
        let copy = plan.directory("copy");
        plan.conf.root(&plan.root, &[("local".to_string(), copy.display().to_string())]);
        plan.remotes.push(copy);
        plan
    }

    /// One root that is not in the configuration yet; `-r`. For other kinds of remotes.
    pub fn without_remotes() -> Plan {
        let dir = scratch();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(root.join(ANCHOR), "here from the start\n").unwrap();
        Plan {
            root,
            remotes: Vec::new(),
            conf: ConfXml::new(dir.path()),
            daemon: Daemon::new(&dir.path().join("daemon")),
            await_full_sync: true,
            args: vec!["-r".into()],
            variables: Vec::new(),
            as_saved: Box::new(String::into_bytes),
            how: How::default(),
            mounts: Mounts::default(),
            disks: Vec::new(),
            dir,
        }
    }

    /// The same, with a mount namespace of its own for this test: see [`Mounts::apart`].
    pub fn apart(self) -> Plan {
        Mounts::apart();
        self
    }

    /// A new empty directory beside the root.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Mounts a disk of so many KiB over a directory, until the mirror ends.
    pub fn mount(&mut self, at: &Path, size_kib: usize) {
        self.disks.push(Disk::mount(at, size_kib));
    }

    /// The program runs as the user with this number, to whom its directory and the root belong then;
    /// what is in them stays whose it is.
    pub fn run_as(&mut self, user: u32) {
        for path in [self.dir.path(), &self.root] {
            chown(path, Some(user), Some(user)).unwrap();
        }
        self.how.user = Some(user);
    }

    /// Writes the configuration and gives the path of its file.
    pub fn write_conf(&self) -> PathBuf {
        let file = self.dir.path().join("confxml.xml");
        fs::write(&file, (self.as_saved)(self.conf.to_string())).unwrap();
        file
    }

    /// Starts the daemon and then the program.
    pub fn start(mut self) -> Mirror {
        self.daemon.start();
        self.start_without_daemon()
    }

    /// Starts the program, and returns when its watches are set and, with `-r`, the first full
    /// sync of every remote has been done.
    pub fn start_without_daemon(mut self) -> Mirror {
        let file = self.write_conf();
        self.args.extend(["-o".into(), file.into_os_string()]);
        self.start_as_typed()
    }

    /// The same, with exactly the arguments in [`Plan::args`].
    pub fn start_as_typed(self) -> Mirror {
        self.write_conf();
        let variables: Vec<_> =
            self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let sersync = Sersync::start(self.dir.path(), &self.args, &variables, &self.how);
        let full_syncs = if self.await_full_sync && pushes_everything(&self.args) {
            self.conf.roots.iter().map(|root| root.remotes.len()).sum()
        } else {
            0
        };
        let mut mirror = Mirror {
            root: self.root,
            remotes: self.remotes,
            daemon: self.daemon,
            sersync,
            variables: self.variables,
            how: self.how,
            mounts: self.mounts,
            disks: self.disks,
            fences: AtomicU32::new(0),
            dir: self.dir,
        };
        mirror.await_start(full_syncs);
        mirror
    }
}

/// Whether the arguments have `-r`, alone or in a cluster.
fn pushes_everything(args: &[OsString]) -> bool {
    let letters = |arg: &OsString| arg.to_str().and_then(|a| a.strip_prefix('-')).map(String::from);
    args.iter()
        .filter_map(letters)
        .any(|cluster| !cluster.starts_with('-') && cluster.contains('r'))
}

impl Mirror {
    fn await_start(&mut self, full_syncs: usize) {
        until("sersync is ready", DEADLINE, || {
            if let Some(status) = self.sersync.ended() {
                panic!("sersync ended at its start with {status}\n{}", self.sersync.show());
            }
            if !self.stdout().lines().any(|line| line.starts_with(READY)) {
                return Err(format!("no line starts with `{READY}`"));
            }
            let done = self.log().lines().filter(|line| line.contains(": full sync, ")).count();
            if done < full_syncs {
                return Err(format!("{done} of {full_syncs} full syncs are done"));
            }
            Ok(())
        });
    }

    /// Asks the program to end, and waits until it has.
    pub fn halt_program(&mut self) {
        self.sersync.stop().unwrap();
    }

    /// Kills the program, and nothing that it has started.
    pub fn kill_program(&mut self) {
        self.sersync.kill();
    }

    /// How the program ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.sersync.ended()
    }

    /// Waits until the program has been ended by a signal, and gives its number.
    pub fn ends_by_signal(&mut self) -> Option<i32> {
        let status = until("sersync ends", DEADLINE, || {
            self.sersync.ended().ok_or_else(|| "it runs".to_string())
        });
        status.signal()
    }

    /// Starts the program again, with these arguments before `-o FILE`; it has ended before.
    pub fn start_again(&mut self, args: &[&str]) {
        let mut args: Vec<OsString> = args.iter().map(OsString::from).collect();
        args.extend(["-o".into(), self.dir.path().join("confxml.xml").into_os_string()]);
        let variables: Vec<_> =
            self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.sersync = Sersync::start(self.dir.path(), &args, &variables, &self.how);
        self.await_start(0);
    }

    /// From its next start on the program has this variable.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.into()));
    }

    /// The numbers of the system calls that the program's kernel did not have.
    pub fn refused(&self) -> Vec<i32> {
        self.sersync.refused()
    }

    /// The program's process number.
    pub fn pid(&self) -> u32 {
        self.sersync.pid()
    }

    /// Waits until every remote is equal to the root.
    pub fn equal(&self) {
        self.equal_within(DEADLINE, "");
    }

    /// Waits at most `deadline` until every remote is equal to the root; `about` is said of a
    /// failure.
    pub fn equal_within(&self, deadline: Duration, about: &str) {
        for remote in &self.remotes {
            until(&format!("the remote is equal to the root {about}"), deadline, || {
                Tree::compare(&self.root, remote)
            });
        }
    }

    /// Returns when everything that happened before the call and was going to be pushed has
    /// arrived at every remote. What is not there then was not sent.
    pub fn fence(&self) {
        // The first file may share a batch with the changes and arrive before they do, or, where there are
        // many, leave before some of them: what is new goes first then. The second one leaves in a later
        // batch, with the last of them, and the third when that one is done.
        for _ in 0..3 {
            let number = self.fences.fetch_add(1, Ordering::Relaxed);
            let name = format!("fence-{number}");
            fs::write(self.root.join(&name), "").unwrap();
            for remote in &self.remotes {
                until(&format!("{name} has arrived"), DEADLINE, || {
                    let there = remote.join(&name).exists();
                    there.then_some(()).ok_or(format!("it is not in {}", remote.display()))
                });
            }
        }
    }

    /// The number of batches that the log tells of, over all remotes, full syncs left out.
    pub fn batches(&self) -> usize {
        let log = self.log();
        let told = |line: &&str| {
            let of_paths = line.contains(" path, ") || line.contains(" paths, ");
            of_paths && line.ends_with(" ms")
        };
        log.lines().filter(told).count()
    }

    /// The directory with the configuration and everything else of this mirror.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the program keeps what the next run has to know; it is there soon after the start.
    pub fn state_file(&self) -> PathBuf {
        self.find_state_file().expect("there is a state file")
    }

    /// The same, if it is there yet.
    pub fn find_state_file(&self) -> Option<PathBuf> {
        let is_state = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "state");
        let entries = fs::read_dir(self.dir().join("states")).ok()?;
        entries.map(|entry| entry.unwrap().path()).find(is_state)
    }

    /// What the program has written to standard output.
    pub fn stdout(&self) -> String {
        self.sersync.stdout()
    }

    /// What the program has written to standard error.
    pub fn log(&self) -> String {
        self.sersync.stderr()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.sersync.show());
            if std::env::var_os(KEEP).is_some() {
                self.dir.disable_cleanup(true);
                eprintln!("--- everything is kept in {}", self.dir.path().display());
            }
            eprintln!("--- the daemon's log\n{}", end_of(&self.daemon.log()));
            return;
        }
        if let Err(e) = self.sersync.stop() {
            panic!("{e}\n{}", self.sersync.show());
        }
    }
}

/// The shape of most tests: `before` fills the root, the mirror starts and becomes equal, `change`
/// changes something, and the mirror becomes equal again.
pub fn change_arrives(before: impl FnOnce(&Path), change: impl FnOnce(&Path)) {
    let plan = Plan::new();
    before(&plan.root);
    let mirror = plan.start();
    mirror.equal();
    let old = Tree::read_still(&mirror.root);
    change(&mirror.root);
    let new = Tree::read_still(&mirror.root);
    assert_ne!(old, new, "the test changes nothing and would always pass");
    mirror.equal();
}
