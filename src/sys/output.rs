//! Standard output and standard error: where they lead, and how nothing is lost or held up by that.
//!
//! Standard error becomes a pipe whose other end a thread of this process reads and writes on to
//! where it belongs. So a write to it never fails, which in a print of std's would be a panic, on
//! whatever full disk or closed terminal; and where it leads can change at any time, by putting
//! another file in the place of a descriptor. Standard output becomes another one while a running
//! program prints each event. `logging` calls it and says when.
#![allow(unsafe_code)]

use super::{crash, thread};
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::unistd::{dup2_stderr, dup2_stdout, getpgrp, tcgetpgrp, write};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IsTerminal, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A write of so many bytes goes into a pipe in one piece, and at once if there is room (PIPE_BUF).
pub const LINE_BYTES_MAX: usize = 4096;
/// How long the end of the program waits for a reader who does not read its last lines.
const FLUSH_MS: u16 = 1_000;
/// Others may not read which files there are.
const LOG_MODE: u32 = 0o640;

/// Makes the line, with its end, that says how many are missing.
pub type Missing = fn(usize) -> String;

/// Where the lines go. The descriptors stay; what they lead to may change.
#[derive(Debug)]
pub struct Output {
    /// Standard error as the program found it.
    starter: Arc<OwnedFd>,
    /// The log file, if there is one.
    log: Option<Arc<OwnedFd>>,
    /// Closed when the thread has written everything.
    done: PipeReader,
    /// Standard output, once that is a pipe as well.
    printed: OnceLock<Printed>,
}

/// Standard output as the program found it, and what is closed when its thread has written everything.
#[derive(Debug)]
struct Printed {
    place: Arc<OwnedFd>,
    done: PipeReader,
}

impl Output {
    /// Takes standard error over. Its lines go to where it led and, if there is one, to `log`. `missing` makes the
    /// line that says how many could not be written.
    ///
    /// # Errors
    /// No descriptor or no thread left.
    pub fn divert(log: Option<File>, missing: Missing) -> io::Result<Output> {
        let starter = Arc::new(io::stderr().as_fd().try_clone_to_owned()?);
        let log = log.map(|file| Arc::new(OwnedFd::from(file)));
        let (writer, done) = pump("log", log.iter().chain([&starter]).cloned().collect(), missing)?;
        dup2_stderr(&writer)?;
        crash::tell(log.as_ref().unwrap_or(&starter));
        Ok(Output { starter, log, done, printed: OnceLock::new() })
    }

    /// Takes standard output over, too. Its lines go to where it led; `missing` as above.
    ///
    /// # Errors
    /// No descriptor or no thread left.
    pub fn divert_printed(&self, missing: Missing) -> io::Result<()> {
        if self.printed.get().is_some() {
            return Ok(());
        }
        let place = Arc::new(io::stdout().as_fd().try_clone_to_owned()?);
        let (writer, done) = pump("print", vec![place.clone()], missing)?;
        dup2_stdout(&writer)?;
        // There was none before.
        let _ = self.printed.set(Printed { place, done });
        Ok(())
    }

    /// The start is over: with a log file, its lines go nowhere else. In the background, what leads
    /// to a terminal is let go, so that its window can be closed; and with a log file, standard
    /// output goes there too.
    ///
    /// # Errors
    /// There is no `/dev/null`.
    pub fn settle(&self, background: bool) -> io::Result<()> {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        if background && self.log.is_some() {
            dup2_stdout(io::stderr())?;
        } else if background {
            match self.printed.get() {
                Some(Printed { place, .. }) if place.is_terminal() => put_in_place(&null, place)?,
                None if io::stdout().is_terminal() => dup2_stdout(&null)?,
                Some(_) | None => {}
            }
        }
        if self.log.is_some() || (background && self.starter.is_terminal()) {
            put_in_place(&null, &self.starter)?;
        }
        Ok(())
    }

    /// Puts another log file in the place of the one that there is.
    ///
    /// # Errors
    /// None for an open file.
    pub fn change_log(&self, file: &File) -> io::Result<()> {
        self.log.as_ref().map_or(Ok(()), |log| put_in_place(file, log))
    }

    /// Whether a line can be written to standard error now without waiting.
    pub fn has_room(&self) -> bool {
        takes_a_line(io::stderr().as_fd())
    }

    /// Whether a line can be printed now without waiting.
    pub fn has_room_to_print(&self) -> bool {
        takes_a_line(io::stdout().as_fd())
    }

    /// Whether standard output, as the program found it, is a terminal.
    pub fn prints_to_terminal(&self) -> bool {
        self.printed.get().map_or(io::stdout().is_terminal(), |it| it.place.is_terminal())
    }

    /// Whether standard error, as the program found it, is the terminal that this process may write to
    /// at any time: it is its own, and no other program has it now.
    pub fn is_in_foreground(&self) -> bool {
        tcgetpgrp(&self.starter).is_ok_and(|group| group == getpgrp())
    }

    /// Waits until everything has been written, but not for ever. Both lead to their places directly
    /// from then on.
    pub fn flush(&self) {
        self.let_go();
        if let Some(Printed { place, done }) = self.printed.get() {
            let _ = dup2_stdout(place);
            await_end(done);
        }
        await_end(&self.done);
    }

    /// Has standard error lead to its place directly: for a last word before a crash.
    pub fn let_go(&self) {
        let _ = dup2_stderr(self.log.as_ref().unwrap_or(&self.starter));
    }
}

/// Opens a log file, or makes it. Never waits for whoever should read a named pipe, and gets no
/// terminal for the process.
///
/// # Errors
/// What open(2) gives.
pub fn open_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(LOG_MODE);
    options.custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path)
}

/// A pipe, and a thread that writes what comes through it to the targets. What is returned last is
/// closed when it has written everything, after the writers of the pipe are closed.
fn pump(
    name: &str,
    targets: Vec<Arc<OwnedFd>>,
    missing: Missing,
) -> io::Result<(PipeWriter, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    let (done, writing) = io::pipe()?;
    thread::start(name, move || {
        let target = |place| Target { place, lost: 0, is_cut: false, missing };
        pass_on(reader, targets.into_iter().map(target).collect());
        drop(writing);
    })?;
    Ok((writer, done))
}

fn takes_a_line(place: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(place, PollFlags::POLLOUT)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1..))
}

fn await_end(done: &PipeReader) {
    let mut fds = [PollFd::new(done.as_fd(), PollFlags::POLLIN)];
    // If waiting fails, only the last line may be missing.
    let _ = poll(&mut fds, PollTimeout::from(FLUSH_MS));
}

fn pass_on(mut reader: PipeReader, mut targets: Vec<Target>) {
    let mut buffer = [0; LINE_BYTES_MAX];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => targets.iter_mut().for_each(|target| target.write(&buffer[..count])),
            // Nothing that is written to standard error may find this end closed: see the top of
            // this file.
            Err(_) => {}
        }
    }
}

/// Where lines are written to.
struct Target {
    place: Arc<OwnedFd>,
    /// Lines that could not be written since the last one that could.
    lost: usize,
    /// The last line that was written has no end.
    is_cut: bool,
    missing: Missing,
}

impl Target {
    /// Where a disk is full, or a terminal or a pipe is closed, the bytes are lost, their lines are counted, and
    /// the program goes on.
    fn write(&mut self, bytes: &[u8]) {
        if self.lost > 0 {
            let end = if self.is_cut { "\n" } else { "" };
            let line = format!("{end}{}", (self.missing)(self.lost));
            if !self.write_all(line.as_bytes()).is_empty() {
                return self.lose(bytes);
            }
            self.lost = 0;
        }
        let left = self.write_all(bytes);
        self.lose(left);
    }

    fn lose(&mut self, bytes: &[u8]) {
        self.lost += bytes.iter().filter(|&&byte| byte == b'\n').count();
    }

    /// Gives what could not be written.
    fn write_all<'a>(&mut self, mut bytes: &'a [u8]) -> &'a [u8] {
        while !bytes.is_empty() {
            match write(&self.place, bytes).map_err(io::Error::from) {
                Ok(count) => {
                    self.is_cut = bytes[..count].last() != Some(&b'\n');
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        bytes
    }
}

/// Lets the descriptor `place` lead to `file`; whoever uses it meanwhile finds the old or the new.
fn put_in_place(file: &File, place: &OwnedFd) -> io::Result<()> {
    // SAFETY: both descriptors are open for as long as they are borrowed; the number stays that of
    // the same owner.
    match unsafe { libc::dup2(file.as_raw_fd(), place.as_raw_fd()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => super::own_file::close_on_exec(place),
    }
}
