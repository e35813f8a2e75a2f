//! The sockets of the status server: listening, and connections that never make the loop wait.
//!
//! It has an epoll of its own, which is a descriptor itself, so that the loop waits for one
//! descriptor; without a connection nothing wakes the loop. Everything is bounded: connections,
//! what each may send, how long it may take, and how much is answered before the loop gets its
//! turn. What is answered is for `mod` to say.

use super::http::{self, Parsed, Request};
use super::url;
use crate::config::StatusAddress;
use crate::engine::time::Time;
use crate::sys::channel::{channel, Receiver};
use crate::sys::epoll::{Epoll, Interest};
use crate::sys::thread;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Connections at the same time: a few people, Prometheus, and a health check. One more takes the
/// place of the one that has been silent for longest.
const CONNECTIONS_MAX: usize = 32;
/// How long a connection lives without a complete request, and how long an answer may take.
const IDLE_MS: u64 = 10_000;
/// Requests, and connections taken, in one turn; then the loop does something else.
const TURN_MAX: usize = 4;
/// How long nobody is answered after a full turn: at most 200 requests a second, so that no crowd of
/// askers takes the processor from the sync.
const REST_MS: u64 = 20;
/// The same where the system has no descriptor left for a connection.
const SCARCE_MS: u64 = 1_000;
/// A port that is taken, or a name that has no address, is tried again after this.
const RETRY_MS: u64 = 60_000;
/// Addresses of a host's name that are listened on.
const ADDRESSES_MAX: usize = 8;
/// Read after an answer that ends a connection: with unread bytes, closing would destroy the answer.
const DRAINED_BYTES_MAX: usize = 64 * 1024;

/// Tokens in the server's own epoll; those of the connections follow the last.
const NAMES: u64 = 0;
const LISTENERS: u64 = 1;
const CONNECTIONS: u64 = 2;

/// What a request is answered with.
#[derive(Debug)]
pub struct Answer {
    /// The first line.
    pub status: http::StatusCode,
    /// The media type.
    pub kind: &'static str,
    /// The content security policy; the strictest without one.
    pub policy: Option<String>,
    /// For `--status`, beside whatever the body says.
    pub is_healthy: bool,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A success.
    pub fn ok(kind: &'static str, body: String) -> Answer {
        Answer { status: http::StatusCode::Ok, kind, policy: None, is_healthy: true, body }
    }

    /// An error, which says no more than its first line.
    pub fn error(status: http::StatusCode) -> Answer {
        let body = format!("{}\n", status.line());
        Answer { status, kind: "text/plain", policy: None, is_healthy: true, body }
    }
}

type Addresses = io::Result<Vec<SocketAddr>>;

/// The server.
#[derive(Debug)]
pub struct Server {
    epoll: Epoll,
    address: StatusAddress,
    /// Names that a `Host` may have.
    names: Vec<String>,
    /// Sent with each answer, for `--status` to know whom it has asked.
    instance: u64,
    listeners: Vec<TcpListener>,
    /// The thread that looks a name up: nobody knows how long that takes.
    lookup: Option<Receiver<Addresses>>,
    retry_at: Option<Time>,
    /// It has been said why nobody listens.
    said: bool,
    connections: [Option<Connection>; CONNECTIONS_MAX],
    /// Nobody is answered before.
    rests_until: Option<Time>,
    /// Who is answered first in the next turn, so that everybody gets theirs.
    first: usize,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    answer: Vec<u8>,
    sent: usize,
    /// When the last answer was complete, or the connection was made.
    since: Time,
    /// It ends with this answer.
    ends: bool,
    /// It has ended; so many bytes that nobody wants have been read since.
    drained: Option<usize>,
    interest: Interest,
}

/// What a connection came to in its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It waits for the other side.
    Waits,
    /// It has a request that this turn has no room for.
    Full,
    /// It is over.
    Over,
}

impl Server {
    /// Listens on the address, if it is free; otherwise as soon as it is.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new(address: &StatusAddress, instance: u64) -> io::Result<Server> {
        let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let names = vec!["localhost".into(), address.host.clone(), own.trim().to_string()];
        Ok(Server {
            epoll: Epoll::new()?,
            address: address.clone(),
            names: names.into_iter().filter(|name| !name.is_empty()).collect(),
            instance,
            listeners: Vec::new(),
            lookup: None,
            retry_at: Some(Time(0)),
            said: false,
            connections: [const { None }; CONNECTIONS_MAX],
            rests_until: None,
            first: 0,
        })
    }

    /// When [`Server::serve`] is to be called although its descriptor is not readable.
    pub fn due(&self) -> Option<Time> {
        let idle = self.connections.iter().flatten().map(|connection| connection.since + IDLE_MS);
        self.retry_at.into_iter().chain(self.rests_until).chain(idle).min()
    }

    /// Whether its descriptor must not be waited for: there is something to read that is left for
    /// later.
    pub fn rests(&self) -> bool {
        self.rests_until.is_some()
    }

    /// Does what can be done without waiting, and not too much of it.
    pub fn serve(&mut self, now: Time, answer: &mut dyn FnMut(&Request) -> Answer) {
        if self.rests_until.is_some_and(|until| now < until) {
            return;
        }
        self.rests_until = None;
        if self.retry_at.is_some_and(|at| at <= now) {
            self.find_addresses(now);
        }
        self.expire(now);
        let Ok(tokens) = self.epoll.wait(Some(Duration::ZERO)) else { return };
        let mut room = TURN_MAX;
        for token in &tokens {
            match *token {
                NAMES => self.names_came(now),
                LISTENERS => room = self.accept(room, now),
                _ => {}
            }
        }
        // Requests left over from the last turn have been read already: no token tells of them.
        let ready = |slot: usize, connection: &Connection| {
            !connection.received.is_empty() || tokens.contains(&(CONNECTIONS + slot as u64))
        };
        for step in 0..CONNECTIONS_MAX {
            let slot = (self.first + step) % CONNECTIONS_MAX;
            let is_ready = self.connections[slot].as_ref().is_some_and(|it| ready(slot, it));
            if is_ready && self.turn(slot, &mut room, now, answer) == Step::Full {
                self.first = slot;
                self.rests_until = Some(now + REST_MS);
                return;
            }
        }
        if room == 0 {
            self.rests_until = Some(now + REST_MS);
        }
    }

    /// Serves one connection.
    fn turn(
        &mut self,
        slot: usize,
        room: &mut usize,
        now: Time,
        answer: &mut dyn FnMut(&Request) -> Answer,
    ) -> Step {
        let Some(mut connection) = self.connections[slot].take() else { return Step::Over };
        let (names, instance) = (&self.names, self.instance);
        let mut answered = |request: &Request| {
            let ours = request.host.as_ref().is_none_or(|host| http::is_ours(host, names));
            let answer = if ours {
                answer(request)
            } else {
                let body = "This is not the host that was asked for: use an address, or the name \
                            in <host hostip=\"...\">.\n";
                Answer { body: body.into(), ..Answer::error(http::StatusCode::Misdirected) }
            };
            whole(&answer, request.keep_alive, request.head_only, instance)
        };
        let step = connection.serve(room, now, &mut answered, instance);
        let wanted = connection.wanted();
        let token = CONNECTIONS + slot as u64;
        if step != Step::Over && wanted != connection.interest {
            connection.interest = wanted;
            if self.epoll.change(&connection.stream, token, wanted).is_err() {
                return Step::Over;
            }
        }
        if step != Step::Over {
            self.connections[slot] = Some(connection);
        }
        step
    }

    fn accept(&mut self, mut room: usize, now: Time) -> usize {
        for number in 0..self.listeners.len() {
            while room > 0 {
                match self.listeners[number].accept() {
                    Ok((stream, _)) => self.welcome(stream, now),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // The other side has gone again.
                    Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                    Err(_) => {
                        self.rests_until = Some(now + SCARCE_MS);
                        return room;
                    }
                }
                room -= 1;
            }
        }
        room
    }

    fn welcome(&mut self, stream: TcpStream, now: Time) {
        let free = self.connections.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| self.most_silent());
        // The old one leaves the epoll with its descriptor.
        self.connections[slot] = None;
        let token = CONNECTIONS + slot as u64;
        let ready = stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
        if ready.and_then(|()| self.epoll.add(&stream, token)).is_ok() {
            self.connections[slot] = Some(Connection::new(stream, now));
        }
    }

    fn most_silent(&self) -> usize {
        let since = |slot: &usize| {
            let connection = self.connections[*slot].as_ref();
            connection.map(|connection| (connection.drained.is_none(), connection.since))
        };
        (0..CONNECTIONS_MAX).min_by_key(since).unwrap_or(0)
    }

    fn expire(&mut self, now: Time) {
        for slot in &mut self.connections {
            if slot.as_ref().is_some_and(|connection| connection.since + IDLE_MS <= now) {
                *slot = None;
            }
        }
    }

    /// Listens, or has the name looked up first.
    fn find_addresses(&mut self, now: Time) {
        self.retry_at = None;
        let StatusAddress { host, port } = self.address.clone();
        let address = |ip| SocketAddr::new(ip, port);
        if host == "localhost" {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            return self.listen(Ok(both.map(address).to_vec()), now);
        }
        if let Ok(ip) = host.parse() {
            return self.listen(Ok(vec![address(ip)]), now);
        }
        match look_up(host, port) {
            Ok(lookup) if self.epoll.add(&lookup, NAMES).is_ok() => self.lookup = Some(lookup),
            Ok(_) | Err(_) => self.retry_at = Some(now + RETRY_MS),
        }
    }

    fn names_came(&mut self, now: Time) {
        if let Some(found) = self.lookup.take().and_then(|lookup| lookup.receive()) {
            self.listen(found, now);
        }
    }

    /// On all of the addresses that this machine has; on none if one of them is taken.
    fn listen(&mut self, addresses: Addresses, now: Time) {
        let bound = addresses.and_then(|addresses| bind(&addresses));
        let added = bound.and_then(|listeners| {
            listeners.iter().try_for_each(|listener| self.epoll.add(listener, LISTENERS))?;
            Ok(listeners)
        });
        let url = url(&self.address);
        match added {
            Ok(listeners) => {
                self.listeners = listeners;
                log::info!("status page: {url}");
            }
            Err(error) => {
                self.retry_at = Some(now + RETRY_MS);
                if !std::mem::replace(&mut self.said, true) {
                    let advice = if error.kind() == ErrorKind::AddrInUse {
                        "another program has the port: give each configuration one of its own \
                         in <host port=\"...\">, or 0 for none"
                    } else if error.kind() == ErrorKind::PermissionDenied {
                        "only root may take a port below 1024"
                    } else {
                        "hostip in <host> must be an address of this machine"
                    };
                    log::warn!(
                        "no status page at {url}: {error}; {advice}; tried again every minute"
                    );
                }
            }
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

impl Connection {
    fn new(stream: TcpStream, now: Time) -> Connection {
        let (received, answer) = (Vec::new(), Vec::new());
        let (sent, ends, drained, interest) = (0, false, None, Interest::Read);
        Connection { stream, received, answer, sent, since: now, ends, drained, interest }
    }

    /// Answers, reads and answers again until the other side has to do something.
    fn serve(
        &mut self,
        room: &mut usize,
        now: Time,
        answer: &mut dyn FnMut(&Request) -> Vec<u8>,
        instance: u64,
    ) -> Step {
        loop {
            if self.drained.is_some() {
                return self.drain();
            }
            match self.send(now) {
                Ok(true) => {}
                Ok(false) => return Step::Waits,
                Err(_) => return Step::Over,
            }
            if self.ends {
                if self.stream.shutdown(Shutdown::Write).is_err() {
                    return Step::Over;
                }
                self.drained = Some(0);
                continue;
            }
            match http::parse(&self.received) {
                Parsed::Incomplete => match self.receive() {
                    Ok(0) => return Step::Over,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return Step::Over,
                },
                Parsed::Request(..) | Parsed::Refused(_) if *room == 0 => return Step::Full,
                Parsed::Request(request, length) => {
                    *room -= 1;
                    self.received.drain(..length);
                    self.ends = !request.keep_alive;
                    self.answer = answer(&request);
                }
                Parsed::Refused(status) => {
                    *room -= 1;
                    self.ends = true;
                    self.answer = whole(&Answer::error(status), false, false, instance);
                }
            }
        }
    }

    fn wanted(&self) -> Interest {
        if self.answer.is_empty() {
            Interest::Read
        } else {
            Interest::Write
        }
    }

    /// `true` when everything has been sent.
    fn send(&mut self, now: Time) -> io::Result<bool> {
        if self.answer.is_empty() {
            return Ok(true);
        }
        while self.sent < self.answer.len() {
            match self.stream.write(&self.answer[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.answer, self.sent, self.since) = (Vec::new(), 0, now);
        Ok(true)
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut buffer = [0; http::HEAD_BYTES_MAX];
        let room = http::HEAD_BYTES_MAX.saturating_sub(self.received.len());
        let count = self.stream.read(&mut buffer[..room])?;
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    fn drain(&mut self) -> Step {
        let mut buffer = [0; http::HEAD_BYTES_MAX];
        let drained = self.drained.get_or_insert(0);
        self.received = Vec::new();
        while *drained < DRAINED_BYTES_MAX {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Step::Over,
                Ok(count) => *drained += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Step::Waits,
                Err(_) => return Step::Over,
            }
        }
        Step::Over
    }
}

/// An answer with its head.
fn whole(answer: &Answer, keep_alive: bool, head_only: bool, instance: u64) -> Vec<u8> {
    let health = if answer.is_healthy { "healthy" } else { "unhealthy" };
    let mut headers = format!("Sersync-Instance: {instance:016x}\r\nSersync-Health: {health}\r\n");
    if answer.status == http::StatusCode::MethodNotAllowed {
        headers.push_str("Allow: GET, HEAD\r\n");
    }
    let (policy, bytes) = (answer.policy.as_deref(), answer.body.len());
    let head = http::head(answer.status, answer.kind, bytes, keep_alive, policy, &headers);
    let body = if head_only { "" } else { answer.body.as_str() };
    [head.as_bytes(), body.as_bytes()].concat()
}

fn bind(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in addresses.iter().take(ADDRESSES_MAX) {
        match TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                listeners.push(listener);
            }
            // The program that has this address would answer some of those who ask for the name.
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
            Err(error) => last = error,
        }
    }
    if listeners.is_empty() {
        Err(last)
    } else {
        Ok(listeners)
    }
}

fn look_up(host: String, port: u16) -> io::Result<Receiver<Addresses>> {
    let (tell, lookup) = channel()?;
    thread::start("status", move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // After the configuration has been read again, the server that asked may be gone.
        let _ = tell.send(found);
    })?;
    Ok(lookup)
}
