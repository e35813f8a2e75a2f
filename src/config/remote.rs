//! The settings of a remote: the `rsync` element, and what a `remote` says otherwise.
//!
//! Owns how these two are put together, and what contradicts what. Every remote gets settings of its own
//! here, so nobody else has to know where each of them was written. `read` calls it.

use super::diagnosis::hint::Hint;
use super::diagnosis::problem::Problem;
use super::diagnosis::warnings::Warnings;
use super::settings::{RemoteSettings, Rsync};
use super::units::Unit;
use super::xml::{Attribute, Element};
use super::{address, params, words};
use std::path::Path;

/// The longest I/O timeout in seconds: rsync reads it into a C `int`.
const TIMEOUT_S_MAX: u64 = i32::MAX as u64;

const PARAMS: &str = "rsync options such as -artz";
const USERS: &str = "the user of the rsync module";
const PASSWORD_FILE: &str = "a file that holds the password";

/// The attributes of a remote that have no effect if it is a directory of this machine.
const NOT_LOCAL: [&str; 4] = ["port", "users", "passwordfile", "ssh"];

/// `sersync/rsync`: what all remotes share, as far as they say nothing else.
pub(super) struct Common<'a> {
    /// Without a password file: whether one is needed depends on the remote.
    rsync: Rsync,
    ssh: bool,
    /// `auth passwordfile`, if `auth` is on. It is checked only where a remote needs it, because the official
    /// template has one even with ssh.
    password_file: Option<Attribute<'a>>,
}

impl<'a> Common<'a> {
    pub(super) fn read(
        sersync: Element<'a>,
        warnings: &mut Warnings,
    ) -> Result<Common<'a>, Problem> {
        let rsync = Rsync { params: vec![b"-artz".to_vec()], ..Rsync::default() };
        let mut common = Common { rsync, ssh: false, password_file: None };
        let Some(element) = sersync.child("rsync") else { return Ok(common) };
        common.ssh = element.switch("ssh", false)?;
        let rsync = &mut common.rsync;
        if let Some(written) = element.child("commonParams") {
            rsync.params = params(&written.required("params", PARAMS)?, common.ssh, warnings)?;
        }
        if let Some(auth) = element.started("auth")? {
            rsync.user = Some(user(&auth.required("users", USERS)?)?);
            common.password_file = match common.ssh {
                true => auth.attribute("passwordfile"),
                false => Some(auth.required("passwordfile", PASSWORD_FILE)?),
            };
        }
        if let Some(port) = element.started("userDefinedPort")? {
            rsync.port = Some(port.required("port", "a port from 1 to 65535")?.port()?);
        }
        if let Some(timeout) = element.started("timeout")? {
            let written = timeout.required("time", "a time in seconds")?;
            let timeout_s = written.time(Unit::Seconds, 1..=TIMEOUT_S_MAX)?.as_secs();
            rsync.timeout_s = Some(u32::try_from(timeout_s).expect("TIMEOUT_S_MAX fits into u32"));
        }
        Ok(common)
    }

    /// Reads one `remote` of the root that watches `watch`.
    pub(super) fn remote(
        &self,
        remote: Element<'a>,
        watch: &Path,
        warnings: &mut Warnings,
    ) -> Result<RemoteSettings, Problem> {
        let ssh = remote.attribute("ssh").map_or(Ok(self.ssh), |ssh| ssh.switch())?;
        let rsync = self.rsync(remote, ssh, warnings)?;
        let address = address::address(remote, watch, ssh)?;
        let position = remote.attribute("ip").map(|ip| ip.position()).unwrap_or_default();
        Ok(RemoteSettings { address, rsync, position })
    }

    /// How rsync is called for one `remote`.
    fn rsync(
        &self,
        remote: Element<'a>,
        ssh: bool,
        warnings: &mut Warnings,
    ) -> Result<Rsync, Problem> {
        let mut rsync = self.rsync.clone();
        if remote.attribute("params").is_some() {
            rsync.params = params(&remote.required("params", PARAMS)?, ssh, warnings)?;
        } else if ssh != self.ssh {
            self.judge_again(remote, ssh, warnings);
        }
        if remote.attribute("port").is_some() {
            rsync.port = Some(remote.required("port", "a port from 1 to 65535")?.port()?);
        }
        if let Some(written) = remote.attribute("users") {
            rsync.user = filled(&written).map(user).transpose()?;
        }
        let own_file = remote.attribute("passwordfile");
        // A remote that turns the user off (users="") turns off the shared password as well.
        let common_file = self.password_file.as_ref().filter(|_| rsync.user.is_some());
        let file = own_file.as_ref().or(common_file).and_then(filled);
        let path = file.map(|file| file.absolute_path());
        if is_local(remote) {
            without_effect(remote, &NOT_LOCAL, "with ip=\"local\"", warnings);
        } else if ssh {
            without_effect(remote, &["passwordfile"], "over ssh", warnings);
        } else if let (Some(file), Some(path)) = (file, path) {
            rsync.password_file = Some(path?);
            rsync.password_file_position = file.position();
            if rsync.user.is_none() {
                warnings.add(|| file.problem(NOBODY));
            }
        } else if rsync.user.is_some() && own_file.is_none() {
            remote.required("passwordfile", PASSWORD_FILE)?;
        }
        Ok(rsync)
    }

    /// Warns of those shared parameters that are odd only with this remote's `ssh`.
    fn judge_again(&self, remote: Element<'_>, ssh: bool, warnings: &mut Warnings) {
        let known = params::judge(&self.rsync.params, self.ssh).warnings;
        let here = params::judge(&self.rsync.params, ssh).warnings;
        for text in here.into_iter().filter(|text| !known.contains(text)) {
            warnings.add(|| remote.problem(text));
        }
    }
}

const NOBODY: &str = "a password file without users: rsync logs in as the user who runs sersync; \
                      add users=\"...\"";

/// The attribute, if it is not empty: an empty one turns off what all remotes share.
fn filled<'w, 'a>(attribute: &'w Attribute<'a>) -> Option<&'w Attribute<'a>> {
    Some(attribute).filter(|attribute| !attribute.value().trim().is_empty())
}

fn is_local(remote: Element<'_>) -> bool {
    remote.attribute("ip").is_some_and(|ip| ip.value().trim() == address::LOCAL)
}

fn without_effect(remote: Element<'_>, names: &[&str], when: &str, warnings: &mut Warnings) {
    for attribute in names.iter().filter_map(|name| remote.attribute(name)) {
        // An empty one turns something off, which is right anywhere.
        if filled(&attribute).is_some() {
            let name = attribute.name();
            warnings.add(|| attribute.problem(format!("{name} has no effect {when}; delete it")));
        }
    }
}

fn params(
    attribute: &Attribute<'_>,
    ssh: bool,
    warnings: &mut Warnings,
) -> Result<Vec<Vec<u8>>, Problem> {
    attribute.plain_blanks()?;
    let words = words::split(&attribute.bytes()).map_err(|error| {
        attribute.wrong(&format!("complete words, found {error}")).hint(Hint::CORRECT)
    })?;
    let judgement = params::judge(&words, ssh);
    if let Some(why) = judgement.refused {
        let expected = format!("rsync options for a sync: {why}");
        return Err(attribute.wrong(&expected).hint(Hint::LEAVE_OUT));
    }
    for text in judgement.warnings {
        warnings.add(|| attribute.problem(text));
    }
    Ok(words)
}

fn user(attribute: &Attribute<'_>) -> Result<String, Problem> {
    let user = attribute.text()?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | ':' | '/');
    if user.starts_with('-') || !user.chars().all(plain) {
        return Err(attribute.wrong("one user name").hint(Hint::PLAIN_USER));
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::source::Source;
    use super::super::{read, Address, Config};
    use super::*;
    use std::path::Path;

    const AUTH: &str = "<auth start='true' users='u' passwordfile='/p'/>";
    const PORT: &str = "<userDefinedPort start='true' port='874'/>";
    const SSH: &str = "<ssh start='true'/>";

    fn config(rsync: &str, remote: &str) -> Result<Config, Problem> {
        let text = format!(
            "<head><sersync><localpath watch='/data'>\n<remote ip='h' name='m' {remote}/>\
             </localpath>\n<rsync>{rsync}</rsync></sersync></head>"
        );
        read::config(Path::new("c.xml"), &Source::new(text.as_bytes()).unwrap())
    }

    /// `user@ (file) :port params`, with `ssh` in front.
    fn said(rsync: &str, remote: &str) -> (String, Vec<String>) {
        let config = config(rsync, remote).unwrap_or_else(|problem| panic!("{remote}: {problem}"));
        let to = &config.roots[0].remotes[0];
        let rsync = &to.rsync;
        let ssh = match to.address {
            Address::Ssh { .. } => "ssh ",
            Address::Local { .. } => "local ",
            Address::Daemon { .. } => "",
        };
        let file = rsync.password_file.as_deref().map(|file| format!("({})", file.display()));
        let port = rsync.port.map(|port| format!(":{port}"));
        let user = rsync.user.as_ref().map(|user| format!("{user}@"));
        let words = rsync.params.join(&b' ');
        let said = [user, file, port].into_iter().flatten().collect::<String>();
        let warnings = config.warnings.iter().map(Problem::to_string).collect();
        (format!("{ssh}{said} {}", String::from_utf8(words).unwrap()), warnings)
    }

    #[test]
    fn a_remote_says_otherwise() {
        let all = format!("{AUTH}{PORT}<commonParams params='-a'/>");
        let cases = [
            ("", "", " -artz"),
            (&all, "", "u@(/p):874 -a"),
            (&all, "port='8730'", "u@(/p):8730 -a"),
            (&all, "users='v'", "v@(/p):874 -a"),
            (&all, "passwordfile='/q'", "u@(/q):874 -a"),
            (&all, "users='v' passwordfile='/q' port='1'", "v@(/q):1 -a"),
            (&all, "users='' passwordfile=''", ":874 -a"),
            (&all, "users=''", ":874 -a"),
            (&all, "passwordfile=''", "u@:874 -a"),
            (&all, "params='-artz --bwlimit=500'", "u@(/p):874 -artz --bwlimit=500"),
            (&all, "ssh='true'", "ssh u@:874 -a"),
            (&all, "ssh='true' users='' port='22'", "ssh :22 -a"),
            (&all, "ssh='true' passwordfile=''", "ssh u@:874 -a"),
            (&all, "ssh='false'", "u@(/p):874 -a"),
            ("", "users='v' passwordfile='/q'", "v@(/q) -artz"),
            (&format!("{AUTH}{SSH}"), "", "ssh u@ -artz"),
            (&format!("{AUTH}{SSH}"), "ssh='false'", "u@(/p) -artz"),
            (SSH, "ssh='false' users='v' passwordfile='/q'", "v@(/q) -artz"),
            // What is not needed is not looked into.
            (
                "<auth start='true' users='u' passwordfile='p'/><ssh start='true'/>",
                "",
                "ssh u@ -artz",
            ),
        ];
        for (rsync, remote, expected) in cases {
            assert_eq!(said(rsync, remote), (expected.into(), vec![]), "{rsync} {remote}");
        }
    }

    #[test]
    fn what_contradicts_itself_earns_a_warning() {
        let shell = "<commonParams params=\"-a -e ssh\"/>";
        let cases = [
            ("", "ssh='true' passwordfile='/q'", "2:36: passwordfile has no effect over ssh; del"),
            ("", "passwordfile='/q'", "2:25: a password file without users: rsync logs in as the"),
            (AUTH, "users='' passwordfile='/q'", "2:34: a password file without users"),
            ("", "params='-artuz'", "2:25: -u: a file that is replaced"),
            ("", "params='-a -e ssh'", "2:25: -e: with ssh off it still forces a remote shell"),
            (
                &format!("{SSH}{shell}{AUTH}"),
                "ssh='false'",
                "2:1: -e: with ssh off it still forces a remote shell",
            ),
        ];
        for (rsync, remote, expected) in cases {
            let (_, warnings) = said(rsync, remote);
            assert_eq!(warnings.len(), 1, "{rsync} {remote}: {warnings:?}");
            assert!(warnings[0].starts_with(expected), "{rsync} {remote}: {warnings:?}");
        }
    }

    #[test]
    fn a_directory_of_this_machine_needs_no_way_there() {
        let text = "<head><sersync><localpath watch='/data'><remote ip='local' name='/x' port='1' \
                    users='u' passwordfile='/p' ssh='true' params='-a'/></localpath></sersync></head>";
        let config = read::config(Path::new(""), &Source::new(text.as_bytes()).unwrap()).unwrap();
        let warnings: Vec<_> = config.warnings.iter().map(|warning| &warning.text).collect();
        let words = ["port", "users", "passwordfile", "ssh"];
        let expected =
            words.map(|name| format!("{name} has no effect with ip=\"local\"; delete it"));
        assert_eq!(warnings, expected.iter().collect::<Vec<_>>());
        assert_eq!(config.roots[0].remotes[0].rsync.password_file, None);
    }

    #[test]
    fn a_wrong_setting_of_a_remote_is_an_error_with_its_place() {
        let relative = "<auth start='true' users='u' passwordfile='p'/><ssh start='true'/>";
        let cases = [
            (
                "",
                "port='0'",
                "2:25: found port=\"0\" in <remote>, expected a port from 1 to 65535;",
            ),
            ("", "port=''", "2:25: found port=\"\" in <remote>, expected a port"),
            (
                "",
                "ssh='yes'",
                "2:25: found ssh=\"yes\" in <remote>, expected \"true\" or \"false\"",
            ),
            ("", "users='a b'", "2:25: found users=\"a b\" in <remote>, expected one user name;"),
            ("", "users='a'", "2:1: found no passwordfile=\"...\" in <remote>, expected a file"),
            ("", "passwordfile='q'", "2:25: found passwordfile=\"q\" in <remote>, expected an abs"),
            ("", "params=''", "2:25: found params=\"\" in <remote>, expected rsync options"),
            (
                "",
                "params='-0'",
                "2:25: found params=\"-0\" in <remote>, expected rsync options for a sync: -0 cann",
            ),
            (relative, "ssh='false'", "3:37: found passwordfile=\"p\" in <auth>, expected an abs"),
        ];
        for (rsync, remote, expected) in cases {
            let problem = config(rsync, remote).unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{remote}: {problem}");
        }
    }
}
