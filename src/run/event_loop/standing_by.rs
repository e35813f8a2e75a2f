//! When standbys are started, and what becomes of those that workers hand back.

use super::{Loop, MOUNTS};
use crate::config::StandbyMode;
use crate::engine::RemoteId;
use crate::run::worker::{Route, Standby};
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
            let route = self.routes.get(remote.0).filter(|route| route.standby);
            if let Some(route) = route.filter(|_| !self.engine.is_halted(remote)).cloned() {
                // Without a thread for it, the next job does by itself.
                let _ = self.workers.stand(route, remote, deletes);
            }
        }
    }

    pub(super) fn keep_standby(&mut self, remote: RemoteId, standby: Standby) {
        let now = self.now();
        let fits = |route: &Arc<Route>| route.standby && standby.is_in(route);
        let wanted = self.routes.get(remote.0).is_some_and(fits);
        if wanted && self.stop_at.is_none() && !self.engine.is_halted(remote) {
            self.standbys.keep(remote, standby, now);
        }
    }

    /// Something was mounted or unmounted. A disk that was unmounted while it is in use lives on until
    /// nobody uses it, and only then the kernel tells that the root is gone: it must not be a standby
    /// that keeps it.
    pub(super) fn leave_lost_roots(&mut self) {
        let routes = &self.routes;
        self.standbys.let_go(|remote| !routes[remote.0].is_on_its_ground());
    }

    /// A host has no connection left for a run: one that only waits is none too few. There are none to
    /// this host from now on.
    pub(super) fn do_without_standbys(&mut self, refused: RemoteId) {
        let Some(host) = self.routes.get(refused.0).and_then(|route| host_of(route)) else {
            return;
        };
        let host = host.to_string();
        let of_host = |route: &Arc<Route>| host_of(route) == Some(host.as_str());
        if !self.routes.iter().any(|route| of_host(route) && route.standby) {
            return;
        }
        log::info!("{host}: as many connections as it allows; none is kept ready any more");
        let routes = &self.routes;
        self.standbys.let_go(|remote| of_host(&routes[remote.0]));
        for route in self.routes.iter_mut().filter(|route| of_host(route)) {
            *route = Arc::new(Route { standby: false, ..Route::clone(route) });
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

fn host_of(route: &Route) -> Option<&str> {
    route.address.host()
}
