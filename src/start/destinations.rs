//! Where the roots go: no mirror may lie in another one's destination, and no destination in its own root.
//!
//! A full sync deletes what only the far side has. What another root, or another remote of the same root, sends
//! into a directory below the destination is such a thing. And a destination on this machine that leads back
//! into its root, by a symbolic link, would be copied into itself without end. A start ends at the first fault,
//! `--check` lists all. What two modules of a daemon have in common is for the far side to know.

use crate::config::{Address, Config, Error as ConfigError, Hint, RemoteSettings, Root};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Destinations on this machine that lead into their root, or out of which their root leads.
pub fn in_their_root(config: &Config) -> Vec<ConfigError> {
    let local = |to: &RemoteSettings| match &to.address {
        Address::Local { path } => Some(path.clone()),
        Address::Daemon { .. } | Address::Ssh { .. } => None,
    };
    let mut faults = Vec::new();
    for root in &config.roots {
        let watch = resolved(&root.watch);
        for (to, path) in root.remotes.iter().filter_map(|to| Some((to, local(to)?))) {
            let leads_to = resolved(&path);
            if leads_to.starts_with(&watch) || watch.starts_with(&leads_to) {
                let text = format!(
                    "name=\"{}\" leads to {}, and the root {} to {}: one lies in the other",
                    path.display(),
                    leads_to.display(),
                    root.watch.display(),
                    watch.display(),
                );
                faults.push(config.fault(to.position, text).hint(Hint::OTHER_DIRECTORY));
            }
        }
    }
    faults
}

/// Remotes whose destination lies in that of another one, which deletes what only its far side has.
pub fn in_each_other(config: &Config) -> Vec<ConfigError> {
    let all: Vec<(&Root, &RemoteSettings)> = config
        .roots
        .iter()
        .flat_map(|root| root.remotes.iter().map(move |to| (root, to)))
        .collect();
    let mut faults = Vec::new();
    for (number, (root, to)) in all.iter().enumerate() {
        for (other, (around, outer)) in all.iter().enumerate() {
            let Some(below) = Place::of(to).below(&Place::of(outer)) else { continue };
            let same_root = root.watch == around.watch;
            // Two remotes with one destination get the same files of one root; of two roots one is enough to say.
            let told = below.as_os_str().is_empty() && (same_root || number < other);
            if number == other || told || is_that_directory(root, around, &below) {
                continue;
            }
            let text = format!(
                "{} would be pushed into the destination of {} (line {}), whose full syncs delete there what {} \
                 does not have",
                root.watch.display(),
                around.watch.display(),
                outer.position.line,
                around.watch.display(),
            );
            faults.push(config.fault(to.position, text).hint(Hint::OTHER_DIRECTORY));
        }
    }
    faults
}

/// Whether the inner root is the very directory that the outer one has at that place: then both say the same.
fn is_that_directory(inner: &Root, outer: &Root, below: &Path) -> bool {
    !below.as_os_str().is_empty() && resolved(&outer.watch.join(below)) == resolved(&inner.watch)
}

/// A destination, as far as two can be compared.
struct Place {
    /// What has to be equal: the kind, the host, the port, and for a directory of somebody's home whose.
    host: (u8, String, Option<u16>),
    path: PathBuf,
}

impl Place {
    fn of(to: &RemoteSettings) -> Place {
        let path = |bytes: &[u8]| plain(Path::new(OsStr::from_bytes(bytes)));
        match &to.address {
            Address::Local { path } => {
                Place { host: (0, String::new(), None), path: resolved(path) }
            }
            Address::Daemon { host, module } => {
                Place { host: (1, host.clone(), to.rsync.port), path: path(module) }
            }
            Address::Ssh { host, path: bytes } => {
                let (user, name) = host.split_once('@').unwrap_or(("", host));
                let home = !bytes.starts_with(b"/");
                let user = if user.is_empty() { to.rsync.user.as_deref() } else { Some(user) };
                let user = user.filter(|_| home).unwrap_or_default();
                Place { host: (2, format!("{user}@{name}"), to.rsync.port), path: path(bytes) }
            }
        }
    }

    /// The way from another place to this one, if this one lies in it.
    fn below(&self, other: &Place) -> Option<PathBuf> {
        let same = self.host == other.host;
        self.path.strip_prefix(&other.path).ok().filter(|_| same).map(Path::to_path_buf)
    }
}

/// Where a path leads to. What does not exist yet is looked for in the directory that does.
pub(super) fn resolved(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let Ok(found) = above.canonicalize() {
            let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
            return plain(&found.join(rest));
        }
    }
    plain(path)
}

/// A path without `.` and double slashes. A `..` is left: it may lead out of a link.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Each root with its remotes, as `ip name`.
    fn config(roots: &[(&Path, &[&str])], ssh: bool) -> Config {
        let remote = |to: &&str| {
            let (ip, name) = to.split_once(' ').unwrap();
            format!("<remote ip=\"{ip}\" name=\"{name}\"/>")
        };
        let root = |(watch, remotes): &(&Path, &[&str])| {
            let remotes: String = remotes.iter().map(remote).collect();
            format!("<localpath watch=\"{}\">{remotes}</localpath>", watch.display())
        };
        let roots: String = roots.iter().map(root).collect();
        let text =
            format!("<head><sersync>{roots}<rsync><ssh start=\"{ssh}\"/></rsync></sersync></head>");
        Config::parse(Path::new("c.xml"), text.as_bytes()).unwrap()
    }

    #[test]
    fn a_mirror_in_the_destination_of_another_one_is_a_fault() {
        let (a, b, sub) = (Path::new("/a"), Path::new("/b"), Path::new("/a/sub"));
        for (roots, ssh, faults) in [
            (vec![(a, &["h m"][..]), (b, &["h m/sub"][..])], false, 1),
            (vec![(a, &["h m/x"][..]), (b, &["h m"][..])], false, 1),
            (vec![(a, &["h m"][..]), (b, &["h m"][..])], false, 1),
            (vec![(a, &["h m"][..]), (b, &["h mm"][..])], false, 0),
            (vec![(a, &["h m"][..]), (b, &["other m/sub"][..])], false, 0),
            (vec![(a, &["h m", "h m/sub"][..])], false, 1),
            (vec![(a, &["h m", "h m"][..])], false, 0),
            // The directory of the outer root at that very place.
            (vec![(a, &["h m"][..]), (sub, &["h m/sub"][..])], false, 0),
            (vec![(a, &["h m"][..]), (sub, &["h m/other"][..])], false, 1),
            (vec![(a, &["h /d"][..]), (b, &["h /d/./sub/"][..])], true, 1),
            (vec![(a, &["h /d"][..]), (b, &["root@h /d/sub"][..])], true, 1),
            (vec![(a, &["one@h d"][..]), (b, &["two@h d/sub"][..])], true, 0),
            (vec![(a, &["local /d"][..]), (b, &["local /d/sub"][..])], false, 1),
            (vec![(a, &["local /d"][..]), (b, &["local /dd"][..])], false, 0),
        ] {
            let found = in_each_other(&config(&roots, ssh));
            assert_eq!(found.len(), faults, "{roots:?}: {found:?}");
        }
    }

    #[test]
    fn both_are_named() {
        let found = in_each_other(&config(
            &[(Path::new("/a"), &["h m"]), (Path::new("/b"), &["h m/sub"])],
            false,
        ));
        let text = found[0].to_string();
        assert!(text.contains("/b would be pushed into the destination of /a (line 1)"), "{text}");
    }

    #[test]
    fn a_destination_that_leads_into_its_root_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("root/inside")).unwrap();
        fs::create_dir(at("beside")).unwrap();
        symlink(at("root/inside"), at("back")).unwrap();
        symlink(dir.path(), at("beside/around")).unwrap();
        for (name, faults) in [
            ("beside", 0),
            ("new/deep", 0),
            ("back", 1),
            ("back/new", 1),
            ("beside/around", 1),
            ("beside/around/root2", 0),
        ] {
            let to = format!("local {}", at(name).display());
            let found = in_their_root(&config(&[(&at("root"), &[&to])], false));
            assert_eq!(found.len(), faults, "{name}: {found:?}");
        }
    }
}
