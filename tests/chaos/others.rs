//! Files that other sources have put on a far side. A push never deletes one; a mirror has nothing that is not
//! here, so it has none of them.

use std::fs;
use std::path::{Path, PathBuf};

/// No load makes this name.
const NAME: &str = "of another source";
/// A directory that is here too.
pub const SHARED: &str = "shared";

/// What was put on one far side.
#[derive(Debug)]
pub struct Others {
    files: Vec<PathBuf>,
}

impl Others {
    /// Puts files at the top of a far side, into a directory of their own, and into one that is also ours.
    pub fn put(far: &Path) -> Others {
        let files =
            [PathBuf::from(NAME), Path::new("theirs").join(NAME), Path::new(SHARED).join(NAME)];
        let files: Vec<PathBuf> = files.iter().map(|file| far.join(file)).collect();
        for file in &files {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, NAME).unwrap();
        }
        Others { files }
    }

    /// Those that are there no more, or are others, and what is found in their place.
    pub fn lost(&self) -> Vec<String> {
        let fault = |file: &PathBuf| match fs::read(file) {
            Ok(content) if content == NAME.as_bytes() => None,
            Ok(content) => Some(format!("{}: {}", file.display(), content.escape_ascii())),
            Err(e) => Some(format!("{}: {e}", file.display())),
        };
        self.files.iter().filter_map(fault).collect()
    }
}
