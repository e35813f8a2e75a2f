//! What can be configured, as types.
//!
//! Owns the types, their defaults, and the names of the plugins. `read` fills them from a file; the other
//! wings read them.

use super::diagnosis::error::Error;
use super::diagnosis::problem::{Position, Problem};
use std::fmt;
use std::path::{Path, PathBuf};

/// Everything a configuration file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file as the user named it; error messages and the banner show it like that.
    pub file: PathBuf,
    /// `host hostip port`: where the status page listens.
    pub status: StatusAddress,
    /// `debug start`: a line for each inotify event and the full command of every run.
    pub debug: bool,
    /// `filter`: what is never synced.
    pub filter: FilterSettings,
    /// `inotify`: which events count.
    pub events: Events,
    /// `sersync/localpath`, in the order of the file; at least one.
    pub roots: Vec<Root>,
    /// `sersync/failLog`.
    pub fail_log: FailLog,
    /// `sersync/crontab`, if it is turned on.
    pub crontab: Option<CrontabSettings>,
    /// `sersync/plugin name`, if it is turned on: the plugin that runs after each sync.
    pub plugin: Option<PluginKind>,
    /// Every `plugin` block of the file.
    pub plugins: Vec<Plugin>,
    /// `sersync/batch` (an extension).
    pub batch: Batch,
    /// `sersync/standby` (an extension).
    pub standby: StandbyMode,
    /// `sersync/safety` (an extension).
    pub safety: Safety,
    /// `sersync/alert` (an extension), if there is one.
    pub alert: Option<AlertSettings>,
    /// What is odd but no error, in the order of the file: unknown elements and attributes, `-u` in
    /// `params`.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// An error about a place of this file, for what shows only when the system is looked at. What to do
    /// about it is added with [`Error::hint`].
    pub fn fault(&self, at: Position, text: String) -> Error {
        Error::new(&self.file, Problem::new(at, text))
    }

    /// Whether another one has the same meaning, wherever it says what, and whatever is odd in it.
    pub fn is_same(&self, other: &Config) -> bool {
        let plain = |config: &Config| Config { warnings: Vec::new(), ..config.clone() };
        plain(self) == plain(other)
    }

    /// Adds a warning about a place of the file.
    pub fn warn(&mut self, at: Position, text: String) {
        self.warnings.push(Problem::new(at, text));
    }

    /// The block that configures a plugin, if the file has one.
    pub fn plugin_block(&self, kind: PluginKind) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.kind() == kind)
    }
}

/// `host hostip="localhost" port="8008"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusAddress {
    /// A host name or an address.
    pub host: String,
    /// A TCP port; 0 for none.
    pub port: u16,
}

/// `filter`: regular expressions over paths relative to the root, each of which must match the
/// whole path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilterSettings {
    /// The expressions of `exclude`, which are known to compile; empty if `start` is false. They are
    /// matched with what [`decode`](super::text::decode) makes of a path: it turns bytes into characters
    /// as it did with the configuration's own.
    pub excludes: Vec<String>,
    /// `hidden="true"` (an extension): files whose name starts with a dot are left out, as sersync
    /// 2.5.4 always did. Counts whether or not `start` is true.
    pub hidden: bool,
}

/// `inotify`: which events count. The defaults are those of the official template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the elements' own.
pub struct Events {
    pub delete: bool,
    pub create_folder: bool,
    pub create_file: bool,
    pub close_write: bool,
    pub move_from: bool,
    pub move_to: bool,
    pub attrib: bool,
    pub modify: bool,
}

impl Default for Events {
    fn default() -> Self {
        Events {
            delete: true,
            create_folder: true,
            create_file: false,
            close_write: true,
            move_from: true,
            move_to: true,
            attrib: false,
            modify: false,
        }
    }
}

/// `localpath watch`: a directory tree that is watched, and where it is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The directory, without trailing slashes (but `/` itself stays).
    pub watch: PathBuf,
    /// At least one.
    pub remotes: Vec<RemoteSettings>,
    /// Where `watch` stands.
    pub position: Position,
}

/// `remote`: a place that a root is pushed to, and how rsync is called for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSettings {
    /// Where it is.
    pub address: Address,
    /// How rsync is called for it.
    pub rsync: Rsync,
    /// Where `ip` stands.
    pub position: Position,
}

/// Where a remote is, from `ip`, `name` and `ssh`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// An rsync daemon: `host::module`, or `host::module/below`.
    Daemon {
        /// Host name or address; an IPv6 address without its brackets.
        host: String,
        /// The module, with the path below it if one was written.
        module: Vec<u8>,
    },
    /// A directory on a host that is reached by SSH.
    Ssh {
        /// Host name or address; an IPv6 address without its brackets.
        host: String,
        /// The directory there.
        path: Vec<u8>,
    },
    /// A directory on this machine (`ip="local"`, an extension).
    Local {
        /// The directory.
        path: PathBuf,
    },
}

impl Address {
    /// The host on the other side; none if it is this machine.
    pub fn host(&self) -> Option<&str> {
        match self {
            Address::Daemon { host, .. } | Address::Ssh { host, .. } => Some(host),
            Address::Local { .. } => None,
        }
    }
}

/// How rsync is called for a remote: what `sersync/rsync` says, or else the remote itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rsync {
    /// `params`, split as a shell splits words. Blanks alone make no empty word.
    pub params: Vec<Vec<u8>>,
    /// `users`, if `auth` is on or the remote has its own.
    pub user: Option<String>,
    /// `passwordfile`, for an rsync daemon: a remote shell refuses it.
    pub password_file: Option<PathBuf>,
    /// Where `passwordfile` stands, if there is one.
    pub password_file_position: Position,
    /// The port of the rsync daemon, or of SSH.
    pub port: Option<u16>,
    /// `timeout time` in seconds, if it is on.
    pub timeout_s: Option<u32>,
}

/// `failLog path timeToExecute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailLog {
    /// The script with what is owed, as written: a relative path counts from the directory in which the
    /// program was started, as it did for sersync.
    pub path: PathBuf,
    /// How often what is owed is tried again, in seconds. In the file, a number without a unit is minutes.
    pub every_s: u64,
}

/// `crontab`: full syncs at certain times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrontabSettings {
    /// When.
    pub timetable: Timetable,
    /// `crontabfilter exclude`: rsync patterns; empty if `crontabfilter start` is false.
    pub excludes: Vec<Vec<u8>>,
}

/// When the scheduled full syncs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timetable {
    /// `crontab schedule`: an interval in seconds. In the file, a number without a unit is minutes.
    Every(u64),
    /// `crontab at` (an extension): at these times of every day, of the local clock; at least one,
    /// sorted, none twice.
    At(Vec<TimeOfDay>),
}

/// A time of day to the minute, as a clock on the wall shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// `standby start seconds` (an extension): whether the next rsync of a remote is started ahead of time,
/// and waits for its list; a change then arrives without the time that connecting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandbyMode {
    /// No standby is started.
    Off,
    /// After the last change one waits for this many seconds.
    For(u64),
    /// Once a remote has had a change, there always is one.
    Always,
}

impl Default for StandbyMode {
    fn default() -> Self {
        StandbyMode::For(60)
    }
}

/// `safety` (an extension): what to do where a mistake looks like what somebody might want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Safety {
    /// `emptyRoot`.
    pub empty_root: EmptyRoot,
    /// `maxDelete`.
    pub max_delete: MaxDelete,
}

/// How much a mirror may delete, where it is not certain that its root is what it was, before somebody says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxDelete {
    /// `50%`: a share of what the remote has.
    Share(u8),
    /// `1000`: so many entries.
    Number(u64),
    /// `no`: anything.
    Any,
}

impl Default for MaxDelete {
    fn default() -> Self {
        MaxDelete::Share(50)
    }
}

/// What to do with a root that is empty at the start, if a full sync would empty the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyRoot {
    /// `halt`: take it for a disk that is not mounted, and keep what the remote has.
    #[default]
    Halt,
    /// `sync`: take it as it is, and empty the remote too.
    Sync,
}

/// `alert command after` (an extension): what tells the user that something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSettings {
    /// A shell command, as it was written.
    pub command: Vec<u8>,
    /// How long a remote has to be down before it is told of, in seconds.
    pub after_s: u64,
}

/// `batch quietMs maxDelayMs interval` (an extension): when changes leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// A batch leaves after this long without another change.
    pub quiet_ms: u64,
    /// A batch leaves at the latest this long after its first change.
    pub delay_ms_max: u64,
    /// The least time between the starts of two batches of one remote; `None` leaves it to the engine.
    pub interval_ms: Option<u64>,
}

impl Default for Batch {
    fn default() -> Self {
        Batch { quiet_ms: 2, delay_ms_max: 100, interval_ms: None }
    }
}

/// The four plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the configuration's own.
pub enum PluginKind {
    Command,
    Socket,
    Http,
    RefreshCdn,
}

impl PluginKind {
    /// Every plugin with its name in the configuration and on the command line.
    pub const NAMES: [(&'static str, PluginKind); 4] = [
        ("refreshCDN", PluginKind::RefreshCdn),
        ("socket", PluginKind::Socket),
        ("http", PluginKind::Http),
        ("command", PluginKind::Command),
    ];

    /// The plugin of that name, written as in the configuration.
    pub fn from_name(name: &str) -> Option<PluginKind> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// How the configuration calls the plugin.
    pub fn name(self) -> &'static str {
        match self {
            PluginKind::Command => "command",
            PluginKind::Socket => "socket",
            PluginKind::Http => "http",
            PluginKind::RefreshCdn => "refreshCDN",
        }
    }
}

impl Plugin {
    /// Which plugin this block configures.
    pub fn kind(&self) -> PluginKind {
        match self {
            Plugin::Command { .. } => PluginKind::Command,
            Plugin::Socket { .. } => PluginKind::Socket,
            Plugin::Http { .. } => PluginKind::Http,
            Plugin::RefreshCdn { .. } => PluginKind::RefreshCdn,
        }
    }

    /// The tree that the plugin watches when it runs alone; `command` has none of its own.
    pub fn watch(&self) -> Option<&Path> {
        match self {
            Plugin::Command { .. } => None,
            Plugin::Socket { watch, .. }
            | Plugin::Http { watch, .. }
            | Plugin::RefreshCdn { watch, .. } => Some(watch),
        }
    }
}

/// A `plugin name=...` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plugin {
    /// `param prefix suffix ignoreError`, `filter`/`include`.
    Command {
        /// What stands before the path in the shell command; bytes, since it may hold paths.
        prefix: Vec<u8>,
        /// What stands behind the path in the shell command.
        suffix: Vec<u8>,
        /// Whether output and exit code are ignored.
        ignore_error: bool,
        /// Expressions that match the whole paths of the files it is for; if there are none, all files.
        includes: Vec<String>,
    },
    /// `localpath watch`, `deshost ip port`.
    Socket {
        /// `watch`: with a sync running, only paths below it are told; with `-m`, it is the root.
        watch: PathBuf,
        /// Where each path is sent.
        host: String,
        /// The port there.
        port: u16,
    },
    /// `localpath watch`, `deshost url port`.
    Http {
        /// `watch`: with a sync running, only paths below it are told; with `-m`, it is the root.
        watch: PathBuf,
        /// The host that `url` names.
        host: String,
        /// The port of `url`, or else `deshost port`.
        port: u16,
        /// The path of `url`; begins with a slash.
        path: String,
    },
    /// `localpath watch`, `cdninfo`, `sendurl`, `regexurl`.
    RefreshCdn {
        /// `watch`: with a sync running, only paths below it are told; with `-m`, it is the root.
        watch: PathBuf,
        /// `cdninfo domainname`.
        domain: String,
        /// `cdninfo port`.
        port: u16,
        /// `cdninfo username`.
        user: String,
        /// `cdninfo passwd`.
        password: String,
        /// `sendurl base`.
        base: String,
        /// `regexurl match`, if `regex` is true.
        pattern: Option<String>,
    },
}
