//! What a cascade is made of: a daemon with a module for each place, and instances that push from one to others.

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

/// A process that does not work after this time is broken.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A log that has not grown for this time is complete.
const LOG_RESTS: Duration = Duration::from_millis(500);
/// A file that every root has from the start: where it has arrived, the first sync is over.
const THERE: &str = "there";

/// All places, and the daemon that writes to all but the first.
pub struct Site {
    _daemon: Running,
    port: u16,
    directory: TempDir,
}

/// A process that is asked to end, and waited for.
struct Running(Child);

/// An instance that watches.
pub struct Node(Running);

impl Site {
    /// Makes the near place, a place for each name, and a daemon with a module for each and no other settings.
    pub fn set_up(names: &[String]) -> io::Result<Site> {
        let base = std::env::var_os("SERSYNC_BENCH_DIR").unwrap_or_else(|| "/dev/shm".into());
        let directory = tempfile::Builder::new().prefix("sersync-cascade.").tempdir_in(base)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let log = directory.path().join("rsyncd.log");
        let mut text = format!(
            "address = 127.0.0.1\nport = {port}\nuse chroot = no\nlog file = {}\n",
            log.display()
        );
        // A daemon that root started becomes nobody unless it is told otherwise. The directory's owner is who we are.
        if fs::metadata(directory.path())?.uid() == 0 {
            text += "uid = 0\ngid = 0\n";
        }
        fs::create_dir(directory.path().join("near"))?;
        fs::write(directory.path().join("near").join(THERE), "from the start")?;
        for name in names {
            let far = directory.path().join(name);
            fs::create_dir(&far)?;
            text += &format!("[{name}]\npath = {}\nread only = no\n", far.display());
        }
        let file = directory.path().join("rsyncd.conf");
        fs::write(&file, text)?;
        let mut daemon = Command::new("rsync");
        daemon.args(["--daemon", "--no-detach", &format!("--config={}", file.display())]);
        let daemon = Running(daemon.stdin(Stdio::null()).spawn()?);
        wait_for("the daemon", || {
            let mut greeting = [0; 8];
            let read = TcpStream::connect(("127.0.0.1", port))
                .and_then(|mut stream| stream.read_exact(&mut greeting));
            read.is_ok() && &greeting == b"@RSYNCD:"
        })?;
        Ok(Site { _daemon: daemon, port, directory })
    }

    /// Where changes are made.
    pub fn near(&self) -> PathBuf {
        self.far("near")
    }

    /// The place with this name.
    pub fn far(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts an instance that pushes from `near` to these places, and waits until it has pushed everything once.
    pub fn start(&self, near: &Path, names: &[String]) -> io::Result<Node> {
        let remotes: Vec<String> = names
            .iter()
            .map(|name| format!("            <remote ip=\"127.0.0.1\" name=\"{name}\"/>"))
            .collect();
        let own = near.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = format!(
            include_str!("confxml.xml"),
            near = near.display(),
            remotes = remotes.join("\n"),
            port = self.port,
            fail_log = self.far(&format!("fail-{own}.sh")).display(),
        );
        let file = self.far(&format!("confxml-{own}.xml"));
        fs::write(&file, text)?;
        let program = std::env::var_os("SERSYNC_BIN");
        let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_sersync").into());
        let mut command = Command::new(program);
        let log = File::create(self.far(&format!("log-{own}")))?;
        command.env("STATE_DIRECTORY", self.far(""));
        command.arg("-r").arg("-o").arg(&file).stdin(Stdio::null());
        let node = Node(Running(command.stdout(log.try_clone()?).stderr(log).spawn()?));
        wait_for("the first sync", || {
            names.iter().all(|name| self.far(name).join(THERE).exists())
        })?;
        Ok(node)
    }

    /// How long one rsync of a file to a place takes, from its start to its end.
    pub fn push_by_hand(&self, file: &str, name: &str) -> io::Result<Duration> {
        let mut rsync = Command::new("rsync");
        rsync.current_dir(self.near()).args(["-artzI", "--sockopts=TCP_NODELAY", "-R", file]);
        rsync.arg(format!("--port={}", self.port)).arg(format!("127.0.0.1::{name}"));
        let started = Instant::now();
        let ended = rsync.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        match ended.success() {
            true => Ok(started.elapsed()),
            false => Err(io::Error::other(format!("rsync ended with {ended}"))),
        }
    }

    /// How many bytes the places with these names have received, by the daemon's log. The log tells of a
    /// connection when it has ended, so this is right only after all instances have ended.
    pub fn received(&self, names: &[String]) -> io::Result<u64> {
        let file = self.far("rsyncd.log");
        let mut log = fs::read_to_string(&file)?;
        loop {
            thread::sleep(LOG_RESTS);
            let now = fs::read_to_string(&file)?;
            if now == log {
                break;
            }
            log = now;
        }
        let mut of_names = Vec::new();
        let mut bytes = 0;
        for line in log.lines() {
            let mut words = line.split_whitespace().skip(2);
            let Some(process) = words.next() else { continue };
            match words.collect::<Vec<_>>()[..] {
                ["rsync", "to", place, ..] => {
                    let place = place.trim_end_matches('/');
                    if names.iter().any(|name| name == place) {
                        of_names.push(process);
                    }
                }
                ["sent", _, "bytes", "received", received, ..] if of_names.contains(&process) => {
                    bytes += received.replace(',', "").parse().unwrap_or(0);
                }
                _ => {}
            }
        }
        Ok(bytes)
    }
}

impl Node {
    /// Its resident memory.
    pub fn rss_kib(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0 .0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| io::Error::other("no VmRSS in /proc/PID/status"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failure means that it has ended.
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

fn wait_for(what: &str, happened: impl Fn() -> bool) -> io::Result<()> {
    let started = Instant::now();
    while !happened() {
        if started.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("waited in vain for {what}")));
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
