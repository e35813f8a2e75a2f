//! What an HTTP server answers: bytes in, a status and headers out. Pure.
//!
//! An [`Answer`] is fed with what arrives, in whatever pieces, and says when it has enough. Only the
//! status and the headers count; the body is passed over, so that the server can send it before the
//! connection is closed. Everything that is kept is bounded. `connection` feeds it.

use crate::config::terminal::harmless;
use std::fmt;

/// Status line and headers together, in bytes. Servers themselves allow their clients about 8 KB.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// So much of a body is read, in bytes, for the sake of the server. Nothing of it is used.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The first line is not one of HTTP; its beginning.
    NotHttp(String),
    /// More headers than [`HEAD_BYTES_MAX`].
    TooLong,
    /// The connection ended before the headers did.
    Short,
    /// A status that is no success; the number, and where a redirect leads.
    Status(u16, String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotHttp(line) => write!(f, "the answer is not HTTP: \"{line}\""),
            Error::TooLong => {
                write!(f, "the answer has more than {HEAD_BYTES_MAX} bytes of headers")
            }
            Error::Short => f.write_str("the connection ended before there was an answer"),
            Error::Status(status @ 300..=399, to) => {
                write!(f, "the answer is a redirect ({status}) to \"{to}\"; configure that URL")
            }
            Error::Status(status, _) => write!(f, "the answer is an error, {status}"),
        }
    }
}

/// What comes behind the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    /// So many bytes are still to come.
    Length(usize),
    Chunked,
    UntilClosed,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// From 200 to 599.
    pub status: u16,
    /// Names and values in the order in which they came, without blanks around.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Head {
    /// The value of the first header of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let found =
            self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.as_slice())
    }

    /// Gives the head back if it is a success.
    ///
    /// # Errors
    /// [`Error::Status`] otherwise, redirects included: whoever configured the URL should name the
    /// one that is meant.
    pub fn successful(self) -> Result<Head, Error> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let location = self.header("location").map(shown).unwrap_or_default();
        Err(Error::Status(self.status, location))
    }
}

/// An answer that is being read.
#[derive(Debug)]
pub struct Answer {
    /// The head as long as it is not complete, then the last bytes of a chunked body.
    kept: Vec<u8>,
    head: Option<Head>,
    body: Body,
    body_bytes: usize,
    /// It answers a HEAD request, which has no body whatever its headers say.
    no_body: bool,
}

impl Answer {
    /// Nothing has come yet. `no_body`: it is asked for with HEAD.
    pub fn new(no_body: bool) -> Answer {
        Answer { kept: Vec::new(), head: None, body: Body::None, body_bytes: 0, no_body }
    }

    /// Takes the next bytes; `true` when no more are needed.
    ///
    /// # Errors
    /// It is no answer.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, Error> {
        while self.head.is_none() {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(false) };
            bytes = rest;
            self.kept.push(byte);
            if byte == b'\n' && is_head_complete(&self.kept) {
                self.head_came()?;
            } else if self.kept.len() >= HEAD_BYTES_MAX {
                return Err(Error::TooLong);
            } else if byte == b'\n' || self.kept.len() > FIRST_BYTES {
                check_start(&self.kept)?;
            }
        }
        Ok(self.body_came(bytes))
    }

    /// Whether the head has come.
    pub fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// The head, when everything has come or the connection has ended.
    ///
    /// # Errors
    /// [`Error::Short`] if it is not complete.
    pub fn into_head(self) -> Result<Head, Error> {
        self.head.ok_or(Error::Short)
    }

    fn head_came(&mut self) -> Result<(), Error> {
        let head = parse_head(&self.kept)?;
        self.kept.clear();
        // 100 and the like stand before the answer itself.
        if head.status < 200 {
            return Ok(());
        }
        let length =
            head.header("content-length").map(|value| String::from_utf8_lossy(value).parse());
        let chunked = head
            .header("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().ends_with(b"chunked"));
        self.body = match length {
            _ if self.no_body || head.status == 204 || head.status == 304 => Body::None,
            _ if chunked => {
                self.kept.push(b'\n');
                Body::Chunked
            }
            Some(Ok(length)) => Body::Length(length),
            // Unreadable or missing: the end of the connection is the end of the body.
            Some(Err(_)) | None => Body::UntilClosed,
        };
        self.head = Some(head);
        Ok(())
    }

    /// Passes over a part of the body; `true` at its end.
    fn body_came(&mut self, bytes: &[u8]) -> bool {
        self.body_bytes = self.body_bytes.saturating_add(bytes.len());
        let ended = match &mut self.body {
            Body::None => true,
            Body::Length(left) => {
                *left = left.saturating_sub(bytes.len());
                *left == 0
            }
            Body::Chunked => {
                // No chunk is looked at. The last one is empty: a line with nothing but 0. A chunk
                // that holds such a line ends the wait too early, and that does no harm.
                self.kept.extend_from_slice(bytes);
                let ended = find(&self.kept, LAST_CHUNK);
                let read = self.kept.len().saturating_sub(LAST_CHUNK.len() - 1);
                self.kept.drain(..read);
                ended
            }
            Body::UntilClosed => false,
        };
        ended || self.body_bytes >= BODY_BYTES_MAX
    }
}

/// The line of the last chunk, with the end of the line before it.
const LAST_CHUNK: &[u8] = b"\n0\r\n";

/// So many bytes show whether somebody speaks HTTP.
const FIRST_BYTES: usize = b"HTTP/1.".len();

fn check_start(head: &[u8]) -> Result<(), Error> {
    match head.starts_with(b"HTTP/1.") {
        true => Ok(()),
        false => Err(Error::NotHttp(shown(first_line(head)))),
    }
}

fn is_head_complete(head: &[u8]) -> bool {
    head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n")
}

fn parse_head(head: &[u8]) -> Result<Head, Error> {
    let status_line = first_line(head);
    let status = status(status_line).ok_or_else(|| Error::NotHttp(shown(status_line)))?;
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((line[..colon].trim_ascii().to_vec(), line[colon + 1..].trim_ascii().to_vec()))
    });
    Ok(Head { status, headers: headers.collect() })
}

/// The number in `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let (version, behind) = line.strip_prefix(b"HTTP/1.")?.split_first()?;
    let number = behind.strip_prefix(b" ").filter(|_| version.is_ascii_digit())?;
    let (digits, end) = number.split_at_checked(3)?;
    let ends = end.first().is_none_or(|&byte| byte == b' ');
    let digits = std::str::from_utf8(digits).ok().filter(|_| ends)?;
    digits.parse().ok().filter(|status| (100..600).contains(status))
}

fn first_line(head: &[u8]) -> &[u8] {
    head.split(|&byte| byte == b'\n').next().unwrap_or(head).trim_ascii_end()
}

/// A foreign line for the log: short, and with nothing in it that a terminal could obey.
pub fn shown(line: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 200;
    harmless(&String::from_utf8_lossy(&line[..line.len().min(SHOWN_BYTES_MAX)]))
}

fn find(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status, and whether the answer said that it was complete; fed whole and byte by byte.
    fn read(bytes: &[u8]) -> Result<(u16, bool), Error> {
        let run = |pieces: &[&[u8]]| {
            let mut answer = Answer::new(false);
            let mut complete = false;
            for piece in pieces {
                complete = complete || answer.feed(piece)?;
            }
            answer.into_head().map(|head| (head.status, complete))
        };
        let whole = run(&[bytes]);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(run(&single), whole, "{}", bytes.escape_ascii());
        whole
    }

    #[test]
    fn an_answer_ends_where_it_says() {
        let cases: [(&str, u16, bool); 12] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 200, false),
            ("HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", 200, true),
            ("HTTP/1.0 200 OK\n\nbody", 200, false),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, true),
            ("HTTP/1.1 200\r\n\r\n", 200, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", 200, false),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                200,
                true,
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 200, false),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
                500,
                true,
            ),
            ("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, true),
        ];
        for (bytes, status, complete) in cases {
            assert_eq!(read(bytes.as_bytes()), Ok((status, complete)), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_at_once() {
        let not_http = |line: &str| Error::NotHttp(line.into());
        for (bytes, expected) in [
            ("", Error::Short),
            ("HTTP/1.1 200 OK\r\nContent-Le", Error::Short),
            ("HTTP/1.1 100 Continue\r\n\r\n", Error::Short),
            ("hello\r\n", not_http("hello")),
            ("SSH-2.0-OpenSSH_9\r\n", not_http("SSH-2.0-")),
            ("HTTP/1.1 2000 OK\r\n\r\n", not_http("HTTP/1.1 2000 OK")),
            ("HTTP/1.1 20 OK\r\n\r\n", not_http("HTTP/1.1 20 OK")),
            ("HTTP/1.1 -20 OK\r\n\r\n", not_http("HTTP/1.1 -20 OK")),
            ("HTTP/1.1 999 OK\r\n\r\n", not_http("HTTP/1.1 999 OK")),
            ("HTTP/1.x 200 OK\r\n\r\n", not_http("HTTP/1.x 200 OK")),
            ("\x1b[31m\n", not_http("\\u{1b}[31m")),
        ] {
            let single = bytes.as_bytes().chunks(1);
            let mut answer = Answer::new(false);
            let fed: Result<Vec<_>, _> = single.map(|piece| answer.feed(piece)).collect();
            let error = fed.err().or_else(|| answer.into_head().err());
            assert_eq!(error, Some(expected), "{bytes:?}");
        }
    }

    #[test]
    fn nothing_grows_without_an_end() {
        let mut answer = Answer::new(false);
        let endless = b"HTTP/1.1 200 OK\r\nX: ".iter().chain(std::iter::repeat(&b'x'));
        let fed = endless.take(1 << 20).map(|&byte| answer.feed(&[byte]));
        assert_eq!(fed.filter_map(Result::err).next(), Some(Error::TooLong));
        assert!(answer.kept.len() <= HEAD_BYTES_MAX);

        for head in ["Transfer-Encoding: chunked", "X: y", "Content-Length: 99999999"] {
            let mut answer = Answer::new(false);
            answer.feed(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()).unwrap();
            let pieces = (1..).find(|_| answer.feed(&[b'x'; 1024]).unwrap());
            assert_eq!(pieces, Some(BODY_BYTES_MAX / 1024), "{head}");
            assert!(answer.kept.len() < LAST_CHUNK.len(), "{head}");
        }
    }

    #[test]
    fn the_answer_to_head_has_no_body_whatever_it_says() {
        let mut answer = Answer::new(true);
        let bytes =
            b"HTTP/1.1 200 OK\r\nWhatsUp: content=\"succeed\"\r\nContent-Length: 99\r\n\r\n";
        assert_eq!(answer.feed(bytes), Ok(true));
        let head = answer.into_head().unwrap().successful().unwrap();
        assert_eq!(head.header("whatsup"), Some(&b"content=\"succeed\""[..]));
    }

    #[test]
    fn only_two_hundred_and_something_is_a_success() {
        for (status, said) in [
            (200, None),
            (299, None),
            (301, Some("a redirect (301) to \"/there\"; configure that URL")),
            (404, Some("an error, 404")),
            (503, Some("an error, 503")),
        ] {
            let head = Head { status, headers: vec![(b"Location".into(), b"/there".into())] };
            let error = head.successful().err().map(|error| error.to_string());
            assert_eq!(error, said.map(|said| format!("the answer is {said}")));
        }
    }
}
