//! An rsync that has connected already and waits for its list.
//!
//! An rsync whose list comes on standard input connects, logs in and starts the far side before it reads the
//! first path. So all of this can be done before there is anything to send. The loop keeps the standby between
//! two jobs; here is how it is started and used. Its death is never a failure of the remote: the same run is
//! made once more by a process that is started for it.
//!
//! If this process dies, the standby reads an empty list and does nothing.

use super::{started, WorkerRemote};
use crate::rsync::asked::plan;
use crate::rsync::asked::run::{Purpose, Run};
use crate::run::ground::Identity;
use crate::sys::process::Started;
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::process::Output;

/// One that waits. Dropping the value ends it.
#[derive(Debug)]
pub struct Standby {
    args: Vec<OsString>,
    /// The root that it is in.
    root: Identity,
    started: Started,
}

impl Standby {
    /// Starts one for the flat runs of a remote; `None` if that cannot be done now.
    pub(super) fn start(remote: &WorkerRemote, settings: plan::PlanSettings) -> Option<Standby> {
        let held = remote.hold_root()?;
        let root = remote.ground.as_ref()?.identity;
        let args = remote.over_connection(plan::standby(&remote.route, settings));
        let (started, _) = started(remote, &held, &args, Purpose::Flat, &[]).ok()?;
        let standby = Standby { args, root, started };
        // Looked at again: between the first look and the start the directory may have been replaced.
        remote.is_on_its_ground().then_some(standby)
    }

    /// Whether it can do this run, and still waits.
    pub(super) fn fits(&mut self, remote: &WorkerRemote, run: &Run) -> bool {
        self.is_in(remote) && self.args == run.args && self.is_waiting()
    }

    /// Whether it is in the directory that is the root now. In a directory that was the root before, and may
    /// be empty or deleted now, every listed path would be missing, and so be deleted over there.
    pub fn is_in(&self, remote: &WorkerRemote) -> bool {
        remote.ground.as_ref().is_some_and(|ground| ground.identity == self.root)
    }

    /// Whether it has not ended.
    pub fn is_waiting(&mut self) -> bool {
        !self.started.has_ended()
    }

    /// Does a run; what it says goes to `heard`.
    pub(super) fn run(
        self,
        run: &Run,
        stop: &PipeReader,
        heard: &mut dyn FnMut(&[u8]),
    ) -> io::Result<Output> {
        self.started.feed(&run.input, stop, heard)
    }
}
