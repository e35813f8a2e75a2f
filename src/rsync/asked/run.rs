//! One rsync process before it is started, and its command as people see it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::only;
use crate::rsync::quoting;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Deletes, sends nothing.
    Prune,
    /// Makes the listed paths equal; deletes too if `--delete-missing-args` is in its words.
    Flat,
    /// Makes whole directories equal: see [`super::level`].
    Level,
    /// Gives renamed files their new names on the far side: see [`super::rename`].
    Rename,
    /// Tells what a full sync would delete.
    Rehearsal,
    /// The whole root.
    FullSync,
}

/// One rsync process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its arguments, without the program's name. The working directory must be the root.
    pub args: Vec<OsString>,
    /// All that it gets on standard input: a list in which each entry ends with a NUL, or nothing.
    pub input: Vec<u8>,
    /// What it is for.
    pub purpose: Purpose,
}

impl Run {
    /// Whether what it gets on standard input are rules of its filter. With half of them it would see, and may delete, what
    /// the other half hides.
    pub fn reads_rules(&self) -> bool {
        self.args.iter().any(|arg| arg == only::READ)
    }

    /// The command as sersync showed it: it can be pasted into a shell, and does the same there as long
    /// as the run has no list on its standard input.
    pub fn shown(&self, root: &Path) -> Vec<u8> {
        let mut command = b"cd ".to_vec();
        command.extend_from_slice(&quoting::quoted(root.as_os_str().as_bytes()));
        command.extend_from_slice(b" && rsync");
        for word in &self.args {
            command.push(b' ');
            command.extend_from_slice(&quoting::quoted(word.as_bytes()));
        }
        // COMPAT: the end of every command line that sersync printed.
        command.extend_from_slice(b" >/dev/null 2>&1");
        command
    }
}
