//! Looks at a password file as rsync will, before any rsync does.
//!
//! Owns what rsync refuses in such a file. Every run would end with 1, and only its standard error would say why.
//! The password is neither kept nor shown. `prepare` calls this for each file that a remote uses.

use crate::config::Hint;
use crate::sys::user;
use std::fmt::Display;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// rsync refuses a file that others may read or write. Whether they may execute it does not matter to it.
const OTHERS: u32 = 0o006;
/// As root, rsync refuses a file that belongs to anybody else.
const ROOT: u32 = 0;
/// How many bytes rsync reads: what stands behind them is no part of the password.
const BYTES_MAX: u64 = 1023;

/// What is wrong with a password file, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// No run could use it.
    Refused(String, Hint),
    /// rsync takes it, and most likely sends something that is not the password.
    Odd(String),
}

/// Looks at the file of a remote whose user is `login`; the words go on behind the file's name.
///
/// # Errors
/// What is wrong with it.
pub fn check(file: &Path, login: Option<&str>) -> Result<(), Fault> {
    let unreadable = |error: io::Error| refused(format!("cannot be read: {error}"), WRITE);
    let found = std::fs::metadata(file).map_err(unreadable)?;
    check_rights(file, &found, user::effective())?;
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened.take(BYTES_MAX).read_to_end(&mut bytes).map_err(unreadable)?;
    check_content(&bytes, login)
}

const WRITE: Hint = Hint::WRITE_PASSWORD;

fn refused(text: impl Into<String>, hint: Hint) -> Fault {
    Fault::Refused(text.into(), hint)
}

fn check_rights(file: &Path, found: &Metadata, me: u32) -> Result<(), Fault> {
    let run = |command: &str| Hint::RUN.with(format!("{command} {}", file.display()));
    if !found.is_file() {
        return Err(refused("is not a file", Hint::NAME_PASSWORD_FILE));
    }
    if found.mode() & OTHERS != 0 {
        let text = mode_and("can be read or written by others", found.mode() & 0o7777);
        return Err(refused(text, run("chmod 600")));
    }
    if me == ROOT && found.uid() != ROOT {
        let text = format!("belongs to the user {}, which rsync refuses as root", found.uid());
        return Err(refused(text, run("chown root")));
    }
    Ok(())
}

fn mode_and(text: impl Display, mode: u32) -> String {
    format!("{text} (mode {mode:04o}), which rsync refuses")
}

/// rsync takes the first line that is not empty.
fn check_content(bytes: &[u8], login: Option<&str>) -> Result<(), Fault> {
    let line_ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    let Some(password) = text.split(line_ends).find(|line| !line.is_empty()) else {
        return Err(refused("has no password in it", WRITE));
    };
    let of_daemon = login.is_some_and(|login| {
        password.strip_prefix(login.as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
    });
    if of_daemon {
        return Err(Fault::Odd(
            "begins with the user and a colon, as the remote's secrets file does; here the \
             password stands alone"
                .into(),
        ));
    }
    if password.starts_with(b"\xef\xbb\xbf") {
        return Err(Fault::Odd(
            "begins with a byte order mark, which rsync takes for a part of the password; \
             save it without one"
                .into(),
        ));
    }
    if password.trim_ascii() != password {
        return Err(Fault::Odd(
            "has a blank before or behind the password, which rsync takes for a part of it; \
             delete it"
                .into(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{chown, PermissionsExt};

    fn said(outcome: Result<(), Fault>) -> String {
        match outcome {
            Ok(()) => String::new(),
            Err(Fault::Refused(text, _)) => format!("refused: {text}"),
            Err(Fault::Odd(text)) => format!("odd: {text}"),
        }
    }

    #[test]
    fn the_rights_are_those_that_rsync_asks_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p");
        let cases = [
            (0o600, 0, 0, ""),
            (0o400, 0, 0, ""),
            (0o640, 0, 0, ""),
            (0o660, 0, 0, ""),
            (0o601, 0, 0, ""),
            (0o604, 0, 0, "refused: can be read or written by others (mode 0604), which rsync"),
            (0o602, 0, 0, "refused: can be read or written by others (mode 0602)"),
            (0o644, 0, 1000, "refused: can be read or written by others (mode 0644)"),
            (0o600, 1000, 0, "refused: belongs to the user 1000, which rsync refuses as root"),
            (0o600, 1000, 1000, ""),
            (0o640, 1001, 1000, ""),
        ];
        for (mode, owner, me, expected) in cases {
            fs::write(&file, "secret\n").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            chown(&file, Some(owner), None).unwrap();
            let found = said(check_rights(&file, &fs::metadata(&file).unwrap(), me));
            assert!(found.starts_with(expected), "{mode:o} {owner} {me}: {found}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{mode:o} {owner} {me}: {found}");
        }
        let found = said(check(dir.path(), None));
        assert_eq!(found, "refused: is not a file");
        assert!(said(check(&dir.path().join("x"), None)).starts_with("refused: cannot be read: No"));
    }

    #[test]
    fn the_password_is_the_first_line_that_is_not_empty() {
        let cases: [(&[u8], &str); 10] = [
            (b"secret\n", ""),
            (b"secret", ""),
            (b"\n\r\nsecret\r\n", ""),
            (b"two words\n", ""),
            (b"", "refused: has no password in it"),
            (b"\n\r\n", "refused: has no password in it"),
            (b"\0secret", "refused: has no password in it"),
            (b"u:secret\n", "odd: begins with the user and a colon"),
            (b"secret \n", "odd: has a blank before or behind"),
            (b"\xef\xbb\xbfsecret\n", "odd: begins with a byte order mark"),
        ];
        for (bytes, expected) in cases {
            let found = said(check_content(bytes, Some("u")));
            assert!(found.starts_with(expected), "{bytes:?}: {found}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{bytes:?}: {found}");
        }
        assert_eq!(said(check_content(b"u:secret", None)), "");
    }

    /// What the table above says of the rights is what the rsync here does.
    #[test]
    fn rsync_refuses_what_is_refused_here() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p");
        let cases = [
            ("s", 0o600, 0),
            ("s", 0o601, 0),
            ("s", 0o604, 0),
            ("s", 0o602, 0),
            ("s", 0o600, 1),
            ("\n", 0o600, 0),
        ];
        // It reads the file when the daemon asks for a password, so one has to ask.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for (content, mode, owner) in cases {
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            chown(&file, Some(owner), None).unwrap();
            let mut command = std::process::Command::new("rsync");
            command.args([format!("--password-file={}", file.display()), format!("--port={port}")]);
            command.args(["u@127.0.0.1::m", "/"]).stderr(std::process::Stdio::piped());
            let running = command.spawn().unwrap();
            let (mut asked, _) = listener.accept().unwrap();
            io::Write::write_all(&mut asked, b"@RSYNCD: 30.0\n@RSYNCD: AUTHREQD x\n").unwrap();
            // The answer, if there is one: its greeting, the module, the user with the response.
            let mut answer = String::new();
            let mut lines = io::BufReader::new(&asked);
            for _ in 0..3 {
                io::BufRead::read_line(&mut lines, &mut answer).unwrap_or_default();
            }
            drop(asked);
            running.wait_with_output().unwrap();
            let answered = answer.lines().count() == 3;
            assert_eq!(
                check(&file, None).is_ok(),
                answered,
                "{mode:o} {owner} {content:?}: {answer:?}"
            );
        }
    }
}
