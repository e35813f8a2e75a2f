//! `errorlog.txt`: what `refreshCDN` asked and what it was answered, for people to read.
//!
//! It lies beside the fail log and is started over when it is long. That it cannot be written is said
//! once and stops nothing. Only the thread of the plugin writes to it.

use crate::sys::own_file;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The file starts over when it has so many lines, as in the original.
pub const LINES_MAX: usize = 1000;
/// Of a file that was there before: more than 1000 lines of ours ever have. What is larger is started
/// over unread.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The file; opened for each record, so that it can be deleted or moved away at any time.
#[derive(Debug)]
pub struct ErrorLog {
    /// `None`: nothing is kept.
    path: Option<PathBuf>,
    /// It has been said that the file cannot be written.
    said: AtomicBool,
}

/// The file that an [`ErrorLog`] beside this fail log keeps.
pub fn error_log_beside(fail_log: &Path) -> PathBuf {
    fail_log.with_file_name("errorlog.txt")
}

impl ErrorLog {
    /// Beside the fail log.
    pub fn beside(fail_log: &Path) -> ErrorLog {
        ErrorLog { path: Some(error_log_beside(fail_log)), said: AtomicBool::new(false) }
    }

    /// One that keeps nothing.
    #[cfg(test)]
    pub fn nowhere() -> ErrorLog {
        ErrorLog { path: None, said: AtomicBool::new(false) }
    }

    /// Adds a record of one line or several.
    pub fn note(&self, record: &str) {
        let Some(path) = &self.path else { return };
        let added =
            own_file::open_or_make(path).map_err(|error| error.to_string()).and_then(|file| {
                add(file, record).map_err(|error| format!("{}: {error}", path.display()))
            });
        match added {
            Ok(()) => self.said.store(false, Ordering::Relaxed),
            Err(error) if !self.said.swap(true, Ordering::Relaxed) => {
                log::warn!("{error}; answers of the CDN are not kept");
            }
            Err(_) => {}
        }
    }
}

fn add(mut file: File, record: &str) -> io::Result<()> {
    let large = file.metadata()?.len() > FILE_BYTES_MAX;
    let mut text = Vec::new();
    if !large {
        (&file).take(FILE_BYTES_MAX).read_to_end(&mut text)?;
    }
    let lines = text.iter().filter(|&&byte| byte == b'\n').count();
    if large || lines + record.lines().count() > LINES_MAX {
        file.set_len(0)?;
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(format!("{record}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_file_starts_over_after_a_thousand_lines() {
        let home = tempfile::tempdir().unwrap();
        let log = ErrorLog::beside(&home.path().join("rsync_fail_log.sh"));
        for number in 0..LINES_MAX / 2 {
            log.note(&format!("request {number}\nanswer"));
        }
        let file = home.path().join("errorlog.txt");
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), LINES_MAX);
        log.note("request new\nanswer");
        assert_eq!(fs::read_to_string(&file).unwrap(), "request new\nanswer\n");
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let victim = home.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, home.path().join("errorlog.txt")).unwrap();
        ErrorLog::beside(&home.path().join("log.sh")).note("record");
        assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    }
}
