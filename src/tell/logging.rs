//! The log: which lines are written, what each looks like, and where they go.
//!
//! simple_logger writes the lines; this adds what it has not: local time, colours, one line for a
//! warning that comes again and again, a log file that can be opened anew. `main` starts it, says
//! when the start is over and when the program ends; the event loop passes SIGHUP on. `sys::output`
//! makes sure that no write can fail or hold anybody up.

mod repeats;

use crate::sys::clock;
use crate::sys::output::{open_log, Output, LINE_BYTES_MAX};
use log::{Level, LevelFilter, Log, Metadata, Record};
use repeats::Repeats;
use simple_logger::SimpleLogger;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

/// So much of a message is written, in bytes; the level, the time and colours stand before it.
const MESSAGE_BYTES_MAX: usize = LINE_BYTES_MAX - 100;

/// The one log of this process.
static LOG: OnceLock<Logger> = OnceLock::new();

struct Logger {
    writer: SimpleLogger,
    output: Output,
    file: Option<PathBuf>,
    colours: bool,
    clock: Instant,
    /// Standard error is a terminal on which one line can be drawn again and again.
    terminal: bool,
    /// Held while lines are written, so that those of two threads do not mix.
    lines: Mutex<Lines>,
    /// Lines that were left out, because there was no room for them.
    lost: AtomicUsize,
    /// The same of standard output.
    unprinted: AtomicUsize,
    /// What finds no room on standard output is left out, and not waited for.
    prints_at_once: AtomicBool,
}

#[derive(Default)]
struct Lines {
    repeats: Repeats,
    /// What the terminal shows below the log; the cursor stands behind it.
    drawn: String,
    /// A line was drawn, and the terminal may not have got the bytes yet that wipe it off.
    has_drawn: bool,
}

/// The line that the cursor is in is emptied.
const WIPE: &str = "\r\x1b[K";

/// Starts the log; to be called once. Until [`settle`] its lines go to standard error, too, where
/// who starts the program sees them. What is logged is `log`'s own setting: warnings and more until
/// somebody sets another level.
///
/// # Errors
/// The log file cannot be opened, or there is no descriptor or thread left; a whole line.
pub fn start(file: Option<PathBuf>) -> Result<(), String> {
    let opened = file.as_deref().map(|path| {
        let hint = "name a file that can be written with --log-file";
        open_log(path)
            .map_err(|error| format!("{}: cannot be opened: {error}; {hint}", path.display()))
    });
    // A file gets no colours, even while a terminal gets the same lines.
    let colours = file.is_none() && io::stderr().is_terminal() && no_wish_against_colours();
    let output = Output::divert(opened.transpose()?, missing)
        .map_err(|error| format!("cannot write a log: {error}"))?;
    let smart = std::env::var_os("TERM").is_some_and(|name| name != "dumb");
    let terminal = file.is_none() && smart && output.is_in_foreground();
    let logger = LOG.get_or_init(|| Logger {
        writer: SimpleLogger::new(),
        output,
        file,
        colours,
        clock: Instant::now(),
        terminal,
        lines: Mutex::default(),
        lost: AtomicUsize::new(0),
        unprinted: AtomicUsize::new(0),
        prints_at_once: AtomicBool::new(false),
    });
    // It fails only if there is a logger already.
    let _ = log::set_logger(logger);
    log::set_max_level(LevelFilter::Warn);
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        logger.output.let_go();
        default(panic);
    }));
    Ok(())
}

/// The line in a log from which others are missing, as simple_logger writes it.
fn missing(lines: usize) -> String {
    format!("WARN  [{}] {}", clock::stamp(), missing_in_print(lines))
}

fn missing_in_print(lines: usize) -> String {
    format!("{lines} lines are missing here: they could not be written\n")
}

/// Which lines are written: what the command line says, otherwise by `debug` of the configuration.
pub fn follow(option: Option<LevelFilter>, debug: bool) {
    let level = if debug { LevelFilter::Debug } else { LevelFilter::Info };
    log::set_max_level(option.unwrap_or(level));
}

/// Everything is watched: who started the program has seen enough. What leads to a terminal is let
/// go in the background.
pub fn settle(background: bool) {
    let Some(logger) = LOG.get() else { return };
    if let Err(error) = logger.output.settle(background) {
        log::warn!("the log still goes to where the program was started: {error}");
    }
}

/// Opens the log file anew, after somebody has renamed it. If that fails, the old one stays.
pub fn reopen() {
    let Some((logger, path)) = LOG.get().and_then(|log| Some((log, log.file.as_deref()?))) else {
        log::info!("there is no log file to be opened again");
        return;
    };
    match open_log(path).and_then(|file| logger.output.change_log(&file)) {
        Ok(()) => log::info!("SIGHUP: the log goes on here"),
        Err(error) => {
            log::warn!("{}: cannot be opened again: {error}; the old log goes on", path.display());
        }
    }
}

/// What follows goes to whoever has started this process, and not to the log file, which belongs to
/// the instance that runs: cron may start the program every minute to see whether there is one.
pub fn leave_file() {
    let Some(logger) = LOG.get() else { return };
    if let Ok(nowhere) = OpenOptions::new().write(true).open("/dev/null") {
        // It stays in the file then.
        let _ = logger.output.change_log(&nowhere);
    }
}

/// The end: what is still on its way is written.
pub fn end() {
    let Some(logger) = LOG.get() else { return };
    let mut lines = logger.lines();
    let summaries = lines.repeats.end();
    logger.draw(&mut lines, "");
    summaries.iter().for_each(|(level, text)| logger.write(*level, text));
    drop(lines);
    logger.output.flush();
}

/// Whether there is a terminal on which a line could be drawn.
pub fn has_terminal() -> bool {
    LOG.get().is_some_and(|logger| logger.terminal)
}

/// Whether a line that is drawn is seen now. It is not while another program has the terminal.
pub fn draws() -> bool {
    LOG.get().is_some_and(|logger| logger.terminal && logger.output.is_in_foreground())
}

/// Draws a line below the log, in place of the one that was there; an empty one wipes it off.
pub fn draw(line: &str) {
    let Some(logger) = LOG.get() else { return };
    logger.draw(&mut logger.lines(), if draws() { line } else { "" });
}

/// The loop begins: from now on [`print`] never waits for whoever should read standard output. Where
/// many lines follow, a thread writes them, since a disk can hold up as well.
pub fn print_without_waiting(many: bool) {
    let Some(logger) = LOG.get() else { return };
    logger.prints_at_once.store(true, Ordering::Relaxed);
    if let Some(error) =
        many.then(|| logger.output.divert_printed(missing_in_print)).and_then(Result::err)
    {
        log::warn!(
            "what is printed has no thread of its own, and may hold the program up: {error}"
        );
    }
}

/// Writes to standard output; that nobody reads it is no reason to end.
pub fn print(bytes: &[u8]) {
    match LOG.get() {
        Some(logger) => logger.print(bytes),
        None => put(bytes),
    }
}

fn put(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes a line to standard error that is no line of the log: why the program ends.
pub fn complain(line: &str) {
    let _ = io::stderr().write_all(format!("sersync: {line}\n").as_bytes());
}

/// <https://no-color.org>
pub fn no_wish_against_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

impl Logger {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, lines: &mut Lines, line: &str) {
        if line != lines.drawn && self.output.has_room() {
            lines.drawn = line.into();
            lines.has_drawn |= !line.is_empty();
            self.raw(&format!("{WIPE}{}", uncontinued(line)));
        }
    }

    /// Writes something where the drawn line stands, and that one below it.
    fn above(&self, drawn: &str, write: impl FnOnce()) {
        if drawn.is_empty() {
            return write();
        }
        self.raw(WIPE);
        write();
        self.raw(&uncontinued(drawn));
    }

    /// Prints a line, or counts it where there is no room for it and nobody may wait.
    fn print(&self, bytes: &[u8]) {
        let lines = self.lines();
        if lines.has_drawn && self.output.prints_to_terminal() {
            // This takes the way that the drawn line took, so that the line is wiped off first:
            // written straight to the terminal, it would come before that.
            return self.above(&lines.drawn, || self.raw(&String::from_utf8_lossy(bytes)));
        }
        if !self.prints_at_once.load(Ordering::Relaxed) {
            return put(bytes);
        }
        let missing = self.unprinted.swap(0, Ordering::Relaxed);
        let said = match missing {
            0 => Vec::new(),
            missing => format!("{missing} lines are missing here: nobody read them\n").into_bytes(),
        };
        if self.output.has_room_to_print() {
            put(&[&said, bytes].concat());
        } else {
            self.unprinted.store(missing + 1, Ordering::Relaxed);
        }
    }

    /// Writes to standard error what is no line of the log.
    fn raw(&self, text: &str) {
        if self.output.has_room() {
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }

    /// Writes a line, or counts it where there is no room for it: whoever reads the log must not hold
    /// up the program.
    fn write(&self, level: Level, message: &str) {
        if !self.output.has_room() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.write(Level::Warn, &format!("{lost} lines are missing here: nobody read the log"));
        }
        let (start, end) = self.colour(level);
        let (time, message) = (clock::stamp(), cut(message));
        let args = format_args!("{start}{message}{end}");
        self.writer.log(&Record::builder().level(level).target(&time).args(args).build());
    }

    /// What a terminal shows a level with, and what ends that.
    fn colour(&self, level: Level) -> (&'static str, &'static str) {
        match level {
            _ if !self.colours => ("", ""),
            Level::Error => ("\x1b[31m", "\x1b[0m"),
            Level::Warn => ("\x1b[33m", "\x1b[0m"),
            Level::Info => ("", ""),
            Level::Debug | Level::Trace => ("\x1b[2m", "\x1b[0m"),
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        let message = record.args().to_string();
        let now_ms = self.clock.elapsed().as_millis() as u64;
        let mut lines = self.lines();
        let due = lines.repeats.message(record.level(), &message, now_ms);
        if due.summaries.is_empty() && !due.say {
            return;
        }
        self.above(&lines.drawn, || {
            due.summaries.iter().for_each(|(level, text)| self.write(*level, text));
            if due.say {
                self.write(record.level(), &message);
            }
        });
    }

    fn flush(&self) {}
}

/// A line that is too long for the terminal is cut off there, and not continued in the next one.
fn uncontinued(line: &str) -> String {
    if line.is_empty() {
        return String::new();
    }
    format!("\x1b[?7l{line}\x1b[?7h")
}

/// The message, or its beginning if it is too long.
fn cut(message: &str) -> String {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message.into();
    }
    let mut end = MESSAGE_BYTES_MAX;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}...", &message[..end])
}
