//! The bytes of the requests that the plugins send. Pure: text in, bytes out.
//!
//! Owns the encoding of names into URLs and forms, and the lines around them. Which fields a request
//! has is for `http` and `refresh_cdn` to say, which call this.

/// What stays as it is in a form's field and in the value of a query, by RFC 3986.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Every byte that `stays` does not name as `%XX`.
fn percent_encoded(bytes: &[u8], stays: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if stays(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A path as it stands in a URL; its slashes stay.
pub fn url_path(path: &[u8]) -> String {
    percent_encoded(path, |byte| is_unreserved(byte) || b"/!$'()*,:;=@".contains(&byte))
}

/// The value of a form's field.
pub fn field(value: &[u8]) -> String {
    percent_encoded(value, is_unreserved)
}

/// The value of a field in a URL's query.
///
/// COMPAT: colons and slashes stay, as sersync wrote them; they have no meaning there.
pub fn query_value(value: &[u8]) -> String {
    percent_encoded(value, |byte| is_unreserved(byte) || b":/".contains(&byte))
}

/// The host of a request, with the port if it is not the usual one.
pub fn host_and_port(host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    match port {
        80 => host,
        port => format!("{host}:{port}"),
    }
}

/// A form that is posted.
pub fn post(host: &str, port: u16, path: &str, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", field(value))).collect();
    let form = pairs.join("&");
    format!(
        "POST {path} HTTP/1.1\r\n\
         Host: {}\r\n\
         User-Agent: sersync/{}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n\
         \r\n\
         {form}",
        host_and_port(host, port),
        env!("CARGO_PKG_VERSION"),
        form.len()
    )
    .into_bytes()
}

/// A request for the head of what is at `target`, in HTTP/1.0. `host` goes as it is.
pub fn head(target: &str, host: &str) -> Vec<u8> {
    format!("HEAD {target} HTTP/1.0\r\nHost: {host}\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_so_that_they_can_only_be_names() {
        let cases: [(&[u8], &str, &str, &str); 6] = [
            (b"/a/b.txt", "/a/b.txt", "%2Fa%2Fb.txt", "/a/b.txt"),
            (b"a b+c", "a%20b%2Bc", "a%20b%2Bc", "a%20b%2Bc"),
            (b"a&b=c", "a%26b=c", "a%26b%3Dc", "a%26b%3Dc"),
            (b"?#%", "%3F%23%25", "%3F%23%25", "%3F%23%25"),
            ("数".as_bytes(), "%E6%95%B0", "%E6%95%B0", "%E6%95%B0"),
            (
                b"x\r\nHost: y\xff\0",
                "x%0D%0AHost:%20y%FF%00",
                "x%0D%0AHost%3A%20y%FF%00",
                "x%0D%0AHost:%20y%FF%00",
            ),
        ];
        for (name, in_path, in_form, in_query) in cases {
            assert_eq!(url_path(name), in_path);
            assert_eq!(field(name), in_form);
            assert_eq!(query_value(name), in_query);
        }
    }

    #[test]
    fn a_post_is_these_bytes() {
        let fields: [(&str, &[u8]); 2] = [("watchroot", b"/a b"), ("mask", b"8")];
        let expected = format!(
            "POST /x?y=1 HTTP/1.1\r\nHost: h:8009\r\nUser-Agent: sersync/{}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 25\r\n\
             Connection: close\r\n\r\nwatchroot=%2Fa%20b&mask=8",
            env!("CARGO_PKG_VERSION")
        );
        let bytes = post("h", 8009, "/x?y=1", &fields);
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn a_host_has_its_port_and_its_brackets() {
        for (host, port, expected) in
            [("h", 80, "h"), ("h", 81, "h:81"), ("::1", 80, "[::1]"), ("::1", 8080, "[::1]:8080")]
        {
            assert_eq!(host_and_port(host, port), expected);
        }
    }
}
