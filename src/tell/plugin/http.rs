//! The `http` plugin: a form for each path, posted to a URL.
//!
//! Owns the fields of the form. `worker` calls it.

use super::connection::{self, Failure};
use super::notice::{Event, Notice};
use super::request;
use crate::engine::watching::event::mask;
use std::os::unix::ffi::OsStrExt;

/// Where the forms go.
#[derive(Debug)]
pub struct Http {
    /// A host name or an address.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// Of the URL; begins with a slash.
    pub path: String,
}

impl Http {
    /// Tells of one path.
    ///
    /// # Errors
    /// No connection, or no answer that is a success.
    pub fn tell(&self, notice: &Notice<'_>) -> Result<(), Failure> {
        connection::ask(&self.host, self.port, &self.request(notice), false).map(drop)
    }

    fn request(&self, notice: &Notice<'_>) -> Vec<u8> {
        let fields: [(&str, &[u8]); 4] = [
            ("watchroot", notice.root.as_os_str().as_bytes()),
            ("isdir", if notice.is_dir { b"1" } else { b"0" }),
            ("inotifyPath", notice.path),
            ("mask", &inotify_mask(notice).to_string().into_bytes()),
        ];
        request::post(&self.host, self.port, &self.path, &fields)
    }
}

/// The mask of an inotify event that would have told the same.
///
/// COMPAT: sersync sends the mask of its one event. Here many events have become one path, and what is
/// left of them is whether it is there: a file as if it had been written and closed, a directory as if
/// it had been made, and either as if it had been deleted.
fn inotify_mask(notice: &Notice<'_>) -> u32 {
    let what = match notice.event {
        Event::Delete => mask::DELETE,
        Event::Upsert if notice.is_dir => mask::CREATE,
        Event::Upsert => mask::CLOSE_WRITE,
    };
    if notice.is_dir {
        what | mask::ISDIR
    } else {
        what
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_form_is_these_bytes() {
        let http = Http { host: "::1".into(), port: 8080, path: "/hook?x=1".into() };
        let cases: [(&[u8], Event, bool, &str); 4] = [
            (b"/r/a b&c", Event::Upsert, false, "isdir=0&inotifyPath=%2Fr%2Fa%20b%26c&mask=8"),
            (b"/r/d", Event::Upsert, true, "isdir=1&inotifyPath=%2Fr%2Fd&mask=1073742080"),
            (b"/r/\xff", Event::Delete, false, "isdir=0&inotifyPath=%2Fr%2F%FF&mask=512"),
            (b"/r/d", Event::Delete, true, "isdir=1&inotifyPath=%2Fr%2Fd&mask=1073742336"),
        ];
        for (path, event, is_dir, form) in cases {
            let notice = Notice { root: Path::new("/r"), path, event, is_dir, folded: false };
            let form = format!("watchroot=%2Fr&{form}");
            let expected = format!(
                "POST /hook?x=1 HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: sersync/{}\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{form}",
                env!("CARGO_PKG_VERSION"),
                form.len()
            );
            assert_eq!(String::from_utf8(http.request(&notice)).unwrap(), expected);
        }
    }
}
