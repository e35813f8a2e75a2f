//! Asks the status server of a running instance: one request, one answer, none of it for long.
//!
//! Blocks; only `start::status` calls it, in the process of `--status`.

use super::http;
use crate::config::StatusAddress;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// For each address to take the connection, and for the whole answer after that. A server on this
/// machine takes milliseconds; what else may listen there takes for ever.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is read of an answer: some thousand remotes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the instance answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answered {
    /// Whether nobody has to look at anything.
    pub is_healthy: bool,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks for `path`; `None` if nobody answers there, or not this instance.
pub fn ask(address: &StatusAddress, path: &str, instance: u64) -> Option<Answered> {
    let found = (address.host.as_str(), address.port).to_socket_addrs().ok()?;
    found.filter_map(|socket| TcpStream::connect_timeout(&socket, PATIENCE).ok()).find_map(
        |stream| {
            let bytes = exchange(stream, path)?;
            read(&bytes, instance)
        },
    )
}

fn exchange(mut stream: TcpStream, path: &str) -> Option<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    // Every server has this name, whatever it is called elsewhere.
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut buffer).ok()? {
            0 => return Some(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
        if bytes.len() > ANSWER_BYTES_MAX {
            return None;
        }
    }
}

/// The answer, if it is complete and that of this instance.
fn read(bytes: &[u8], instance: u64) -> Option<Answered> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?;
    let header =
        |name: &str| lines.clone().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let body = &bytes[end + 4..];
    let is_whole = header("Content-Length")?.parse() == Ok(body.len());
    let is_ours = header("Sersync-Instance")? == format!("{instance:016x}");
    let is_ok = status == format!("HTTP/1.1 {}", http::StatusCode::Ok.line());
    let is_healthy = header("Sersync-Health")? == "healthy";
    (is_whole && is_ours && is_ok).then(|| Answered { is_healthy, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_of_the_right_instance_counts() {
        let answer = |length: usize, instance: &str, health: &str| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nSersync-Instance: {instance}\r\n\
                 Sersync-Health: {health}\r\n\r\nbody"
            )
        };
        let ours = "00000000000000ff";
        let found = |is_healthy| Some(Answered { is_healthy, body: b"body".to_vec() });
        for (text, expected) in [
            (answer(4, ours, "healthy"), found(true)),
            (answer(4, ours, "unhealthy"), found(false)),
            (answer(5, ours, "healthy"), None),
            (answer(4, "00000000000000fe", "healthy"), None),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into(), None),
            (answer(4, ours, "healthy").replace("200 OK", "404 Not Found"), None),
            ("SSH-2.0-OpenSSH_9.2\r\n".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(read(text.as_bytes(), 255), expected, "{text}");
        }
    }
}
