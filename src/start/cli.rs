//! The command line.
//!
//! Owns the options, their help, and what is wrong with them; `chinese` has the same in Chinese. The original
//! reads options with getopt, and guides everywhere write them in clusters (`-dro FILE`), while argh reads one
//! option from each word. So [`plain_words`] takes clusters apart first. Pure: it prints nothing and does not
//! exit; `main` does.

mod chinese;

use crate::config::language::Language;
use crate::config::terminal::harmless;
use crate::config::PluginKind;
use crate::run::control::Request;
use argh::FromArgs;
use log::LevelFilter;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The configuration file that is read without `-o`, in the working directory.
pub const CONFIG_DEFAULT: &str = "confxml.xml";
/// How many rsync processes run at a time without `-n`, as in the original.
pub const WORKERS_DEFAULT: usize = 10;
/// The most that `-n` can ask for: each worker is a thread and an rsync process beside it.
pub const WORKERS_MAX: usize = 1000;
/// The long options that take the next word as their value, whatever it looks like.
const LONG_WITH_VALUE: [&str; 6] =
    ["config", "workers", "plugin", "pid-file", "log-file", "log-level"];

/// What is said of commands that cannot be one.
const NOT_TOGETHER: &str =
    "--check, --dry-run, --status, --reload and --confirm-deletions do not go together";

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// To sync.
    Run(Options),
    /// `--check`: to know whether a run with these options would start.
    Check(Options),
    /// `--dry-run`: to know what a full sync would change.
    DryRun(Options),
    /// `--status`: to know how a running instance is.
    Status(StatusView),
    /// To ask a running instance for something.
    Ask(PathBuf, Request),
    /// To read [`help`].
    Help,
    /// To read [`version`].
    Version,
}

/// How to sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `-r`, `--full-sync`: push everything once.
    pub full_sync: bool,
    /// `-d`, `--daemon`: run in the background.
    pub background: bool,
    /// `-o`, `--config`: the configuration file.
    pub config: PathBuf,
    /// `-n`, `--workers`: the most rsync processes at a time, from 1 to [`WORKERS_MAX`].
    pub workers: usize,
    /// `-m NAME`, `--plugin NAME`: run only this plugin, and no rsync.
    pub plugin_only: Option<PluginKind>,
    /// `-m` alone, `--without-modify`: as if `modify` and `closeWrite` were off.
    pub without_modify: bool,
    /// `--pid-file`: where the process number is written.
    pub pid_file: Option<PathBuf>,
    /// `--log-file`: where the log goes; without it, to standard error.
    pub log_file: Option<PathBuf>,
    /// `--log-level`: what is logged; without it, the configuration's `debug` says.
    pub log_level: Option<LevelFilter>,
}

/// How the state of a running instance is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusView {
    /// `-o`, `--config`: the configuration file of the instance.
    pub config: PathBuf,
    /// `--json`: for programs.
    pub json: bool,
    /// `--watch`: again and again, until the user ends it.
    pub watch: bool,
}

/// Why the command line cannot be followed: one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    text: String,
}

impl Error {
    fn new(text: &str) -> Error {
        // argh ends some of its sentences and others not.
        Error { text: text.trim_end().trim_end_matches('.').into() }
    }

    /// The line in a language.
    pub fn in_language(&self, language: Language) -> String {
        match language {
            Language::English => self.to_string(),
            Language::Chinese => chinese::error(&self.text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; sersync --help lists the options", self.text)
    }
}

impl std::error::Error for Error {}

/// Keeps remote directories equal to local ones, in real time, with inotify and rsync.
#[derive(FromArgs)]
#[argh(
    name = "sersync",
    usage = "[-r] [-d] [-o <file>] [-n <number>] [-m [<name>]] [--log-file <file>] [...]",
    help_triggers("-h", "--help"),
    example = "{command_name} -dro /etc/sersync/confxml.xml",
    note = "Letters can be joined, as in -dro FILE. The configuration is explained in \
            conf/confxml.xml."
)]
struct Written {
    /// push everything once before watching
    #[argh(switch, short = 'r')]
    full_sync: bool,

    /// run in the background
    #[argh(switch, short = 'd')]
    daemon: bool,

    /// the configuration file (confxml.xml)
    #[argh(option, short = 'o', arg_name = "file", from_str_fn(some_file))]
    config: Vec<PathBuf>,

    /// the most rsync processes at a time (10)
    #[argh(option, short = 'n', arg_name = "number", from_str_fn(workers))]
    workers: Vec<usize>,

    /// run only a plugin, and no rsync: refreshCDN, socket, http or command
    #[argh(option, short = 'm', arg_name = "name", from_str_fn(plugin))]
    plugin: Vec<PluginKind>,

    /// do not sync files that are only written to; -m without a name is the same
    #[argh(switch)]
    without_modify: bool,

    /// write the process number into this file while the program runs
    #[argh(option, arg_name = "file", from_str_fn(some_file))]
    pid_file: Vec<PathBuf>,

    /// write the log into this file; SIGHUP opens it again
    #[argh(option, arg_name = "file", from_str_fn(some_file))]
    log_file: Vec<PathBuf>,

    /// what is logged: error, warn, info, debug or trace (info)
    #[argh(option, arg_name = "level", from_str_fn(log_level))]
    log_level: Vec<LevelFilter>,

    /// see whether everything is ready for a start, and end
    #[argh(switch)]
    check: bool,

    /// show what a full sync would change, and change nothing
    #[argh(switch)]
    dry_run: bool,

    /// show how the running program is, and end
    #[argh(switch)]
    status: bool,

    /// have the running program read its configuration again, and say what came of it
    #[argh(switch)]
    reload: bool,

    /// let the deletions go ahead that wait for a yes: --status shows how many do
    #[argh(switch)]
    confirm_deletions: bool,

    /// with --status: for programs
    #[argh(switch)]
    json: bool,

    /// with --status: show it again and again
    #[argh(switch)]
    watch: bool,

    /// print version, target and build time
    #[argh(switch)]
    version: bool,
}

/// Reads the words behind the program's name. An option that is given again counts the last time.
///
/// # Errors
/// An unknown option, a value that is missing or makes no sense.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, Error> {
    let Some(words) = plain_words(args.into_iter().map(|word| chars_of(&word))) else {
        return Ok(Invocation::Help);
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let written = Written::from_args(&["sersync"], &words);
    written.map_err(|exit| Error::new(&one_line(&exit))).and_then(Written::invocation)
}

impl Written {
    fn invocation(self) -> Result<Invocation, Error> {
        if self.version {
            return Ok(Invocation::Version);
        }
        if !self.status && (self.json || self.watch) {
            return Err(Error::new("--json and --watch go with --status"));
        }
        let request = match (self.reload, self.confirm_deletions) {
            (false, false) => None,
            (true, false) => Some(Request::Reload),
            (false, true) => Some(Request::ConfirmDeletions),
            (true, true) => return Err(Error::new(NOT_TOGETHER)),
        };
        match (self.status, self.check, self.dry_run, request) {
            (false, false, false, None) => Ok(Invocation::Run(self.options())),
            (false, true, false, None) => Ok(Invocation::Check(self.options())),
            (false, false, true, None) => Ok(Invocation::DryRun(self.options())),
            (true, false, false, None) => {
                let (json, watch) = (self.json, self.watch);
                Ok(Invocation::Status(StatusView { config: self.options().config, json, watch }))
            }
            (false, false, false, Some(request)) => {
                Ok(Invocation::Ask(self.options().config, request))
            }
            _ => Err(Error::new(NOT_TOGETHER)),
        }
    }

    fn options(mut self) -> Options {
        Options {
            // A plugin that runs alone pushes nothing.
            full_sync: self.full_sync && self.plugin.is_empty(),
            background: self.daemon,
            config: self.config.pop().unwrap_or_else(|| CONFIG_DEFAULT.into()),
            workers: self.workers.pop().unwrap_or(WORKERS_DEFAULT),
            plugin_only: self.plugin.pop(),
            without_modify: self.without_modify,
            pid_file: self.pid_file.pop(),
            log_file: self.log_file.pop(),
            log_level: self.log_level.pop(),
        }
    }
}

/// What `--help` prints.
pub fn help(language: Language) -> String {
    match (language, Written::from_args(&["sersync"], &["--help"])) {
        (Language::Chinese, _) => chinese::HELP.into(),
        (Language::English, Err(exit)) => exit.output,
        (Language::English, Ok(_)) => String::new(),
    }
}

/// Version, target, and when it was built.
pub const BUILD: &str = concat!(
    "sersync ",
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("SERSYNC_TARGET"),
    ", built ",
    env!("SERSYNC_BUILD_TIME"),
    ")"
);

/// What `--version` prints.
pub fn version() -> String {
    format!("{BUILD}\n")
}

/// Brings getopt's ways of writing options into the one that argh knows: each option a word, and
/// its value the next word. `None` if help is asked for.
fn plain_words(words: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let mut plain = Vec::new();
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            if name == "help" {
                return None;
            }
            let takes_value = LONG_WITH_VALUE.contains(&name);
            plain.push(format!("--{name}"));
            plain.extend(value.or_else(|| words.next_if(|_| takes_value)));
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            cluster(letters, &mut words, &mut plain)?;
        } else {
            plain.push(word);
        }
    }
    Some(plain)
}

/// Takes `dro` apart. A letter with a value takes the rest of the word, or else the next word.
fn cluster(
    letters: &str,
    words: &mut std::iter::Peekable<impl Iterator<Item = String>>,
    plain: &mut Vec<String>,
) -> Option<()> {
    for (index, letter) in letters.char_indices() {
        let rest = &letters[index + letter.len_utf8()..];
        match letter {
            'h' => return None,
            // COMPAT: one guide writes -m without a name, for "do not watch modifications".
            'm' if rest.is_empty() && words.peek().is_none_or(|next| next.starts_with('-')) => {
                plain.push("--without-modify".into());
            }
            'o' | 'n' | 'm' => {
                plain.push(format!("-{letter}"));
                plain.extend(if rest.is_empty() { words.next() } else { Some(rest.to_owned()) });
                return Some(());
            }
            // Switches, and what argh will refuse as unknown.
            _ => plain.push(format!("-{letter}")),
        }
    }
    Some(())
}

/// argh takes characters, and a path is bytes. So every byte is handed in as one character, and [`bytes_of`]
/// makes bytes of them again.
fn chars_of(word: &OsString) -> String {
    word.as_bytes().iter().map(|&byte| char::from(byte)).collect()
}

fn bytes_of(chars: &str) -> Vec<u8> {
    chars.chars().filter_map(|c| u8::try_from(c).ok()).collect()
}

fn one_line(exit: &argh::EarlyExit) -> String {
    let text = String::from_utf8_lossy(&bytes_of(exit.output.trim())).into_owned();
    harmless(&text.lines().collect::<Vec<_>>().join(" "))
}

fn some_file(chars: &str) -> Result<PathBuf, String> {
    match chars {
        "" => Err("expected the name of a file".into()),
        name => Ok(OsString::from_vec(bytes_of(name)).into()),
    }
}

fn workers(chars: &str) -> Result<usize, String> {
    let number = chars.trim().parse().ok().filter(|number| (1..=WORKERS_MAX).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {WORKERS_MAX}"))
}

fn log_level(chars: &str) -> Result<LevelFilter, String> {
    let levels = log::Level::iter().map(|level| level.to_level_filter());
    let level = levels.into_iter().find(|level| chars.eq_ignore_ascii_case(level.as_str()));
    level.ok_or_else(|| "expected one of error, warn, info, debug, trace".into())
}

fn plugin(chars: &str) -> Result<PluginKind, String> {
    let names = PluginKind::NAMES.map(|(name, _)| name).join(", ");
    PluginKind::from_name(chars).ok_or_else(|| format!("expected one of {names}"))
}

#[cfg(test)]
mod tests;
