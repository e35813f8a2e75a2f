//! An rsync of an older version, on either side: one of today that is made to speak the older
//! protocol, and that does not know what came later.
//!
//! On this side, and at the far end of an SSH connection, a script in the `PATH` stands before the
//! real one. It answers `--version`, looks through the words of the command and refuses options that
//! the version has not, with its message and exit code. What an rsync daemon is asked for travels
//! over the wire: there `old_daemon` listens in its place.
//!
//! What it does not show: faults of the old versions themselves. The options are those that the NEWS
//! of rsync name for each version. `SERSYNC_IT_RSYNC=2.6.9`, or another name of [`Version`], has every
//! test use it on this side, `SERSYNC_IT_RSYNC_THERE` on the other.

use super::Plan;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Which version this side has, and which the far side.
const VARIABLE: &str = "SERSYNC_IT_RSYNC";
const VARIABLE_THERE: &str = "SERSYNC_IT_RSYNC_THERE";

/// A version that is still in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Of CentOS 5, and of macOS for long after.
    V2_6_9,
    /// Of CentOS 6.
    V3_0_9,
    /// The first but one that has `--delete-missing-args`.
    V3_1_1,
}

/// Long options and single letters that came with a version.
type News = (&'static [&'static str], &'static str);

const OF_3_0_0: News = (
    &[
        "acls",
        "no-acls",
        "no-A",
        "xattrs",
        "no-xattrs",
        "no-X",
        "fake-super",
        "inc-recursive",
        "no-inc-recursive",
        "i-r",
        "no-i-r",
        "protect-args",
        "no-protect-args",
        "no-s",
        "iconv",
        "no-iconv",
        "contimeout",
        "no-contimeout",
        "append-verify",
        "skip-compress",
        "delete-delay",
    ],
    "AXs",
);
const OF_3_1_0: News = (
    &[
        "delete-missing-args",
        "ignore-missing-args",
        "remote-option",
        "info",
        "debug",
        "msgs2stderr",
        "usermap",
        "groupmap",
        "chown",
        "munge-links",
        "no-munge-links",
        "outbuf",
        "preallocate",
        "omit-link-times",
        "no-omit-link-times",
        "no-J",
    ],
    "MJ",
);
const LATER: News = (
    &[
        "checksum-choice",
        "cc",
        "compress-choice",
        "zc",
        "zl",
        "secluded-args",
        "no-secluded-args",
        "old-args",
        "no-old-args",
        "trust-sender",
        "mkpath",
        "no-mkpath",
        "fsync",
        "stop-after",
        "stop-at",
        "time-limit",
        "atimes",
        "no-atimes",
        "crtimes",
        "no-crtimes",
        "open-noatime",
        "max-alloc",
        "copy-as",
        "copy-devices",
        "write-devices",
        "early-input",
        "stderr",
    ],
    "UN",
);

/// Options whose value may be a word of its own; all of the older versions have them.
const VALUES: &str =
    "--rsh|--exclude|--include|--exclude-from|--include-from|--files-from|--filter|\
    --timeout|--contimeout|--port|--password-file|--bwlimit|--rsync-path|--sockopts|--address|\
    --temp-dir|--link-dest|--compare-dest|--copy-dest|--partial-dir|--backup-dir|--suffix|--chmod|\
    --max-size|--min-size|--max-delete|--block-size|--compress-level|--modify-window|--log-file|\
    --log-file-format|--out-format|--protocol|--remote-option|--skip-compress|--iconv";
/// The same for letters.
const LETTERS_WITH_VALUES: &str = "BMTef";

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Version; 3] = [Version::V2_6_9, Version::V3_0_9, Version::V3_1_1];

    /// The one that the environment asks for on this side.
    pub fn here() -> Option<Version> {
        Version::wanted(VARIABLE)
    }

    /// The one that it asks for on the far side.
    pub fn there() -> Option<Version> {
        Version::wanted(VARIABLE_THERE)
    }

    fn wanted(variable: &str) -> Option<Version> {
        let wanted = env::var(variable).ok()?;
        let found = Version::ALL.into_iter().find(|version| version.number() == wanted);
        Some(found.unwrap_or_else(|| panic!("{variable}={wanted}: it is 2.6.9, 3.0.9 or 3.1.1")))
    }

    fn number(self) -> &'static str {
        match self {
            Version::V2_6_9 => "2.6.9",
            Version::V3_0_9 => "3.0.9",
            Version::V3_1_1 => "3.1.1",
        }
    }

    /// The protocol that it speaks.
    pub fn protocol(self) -> u32 {
        match self {
            Version::V2_6_9 => 29,
            Version::V3_0_9 => 30,
            Version::V3_1_1 => 31,
        }
    }

    fn lacks(self) -> &'static [News] {
        match self {
            Version::V2_6_9 => &[OF_3_0_0, OF_3_1_0, LATER],
            Version::V3_0_9 => &[OF_3_1_0, LATER],
            Version::V3_1_1 => &[LATER],
        }
    }

    /// Whether it knows a long option, which is given without its dashes and its value.
    pub fn knows(self, option: &str) -> bool {
        !self.lacks().iter().any(|(options, _)| options.contains(&option))
    }

    /// Whether this one, or today's, sends and deletes in one run.
    pub fn combines(version: Option<Version>) -> bool {
        version.is_none_or(|version| version.knows("delete-missing-args"))
    }

    /// A directory for the `PATH` in which `rsync` is of this version.
    pub fn directory(self) -> PathBuf {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rsync-{}", self.number()));
        fs::create_dir_all(&dir).unwrap();
        // Another test may be running what is there: it must never be half written.
        let new = tempfile::NamedTempFile::new_in(&dir).unwrap().into_temp_path();
        fs::write(&new, self.script()).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        new.persist(dir.join("rsync")).unwrap();
        dir
    }

    fn script(self) -> String {
        let patterns = |prefix: &str, options: &[&str]| {
            options.iter().map(|option| format!("{prefix}{option}")).collect::<Vec<_>>().join("|")
        };
        let long: Vec<_> =
            self.lacks().iter().map(|(options, _)| patterns("--", options)).collect();
        let letters: String = self.lacks().iter().map(|(_, letters)| *letters).collect();
        SCRIPT
            .replace("NUMBER", self.number())
            .replace("PROTOCOL", &self.protocol().to_string())
            .replace("LONG", &long.join("|"))
            .replace("LETTERS", &letters)
            .replace("VALUED", LETTERS_WITH_VALUES)
            .replace("VALUES", VALUES)
            .replace("RSYNC_OF_TODAY", today().to_str().unwrap())
    }
}

/// Names in capitals are put in by [`Version::script`].
const SCRIPT: &str = r#"#!/bin/sh
# rsync as if it were NUMBER, made by the tests.
if [ "$*" = --version ]; then
    echo 'rsync  version NUMBER  protocol version PROTOCOL'
    exit 0
fi
where=
unknown() {
    echo "rsync: $where$1: unknown option" >&2
    echo "rsync error: syntax or usage error (code 1) at main.c(1231) [NUMBER]" >&2
    exit 1
}
skip=
for word; do
    if [ "$skip" ]; then
        skip=
        continue
    fi
    case $word in
        --) break ;;
        --server) where='on remote machine: ' ;;
        --*)
            case ${word%%=*} in LONG) unknown "${word%%=*}" ;; esac
            case $word in VALUES) skip=1 ;; esac
            ;;
        -?*)
            rest=${word#-}
            while [ "$rest" ]; do
                letter=${rest%"${rest#?}"}
                rest=${rest#?}
                case $letter in
                    [LETTERS]) unknown "-$letter" ;;
                    [VALUED])
                        [ "$rest" ] || skip=1
                        break
                        ;;
                esac
            done
            ;;
    esac
done
if [ "$1" = --server ]; then
    shift
    exec 'RSYNC_OF_TODAY' --server --protocol=PROTOCOL "$@"
fi
# Only from 3.2.4 on rsync escapes what the shell of the far side would read.
RSYNC_OLD_ARGS=1
export RSYNC_OLD_ARGS
exec 'RSYNC_OF_TODAY' --protocol=PROTOCOL "$@"
"#;

/// The real one, by its full path: the `PATH` is not the script's to change, ssh is found there, too.
fn today() -> PathBuf {
    let path = env::var_os("PATH").unwrap();
    let found = env::split_paths(&path).map(|dir| dir.join("rsync")).find(|file| file.is_file());
    found.expect("rsync is not installed; the tests need it")
}

/// The `PATH` of programs on this side.
pub fn path() -> String {
    path_of(Version::here())
}

/// The `PATH` in which rsync is of this version, or of today.
pub fn path_of(version: Option<Version>) -> String {
    let path = env::var("PATH").unwrap();
    version.map_or(path.clone(), |version| format!("{}:{path}", version.directory().display()))
}

impl Plan {
    /// The program finds rsync of this version.
    pub fn rsync_here(&mut self, version: Option<Version>) {
        self.variables.push(("PATH".to_string(), path_of(version)));
    }
}
