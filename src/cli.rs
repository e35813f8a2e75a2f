//! The command line.
//!
//! Owns the options and what is wrong with them. The original reads them with getopt, and guides
//! everywhere write its clusters (`-dro FILE`); argh reads one option a word. So [`plain_words`]
//! first takes clusters apart. Pure: prints nothing and does not exit; `main` calls it and does.

use crate::config::PluginKind;
use argh::FromArgs;
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

/// What the user wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// To sync.
    Run(Options),
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
}

/// Why the command line cannot be followed: one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    text: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // argh ends some of its sentences and others not.
        let text = self.text.trim_end().trim_end_matches('.');
        write!(f, "{text}; sersync --help lists the options")
    }
}

impl std::error::Error for Error {}

/// Keeps remote directories equal to local ones, in real time, with inotify and rsync.
#[derive(FromArgs)]
#[argh(
    name = "sersync",
    usage = "[-r] [-d] [-o <file>] [-n <number>] [-m [<name>]] [--version] [-h]",
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
    #[argh(option, short = 'o', arg_name = "file", from_str_fn(config_file))]
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
    let mut written =
        Written::from_args(&["sersync"], &words).map_err(|exit| Error { text: one_line(&exit) })?;
    if written.version {
        return Ok(Invocation::Version);
    }
    Ok(Invocation::Run(Options {
        // A plugin that runs alone pushes nothing.
        full_sync: written.full_sync && written.plugin.is_empty(),
        background: written.daemon,
        config: written.config.pop().unwrap_or_else(|| CONFIG_DEFAULT.into()),
        workers: written.workers.pop().unwrap_or(WORKERS_DEFAULT),
        plugin_only: written.plugin.pop(),
        without_modify: written.without_modify,
    }))
}

/// What `--help` prints.
pub fn help() -> String {
    match Written::from_args(&["sersync"], &["--help"]) {
        Err(exit) => exit.output,
        Ok(_) => String::new(),
    }
}

/// What `--version` prints: version, target, and when it was built.
pub fn version() -> String {
    format!(
        "sersync {} ({}, built {})\n",
        env!("CARGO_PKG_VERSION"),
        option_env!("SERSYNC_TARGET").unwrap_or("unknown target"),
        option_env!("SERSYNC_BUILD_TIME").unwrap_or("at an unknown time")
    )
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
            let takes_value = matches!(name, "config" | "workers" | "plugin");
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

/// argh wants characters, and a path is bytes: so every byte goes in as one character, and comes
/// out through [`bytes_of`].
fn chars_of(word: &OsString) -> String {
    word.as_bytes().iter().map(|&byte| char::from(byte)).collect()
}

fn bytes_of(chars: &str) -> Vec<u8> {
    chars.chars().filter_map(|c| u8::try_from(c).ok()).collect()
}

fn one_line(exit: &argh::EarlyExit) -> String {
    let text = String::from_utf8_lossy(&bytes_of(exit.output.trim())).into_owned();
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn config_file(chars: &str) -> Result<PathBuf, String> {
    match chars {
        "" => Err("expected the name of a file".into()),
        name => Ok(OsString::from_vec(bytes_of(name)).into()),
    }
}

fn workers(chars: &str) -> Result<usize, String> {
    let number = chars.trim().parse().ok().filter(|number| (1..=WORKERS_MAX).contains(number));
    number.ok_or_else(|| format!("expected a whole number from 1 to {WORKERS_MAX}"))
}

fn plugin(chars: &str) -> Result<PluginKind, String> {
    let names = PluginKind::NAMES.map(|(name, _)| name).join(", ");
    PluginKind::from_name(chars).ok_or_else(|| format!("expected one of {names}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn options() -> Options {
        Options {
            full_sync: false,
            background: false,
            config: "confxml.xml".into(),
            workers: 10,
            plugin_only: None,
            without_modify: false,
        }
    }

    #[test]
    fn what_guides_write_is_understood() {
        let daemon = Options { background: true, full_sync: true, ..options() };
        let with_file = Options { config: "/etc/c.xml".into(), ..daemon.clone() };
        let http = Some(PluginKind::Http);
        let cases = [
            ("", options()),
            ("-r", Options { full_sync: true, ..options() }),
            ("-d", Options { background: true, ..options() }),
            ("-rd", daemon.clone()),
            ("-d -r", daemon.clone()),
            ("-dd -r", daemon.clone()),
            ("--daemon --full-sync", daemon.clone()),
            ("-dro /etc/c.xml", with_file.clone()),
            ("-dro/etc/c.xml", with_file.clone()),
            ("-r -d -o /etc/c.xml", with_file.clone()),
            ("-o /etc/c.xml -rd", with_file.clone()),
            ("-o/etc/c.xml -rd", with_file.clone()),
            ("-o /a -rdo /etc/c.xml", with_file.clone()),
            ("--config /etc/c.xml -dr", with_file.clone()),
            ("--config=/etc/c.xml -dr", with_file),
            ("-o -r", Options { config: "-r".into(), ..options() }),
            ("--config -rd", Options { config: "-rd".into(), ..options() }),
            ("-n4", Options { workers: 4, ..options() }),
            ("-n 1000", Options { workers: 1000, ..options() }),
            ("--workers=1", Options { workers: 1, ..options() }),
            ("-d -m http", Options { background: true, plugin_only: http, ..options() }),
            ("-dm http", Options { background: true, plugin_only: http, ..options() }),
            ("-rm http", Options { plugin_only: http, ..options() }),
            ("-mhttp", Options { plugin_only: http, ..options() }),
            ("--plugin http", Options { plugin_only: http, ..options() }),
            (
                "-r -d -m -o x",
                Options { config: "x".into(), without_modify: true, ..daemon.clone() },
            ),
            ("-rdm", Options { without_modify: true, ..daemon }),
            ("--without-modify", Options { without_modify: true, ..options() }),
        ];
        for (line, expected) in cases {
            assert_eq!(parsed(line), Ok(Invocation::Run(expected)), "{line:?}");
        }
    }

    #[test]
    fn every_plugin_can_run_alone() {
        for (name, kind) in PluginKind::NAMES {
            let expected = Options { plugin_only: Some(kind), ..options() };
            assert_eq!(parsed(&format!("-m {name}")), Ok(Invocation::Run(expected)));
            assert_eq!(kind.name(), name);
        }
    }

    #[test]
    fn help_and_version_win() {
        for line in ["-h", "--help", "-dh", "-h -d", "-d -n 0 -h"] {
            assert_eq!(parsed(line), Ok(Invocation::Help), "{line}");
        }
        assert_eq!(parsed("-d --version"), Ok(Invocation::Version));
    }

    #[test]
    fn what_cannot_be_followed_is_one_clear_line() {
        let cases = [
            ("-x", "Unrecognized argument: -x;"),
            ("-dxr", "Unrecognized argument: -x;"),
            ("--colour", "Unrecognized argument: --colour;"),
            ("-", "Unrecognized argument: -;"),
            ("start", "Unrecognized argument: start;"),
            ("-é", "Unrecognized argument: -"),
            ("-o", "No value provided for option '-o'"),
            ("-dro", "No value provided for option '-o'"),
            ("--config", "No value provided for option '--config'"),
            ("--config=", "Error parsing option '--config' with value '': expected the name"),
            ("-n 0", "Error parsing option '-n' with value '0': expected a whole number from 1 to"),
            ("-n 1001", "Error parsing option '-n' with value '1001': expected a whole number"),
            ("-n -5", "Error parsing option '-n' with value '-5': expected a whole number"),
            ("-n ten", "Error parsing option '-n' with value 'ten': expected a whole number"),
            ("-n", "No value provided for option '-n'"),
            ("-m cdn", "Error parsing option '-m' with value 'cdn': expected one of refreshCDN, s"),
            ("-m 数", "Error parsing option '-m' with value '数': expected one of"),
        ];
        for (line, expected) in cases {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{line:?}: {error}");
            assert!(error.ends_with("; sersync --help lists the options"), "{error}");
            assert!(!error.contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn a_path_keeps_its_bytes() {
        for bytes in [b"/\xff\xfe.xml".as_slice(), "/数据.xml".as_bytes(), b"/a=b -c"] {
            let path = OsString::from_vec(bytes.to_vec());
            let joined = |start: &str| OsString::from_vec([start.as_bytes(), bytes].concat());
            let lines =
                [vec!["-o".into(), path.clone()], vec![joined("-o")], vec![joined("--config=")]];
            for line in lines {
                let expected = Options { config: path.clone().into(), ..options() };
                assert_eq!(parse(line), Ok(Invocation::Run(expected)), "{bytes:?}");
            }
        }
    }

    #[test]
    fn help_names_every_option() {
        let help = help();
        for option in ["-r, --full-sync", "-d, --daemon", "-o, --config", "-n, --workers"] {
            assert!(help.contains(option), "{option} in\n{help}");
        }
        for option in ["-m, --plugin", "--without-modify", "--version", "-h, --help"] {
            assert!(help.contains(option), "{option} in\n{help}");
        }
    }

    #[test]
    fn version_says_what_was_built_and_when() {
        let version = version();
        let expected = regex_lite::Regex::new(
            r"\Asersync 3\.\d+\.\d+ \(\w+-[\w-]+, built \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)\n\z",
        );
        assert!(expected.unwrap().is_match(&version), "{version}");
    }
}
