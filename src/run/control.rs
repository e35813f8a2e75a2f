//! What commands ask the running instance: `--reload`, `--confirm-deletions`, `--status`.
//!
//! A thread listens and speaks, the loop answers: one line there, an answer back, one command at a time.
//! Nobody who is slow at the other end holds up anything but the next command. What a request means is for
//! the loop to know; here it is a word.

use crate::sys::channel::{channel, Receiver, Sender};
use crate::sys::control::{connect, ControlSocket, SocketName};
use crate::sys::thread;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What a command may take for its line, and to read its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// A line is a word and its newline.
const LINE_BYTES_MAX: u64 = 64;
/// After an accept(2) that failed for lack of descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// To read the configuration again.
    Reload,
    /// To do the deletions that wait for a yes.
    ConfirmDeletions,
    /// Why the fail log does not have what is owed; nothing if it has.
    FailLog,
}

impl Request {
    const WORDS: [(&'static str, Request); 3] = [
        ("reload", Request::Reload),
        ("confirm-deletions", Request::ConfirmDeletions),
        ("fail-log", Request::FailLog),
    ];

    /// The word that stands for it on the line.
    pub fn word(self) -> &'static str {
        match self {
            Request::Reload => Request::WORDS[0].0,
            Request::ConfirmDeletions => Request::WORDS[1].0,
            Request::FailLog => Request::WORDS[2].0,
        }
    }

    fn of(word: &str) -> Option<Request> {
        Request::WORDS.iter().find(|(known, _)| *known == word).map(|(_, request)| *request)
    }
}

/// What the loop says to a request: what was done, or why it was not. One or more lines for people.
pub type Answer = Result<String, String>;

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    answer: Sender<Answer>,
}

impl Asked {
    /// Answers. A command that has gone meanwhile misses it.
    pub fn answer(self, answer: Answer) {
        let _ = self.answer.send(answer);
    }
}

/// The loop's end: becomes readable with each request.
#[derive(Debug)]
pub struct Control {
    asked: Receiver<Asked>,
    _name: SocketName,
}

impl Control {
    /// Listens at `path`. The thread ends with the process, the name with this value.
    ///
    /// # Errors
    /// The socket cannot be made, or there is no thread or descriptor left.
    pub fn start(path: &Path) -> io::Result<Control> {
        let (socket, _name) = ControlSocket::listen(path)?;
        let (ask, asked) = channel()?;
        thread::start("control", move || serve(&socket, &ask))?;
        Ok(Control { asked, _name })
    }

    /// The request that has come.
    pub fn take(&self) -> Option<Asked> {
        self.asked.receive()
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.asked.as_fd()
    }
}

fn serve(socket: &ControlSocket, ask: &Sender<Asked>) {
    loop {
        match socket.accept() {
            // What goes wrong with one command is that command's own affair.
            Ok(stream) => drop(converse(&stream, ask)),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn converse(stream: &UnixStream, ask: &Sender<Asked>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut line)?;
    let answer = match Request::of(line.trim_end()) {
        Some(request) => answer(request, ask)?,
        None => Err(format!("this instance does not know {:?}", line.trim_end())),
    };
    let (code, text) = match &answer {
        Ok(text) => ('0', text),
        Err(text) => ('1', text),
    };
    let mut stream = stream;
    stream.write_all(format!("{code} {text}").as_bytes())
}

/// Has the loop answer. It drops the request unanswered when it ends.
fn answer(request: Request, ask: &Sender<Asked>) -> io::Result<Answer> {
    let (answer, answered) = channel()?;
    let _ = ask.send(Asked { request, answer });
    Ok(answered.receive().unwrap_or_else(|| Err("sersync is ending".into())))
}

/// Asks the instance that listens at `path`, as a command does, and waits for its answer.
///
/// # Errors
/// Nobody listens there, or the instance went away before it answered.
pub fn ask(path: &Path, request: Request) -> io::Result<Answer> {
    let mut stream = connect(path)?;
    if request == Request::FailLog {
        // Whoever wants to see how the instance is has to see it as well if it hangs.
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    stream.write_all(format!("{}\n", request.word()).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match answer.split_at_checked(2) {
        Some(("0 ", text)) => Ok(Ok(text.into())),
        Some(("1 ", text)) => Ok(Err(text.into())),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_its_request() {
        for (word, request) in Request::WORDS {
            assert_eq!(request.word(), word);
            assert_eq!(Request::of(word), Some(request));
        }
    }

    #[test]
    fn the_loop_answers_and_the_command_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let control = Control::start(&path).unwrap();
        let command = |request| {
            let path = path.clone();
            std::thread::spawn(move || ask(&path, request).unwrap())
        };
        let asking = command(Request::Reload);
        let asked = control.take().unwrap();
        assert_eq!(asked.request, Request::Reload);
        asked.answer(Ok("read again".into()));
        assert_eq!(asking.join().unwrap(), Ok("read again".into()));
        let asking = command(Request::Reload);
        control.take().unwrap().answer(Err("nothing waits\nfor a yes".into()));
        assert_eq!(asking.join().unwrap(), Err("nothing waits\nfor a yes".into()));
        // The loop has ended: what it has not answered is answered for it.
        let asking = command(Request::Reload);
        drop(control.take());
        assert_eq!(asking.join().unwrap(), Err("sersync is ending".into()));
    }

    #[test]
    fn nonsense_is_told_so_and_whoever_says_nothing_keeps_nobody_waiting_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let control = Control::start(&path).unwrap();
        let silent = connect(&path).unwrap();
        let mut stream = connect(&path).unwrap();
        stream.write_all(b"nonsense\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "1 this instance does not know \"nonsense\"");
        drop((silent, control));
    }
}
