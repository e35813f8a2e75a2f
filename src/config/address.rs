//! Where a remote is: `remote ip name`.
//!
//! Owns which hosts, modules and directories rsync can be given, and refuses a directory that would have
//! a root copied into itself. `remote` calls it; the command lines are built in `rsync`.

use super::diagnosis::hint::Hint;
use super::diagnosis::problem::Problem;
use super::diagnosis::shown::shown_path;
use super::settings::Address;
use super::xml::{Attribute, Element};
use std::net::Ipv6Addr;
use std::path::{Component, Path, PathBuf};

/// The word that stands in `ip` for this machine.
pub(super) const LOCAL: &str = "local";

/// Reads where one `remote` is. `watch` is the directory of its root, `ssh` whether it is reached by ssh.
pub(super) fn address(element: Element<'_>, watch: &Path, ssh: bool) -> Result<Address, Problem> {
    let ip = element.required("ip", "a host name or an address")?;
    let name = element.required("name", "the rsync module, or with ssh the directory")?;
    Ok(match ip.value().trim() {
        LOCAL => Address::Local { path: local_path(&name, watch)? },
        _ if ssh => Address::Ssh { host: host(&ip)?, path: name.bytes() },
        _ => Address::Daemon { host: host(&ip)?, module: module(&name)? },
    })
}

/// A host name or address as rsync's command line can take it; the brackets of an IPv6 address,
/// which are not part of it, are taken off.
pub(super) fn host(attribute: &Attribute<'_>) -> Result<String, Problem> {
    let written = attribute.text()?;
    let written = written.trim();
    let bracketed = written.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bracketed.unwrap_or(written);
    let address = host.split('%').next().unwrap_or(host);
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '/' | '[' | ']');
    if host.contains(':') && address.parse::<Ipv6Addr>().is_err() {
        Err(attribute.wrong("a host without a port").hint(Hint::OWN_PORT))
    } else if host.is_empty() || host.starts_with('-') || !host.chars().all(plain) {
        Err(attribute.wrong("a host name or an address").hint(Hint::PLAIN_HOST))
    } else {
        Ok(host.to_owned())
    }
}

/// rsync itself refuses a module that starts with a slash. Most such names are paths that were meant for
/// ssh.
fn module(name: &Attribute<'_>) -> Result<Vec<u8>, Problem> {
    match name.bytes() {
        path if path.starts_with(b"/") => {
            let expected = "the name of a module in the remote's rsyncd.conf";
            Err(name.wrong(expected).hint(Hint::MODULE))
        }
        module => Ok(module),
    }
}

/// A local directory must not lie in the root, whose copies would be copied for ever. Nor may the root lie
/// in it: a full sync that deletes would empty the root.
fn local_path(name: &Attribute<'_>, watch: &Path) -> Result<PathBuf, Problem> {
    let path = name.absolute_path()?;
    let (source, target) = (plain(watch), plain(&path));
    if target.starts_with(&source) || source.starts_with(&target) {
        let watch = shown_path(watch);
        let problem = name.wrong(&format!("a directory neither inside nor around {watch}"));
        return Err(problem.hint(Hint::OTHER_DIRECTORY));
    }
    Ok(path)
}

/// The path without `.`, `..` and double slashes, for comparing. Symbolic links are not known here: this
/// does not look at the file system.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                plain.push(component)
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::super::text::Encoding;
    use super::super::xml;
    use super::*;

    fn read(ip: &str, name: &str, ssh: bool) -> Result<Address, String> {
        let source = format!("<remote ip='{ip}' name='{name}'/>");
        let document = xml::parse(&source).unwrap();
        let element = Element::root(&document, Encoding::Utf8);
        address(element, Path::new("/data"), ssh).map_err(|problem| problem.text.clone())
    }

    #[test]
    fn the_host_and_the_switch_choose_the_kind_of_address() {
        let host = |host: &str| host.to_owned();
        let daemon =
            |h: &str, m: &str| Address::Daemon { host: host(h), module: m.as_bytes().into() };
        let ssh = |h: &str, p: &str| Address::Ssh { host: host(h), path: p.as_bytes().into() };
        let cases = [
            ("127.0.0.1", "tongbu1", false, daemon("127.0.0.1", "tongbu1")),
            (" backup ", "my module/below", false, daemon("backup", "my module/below")),
            ("[::1]", "m", false, daemon("::1", "m")),
            ("fe80::1%eth0", "m", false, daemon("fe80::1%eth0", "m")),
            ("backup", "/data/backup", true, ssh("backup", "/data/backup")),
            ("root@backup", "below/home", true, ssh("root@backup", "below/home")),
            ("local", "/mnt/x", false, Address::Local { path: "/mnt/x".into() }),
            ("local", "/data2", true, Address::Local { path: "/data2".into() }),
        ];
        for (ip, name, with_ssh, expected) in cases {
            assert_eq!(read(ip, name, with_ssh), Ok(expected), "{ip} {name}");
        }
    }

    #[test]
    fn a_remote_that_cannot_work_is_refused() {
        let cases = [
            ("", "m", false, "found ip=\"\" in <remote>, expected a host name"),
            (" ", "m", false, "found ip=\" \" in <remote>, expected a host name"),
            ("h", "", false, "found name=\"\" in <remote>, expected the rsync module"),
            ("-h", "m", false, "found ip=\"-h\""),
            ("a b", "m", false, "found ip=\"a b\""),
            ("rsync://h", "m", false, "found ip=\"rsync://h\""),
            ("h:873", "m", false, "found ip=\"h:873\" in <remote>, expected a host without a port"),
            ("h", "/data", false, "found name=\"/data\" in <remote>, expected the name of a mod"),
            ("local", "mnt", false, "found name=\"mnt\" in <remote>, expected an absolute path"),
            ("local", "/data", false, "found name=\"/data\" in <remote>, expected a directory nei"),
            ("local", "/data/x", false, "found name=\"/data/x\""),
            ("local", "/", false, "found name=\"/\""),
            ("local", "/a/..//data/./x", false, "found name=\"/a/..//data/./x\""),
        ];
        for (ip, name, ssh, expected) in cases {
            let error = read(ip, name, ssh).unwrap_err();
            assert!(error.starts_with(expected), "{ip} {name}: {error}");
        }
    }
}
