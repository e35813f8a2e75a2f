//! What a measurement is made on: a near directory, far ones, and the server that writes to them.
//!
//! Each measured program gets a stage of its own. Knows nothing of the programs, of goals or tables. Called by
//! `session`; dropping the stage ends its server and removes its directories.

use std::fs;
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::sshd::Sshd;
use super::system::{free_port, wait_until, while_doing, Running, Unmeasurable};

/// How the far side is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// An rsync daemon without settings. Its answers may wait 40 ms for our acknowledgement, or not: that depends
    /// on what the kernel guesses. So there are two kinds of times, and medians jump.
    StockDaemon,
    /// With the settings that README.md advises.
    AdvisedDaemon,
    /// Without those settings, but with a line in its log for each file that was sent.
    CountingDaemon,
    /// An sshd.
    Ssh,
}

enum Server {
    Daemon { _running: Running, port: u16 },
    Ssh(Sshd),
}

/// What the daemon's log says of the runs that have ended.
#[derive(Clone, Copy, Default)]
pub struct Traffic {
    /// How many runs of rsync there were.
    pub connections: usize,
    /// How many bytes went over the wire in both directions.
    pub bytes: u64,
    /// How many of them were the content of files; 0 unless the way is [`Way::CountingDaemon`].
    pub content_bytes: u64,
}

impl Traffic {
    /// What has been added since `earlier`.
    pub fn since(self, earlier: Traffic) -> Traffic {
        Traffic {
            connections: self.connections - earlier.connections,
            bytes: self.bytes - earlier.bytes,
            content_bytes: self.content_bytes - earlier.content_bytes,
        }
    }
}

/// The directories, and their server.
pub struct Stage {
    // Fields are dropped from the first to the last: the server must end before its directories go.
    server: Server,
    remotes: usize,
    directory: TempDir,
}

impl Stage {
    /// Makes the directories and starts the server.
    ///
    /// `SERSYNC_BENCH_DIR` is the directory for everything (`scripts/bench.sh` sets it), by default the
    /// memory of /dev/shm.
    pub fn set_up(way: Way, remotes: usize) -> Result<Stage, Unmeasurable> {
        let base = base();
        let directory = tempfile::Builder::new()
            .prefix("sersync-bench.")
            .tempdir_in(&base)
            .map_err(while_doing(format!("making a directory in {}", base.display())))?;
        make_directory(&directory.path().join("near"))?;
        for remote in 0..remotes {
            make_directory(&directory.path().join("far").join(module(remote)))?;
        }
        let server = match way {
            Way::Ssh => Server::Ssh(Sshd::start(directory.path())?),
            Way::StockDaemon | Way::AdvisedDaemon | Way::CountingDaemon => {
                let (running, port) = start_daemon(way, directory.path(), remotes)?;
                Server::Daemon { _running: running, port }
            }
        };
        Ok(Stage { server, remotes, directory })
    }

    /// Where everything lies: logs and configurations go here.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What is watched.
    pub fn near(&self) -> PathBuf {
        self.directory.path().join("near")
    }

    /// Where the remote of that number keeps its copy.
    pub fn far(&self, remote: usize) -> PathBuf {
        self.directory.path().join("far").join(module(remote))
    }

    /// Where all remotes keep their copies.
    pub fn fars(&self) -> Vec<PathBuf> {
        (0..self.remotes).map(|remote| self.far(remote)).collect()
    }

    /// The remotes' names for a configuration: a daemon's module, or the directory where SSH is the way.
    pub fn remote_names(&self) -> Vec<String> {
        match self.server {
            Server::Daemon { .. } => (0..self.remotes).map(module).collect(),
            Server::Ssh(_) => self.fars().iter().map(|far| far.display().to_string()).collect(),
        }
    }

    /// The server's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        match &self.server {
            Server::Daemon { port, .. } => *port,
            Server::Ssh(sshd) => sshd.port,
        }
    }

    /// The client to reach an sshd with, without the port.
    pub fn ssh(&self) -> Option<&str> {
        match &self.server {
            Server::Daemon { .. } => None,
            Server::Ssh(sshd) => Some(&sshd.client),
        }
    }

    /// What the daemon has logged up to now.
    pub fn traffic(&self) -> Result<Traffic, Unmeasurable> {
        let log = self.daemon_log();
        let log = fs::read(&log).map_err(while_doing(log.display()))?;
        let mut traffic = Traffic::default();
        for line in String::from_utf8_lossy(&log).lines() {
            // The first three words are the time and the process number.
            let words: Vec<&str> = line.split_whitespace().skip(3).collect();
            match words[..] {
                ["rsync", "to", ..] => traffic.connections += 1,
                ["sent", sent, "bytes", "received", received, "bytes", ..] => {
                    traffic.bytes += number(sent) + number(received);
                }
                ["recv", content, ..] => traffic.content_bytes += number(content),
                _ => {}
            }
        }
        Ok(traffic)
    }

    /// How long the daemon's log is. It grows when something goes on over there.
    pub fn daemon_log_length(&self) -> u64 {
        fs::metadata(self.daemon_log()).map_or(0, |log| log.len())
    }

    fn daemon_log(&self) -> PathBuf {
        self.directory.path().join("rsyncd.log")
    }
}

/// The daemon writes plain digits, or with commas.
fn number(digits: &str) -> u64 {
    digits.replace(',', "").parse().unwrap_or(0)
}

fn module(remote: usize) -> String {
    format!("m{remote}")
}

/// Where measurements are made.
pub fn base() -> PathBuf {
    std::env::var_os("SERSYNC_BENCH_DIR").map_or("/dev/shm".into(), PathBuf::from)
}

fn make_directory(path: &Path) -> Result<(), Unmeasurable> {
    fs::create_dir_all(path).map_err(while_doing(path.display()))
}

fn start_daemon(
    way: Way,
    directory: &Path,
    remotes: usize,
) -> Result<(Running, u16), Unmeasurable> {
    let port = free_port()?;
    let mut text = format!(
        "address = 127.0.0.1\nport = {port}\nlog file = {}\nuse chroot = no\n",
        directory.join("rsyncd.log").display()
    );
    if remotes > 1 {
        // This daemon stands for many. By default, five connections may wait for it: the kernel drops the sixth,
        // which is tried again after a second.
        text += "listen backlog = 1024\n";
    }
    match way {
        Way::StockDaemon | Way::Ssh => {}
        Way::AdvisedDaemon => text += "socket options = TCP_NODELAY\nreverse lookup = no\n",
        Way::CountingDaemon => text += "transfer logging = yes\nlog format = %o %b\n",
    }
    // A daemon that root started becomes nobody unless it is told otherwise. The directory's owner is who we are.
    let owner = fs::metadata(directory).map_err(while_doing(directory.display()))?.uid();
    if owner == 0 {
        text += "uid = 0\ngid = 0\n";
    }
    for remote in 0..remotes {
        let module = module(remote);
        let far = directory.join("far").join(&module);
        text += &format!("[{module}]\npath = {}\nread only = no\n", far.display());
    }
    let file = directory.join("rsyncd.conf");
    fs::write(&file, text).map_err(while_doing(file.display()))?;
    let daemon = Command::new("rsync")
        .args(["--daemon", "--no-detach"])
        .arg(format!("--config={}", file.display()))
        .stdin(Stdio::null())
        .spawn()
        .map(Running::alone)
        .map_err(while_doing("starting the rsync daemon"))?;
    wait_until("the rsync daemon's greeting", || greets(port).unwrap_or(false))?;
    Ok((daemon, port))
}

fn greets(port: u16) -> io::Result<bool> {
    let mut greeting = [0; 8];
    TcpStream::connect(("127.0.0.1", port))?.read_exact(&mut greeting)?;
    Ok(&greeting == b"@RSYNCD:")
}
