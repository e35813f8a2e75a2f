//! What a version of rsync can do.
//!
//! Owns the version numbers at which options came. It starts no rsync: `prepare` hands in the output of
//! `rsync --version`, once. What a far side can do is learned from its answers.

/// A version of rsync, ordered as versions are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)] // The three numbers of 3.2.7.
pub struct Version {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

const fn version(major: u16, minor: u16, patch: u16) -> Version {
    Version { major, minor, patch }
}

/// What the rsync on this machine can do, as far as its version says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capability {
    /// The version that it printed.
    pub version: Version,
}

impl Capability {
    /// Reads the output of `rsync --version`, whose first line has been
    /// `rsync  version 3.2.7  protocol version 31` in every version so far, with a `v` before the
    /// number in some builds. None if the number is not there: then it is no rsync.
    pub fn parse(output: &[u8]) -> Option<Capability> {
        let line = output.split(|&byte| byte == b'\n').next()?;
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace();
        if words.next()? != "rsync" || words.next()? != "version" {
            return None;
        }
        let number = words.next()?;
        let mut parts =
            number.strip_prefix('v').unwrap_or(number).splitn(3, '.').map(leading_number);
        let (major, minor) = (parts.next()??, parts.next()??);
        // A patch level may be missing or carry a suffix, as in 3.0.0pre8 or 3.4.1-dev.
        let patch = parts.next().flatten().unwrap_or(0);
        Some(Capability { version: Version { major, minor, patch } })
    }

    /// `--delete-missing-args`: a listed path that is gone here is deleted there.
    pub fn delete_missing_args(self) -> bool {
        self.version >= version(3, 1, 0)
    }

    /// `--ignore-missing-args`: a listed path that is gone here is no error.
    pub fn ignore_missing_args(self) -> bool {
        self.version >= version(3, 1, 0)
    }

    /// `-M`: an option for the far side alone.
    pub fn remote_option(self) -> bool {
        self.version >= version(3, 1, 0)
    }

    /// `--info=progress2`: how far the whole run has come, on standard output.
    pub fn progress(self) -> bool {
        self.version >= version(3, 1, 0)
    }

    /// `--contimeout`: a limit on the time to connect to a daemon.
    pub fn contimeout(self) -> bool {
        self.version >= version(3, 0, 0)
    }

    /// Escapes what the far side's shell would read in a destination.
    pub fn protects_args_itself(self) -> bool {
        self.version >= version(3, 2, 4)
    }

    /// `-s`, and `--no-s`: whether no shell of the far side sees the destination.
    pub fn protect_args(self) -> bool {
        self.version >= version(3, 0, 0)
    }

    /// `--sockopts` on a client; before, only daemons took it.
    pub fn sockopts(self) -> bool {
        self.version >= version(2, 6, 8)
    }
}

/// The number that a part of a version starts with.
fn leading_number(part: &str) -> Option<u16> {
    let digits = part.bytes().take_while(u8::is_ascii_digit).count();
    part[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_gives_the_version() {
        for (line, expected) in [
            ("rsync  version 3.5.0  protocol version 32\nCopyright", Some((3, 5, 0))),
            ("rsync  version 2.6.9  protocol version 29\n", Some((2, 6, 9))),
            ("rsync version 3.1.2 protocol version 31", Some((3, 1, 2))),
            ("rsync  version v3.2.7  protocol version 31\n", Some((3, 2, 7))),
            ("rsync  version 3.0.0pre8  protocol version 30\n", Some((3, 0, 0))),
            ("rsync  version 3.4  protocol version 32\n", Some((3, 4, 0))),
            ("rsync  version  protocol version 31\n", None),
            ("openrsync: protocol version 29\nrsync version 2.6.9 compatible\n", None),
            ("sh: rsync: not found\n", None),
            ("", None),
        ] {
            let found = Capability::parse(line.as_bytes()).map(|found| found.version);
            assert_eq!(found, expected.map(|(a, b, c)| version(a, b, c)), "{line:?}");
        }
    }

    #[test]
    fn options_come_with_their_version() {
        type Question = fn(Capability) -> bool;
        let table: [(&str, Question, Version, Version); 7] = [
            ("delete", Capability::delete_missing_args, version(3, 0, 9), version(3, 1, 0)),
            ("ignore", Capability::ignore_missing_args, version(3, 0, 9), version(3, 1, 0)),
            ("progress", Capability::progress, version(3, 0, 9), version(3, 1, 0)),
            ("contimeout", Capability::contimeout, version(2, 6, 9), version(3, 0, 0)),
            ("itself", Capability::protects_args_itself, version(3, 2, 3), version(3, 2, 4)),
            ("protect", Capability::protect_args, version(2, 6, 9), version(3, 0, 0)),
            ("sockopts", Capability::sockopts, version(2, 6, 7), version(2, 6, 8)),
        ];
        for (name, question, last_without, first_with) in table {
            assert!(!question(Capability { version: last_without }), "{name} too early");
            assert!(question(Capability { version: first_with }), "{name} too late");
        }
    }
}
