//! Where the `http` plugin posts to: the forms that `deshost url` is written in.
//!
//! Owns how a URL is taken apart into what a connection and a request need. `plugins` calls it.

use std::net::Ipv6Addr;

/// A URL that was taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    /// Host name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, if one was written.
    pub port: Option<u16>,
    /// Begins with a slash.
    pub path: String,
}

/// Reads `host`, `host/path`, or `http://host:port/path`.
///
/// # Errors
/// What was expected instead, and what to do.
pub(super) fn parse(written: &str) -> Result<Url, String> {
    const FORM: &str = "a host, or http://host:port/path";
    let written = written.trim();
    let rest = match written.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
            return Err(format!(
                "{FORM}; https is not possible, since this program has no TLS: write http://, or \
                 let a proxy on this machine speak https"
            ));
        }
        Some(_) => return Err(format!("{FORM}; write http:// in front")),
        None => written,
    };
    let (authority, path) = match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if authority.contains('@') {
        return Err(format!("{FORM}; leave out the user and the password"));
    }
    let (host, port) = split_port(authority).ok_or(FORM)?;
    let path = path.split('#').next().unwrap_or_default();
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("{FORM}; write other characters of the path as %20 and the like"));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Url { host, port, path })
}

/// `host`, `host:80`, `[::1]`, `[::1]:80` or `::1`; `None` for anything else.
fn split_port(authority: &str) -> Option<(String, Option<u16>)> {
    let number = |port: &str| port.parse().ok().filter(|&port| port > 0);
    let is_v6 = |host: &str| host.parse::<Ipv6Addr>().is_ok();
    if is_v6(authority) {
        return Some((authority.to_owned(), None));
    }
    if let Some((host, behind)) = authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        return match behind.strip_prefix(':') {
            Some(port) if is_v6(host) => Some((host.to_owned(), Some(number(port)?))),
            None if is_v6(host) && behind.is_empty() => Some((host.to_owned(), None)),
            Some(_) | None => None,
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(number(port)?)),
        None => (authority, None),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!host.is_empty() && host.bytes().all(plain)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_apart() {
        let cases = [
            ("10.0.0.1", "10.0.0.1", None, "/"),
            (" h ", "h", None, "/"),
            ("h/x?y=1", "h", None, "/x?y=1"),
            ("http://h", "h", None, "/"),
            ("HTTP://h:8080/a/b#c", "h", Some(8080), "/a/b"),
            ("http://h?y=1", "h", None, "/?y=1"),
            ("http://[::1]:81/", "::1", Some(81), "/"),
            ("[::1]", "::1", None, "/"),
            ("::1", "::1", None, "/"),
            ("::1/x", "::1", None, "/x"),
        ];
        for (written, host, port, path) in cases {
            let expected = Url { host: host.into(), port, path: path.into() };
            assert_eq!(parse(written), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_cannot_be_posted_to_says_why() {
        let cases = [
            ("", "a host, or http"),
            ("https://h/", "no TLS"),
            ("HTTPS://h/", "no TLS"),
            ("ftp://h/", "write http://"),
            ("http://u:p@h/", "leave out the user"),
            ("http://h:0/", "a host, or http"),
            ("http://h:99999/", "a host, or http"),
            ("http://h:x/", "a host, or http"),
            ("http://[::1/", "a host, or http"),
            ("http://[::1]x/", "a host, or http"),
            ("http://h/a b", "%20"),
            ("http://h/\r\nX: y", "%20"),
            ("h\r\nX: y", "a host, or http"),
            ("http://主机/", "a host, or http"),
        ];
        for (written, expected) in cases {
            let error = parse(written).unwrap_err();
            assert!(error.contains(expected), "{written:?}: {error}");
        }
    }
}
