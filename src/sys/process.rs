//! Runs one process to its end: feeds it its standard input, keeps what it says on standard error. It
//! may be started long before there is anything to feed.

mod group;

pub use group::{is_stopped_within, Group, Waited};

use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;

use super::quick_ack::QuickAck;
use super::whole_input;

/// Written to standard input at once. Pipes take this many bytes in one piece or not at all
/// (PIPE_BUF), so a list whose pieces end between two paths is never read with half a path at its
/// end, whenever we die. To rsync half a path is a path, and one that is missing here may be deleted
/// there.
const PIECE_BYTES_MAX: usize = 4096;
/// So much is read at once.
const BUFFER_BYTES: usize = 4096;
/// What the kernel keeps for a pipe that nobody has made larger: all that a process can have said
/// before its end.
const PIPE_BYTES_MAX: usize = 64 * 1024;
/// So much of what a process says on standard error is kept.
pub const STDERR_BYTES_MAX: usize = 1024 * 1024;
/// While no pipe has been closed, the child is looked at so often: it may have ended, and a process
/// that it left behind may hold the pipes open.
const LOOK: Duration = Duration::from_secs(1);
/// How long standard error is still read when the child has ended and another process holds it
/// open. That may be an ssh for which rsync did not wait, with something left to say; or the
/// connection that an old OpenSSH keeps for the next run, which says nothing.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A process that the kernel has not run once in this time is stuck: rsync, whatever it waits for
/// over the network, wakes at least once a minute to see whether its `--timeout` has passed. But where
/// a file in its list has become a fifo, it sleeps in open(2) for ever (seen), and no timeout of its
/// own ends that.
const STUCK: Duration = Duration::from_secs(180);

/// What rsync says when it ends because of an error: its own words, or those of the far side.
const LAST_LINE: &[u8] = b"rsync error: ";
/// How long it may go on after that. A server from 3.1.0 on that fails waits for an older client to
/// close the connection, and that one waits for the server, both for half of their `--timeout`:
/// five minutes for each file that finds no room on the far side (seen).
const DYING: Duration = Duration::from_secs(5);

/// Starts `command` and runs it until it has ended: see [`Started`]. Its output is what it said on
/// standard error; an error is that it could not be started.
pub fn run(command: Command, input: &[u8], stop: &PipeReader) -> io::Result<Output> {
    run_heard(command, input, stop, &mut |_| ())
}

/// The same; what it writes to standard output is handed to `heard` as it comes, in pieces of any
/// length, and an empty one each time that it has been silent for [`LOOK`].
pub fn run_heard(
    command: Command,
    input: &[u8],
    stop: &PipeReader,
    heard: &mut dyn FnMut(&[u8]),
) -> io::Result<Output> {
    Started::new(command)?.feed(input, stop, heard)
}

/// A process in a group of its own that waits for its standard input. If the value goes before it has
/// been fed, the group is killed.
#[derive(Debug)]
pub struct Started {
    group: Group,
    /// It has a TCP connection of its own, whose messages are not to wait for each other.
    over_tcp: bool,
    is_fed: bool,
}

impl Started {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn new(mut command: Command) -> io::Result<Started> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Started { group: Group::spawn(command)?, over_tcp: false, is_fed: false })
    }

    /// The same with all of its standard input, which it can read to the end whatever becomes of us; what could not be
    /// given to it comes back, to be fed.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn given(mut command: Command, input: &[u8]) -> io::Result<(Started, &[u8])> {
        let Some(stdin) = whole_input::of(input)? else {
            return Ok((Started::new(command)?, input));
        };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let group = Group::spawn(command)?;
        Ok((Started { group, over_tcp: false, is_fed: false }, &[]))
    }

    /// The same, which is to talk to its far side over TCP: see [`QuickAck`].
    pub fn over_tcp(mut self, over_tcp: bool) -> Started {
        self.over_tcp = over_tcp;
        self
    }

    /// Whether it has ended, fed or not.
    pub fn has_ended(&mut self) -> bool {
        self.group.has_ended().unwrap_or(true)
    }

    /// Runs it to its end. `input` goes to its standard input, in pieces that end behind a NUL; what it
    /// writes to standard output goes to `heard`. When `stop` becomes readable or is closed, the group
    /// is ended.
    pub fn feed(
        mut self,
        input: &[u8],
        stop: &PipeReader,
        heard: &mut dyn FnMut(&[u8]),
    ) -> io::Result<Output> {
        self.is_fed = true;
        let mut stderr = Vec::new();
        let mut quick = self.over_tcp.then(|| QuickAck::of(self.group.id())).flatten();
        let talked = talk(&mut self.group, &mut quick, input, stop, heard, &mut stderr);
        if talked.is_err() {
            self.group.signal(Signal::SIGKILL);
        }
        let status = self.group.wait()?;
        let connection = quick.and_then(QuickAck::take);
        if let Some(connection) = connection.filter(|_| has_heard_last_word(status)) {
            connection.end_well();
        }
        talked.map(|()| Output { status, stdout: Vec::new(), stderr })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Once it has been waited for, its number may be another's.
        if !self.is_fed && !self.has_ended() {
            self.group.kill();
        }
    }
}

/// Feeds and listens until the child has closed its standard error or ended.
///
/// That rsync has ended shows in its standard output. Its standard error is also that of the ssh
/// that it starts, which may live on; but the standard output of this ssh leads to rsync.
fn talk(
    group: &mut Group,
    quick: &mut Option<QuickAck>,
    mut input: &[u8],
    stop: &PipeReader,
    heard: &mut dyn FnMut(&[u8]),
    kept: &mut Vec<u8>,
) -> io::Result<()> {
    let (mut stdin, mut stdout, Some(mut stderr)) = group.pipes() else { return Ok(()) };
    if let Some(stdin) = &stdin {
        super::set_nonblocking(stdin)?;
    }
    if let Some(stdout) = &stdout {
        super::set_nonblocking(stdout)?;
    }
    super::set_nonblocking(&stderr)?;
    let mut stopping = false;
    let mut watchdog = Watchdog::new(group.id());
    let mut dying: Option<Instant> = None;
    let mut silent_since = Instant::now();
    loop {
        stdin = stdin.filter(|_| !input.is_empty());
        let silent = if stdout.is_some() { LOOK } else { LAST_WORDS };
        let pause = quick.as_ref().and_then(QuickAck::pause).unwrap_or(silent);
        let wait = silent.saturating_sub(silent_since.elapsed()).min(pause);
        let fds = [
            Some((stderr.as_fd(), PollFlags::POLLIN)),
            (!stopping).then_some((stop.as_fd(), PollFlags::POLLIN)),
            stdin.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLOUT)),
            stdout.as_ref().map(|pipe| (pipe.as_fd(), PollFlags::POLLIN)),
        ];
        let [ready_stderr, ready_stop, ready_stdin, ready_stdout] = ready(fds, wait)?;
        quick.iter_mut().for_each(QuickAck::keep_on);
        if ready_stop {
            stopping = true;
            group.signal(Signal::SIGTERM);
        }
        if ready_stdin {
            if let Some(pipe) = &mut stdin {
                match pipe.write(piece(input)) {
                    Ok(count) => input = &input[count..],
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // The child has stopped reading: its exit code will say why.
                    Err(_) => input = &[],
                }
            }
        }
        if ready_stdout {
            if let Some(pipe) = &mut stdout {
                if !read(pipe, &mut *heard) {
                    stdout = None;
                }
            }
        }
        if ready_stderr && !read(&mut stderr, |bytes| keep(bytes, kept)) {
            break;
        }
        if ready_stderr && dying.is_none() && has_last_line(kept) {
            dying = Some(Instant::now());
        }
        if ready_stdin || ready_stderr || ready_stdout {
            silent_since = Instant::now();
        } else if silent_since.elapsed() >= silent {
            silent_since = Instant::now();
            if group.has_ended()? {
                break;
            }
            heard(&[]);
            if watchdog.is_stuck() || dying.is_some_and(|since| since.elapsed() >= DYING) {
                group.signal(Signal::SIGTERM);
            }
        }
    }
    // What it said last on standard output, if it said more than has been read.
    let mut left = PIPE_BYTES_MAX / BUFFER_BYTES;
    while let Some(pipe) = stdout.as_mut().filter(|_| left > 0) {
        let mut came = false;
        let open = read(pipe, |bytes| {
            came = true;
            heard(bytes);
        });
        stdout = stdout.filter(|_| open && came);
        left -= 1;
    }
    Ok(())
}

/// Waits until a descriptor is ready, of those that are there; says which ones are.
fn ready<const N: usize>(
    fds: [Option<(BorrowedFd<'_>, PollFlags)>; N],
    wait: Duration,
) -> io::Result<[bool; N]> {
    let mut polled: Vec<PollFd> =
        fds.iter().flatten().map(|&(fd, flags)| PollFd::new(fd, flags)).collect();
    // Rounded up: a wait that is too short would end before anything is due.
    let wait_ms = u16::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
    match poll(&mut polled, PollTimeout::from(wait_ms)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut polled = polled.iter();
    Ok(fds.map(|fd| fd.is_some() && polled.next().and_then(PollFd::any).unwrap_or(false)))
}

/// Sees whether a process is still run by the kernel.
struct Watchdog {
    pid: u32,
    switches: Option<Vec<u8>>,
    since: Instant,
}

impl Watchdog {
    fn new(pid: u32) -> Watchdog {
        Watchdog { pid, switches: None, since: Instant::now() }
    }

    /// Looks only every third part of the time; never `true` where the kernel does not count
    /// (before 2.6.23) or there is no `/proc`.
    fn is_stuck(&mut self) -> bool {
        if self.since.elapsed() < STUCK / 3 {
            return false;
        }
        let switches = context_switches(self.pid);
        let unchanged = switches.is_some() && switches == self.switches;
        if !unchanged {
            self.switches = switches;
            self.since = Instant::now();
        }
        unchanged && self.since.elapsed() >= STUCK
    }
}

/// The line of `/proc/PID/status` that counts how often the process has gone to sleep.
fn context_switches(pid: u32) -> Option<Vec<u8>> {
    let status = std::fs::read(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.split(|&byte| byte == b'\n');
    lines.find(|line| line.starts_with(b"voluntary_ctxt_switches")).map(<[u8]>::to_vec)
}

/// As much of `input` as fits into one piece, up to and with the last NUL in it.
fn piece(input: &[u8]) -> &[u8] {
    let most = &input[..input.len().min(PIECE_BYTES_MAX)];
    match most.iter().rposition(|&byte| byte == 0) {
        Some(last) => &most[..=last],
        // One path that is longer than any the kernel would open.
        None => most,
    }
}

/// Reads once and hands over what came; `false` at the end.
fn read(pipe: &mut impl Read, take: impl FnOnce(&[u8])) -> bool {
    let mut buffer = [0; BUFFER_BYTES];
    match pipe.read(&mut buffer) {
        Ok(0) => false,
        Ok(count) => {
            take(&buffer[..count]);
            true
        }
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}

fn keep(bytes: &[u8], kept: &mut Vec<u8>) {
    let room = STDERR_BYTES_MAX - kept.len();
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// Whether the process has said that it ends because of an error. Only what it said just now is looked through.
fn has_last_line(said: &[u8]) -> bool {
    let new = &said[said.len().saturating_sub(2 * BUFFER_BYTES)..];
    new.split(|&byte| byte == b'\n').any(|line| line.starts_with(LAST_LINE))
}

/// Whether rsync ended as it does when the far side has said that it is done: everything was looked at, whether all of
/// it got through or not.
fn has_heard_last_word(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 23 | 24 | 25))
}

/// The exit code, or the signal that ended it, of a process that ran.
pub fn code_or_signal(status: ExitStatus) -> Result<i32, i32> {
    status.code().ok_or_else(|| status.signal().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::killpg;
    use nix::unistd::Pid;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn input_arrives_whole_while_errors_flow() {
        let (stop, _running) = io::pipe().unwrap();
        let input: Vec<u8> = (0..60_000).flat_map(|n: u32| format!("{n}\0").into_bytes()).collect();
        let script = "tr '\\0' '\\n' | while read -r n; do echo e$n; done >&2; \
            head -c 1000000 /dev/zero >&2; exit 7";
        let exit = run(shell(script), &input, &stop).unwrap();
        assert_eq!(code_or_signal(exit.status), Ok(7));
        assert_eq!(exit.stderr.len(), STDERR_BYTES_MAX);
        assert!(exit.stderr.starts_with(b"e0\ne1\ne2\n"));
    }

    #[test]
    fn a_child_that_reads_nothing_ends_the_run() {
        let (stop, _running) = io::pipe().unwrap();
        let exit = run(shell("exit 3"), &vec![0; 1 << 20], &stop).unwrap();
        assert_eq!(code_or_signal(exit.status), Ok(3));
    }

    #[test]
    fn closing_the_stop_pipe_ends_the_whole_group() {
        let (stop, running) = io::pipe().unwrap();
        let thread = std::thread::spawn(move || run(shell("sleep 1000 & wait"), b"", &stop));
        drop(running);
        let exit = thread.join().unwrap().unwrap();
        assert_eq!(code_or_signal(exit.status), Err(libc::SIGTERM));
    }

    #[test]
    fn one_that_is_not_needed_is_gone_with_all_that_it_started() {
        // As the first process of a container has.
        // SAFETY: no pointers are involved.
        #[allow(unsafe_code)]
        let set = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
        assert_eq!(set, 0);
        let mut started = Started::new(shell("sleep 1000 & echo; wait")).unwrap();
        // It has started the other one by then.
        let (_stdin, stdout, _stderr) = started.group.pipes();
        stdout.unwrap().read_exact(&mut [0]).unwrap();
        let group = i32::try_from(started.group.id()).unwrap();
        assert!(!started.has_ended());
        drop(started);
        assert_eq!(killpg(Pid::from_raw(group), None), Err(nix::errno::Errno::ESRCH));
    }

    #[test]
    fn a_process_left_behind_with_our_pipes_does_not_hold_the_run_up() {
        let (stop, _running) = io::pipe().unwrap();
        for holds in ["", ">/dev/null", "2>/dev/null"] {
            let exit = run(shell(&format!("sleep 1000 {holds} & echo $! >&2; exit 5")), b"", &stop)
                .unwrap();
            assert_eq!(code_or_signal(exit.status), Ok(5), "{holds}");
            let left = String::from_utf8(exit.stderr).unwrap().trim().parse().unwrap();
            nix::sys::signal::kill(Pid::from_raw(left), Signal::SIGKILL).unwrap();
        }
    }

    #[test]
    fn what_goes_to_standard_output_is_dropped_and_its_end_ends_nothing_else() {
        let (stop, _running) = io::pipe().unwrap();
        let script = "head -c 1000000 /dev/zero; exec >/dev/null; sleep 0.3; echo last >&2; exit 6";
        let exit = run(shell(script), b"", &stop).unwrap();
        assert_eq!(code_or_signal(exit.status), Ok(6));
        assert_eq!(exit.stderr, b"last\n");
    }

    #[test]
    fn everything_that_was_said_before_the_end_is_heard() {
        let (stop, _running) = io::pipe().unwrap();
        let (mut bytes, script) = (0, "head -c 60000 /dev/zero; exit 4");
        // All is said before the second piece is read.
        let slow = &mut |said: &[u8]| {
            std::thread::sleep(Duration::from_millis(if bytes == 0 { 200 } else { 0 }));
            bytes += said.len();
        };
        let exit = run_heard(shell(script), b"", &stop, slow).unwrap();
        assert_eq!(code_or_signal(exit.status), Ok(4));
        assert_eq!(bytes, 60_000);
    }

    #[test]
    fn a_connection_of_its_own_does_not_wait_for_acknowledgements() {
        use crate::sys::connection::tests::{connection, connects, is_quick, wait};
        let (stop, running) = io::pipe().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let started = Started::new(connects(&listener, "exec sleep 1000")).unwrap();
        let (near, _far) = connection(started.group.id(), &listener);
        wait(&near);
        let feed = move || started.over_tcp(true).feed(b"", &stop, &mut |_| ());
        let run = std::thread::spawn(feed);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_quick(&near) {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(running);
        assert_eq!(code_or_signal(run.join().unwrap().unwrap().status), Err(libc::SIGTERM));
    }

    #[test]
    fn a_connection_is_broken_off_by_who_has_not_heard_the_last_word() {
        use crate::sys::connection::tests::{connection, connects, is_quick, wait, NUMBER};
        use std::net::{Shutdown, TcpListener};
        let ends = |code: i32| {
            let (stop, _running) = io::pipe().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let then = format!("read -n 1 -u {NUMBER}; exit {code}");
            let started = Started::new(connects(&listener, &then)).unwrap();
            let (near, mut far) = connection(started.group.id(), &listener);
            wait(&near);
            let feed = move || started.over_tcp(true).feed(b"", &stop, &mut |_| ());
            let run = std::thread::spawn(feed);
            let deadline = Instant::now() + Duration::from_secs(30);
            // From then on the run holds the connection as well.
            while !is_quick(&near) {
                assert!(Instant::now() < deadline);
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(near);
            far.write_all(b"x").unwrap();
            assert_eq!(code_or_signal(run.join().unwrap().unwrap().status), Ok(code));
            let read = far.read(&mut [0]);
            let _ = far.shutdown(Shutdown::Both);
            read.map_err(|error| error.kind())
        };
        for code in [0, 23, 24, 25] {
            assert_eq!(ends(code), Ok(0), "{code}");
        }
        for code in [1, 10, 12, 20, 30] {
            assert_eq!(ends(code), Err(ErrorKind::ConnectionReset), "{code}");
        }
    }

    #[test]
    fn silence_is_heard() {
        let (stop, running) = io::pipe().unwrap();
        let mut running = Some(running);
        let exit = run_heard(shell("exec sleep 1000"), b"", &stop, &mut |said| {
            assert_eq!(said, b"");
            running = None;
        });
        let exit = exit.unwrap();
        assert_eq!(code_or_signal(exit.status), Err(libc::SIGTERM));
    }

    #[test]
    fn what_has_said_its_last_word_and_does_not_end_is_ended() {
        let (stop, _running) = io::pipe().unwrap();
        let says = "echo 'rsync: write failed' >&2; echo 'rsync error: file IO (code 11)' >&2";
        let exit = run(shell(&format!("{says}; exec sleep 1000")), b"", &stop).unwrap();
        assert_eq!(code_or_signal(exit.status), Err(libc::SIGTERM));
        assert!(exit.stderr.ends_with(b"(code 11)\n"));
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let (stop, _running) = io::pipe().unwrap();
        let error = run(Command::new("/nowhere/rsync"), b"", &stop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn pieces_end_between_two_paths() {
        let long = vec![b'x'; PIECE_BYTES_MAX - 10];
        let list = [&long[..], b"\0./second path\0./third\0"].concat();
        assert_eq!(piece(&list).len(), long.len() + 1);
        assert_eq!(piece(&list[long.len() + 1..]), b"./second path\0./third\0");
    }
}
