//! Stands between a client and an rsync daemon as if that were older: an option that the version has
//! not is turned into one that nobody has, so the daemon itself refuses it.
//!
//! The daemon behind it speaks the old protocol by an option of its own. Called by `daemon`.

use super::old_rsync::Version;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::io::{self, copy, BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};

/// Put behind the name of an unknown option.
const UNKNOWN: &str = "-is-newer";
/// From this protocol on arguments end with a NUL, before with the end of a line.
const NUL_PROTOCOL: u32 = 30;

/// Listens until it is dropped; the connections that stand end with the daemon's.
pub struct OldDaemon {
    running: Option<(PipeWriter, JoinHandle<()>)>,
}

impl OldDaemon {
    /// Listens on one port of 127.0.0.1 and passes on to another.
    pub fn listen(version: Version, port: u16, behind: u16) -> OldDaemon {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, running) = io::pipe().unwrap();
        let thread = thread::spawn(move || serve(&listener, &stop, version, behind));
        OldDaemon { running: Some((running, thread)) }
    }
}

impl Drop for OldDaemon {
    fn drop(&mut self) {
        if let Some((running, thread)) = self.running.take() {
            drop(running);
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, stop: &PipeReader, version: Version, behind: u16) {
    loop {
        let flags = PollFlags::POLLIN;
        let mut fds = [PollFd::new(listener.as_fd(), flags), PollFd::new(stop.as_fd(), flags)];
        let _ = poll(&mut fds, PollTimeout::NONE);
        if fds[1].any().unwrap_or(true) {
            return;
        }
        let Ok((client, _)) = listener.accept() else { continue };
        // Without the daemon the client's connection ends here.
        let Ok(daemon) = TcpStream::connect(("127.0.0.1", behind)) else { continue };
        client.set_nonblocking(false).unwrap();
        for stream in [&client, &daemon] {
            stream.set_nodelay(true).unwrap();
        }
        let (from, to) = (daemon.try_clone().unwrap(), client.try_clone().unwrap());
        thread::spawn(move || {
            let _ = copy(&mut &from, &mut &to);
            let _ = to.shutdown(Shutdown::Both);
        });
        thread::spawn(move || {
            let _ = pass_on(&client, &daemon, version);
            let _ = daemon.shutdown(Shutdown::Write);
        });
    }
}

/// What the client says: greeting, module, an answer to the daemon's challenge if there was one, the
/// arguments, an empty one, and then what is no text.
fn pass_on(client: &TcpStream, mut daemon: &TcpStream, version: Version) -> io::Result<()> {
    let mut client = BufReader::new(client);
    let mut line = Vec::new();
    client.read_until(b'\n', &mut line)?;
    daemon.write_all(&line)?;
    let protocol = greeted(&line).map_or(version.protocol(), |own| own.min(version.protocol()));
    line.clear();
    client.read_until(b'\n', &mut line)?;
    daemon.write_all(&line)?;
    if !client.fill_buf()?.starts_with(b"--") {
        line.clear();
        client.read_until(b'\n', &mut line)?;
        daemon.write_all(&line)?;
    }
    let end = if protocol < NUL_PROTOCOL { b'\n' } else { 0 };
    loop {
        line.clear();
        if client.read_until(end, &mut line)? == 0 {
            return Ok(());
        }
        daemon.write_all(&refused(&line, version))?;
        if line == [end] {
            break;
        }
    }
    copy(&mut client, &mut daemon)?;
    Ok(())
}

/// The protocol in a greeting, as in `@RSYNCD: 29.0 md4`. The lower one of both sides is spoken.
fn greeted(line: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(line).ok()?;
    text.strip_prefix("@RSYNCD: ")?.split(['.', ' ', '\n']).next()?.parse().ok()
}

/// The argument as it is, or as one that is refused.
fn refused(argument: &[u8], version: Version) -> Vec<u8> {
    let text = String::from_utf8_lossy(argument);
    let name = text.strip_prefix("--").and_then(|text| text.split(['=', '\n', '\0']).next());
    match name {
        Some(name) if !version.knows(name) => {
            let end = argument.last().copied();
            format!("--{name}{UNKNOWN}").into_bytes().into_iter().chain(end).collect()
        }
        Some(_) | None => argument.to_vec(),
    }
}
