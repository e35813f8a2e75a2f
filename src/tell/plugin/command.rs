//! The `command` plugin: a shell command for each path.
//!
//! Owns which paths are meant and how the command is put together; `user_command` runs it. `worker`
//! calls it.

use super::notice::{Event, Notice};
use crate::config;
use crate::rsync::quoting::in_double_quotes;
use crate::tell::user_command::{self, Failure, Output, LIMIT};
use regex_lite::Regex;
use std::io::PipeReader;
use std::os::unix::ffi::OsStrExt;

/// The command.
#[derive(Debug)]
pub struct Command {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    ignore_error: bool,
    includes: Vec<Regex>,
}

impl Command {
    /// The command `prefix PATH suffix` for what one of `includes` matches, or for everything if there
    /// are none.
    ///
    /// # Errors
    /// An expression that does not compile, with why. The configuration has tried them all before.
    pub fn new(
        prefix: &[u8],
        suffix: &[u8],
        ignore_error: bool,
        includes: &[String],
    ) -> Result<Command, String> {
        let includes: Result<_, _> =
            includes.iter().map(|include| config::expression::compile(include)).collect();
        Ok(Command {
            prefix: prefix.to_vec(),
            suffix: suffix.to_vec(),
            ignore_error,
            includes: includes?,
        })
    }

    /// Runs it for one path; the program's end, which closes `stop`, ends it too.
    ///
    /// # Errors
    /// It could not be started, ran too long or failed.
    pub fn tell(&self, notice: &Notice<'_>, stop: &PipeReader) -> Result<(), Failure> {
        if !self.is_meant(notice) {
            return Ok(());
        }
        let event = match notice.event {
            Event::Upsert => "upsert",
            Event::Delete => "delete",
        };
        let variables: [(&str, &[u8]); 3] = [
            ("SERSYNC_PATH", notice.path),
            ("SERSYNC_EVENT", event.as_bytes()),
            ("SERSYNC_ROOT", notice.root.as_os_str().as_bytes()),
        ];
        let output = if self.ignore_error { Output::Dropped } else { Output::Shown };
        match user_command::run(&self.script(notice.path), &variables, output, LIMIT, stop) {
            Err(Failure::Exited(_) | Failure::Signaled(_)) if self.ignore_error => Ok(()),
            result => result,
        }
    }

    /// A directory that stands for others is always meant: what is in it may be.
    fn is_meant(&self, notice: &Notice<'_>) -> bool {
        let text = config::text::decode(notice.path);
        let matches = |include: &Regex| include.is_match(&text);
        self.includes.is_empty() || notice.folded || self.includes.iter().any(matches)
    }

    /// COMPAT: prefix and suffix are the user's own shell code and stay as they are. The path is one
    /// word: sersync pasted it as it was, and a name with a backtick in it ran a command.
    fn script(&self, path: &[u8]) -> Vec<u8> {
        [&self.prefix, &b" "[..], &in_double_quotes(path), b" ", &self.suffix].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io;
    use std::path::Path;

    fn notice<'a>(path: &'a [u8], event: Event) -> Notice<'a> {
        Notice { root: Path::new("/r"), path, event, is_dir: false, folded: false }
    }

    #[test]
    fn the_path_is_one_word_between_the_users_own() {
        let cases: [[&[u8]; 4]; 4] = [
            [b"/bin/sh", b"", b"/r/a.sh", b"/bin/sh \"/r/a.sh\" "],
            [b"cp", b"/b && c", b"/r/a b", b"cp \"/r/a b\" /b && c"],
            [b"x", b"", b"/r/`id`$(id)\"\\", b"x \"/r/\\`id\\`\\$(id)\\\"\\\\\" "],
            [b"x", b"", b"/r/a\n\xff;id", b"x \"/r/a\n\xff;id\" "],
        ];
        for [prefix, suffix, path, expected] in cases {
            let command = Command::new(prefix, suffix, false, &[]).unwrap();
            assert_eq!(
                command.script(path).escape_ascii().to_string(),
                expected.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn includes_match_the_whole_full_path() {
        let includes = [r"(.*)\.php".to_string(), "/r/x".to_string()];
        let command = Command::new(b"x", b"", false, &includes).unwrap();
        for (path, meant) in [
            ("/r/a.php", true),
            ("/r/d/a.php", true),
            ("/r/a.php5", false),
            ("/r/x", true),
            ("/r/x/y", false),
            ("/r", false),
        ] {
            let notice = notice(path.as_bytes(), Event::Upsert);
            assert_eq!(command.is_meant(&notice), meant, "{path}");
            assert!(
                command.is_meant(&Notice { folded: true, ..notice }),
                "{path} stands for others"
            );
        }
    }

    #[test]
    fn a_real_shell_gets_every_byte_of_the_path() {
        let home = tempfile::tempdir().unwrap();
        let seen = home.path().join("seen");
        let path = "/r/ a'\"$(touch pwned)`touch pwned`\\\n!;&|<>*?[~#数".as_bytes();
        let path = [path, b"\xff"].concat();
        let (stop, _running) = io::pipe().unwrap();
        for (event, word) in [(Event::Upsert, "upsert"), (Event::Delete, "delete")] {
            let prefix = b"printf '%s\\n%s\\n%s\\n%s' \"$SERSYNC_EVENT\" \"$SERSYNC_ROOT\" \"$SERSYNC_PATH\"";
            let suffix = format!(">'{}'", seen.display());
            let command = Command::new(prefix, suffix.as_bytes(), false, &[]).unwrap();
            command.tell(&notice(&path, event), &stop).unwrap();
            let expected = [word.as_bytes(), b"\n/r\n", &path, b"\n", &path].concat();
            assert_eq!(fs::read(&seen).unwrap(), expected);
        }
    }

    #[test]
    fn a_failure_counts_unless_it_is_ignored() {
        let (stop, _running) = io::pipe().unwrap();
        for ignore_error in [false, true] {
            let command = Command::new(b"false", b"", ignore_error, &[]).unwrap();
            let ended = command.tell(&notice(b"/r/a", Event::Upsert), &stop);
            assert_eq!(ended.is_ok(), ignore_error);
        }
    }
}
