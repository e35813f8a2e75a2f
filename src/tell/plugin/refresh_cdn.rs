//! The `refreshCDN` plugin: has ChinaCache's network fetch a changed URL again.
//!
//! Owns which URL a path has, and the request; what is asked and answered is kept in
//! `errorlog.txt`. One URL in each request: nothing says that the network understands several.
//! `worker` calls it.

use super::answer::{shown, Error};
use super::connection::{self, Failure};
use super::error_log::ErrorLog;
use super::notice::Notice;
use super::request::{field, head, query_value, url_path};
use regex_lite::Regex;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What stands for user and password where people may read it.
const HIDDEN: &str = "***";
const HIDDEN_ACCOUNT: &str = "user=***&pswd=***";

/// What is needed to make a request.
#[derive(Debug)]
pub struct RefreshCdn {
    /// The tree whose paths have URLs.
    pub watch: PathBuf,
    /// The host that takes the requests.
    pub domain: String,
    /// The port there.
    pub port: u16,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: String,
    /// What every URL begins with.
    pub base: String,
    /// What is searched in the full path; without it, the URL has the path below `watch`.
    pub pattern: Option<Regex>,
    /// Where requests and answers are kept.
    pub log: ErrorLog,
}

impl RefreshCdn {
    /// Asks for one path.
    ///
    /// # Errors
    /// No connection, or no answer that is a success.
    pub fn tell(&self, notice: &Notice<'_>) -> Result<(), Failure> {
        let Some(url) = self.url(notice.path) else {
            self.log.note(&format!("{}: regexurl does not match; no URL", shown(notice.path)));
            return Ok(());
        };
        let request = head(&target(&self.account(), &url, notice.is_dir), &self.domain);
        let answered = connection::ask(&self.domain, self.port, &request, true);
        let answered = answered.map_err(|failure| self.without_account(failure));
        let said = match &answered {
            Ok(head) => {
                head.header("whatsup").map_or("(none)".into(), |line| self.hide(shown(line)))
            }
            Err(failure) => failure.to_string(),
        };
        let asked = target(HIDDEN_ACCOUNT, &url, notice.is_dir);
        self.log.note(&format!("HEAD {asked}\nwhatsup: {said}"));
        answered.map(drop)
    }

    fn account(&self) -> String {
        let [user, password] = [&self.user, &self.password].map(|text| field(text.as_bytes()));
        format!("user={user}&pswd={password}")
    }

    /// A redirect repeats the request, and a server may repeat what it likes.
    fn without_account(&self, failure: Failure) -> Failure {
        let Failure::Answer(error) = failure else { return failure };
        Failure::Answer(match error {
            Error::Status(status, to) => Error::Status(status, self.hide(to)),
            Error::NotHttp(line) => Error::NotHttp(self.hide(line)),
            error @ (Error::TooLong | Error::Short) => error,
        })
    }

    /// A text without user and password, in whatever way they are written.
    fn hide(&self, text: String) -> String {
        let secrets = [&self.password, &self.user].into_iter().filter(|secret| !secret.is_empty());
        let written = secrets.flat_map(|secret| {
            let bytes = secret.as_bytes();
            [secret.clone(), field(bytes), query_value(bytes), shown(bytes)]
        });
        written.fold(text, |text, secret| text.replace(&secret, HIDDEN))
    }

    /// The URL of a path; `None` if the expression is not found in it.
    ///
    /// With an expression it is the base, what its first group matched, and what follows the match.
    fn url(&self, path: &[u8]) -> Option<String> {
        let Some(pattern) = &self.pattern else {
            let below = path.strip_prefix(self.watch.as_os_str().as_bytes()).unwrap_or(path);
            let below = url_path(below.strip_prefix(b"/").unwrap_or(below));
            let base = self.base.trim_end_matches('/');
            return Some(if below.is_empty() {
                base.to_owned()
            } else {
                format!("{base}/{below}")
            });
        };
        let text = crate::config::text::decode(path);
        let found = pattern.captures(&text)?;
        let group = found.get(1).map_or("", |group| group.as_str());
        let behind = found.get(0).map_or("", |all| &text[all.end()..]);
        // Back to the bytes that the characters were made of.
        let bytes = |text: &str| match std::str::from_utf8(path) {
            Ok(_) => text.as_bytes().to_vec(),
            Err(_) => text.chars().filter_map(|c| u8::try_from(c).ok()).collect(),
        };
        Some([self.base.clone(), url_path(&bytes(group)), url_path(&bytes(behind))].concat())
    }
}

/// What is asked for. `account` is ready to stand in a query.
fn target(account: &str, url: &str, is_dir: bool) -> String {
    let url = query_value(url.trim_end_matches('/').as_bytes());
    let what = if is_dir { format!("dirs={url}/") } else { format!("urls={url}") };
    format!("/index.jsp?{account}&ok=ok&{what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(pattern: Option<&str>) -> RefreshCdn {
        RefreshCdn {
            watch: "/data0/htdocs/cms.xoyo.com/site".into(),
            domain: "ccms.chinacache.com".into(),
            port: 80,
            user: "yourname".into(),
            password: "your&passwd ".into(),
            base: "http://pic.xoyo.com/cms".into(),
            pattern: pattern.map(|pattern| Regex::new(pattern).unwrap()),
            log: ErrorLog::nowhere(),
        }
    }

    #[test]
    fn urls_are_those_of_the_guide() {
        const MATCH: &str = "cms.xoyo.com/site([/a-zA-Z0-9]*).xoyo.com/images";
        const SITE: &str = "/data0/htdocs/cms.xoyo.com/site";
        let cases: [(Option<&str>, &str, Option<&str>); 9] = [
            (Some(MATCH), "/jx3.xoyo.com/images/a/123.txt", Some("/jx3/a/123.txt")),
            (Some(MATCH), "/jx3.xoyo.com/images", Some("/jx3")),
            (Some(MATCH), "/jx3.xoyo.com/other/a", None),
            (Some(MATCH), "/jx3.xoyo.com/images/数 b", Some("/jx3/%E6%95%B0%20b")),
            (None, "/jx3.xoyo.com/images/a/123.txt", Some("/jx3.xoyo.com/images/a/123.txt")),
            (None, "/a b?c#d", Some("/a%20b%3Fc%23d")),
            (None, "", Some("")),
            (Some("site"), "/a", Some("/a")),
            (Some("site/(x)?"), "/a", Some("a")),
        ];
        for (pattern, below, expected) in cases {
            let url = plugin(pattern).url(format!("{SITE}{below}").as_bytes());
            let expected = expected.map(|behind| format!("http://pic.xoyo.com/cms{behind}"));
            assert_eq!(url, expected, "{below} with {pattern:?}");
        }
    }

    #[test]
    fn a_path_that_is_no_text_keeps_its_bytes() {
        let url = plugin(Some("site/([^/]*)")).url(b"/site/\xca\xfd/\xe9").unwrap();
        assert_eq!(url, "http://pic.xoyo.com/cms%CA%FD/%E9");
    }

    #[test]
    fn the_request_is_these_bytes() {
        let plugin = plugin(None);
        let url = "http://pic.xoyo.com/cms/jx3/a%20b.txt";
        let bytes = head(&target(&plugin.account(), url, false), &plugin.domain);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "HEAD /index.jsp?user=yourname&pswd=your%26passwd%20&ok=ok\
             &urls=http://pic.xoyo.com/cms/jx3/a%2520b.txt HTTP/1.0\r\n\
             Host: ccms.chinacache.com\r\n\r\n"
        );
        for url in ["http://h/d", "http://h/d/"] {
            let target = target(HIDDEN_ACCOUNT, url, true);
            assert_eq!(target, "/index.jsp?user=***&pswd=***&ok=ok&dirs=http://h/d/");
        }
    }

    #[test]
    fn nothing_that_a_server_says_brings_the_password_into_a_log() {
        let plugin = plugin(None);
        let echo = format!("/x?{}&plain=your&passwd ", plugin.account());
        for error in [Error::Status(302, echo.clone()), Error::NotHttp(echo)] {
            let said = plugin.without_account(Failure::Answer(error)).to_string();
            assert!(said.contains("user=***&pswd=***&plain=***"), "{said}");
        }
    }
}
