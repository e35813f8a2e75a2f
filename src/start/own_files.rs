//! Files inside a root that are no part of what is synced, because each sync changes them: the program's own,
//! and what rsync writes by the user's parameters.
//!
//! To send one is to write it again, which is the next change, without end. So they are no changes of the
//! root, and no full or level sync sends them. `prepare` asks for them, once for each root.

use crate::config::{options, Config, PluginKind, Root};
use crate::engine::rel_path::RelPath;
use crate::keep::state::{beside, place};
use crate::sorted::SortedSet;
use crate::start::cli::Options;
use crate::start::destinations::resolved;
use crate::sys::own_file::{directory_of, first_new};
use crate::tell::plugin::error_log_beside;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The options that name a file which rsync writes here, and what it puts behind the name: a batch has a script beside it.
const WRITTEN: [(&str, &str); 3] = [("log-file", ""), ("write-batch", ""), ("write-batch", ".sh")];

/// All that lie in this root, relative to it. `config_path` is the resolved path of the configuration, and
/// the paths of the options start at `here`.
pub fn in_root(
    root: &Root,
    options: &Options,
    config: &Config,
    config_path: &Path,
    here: &Path,
) -> SortedSet<RelPath> {
    let fail_log = &config.fail_log.path;
    let mut files = vec![fail_log.clone()];
    let cdn = config.plugin_block(PluginKind::RefreshCdn);
    files.extend(cdn.map(|_| error_log_beside(fail_log)));
    files.extend(["lock", "state", "control"].map(|ending| beside(fail_log, config_path, ending)));
    files.push(place::of(config_path, fail_log).file);
    let named = options.log_file.iter().chain(&options.pid_file);
    files.extend(named.map(|file| here.join(file)));
    // What is replaced as a whole has another name until it is complete.
    let new: Vec<_> = files.iter().map(|file| first_new(file)).collect();
    files.extend(new);
    let written = WRITTEN.into_iter().flat_map(|(option, end)| written_by_rsync(root, option, end));
    files.iter().filter_map(|file| below(root, file)).chain(written).collect()
}

/// Warns once of each file that an option has rsync write into its root.
pub fn warn(config: &mut Config) {
    let of_root = |root| {
        let named = WRITTEN.into_iter().filter(|(_, end)| end.is_empty());
        named.flat_map(move |(option, end)| {
            let files = written_by_rsync(root, option, end);
            files.into_iter().map(move |file| (root, option, file))
        })
    };
    let found: Vec<_> = config.roots.iter().flat_map(of_root).collect();
    let warnings = found.into_iter().map(|(root, option, file)| {
        let (file, root_path) = (file.escape_ascii(), root.watch.display());
        let text = format!(
            "--{option} in params has rsync write {file} into the root {root_path} with every sync; it is \
             left out there: name a file outside"
        );
        (root.position, text)
    });
    let warnings: Vec<_> = warnings.collect();
    warnings.into_iter().for_each(|(position, text)| config.warn(position, text));
}

/// The files that the rsyncs of this root write into it: the names that this option gives, with this end.
fn written_by_rsync(root: &Root, option: &str, end: &str) -> SortedSet<RelPath> {
    let mut files = SortedSet::new();
    for to in &root.remotes {
        let found = options::read(&to.rsync.params);
        let Some(file) = options::last(&found, option).and_then(|option| option.value) else {
            continue;
        };
        let file = [file, end.as_bytes()].concat();
        // rsync runs in the root.
        files.extend(below(root, &root.watch.join(OsStr::from_bytes(&file))));
    }
    files
}

/// The path of a file relative to a root in which it lies, whatever links lead to either.
fn below(root: &Root, file: &Path) -> Option<RelPath> {
    let directory = resolved(directory_of(file));
    let inside = directory.strip_prefix(resolved(&root.watch)).ok()?.join(file.file_name()?);
    Some(RelPath::from(inside.as_os_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Address, Position, RemoteSettings, Rsync};
    use std::fs;
    use std::os::unix::fs::symlink;

    fn root(watch: &Path, params: &[&str]) -> Root {
        let params = params.iter().map(|word| word.as_bytes().to_vec()).collect();
        let rsync = Rsync { params, ..Rsync::default() };
        let address = Address::Local { path: "/far".into() };
        let remote = RemoteSettings { address, rsync, position: Position::default() };
        Root { watch: watch.into(), remotes: vec![remote], position: Position::default() }
    }

    #[test]
    fn what_rsync_writes_is_found_in_the_root_whatever_leads_to_it() {
        let home = tempfile::tempdir().unwrap();
        let watch = home.path().join("root");
        fs::create_dir_all(watch.join("dir")).unwrap();
        fs::create_dir(home.path().join("rooted")).unwrap();
        symlink(&watch, home.path().join("link")).unwrap();
        let path = |name: &str| home.path().join(name).display().to_string();
        for (file, expected) in [
            ("rsync.log", Some("rsync.log")),
            ("./dir/rsync.log", Some("dir/rsync.log")),
            ("later/rsync.log", Some("later/rsync.log")),
            (&*path("root/rsync.log"), Some("rsync.log")),
            (&path("link/dir/rsync.log"), Some("dir/rsync.log")),
            ("../rsync.log", None),
            (&path("rooted/rsync.log"), None),
        ] {
            let expected: Vec<RelPath> = expected.iter().map(|it| it.as_bytes().into()).collect();
            for watch in [&watch, &home.path().join("link")] {
                for option in ["log-file", "write-batch"] {
                    let root = root(watch, &["-a", &format!("--{option}"), file]);
                    let found = Vec::from_iter(written_by_rsync(&root, option, ""));
                    assert_eq!(found, expected, "{option} {file}");
                }
            }
        }
    }
}
