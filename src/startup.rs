//! What is looked at before anything starts: the system, against what the user configured.
//!
//! Every fault is one line that says what to do, and ends the start; `main` prints it. The
//! configuration itself has been checked by then.

use crate::cli::Options;
use crate::config::{Config, EmptyRoot, Error as ConfigError, Events, Root, FILE_BYTES_MAX};
use crate::engine::filter::Filter;
use crate::event_loop::Setup;
use crate::rsync::capability::Capability;
use crate::rsync::pattern;
use crate::rsync::plan::Deletes;
use crate::ssh;
use crate::state::beside;
use crate::sys::lock::{Error as LockError, Lock};
use crate::worker::{is_empty, Excludes, Footing, Route, RSYNC};
use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// rsync refuses a password file that others than its owner can touch.
const OTHERS: u32 = 0o007;

/// Why nothing was started: one line.
#[derive(Debug)]
pub enum Error {
    /// The configuration file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// What is in it cannot be used.
    Config(ConfigError),
    /// Something is asked for that this version does not have.
    NotThere(&'static str),
    /// rsync cannot be run, or gives no version.
    NoRsync(String),
    /// An expression does not compile.
    Expression(String),
    /// Another instance runs with the configuration, or that cannot be found out.
    Locked(LockError),
}

impl Error {
    /// What the process ends with: 3 if another instance runs, 1 for everything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Locked(LockError::Running(..)) => 3,
            Error::Locked(LockError::Refused(_) | LockError::Unlockable(_))
            | Error::Unreadable(..)
            | Error::Config(_)
            | Error::NotThere(_)
            | Error::NoRsync(_)
            | Error::Expression(_) => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreadable(file, error) => write!(
                f,
                "{}: cannot read the configuration: {error}; name it with -o FILE",
                file.display()
            ),
            Error::Config(error) => error.fmt(f),
            Error::NotThere(what) => f.write_str(what),
            Error::NoRsync(what) => {
                write!(f, "{what}; install rsync, or put it into a directory of PATH")
            }
            Error::Expression(what) => f.write_str(what),
            Error::Locked(error) => error.fmt(f),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Error::Config(error)
    }
}

/// Reads the configuration file.
///
/// # Errors
/// It cannot be read, is too large, or cannot be used.
pub fn read_config(file: &Path) -> Result<Config, Error> {
    let unreadable = |error| Error::Unreadable(file.into(), error);
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than is allowed, for the reader to see that it is too large.
    opened.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Config::parse(file, &bytes)?)
}

/// Keeps a second instance from running with the same configuration, for as long as the lock lives.
///
/// # Errors
/// There is one already, or nothing can be locked.
pub fn lock(config: &Config) -> Result<Lock, Error> {
    // One file has many names; the lock is for the file.
    let resolved = config.file.canonicalize();
    let resolved = resolved.map_err(|error| Error::Unreadable(config.file.clone(), error))?;
    Lock::take(&resolved, &beside(&config.fail_log.path, &resolved, "lock")).map_err(Error::Locked)
}

/// Looks at everything that a run needs.
///
/// # Errors
/// The first thing that is missing or wrong.
pub fn prepare(options: &Options, mut config: Config) -> Result<Setup, Error> {
    not_there_yet(options)?;
    for root in &config.roots {
        check_root(&config, root)?;
    }
    check_password_file(&config)?;
    let local = local_rsync()?;
    let ssh_client = ssh::sharing_client(&mut config);
    let filter = Arc::new(Filter::new(&config.filter).map_err(Error::Expression)?);
    let mut routes = Vec::new();
    for root in &config.roots {
        routes.extend(routes_of(root, &config, local, &filter)?);
    }
    let mut events = config.events;
    if options.without_modify {
        (events.modify, events.close_write) = (false, false);
    }
    // Without either, several sources may push into one module: a full sync must not delete what the
    // others have there.
    let mirror = events.delete && (options.full_sync || config.crontab.is_some());
    let halts = mirror && config.safety.empty_root == EmptyRoot::Halt;
    Ok(Setup {
        empty: config.roots.iter().map(|root| halts && is_empty(&root.watch)).collect(),
        full_sync: options.full_sync,
        workers: options.workers,
        events,
        deletes: deletes(events, local),
        mirror,
        filter,
        routes,
        ssh_client,
        config,
        ready: Box::new(|| ()),
    })
}

fn not_there_yet(options: &Options) -> Result<(), Error> {
    if options.background {
        return Err(Error::NotThere(
            "-d: running in the background is not there yet; leave it out and start with \
             `nohup sersync ... > log 2>&1 &`",
        ));
    }
    if options.plugin_only.is_some() {
        return Err(Error::NotThere("-m NAME: plugins are not there yet"));
    }
    Ok(())
}

/// What the configuration asks for and this version does not have, to be said at start.
pub fn missing_features(config: &Config) -> Vec<String> {
    let mut missing = vec!["host: the status page is not there yet".to_string()];
    if config.plugin.is_some() {
        missing.push("plugin: plugins are not there yet; none is run".to_string());
    }
    missing
}

fn check_root(config: &Config, root: &Root) -> Result<(), Error> {
    let what = match std::fs::metadata(&root.watch) {
        Ok(found) if found.is_dir() => match std::fs::read_dir(&root.watch) {
            Ok(_) => return Ok(()),
            Err(error) => format!("cannot be read: {error}"),
        },
        Ok(_) => "is not a directory".to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_string(),
        Err(error) => format!("cannot be looked at: {error}"),
    };
    let text = format!(
        "watch=\"{}\" {what}; make the directory, or name the one that is meant",
        root.watch.display()
    );
    Err(config.fault(root.written, text).into())
}

fn check_password_file(config: &Config) -> Result<(), Error> {
    let rsync = &config.rsync;
    let Some(file) = &rsync.password_file else { return Ok(()) };
    let what = match std::fs::metadata(file) {
        Err(error) => format!("cannot be read: {error}; write the password alone into it"),
        Ok(found) if !found.is_file() => "is not a file; name the file with the password".into(),
        Ok(found) if found.permissions().mode() & OTHERS != 0 => format!(
            "can be read by others (mode {:04o}), which rsync refuses; run: chmod 600 {}",
            found.permissions().mode() & 0o7777,
            file.display()
        ),
        Ok(_) => return Ok(()),
    };
    let text = format!("passwordfile=\"{}\" {what}", file.display());
    Err(config.fault(rsync.password_file_written, text).into())
}

fn local_rsync() -> Result<Capability, Error> {
    let output = Command::new(RSYNC).arg("--version").stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NoRsync("no rsync in PATH".into()));
        }
        Err(error) => return Err(Error::NoRsync(format!("cannot run rsync: {error}"))),
    };
    Capability::parse(&output.stdout)
        .ok_or_else(|| Error::NoRsync("`rsync --version` gives no version".into()))
}

fn deletes(events: Events, local: Capability) -> Deletes {
    match (events.delete, local.delete_missing_args()) {
        (false, _) => Deletes::Never,
        (true, true) => Deletes::Combined,
        (true, false) => Deletes::Portable,
    }
}

fn routes_of(
    root: &Root,
    config: &Config,
    local: Capability,
    filter: &Arc<Filter>,
) -> Result<Vec<Arc<Route>>, Error> {
    let footing = Footing::of(&root.watch).map_err(|error| {
        let text = format!("watch=\"{}\" is gone: {error}", root.watch.display());
        Error::from(config.fault(root.written, text))
    })?;
    let route = |remote: &crate::config::Remote| {
        Arc::new(Route {
            root: root.watch.clone(),
            footing,
            remote: remote.clone(),
            rsync: config.rsync.clone(),
            local,
            excludes: excludes(config, filter),
            connection: None,
        })
    };
    Ok(root.remotes.iter().map(route).collect())
}

fn excludes(config: &Config, filter: &Arc<Filter>) -> Excludes {
    let translated: Vec<_> =
        config.filter.excludes.iter().map(|expression| pattern::translate(expression)).collect();
    let one_by_one = translated.iter().any(Option::is_none).then(|| filter.clone());
    let scheduled = config.crontab.as_ref().map(|crontab| crontab.excludes.clone());
    Excludes {
        patterns: translated.into_iter().flatten().flatten().collect(),
        scheduled: scheduled.unwrap_or_default(),
        one_by_one,
    }
}
