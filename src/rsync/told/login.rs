//! Whether the far side's SSH server lets us in, and what to do if not.
//!
//! Owns what ssh says about host keys and logins, and the commands that mend it, with the user, host and port of the
//! remote in them. Pure. `outcome` asks it about the end of a run, `RemoteRoute` says who logs in where.

use super::exit::Exit;
use crate::rsync::quoting::quoted;

/// Who logs in where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user, if it is not the one who runs the program.
    pub user: Option<String>,
    /// The host, without brackets.
    pub host: String,
    /// The port, as it is written, if it is not the usual one.
    pub port: Option<String>,
}

impl Login {
    /// `user@host`, or `host`.
    fn destination(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        word(&format!("{user}{}", self.host))
    }

    /// How known_hosts calls the host: `host`, `[host]:port`.
    fn name_of_key(&self) -> String {
        match &self.port {
            Some(port) => word(&format!("[{}]:{port}", self.host)),
            None => word(&self.host),
        }
    }

    /// `-p 22 ` as the beginning of arguments.
    fn port_words(&self) -> String {
        self.port.as_ref().map(|port| format!("-p {} ", word(port))).unwrap_or_default()
    }

    fn fetch_key(&self) -> String {
        format!("ssh-keyscan {}{} >> ~/.ssh/known_hosts", self.port_words(), word(&self.host))
    }
}

/// What stands between us and the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// Its host key is not the one that was seen before.
    KeyChanged,
    /// Its host key was never seen.
    KeyUnknown,
    /// It takes none of our keys.
    NotLetIn,
    /// The client does not take an option of the `-e`.
    BadOption,
    /// The two know no way to talk in common.
    NothingInCommon,
    /// The client cannot be started.
    NoClient,
}
use Obstacle::{BadOption, KeyChanged, KeyUnknown, NoClient, NotLetIn, NothingInCommon};

/// What OpenSSH's and dropbear's clients, and rsync about them, say, in lower case. A changed key is an
/// unknown one as well, so it stands first.
const SAID: &[(&str, Obstacle)] = &[
    ("remote host identification has changed", KeyChanged),
    ("host key mismatch", KeyChanged),
    ("host key verification failed", KeyUnknown),
    ("is not in the trusted hosts file", KeyUnknown),
    ("permission denied (publickey", NotLetIn),
    ("permission denied (password", NotLetIn),
    ("permission denied (keyboard-interactive", NotLetIn),
    ("permission denied (gssapi", NotLetIn),
    ("permission denied (hostbased", NotLetIn),
    ("too many authentication failures", NotLetIn),
    ("no auth methods could be used", NotLetIn),
    ("bad configuration option", BadOption),
    ("unable to negotiate with", NothingInCommon),
    ("no matching algo", NothingInCommon),
    ("failed to exec", NoClient),
];

impl Obstacle {
    /// The one that an exit tells of.
    pub fn of(exit: &Exit) -> Option<Obstacle> {
        SAID.iter().find(|(said, _)| exit.says(said)).map(|&(_, found)| found)
    }

    /// What to do about it; one sentence.
    pub fn advice(self, login: &Login) -> String {
        match self {
            KeyChanged => format!(
                "The far side is not the machine it was, or has been installed again. If that is right, \
                 run as the user that runs sersync: ssh-keygen -R {}; {}.",
                login.name_of_key(),
                login.fetch_key()
            ),
            KeyUnknown => format!(
                "Run as the user that runs sersync, and compare the key with the far side's: {}.",
                login.fetch_key()
            ),
            NotLetIn => format!(
                "Run as the user that runs sersync, whose key without a passphrase is taken: \
                 ssh-copy-id {}{}.",
                login.port_words(),
                login.destination()
            ),
            BadOption => "Take that option out of -e in commonParams; this ssh does not know it.".into(),
            NothingInCommon => "Update the older of the two SSH programs, or allow what the far side \
                                offers in ~/.ssh/config."
                .into(),
            NoClient => {
                "Install ssh (OpenSSH's client), or correct the program of -e in commonParams.".into()
            }
        }
    }
}

fn word(text: &str) -> String {
    String::from_utf8_lossy(&quoted(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_user_host_and_port() {
        let login = |user: Option<&str>, host: &str, port: Option<&str>| Login {
            user: user.map(String::from),
            host: host.into(),
            port: port.map(String::from),
        };
        for (obstacle, login, expected) in [
            (KeyUnknown, login(None, "far", None), "ssh-keyscan far >> ~/.ssh/known_hosts."),
            (KeyUnknown, login(None, "::1", Some("5")), "ssh-keyscan -p 5 ::1 >> "),
            (KeyChanged, login(None, "far", None), "ssh-keygen -R far; ssh-keyscan far >> "),
            (
                KeyChanged,
                login(None, "far", Some("5")),
                "ssh-keygen -R \"[far]:5\"; ssh-keyscan -p 5",
            ),
            (NotLetIn, login(None, "far", None), "ssh-copy-id far."),
            (NotLetIn, login(Some("u"), "far", Some("5")), "ssh-copy-id -p 5 u@far."),
            (NotLetIn, login(None, "f$x", None), "ssh-copy-id \"f\\$x\"."),
        ] {
            let advice = obstacle.advice(&login);
            assert!(advice.contains(expected), "{advice}");
        }
    }

    #[test]
    fn each_obstacle_is_known_by_what_is_said() {
        for (stderr, expected) in [
            ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\r\n", Some(KeyChanged)),
            ("No ED25519 host key is known for h and you have requested strict checking.\r\nHost key verification failed.\r\n", Some(KeyUnknown)),
            ("root@h: Permission denied (publickey,password).\r\n", Some(NotLetIn)),
            ("dbclient: Connection to root@h:22 exited: No auth methods could be used.\n", Some(NotLetIn)),
            ("command-line: line 0: Bad configuration option: foo\n", Some(BadOption)),
            ("Unable to negotiate with ::1 port 22: no matching host key type found.\n", Some(NothingInCommon)),
            ("rsync: [sender] Failed to exec nossh: No such file or directory (2)\n", Some(NoClient)),
            ("rsync: mkstemp failed: Permission denied (13)\n", None),
            ("ssh: connect to host 127.0.0.1 port 1: Connection refused\n", None),
        ] {
            assert_eq!(Obstacle::of(&Exit::with_code(255, stderr)), expected, "{stderr}");
        }
    }
}
