//! The remote shell: the command behind rsync's `-e`, as the user wrote it and as it is completed.
//!
//! Owns what is understood of such a command (which client, which port, whether it shares
//! connections by itself) and what is put at its end. The user's options come first, and of several values
//! ssh takes the first, so ours never take their place. Starts nothing and looks at no file. `route` forms
//! the `-e` of a run here, `prepare` asks which client it is, `worker` has a run use a shared
//! connection.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::timeout::CONNECT_TIMEOUT_S;
use crate::config::options;

/// OpenSSH's client, and the name under which others may be installed.
pub const SSH: &str = "ssh";
/// How often the client asks the server for a sign of life; it gives up after three.
const ALIVE_S: u32 = 15;
/// How long a shared connection stays without a run: long enough for a person who saves a file now
/// and then, and no burden for the far side.
const PERSIST_S: u32 = 60;
/// The options of ssh that take a value, and those of dbclient.
const WITH_VALUE: &[u8] = b"BbcDEeFIiJKLlmOoPpQRSWw";

/// The version of an OpenSSH client: major and minor number.
pub type Version = (u16, u16);
/// The first with `ControlPersist`, which lets a connection outlive the run that made it.
const SHARING_SINCE: Version = (5, 6);

/// A remote shell's command in words, as rsync splits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteShell {
    words: Vec<Vec<u8>>,
}

impl RemoteShell {
    /// The remote shell that `-e` or `--rsh` in `commonParams` names; the last one counts.
    pub fn of_params(words: &[Vec<u8>]) -> Option<RemoteShell> {
        let found = options::read(words);
        options::last(&found, "rsh")?.value.map(RemoteShell::read)
    }

    /// Splits a command at its blanks; what stands in quotes of either kind stays together, and two
    /// quotes within such quotes are one (rsync knows no backslash here).
    pub fn read(command: &[u8]) -> RemoteShell {
        let mut words = Vec::new();
        let mut word: Option<Vec<u8>> = None;
        let mut quote = None;
        let mut bytes = command.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match (quote, byte) {
                (None, b' ') => words.extend(word.take()),
                (None, b'\'' | b'"') => {
                    quote = Some(byte);
                    word.get_or_insert_default();
                }
                (Some(open), _) if open == byte && bytes.next_if_eq(&open).is_none() => {
                    quote = None;
                }
                (_, _) => word.get_or_insert_default().push(byte),
            }
        }
        words.extend(word);
        RemoteShell { words }
    }

    /// The program, as it is written.
    pub fn program(&self) -> &[u8] {
        self.words.first().map_or(&[], Vec::as_slice)
    }

    /// Whether the program is called `ssh`, as OpenSSH's client is and others on small systems are. A program
    /// that starts ssh has another name.
    pub fn is_ssh(&self) -> bool {
        base_name(self.program()) == SSH.as_bytes()
    }

    /// The port that it names: `-p 22`, `-p22`, `-4p 22`, `-o Port=22`. It counts as named even if it
    /// is no number.
    pub fn port(&self) -> Option<Vec<u8>> {
        self.settings().into_iter().find(|(name, _)| name == b"port").map(|(_, value)| value)
    }

    /// Whether the user's own options say if connections are shared, and where.
    pub fn decides_sharing(&self) -> bool {
        let mut settings = self.settings().into_iter();
        settings.any(|(name, _)| [&b"controlmaster"[..], b"controlpath"].contains(&&name[..]))
    }

    /// What its options set, by the names of ssh_config in small letters. Behind a program that
    /// starts ssh (`sshpass -p word ssh`), those of ssh.
    fn settings(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let client = |word: &Vec<u8>| [SSH.as_bytes(), b"dbclient"].contains(&base_name(word));
        let start = self.words.iter().position(client).unwrap_or(0) + 1;
        let mut settings = Vec::new();
        let mut words = self.words.get(start..).unwrap_or_default().iter();
        while let Some(word) = words.next() {
            let Some(cluster) = word.strip_prefix(b"-") else { continue };
            let at = cluster.iter().position(|letter| WITH_VALUE.contains(letter));
            let flags = &cluster[..at.unwrap_or(cluster.len())];
            if flags.contains(&b'M') {
                settings.push((b"controlmaster".to_vec(), b"yes".to_vec()));
            }
            let Some(at) = at else { continue };
            let value = match &cluster[at + 1..] {
                [] => words.next().cloned().unwrap_or_default(),
                rest => rest.to_vec(),
            };
            match cluster[at] {
                b'p' => settings.push((b"port".to_vec(), value)),
                b'S' => settings.push((b"controlpath".to_vec(), value)),
                b'o' => settings.push(name_and_value(&value)),
                _ => {}
            }
        }
        settings
    }
}

/// The command of a user who named none. It must never ask a question, for nobody answers.
pub(super) fn default_command() -> Vec<u8> {
    format!(
        "{SSH} -o BatchMode=yes -o ConnectTimeout={CONNECT_TIMEOUT_S} -o ServerAliveInterval={ALIVE_S}"
    )
    .into_bytes()
}

/// What goes to the end of a command for the port of the configuration: nothing if the command names one.
pub(super) fn port_words(command: &[u8], port: Option<u16>) -> Vec<u8> {
    let port = port.filter(|_| RemoteShell::read(command).port().is_none());
    port.map(|port| format!(" -p {port}").into_bytes()).unwrap_or_default()
}

/// The arguments of a run over the connection whose socket is `socket`: the first run makes it, and each
/// later one that finds it needs no handshake. A command that is shown, or kept in the fail log, is not
/// changed so: it must work when the socket is gone.
///
/// ssh asks the far side for signs of life, so that a connection that has died unnoticed does not hold up the
/// next run for as long as rsync waits.
pub fn over_shared(args: &[OsString], socket: &Path) -> Vec<OsString> {
    let mut words: Vec<Vec<u8>> = args.iter().map(|word| word.as_bytes().to_vec()).collect();
    let shell = options::last(&options::read(&words), "rsh").map(|found| found.value_word);
    if let Some(word) = shell {
        let options = format!(
            " -o ControlMaster=auto -o ControlPersist={PERSIST_S} -o ServerAliveInterval={ALIVE_S} -o ControlPath="
        );
        words[word].extend_from_slice(options.as_bytes());
        words[word].extend_from_slice(socket.as_os_str().as_bytes());
    }
    words.into_iter().map(OsString::from_vec).collect()
}

/// Whether the path of a socket can stand in a command: ssh would read `%`, `~` and `$` in it, and rsync blanks
/// and quotes.
pub fn may_name_socket(path: &Path) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    path.is_absolute() && path.as_os_str().as_bytes().iter().all(plain)
}

/// The version in what `ssh -V` says: `OpenSSH_9.2p1 Debian-2, OpenSSL 3.0`. None for another client.
pub fn openssh_version(told: &[u8]) -> Option<Version> {
    let told = std::str::from_utf8(told.split(|&byte| byte == b'\n').next()?).ok()?;
    let number = told.split_once("OpenSSH_")?.1;
    // Windows' build writes `OpenSSH_for_Windows_8.1p1`.
    let number = number.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let mut parts = number.split(|letter: char| !letter.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Whether several runs can share one connection of this client.
pub fn can_share(version: Version) -> bool {
    version >= SHARING_SINCE
}

/// `Port=22`, `Port 22`.
fn name_and_value(setting: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let setting = setting.trim_ascii();
    let end = setting.iter().position(|byte| b"= \t".contains(byte)).unwrap_or(setting.len());
    let value = setting[end..].trim_ascii();
    let value = value.strip_prefix(b"=").unwrap_or(value).trim_ascii();
    (setting[..end].to_ascii_lowercase(), value.to_vec())
}

fn base_name(word: &[u8]) -> &[u8] {
    word.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: &str) -> RemoteShell {
        RemoteShell::read(command.as_bytes())
    }

    #[test]
    fn words_are_those_of_rsync() {
        for (command, expected) in [
            ("ssh", &["ssh"][..]),
            ("  ssh  -i  key ", &["ssh", "-i", "key"]),
            ("ssh -i '/a key' -o \"Port 5\"", &["ssh", "-i", "/a key", "-o", "Port 5"]),
            ("ssh -o'a ''b'' c'", &["ssh", "-oa 'b' c"]),
            ("ssh ''", &["ssh", ""]),
            ("", &[]),
            ("'open", &["open"]),
        ] {
            let words: Vec<Vec<u8>> = expected.iter().map(|word| word.as_bytes().into()).collect();
            assert_eq!(read(command).words, words, "{command}");
        }
    }

    #[test]
    fn the_port_is_found_however_it_is_written() {
        for (command, expected) in [
            ("ssh", None),
            ("ssh -p 22", Some("22")),
            ("ssh -4p22", Some("22")),
            ("ssh -o Port=5", Some("5")),
            ("ssh -oport=5", Some("5")),
            ("ssh -o 'Port 5'", Some("5")),
            ("ssh -o 'Port = 5'", Some("5")),
            ("ssh -i/p/q", None),
            ("ssh -i -p", None),
            ("ssh -o ProxyCommand='nc -p 5'", None),
            ("dbclient -y -y -p 5", Some("5")),
            ("/opt/wrapper -p 5", Some("5")),
            // The word behind this -p is the password.
            ("sshpass -p 5 ssh", None),
            ("sshpass -p 5 /usr/bin/ssh -p 6", Some("6")),
            ("rsh", None),
        ] {
            let port = read(command).port();
            assert_eq!(port.as_deref(), expected.map(str::as_bytes), "{command}");
        }
    }

    #[test]
    fn a_user_who_shares_connections_is_left_alone() {
        for (command, expected) in [
            ("ssh -i key -o StrictHostKeyChecking=no", false),
            ("ssh -M", true),
            ("ssh -4M", true),
            ("ssh -S none", true),
            ("ssh -S/run/x", true),
            ("ssh -o ControlMaster=auto", true),
            ("ssh -oControlPath=/run/x", true),
            ("ssh -l M -i S", false),
        ] {
            assert_eq!(read(command).decides_sharing(), expected, "{command}");
        }
    }

    #[test]
    fn only_a_program_of_that_name_is_ssh() {
        for (command, expected) in [
            ("ssh", true),
            ("/usr/bin/ssh -v", true),
            ("dbclient", false),
            ("sshpass -p x ssh", false),
            ("rsh", false),
            ("", false),
        ] {
            assert_eq!(read(command).is_ssh(), expected, "{command}");
        }
    }

    #[test]
    fn versions_are_read_from_what_the_client_says() {
        for (told, expected) in [
            ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026\n", Some((9, 2))),
            ("OpenSSH_4.3p2, OpenSSL 0.9.8e-fips-rhel5 01 Jul 2008", Some((4, 3))),
            ("OpenSSH_10.0p2", Some((10, 0))),
            ("OpenSSH_for_Windows_8.1p1", Some((8, 1))),
            ("Dropbear v2022.83", None),
            ("sh: ssh: not found", None),
            ("OpenSSH_", None),
            ("", None),
        ] {
            assert_eq!(openssh_version(told.as_bytes()), expected, "{told}");
        }
        assert!(!can_share((5, 5)) && can_share((5, 6)) && can_share((10, 0)));
    }

    #[test]
    fn a_run_gets_its_socket_wherever_the_shell_stands() {
        let added = " -o ControlMaster=auto -o ControlPersist=60 -o ServerAliveInterval=15 \
                     -o ControlPath=/run/s/0";
        for (args, at) in [
            (&["-az", "-e", "ssh", "./", "h:/p"][..], Some(2)),
            (&["-aze", "ssh -p 5", "-R"], Some(1)),
            (&["-azessh"], Some(0)),
            (&["--rsh=ssh"], Some(0)),
            (&["-az", "./", "h::m"], None),
        ] {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            let mut expected = args.clone();
            if let Some(at) = at {
                expected[at].push(added);
            }
            assert_eq!(over_shared(&args, Path::new("/run/s/0")), expected);
        }
    }

    #[test]
    fn a_socket_with_a_name_that_is_read_is_refused() {
        for (path, expected) in [
            ("/run/sersync-ssh-12/0", true),
            ("/tmp/a b/0", false),
            ("/tmp/%h", false),
            ("/home/~x", false),
            ("run/0", false),
        ] {
            assert_eq!(may_name_socket(Path::new(path)), expected, "{path}");
        }
    }
}
