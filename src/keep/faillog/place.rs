//! Where the fail log of a configuration is: where the configuration says, or beside it.
//!
//! Guides start several instances with the template's fail log. One of them has the file then; each other has one of its
//! own beside it, named after its configuration. Who has which need not be the same the next time, so what a
//! configuration is owed is read from both. `ledger` opens it; the thread of `keep::disk` writes it.

use super::store::{look, Refused, Store, Why};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The two places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// Where the configuration says.
    pub configured: PathBuf,
    /// Where it is while another instance has that file.
    pub aside: PathBuf,
}

/// The file that is used, and the right to replace it.
#[derive(Debug)]
pub struct Place {
    places: Places,
    store: Store,
    is_aside: bool,
    /// There is a file of a time when another instance had the configured one. What is in it has been read.
    left_aside: bool,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Left {
    /// In the file that is used.
    pub text: Vec<u8>,
    /// In the other one.
    pub elsewhere: Vec<u8>,
}

impl Place {
    /// Opens the fail log, and gives what is in it.
    ///
    /// # Errors
    /// The file, or its place, is not safe to use or cannot be used.
    pub fn open(places: &Places) -> Result<(Place, Left), Refused> {
        let of = |store, is_aside, left_aside| Place {
            places: places.clone(),
            store,
            is_aside,
            left_aside,
        };
        match Store::open(&places.configured) {
            Ok((store, text)) => {
                let elsewhere = Store::open(&places.aside).map_or(Vec::new(), |(_, text)| text);
                let left_aside = places.aside.exists();
                Ok((of(store, false, left_aside), Left { text, elsewhere }))
            }
            Err(Refused { why: Why::InUse, .. }) => {
                let (store, text) = places.step_aside()?;
                // Whoever has it writes only whole texts.
                let elsewhere = look(&places.configured).unwrap_or_default();
                Ok((of(store, true, false), Left { text, elsewhere }))
            }
            Err(refused) => Err(refused),
        }
    }

    /// The file that is used.
    pub fn path(&self) -> &Path {
        if self.is_aside {
            &self.places.aside
        } else {
            &self.places.configured
        }
    }

    /// Whether it is not the one that the configuration names.
    pub fn is_aside(&self) -> bool {
        self.is_aside
    }

    /// Puts `text` in the place of what is there, and gives the file that has it now.
    ///
    /// # Errors
    /// A full disk, above all. Then the file is as it was, and this may be tried again.
    pub fn replace(&mut self, text: &[u8]) -> io::Result<PathBuf> {
        match self.store.replace(text) {
            // Another instance has made the file since.
            Err(error) if error.kind() == ErrorKind::WouldBlock && !self.is_aside => {
                (self.store, _) = self.places.step_aside().map_err(io::Error::other)?;
                self.is_aside = true;
                self.store.replace(text)?;
            }
            replaced => replaced?,
        }
        if !self.is_aside && std::mem::take(&mut self.left_aside) {
            // What was in it is in the other one now. If it stays, it is read once more.
            let _ = std::fs::remove_file(&self.places.aside);
        }
        Ok(self.path().into())
    }
}

impl Places {
    fn step_aside(&self) -> Result<(Store, Vec<u8>), Refused> {
        let opened = Store::open(&self.aside)?;
        log::warn!(
            "the fail log {} is in use by another sersync; what this one owes stands in {} (give each \
             configuration a <failLog path> of its own)",
            self.configured.display(),
            self.aside.display()
        );
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(home: &Path, name: &str) -> Places {
        let configured = home.join("fail.sh");
        Places { aside: home.join(format!("fail.sh.{name}.sh")), configured }
    }

    fn left(places: &Places) -> (Place, [Vec<u8>; 2]) {
        let (place, Left { text, elsewhere }) = Place::open(places).unwrap();
        (place, [text, elsewhere])
    }

    #[test]
    fn whoever_finds_the_file_in_use_has_one_of_its_own_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (places(home.path(), "1"), places(home.path(), "2"));
        // Neither has a file yet, so that neither keeps the other out.
        let ((mut first, _), (mut second, _)) = (left(&one), left(&two));
        assert_eq!(first.replace(b"of one").unwrap(), one.configured);
        assert_eq!(second.replace(b"of two").unwrap(), two.aside);
        drop(second);
        let (mut second, read) = left(&two);
        assert_eq!(read, [b"of two".to_vec(), b"of one".to_vec()]);
        assert_eq!(second.replace(b"of two again").unwrap(), two.aside);
        drop((first, second));
        // Now the other one is first, and nothing that it owes stays behind.
        let (mut second, read) = left(&two);
        assert_eq!(read, [b"of one".to_vec(), b"of two again".to_vec()]);
        assert_eq!(second.replace(b"of both").unwrap(), two.configured);
        assert!(!two.aside.exists());
        let (first, read) = left(&one);
        assert!(first.is_aside());
        assert_eq!(read, [b"".to_vec(), b"of both".to_vec()]);
    }
}
