//! The SSH client on this machine, and the connections that its runs share.
//!
//! Owns where the sockets of the connections are, and their end. A connection is made by the first run
//! that finds none (`rsync::asked::remote_shell` has the options), and stays for a while after each run: so a
//! single change does not pay for a handshake. Nothing depends on it: without a socket, or with one
//! behind which nobody answers, ssh makes a new connection. `prepare` asks for the client, the loop
//! keeps the sockets, and a worker closes a connection over which a run has failed.

use crate::config::{Address, Rsync};
use crate::rsync::asked::remote_shell::{
    can_share, may_name_socket, openssh_version, RemoteShell, Version, SSH,
};
use crate::sys::private_directory::{self, PrivateDirectory};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How the directory of the sockets is called, before the process number.
const PREFIX: &str = "sersync-ssh-";
/// The kernel takes 107 bytes for a socket's path. ssh makes the socket under a temporary name, which is 17
/// bytes longer, and renames it.
const SOCKET_PATH_BYTES_MAX: usize = 90;
/// What a socket's name takes of these: a slash and the number of the remote.
const SOCKET_NAME_BYTES_MAX: usize = 6;
/// How long it may take to close all connections together. One that does not answer by then ends by itself
/// later; this program was asked to end and should not wait for it.
const CLOSE_MAX: Duration = Duration::from_millis(1_000);

/// The clients on this machine, each asked once for its version.
#[derive(Debug, Default)]
pub struct Clients {
    versions: Vec<(OsString, Option<Version>)>,
}

impl Clients {
    /// The client with which the runs of a remote can share a connection, if there is one; otherwise
    /// each run has a connection of its own.
    ///
    /// Where the user named no remote shell and the client is not OpenSSH, plain `ssh` is named in the
    /// parameters: such a client does not know the options that are added otherwise.
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
        let version = self.version(&program);
        if version.is_none() && shell.is_none() {
            rsync.params.extend([b"-e".to_vec(), SSH.into()]);
        }
        version.is_some_and(can_share).then_some(program)
    }

    fn version(&mut self, program: &OsStr) -> Option<Version> {
        if let Some((_, version)) = self.versions.iter().find(|(known, _)| known == program) {
            return *version;
        }
        let version = version(program);
        self.versions.push((program.to_owned(), version));
        version
    }
}

/// The version of an OpenSSH client. If the client cannot be run, nothing is said here: the first rsync will
/// fail and say it.
pub fn version(program: &OsStr) -> Option<Version> {
    let told = Command::new(program).arg("-V").stdin(Stdio::null()).output().ok()?;
    openssh_version(&[told.stderr, told.stdout].concat())
}

/// The sockets of all remotes. When the value is dropped, the connections are closed.
#[derive(Debug)]
pub struct Sockets {
    /// Of each remote, if its runs can share one.
    connections: Vec<Option<Connection>>,
    /// Removed when it is dropped.
    _directory: PrivateDirectory,
}

impl Sockets {
    /// A socket for each remote that has a client with which its runs can share a connection. `None` if there
    /// is no such remote, or no place for sockets: that is said, and each run makes a connection of its own.
    pub fn open(clients: Vec<Option<OsString>>) -> Option<Sockets> {
        clients.iter().flatten().next()?;
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
        let connection = |(number, client): (usize, Option<OsString>)| {
            let socket = directory.path().join(number.to_string());
            client.map(|client| Connection { client, socket })
        };
        let connections = clients.into_iter().enumerate().map(connection).collect();
        Some(Sockets { connections, _directory: directory })
    }

    /// The connection of each remote, in the order of the clients.
    pub fn connections(&self) -> &[Option<Connection>] {
        &self.connections
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        close(self.connections.iter().flatten().filter(|connection| connection.stands()));
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

    /// Whether there is one, as far as its socket shows.
    pub fn stands(&self) -> bool {
        self.socket.exists()
    }

    /// Ends it, so that the next run makes a new one.
    pub fn close(&self) {
        if self.stands() {
            close(std::iter::once(self));
            // If it did not answer, its socket is still there.
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
        // The user's ssh configuration is left out, since it could be in the way. The host's name does not
        // matter: the socket says which connection is meant.
        command.args(["-F", "/dev/null", "-o"]).arg(path).args(["-O", "exit", "shared"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
    };
    let asked: Vec<Child> = connections.filter_map(ask).collect();
    let until = Instant::now() + CLOSE_MAX;
    for mut child in asked {
        let left = until.saturating_duration_since(Instant::now());
        // The standard output of ssh is closed when ssh ends. Killing a process that has ended does nothing.
        if let Some(stdout) = &child.stdout {
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], left);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}
