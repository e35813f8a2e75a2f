//! A real rsync daemon on a loopback port of its own, with as many modules as a test asks for.

use super::child::{free_port, Child};
use super::old_daemon::OldDaemon;
use super::old_rsync::Version;
use super::{until, Far, DEADLINE};
use nix::sys::signal::Signal;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long one connection may take to greet before it is tried again.
const GREETING_WAIT: Duration = Duration::from_secs(2);

/// The daemon: first its modules are named, then it is started, stopped and started again at will.
pub struct Daemon {
    dir: PathBuf,
    port: u16,
    modules: Vec<(String, PathBuf)>,
    user: Option<String>,
    /// Lines that stand in every module.
    lines: Vec<String>,
    version: Option<Version>,
    address: Ipv4Addr,
    /// The host that it runs on; this one, if there is none.
    host: Option<Far>,
    running: Option<(Child, Option<OldDaemon>)>,
}

impl Daemon {
    /// A daemon that is not running yet, with its files in `dir`.
    pub fn new(dir: &Path) -> Daemon {
        fs::create_dir_all(dir).unwrap();
        let (dir, version) = (dir.to_path_buf(), Version::there());
        Daemon {
            dir,
            port: free_port(),
            modules: Vec::new(),
            user: None,
            lines: Vec::new(),
            version,
            address: Ipv4Addr::LOCALHOST,
            host: None,
            running: None,
        }
    }

    /// From the next start on it is of this version.
    pub fn is_of(&mut self, version: Option<Version>) {
        self.version = version;
    }

    /// From the next start on it runs at the far side of a wire, and has this address.
    pub fn is_at(&mut self, address: Ipv4Addr, far: Far) {
        (self.address, self.host) = (address, Some(far));
    }

    /// Adds a module, and gives the (new, empty) directory that it writes to.
    pub fn module(&mut self, name: &str) -> PathBuf {
        let path = self.dir.join("modules").join(name);
        fs::create_dir_all(&path).unwrap();
        self.modules.push((name.to_string(), path.clone()));
        path
    }

    /// From the next start on, every module wants this user and password.
    pub fn require(&mut self, user: &str, password: &str) {
        let secrets = self.dir.join("rsyncd.secrets");
        fs::write(&secrets, format!("{user}:{password}\n")).unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
        self.user = Some(user.to_string());
    }

    /// From the next start on, every module has this line, which counts more than what is there.
    pub fn every_module(&mut self, line: &str) {
        self.lines.push(line.to_string());
    }

    /// The port on 127.0.0.1, the same over all restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and returns when it greets who connects.
    pub fn start(&mut self) {
        let config = self.dir.join("rsyncd.conf");
        fs::write(&config, self.config()).unwrap();
        let output = fs::File::create(self.dir.join("rsyncd.output")).unwrap();
        let mut command = Command::new("rsync");
        command.args(["--daemon", "--no-detach"]).arg(format!("--address={}", self.address));
        self.host.iter().for_each(|far| far.host(&mut command));
        let behind = self.version.map(|_| free_port());
        command.arg(format!("--port={}", behind.unwrap_or(self.port)));
        command.arg(format!("--config={}", config.display()));
        command.args(self.version.map(|version| format!("--protocol={}", version.protocol())));
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = Child::spawn(&mut command);
        let old = self.version.zip(behind);
        let old = old.map(|(version, behind)| OldDaemon::listen(version, self.port, behind));
        self.running = Some((child, old));
        until("the rsync daemon greets", DEADLINE, || match self.greeting() {
            Ok(greeting) if greeting.starts_with("@RSYNCD:") => Ok(()),
            Ok(greeting) => Err(format!("it says {greeting:?}")),
            Err(e) => Err(format!("{e}; it said: {}", self.output())),
        });
    }

    /// Ends it and its connections. They are asked and not killed, because a killed rsync leaves
    /// its temporary files in the module, which no later run could know to be rubbish.
    pub fn stop(&mut self) {
        let Some((mut child, _old)) = self.running.take() else { return };
        child.signal(Signal::SIGTERM);
        until("the rsync daemon ends", DEADLINE, || child.ended().ok_or("it still runs".into()));
    }

    /// Sends a signal to it and to those that serve its connections.
    pub fn signal(&self, signal: Signal) {
        self.running.iter().for_each(|(child, _)| child.signal(signal));
    }

    /// How many connections a module was opened for so far, by the daemon's own log.
    pub fn connections(&self) -> usize {
        self.log().lines().filter(|line| line.contains(" rsync to ")).count()
    }

    /// Everything that the daemon has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("rsyncd.log")).unwrap_or_default()
    }

    fn output(&self) -> String {
        fs::read_to_string(self.dir.join("rsyncd.output")).unwrap_or_default()
    }

    fn greeting(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((self.address, self.port))?;
        stream.set_read_timeout(Some(GREETING_WAIT))?;
        let mut start = [0; 8];
        stream.read_exact(&mut start)?;
        Ok(String::from_utf8_lossy(&start).into_owned())
    }

    fn config(&self) -> String {
        // Without `munge symlinks = no` a daemon that does not chroot rewrites every symlink.
        let mut text =
            String::from("use chroot = no\nmunge symlinks = no\nuid = root\ngid = root\n");
        text += "read only = no\nreverse lookup = no\nmax connections = 0\n";
        writeln!(text, "log file = {}", self.dir.join("rsyncd.log").display()).unwrap();
        // Where `max connections` are counted; by default all daemons of a machine share it.
        writeln!(text, "lock file = {}", self.dir.join("rsyncd.lock").display()).unwrap();
        if self.version.is_some() {
            // Who listens in its place acknowledges late, unlike the program's kernel, and would cost 40 ms a run.
            text += "socket options = TCP_NODELAY\n";
        }
        for (name, path) in &self.modules {
            writeln!(text, "[{name}]\npath = {}", path.display()).unwrap();
            self.lines.iter().for_each(|line| writeln!(text, "{line}").unwrap());
            if let Some(user) = &self.user {
                let secrets = self.dir.join("rsyncd.secrets");
                writeln!(text, "auth users = {user}\nsecrets file = {}", secrets.display())
                    .unwrap();
            }
        }
        text
    }
}
