//! The state file.
//!
//! Owns when it is written and what is said if it cannot be used. It lies beside the fail log; that
//! nobody else can put something in its place is `own_file`'s care. Without a readable state
//! nothing is known of the remotes: that costs a full sync, and never loses a file.

use super::{hash, text, State};
use crate::sys::own_file;
use std::fmt;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: paths of twenty remotes at their limit, each byte of
/// them escaped.
const STATE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// It says which files there were, which is nobody else's business.
const MODE: u32 = 0o600;

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
    path: PathBuf,
    written: Option<u64>,
}

impl Store {
    /// The file at `path`; nothing is done yet.
    pub fn at(path: &Path) -> Store {
        Store { path: path.into(), written: None }
    }

    /// What an earlier run knew; nothing if there was none.
    ///
    /// # Errors
    /// Then nothing is known, and why should be said.
    pub fn load(&self) -> Result<State, Error> {
        match own_file::read(&self.path, STATE_BYTES_MAX).map_err(Error::File)? {
            None => Ok(State::default()),
            Some(bytes) => {
                text::parse(&bytes).map_err(|error| Error::Text(self.path.clone(), error))
            }
        }
    }

    /// Writes the state, unless that is what was written last. It waits for the disk.
    ///
    /// # Errors
    /// The file is then what it was before; it is written when `save` is called again.
    pub fn save(&mut self, state: &State) -> Result<(), own_file::Error> {
        let text = text::render(state);
        let hash = hash(&text);
        if self.written == Some(hash) {
            return Ok(());
        }
        self.written = None;
        own_file::replace(&self.path, &text, MODE)?;
        self.written = Some(hash);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kept;
    use super::*;
    use std::fs;
    use std::os::unix::fs::{symlink, MetadataExt};

    fn state(complete_ns: u64) -> State {
        let kept = Kept { complete_ns: Some(complete_ns), ..Kept::default() };
        State { remotes: vec![kept] }
    }

    #[test]
    fn the_next_run_knows_what_was_saved() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log/fail.sh.state");
        let mut store = Store::at(&path);
        assert_eq!(store.load().unwrap(), State::default());
        store.save(&state(1)).unwrap();
        store.save(&state(2)).unwrap();
        assert_eq!(Store::at(&path).load().unwrap(), state(2));
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
        assert_eq!(store.load().unwrap(), state(1));
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
