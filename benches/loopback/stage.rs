//! What the measurements are made on: directories, an rsync daemon, a running sersync, rsync by hand.
//!
//! Two sides of the same kind, each a near and a far directory with a module of the daemon: one is watched by
//! sersync, the other is pushed by hand. A third, where it is wanted, is watched by a second sersync that pushes
//! over SSH. Knows nothing of goals or tables. Called by `main`; dropping the stage
//! ends its processes and removes its directories.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::sshd::Sshd;

/// Until the daemon answers, sersync watches, or something has arrived; after that it is taken for broken.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at the far side: short beside the milliseconds that are measured, and still no burden for
/// the rsync processes on a small machine.
const LOOK_EVERY: Duration = Duration::from_micros(100);
/// For sersync to end by itself.
const STOP_TIME: Duration = Duration::from_secs(15);
/// Processor time in /proc/PID/stat counts in this unit: USER_HZ, 100 on every Linux.
const TICK: Duration = Duration::from_millis(10);
/// The file that single changes are made to.
const CHANGED: &str = "changed";

/// Why there are no figures: one sentence.
pub struct Unmeasurable(pub String);

/// Turns an error of the system into an [`Unmeasurable`] that says what was being done.
pub fn while_doing(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Unmeasurable {
    move |error| Unmeasurable(format!("{what}: {error}"))
}

/// Whose directories and module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Watched and pushed by sersync.
    Sersync,
    /// Pushed by hand.
    Hand,
    /// Watched by another sersync, and pushed over SSH.
    Ssh,
}

/// The sides that there always are.
const DAEMON_SIDES: [Side; 2] = [Side::Sersync, Side::Hand];

impl Side {
    /// The directory's and the daemon module's name.
    fn name(self) -> &'static str {
        match self {
            Side::Sersync => "watched",
            Side::Hand => "byhand",
            Side::Ssh => "overssh",
        }
    }
}

/// How the daemon at the far side is set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// As it is without settings: its answers may wait 40 ms for our acknowledgement, or not, as the
    /// kernel's guess goes. So its times are of two kinds, and medians jump.
    Stock,
    /// With the settings that README.md advises.
    Advised,
}

/// Who carries a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The running sersync, by itself.
    Sersync,
    /// One rsync, started when the file is there.
    Hand {
        /// With `--sockopts=TCP_NODELAY`.
        nodelay: bool,
    },
    /// The sersync that pushes over SSH, by itself.
    SersyncOverSsh,
    /// One rsync over SSH, started when the file is there.
    HandOverSsh {
        /// Over a connection that stands already.
        shared: bool,
    },
}

/// Processor time used up to some moment.
#[derive(Clone, Copy)]
pub struct Cpu {
    /// By sersync's own threads.
    pub own: Duration,
    /// By the processes that it started and that have ended.
    pub children: Duration,
}

impl Cpu {
    /// What was used after `earlier`.
    pub fn since(self, earlier: Cpu) -> Cpu {
        Cpu {
            own: self.own.saturating_sub(earlier.own),
            children: self.children.saturating_sub(earlier.children),
        }
    }
}

/// Everything that runs, and where it lies.
pub struct Stage {
    // In the order in which they should go: fields are dropped from the first to the last.
    sersync: Running,
    over_ssh: Option<(Running, Sshd)>,
    _daemon: Running,
    port: u16,
    directory: TempDir,
}

impl Stage {
    /// Starts the daemon and sersync, and waits until the first full sync has arrived.
    ///
    /// `SERSYNC_BENCH_DIR` is the directory for everything (`scripts/bench.sh` sets it), by default the
    /// memory of /dev/shm; `SERSYNC_BIN` is the program to measure, by default the one that was just built.
    pub fn set_up(daemon: Daemon) -> Result<Stage, Unmeasurable> {
        let base = std::env::var_os("SERSYNC_BENCH_DIR").unwrap_or_else(|| "/dev/shm".into());
        let directory = tempfile::Builder::new()
            .prefix("sersync-bench.")
            .tempdir_in(&base)
            .map_err(while_doing(format!("making a directory in {}", base.to_string_lossy())))?;
        for end in ["near", "far"] {
            for side in [Side::Sersync, Side::Hand, Side::Ssh] {
                let path = directory.path().join(end).join(side.name());
                fs::create_dir_all(&path).map_err(while_doing(path.display()))?;
            }
        }
        let (daemon, port) = start_daemon(daemon, directory.path())?;
        let name = Side::Sersync.name();
        let remote = Remote { name, port, params: "-artz", ssh: false };
        let sersync = start_sersync(directory.path(), Side::Sersync, &remote)?;
        let stage = Stage { sersync, over_ssh: None, _daemon: daemon, port, directory };
        stage.all_arrived(Side::Sersync, &["before"])?;
        Ok(stage)
    }

    /// Starts an sshd, and the sersync that pushes to it; waits until its first full sync has arrived.
    pub fn add_ssh(&mut self) -> Result<(), Unmeasurable> {
        let sshd = Sshd::start(self.directory.path())?;
        let far = self.far(Side::Ssh).display().to_string();
        let params = format!("-artz -e '{}'", sshd.client);
        let remote = Remote { name: &far, port: sshd.port, params: &params, ssh: true };
        let sersync = start_sersync(self.directory.path(), Side::Ssh, &remote)?;
        self.over_ssh = Some((sersync, sshd));
        self.all_arrived(Side::Ssh, &["before"])
    }

    /// What the figures depend on, in two lines.
    pub fn facts(&self) -> Result<String, Unmeasurable> {
        let rsync = output(Command::new("rsync").arg("--version"))?;
        let rsync = rsync.split_whitespace().nth(2).unwrap_or("of unknown version");
        let sersync = output(Command::new(program()).arg("--version"))?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_err(while_doing("/proc/sys/kernel/osrelease"))?;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Ok(format!(
            "{}, rsync {rsync} as client and daemon, one remote on loopback\nLinux {}, {processors} processors, files in {}",
            sersync.lines().next().unwrap_or("sersync"),
            kernel.trim_end(),
            self.directory.path().display()
        ))
    }

    /// Writes the file of single changes; the time from closing it until its content is at the far side.
    pub fn change(&self, by: By, content: &[u8]) -> Result<Duration, Unmeasurable> {
        let side = match by {
            By::Sersync => Side::Sersync,
            By::SersyncOverSsh => Side::Ssh,
            By::Hand { .. } | By::HandOverSsh { .. } => Side::Hand,
        };
        let near = self.near(side).join(CHANGED);
        let far = self.far(side).join(CHANGED);
        fs::write(&near, content).map_err(while_doing(near.display()))?;
        let closed = Instant::now();
        let rsync = match by {
            By::Sersync | By::SersyncOverSsh => None,
            By::Hand { nodelay } => Some(self.start_rsync(nodelay, CHANGED)?),
            By::HandOverSsh { shared } => Some(self.start_rsync_over_ssh(shared)?),
        };
        wait_until(&format!("the new content of {}", far.display()), || {
            fs::read(&far).is_ok_and(|there| there == content)
        })?;
        let latency = closed.elapsed();
        rsync.map_or(Ok(()), ended_well)?;
        Ok(latency)
    }

    /// One rsync of everything on the side for it; the time until all of `paths` are at the far side.
    pub fn push_by_hand(&self, paths: &[String]) -> Result<Duration, Unmeasurable> {
        let started = Instant::now();
        let rsync = self.start_rsync(true, "./")?;
        self.all_arrived(Side::Hand, paths)?;
        let time = started.elapsed();
        ended_well(rsync)?;
        Ok(time)
    }

    /// Makes the files `paths`, which lie one directory deep in `top`, each of `length` bytes.
    pub fn write_all(
        &self,
        side: Side,
        top: &str,
        paths: &[String],
        length: usize,
    ) -> Result<(), Unmeasurable> {
        let near = self.near(side);
        let content = vec![b'y'; length];
        let top = near.join(top);
        fs::create_dir(&top).map_err(while_doing(top.display()))?;
        for path in paths {
            let path = near.join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(while_doing(parent.display()))?;
            }
            fs::write(&path, &content).map_err(while_doing(path.display()))?;
        }
        Ok(())
    }

    /// Returns as soon as all of `paths` are at the far side. rsync gives a file its name when it is complete,
    /// so being there is enough.
    pub fn all_arrived(&self, side: Side, paths: &[impl AsRef<Path>]) -> Result<(), Unmeasurable> {
        let far = self.far(side);
        let mut arrived = 0;
        wait_until(&format!("{} files in {}", paths.len(), far.display()), || {
            while arrived < paths.len() && far.join(&paths[arrived]).exists() {
                arrived += 1;
            }
            arrived == paths.len()
        })
    }

    /// Removes `top` near and far, and waits, where sersync does it, until it has.
    pub fn remove(&self, side: Side, top: &str) -> Result<(), Unmeasurable> {
        let near = self.near(side).join(top);
        let far = self.far(side).join(top);
        fs::remove_dir_all(&near).map_err(while_doing(near.display()))?;
        match side {
            Side::Sersync | Side::Ssh => {
                wait_until(&format!("{} to be deleted", far.display()), || !far.exists())
            }
            Side::Hand => fs::remove_dir_all(&far).map_err(while_doing(far.display())),
        }
    }

    /// How many times sersync's rsync processes have connected so far, by the daemon's log.
    pub fn connections(&self) -> Result<usize, Unmeasurable> {
        let log = self.directory.path().join("rsyncd.log");
        let log = fs::read_to_string(&log).map_err(while_doing(log.display()))?;
        let sign = format!("rsync to {}", Side::Sersync.name());
        Ok(log.lines().filter(|line| line.contains(&sign)).count())
    }

    /// Processor time of sersync up to now.
    pub fn cpu(&self) -> Result<Cpu, Unmeasurable> {
        let process = PathBuf::from(format!("/proc/{}", self.sersync.0.id()));
        let stat = process.join("stat");
        let stat = fs::read_to_string(&stat).map_err(while_doing(stat.display()))?;
        // The name in parentheses may hold anything; behind it, user and system time of the process and of its
        // children that have been waited for are the fields 12 to 15.
        let fields: Vec<u32> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(11)
            .take(4)
            .filter_map(|field| field.parse().ok())
            .collect();
        let [user, system, children_user, children_system] = fields[..] else {
            return Err(Unmeasurable(format!("unexpected content of /proc/PID/stat: {stat}")));
        };
        let own = precise_cpu(&process).unwrap_or(TICK * (user + system));
        Ok(Cpu { own, children: TICK * (children_user + children_system) })
    }

    fn near(&self, side: Side) -> PathBuf {
        self.directory.path().join("near").join(side.name())
    }

    fn far(&self, side: Side) -> PathBuf {
        self.directory.path().join("far").join(side.name())
    }

    fn start_rsync(&self, nodelay: bool, what: &str) -> Result<Child, Unmeasurable> {
        let mut rsync = Command::new("rsync");
        rsync.current_dir(self.near(Side::Hand)).args(["-artz", "-R"]);
        if nodelay {
            rsync.arg("--sockopts=TCP_NODELAY");
        }
        rsync.arg(format!("--port={}", self.port)).arg(what);
        rsync.arg(format!("127.0.0.1::{}", Side::Hand.name()));
        rsync.stdin(Stdio::null()).stdout(Stdio::null());
        rsync.spawn().map_err(while_doing("starting rsync"))
    }

    fn start_rsync_over_ssh(&self, shared: bool) -> Result<Child, Unmeasurable> {
        let Some((_, sshd)) = &self.over_ssh else {
            return Err(Unmeasurable("there is no sshd on this stage".to_string()));
        };
        let mut shell = format!("{} -p {}", sshd.client, sshd.port);
        if shared {
            let socket = self.directory.path().join("socket");
            shell += &format!(
                " -o ControlMaster=auto -o ControlPersist=10 -o ControlPath={}",
                socket.display()
            );
        }
        let mut rsync = Command::new("rsync");
        rsync.current_dir(self.near(Side::Hand)).args(["-artz", "-R", "-e", &shell, CHANGED]);
        rsync.arg(format!("127.0.0.1:{}", self.far(Side::Hand).display()));
        rsync.stdin(Stdio::null()).stdout(Stdio::null());
        rsync.spawn().map_err(while_doing("starting rsync"))
    }
}

/// The processor time of all threads in nanoseconds, where the kernel counts it: the ticks of /proc/PID/stat are
/// too coarse for a program that hardly works.
fn precise_cpu(process: &Path) -> Option<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(process.join("task")).ok()? {
        let counts = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanos += counts.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// A process that is asked to end, and waited for, when it is no longer needed.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to be done about failures here: it has ended, or it is killed below.
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < STOP_TIME {
            if let Ok(Some(_)) = self.0.try_wait() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_daemon(daemon: Daemon, directory: &Path) -> Result<(Running, u16), Unmeasurable> {
    let port = free_port()?;
    let mut text = format!(
        "address = 127.0.0.1\nport = {port}\nlog file = {}\nuse chroot = no\n",
        directory.join("rsyncd.log").display()
    );
    match daemon {
        Daemon::Stock => {}
        Daemon::Advised => text += "socket options = TCP_NODELAY\nreverse lookup = no\n",
    }
    // A daemon of root becomes nobody unless told otherwise; whose directory this is says who we are.
    let owner = fs::metadata(directory).map_err(while_doing(directory.display()))?.uid();
    if owner == 0 {
        text += "uid = 0\ngid = 0\n";
    }
    for side in DAEMON_SIDES {
        let far = directory.join("far").join(side.name());
        text += &format!("[{}]\npath = {}\nread only = no\n", side.name(), far.display());
    }
    let file = directory.join("rsyncd.conf");
    fs::write(&file, text).map_err(while_doing(file.display()))?;
    let daemon = Command::new("rsync")
        .args(["--daemon", "--no-detach"])
        .arg(format!("--config={}", file.display()))
        .stdin(Stdio::null())
        .spawn()
        .map(Running)
        .map_err(while_doing("starting the rsync daemon"))?;
    wait_until("the rsync daemon's greeting", || greets(port).unwrap_or(false))?;
    Ok((daemon, port))
}

/// Free now, and hardly taken by somebody else in the next millisecond.
pub fn free_port() -> Result<u16, Unmeasurable> {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(while_doing("looking for a free port"))?.port())
}

/// Whether somebody takes connections.
pub fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn greets(port: u16) -> io::Result<bool> {
    let mut greeting = [0; 8];
    TcpStream::connect(("127.0.0.1", port))?.read_exact(&mut greeting)?;
    Ok(&greeting == b"@RSYNCD:")
}

/// What a configuration says about its remote.
struct Remote<'a> {
    name: &'a str,
    port: u16,
    params: &'a str,
    ssh: bool,
}

/// As a user would start it: `sersync -r -o confxml.xml`.
fn start_sersync(directory: &Path, side: Side, remote: &Remote) -> Result<Running, Unmeasurable> {
    let near = directory.join("near").join(side.name());
    let before = near.join("before");
    fs::write(&before, "pushed by -r").map_err(while_doing(before.display()))?;
    let configuration = directory.join(format!("{}.xml", side.name()));
    let text = format!(
        include_str!("confxml.xml"),
        near = near.display(),
        name = remote.name,
        port = remote.port,
        params = remote.params,
        ssh = remote.ssh,
        fail_log = directory.join(format!("{}.fail.sh", side.name())).display(),
    );
    fs::write(&configuration, text).map_err(while_doing(configuration.display()))?;

    let log = directory.join(format!("{}.log", side.name()));
    let file = File::create(&log).map_err(while_doing(log.display()))?;
    let both = file.try_clone().map_err(while_doing(log.display()))?;
    let mut sersync = Command::new(program())
        .arg("-r")
        .arg("-o")
        .arg(&configuration)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(both)
        .spawn()
        .map(Running)
        .map_err(while_doing(format!("starting {}", program().display())))?;
    let watches = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        log.lines().any(|line| line.starts_with("watch path is:"))
    };
    wait_until("sersync to watch", || watches() || matches!(sersync.0.try_wait(), Ok(Some(_))))?;
    if watches() {
        Ok(sersync)
    } else {
        let log = fs::read_to_string(&log).unwrap_or_default();
        Err(Unmeasurable(format!("sersync ended before it watched. It said:\n{log}")))
    }
}

fn program() -> PathBuf {
    std::env::var_os("SERSYNC_BIN").map_or(env!("CARGO_BIN_EXE_sersync").into(), PathBuf::from)
}

fn output(command: &mut Command) -> Result<String, Unmeasurable> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(while_doing(format!("running {name}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ended_well(mut rsync: Child) -> Result<(), Unmeasurable> {
    let status = rsync.wait().map_err(while_doing("waiting for rsync"))?;
    if status.success() {
        Ok(())
    } else {
        Err(Unmeasurable(format!("rsync by hand failed ({status}); it said why above")))
    }
}

pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) -> Result<(), Unmeasurable> {
    let started = Instant::now();
    while !happened() {
        if started.elapsed() > PATIENCE {
            return Err(Unmeasurable(format!("waited {} s for {what}", PATIENCE.as_secs())));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
