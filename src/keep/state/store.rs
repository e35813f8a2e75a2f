//! The state file.
//!
//! Owns when it is written and what is said if it cannot be used. Where it lies is for `place` to say; that
//! nobody else can put something in its place is `own_file`'s care. Without a readable state
//! nothing is known of the remotes: that costs a full sync, and never loses a file.

use super::clock::Moment;
use super::place::{self, Place};
use super::{hash, text, State};
use crate::sys::own_file::{self, Fault};
use std::fmt;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The largest file that is read, in bytes: paths of twenty remotes at their limit, each byte of
/// them escaped.
const STATE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// It says which files there were, which is nobody else's business.
const MODE: u32 = 0o600;
/// So is the directory, if it has to be made.
const DIRECTORY_MODE: u32 = 0o700;

/// Why the state of an earlier run cannot be used.
#[derive(Debug)]
pub enum Error {
    /// The file cannot be read, or is not safe to use.
    File(own_file::Error),
    /// What is in it cannot be used.
    Text(PathBuf, text::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::File(error) => error.fmt(f)?,
            Error::Text(path, error) => write!(f, "{}: {error}", path.display())?,
        }
        f.write_str(" (so it is not known what the remotes have)")
    }
}

impl std::error::Error for Error {}

/// The file, and what was written to it last.
#[derive(Debug)]
pub struct Store {
    place: Place,
    written: Option<u64>,
}

impl Store {
    /// That of a configuration, given by its resolved path; nothing is done yet.
    pub fn of(config: &Path, fail_log: &Path) -> Store {
        Store { place: place::of(config, fail_log), written: None }
    }

    #[cfg(test)]
    fn at(path: &Path) -> Store {
        Store { place: Place { file: path.into(), others: Vec::new() }, written: None }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.place.file
    }

    /// What an earlier run knew, wherever it has kept that; nothing if there was none. Of several files the one that
    /// was written last counts.
    ///
    /// # Errors
    /// Then nothing is known, and why should be said.
    pub fn load(&self) -> Result<State, Error> {
        let (mut found, mut trouble) = (Vec::new(), None);
        for file in self.place.others.iter().chain([&self.place.file]) {
            match own_file::read(file, STATE_BYTES_MAX) {
                Ok(Some(bytes)) => found.push((written(file), file, bytes)),
                Ok(None) => {}
                // Where another user keeps his, we may not look.
                Err(error)
                    if matches!(error.fault, Fault::Failed(_)) && *file != self.place.file => {}
                Err(error) => trouble = Some(error),
            }
        }
        match (found.into_iter().max_by_key(|(written, ..)| *written), trouble) {
            (Some((_, file, bytes)), _) => {
                text::parse(&bytes).map_err(|error| Error::Text(file.clone(), error))
            }
            (None, Some(error)) => Err(Error::File(error)),
            (None, None) => Ok(State::default()),
        }
    }

    /// Writes the state, unless that is what was written last. It waits for the disk.
    ///
    /// # Errors
    /// The file is then what it was before; it is written when `save` is called again.
    pub fn save(&mut self, state: &State) -> Result<(), own_file::Error> {
        let hash = hash(&text::render(state));
        if self.written == Some(hash) {
            return Ok(());
        }
        self.written = None;
        let directory = own_file::directory_of(&self.place.file);
        // Whatever keeps it from being made keeps the file from being made as well.
        let _ = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
        let state = State { written: Moment::now(), ..state.clone() };
        own_file::replace(&self.place.file, &text::render(&state), MODE)?;
        self.written = Some(hash);
        self.take_over();
        Ok(())
    }

    /// What is kept elsewhere is older now, and must not be taken for the latest when the clock has been put back.
    fn take_over(&mut self) {
        for other in std::mem::take(&mut self.place.others) {
            if matches!(own_file::open_to_read(&other), Ok(Some(_))) {
                let _ = fs::remove_file(&other);
            }
        }
    }
}

/// When a file was written.
fn written(file: &Path) -> Option<SystemTime> {
    file.symlink_metadata().and_then(|found| found.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Kept;
    use super::*;
    use std::fs;
    use std::os::unix::fs::{symlink, MetadataExt};

    fn state(complete_ns: u64) -> State {
        let kept = Kept { complete_ns: Some(complete_ns), ..Kept::default() };
        State { written: None, remotes: vec![kept] }
    }

    /// What is known, whenever it was written.
    fn known(store: &Store) -> State {
        State { written: None, ..store.load().unwrap() }
    }

    #[test]
    fn the_next_run_knows_what_was_saved() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log/fail.sh.state");
        let mut store = Store::at(&path);
        assert_eq!(store.load().unwrap(), State::default());
        store.save(&state(1)).unwrap();
        store.save(&state(2)).unwrap();
        assert_eq!(known(&Store::at(&path)), state(2));
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(state(2).of(b"", b""), Some(&state(2).remotes[0]));
        assert_eq!(state(2).of(b"", b"x"), None);
    }

    #[test]
    fn the_same_state_is_not_written_twice_but_after_a_failure() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state");
        let mut store = Store::at(&path);
        store.save(&state(1)).unwrap();
        let inode = path.metadata().unwrap().ino();
        store.save(&state(1)).unwrap();
        assert_eq!(path.metadata().unwrap().ino(), inode);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        store.save(&state(2)).unwrap_err();
        fs::remove_dir(&path).unwrap();
        store.save(&state(1)).unwrap();
        assert_eq!(known(&store), state(1));
    }

    #[test]
    fn what_an_earlier_run_has_kept_elsewhere_is_taken_over() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let place = Place { file: path("states/x"), others: vec![path("gone"), path("fail.sh.x")] };
        let store = || Store { place: place.clone(), written: None };
        Store::at(&path("fail.sh.x")).save(&state(1)).unwrap();
        assert_eq!(known(&store()), state(1));
        store().save(&state(2)).unwrap();
        assert_eq!(path("states").metadata().unwrap().mode() & 0o7777, 0o700);
        assert!(!path("fail.sh.x").exists());
        // Where the directory could not be written for a time, what was written last counts.
        Store::at(&path("fail.sh.x")).save(&state(3)).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH;
        fs::File::open(path("states/x")).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(known(&store()), state(3));
        // What somebody else has put there is neither read nor removed.
        fs::remove_file(path("fail.sh.x")).unwrap();
        symlink(path("states/x"), path("fail.sh.x")).unwrap();
        assert_eq!(known(&store()), state(2));
        store().save(&state(4)).unwrap();
        assert!(path("fail.sh.x").is_symlink());
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let home = tempfile::tempdir().unwrap();
        let (damaged, link) = (home.path().join("damaged"), home.path().join("link"));
        fs::write(&damaged, "sersync state 1\nremote /a b\n").unwrap();
        symlink(&damaged, &link).unwrap();
        for (path, expected) in [
            (&damaged, "is damaged: its check sum is wrong (so it is not known what"),
            (&link, "is a symbolic link; delete it, or name a failLog path"),
        ] {
            let said = Store::at(path).load().unwrap_err().to_string();
            assert!(said.starts_with(&format!("{}: {expected}", path.display())), "{said}");
        }
    }
}
