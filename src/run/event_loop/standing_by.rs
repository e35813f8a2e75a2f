//! When standbys are started, and what becomes of those that workers hand back.

use super::Loop;
use crate::engine::RemoteId;
use crate::run::worker::{Standby, WorkerRemote};
use std::sync::Arc;

impl Loop {
    /// Has wanted standbys started as long as a processor is free for it.
    pub(super) fn start_standbys(&mut self) {
        loop {
            let busy = self.workers.under_way() >= self.processors;
            let Some((remote, deletes)) = self.standbys.to_start(busy, self.now()) else { return };
            let its = self.remotes.get(remote.0).filter(|its| its.standby);
            if let Some(its) = its.filter(|_| !self.engine.is_halted(remote)).cloned() {
                // Where there is no thread to start it, the next job starts an rsync of its own.
                let _ = self.workers.stand(its, remote, deletes);
            }
        }
    }

    pub(super) fn keep_standby(&mut self, remote: RemoteId, mut standby: Standby) {
        let now = self.now();
        // One that ends later is told of by the kernel.
        if !standby.is_waiting() {
            return;
        }
        let fits = |its: &Arc<WorkerRemote>| its.standby && standby.is_in(its);
        let wanted = self.remotes.get(remote.0).is_some_and(fits);
        if wanted && self.stop_at.is_none() && !self.engine.is_halted(remote) {
            self.standbys.keep(remote, standby, now);
        }
    }

    /// A host has refused a run because all of its connections were in use. A standby holds a connection that
    /// runs need, so there are none for remotes on this host from now on.
    pub(super) fn do_without_standbys(&mut self, refused: RemoteId) {
        let Some(host) = self.remotes.get(refused.0).and_then(|its| host_of(its)) else {
            return;
        };
        let host = host.to_string();
        let of_host = |remote: &Arc<WorkerRemote>| host_of(remote) == Some(host.as_str());
        if !self.remotes.iter().any(|remote| of_host(remote) && remote.standby) {
            return;
        }
        log::info!("{host}: as many connections as it allows; none is kept ready any more");
        let remotes = &self.remotes;
        self.standbys.let_go(|remote| of_host(&remotes[remote.0]));
        for remote in self.remotes.iter_mut().filter(|remote| of_host(remote)) {
            *remote = Arc::new(WorkerRemote { standby: false, ..WorkerRemote::clone(remote) });
        }
    }
}

fn host_of(remote: &WorkerRemote) -> Option<&str> {
    remote.route.address.host()
}
