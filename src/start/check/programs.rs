//! rsync and the SSH clients on this machine, and their versions.

use super::commands::is_found;
use super::finding::Finding;
use crate::config::{Address, Config};
use crate::rsync::asked::capability::{Capability, Version};
use crate::rsync::asked::remote_shell::{can_share, RemoteShell, SSH};
use crate::run::ssh;
use crate::start::prepare;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// What is older was never tried.
const OLDEST: Version = Version { major: 2, minor: 6, patch: 9 };

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let remotes = || config.roots.iter().flat_map(|root| &root.remotes);
    if remotes().next().is_none() {
        return Vec::new();
    }
    let mut found = vec![match prepare::local_rsync() {
        Ok(local) => rsync(local),
        Err(error) => Finding::error("rsync", error.to_string()),
    }];
    let over_ssh = remotes().filter(|to| matches!(to.address, Address::Ssh { .. }));
    let client = |params: &[Vec<u8>]| match RemoteShell::of_params(params) {
        Some(shell) => shell.program().to_vec(),
        None => SSH.as_bytes().to_vec(),
    };
    let mut clients: Vec<_> = over_ssh.map(|to| client(&to.rsync.params)).collect();
    clients.sort_unstable();
    clients.dedup();
    found.extend(clients.iter().map(|program| {
        let program = OsStr::from_bytes(program);
        let version = is_found(program).then(|| ssh::version(program));
        ssh_client(&program.to_string_lossy(), version)
    }));
    found
}

fn rsync(local: Capability) -> Finding {
    let Version { major, minor, patch } = local.version;
    let number = format!("version {major}.{minor}.{patch}");
    if local.version < OLDEST {
        let text =
            format!("{number} is older than 2.6.9, with which it may work or not; update it");
        return Finding::warning("rsync", text);
    }
    Finding::fine("rsync", number)
}

/// `version` is `None` without such a program, and its value that of OpenSSH's client.
fn ssh_client(program: &str, version: Option<Option<(u16, u16)>>) -> Finding {
    match version {
        None => Finding::error(
            program,
            "there is no such program in PATH; install OpenSSH's client, or correct -e in params",
        ),
        Some(Some(version)) if !can_share(version) => Finding::note(
            program,
            "older than OpenSSH 5.6: each batch makes a connection of its own, which is slow",
        ),
        Some(Some((major, minor))) => Finding::fine(program, format!("OpenSSH {major}.{minor}")),
        Some(None) => Finding::fine(program, "found; it is not OpenSSH's own client"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{Error, Fine, Note, Warning};
    use super::*;

    #[test]
    fn versions_that_are_too_old_are_said() {
        for (major, minor, patch, expected) in
            [(2, 6, 8, Warning), (2, 6, 9, Fine), (3, 0, 0, Fine), (3, 5, 0, Fine)]
        {
            let version = Version { major, minor, patch };
            assert_eq!(rsync(Capability { version }).severity, expected, "{version:?}");
        }
        for (version, expected) in [
            (None, Error),
            (Some(None), Fine),
            (Some(Some((5, 5))), Note),
            (Some(Some((9, 2))), Fine),
        ] {
            assert_eq!(ssh_client("ssh", version).severity, expected, "{version:?}");
        }
    }
}
