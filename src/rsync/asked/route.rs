//! The route to a remote: from which root, where to, and the words that all runs on it share.
//!
//! Owns the destination, the port, the user and the remote shell of a run, and what keeps it from
//! hanging. What a run does there is for `plan` and its neighbours to say. Nothing here is read by a
//! shell on this machine: each word is one argument.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::capability::Capability;
use super::remote_shell::{self, port_words, RemoteShell};
use super::timeout::{CONNECT_TIMEOUT_S, FAR_TIMEOUT_S, TIMEOUT_S};
use crate::config::options::{self, FoundOption};
use crate::config::{Address, Rsync};
use crate::rsync::quoting;
use crate::rsync::told::login::Login;

/// The port where SSH servers usually listen.
const SSH_PORT: &str = "22";
/// The value by which a run finds its way to a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRoute {
    /// Where it begins: the root, in which every run is started.
    pub root: PathBuf,
    /// Where it ends.
    pub address: Address,
    /// How rsync is called for this remote.
    pub rsync: Rsync,
    /// What the rsync on this machine can do.
    pub local: Capability,
}

impl RemoteRoute {
    /// The destination as one argument: `user@host::module`, `user@[::1]:path`, `/path`.
    pub fn destination(&self) -> OsString {
        self.destination_below(b"")
    }

    /// The argument for a directory below the destination, with a slash at its end; the destination itself if
    /// the path is empty.
    fn destination_below(&self, below: &[u8]) -> OsString {
        let inside = |path: &[u8]| {
            let between: &[u8] = if path.is_empty() || path.ends_with(b"/") { b"" } else { b"/" };
            match below {
                b"" => path.to_vec(),
                below => [path, between, below, b"/"].concat(),
            }
        };
        let destination = match &self.address {
            Address::Daemon { host, module } => self.at_host(host, b"::", &inside(module)),
            Address::Ssh { host, path } => self.at_host(host, b":", &self.ssh_path(&inside(path))),
            Address::Local { path } => {
                not_an_option(&inside(path.as_os_str().as_bytes())).into_owned()
            }
        };
        OsString::from_vec(destination)
    }

    /// What people call the remote: the destination without the user, `host::module`. Odd bytes are
    /// replaced.
    pub fn name(&self) -> String {
        let name = match &self.address {
            Address::Daemon { host, module } => {
                [bracketed(host).as_bytes(), b"::", module].concat()
            }
            Address::Ssh { host, path } => [bracketed(host).as_bytes(), b":", path].concat(),
            Address::Local { path } => path.as_os_str().as_bytes().to_vec(),
        };
        String::from_utf8_lossy(&name).into_owned()
    }

    /// What the state calls the remote: two daemons on one host may have a module of the same name.
    pub fn kept_as(&self) -> Vec<u8> {
        let destination = self.destination().into_vec();
        match self.rsync.port {
            Some(port) => [destination, format!(" port {port}").into_bytes()].concat(),
            None => destination,
        }
    }

    /// Who logs in where, if the remote is reached over SSH.
    pub fn login(&self) -> Option<Login> {
        let Address::Ssh { host, .. } = &self.address else { return None };
        let (user, host) = match host.split_once('@') {
            Some((user, host)) => (Some(user.to_string()), host),
            None => (self.rsync.user.clone(), host.as_str()),
        };
        let named = RemoteShell::of_params(&self.rsync.params).and_then(|shell| shell.port());
        let named = named.map(|port| String::from_utf8_lossy(&port).into_owned());
        let port = named.or(self.rsync.port.map(|port| port.to_string()));
        Some(Login { user, host: host.into(), port: port.filter(|port| port != SSH_PORT) })
    }

    /// The word that says how long a daemon waits for this side in a small run; none where that cannot be said. It is
    /// longer than we wait for the daemon: a standby says that it is there only when half of that has passed.
    ///
    /// Without a timeout the far side of a connection that the network has lost waits for ever, and so many pile up
    /// until `max connections` are used. A daemon from protocol 31 on tells its timeout in a segment of its own, and
    /// Nagle's algorithm keeps the next one back until that is acknowledged: where the kernel cannot be asked to
    /// acknowledge at once (before 5.6) that takes 40 ms of a run without a standby (measured: 11 ms become 51).
    pub(super) fn far_side_timeout(&self) -> Option<Vec<u8>> {
        let seconds = self.rsync.timeout_s.unwrap_or(0).max(FAR_TIMEOUT_S);
        let is_daemon = matches!(self.address, Address::Daemon { .. });
        let can = is_daemon && self.local.remote_option();
        can.then(|| format!("-M--timeout={seconds}").into_bytes())
    }

    /// All arguments of a run: the user's parameters (as `params` has them), what the address
    /// needs, `flags`, `./`, the network's words, the destination, the password file.
    // COMPAT: sersync's order, which the banner and the fail log show.
    pub(super) fn arguments(&self, params: Vec<Vec<u8>>, flags: Vec<Vec<u8>>) -> Vec<OsString> {
        self.arguments_from(b"./", params, flags)
    }

    /// The same with a source of its own: `./`, or a path that begins with it.
    pub(super) fn arguments_from(
        &self,
        source: &[u8],
        params: Vec<Vec<u8>>,
        flags: Vec<Vec<u8>>,
    ) -> Vec<OsString> {
        self.arguments_below(source, b"", params, flags)
    }

    /// The same to a directory in the destination, given by its path below that.
    pub(super) fn arguments_below(
        &self,
        source: &[u8],
        below: &[u8],
        params: Vec<Vec<u8>>,
        flags: Vec<Vec<u8>>,
    ) -> Vec<OsString> {
        let mut words = self.with_shell(params);
        words.extend(flags);
        words.push(source.to_vec());
        words.extend(self.network());
        let mut words: Vec<OsString> = words.into_iter().map(OsString::from_vec).collect();
        words.push(self.destination_below(below));
        if let (Address::Daemon { .. }, Some(file)) = (&self.address, &self.rsync.password_file) {
            let mut word = OsString::from("--password-file=");
            word.push(file);
            words.push(word);
        }
        words
    }

    /// How many words are in these arguments and not in those of a run of this remote, or the other way
    /// round. Two remotes may be the same module of two daemons on one host: a command belongs to the one from
    /// which it differs least.
    pub fn difference(&self, args: &[Vec<u8>]) -> usize {
        let own = self.arguments(self.rsync.params.clone(), Vec::new());
        let same = |word: &OsString, arg: &Vec<u8>| word.as_bytes() == arg.as_slice();
        let missing = own.iter().filter(|word| !args.iter().any(|arg| same(word, arg))).count();
        let other = args.iter().filter(|arg| !own.iter().any(|word| same(word, arg))).count();
        missing + other
    }

    fn at_host(&self, host: &str, separator: &[u8], rest: &[u8]) -> Vec<u8> {
        // An `ip` of the form user@host names the user already.
        let user = self.rsync.user.as_ref().filter(|_| !host.contains('@'));
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        [user.as_bytes(), bracketed(host).as_bytes(), separator, rest].concat()
    }

    /// The path over SSH. From 3.2.4 on rsync escapes it for the far side's shell, and with the user's `-s` no
    /// shell sees it. In all other cases it is escaped here. `-s` is not added, because the far side would have
    /// to know it, and 2.6.9 does not.
    fn ssh_path<'p>(&self, path: &'p [u8]) -> Cow<'p, [u8]> {
        let path = if path.starts_with(b":") {
            Cow::Owned([b"./", path].concat())
        } else {
            Cow::Borrowed(path)
        };
        if !self.path_is_read() || !shell_reads(&path) {
            return path;
        }
        let escaped = path.iter().flat_map(|&byte| {
            let escape = !is_plain_remotely(byte);
            escape.then_some(b'\\').into_iter().chain([byte])
        });
        Cow::Owned(escaped.collect())
    }

    /// Whether the far side's shell reads the path as it is given here.
    fn path_is_read(&self) -> bool {
        let found = options::read(&self.rsync.params);
        let past_the_shell = ["protect-args", "secluded-args"].iter().any(|name| has(&found, name));
        !self.local.protects_args_itself() && !past_the_shell
    }

    /// The user's parameters, with the remote shell where this remote needs it.
    fn with_shell(&self, mut params: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let Address::Ssh { path, .. } = &self.address else { return params };
        if RemoteShell::of_params(&params).is_none() {
            params.extend([b"-e".to_vec(), remote_shell::default_command()]);
        }
        let found = options::read(&params);
        if let Some(shell) = options::last(&found, "rsh") {
            let word = shell.value_word;
            let port = port_words(shell.value.unwrap_or_default(), self.rsync.port);
            params[word].extend(port);
        }
        if self.local.protect_args() && self.path_is_read() && shell_reads(path) {
            // Some rsyncs protect arguments by default, or because of RSYNC_PROTECT_ARGS; the path is escaped
            // already.
            params.push(b"--no-s".to_vec());
        }
        params
    }

    /// The words for the network, each only where the user's parameters do not decide it.
    fn network(&self) -> Vec<Vec<u8>> {
        let found = options::read(&self.rsync.params);
        let lacks = |name: &str| !has(&found, name) && !has(&found, &format!("no-{name}"));
        let daemon = match &self.address {
            Address::Daemon { .. } => true,
            Address::Ssh { .. } => false,
            Address::Local { .. } => return Vec::new(),
        };
        let mut words = Vec::new();
        if daemon && self.local.sockopts() && lacks("sockopts") {
            // Without it Nagle's algorithm and delayed acknowledgements cost 125 of 139 ms.
            words.push("--sockopts=TCP_NODELAY".to_string());
        }
        if let (true, Some(port)) = (daemon, self.rsync.port) {
            words.push(format!("--port={port}"));
        }
        match self.rsync.timeout_s {
            Some(seconds) => words.push(format!("--timeout={seconds}")),
            None if lacks("timeout") => words.push(format!("--timeout={TIMEOUT_S}")),
            None => {}
        }
        // With a remote shell in the way rsync refuses --contimeout, to a daemon as well.
        let direct = daemon && !has(&found, "rsh");
        if direct && self.local.contimeout() && lacks("contimeout") {
            words.push(format!("--contimeout={CONNECT_TIMEOUT_S}"));
        }
        words.into_iter().map(String::into_bytes).collect()
    }
}

fn has(found: &[FoundOption], long: &str) -> bool {
    options::last(found, long).is_some()
}

fn bracketed(host: &str) -> Cow<'_, str> {
    if host.contains(':') {
        Cow::Owned(format!("[{host}]"))
    } else {
        Cow::Borrowed(host)
    }
}

/// A local path, written so that rsync takes it neither for an option nor for `host:path`.
fn not_an_option(path: &[u8]) -> Cow<'_, [u8]> {
    let first = path.split(|&byte| byte == b'/').next().unwrap_or_default();
    if path.starts_with(b"-") || first.contains(&b':') {
        Cow::Owned([b"./", path].concat())
    } else {
        Cow::Borrowed(path)
    }
}

/// Whether the far side's shell would read something into this path, apart from a `~`, which is meant to be
/// read.
fn shell_reads(path: &[u8]) -> bool {
    !path.iter().all(|&byte| is_plain_remotely(byte))
}

fn is_plain_remotely(byte: u8) -> bool {
    quoting::is_plain(byte) || byte == b'~'
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::capability::Version;
    use super::super::licence::Licence;
    use super::super::plan::full_sync;
    use super::super::run::Purpose;
    use super::*;
    use std::path::Path;

    const NEW: Capability = Capability { version: Version { major: 3, minor: 5, patch: 0 } };
    const V3_0: Capability = Capability { version: Version { major: 3, minor: 0, patch: 9 } };
    const V2_6: Capability = Capability { version: Version { major: 2, minor: 6, patch: 9 } };

    /// A route from some root.
    pub(crate) fn route_to(address: &Address, rsync: &Rsync, local: Capability) -> RemoteRoute {
        let (address, rsync) = (address.clone(), rsync.clone());
        RemoteRoute { root: "/w".into(), address, rsync, local }
    }

    fn daemon(host: &str) -> Address {
        Address::Daemon { host: host.into(), module: b"backup".to_vec() }
    }

    fn ssh(path: &str) -> Address {
        ssh_to("far", path)
    }

    fn ssh_to(host: &str, path: &str) -> Address {
        Address::Ssh { host: host.into(), path: path.into() }
    }

    fn local(path: &str) -> Address {
        Address::Local { path: path.into() }
    }

    fn params(words: &[&str]) -> Rsync {
        Rsync {
            params: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
            ..Rsync::default()
        }
    }

    /// The command without what it hides.
    fn bare(shown: &[u8]) -> String {
        let words = super::super::hiding::temporary_files(&[]);
        let words: Vec<_> = words.iter().map(|word| quoting::quoted(word).into_owned()).collect();
        let hidden = String::from_utf8(words.join(&b' ')).unwrap() + " ";
        let shown = String::from_utf8(shown.to_vec()).unwrap();
        assert!(shown.contains(&hidden), "{shown}");
        shown.replace(&hidden, "")
    }

    fn line(address: &Address, rsync: &Rsync, local: Capability) -> String {
        let run = full_sync(&route_to(address, rsync, local), Licence::Unseen, &[], None);
        assert_eq!(run.purpose, Purpose::FullSync);
        let shown = bare(&run.shown(Path::new("/w")));
        shown["cd /w && rsync ".len()..shown.len() - " >/dev/null 2>&1".len()].to_string()
    }

    #[test]
    fn banner_line_is_that_of_sersync() {
        let rsync = Rsync {
            user: Some("rsync_backup".into()),
            password_file: Some(PathBuf::from("/etc/rsync.password")),
            password_file_position: Default::default(),
            port: Some(874),
            timeout_s: Some(100),
            ..params(&["-artuz", "--sockopts=", "--contimeout", "5"])
        };
        let address = daemon("192.168.6.22");
        let route = route_to(&address, &rsync, NEW);
        let run = full_sync(&route, Licence::Unseen, &[], None);
        assert_eq!(
            bare(&run.shown(Path::new("/my backup"))),
            "cd \"/my backup\" && rsync -artuz --sockopts= --contimeout 5 -R --delete ./ --port=874 \
             --timeout=100 rsync_backup@192.168.6.22::backup --password-file=/etc/rsync.password \
             >/dev/null 2>&1"
        );
    }

    #[test]
    fn daemon_words_give_way_to_the_users() {
        for (words, capability, expected) in [
            (
                &["-az"][..],
                NEW,
                "-az -R --delete ./ --sockopts=TCP_NODELAY --timeout=600 --contimeout=30 h::backup",
            ),
            (&["-az"], V2_6, "-az -R --delete ./ --sockopts=TCP_NODELAY --timeout=600 h::backup"),
            (
                &["-az", "--timeout=5"],
                NEW,
                "-az --timeout=5 -R --delete ./ --sockopts=TCP_NODELAY --contimeout=30 h::backup",
            ),
            (
                &["-a", "--no-timeout", "--sockopts", "SO_KEEPALIVE"],
                NEW,
                "-a --no-timeout --sockopts SO_KEEPALIVE -R --delete ./ --contimeout=30 h::backup",
            ),
            (
                &["-ae", "ssh"],
                NEW,
                "-ae ssh -R --delete ./ --sockopts=TCP_NODELAY --timeout=600 h::backup",
            ),
        ] {
            assert_eq!(line(&daemon("h"), &params(words), capability), expected);
        }
    }

    #[test]
    fn ssh_gets_a_shell_that_asks_nothing_and_the_port() {
        let ours = "\"ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15";
        for (words, port, expected) in [
            (&["-az"][..], None, format!("-az -e {ours}\"")),
            (&["-az"], Some(22), format!("-az -e {ours} -p 22\"")),
            (&["-aze", "ssh"], None, "-aze ssh".into()),
            (&["-aze", "ssh"], Some(8022), "-aze \"ssh -p 8022\"".into()),
            (&["-azessh"], Some(8022), "\"-azessh -p 8022\"".into()),
            (
                &["-artuz", "-e", "ssh -o StrictHostKeyChecking=no"],
                Some(22),
                "-artuz -e \"ssh -o StrictHostKeyChecking=no -p 22\"".into(),
            ),
            (&["--rsh=ssh -4p 5"], Some(22), "\"--rsh=ssh -4p 5\" -r".into()),
            (&["--rsh=ssh -i/p/q"], Some(22), "\"--rsh=ssh -i/p/q -p 22\" -r".into()),
            (&["-a", "-e", "ssh -o Port=5"], Some(22), "-a -e \"ssh -o Port=5\"".into()),
            (&["-a", "-e", "ssh -oport=5"], Some(22), "-a -e \"ssh -oport=5\"".into()),
            (&["-ae", "dbclient -y"], Some(22), "-ae \"dbclient -y -p 22\"".into()),
            (&["-ae", "sshpass -p x ssh"], Some(22), "-ae \"sshpass -p x ssh -p 22\"".into()),
        ] {
            let rsync = Rsync { port, password_file: Some("/pw".into()), ..params(words) };
            let expected = format!("{expected} -R --delete ./ --timeout=600 far:/data");
            let shown = line(&ssh("/data"), &rsync, NEW).replace(" -R -r ", " -r -R ");
            assert_eq!(shown, expected, "{words:?}");
        }
    }

    #[test]
    fn far_shell_never_reads_the_path() {
        let tail = "-R --delete ./ --timeout=600";
        for (path, words, capability, expected) in [
            ("/a b", &["-ae", "ssh"][..], NEW, format!("-ae ssh {tail} \"far:/a b\"")),
            ("/a b", &["-ae", "ssh"], V3_0, format!("-ae ssh --no-s {tail} \"far:/a\\\\ b\"")),
            ("/a b", &["-sae", "ssh"], V3_0, format!("-sae ssh {tail} \"far:/a b\"")),
            ("~/ab", &["-ae", "ssh"], V3_0, format!("-ae ssh {tail} \"far:~/ab\"")),
            ("/a b$", &["-ae", "ssh"], V2_6, format!("-ae ssh {tail} \"far:/a\\\\ b\\\\\\$\"")),
            (":x", &["-ae", "ssh"], NEW, format!("-ae ssh {tail} far:./:x")),
        ] {
            assert_eq!(line(&ssh(path), &params(words), capability), expected);
        }
    }

    #[test]
    fn local_destination_gets_no_network_words() {
        let rsync = Rsync {
            port: Some(1),
            timeout_s: Some(1),
            password_file: Some("/p".into()),
            ..params(&["-a"])
        };
        for (path, expected) in
            [("/x y", "\"/x y\""), ("-x", "./-x"), ("h:x", "./h:x"), ("/h:x", "/h:x")]
        {
            assert_eq!(line(&local(path), &rsync, NEW), format!("-a -R --delete ./ {expected}"));
        }
    }

    #[test]
    fn who_logs_in_where() {
        for (host, words, port, expected) in [
            ("far", "-a", None, "u far -"),
            ("far", "-a", Some(22), "u far -"),
            ("far", "-a", Some(5), "u far 5"),
            ("far", "-e ssh -p 6", Some(5), "u far 6"),
            ("v@far", "-e sshpass -p x ssh", Some(5), "v far 5"),
        ] {
            let words: Vec<&str> = words.splitn(2, ' ').collect();
            let rsync = Rsync { user: Some("u".into()), port, ..params(&words) };
            let address = ssh_to(host, "/p");
            let login = route_to(&address, &rsync, NEW).login().unwrap();
            let (user, port) = (login.user.unwrap(), login.port.unwrap_or("-".into()));
            assert_eq!(format!("{user} {} {port}", login.host), expected);
        }
        let route = route_to(&daemon("far"), &params(&["-a"]), NEW);
        assert_eq!(route.login(), None);
    }

    #[test]
    fn destinations_and_names() {
        let rsync = Rsync { user: Some("u".into()), ..params(&["-a"]) };
        for (address, destination, name) in [
            (daemon("h"), "u@h::backup", "h::backup"),
            (daemon("::1"), "u@[::1]::backup", "[::1]::backup"),
            (ssh("/p q"), "u@far:/p q", "far:/p q"),
            (ssh_to("::1", "/p"), "u@[::1]:/p", "[::1]:/p"),
            (ssh_to("v@far", "/p"), "v@far:/p", "v@far:/p"),
            (local("/p"), "/p", "/p"),
        ] {
            let route = route_to(&address, &rsync, NEW);
            assert_eq!(route.destination(), destination);
            assert_eq!(route.name(), name);
        }
    }
}
