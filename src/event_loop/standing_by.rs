//! What becomes of the standbys that workers hand back.

use super::Loop;
use crate::engine::{JobId, RemoteId};
use crate::worker::{Route, Standby};
use std::sync::Arc;

impl Loop {
    pub(super) fn keep_standby(&mut self, remote: RemoteId, standby: Standby) {
        let now = self.now();
        let wanted = self.routes.get(remote.0).is_some_and(|route| route.standby);
        if wanted && self.stop_at.is_none() && !self.engine.is_halted(remote) {
            self.standbys.keep(remote, standby, now);
        }
    }

    /// A host has no connection left for a run: one that only waits is none too few. There are none to
    /// this host from now on.
    pub(super) fn do_without_standbys(&mut self, job: JobId) {
        let Some(refused) = self.engine.remote_of(job) else { return };
        let Some(host) = self.routes.get(refused.0).and_then(|route| host_of(route)) else {
            return;
        };
        let host = host.to_string();
        let of_host = |route: &Arc<Route>| host_of(route) == Some(host.as_str());
        log::info!("{host}: as many connections as it allows; none is kept ready any more");
        let routes = &self.routes;
        self.standbys.let_go(|remote| of_host(&routes[remote.0]));
        for route in self.routes.iter_mut().filter(|route| of_host(route)) {
            *route = Arc::new(Route { standby: false, ..Route::clone(route) });
        }
    }
}

fn host_of(route: &Route) -> Option<&str> {
    route.remote.transport.host()
}
