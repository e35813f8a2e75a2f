//! Going to the background.
//!
//! Owns the two processes of a start with `-d`: the one that the user started, which waits, and its
//! child, which becomes the program. `main` splits them before anything else is done: a fork takes
//! only one thread along, and the lock file and the number file must name the child.
//!
//! One fork and not two, so that the parent learns how the child ends. The second one would keep
//! the child from getting a terminal, which takes opening one, and nothing here does that. The
//! umask stays as it is: files of the program's own are made with modes of their own, and the rest
//! is the user's wish.
#![allow(unsafe_code)]

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{chdir, dup2_stdin, fork, getpid, getppid, setsid, ForkResult, Pid};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};

/// Which of the two processes this is.
#[derive(Debug)]
pub enum Side {
    /// The one that the user started.
    Waiting(Waiting),
    /// The program.
    Background(Background),
}

/// Waits for the program to be ready.
#[derive(Debug)]
pub struct Waiting {
    child: Pid,
    ready: PipeReader,
}

/// The process in the background, which somebody waits for.
#[derive(Debug)]
pub struct Background {
    ready: PipeWriter,
}

/// How a program ended that was never ready.
#[derive(Debug)]
pub enum Unready {
    /// With this exit code, which is not 0; it has said why.
    Refused(u8),
    /// Without a word.
    Vanished(String),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unready::Refused(code) => write!(f, "not started (exit code {code})"),
            Unready::Vanished(how) => {
                write!(
                    f,
                    "the process in the background {how} before it was ready; start again \
                           without -d to see more"
                )
            }
        }
    }
}

/// Makes the child. Only to be called while there is one thread.
///
/// # Errors
/// No process or descriptor left; in the child, whatever keeps it from leaving its terminal.
pub fn split() -> io::Result<Side> {
    let (reader, writer) = io::pipe()?;
    let parent = getpid();
    // SAFETY: there is one thread, so the child may do whatever the parent might have done.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Side::Waiting(Waiting { child, ready: reader })),
        ForkResult::Child => Background::new(parent, writer).map(Side::Background),
    }
}

impl Waiting {
    /// Waits for as long as the start takes. Whatever ends this process meanwhile, Ctrl-C too, ends
    /// the child.
    ///
    /// # Errors
    /// The child ended before it was ready.
    pub fn wait(mut self) -> Result<(), Unready> {
        // No byte comes if the child has gone, and with it the other end of the pipe.
        if self.ready.read_exact(&mut [0]).is_ok() {
            return Ok(());
        }
        loop {
            let how = match waitpid(self.child, None) {
                Err(nix::errno::Errno::EINTR) => continue,
                Ok(WaitStatus::Exited(_, code)) => match u8::try_from(code) {
                    Ok(code) if code != 0 => return Err(Unready::Refused(code)),
                    Ok(_) | Err(_) => "was asked to end".to_string(),
                },
                Ok(WaitStatus::Signaled(_, signal, _)) => format!("was ended by {signal}"),
                Ok(_) => continue,
                Err(error) => format!("is lost ({error})"),
            };
            return Err(Unready::Vanished(how));
        }
    }
}

impl Background {
    fn new(parent: Pid, ready: PipeWriter) -> io::Result<Background> {
        setsid()?;
        let null =
            File::open("/dev/null").map_err(|_| io::Error::other("cannot open /dev/null"))?;
        dup2_stdin(null)?;
        // While somebody waits, this process must not outlive that one, however that one ends.
        set_pdeathsig(Signal::SIGTERM)?;
        if getppid() != parent {
            return Err(io::Error::new(ErrorKind::Interrupted, "the start was broken off"));
        }
        Ok(Background { ready })
    }

    /// Tells the waiting process that everything is watched; this one stays alone from then on. From
    /// now on a relative path means nothing: no directory is kept busy by being the working one.
    ///
    /// # Errors
    /// None that would be a reason to end.
    pub fn ready(mut self) -> io::Result<()> {
        set_pdeathsig(None)?;
        chdir("/")?;
        self.ready.write_all(b"r")
    }
}
