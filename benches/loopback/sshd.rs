//! An sshd on loopback that lets in one generated key, and the client that has it. Called by `stage`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::system::{free_port, listens, wait_until, while_doing, Running, Unmeasurable};

/// Where distributions put the server, which is started by its full path only.
const SSHD_PLACES: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
/// The directory that sshd wants for its unprivileged half; distributions make it at boot.
const SEPARATION_DIR: &str = "/run/sshd";

/// A running server.
pub struct Sshd {
    _running: Running,
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The client, without the port, as the value of rsync's `-e`.
    pub client: String,
}

impl Sshd {
    /// Starts it with everything that belongs to it in `directory`.
    pub fn start(directory: &Path) -> Result<Sshd, Unmeasurable> {
        // A home of its own: each login reads the shell's files there, and some take longer than rsync.
        for needed in [&directory.join("home"), Path::new(SEPARATION_DIR)] {
            fs::create_dir_all(needed).map_err(while_doing(needed.display()))?;
        }
        for key in ["host_key", "user_key"] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(key));
            keygen.status().map_err(while_doing("running ssh-keygen"))?;
        }
        let port = free_port()?;
        let config = directory.join("sshd_config");
        let here = directory.display();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host_key\nPidFile none\n\
             AuthorizedKeysFile {here}/user_key.pub\nStrictModes no\nPermitRootLogin yes\n\
             UsePAM no\nSetEnv HOME={here}/home\n"
        );
        fs::write(&config, text).map_err(while_doing(config.display()))?;
        let program = SSHD_PLACES.iter().find(|place| Path::new(place).exists());
        let program = program.ok_or_else(|| Unmeasurable("there is no sshd".to_string()))?;
        let running = Command::new(program)
            .args(["-D", "-q", "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .spawn()
            .map(Running::alone)
            .map_err(while_doing("starting sshd"))?;
        wait_until("sshd", || listens(port))?;
        let client = format!(
            "ssh -F none -i {here}/user_key -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR \
             -o StrictHostKeyChecking=no -o UserKnownHostsFile={here}/known_hosts"
        );
        Ok(Sshd { _running: running, port, client })
    }
}
