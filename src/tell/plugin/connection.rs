//! TCP connections of the plugins: made, used once and closed, none of it for longer than its limit.
//!
//! Blocks; only the plugins' own thread calls it, by way of `socket`, `http` and `refresh_cdn`.

use super::answer::{self, Answer, Head};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// For all addresses of a host together. A server that takes longer is not worth waiting for, since
/// the next path waits as well. The look-up of the host's name is not part of it: the C library
/// gives it no limit but its own (`/etc/resolv.conf`).
const CONNECT: Duration = Duration::from_secs(5);
/// From the first byte sent to the last one needed, however slowly they come.
const EXCHANGE: Duration = Duration::from_secs(5);
/// Read at once, in bytes.
const READ_BYTES: usize = 4096;

/// Why the other side was not told.
#[derive(Debug)]
pub enum Failure {
    /// There is no connection to be had.
    Connect(io::Error),
    /// It broke.
    Broken(io::Error),
    /// What came back is no success.
    Answer(answer::Error),
}

impl Failure {
    /// Whether another try may end in another way. A redirect or an error that is the request's fault
    /// does not pass.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Failure::Answer(answer::Error::Status(300..=499, _)))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Connect(error) if is_late(error) => {
                write!(f, "no connection within {} s", CONNECT.as_secs())
            }
            Failure::Connect(error) => write!(f, "no connection: {error}"),
            Failure::Broken(error) if is_late(error) => {
                write!(f, "no answer within {} s", EXCHANGE.as_secs())
            }
            Failure::Broken(error) => write!(f, "the connection broke: {error}"),
            Failure::Answer(error) => error.fmt(f),
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// Sends the bytes and closes the connection.
///
/// # Errors
/// There is none, or it does not take them.
pub fn tell(host: &str, port: u16, bytes: &[u8]) -> Result<(), Failure> {
    let mut stream = connect(host, port).map_err(Failure::Connect)?;
    let told = stream
        .set_write_timeout(Some(EXCHANGE))
        .and_then(|()| stream.write_all(bytes))
        .and_then(|()| stream.shutdown(Shutdown::Write));
    match told {
        // A server that closes at once has seen the connection, and that may be all that it waits
        // for.
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
        told => told.map_err(Failure::Broken),
    }
}

/// Sends a request and reads what is answered; `no_body`: it was asked for with HEAD.
///
/// # Errors
/// No connection, no answer in time, or one that is no success.
pub fn ask(host: &str, port: u16, request: &[u8], no_body: bool) -> Result<Head, Failure> {
    let mut stream = connect(host, port).map_err(Failure::Connect)?;
    let until = Instant::now() + EXCHANGE;
    let sent = stream.set_write_timeout(Some(EXCHANGE)).and_then(|()| stream.write_all(request));
    sent.map_err(Failure::Broken)?;
    let mut answer = Answer::new(no_body);
    let mut buffer = [0; READ_BYTES];
    loop {
        match read(&mut stream, &mut buffer, until) {
            Ok(0) => break,
            Ok(count) => {
                if answer.feed(&buffer[..count]).map_err(Failure::Answer)? {
                    break;
                }
            }
            // The head is the answer, even if the body never ends.
            Err(_) if answer.has_head() => break,
            Err(error) => return Err(Failure::Broken(error)),
        }
    }
    answer.into_head().and_then(Head::successful).map_err(Failure::Answer)
}

/// Sees whether somebody takes connections there; nothing is sent.
///
/// # Errors
/// Nobody does, or the host has no address.
pub fn reach(host: &str, port: u16) -> Result<(), Failure> {
    connect(host, port).map(drop).map_err(Failure::Connect)
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = (host, port).to_socket_addrs()?;
    let until = Instant::now() + CONNECT;
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(until)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn read(stream: &mut TcpStream, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
    loop {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The time that is left; never zero, which a socket would take for no limit.
fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    /// A server for one connection; gives its port, and what the connection was used for.
    fn serve<T: Send + 'static>(
        address: &str,
        serve: impl FnOnce(TcpStream) -> T + Send + 'static,
    ) -> (u16, JoinHandle<T>) {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        (port, thread::spawn(move || serve(listener.accept().unwrap().0)))
    }

    fn everything(mut stream: TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn all_bytes_arrive_and_then_the_end_of_the_connection() {
        for address in ["127.0.0.1", "::1"] {
            let (port, server) = serve(address, everything);
            tell(address, port, b"/a/b\xff").unwrap();
            assert_eq!(server.join().unwrap(), b"/a/b\xff");
        }
    }

    #[test]
    fn an_answer_may_come_byte_by_byte() {
        let (port, server) = serve("127.0.0.1", |mut stream| {
            stream.set_nodelay(true).unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).unwrap();
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
                stream.write_all(&[*byte]).unwrap();
                thread::yield_now();
            }
            // Stays open: only the length says that it is complete.
            let _ = stream.read(&mut [0]);
            request
        });
        assert_eq!(ask("127.0.0.1", port, b"ping", false).unwrap().status, 200);
        assert_eq!(&server.join().unwrap(), b"ping");
    }

    #[test]
    fn what_goes_wrong_has_a_name() {
        fn refused() -> u16 {
            TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
        }
        type Serve = fn(TcpStream);
        let closes: Serve = drop;
        let talks: Serve = |mut stream| stream.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let redirects: Serve = |mut stream| {
            let _ = stream.read(&mut [0; 100]);
            stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n").unwrap();
        };
        for (serving, expected, may_pass) in [
            (closes, "the conne", true),
            (talks, "the answer is not HTTP: \"220 mail\"", true),
            (redirects, "the answer is a redirect (302) to \"http://x/\"", false),
        ] {
            let (port, server) = serve("127.0.0.1", serving);
            let failure = ask("127.0.0.1", port, b"ping", false).unwrap_err();
            assert!(failure.to_string().starts_with(expected), "{failure}");
            assert_eq!(failure.may_pass(), may_pass, "{failure}");
            server.join().unwrap();
        }
        let failure = ask("127.0.0.1", refused(), b"ping", false).unwrap_err();
        assert!(failure.to_string().starts_with("no connection: Connection refused"), "{failure}");
        let failure = tell("no-such-host.invalid", 80, b"").unwrap_err();
        assert!(failure.to_string().starts_with("no connection: "), "{failure}");
    }

    #[test]
    fn who_never_answers_or_only_trickles_is_left() {
        let silent = |mut stream: TcpStream| {
            let _ = stream.read_to_end(&mut Vec::new());
        };
        let trickling = |mut stream: TcpStream| {
            while stream.write_all(b"HTTP/1.1 200 OK\r\nX: y\r\n").is_ok() {
                thread::sleep(Duration::from_millis(300));
                if stream.write_all(b"Y").is_err() {
                    break;
                }
            }
        };
        let (silent_port, first) = serve("127.0.0.1", silent);
        let (trickling_port, second) = serve("127.0.0.1", trickling);
        let both = [silent_port, trickling_port].map(|port| {
            thread::spawn(move || ask("127.0.0.1", port, b"ping", false).unwrap_err().to_string())
        });
        for said in both {
            assert_eq!(said.join().unwrap(), "no answer within 5 s");
        }
        first.join().unwrap();
        second.join().unwrap();
    }

    #[test]
    fn a_body_without_an_end_takes_nothing_from_the_answer() {
        let (port, server) = serve("127.0.0.1", |mut stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        });
        assert_eq!(ask("127.0.0.1", port, b"ping", false).unwrap().status, 200);
        server.join().unwrap();
    }
}
