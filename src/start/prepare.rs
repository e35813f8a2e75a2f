//! What is looked at before anything starts: the system, against what the user configured.
//!
//! Every fault is one line that says what to do, and ends the start; `main` prints it. The
//! configuration itself has been checked by then.

use crate::config::language::Language;
use crate::config::{units, Config, Error as ConfigError, Hint, RemoteSettings};
use crate::config::{PluginKind, Position, Root, StandbyMode, Timetable, FILE_BYTES_MAX};
use crate::engine::sending::licence::Grants;
use crate::engine::sending::standing::Standing;
use crate::engine::sending::trust::Trust;
use crate::engine::watching::filter::Filter;
use crate::engine::Halt;
use crate::keep::faillog::place::Places;
use crate::keep::state::clock::{Clock, Moment};
use crate::keep::state::resume::Resume;
use crate::keep::state::store::{Error as StateError, Store};
use crate::keep::state::{beside, Kept, State};
use crate::rsync::asked::capability::Capability;
use crate::rsync::asked::licence::Way;
use crate::rsync::asked::only;
use crate::rsync::asked::pattern;
use crate::rsync::asked::route::RemoteRoute;
use crate::run::ground::{is_empty, Ground};
use crate::run::setup::{ReadAgain, Setup};
use crate::run::ssh;
use crate::run::worker::{Excludes, WorkerRemote, RSYNC};
use crate::start::cli::{Options, CONFIG_DEFAULT};
use crate::start::password_file::{self, Fault};
use crate::start::{destinations, own_files};
use crate::sys::clock;
use crate::sys::lock::{Error as LockError, Lock, Told};
use crate::sys::orphans;
use crate::tell::logging;
use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A start waits so long for an instance that is ending: it gives its running transfers seven seconds.
const ENDING_MAX: Duration = Duration::from_secs(15);
/// And so long for one that does not say so: the signal that asks it to end may not have got to it yet.
const SIGNAL_MAX: Duration = Duration::from_millis(500);
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Why nothing was started. Its `Display` is one line, in English; [`Error::told`] says more.
#[derive(Debug)]
pub enum Error {
    /// The configuration file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// What is in it cannot be used.
    Config(ConfigError),
    /// rsync cannot be run, or gives no version.
    NoRsync(String),
    /// There is no `/dev/null`, without which nothing can be started.
    NoNull,
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
            | Error::NoRsync(_)
            | Error::NoNull
            | Error::Expression(_) => 1,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreadable(file, error) => {
                f.write_str(&unreadable(file, error, Language::English))
            }
            Error::Config(error) => error.fmt(f),
            Error::NoRsync(what) => {
                write!(f, "{what}; install rsync, or put it into a directory of PATH")
            }
            Error::NoNull => f.write_str(
                "there is no /dev/null, without which no rsync can be started; make it with: \
                 mknod -m 666 /dev/null c 1 3",
            ),
            Error::Expression(what) => f.write_str(what),
            Error::Locked(error) => error.fmt(f),
        }
    }
}

impl Error {
    /// All there is to say, in one or more lines; what to do about the configuration in the user's
    /// language.
    pub fn told(&self, language: Language) -> String {
        match self {
            Error::Unreadable(file, error) => unreadable(file, error, language),
            Error::Config(error) => error.told(language),
            Error::NoRsync(_) | Error::NoNull | Error::Expression(_) | Error::Locked(_) => {
                self.to_string()
            }
        }
    }
}

/// The hint depends on the error: the user may have meant another file, a file in this directory, or may not
/// be allowed to read it.
fn unreadable(file: &Path, error: &io::Error, language: Language) -> String {
    let name = file.display();
    let hints = [
        (io::ErrorKind::NotFound, Hint::NAME_FILE),
        (io::ErrorKind::PermissionDenied, Hint::READABLE),
        (
            io::ErrorKind::IsADirectory,
            Hint::FILE_IN_DIRECTORY.with(file.join(CONFIG_DEFAULT).display().to_string()),
        ),
    ];
    let hint = hints.iter().find(|(kind, _)| *kind == error.kind());
    let hint = hint.map(|(_, hint)| format!("; {}", hint.say(language))).unwrap_or_default();
    format!("{name}: cannot read the configuration: {error}{hint}")
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Error::Config(error)
    }
}

/// Reads the configuration file. Relative paths, of the file and in it, start at `directory`: the
/// working directory of the start, which is not that of the process in the background.
///
/// # Errors
/// It cannot be read, is too large, or cannot be used.
pub fn read_config(file: &Path, directory: &Path) -> Result<Config, Error> {
    let unreadable = |error| Error::Unreadable(file.into(), error);
    let opened = std::fs::File::open(directory.join(file)).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than is allowed, for the reader to see that it is too large.
    opened.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    // Errors so far name the file as it was typed; from here on its path is absolute.
    let mut config = Config::parse(file, &bytes)?;
    config.file = directory.join(file);
    config.fail_log.path = directory.join(config.fail_log.path);
    for root in &mut config.roots {
        root.watch = directory.join(&root.watch);
        for to in &mut root.remotes {
            to.rsync.password_file = to.rsync.password_file.take().map(|file| directory.join(file));
        }
    }
    own_files::warn(&mut config);
    Ok(config)
}

/// Keeps a second instance from running with the same configuration, for as long as the lock lives.
///
/// # Errors
/// There is one already, or nothing can be locked.
// COMPAT: sersync had no lock, and guides restart it in one line, with `pkill sersync; sersync -d`: the old one is
// still ending when the new one starts.
pub fn lock(config: &Config) -> Result<Lock, Error> {
    let resolved = resolved(config)?;
    let beside = beside(&config.fail_log.path, &resolved, "lock");
    let begun = Instant::now();
    loop {
        match Lock::take(&resolved, &beside) {
            Err(LockError::Running(_, told)) if begun.elapsed() < patience(told) => {
                thread::sleep(LOCK_PAUSE);
            }
            taken => return taken.map_err(Error::Locked),
        }
    }
}

fn patience(told: Told) -> Duration {
    if told.is_ending {
        ENDING_MAX
    } else {
        SIGNAL_MAX
    }
}

/// What marks the runs of the instance that has the lock of this configuration.
///
/// # Errors
/// The configuration file is gone.
fn mark(config: &Config) -> Result<OsString, Error> {
    let resolved = resolved(config)?;
    Ok(orphans::mark(&resolved, &beside(&config.fail_log.path, &resolved, "lock")))
}

/// Where the instance that runs with this configuration can be asked.
///
/// # Errors
/// The configuration file is gone.
pub fn control(config: &Config) -> Result<PathBuf, Error> {
    Ok(beside(&config.fail_log.path, &resolved(config)?, "control"))
}

/// Where the fail log of the configuration that is at this resolved path is.
pub fn fail_log(config: &Config, resolved: &Path) -> Places {
    let configured = config.fail_log.path.clone();
    Places { aside: beside(&configured, resolved, "sh"), configured }
}

/// Looks at everything that a run needs, and gives what the loop is started with. The paths of the options
/// start at `here`.
///
/// # Errors
/// The first thing that is missing or wrong.
pub fn setup(options: &Options, mut config: Config, here: &Path) -> Result<Setup, Error> {
    if let Some(kind) = options.plugin_only {
        config.roots = roots_of_plugin(kind, &config)?;
    }
    let missing = missing_roots(&config)?;
    for root in &config.roots {
        check_password_files(&config, root)?;
    }
    let plugin = options.plugin_only.or(config.plugin);
    // A plugin that runs alone needs no rsync.
    let syncs = options.plugin_only.is_none();
    let local = if syncs { Some(local_rsync()?) } else { None };
    let mut events = config.events;
    if options.without_modify {
        (events.modify, events.close_write) = (false, false);
    }
    // Without -r or crontab several sources may push into one module, and a full sync must not delete what the
    // others have there.
    let mirror = syncs && events.delete && (options.full_sync || config.crontab.is_some());
    let mut faults = destinations::in_their_root(&config);
    if mirror {
        faults.extend(destinations::in_each_other(&config));
    }
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault.into());
    }
    let filter = Filter::new(&config.filter).map_err(Error::Expression)?;
    let config_path = resolved(&config)?;
    let of_root = |root: &Root| {
        let own = own_files::in_root(root, options, &config, &config_path, here);
        Arc::new(filter.of_root(root.watch.as_os_str().len(), own))
    };
    let filters: Vec<_> = config.roots.iter().map(of_root).collect();
    let mut clients = ssh::Clients::default();
    let mut remotes = Vec::new();
    if let Some(local) = local {
        for (root, filter) in config.roots.iter().zip(&filters) {
            remotes.extend(remotes_of(root, &config, local, filter, &mut clients)?);
        }
    }
    let halts = missing.into_iter().map(|is_missing| is_missing.then_some(Halt::Missing)).collect();
    let state = Store::of(&config_path, &config.fail_log.path);
    let control = control(&config)?;
    let fail_log = fail_log(&config, &config_path);
    Ok(Setup {
        fail_log,
        resumes: Vec::new(),
        away: Vec::new(),
        state,
        halts,
        full_sync: options.full_sync,
        workers: options.workers,
        events,
        grants: Grants::new(events.delete, mirror),
        way: way(local),
        filters,
        plugin,
        remotes,
        config,
        ready: Box::new(|| ()),
        control,
        lock: None,
        read_again: Rc::new(|| Ok(None)),
    })
}

/// Gives what reads the configuration again, with the options and in the directory of this start, and compares it
/// with the one that runs: at first `running`. It keeps the lock, which has to follow the configuration.
pub fn read_again(
    options: Options,
    directory: PathBuf,
    lock: Rc<RefCell<Lock>>,
    running: Config,
) -> ReadAgain {
    let place = resolved(&running).ok();
    let running = RefCell::new((running, place));
    let again = move || -> Result<Option<Setup>, Error> {
        let config = read_config(&options.config, &directory)?;
        let place = resolved(&config)?;
        let (is_same, warns_the_same) = {
            let (before, was_at) = &*running.borrow();
            let is_same = before.is_same(&config) && was_at.as_ref() == Some(&place);
            (is_same, before.warnings == config.warnings)
        };
        if !warns_the_same {
            warn(&config);
        }
        let another = match is_same {
            true => None,
            false => Some(setup(&options, config.clone(), &directory)?),
        };
        // Whoever edits a file often puts a new one in its place.
        let beside = beside(&config.fail_log.path, &place, "lock");
        lock.borrow_mut().follow(&place, &beside).map_err(Error::Locked)?;
        logging::follow(options.log_level, config.debug);
        running.replace((config, Some(place)));
        Ok(another)
    };
    Rc::new(move || again().map_err(|error| error.to_string()))
}

/// Says what the intervals mean: a number without a unit is minutes, and some guides call it seconds.
pub fn say_intervals(config: &Config) {
    let every = units::spoken(config.fail_log.every_s);
    log::info!("failLog: what does not get through is tried again every {every} at the latest");
    if let Some(Timetable::Every(seconds)) = config.crontab.as_ref().map(|it| &it.timetable) {
        log::info!("crontab: a full sync every {}", units::spoken(*seconds));
    }
}

/// Says what is odd in a configuration, and goes on.
pub fn warn(config: &Config) {
    for warning in &config.warnings {
        log::warn!("{}: {}", warning.position.in_file(&config.file), warning.text);
    }
}

/// Ends what an instance that was killed has left running, and finds out what the remotes have.
///
/// # Errors
/// The configuration file is gone.
pub fn resume(setup: &mut Setup) -> Result<(), Error> {
    let orphans = orphans::end(&mark(&setup.config)?);
    if orphans > 0 {
        log::warn!("ended {orphans} processes that were left by an instance before this one");
    }
    let mut state = setup.state.load();
    if let Ok(state) = &mut state {
        say_clock(state.set_right(Moment::now().as_ref()));
    }
    setup.resumes = resumes(setup, &state);
    let is_configured = |kept: &Kept| setup.remotes.iter().any(|remote| remote.is_of(kept));
    setup.away = state.map_or(Vec::new(), |state| state.away(is_configured));
    Ok(())
}

/// For each remote, where the last run of the program has ended.
fn resumes(setup: &Setup, state: &Result<State, StateError>) -> Vec<Resume> {
    let now_ns = clock::file_stamp_ns();
    let resumes = resumes_from(state.as_ref().ok(), setup, now_ns);
    for (remote, resume) in setup.remotes.iter().zip(&resumes) {
        say(&remote.route.name(), resume, setup, now_ns);
    }
    if let Err(error) = state {
        log::warn!("{error}; each of them gets a full sync");
    }
    resumes
}

/// For each remote, whether it may lose what nobody saw disappear. It changes nothing and says nothing.
pub fn trusts(setup: &Setup) -> Vec<Trust> {
    let resumes = resumes_from(setup.state.load().ok().as_ref(), setup, clock::file_stamp_ns());
    resumes.into_iter().map(|resume| resume.trust).collect()
}

fn resumes_from(state: Option<&State>, setup: &Setup, now_ns: u64) -> Vec<Resume> {
    let resume = |remote: &Arc<WorkerRemote>| {
        let root = &remote.route.root;
        let resume = match state {
            Some(state) => {
                let kept = state.of(root.as_os_str().as_bytes(), &remote.route.kept_as());
                Resume::from(kept, remote.shift_since(kept), now_ns, setup.full_sync)
            }
            None => Resume::with_full_sync(None),
        };
        match setup.grants.of_sweeps().covers_unseen() && remote.ground.is_some() && is_empty(root)
        {
            true => resume.with_empty_root(setup.config.safety.empty_root),
            false => resume,
        }
    };
    setup.remotes.iter().map(resume).collect()
}

fn say_clock(clock: Clock) {
    match clock {
        Clock::Right => {}
        Clock::PutBack(ns) => log::warn!(
            "the clock was put back by {} since the state was written; what has changed is looked for from that much \
             earlier",
            units::spoken(ns / 1_000_000_000)
        ),
        Clock::Unknown => log::warn!(
            "the clock was put back since the state was written, and the machine started again; it is not known what \
             the remotes have"
        ),
    }
}

fn say(remote: &str, resume: &Resume, setup: &Setup, now_ns: u64) {
    let looked_for = match (resume.standing, resume.why) {
        (Standing::Until(complete_ns), None) => {
            let ago = units::spoken((now_ns - complete_ns) / 1_000_000_000);
            format!("what has changed since the last run, {ago} ago, is looked for")
        }
        (Standing::Nothing | Standing::Until(_), Some(why)) => format!("{why}: a full sync"),
        (Standing::Nothing | Standing::From(_), _) => return,
    };
    let unknown = if setup.grants.of_sweeps().covers_unseen() || !setup.events.delete {
        ""
    } else {
        "; what was deleted while the program was not running is not known, and stays there (-r \
         deletes it)"
    };
    log::info!("{remote}: {looked_for}{unknown}");
}

/// The path of the configuration without symlinks: a file has many names, and there is one lock and one state
/// for the file.
///
/// # Errors
/// It is gone.
pub fn resolved(config: &Config) -> Result<PathBuf, Error> {
    let unreadable = |error| Error::Unreadable(config.file.clone(), error);
    config.file.canonicalize().map_err(unreadable)
}

/// What a plugin that runs alone watches: its own directory, or for `command`, which has none, all
/// roots. Nothing of it is pushed anywhere.
///
/// # Errors
/// The configuration has no block for it.
pub fn roots_of_plugin(kind: PluginKind, config: &Config) -> Result<Vec<Root>, Error> {
    let name = kind.name();
    let Some(block) = config.plugin_block(kind) else {
        let text = format!(
            "found no <plugin name=\"{name}\"> behind </sersync>, which -m {name} needs; add that block"
        );
        return Err(config.fault(Position::default(), text).into());
    };
    let alone =
        |watch: &Path, position| Root { watch: watch.into(), remotes: Vec::new(), position };
    Ok(match block.watch() {
        Some(watch) => vec![alone(watch, Position::default())],
        None => config.roots.iter().map(|root| alone(&root.watch, root.position)).collect(),
    })
}

/// For each root, whether it is missing. It may be on a disk that is mounted later, so the others are synced
/// meanwhile.
///
/// # Errors
/// What is wrong with the first, if none can be watched.
fn missing_roots(config: &Config) -> Result<Vec<bool>, ConfigError> {
    let checked: Vec<_> = config.roots.iter().map(|root| check_root(config, root)).collect();
    let missing = checked.iter().map(Result::is_err).collect();
    if checked.iter().any(Result::is_ok) {
        return Ok(missing);
    }
    checked.into_iter().collect::<Result<(), _>>().map(|()| missing)
}

/// Whether a root can be watched.
///
/// # Errors
/// What is wrong with it.
pub fn check_root(config: &Config, root: &Root) -> Result<(), ConfigError> {
    let what = match std::fs::metadata(&root.watch) {
        Ok(found) if found.is_dir() => match std::fs::read_dir(&root.watch) {
            Ok(_) => return Ok(()),
            Err(error) => format!("cannot be read: {error}"),
        },
        Ok(_) => "is not a directory".to_string(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist".to_string(),
        Err(error) => format!("cannot be looked at: {error}"),
    };
    let text = format!("watch=\"{}\" {what}", root.watch.display());
    Err(config.fault(root.position, text).hint(Hint::MAKE_DIRECTORY))
}

fn check_password_files(config: &Config, root: &Root) -> Result<(), Error> {
    for to in &root.remotes {
        match check_password_file(config, to) {
            Ok(()) => {}
            Err(PasswordFault::Refused(fault)) => return Err(fault.into()),
            Err(PasswordFault::Odd(fault)) => log::warn!("{fault}"),
        }
    }
    Ok(())
}

/// What is wrong with a remote's password file.
#[derive(Debug)]
pub enum PasswordFault {
    /// No run could use it.
    Refused(ConfigError),
    /// It may not be what is meant.
    Odd(ConfigError),
}

/// Looks at the password file of a remote, if it has one.
///
/// # Errors
/// What is wrong with it.
pub fn check_password_file(config: &Config, to: &RemoteSettings) -> Result<(), PasswordFault> {
    let Some(file) = &to.rsync.password_file else { return Ok(()) };
    let fault = |text| {
        let text = format!("passwordfile=\"{}\" {text}", file.display());
        config.fault(to.rsync.password_file_position, text)
    };
    password_file::check(file, to.rsync.user.as_deref()).map_err(|found| match found {
        Fault::Refused(text, hint) => PasswordFault::Refused(fault(text).hint(hint)),
        Fault::Odd(text) => PasswordFault::Odd(fault(text)),
    })
}

/// The version of the rsync on this machine.
///
/// # Errors
/// There is none, or it cannot be run.
pub fn local_rsync() -> Result<Capability, Error> {
    let output = Command::new(RSYNC).arg("--version").stdin(Stdio::null()).output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !Path::new("/dev/null").exists() {
                return Err(Error::NoNull);
            }
            return Err(Error::NoRsync("no rsync in PATH".into()));
        }
        Err(error) => return Err(Error::NoRsync(format!("cannot run rsync: {error}"))),
    };
    Capability::parse(&output.stdout)
        .ok_or_else(|| Error::NoRsync("`rsync --version` gives no version".into()))
}

fn way(local: Option<Capability>) -> Way {
    match local.is_none_or(Capability::delete_missing_args) {
        true => Way::Combined,
        false => Way::Portable,
    }
}

fn remotes_of(
    root: &Root,
    config: &Config,
    local: Capability,
    filter: &Arc<Filter>,
    clients: &mut ssh::Clients,
) -> Result<Vec<Arc<WorkerRemote>>, Error> {
    let ground = Ground::of(&root.watch).ok();
    let mark = mark(config)?;
    let remote = |to: &RemoteSettings| {
        let mut rsync = to.rsync.clone();
        let ssh_client = clients.suit(&to.address, &mut rsync);
        let (watch, address) = (root.watch.clone(), to.address.clone());
        Arc::new(WorkerRemote {
            route: RemoteRoute { root: watch, address, rsync, local },
            ground: ground.clone(),
            excludes: excludes(config, filter),
            filters: filter.is_active(),
            mark: mark.clone(),
            ssh_client,
            mounted: Arc::default(),
            connection: None,
            standby: config.standby != StandbyMode::Off,
        })
    };
    Ok(root.remotes.iter().map(remote).collect())
}

fn excludes(config: &Config, filter: &Arc<Filter>) -> Excludes {
    let translated: Vec<_> =
        config.filter.excludes.iter().map(|expression| pattern::translate(expression)).collect();
    let one_by_one = translated.iter().any(Option::is_none).then(|| filter.clone());
    let scheduled = config.crontab.as_ref().map(|crontab| crontab.excludes.clone());
    let scheduled = scheduled.iter().flatten().map(|pattern| only::as_excluded(pattern)).collect();
    let own = filter.own().map(|file| only::hides(&pattern::literal(file, b"")));
    let hidden = translated.iter().flatten().flatten().map(|pattern| only::hides(pattern));
    Excludes { rules: hidden.chain(own).collect(), scheduled, one_by_one }
}
