//! A real sshd on a loopback port of its own, that lets in one generated key and nothing else.

use super::child::{free_port, Child};
use super::{until, DEADLINE};
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where distributions put the server, which is started by its full path only.
const SSHD_PLACES: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
/// The directory that sshd wants for its unprivileged half; distributions make it at boot.
const SEPARATION_DIR: &str = "/run/sshd";

/// A running sshd; ended with the value.
pub struct Sshd {
    dir: PathBuf,
    port: u16,
    _running: Child,
}

impl Sshd {
    /// Makes the keys in `dir`, starts the server, and returns when it accepts connections.
    pub fn start(dir: &Path) -> Sshd {
        fs::create_dir_all(dir).unwrap();
        fs::create_dir_all(SEPARATION_DIR).unwrap();
        let (host_key, user_key) = (dir.join("host_key"), dir.join("user_key"));
        generate(&host_key);
        generate(&user_key);
        let port = free_port();
        let config = dir.join("sshd_config");
        fs::write(&config, server_config(dir, port)).unwrap();
        let program = SSHD_PLACES.iter().find(|place| Path::new(place).exists());
        let program = program.expect("sshd is not installed; the tests need it");
        let output = fs::File::create(dir.join("sshd.output")).unwrap();
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(&config);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let running = Child::spawn(&mut command);
        until("sshd accepts connections", DEADLINE, || {
            TcpStream::connect(("127.0.0.1", port)).map_err(|e| {
                format!("{e}; {}", fs::read_to_string(dir.join("sshd.output")).unwrap_or_default())
            })
        });
        Sshd { dir: dir.to_path_buf(), port, _running: running }
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
            self.dir.join("known_hosts").display(),
        )
    }
}

fn server_config(dir: &Path, port: u16) -> String {
    format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host_key\nPidFile none\n\
         AuthorizedKeysFile {0}/user_key.pub\nStrictModes no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
         MaxStartups 100\nMaxSessions 100\n",
        dir.display()
    )
}

fn generate(key: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key);
    let status = command.status().unwrap_or_else(|e| panic!("cannot run ssh-keygen: {e}"));
    assert!(status.success(), "ssh-keygen ended with {status}");
}
