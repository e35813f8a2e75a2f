//! A real sshd on a loopback port of its own, that lets in one generated key and nothing else.

use super::child::{free_port, Child};
use super::old_rsync::{path_of, Version};
use super::{until, DEADLINE};
use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where distributions put the server, which is started by its full path only.
const SSHD_PLACES: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
/// The directory that sshd wants for its unprivileged half; distributions make it at boot.
const SEPARATION_DIR: &str = "/run/sshd";

/// A running sshd; ended with the value. Connections that stand are not: as with a real one, they
/// live on until the client closes them.
pub struct Sshd {
    dir: PathBuf,
    port: u16,
    rsync: Option<Version>,
    running: Option<Child>,
}

impl Sshd {
    /// Makes the keys in `dir`, starts the server, and returns when it accepts connections.
    pub fn start(dir: &Path) -> Sshd {
        Sshd::with_rsync(dir, Version::there())
    }

    /// The same for a machine whose rsync is of this version, or of today.
    pub fn with_rsync(dir: &Path, rsync: Option<Version>) -> Sshd {
        fs::create_dir_all(dir.join("home")).unwrap();
        fs::create_dir_all(SEPARATION_DIR).unwrap();
        generate(&dir.join("host_key"));
        generate(&dir.join("user_key"));
        fs::copy(dir.join("user_key.pub"), dir.join("authorized_keys")).unwrap();
        let mut sshd = Sshd { dir: dir.to_path_buf(), port: free_port(), rsync, running: None };
        sshd.start_again();
        sshd
    }

    /// Starts the server on the same port, after [`Sshd::stop`].
    pub fn start_again(&mut self) {
        let config = self.dir.join("sshd_config");
        fs::write(&config, server_config(&self.dir, self.port, self.rsync)).unwrap();
        let program = SSHD_PLACES.iter().find(|place| Path::new(place).exists());
        let program = program.expect("sshd is not installed; the tests need it");
        let output = fs::File::options().append(true).create(true).open(self.output()).unwrap();
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(&config);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        self.running = Some(Child::spawn(&mut command));
        until("sshd accepts connections", DEADLINE, || {
            TcpStream::connect(("127.0.0.1", self.port)).map_err(|e| {
                format!("{e}; {}", fs::read_to_string(self.output()).unwrap_or_default())
            })
        });
    }

    /// Cuts the connections that stand, and has it take no more. It is held before, so that none
    /// comes in between.
    pub fn stop(&mut self) {
        self.running.as_ref().expect("it runs").signal(Signal::SIGSTOP);
        self.cut_connections();
        self.running = None;
    }

    /// Cuts the connections that stand.
    pub fn cut_connections(&self) {
        let sshd = self.running.as_ref().expect("it runs").pid();
        let ours = |stat: &str| {
            let parent = stat.rsplit(") ").next().unwrap_or_default().split(' ').nth(1);
            parent == Some(&sshd.to_string())
        };
        let stats = fs::read_dir("/proc").unwrap().flatten();
        let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
        for stat in stats.filter(|stat| ours(stat)) {
            let pid = stat.split(' ').next().unwrap().parse().unwrap();
            // That it has just ended by itself is what was wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }

    /// How often somebody has logged in.
    pub fn logins(&self) -> usize {
        let output = fs::read_to_string(self.output()).unwrap_or_default();
        output.lines().filter(|line| line.starts_with("Accepted publickey")).count()
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The client with what it needs to get in, without the port, as the value of rsync's `-e`.
    pub fn client(&self) -> String {
        format!(
            "ssh -F none -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={} \
             -o StrictHostKeyChecking=no -o BatchMode=yes -o LogLevel=ERROR",
            self.dir.join("user_key").display(),
            self.known_hosts().display(),
        )
    }

    /// The file in which [`Sshd::client`] keeps the host key.
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    /// dropbear's client with a key of its own and no look at the host key, as the value of `-e`.
    pub fn dropbear_client(&self) -> String {
        let key = self.dir.join("dropbear_key");
        let mut command = Command::new("dropbearkey");
        let output = command.args(["-t", "ed25519", "-f"]).arg(&key).output();
        let output = output.unwrap_or_else(|e| panic!("cannot run dropbearkey: {e}"));
        let told = String::from_utf8(output.stdout).unwrap();
        let public = told.lines().find(|line| line.starts_with("ssh-ed25519 "));
        let public = public.unwrap_or_else(|| panic!("no key from dropbearkey: {told}"));
        let authorized = self.dir.join("authorized_keys");
        fs::write(&authorized, fs::read_to_string(&authorized).unwrap() + public + "\n").unwrap();
        format!("dbclient -y -y -i {}", key.display())
    }

    fn output(&self) -> PathBuf {
        self.dir.join("sshd.output")
    }
}

/// A home of its own, so that a login reads no files of whoever runs the tests.
fn server_config(dir: &Path, port: u16, rsync: Option<Version>) -> String {
    let path = rsync.map(|_| format!(" PATH={}", path_of(rsync))).unwrap_or_default();
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nListenAddress ::1\nHostKey {0}/host_key\nPidFile none\n\
         AuthorizedKeysFile {0}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
         MaxStartups 100\nMaxSessions 100\nSetEnv HOME={0}/home{path}\n",
        dir.display()
    )
}

fn generate(key: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key);
    let status = command.status().unwrap_or_else(|e| panic!("cannot run ssh-keygen: {e}"));
    assert!(status.success(), "ssh-keygen ended with {status}");
}
