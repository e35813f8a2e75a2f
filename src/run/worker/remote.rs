//! All that a worker needs to know of a remote.
//!
//! `prepare` makes the values, the loop keeps them, and each task takes one along.

use super::followed::is_followed;
use super::looker::Looker;
use crate::engine::rel_path::RelPath;
use crate::engine::sending::licence::Grants;
use crate::engine::watching::filter::Filter;
use crate::engine::Shift;
use crate::keep::faillog::record::Creditor;
use crate::keep::state::Kept;
use crate::rsync::asked::anew;
use crate::rsync::asked::level::{self, Depth, Level};
use crate::rsync::asked::licence::{Licence, Way};
use crate::rsync::asked::only;
use crate::rsync::asked::pattern;
use crate::rsync::asked::plan::{self, Now};
use crate::rsync::asked::remote_shell;
use crate::rsync::asked::rename;
use crate::rsync::asked::route::RemoteRoute;
use crate::rsync::asked::run::Run;
use crate::rsync::told::outcome::Outcome;
use crate::run::ground::below::Below;
use crate::run::ground::{Ground, HeldRoot};
use crate::run::ssh::{Connection, Sockets};
use crate::run::walk::{below, left_out};
use crate::sys::mounts;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// So many disks are held at most, so that no descriptor is lacking elsewhere.
const HELD_MAX: usize = 64;

/// All that a worker needs to know of a remote.
#[derive(Debug, Clone)]
pub struct WorkerRemote {
    /// From which root, and how it is reached.
    pub route: RemoteRoute,
    /// What the root's path leads to; nothing while the root is missing.
    pub ground: Option<Ground>,
    /// Where something is mounted below the root, as far as is known.
    pub mounted: Arc<[RelPath]>,
    /// What a full sync leaves out.
    pub excludes: Excludes,
    /// What marks every run as one of this instance's.
    pub mark: OsString,
    /// The SSH client with which its runs can share a connection.
    pub ssh_client: Option<OsString>,
    /// That connection; without one, each run makes its own.
    pub connection: Option<Connection>,
    /// The user's `filter` leaves something out, or may.
    pub filters: bool,
    /// A standby is kept for it.
    pub standby: bool,
}

/// What a full sync leaves out.
#[derive(Debug, Clone, Default)]
pub struct Excludes {
    /// Rules for rsync that mean just what the user's expressions mean, and hide the files that each sync changes.
    pub rules: Vec<Vec<u8>>,
    /// Those of `crontabfilter`, for scheduled full syncs alone.
    pub scheduled: Vec<Vec<u8>>,
    /// Set if some expression has no such pattern: then what it leaves out is looked up in the root, entry by
    /// entry.
    pub one_by_one: Option<Arc<Filter>>,
}

impl Excludes {
    /// The same, with this directory of the root.
    pub fn with(&self, directory: &[u8]) -> Excludes {
        let mut more = self.clone();
        more.rules.push(only::hides(&pattern::literal(directory, b"")));
        more
    }
}

/// Gives each remote whose runs can share an SSH connection a socket for it; `None` if there is no such remote
/// or no place for sockets.
pub fn share_connections(remotes: &mut [Arc<WorkerRemote>]) -> Option<Sockets> {
    let sockets = Sockets::open(remotes.iter().map(|remote| remote.ssh_client.clone()).collect())?;
    for (remote, connection) in remotes.iter_mut().zip(sockets.connections()) {
        let connection = connection.clone();
        *remote = Arc::new(WorkerRemote { connection, ..WorkerRemote::clone(remote) });
    }
    Some(sockets)
}

impl WorkerRemote {
    /// The full sync of this remote, as it would run now.
    pub fn full_sync(&self, scheduled: bool, licence: Licence) -> Run {
        let one_by_one =
            self.excludes.one_by_one.as_ref().map(|filter| left_out(&self.route.root, filter));
        let own = if scheduled { self.excludes.scheduled.as_slice() } else { &[] };
        let rules = [self.excludes.rules.as_slice(), own].concat();
        plan::full_sync(&self.route, licence, &rules, one_by_one.as_deref())
    }

    /// Whether the root is the directory that it should be. An emptied or unmounted one would delete
    /// whatever is listed, with exit code 0.
    pub fn is_on_its_ground(&self) -> bool {
        self.ground.as_ref().is_some_and(|ground| ground.is_still_at(&self.route.root))
    }

    /// The root, if it is that directory, for a run to be started in.
    pub(super) fn hold_root(&self) -> Option<HeldRoot> {
        self.ground.as_ref()?.hold(&self.route.root)
    }

    /// As long as the values live, no disk is unmounted below the root whose copy a run would delete then, taking it for
    /// empty. To be called before it is looked which are there.
    pub(super) fn hold(&self, licence: Licence) -> Vec<File> {
        let mut held = Vec::new();
        if licence.covers_unseen() {
            let mounted = self.mounted.iter().take(HELD_MAX);
            held.extend(mounted.filter_map(|at| mounts::hold(&below(&self.route.root, at)).ok()));
        }
        held
    }

    /// These places, and those from which a disk has gone of which nobody has told yet: the kernel's table is looked at
    /// before each run that may delete whatever is not here.
    pub(super) fn with_what_has_just_gone(&self, away: &[RelPath]) -> Vec<RelPath> {
        let mut all = away.to_vec();
        if self.mounted.is_empty() {
            return all;
        }
        let table = self.ground.as_ref().zip(mounts::table().ok());
        let now = table.map(|(ground, table)| Below::all(&table, &ground.resolved));
        let is_there = |at: &RelPath| now.iter().flatten().any(|below| below.at == *at);
        all.extend(self.mounted.iter().filter(|at| !is_there(at) && !away.contains(at)).cloned());
        all
    }

    /// The number of the root's directory; 0, which no directory has, while it is missing.
    pub fn inode(&self) -> u64 {
        self.ground.as_ref().map_or(0, |ground| ground.identity.inode())
    }

    /// What has become of the ground on which it stood in the last run; nothing while the root is missing.
    pub fn shift_since(&self, kept: Option<&Kept>) -> Option<Shift> {
        let before = kept.and_then(|kept| kept.ground.as_ref());
        let now = self.ground.as_ref()?;
        Some(before.map_or(Shift::Directory, |before| now.since(before)))
    }

    /// Whether this was kept of it.
    pub fn is_of(&self, kept: &Kept) -> bool {
        kept.root == self.route.root.as_os_str().as_bytes()
            && kept.destination == self.route.kept_as()
    }

    /// The remote as the fail log needs it.
    pub fn creditor(&self, grants: Grants) -> Creditor<'_> {
        let Excludes { rules, one_by_one, .. } = &self.excludes;
        Creditor {
            route: &self.route,
            inode: self.inode(),
            grants,
            excludes: one_by_one.is_none().then_some(rules),
        }
    }

    /// The arguments as they are run, over the remote's shared connection if it has one.
    pub(super) fn over_connection(&self, args: Vec<OsString>) -> Vec<OsString> {
        match self.connection.as_ref().and_then(Connection::socket) {
            Some(socket) => remote_shell::over_shared(&args, socket),
            None => args,
        }
    }

    /// How its flat runs are put together.
    pub(super) fn plan_settings(&self, licence: Licence, way: Way) -> plan::PlanSettings {
        plan::PlanSettings { licence, way, standby: self.standby }
    }

    /// The runs that send whole directories anew, of which an earlier job may have left something joined.
    pub(super) fn sent_anew(&self, directories: &[RelPath]) -> Vec<Run> {
        if !rename::is_possible(&self.route) && !anew::is_kept_inside(&self.route) {
            return Vec::new();
        }
        let (route, rules) = (&anew::route(&self.route, true), &self.excludes.rules[..]);
        let level = Level { route, depth: Depth::All, licence: Licence::Nothing, rules };
        let left_out =
            self.excludes.one_by_one.as_ref().map(|filter| left_out(&self.route.root, filter));
        level::runs(level, left_out.as_deref(), directories)
    }

    /// The runs that make whole directories equal, of those that are still there, or that a symlink stands for; and what it
    /// means for the job that some could not be looked at, if some could not.
    pub(super) fn levels(
        &self,
        directories: &[(RelPath, Depth)],
        licence: Licence,
    ) -> (Vec<Run>, Outcome) {
        let mut looker = Looker::new(&self.route.root);
        let mut real = [Vec::new(), Vec::new()];
        for (path, depth) in directories {
            if looker.look(path).0 == Now::Directory || is_followed(&self.route, path) {
                real[usize::from(*depth == Depth::All)].push(path.clone());
            }
        }
        // Without a name, the job is followed by a full sync: it is not enough to send the directory itself.
        let seen = looker
            .trouble()
            .map_or(Outcome::Nothing, |error| Outcome::not_looked_at(Vec::new(), &error.into()));
        let left_out =
            self.excludes.one_by_one.as_ref().map(|filter| left_out(&self.route.root, filter));
        let runs = |depth, directories: &[RelPath]| {
            let (route, rules) = (&self.route, self.excludes.rules.as_slice());
            let level = Level { route, depth, licence, rules };
            level::runs(level, left_out.as_deref(), directories)
        };
        let [one, all] = real;
        ([runs(Depth::One, &one), runs(Depth::All, &all)].concat(), seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Address, Rsync};
    use crate::rsync::asked::capability::Capability;
    use std::path::Path;

    #[test]
    fn a_disk_that_has_gone_is_spared_before_anybody_has_told() {
        let root = tempfile::tempdir().unwrap();
        let route = RemoteRoute {
            root: root.path().into(),
            address: Address::Local { path: "/d".into() },
            rsync: Rsync::default(),
            local: Capability::parse(b"rsync  version 3.2.7  protocol version 31").unwrap(),
        };
        let path = |name: &str| RelPath::from(name.as_bytes());
        let mut remote = WorkerRemote {
            route,
            ground: Ground::of(root.path()).ok(),
            mounted: Arc::default(),
            excludes: Excludes::default(),
            mark: OsString::new(),
            ssh_client: None,
            connection: None,
            filters: false,
            standby: false,
        };
        let known = [path("known")];
        assert_eq!(remote.with_what_has_just_gone(&known), known);
        remote.mounted = Arc::new([path("known"), path("gone")]);
        assert_eq!(remote.with_what_has_just_gone(&known), [path("known"), path("gone")]);
        // /proc is mounted wherever tests run.
        remote.ground = Ground::of(Path::new("/")).ok();
        remote.mounted = Arc::new([path("proc"), path("gone")]);
        assert_eq!(remote.with_what_has_just_gone(&[]), [path("gone")]);
    }
}
