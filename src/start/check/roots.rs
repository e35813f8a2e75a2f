//! The roots: whether they can be watched, how many directories they have, and what their file
//! system hides from inotify.

use super::finding::Finding;
use crate::config::language::Language;
use crate::config::{Config, EmptyRoot, Root};
use crate::engine::rel_path::join;
use crate::engine::watching::filter::Filter;
use crate::run::ground::is_empty;
use crate::run::walk::below;
use crate::start::prepare;
use crate::sys::sysctl::WATCHES;
use crate::tell::amounts::count;
use nix::sys::statfs::statfs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How many directories of all roots together are counted at most: some seconds of work on most disks.
const COUNTED_MAX: u64 = 1_000_000;

/// File systems on which others write without this kernel's knowledge, by their magic numbers.
const SHARED: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x6573_5546, "FUSE"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x0102_1997, "9P"),
    (0x7461_636f, "OCFS2"),
    (0x0116_1970, "GFS2"),
];
const OVERLAY: u32 = 0x794c_7630;

/// What a count of directories has come to.
#[derive(Debug, Default)]
struct Counted {
    directories: u64,
    unreadable: u64,
    /// There are more, which were not counted.
    stopped: bool,
}

pub(super) fn findings(config: &Config, filter: &Filter, language: Language) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut counted = Counted::default();
    for root in &config.roots {
        if let Err(fault) = prepare::check_root(config, root) {
            found.push(Finding::of_fault(&fault, language));
            continue;
        }
        let place = place(config, root);
        found.push(match statfs(&root.watch) {
            // The number is negative in some C libraries and not in others; all have its 32 bits.
            Ok(system) => file_system(place.clone(), system.filesystem_type().0 as u32),
            Err(error) => Finding::warning(place.clone(), format!("no file system: {error}")),
        });
        if config.safety.empty_root == EmptyRoot::Halt && is_empty(&root.watch) {
            let text = "is empty: with -r or crontab what its remotes have waits for a yes before it goes, \
                        so that a disk that is not mounted empties none";
            found.push(Finding::warning(place.clone(), text));
        }
        let before = counted.unreadable;
        let first = walk(&root.watch, filter, &mut counted);
        if let Some(first) = first {
            let number = count((counted.unreadable - before) as usize, "directory");
            let text = format!("{number} cannot be read, and stays unsynced; the first: {first}");
            found.push(Finding::warning(place, text));
        }
    }
    found.push(watches(&counted, WATCHES.value_after_start().ok()));
    found
}

fn place(config: &Config, root: &Root) -> String {
    match root.position.line {
        0 => root.watch.display().to_string(),
        _ => root.position.in_file(&config.file),
    }
}

/// Counts a root and the directories below it; gives the first that cannot be read.
fn walk(root: &Path, filter: &Filter, counted: &mut Counted) -> Option<String> {
    let mut first = None;
    let mut ahead = vec![Vec::new()];
    while let Some(path) = ahead.pop() {
        if counted.directories == COUNTED_MAX {
            counted.stopped = true;
            break;
        }
        counted.directories += 1;
        let full = below(root, &path);
        let Ok(entries) = std::fs::read_dir(&full) else {
            counted.unreadable += 1;
            first.get_or_insert_with(|| full.display().to_string());
            continue;
        };
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = join(&path, entry.file_name().as_bytes());
                if !filter.excludes(&path, true) {
                    ahead.push(path);
                }
            }
        }
    }
    first
}

fn file_system(place: String, magic: u32) -> Finding {
    let shared = SHARED.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name);
    match shared {
        Some(name) => Finding::warning(
            place,
            format!("is on {name}: what other machines change there is not seen; add a crontab"),
        ),
        None if magic == OVERLAY => Finding::note(
            place,
            "is on an overlay: what is changed in its layers themselves is not seen",
        ),
        None => Finding::fine(place, "is there, and its file system tells of every change"),
    }
}

fn watches(counted: &Counted, limit: Option<u64>) -> Finding {
    let name = "fs.inotify.max_user_watches";
    let more = if counted.stopped { "more than " } else { "" };
    let directories = counted.directories;
    let number = format!("{more}{}", count(directories as usize, "directory"));
    let enough = directories.saturating_mul(2);
    match limit {
        None => Finding::warning(name, format!("{number}; the limit cannot be read")),
        Some(limit) if directories > limit => Finding::error(
            name,
            format!("{number}, and only {limit} can be watched; run: sysctl -w {name}={enough}"),
        ),
        // Other programs of this user need some of the watches.
        Some(limit) if directories > limit / 4 * 3 || counted.stopped && limit < enough => {
            let text =
                format!("{number} of {limit} that can be watched; run: sysctl -w {name}={enough}");
            Finding::warning(name, text)
        }
        Some(limit) => Finding::fine(name, format!("{number} of {limit} that can be watched")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{Error, Fine, Note, Warning};
    use super::*;
    use crate::config;
    use std::fs;

    #[test]
    fn directories_are_held_against_the_limit() {
        for (directories, stopped, limit, expected) in [
            (10, false, Some(8192), Fine),
            (6144, false, Some(8192), Fine),
            (6145, false, Some(8192), Warning),
            (8192, false, Some(8192), Warning),
            (8193, false, Some(8192), Error),
            (COUNTED_MAX, true, Some(8192), Error),
            (COUNTED_MAX, true, Some(COUNTED_MAX * 2 - 1), Warning),
            (COUNTED_MAX, true, Some(50_000_000), Fine),
            (10, false, None, Warning),
        ] {
            let counted = Counted { directories, unreadable: 0, stopped };
            let finding = watches(&counted, limit);
            assert_eq!(finding.severity, expected, "{directories} {limit:?}: {}", finding.text);
        }
        let counted = Counted { directories: 8193, unreadable: 0, stopped: false };
        assert_eq!(
            watches(&counted, Some(8192)).text,
            "8193 directories, and only 8192 can be watched; run: sysctl -w \
             fs.inotify.max_user_watches=16386"
        );
    }

    #[test]
    fn file_systems_that_others_write_to_are_told() {
        for (magic, expected) in [
            (0x6969, Warning),
            (0xff53_4d42, Warning),
            (0x6573_5546, Warning),
            (0xef53, Fine),
            (0x0102_1994, Fine),
            (OVERLAY, Note),
        ] {
            assert_eq!(file_system("p".into(), magic).severity, expected, "{magic:x}");
        }
    }

    #[test]
    fn what_is_filtered_is_not_counted() {
        let home = tempfile::tempdir().unwrap();
        for directory in ["a/b", "left out/c/d", "e"] {
            fs::create_dir_all(home.path().join(directory)).unwrap();
        }
        fs::write(home.path().join("file"), "").unwrap();
        let excludes = vec!["left out/(.*)".into(), "left out".into()];
        let filter = Filter::new(&config::FilterSettings { excludes, hidden: false }).unwrap();
        let mut counted = Counted::default();
        assert_eq!(walk(home.path(), &filter, &mut counted), None);
        assert_eq!(counted.directories, 4, "{counted:?}");
    }
}
