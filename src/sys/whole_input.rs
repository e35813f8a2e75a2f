//! Standard input that is there as a whole before the process that reads it starts.
//!
//! Rules of rsync's filter that come on standard input say what it must not see. If we were killed while we feed them, it would
//! read to the end of what it got, see the rest of the far side, and delete it. So they are written before it starts: to a
//! file in memory (Linux 3.17), else into the pipe, as far as that takes them.

use nix::sys::memfd::{memfd_create, MFdFlags};
use std::fs::File;
use std::io::{self, ErrorKind, Seek, Write};
use std::process::Stdio;

/// What gives these bytes and then ends; `None` where they are too many for a pipe, and there are no files in memory.
///
/// # Errors
/// There is no descriptor left, or no memory.
pub fn of(bytes: &[u8]) -> io::Result<Option<Stdio>> {
    match memfd_create(c"rules", MFdFlags::MFD_CLOEXEC) {
        Ok(file) => {
            let mut file = File::from(file);
            file.write_all(bytes)?;
            file.rewind()?;
            Ok(Some(file.into()))
        }
        Err(_) => in_pipe(bytes),
    }
}

fn in_pipe(bytes: &[u8]) -> io::Result<Option<Stdio>> {
    let (reader, mut writer) = io::pipe()?;
    super::set_nonblocking(&writer)?;
    match writer.write_all(bytes) {
        Ok(()) => Ok(Some(reader.into())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_is_given_is_read_to_its_end() {
        let read = |stdin| Command::new("cat").stdin(stdin).output().unwrap().stdout;
        for length in [0, 1, 5_000, 60_000] {
            let bytes = vec![b'x'; length];
            for stdin in [of(&bytes), in_pipe(&bytes)] {
                assert_eq!(read(stdin.unwrap().unwrap()), bytes);
            }
        }
        let many = vec![b'x'; 3_000_000];
        assert!(in_pipe(&many).unwrap().is_none());
        assert_eq!(read(of(&many).unwrap().unwrap()), many);
    }
}
