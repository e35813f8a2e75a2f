//! Single changes while a crowd asks the status server without a pause: whether they have to wait for it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::document::Table;
use super::figures::{median, percentile, ratio, time, times};
use super::run::Run;
use super::session::{Session, Setting, PLAIN};
use super::system::{free_port, Unmeasurable};
use super::tool::Tool;

/// The number of clients: as many as the server takes at a time.
pub const CLIENTS: usize = 32;
/// The goal for the median while they ask, against the median when nobody does.
const ASKED_RATIO_MAX: f64 = 1.2;
/// So many changes are made without the clients, then as many with them, and so on: whatever else the machine does
/// meets both.
const IN_A_ROW: usize = 5;
const CHANGED: &str = "changed";
/// The least length of the file, in bytes. It has another one each time.
const FILE_BYTES: usize = 1024;
/// A client that has had no answer for this time begins again.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// What the clients ask for, in turn: the page, and what the page and Prometheus read.
const PATHS: [&str; 3] = ["/status.json", "/metrics", "/"];

/// Measures all of it, as a table.
pub fn table(run: &Run) -> Result<Table, Unmeasurable> {
    run.time_left()?;
    run.says("one change while many look at the status: sersync");
    let port = free_port()?;
    let setting = Setting { status_port: port, ..PLAIN };
    let mut session = Session::start(Tool::Sersync, &setting, |_| Ok(()))?;
    let mut length = FILE_BYTES;
    let mut some_changes = |into: &mut Vec<Duration>| -> Result<(), Unmeasurable> {
        for _ in 0..IN_A_ROW {
            length += 1;
            into.push(session.change(CHANGED, &vec![b'c'; length])?);
        }
        Ok(())
    };
    let (mut alone, mut asked) = (Vec::new(), Vec::new());
    let answers = AtomicUsize::new(0);
    let mut asked_for = Duration::ZERO;
    while alone.len() < run.scale.changes {
        some_changes(&mut alone)?;
        let began = Instant::now();
        while_asking(port, &answers, || some_changes(&mut asked))?;
        asked_for += began.elapsed();
    }
    let answers = answers.into_inner();
    if answers == 0 {
        return Err(Unmeasurable("the status server never answered".to_string()));
    }
    Ok(filled(&alone, &asked, answers as f64 / asked_for.as_secs_f64()))
}

/// Does `work` while all clients ask; counts what they were answered.
fn while_asking<T>(port: u16, answers: &AtomicUsize, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (over, answers) = (&over, &answers);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // An error means that the server has closed the connection in favour of another client. The
                    // next connection is made.
                    let _ = ask(port, PATHS[client % PATHS.len()], over, answers);
                }
            });
        }
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    })
}

/// Asks on one connection until it is over: a request as soon as there is an answer to the last one.
fn ask(port: u16, path: &str, over: &AtomicBool, answers: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = [0; 64 * 1024];
    while !over.load(Ordering::Relaxed) {
        stream.write_all(request.as_bytes())?;
        // An answer is sent in one piece. What matters here is how many there are, not what they say.
        if stream.read(&mut answer)? == 0 {
            return Ok(());
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn filled(alone: &[Duration], asked: &[Duration], rate: f64) -> Table {
    let mut table = Table::new(&["", "median", "to alone", "99 of 100", "samples"]);
    let while_asked = format!("{CLIENTS} clients, {rate:.0} answers a second");
    for (name, latencies) in [("nobody looks", alone), (while_asked.as_str(), asked)] {
        table.row(&[
            name.to_string(),
            time(median(latencies)),
            times(ratio(median(latencies), median(alone))),
            time(percentile(latencies, 99)),
            latencies.len().to_string(),
        ]);
    }
    table.goal("median, to nobody looking", ratio(median(asked), median(alone)), ASKED_RATIO_MAX);
    table
}
