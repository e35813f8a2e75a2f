//! Where the state of a configuration lies: where it outlives a reboot.
//!
//! Fail logs are often in `/tmp`, as in the official template, and what lies beside one is gone with it. The state has a
//! directory of its own where that can be had. Nothing is made here; `store` makes the directory when it writes.

use super::{beside, number};
use crate::sys::file_system::FileSystem;
use crate::sys::{own_file, user};
use nix::unistd::{access, AccessFlags};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Set by systemd (`StateDirectory=`), and by whoever wants the states elsewhere: a directory, or several with colons
/// between them, of which the first counts.
const GIVEN: &str = "STATE_DIRECTORY";
/// The usual place.
const USUAL: &str = "/var/lib/sersync";
/// So much of a configuration's name is in that of its state, for people.
const NAME_BYTES_MAX: usize = 64;

/// Where the state is kept, and where it may be instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Where else an earlier run may have kept it: as another user, in other surroundings, or beside the fail log.
    pub others: Vec<PathBuf>,
}

/// The place of a configuration's state. `config` is its resolved path.
pub fn of(config: &Path, fail_log: &Path) -> Place {
    choose(config, fail_log, &directories(|name| std::env::var_os(name)))
}

/// The directories in which states may lie, the best one first.
fn directories(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    let named = |name: &str| variable(name).and_then(|value| absolute(value.into()));
    let first = |value: OsString| {
        let first = value.as_bytes().split(|&byte| byte == b':').next().unwrap_or_default();
        absolute(OsString::from_vec(first.to_vec()).into())
    };
    let of_user = || named("HOME").map(|home| home.join(".local/state"));
    let of_user = named("XDG_STATE_HOME").or_else(of_user).map(|states| states.join("sersync"));
    let usual = Some(PathBuf::from(USUAL));
    [variable(GIVEN).and_then(first), usual, of_user].into_iter().flatten().collect()
}

fn choose(config: &Path, fail_log: &Path, directories: &[PathBuf]) -> Place {
    let beside = beside(fail_log, config, "state");
    let lasts = outlives_a_reboot(own_file::directory_of(&beside));
    let is_better =
        |directory: &&PathBuf| can_be_used(directory) && (!lasts || outlives_a_reboot(directory));
    let name = name(config);
    let mut others: Vec<_> = directories.iter().map(|directory| directory.join(&name)).collect();
    let chosen = directories.iter().position(|directory| is_better(&directory));
    let file = chosen.map_or(beside.clone(), |chosen| others.remove(chosen));
    if chosen.is_some() {
        others.push(beside);
    }
    Place { file, others }
}

/// `confxml.xml.0123456789abcdef.state`. The number is that of the path; the name is for people.
fn name(config: &Path) -> String {
    let plain = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => char::from(*byte),
        _ => '_',
    };
    let name = config.file_name().unwrap_or_default().as_bytes();
    let name: String = name.iter().take(NAME_BYTES_MAX).map(plain).collect();
    format!("{}.{:016x}.state", name.trim_start_matches('.'), number(config))
}

/// Whether a directory is ours or root's, and we can write to it; or it is not there and can be made.
fn can_be_used(directory: &Path) -> bool {
    let Ok(found) = directory.metadata() else {
        let above = directory.ancestors().skip(1).find(|above| above.symlink_metadata().is_ok());
        return above.is_some_and(can_be_written);
    };
    let is_ours = found.uid() == user::effective() || found.uid() == 0;
    is_ours && own_file::judge_directory(directory).is_ok() && can_be_written(directory)
}

fn can_be_written(directory: &Path) -> bool {
    directory.is_dir() && access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

/// Whether what is in a directory, or will be, is on a disk and not in memory. If that cannot be told, it is.
fn outlives_a_reboot(directory: &Path) -> bool {
    let there = directory.ancestors().find_map(|above| FileSystem::of(above).ok());
    !there.is_some_and(FileSystem::is_in_memory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_directories_are_those_of_the_surroundings() {
        for (variables, expected) in [
            (&[][..], &[USUAL][..]),
            (&[("HOME", "/home/u")], &[USUAL, "/home/u/.local/state/sersync"]),
            (&[("HOME", "/home/u"), ("XDG_STATE_HOME", "/x")], &[USUAL, "/x/sersync"]),
            (&[("XDG_STATE_HOME", "x"), ("STATE_DIRECTORY", "")], &[USUAL]),
            (&[("STATE_DIRECTORY", "/a:/b"), ("HOME", "h")], &["/a", USUAL]),
        ] {
            let value = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            let found = directories(value);
            assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_directory_that_can_be_used_is_chosen() {
        let home = tempfile::tempdir().unwrap();
        let (config, fail_log) = (home.path().join("a b.xml"), home.path().join("log/fail.sh"));
        let (file, shared) = (home.path().join("file"), home.path().join("shared"));
        fs::write(&file, "").unwrap();
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
        let good = home.path().join("not/yet/there");
        let place = choose(&config, &fail_log, &[file.join("x"), shared.clone(), good.clone()]);
        let beside = beside(&fail_log, &config, "state");
        let name = format!("a_b.xml.{:016x}.state", number(&config));
        assert_eq!(place.file, good.join(&name));
        assert_eq!(place.others, [file.join("x").join(&name), shared.join(&name), beside.clone()]);
        assert!(!home.path().join("not").exists(), "nothing is made");
        let place = choose(&config, &fail_log, std::slice::from_ref(&shared));
        assert_eq!((place.file, place.others), (beside, vec![shared.join(&name)]));
    }

    #[test]
    fn what_is_in_memory_is_no_better_than_a_disk() {
        // What runs the tests has a tmpfs there, and none for everything.
        assert!(outlives_a_reboot(Path::new("/")));
        let memory = Path::new("/dev/shm/not there");
        let place = choose(Path::new("/c.xml"), Path::new("/fail.sh"), &[memory.into()]);
        assert_eq!(place.file.parent(), Some(Path::new("/")));
        let in_memory = memory.join("fail.sh");
        let place = choose(Path::new("/c.xml"), &in_memory, &[memory.into()]);
        assert_eq!(place.file.parent(), Some(memory));
        assert_ne!(place.file, beside(&in_memory, Path::new("/c.xml"), "state"));
    }
}
