//! The SSH client on this machine, and the connections that its runs share.
//!
//! Owns where the sockets of the connections are, and their end. A connection is made by the first run
//! that finds none (`rsync::remote_shell` has the options), and stays for a while after each run: so a
//! single change does not pay for a handshake. Nothing depends on it: without a socket, or with one
//! behind which nobody answers, ssh makes a new connection. `prepare` asks for the client, the loop
//! keeps the sockets, and a worker closes a connection over which a run has failed.

use crate::config::{Address, Rsync};
use crate::rsync::asked::remote_shell::{
    can_share, may_name_socket, openssh_version, RemoteShell, Version, SSH,
};
use crate::run::worker::WorkerRemote;
use crate::sorted::SortedMap;
use crate::sys::private_directory::{self, PrivateDirectory};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How the directory of the sockets is called, before the process number.
const PREFIX: &str = "sersync-ssh-";
/// The kernel takes 107 bytes for a socket's path. ssh makes the socket under a name of 17 bytes more
/// and renames it.
const SOCKET_PATH_BYTES_MAX: usize = 90;
/// The room for a socket's name in that: a slash and the number of the remote.
const SOCKET_NAME_BYTES_MAX: usize = 6;
/// What all connections together get to close. One that does not answer ends by itself: it is not
/// worth more of the time in which a program that was asked to end should do so.
const CLOSE_MAX: Duration = Duration::from_millis(1_000);

/// The clients on this machine, each asked once for its version.
#[derive(Debug, Default)]
pub struct Clients {
    versions: SortedMap<OsString, Option<Version>>,
}

impl Clients {
    /// The client with which the runs of a remote can share a connection, if there is one; otherwise
    /// each run has a connection of its own.
    ///
    /// A user who named no remote shell gets one that suits the client here: what is not OpenSSH does
    /// not know OpenSSH's options.
    pub fn suit(&mut self, address: &Address, rsync: &mut Rsync) -> Option<OsString> {
        if !matches!(address, Address::Ssh { .. }) {
            return None;
        }
        let shell = RemoteShell::of_params(&rsync.params);
        if shell.as_ref().is_some_and(|shell| !shell.is_ssh() || shell.decides_sharing()) {
            return None;
        }
        let program = shell.as_ref().map_or(SSH.as_bytes(), RemoteShell::program);
        let program = OsString::from_vec(program.to_vec());
        let known = self.versions.get(&program).copied();
        let version = known.unwrap_or_else(|| version(&program));
        self.versions.insert(program.clone(), version);
        if version.is_none() && shell.is_none() {
            rsync.params.extend([b"-e".to_vec(), SSH.into()]);
        }
        version.is_some_and(can_share).then_some(program)
    }
}

/// OpenSSH's version; of a client that cannot be run the first rsync says so.
pub fn version(program: &OsStr) -> Option<Version> {
    let told = Command::new(program).arg("-V").stdin(Stdio::null()).output().ok()?;
    openssh_version(&[told.stderr, told.stdout].concat())
}

/// The sockets of all remotes; the connections are closed when the value goes.
#[derive(Debug)]
pub struct Sockets {
    connections: Vec<Connection>,
    /// Removed with the value.
    _directory: PrivateDirectory,
}

impl Sockets {
    /// Gives each remote whose runs can share a connection a socket of its own. `None` if there is no
    /// such remote, or no place for sockets: that is said, and each run makes a connection of its own.
    pub fn open(remotes: &mut [Arc<WorkerRemote>]) -> Option<Sockets> {
        remotes.iter().find(|remote| remote.ssh_client.is_some())?;
        let places = places();
        private_directory::remove_leftovers(&places, PREFIX);
        let fits = |path: &Path| {
            let bytes = path.as_os_str().len() + SOCKET_NAME_BYTES_MAX;
            bytes <= SOCKET_PATH_BYTES_MAX && may_name_socket(path)
        };
        let directory = match PrivateDirectory::make(&places, PREFIX, fits) {
            Ok(directory) => directory,
            Err(error) => {
                log::warn!(
                    "no directory for the sockets of shared SSH connections ({error}): each batch \
                     makes a connection of its own; make /run or /tmp writable, or set \
                     XDG_RUNTIME_DIR to a directory with a short path"
                );
                return None;
            }
        };
        let mut connections = Vec::new();
        for (number, remote) in remotes.iter_mut().enumerate() {
            let Some(client) = remote.ssh_client.clone() else { continue };
            let socket = directory.path().join(number.to_string());
            let connection = Connection { client, socket };
            connections.push(connection.clone());
            let connection = Some(connection);
            *remote = Arc::new(WorkerRemote { connection, ..WorkerRemote::clone(remote) });
        }
        Some(Sockets { connections, _directory: directory })
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        close(self.connections.iter().filter(|connection| connection.stands()));
    }
}

/// The shared connection of one remote, whether it stands or not.
#[derive(Debug, Clone)]
pub struct Connection {
    client: OsString,
    socket: PathBuf,
}

impl Connection {
    /// Where its socket is, or is to be; `None` if the directory for it has gone (something cleans up
    /// there), which ssh would take for an error.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.parent().is_some_and(private_directory::is_ours).then_some(&self.socket)
    }

    /// Is there one, as far as can be seen without asking it?
    pub fn stands(&self) -> bool {
        self.socket.exists()
    }

    /// Ends it, so that the next run makes a new one.
    pub fn close(&self) {
        if self.stands() {
            close(std::iter::once(self));
            // One that could not be asked has its socket still.
            let _ = std::fs::remove_file(&self.socket);
        }
    }
}

/// Where the sockets may be, the best first: a system's own places, a user's own, and what every system
/// should have.
fn places() -> Vec<PathBuf> {
    let of_user = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let system = ["/run", "/var/run"].map(PathBuf::from);
    system.into_iter().chain(of_user).chain([std::env::temp_dir(), "/tmp".into()]).collect()
}

/// Asks connections to end, all at the same time.
fn close<'a>(connections: impl Iterator<Item = &'a Connection>) {
    let ask = |connection: &Connection| {
        let mut path = OsString::from("ControlPath=");
        path.push(&connection.socket);
        let mut command = Command::new(&connection.client);
        // No configuration is needed, and none must be in the way; nor does the host's name count.
        command.args(["-F", "/dev/null", "-o"]).arg(path).args(["-O", "exit", "shared"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
    };
    let asked: Vec<Child> = connections.filter_map(ask).collect();
    let until = Instant::now() + CLOSE_MAX;
    for mut child in asked {
        let left = until.saturating_duration_since(Instant::now());
        // Its standard output ends with it. Killing what has ended does nothing.
        if let Some(stdout) = &child.stdout {
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], left);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
