//! The requests that the status server takes, and the heads of its answers. Pure.
//!
//! As little of HTTP/1.1 as browsers, Prometheus and curl need: GET and HEAD without a body,
//! connections that stay open, requests behind each other. Whatever else comes is answered with an
//! error and the end of the connection. `server` has the sockets, `mod` the answers themselves.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Request line and headers together, in bytes. Browsers send about 1 KB, more with other programs'
/// cookies for the same host.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Headers of a request; browsers send about 20.
const HEADERS_MAX: usize = 100;
/// Nothing that a user types is sent back, shown in a frame, kept or taken for another type; nothing
/// is loaded from anywhere.
const SECURITY: &str = "X-Content-Type-Options: nosniff\r\n\
     X-Frame-Options: DENY\r\n\
     Referrer-Policy: no-referrer\r\n\
     Cross-Origin-Resource-Policy: same-origin\r\n\
     Cache-Control: no-store\r\n";
/// What an answer may load: nothing. Only the page has a policy of its own.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// A request that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The path, without what stands behind a question mark.
    pub path: String,
    /// HEAD: the body stays away.
    pub head_only: bool,
    /// The connection stays open.
    pub keep_alive: bool,
    /// The value of `Host`; HTTP/1.0 need not have one.
    pub host: Option<String>,
}

/// What the beginning of the bytes of a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing complete yet.
    Incomplete,
    /// A request, and how many bytes it has.
    Request(Request, usize),
    /// A request that is answered with this error; then the connection ends.
    Refused(StatusCode),
}

/// The first line of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are HTTP's own.
pub enum StatusCode {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    Misdirected,
    HeaderTooLarge,
    Unavailable,
    VersionNotSupported,
}

impl StatusCode {
    /// Number and words.
    pub fn line(self) -> &'static str {
        match self {
            StatusCode::Ok => "200 OK",
            StatusCode::BadRequest => "400 Bad Request",
            StatusCode::NotFound => "404 Not Found",
            StatusCode::MethodNotAllowed => "405 Method Not Allowed",
            StatusCode::Misdirected => "421 Misdirected Request",
            StatusCode::HeaderTooLarge => "431 Request Header Fields Too Large",
            StatusCode::Unavailable => "503 Service Unavailable",
            StatusCode::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// Reads the request at the beginning of what a connection has sent.
pub fn parse(bytes: &[u8]) -> Parsed {
    let within = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let Some(end) = within.windows(4).position(|four| four == b"\r\n\r\n") else {
        if bytes.len() >= HEAD_BYTES_MAX {
            return Parsed::Refused(StatusCode::HeaderTooLarge);
        }
        // A client of another protocol would wait for an answer that never comes.
        let first = bytes.first().is_none_or(u8::is_ascii_uppercase);
        return if first { Parsed::Incomplete } else { Parsed::Refused(StatusCode::BadRequest) };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| StatusCode::BadRequest);
    match head.and_then(read_head) {
        Ok(request) => Parsed::Request(request, end + 4),
        Err(status) => Parsed::Refused(status),
    }
}

fn read_head(head: &str) -> Result<Request, StatusCode> {
    let mut lines = head.split("\r\n");
    let (method, target, is_1_1) = request_line(lines.next().unwrap_or_default())?;
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(StatusCode::MethodNotAllowed),
    };
    let path = target.split('?').next().unwrap_or_default().to_string();
    let mut request = Request { path, head_only, keep_alive: is_1_1, host: None };
    for (number, line) in lines.enumerate() {
        if number >= HEADERS_MAX {
            return Err(StatusCode::HeaderTooLarge);
        }
        header(line, &mut request)?;
    }
    if is_1_1 && request.host.is_none() {
        return Err(StatusCode::BadRequest);
    }
    Ok(request)
}

/// Method, target, and whether it is HTTP/1.1 (and not 1.0).
fn request_line(line: &str) -> Result<(&str, &str, bool), StatusCode> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(StatusCode::BadRequest);
    };
    let plain = target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic());
    if method.is_empty() || !method.bytes().all(is_token) || !plain {
        return Err(StatusCode::BadRequest);
    }
    match version {
        "HTTP/1.1" => Ok((method, target, true)),
        "HTTP/1.0" => Ok((method, target, false)),
        _ if version.starts_with("HTTP/") => Err(StatusCode::VersionNotSupported),
        _ => Err(StatusCode::BadRequest),
    }
}

fn header(line: &str, request: &mut Request) -> Result<(), StatusCode> {
    let (name, value) = line.split_once(':').ok_or(StatusCode::BadRequest)?;
    let value = value.trim_matches([' ', '\t']);
    let controls = value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
    if name.is_empty() || !name.bytes().all(is_token) || controls {
        return Err(StatusCode::BadRequest);
    }
    match name.to_ascii_lowercase().as_str() {
        // With two of them it is unclear which one counts.
        "host" if request.host.is_some() => return Err(StatusCode::BadRequest),
        "host" => request.host = Some(value.to_string()),
        "connection" => {
            let mut words = value.split(',').map(str::trim);
            if words.clone().any(|word| word.eq_ignore_ascii_case("close")) {
                request.keep_alive = false;
            } else if words.any(|word| word.eq_ignore_ascii_case("keep-alive")) {
                request.keep_alive = true;
            }
        }
        // Nothing here takes a body, and its bytes must not be read as the next request.
        "transfer-encoding" => return Err(StatusCode::BadRequest),
        "content-length" if value != "0" => return Err(StatusCode::BadRequest),
        _ => {}
    }
    Ok(())
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a `Host` is this server under one of its `names`, or an address.
///
/// A page of an attacker can have its own name lead to this server (DNS rebinding), and could then
/// read the answers; but the browser sends that name as `Host`. With an address that is not
/// possible.
pub fn is_ours(host: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = match name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<Ipv4Addr>().is_ok(),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    address || names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The head of an answer, for a body of so many bytes. `headers` are whole lines with their ends;
/// `policy` says what the body may load, nothing if there is none.
pub fn head(
    status: StatusCode,
    kind: &str,
    bytes: usize,
    keep_alive: bool,
    policy: Option<&str>,
    headers: &str,
) -> String {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let policy = policy.unwrap_or(POLICY);
    let mut head = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        head,
        "HTTP/1.1 {}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {bytes}\r\n\
         Connection: {connection}\r\nContent-Security-Policy: {policy}\r\n{SECURITY}{headers}\r\n",
        status.line()
    );
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Parsed {
        parse(text.as_bytes())
    }

    fn request(path: &str, host: Option<&str>, keep_alive: bool) -> Request {
        let host = host.map(String::from);
        Request { path: path.into(), head_only: false, keep_alive, host }
    }

    #[test]
    fn what_is_a_request() {
        let h = Some("h");
        for (text, expected) in [
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", request("/", h, true)),
            ("GET /a?b=c/d HTTP/1.1\r\nHost:h\r\n\r\n", request("/a", h, true)),
            (
                "GET / HTTP/1.1\r\nHOST: \th \r\nConnection: TE, Close\r\n\r\n",
                request("/", h, false),
            ),
            ("GET / HTTP/1.0\r\n\r\n", request("/", None, false)),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", request("/", None, true)),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", request("/", h, true)),
            (
                "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
                Request { head_only: true, ..request("/", h, true) },
            ),
        ] {
            assert_eq!(parsed(text), Parsed::Request(expected, text.len()), "{text:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        use StatusCode::{BadRequest, HeaderTooLarge, MethodNotAllowed, VersionNotSupported};
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(HEADERS_MAX + 1));
        for (text, expected) in [
            ("GET / HTTP/1.1\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", BadRequest),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", BadRequest),
            ("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", BadRequest),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", BadRequest),
            ("GET / FTP/1.1\r\nHost: a\r\n\r\n", BadRequest),
            ("GET /\r\n\r\n", BadRequest),
            ("\r\n\r\n", BadRequest),
            ("\x16\x03\x01", BadRequest),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", VersionNotSupported),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", MethodNotAllowed),
            ("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", MethodNotAllowed),
            (many.as_str(), HeaderTooLarge),
        ] {
            assert_eq!(parsed(text), Parsed::Refused(expected), "{text:?}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.1\r\n\r\n"), Parsed::Refused(BadRequest));
        let endless = vec![b'A'; HEAD_BYTES_MAX];
        assert_eq!(parse(&endless), Parsed::Refused(HeaderTooLarge));
        assert_eq!(parse(&endless[1..]), Parsed::Incomplete);
    }

    /// However the bytes of two requests are cut, they are the same two requests.
    #[test]
    fn requests_are_the_same_in_whatever_pieces_they_come() {
        let two = "GET /a HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\nHost: b\r\n\r\n";
        let first = two.find("HEAD").unwrap();
        for end in 0..=two.len() {
            let expected = if end < first {
                Parsed::Incomplete
            } else {
                Parsed::Request(request("/a", Some("a"), true), first)
            };
            assert_eq!(parsed(&two[..end]), expected, "{end}");
        }
    }

    /// Damage of every kind: nothing panics, nothing is longer than it came.
    #[test]
    fn nothing_that_comes_ends_the_parser() {
        let whole = b"GET /status.json?x HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n";
        let mut state = 7_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..200_000 {
            let mut bytes = whole.to_vec();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                match random(3) {
                    0 => bytes[at] = random(256) as u8,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b"\r\n: /\0H"[random(7)]),
                }
            }
            if let Parsed::Request(request, length) = parse(&bytes) {
                assert!(length <= bytes.len() && request.path.starts_with('/'));
            }
        }
    }

    #[test]
    fn only_our_own_names_and_addresses_are_hosts() {
        let names = ["localhost".to_string(), "nas".to_string()];
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost:8008", true),
            ("nas.:8008", true),
            ("127.0.0.1:8008", true),
            ("10.0.0.1", true),
            ("[::1]:8008", true),
            ("[::1]", true),
            ("evil.example:8008", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("[evil]", false),
            ("::1", false),
            ("", false),
            ("localhost:80:80", false),
        ] {
            assert_eq!(is_ours(host, &names), expected, "{host}");
        }
    }
}
