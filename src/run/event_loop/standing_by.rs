//! When standbys are started, and what becomes of those that workers hand back.

use super::{Loop, MOUNTS};
use crate::config::StandbyMode;
use crate::engine::RemoteId;
use crate::run::worker::{Standby, WorkerRemote};
use crate::sys::epoll::Epoll;
use crate::sys::mounts::Mounts;
use std::sync::Arc;

impl Loop {
    /// Has those started that are wanted, one for each free processor; as soon as one stands, the next may
    /// follow.
    pub(super) fn start_standbys(&mut self) {
        loop {
            let busy = self.workers.under_way() >= self.processors;
            let Some((remote, deletes)) = self.standbys.to_start(busy, self.now()) else { return };
            let its = self.remotes.get(remote.0).filter(|its| its.standby);
            if let Some(its) = its.filter(|_| !self.engine.is_halted(remote)).cloned() {
                // Without a thread for it, the next job does by itself.
                let _ = self.workers.stand(its, remote, deletes);
            }
        }
    }

    pub(super) fn keep_standby(&mut self, remote: RemoteId, standby: Standby) {
        let now = self.now();
        let fits = |its: &Arc<WorkerRemote>| its.standby && standby.is_in(its);
        let wanted = self.remotes.get(remote.0).is_some_and(fits);
        if wanted && self.stop_at.is_none() && !self.engine.is_halted(remote) {
            self.standbys.keep(remote, standby, now);
        }
    }

    /// Something was mounted or unmounted. A disk that was unmounted while it is in use lives on until
    /// nobody uses it, and only then the kernel tells that the root is gone: it must not be a standby
    /// that keeps it.
    pub(super) fn leave_lost_roots(&mut self) {
        let remotes = &self.remotes;
        self.standbys.let_go(|remote| !remotes[remote.0].is_on_its_ground());
    }

    /// A host has no connection left for a run: one that only waits is none too few. There are none to
    /// this host from now on.
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

/// What tells of unmounted disks, if standbys may be in them. Without it, it is noticed when they are let
/// go, or at the next change.
pub(super) fn mounts(kept: StandbyMode, epoll: &Epoll) -> Option<Mounts> {
    let mounts = Mounts::new().ok().filter(|_| kept != StandbyMode::Off)?;
    epoll.add_exceptional(&mounts, MOUNTS).ok()?;
    Some(mounts)
}

fn host_of(remote: &WorkerRemote) -> Option<&str> {
    remote.route.address.host()
}
