//! The files that the command line names: whether they could be made, without making them.

use super::finding::Finding;
use crate::start::cli::Options;
use nix::unistd::{access, AccessFlags};
use std::io;
use std::path::Path;

pub(super) fn findings(options: &Options, here: &Path) -> Vec<Finding> {
    let files = [("--log-file", &options.log_file), ("--pid-file", &options.pid_file)];
    let named = files.into_iter().filter_map(|(option, file)| Some((option, file.as_ref()?)));
    named
        .map(|(option, file)| match could_write(&here.join(file)) {
            Ok(()) => Finding::fine(option, file.display().to_string()),
            Err(error) => {
                let hint = "name a file that can be written";
                Finding::error(option, format!("{}: {error}; {hint}", file.display()))
            }
        })
        .collect()
}

/// Whether the file can be written, or made in its directory.
///
/// # Errors
/// Why not.
fn could_write(file: &Path) -> io::Result<()> {
    match file.metadata() {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => may_write(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = file.parent().unwrap_or(Path::new("/"));
            directory.metadata().and_then(|_| may_write(directory))
        }
        Err(error) => Err(error),
    }
}

/// Whether this user may write to what is at `path`.
///
/// # Errors
/// Why not.
pub(super) fn may_write(path: &Path) -> io::Result<()> {
    access(path, AccessFlags::W_OK).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_could_be_written_where_its_directory_is() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::write(at("there"), "").unwrap();
        for (name, expected) in [
            ("there", true),
            ("new", true),
            ("", false),
            ("missing/new", false),
            ("there/below", false),
        ] {
            assert_eq!(could_write(&at(name)).is_ok(), expected, "{name}");
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
