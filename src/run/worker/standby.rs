//! An rsync that has connected already and waits for its list.
//!
//! With its list on standard input, rsync connects, logs in and starts the far side before it reads the
//! first path. So all that a run costs before it sends anything can be done before there is anything
//! to send. The loop keeps it between two jobs; here is how it is started and used. Its death is
//! never a failure of the remote: the same run is made once more by one that is started for it.
//!
//! It reads an empty list if this process dies, and then does nothing.

use super::{started, WorkerRemote};
use crate::rsync::asked::plan;
use crate::rsync::asked::run::{Purpose, Run};
use crate::run::ground::Identity;
use crate::sys::process::Started;
use std::ffi::OsString;
use std::io::{self, PipeReader};
use std::process::Output;

/// One that waits. If the value goes, it is ended.
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
        if !remote.is_on_its_ground() {
            return None;
        }
        let root = remote.ground.identity;
        let args = remote.over_connection(plan::standby(&remote.route, settings));
        let started = started(remote, &args, Purpose::Flat).ok()?;
        let standby = Standby { args, root, started };
        // And afterwards: now it is in there.
        remote.is_on_its_ground().then_some(standby)
    }

    /// Whether it can do this run, and still waits.
    pub(super) fn fits(&mut self, remote: &WorkerRemote, run: &Run) -> bool {
        self.is_in(remote) && self.args == run.args && self.is_waiting()
    }

    /// Whether it is in the directory that is the root now. In one that was, and that is empty or
    /// deleted now, everything that it gets to know of is missing.
    pub fn is_in(&self, remote: &WorkerRemote) -> bool {
        self.root == remote.ground.identity
    }

    /// Whether it has not ended.
    pub(super) fn is_waiting(&mut self) -> bool {
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
