//! A directory for sockets that is this process's alone, for as long as it runs.
//!
//! Owns how it is made where others may write too, and how one that a killed process has left
//! behind is found and removed: while its owner runs, in whatever container, it holds a lock on the
//! directory, and the kernel ends that lock with it. What is in it is the caller's: `ssh`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;

use super::{lock, own_file, user};

/// How many names are tried: others are taken by directories that somebody else made.
const ATTEMPTS_MAX: usize = 8;
/// Entries of a place that are looked at for what was left behind: more than a directory of run-time
/// files ever has, and soon done.
const ENTRIES_MAX: usize = 10_000;
/// Directories left behind that are removed at one start; the next start has the rest.
const LEFTOVERS_MAX: usize = 64;

/// The directory; removed with all that is in it when the value goes.
#[derive(Debug)]
pub struct PrivateDirectory {
    path: PathBuf,
    _locked: File,
}

impl PrivateDirectory {
    /// Makes one in the first of `places` where that can be done and for whose path `fits` is true.
    /// Its name begins with `prefix`.
    ///
    /// # Errors
    /// What is wrong with the last of the places.
    pub fn make(
        places: &[PathBuf],
        prefix: &str,
        fits: impl Fn(&Path) -> bool,
    ) -> io::Result<PrivateDirectory> {
        let mut last = io::Error::from(ErrorKind::NotFound);
        for attempt in 0..ATTEMPTS_MAX {
            let name = format!("{prefix}{}-{attempt}", process::id());
            for path in places.iter().map(|place| place.join(&name)).filter(|path| fits(path)) {
                match make(&path) {
                    Ok(_locked) => return Ok(PrivateDirectory { path, _locked }),
                    Err(error) => last = error,
                }
            }
        }
        Err(last)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // What cannot be removed now is left behind, for the next start.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes that are gone have left in `places`.
pub fn remove_leftovers(places: &[PathBuf], prefix: &str) {
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok());
    let entries = entries.flat_map(|entries| entries.take(ENTRIES_MAX).flatten());
    let named =
        entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()));
    for path in named.map(|entry| entry.path()).filter(|path| is_ours(path)).take(LEFTOVERS_MAX) {
        // The lock is held while it is removed, so that nobody takes it for its own meanwhile.
        if let Ok(_locked) = open_locked(&path) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Is there a directory that only its owner can use, and are we that?
pub fn is_ours(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| {
        found.is_dir() && found.uid() == user::effective() && found.mode() & 0o077 == 0
    })
}

fn make(path: &Path) -> io::Result<File> {
    own_file::check_directory(path).map_err(|fault| io::Error::other(fault.to_string()))?;
    DirBuilder::new().mode(0o700).create(path)?;
    let locked = open_locked(path)?;
    // Between the two steps another start may have taken it for a leftover and removed it.
    let (there, ours) = (path.symlink_metadata()?, locked.metadata()?);
    if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(locked)
}

fn open_locked(path: &Path) -> io::Result<File> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let directory = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    own_file::close_on_exec(&directory)?;
    lock::flock(&directory)?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, symlink, PermissionsExt};

    const PREFIX: &str = "sersync-test-";

    fn make_in(places: &[PathBuf]) -> io::Result<PrivateDirectory> {
        PrivateDirectory::make(places, PREFIX, |_| true)
    }

    #[test]
    fn the_first_place_that_will_do_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let (missing, open, fine) =
            (home.path().join("missing"), home.path().join("open"), home.path().join("fine"));
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(&fine).unwrap();
        let places = [missing.clone(), open, fine.clone()];
        let made = make_in(&places).unwrap();
        assert_eq!(made.path().parent(), Some(&*fine));
        assert_eq!(made.path().metadata().unwrap().permissions().mode() & 0o7777, 0o700);
        let other = make_in(&places).unwrap();
        assert_ne!(other.path(), made.path());
        fs::write(made.path().join("socket"), "").unwrap();
        drop((made, other));
        assert_eq!(fs::read_dir(&fine).unwrap().count(), 0);
        assert!(make_in(&[missing]).is_err());
        let places = [fine];
        assert!(PrivateDirectory::make(&places, PREFIX, |_| false).is_err());
    }

    #[test]
    fn only_what_a_dead_owner_left_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let places = [home.path().join("missing"), home.path().to_path_buf()];
        let alive = make_in(&places).unwrap();
        let precious = home.path().join("precious");
        let make = |name: &str, mode: u32| {
            let path = home.path().join(name);
            DirBuilder::new().mode(mode).create(&path).unwrap();
            fs::write(path.join("socket"), "").unwrap();
            path
        };
        make("precious", 0o700);
        let left = make(&format!("{PREFIX}1-0"), 0o700);
        let wide = make(&format!("{PREFIX}2-0"), 0o755);
        let foreign = make(&format!("{PREFIX}3-0"), 0o700);
        chown(&foreign, Some(65534), None).unwrap();
        let link = home.path().join(format!("{PREFIX}4-0"));
        symlink(&precious, &link).unwrap();
        remove_leftovers(&places, PREFIX);
        assert!(!left.exists());
        for kept in [alive.path(), &precious.join("socket"), &wide, &foreign, &link] {
            assert!(kept.exists(), "{}", kept.display());
        }
    }
}
