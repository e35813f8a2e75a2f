//! Which changed paths of a root have arrived and are to be told to a plugin: each once. Pure.
//!
//! A path has arrived when no remote that works owes it any more. A remote that is down is not waited
//! for; when it is back and gets the path too, the path is not told again. As long as no remote works,
//! nothing has arrived. The engine asks after each job; without a plugin it keeps none of this.

use super::change::Change;
use super::pending::Pending;
use super::remote::Remote;
use crate::engine::rel_path::RelPath;
use crate::rsync::asked::plan::Gone;

/// Paths that wait for their arrival. Beyond it they become the root itself, as one path: the plugin
/// then hears that something in it has changed.
const WAITING_PATHS_MAX: usize = 100_000;

/// The paths of one root that have not arrived yet.
#[derive(Debug, Default)]
pub struct Arrivals {
    waiting: Pending,
}

impl Arrivals {
    /// A path has changed; the remotes know already. What none of them owes (it is gone again before
    /// anybody had it, or deletions are not passed on) is no news for a plugin either.
    pub fn change<'a>(
        &mut self,
        path: &RelPath,
        change: Change,
        mut remotes: impl Iterator<Item = &'a Remote>,
    ) {
        self.waiting.apply(path, change, |_| false);
        if !remotes.any(|remote| remote.owes(path)) {
            self.waiting.forget(path);
        }
        if self.waiting.len() > WAITING_PATHS_MAX {
            self.waiting.clear(false);
            self.waiting.apply(&RelPath::from([]), Change::Send, |_| false);
        }
    }

    /// Takes out what has arrived, in the order of the paths.
    pub fn take<'a>(&mut self, remotes: impl Iterator<Item = &'a Remote>) -> Vec<(RelPath, Gone)> {
        let working: Vec<_> = remotes.filter(|remote| !remote.is_failing()).collect();
        if working.is_empty() {
            return Vec::new();
        }
        // The root may stand for all that was too much to be kept.
        let owes = |remote: &&Remote, path: &[u8]| match path {
            b"" => !remote.is_in_step(),
            path => remote.owes(path),
        };
        self.waiting.extract(|path| !working.iter().any(|remote| owes(remote, path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Batch, MaxDelete};
    use crate::engine::sending::licence::Grants;
    use crate::engine::sending::settings::SendingSettings;
    use crate::engine::sending::standing::Standing;
    use crate::engine::sending::trust::Trust;
    use crate::engine::time::Time;
    use crate::engine::JobId;
    use crate::rsync::asked::licence::Way;
    use crate::rsync::told::exit::Exit;
    use crate::rsync::told::outcome::Outcome;

    // Exit codes.
    const DONE: i32 = 0;
    const UNREACHABLE: i32 = 10;
    const PARTIAL: i32 = 23;

    const REMOVED_DIR: Change = Change::Delete { gone: Gone::Directory, unsent: false };
    const REMOVED: Change = Change::Delete { gone: Gone::Entry, unsent: false };

    /// A root with remotes, of which each may have one job.
    struct World {
        arrivals: Arrivals,
        remotes: Vec<Remote>,
        jobs: u64,
    }

    impl World {
        fn new(remotes: usize, delete: bool) -> World {
            let timing = Batch::default();
            let settings = SendingSettings {
                max_delete: MaxDelete::default(),
                timing,
                grants: Grants::new(delete, false),
                way: Way::Combined,
                standby: false,
                put_aside_ms: 0,
            };
            let remote = |seed| Remote::new(settings, Standing::From(0), Trust::Certain, seed);
            let remotes = (0..remotes as u64).map(remote).collect();
            World { arrivals: Arrivals::default(), remotes, jobs: 0 }
        }

        fn change(&mut self, path: &str, change: Change) {
            let path = RelPath::from(path.as_bytes());
            for remote in &mut self.remotes {
                remote.change(&path, change, Time(9));
            }
            self.arrivals.change(&path, change, self.remotes.iter());
        }

        fn start(&mut self, remote: usize) {
            self.jobs += 1;
            let (job, now) = (JobId(self.jobs), Time(self.jobs * 10));
            let remote = &mut self.remotes[remote];
            match remote.sweep_due(true) {
                Some(_) => drop(remote.start_sweep(job, now)),
                None => drop(remote.start(job, 1, now)),
            }
        }

        /// Ends the job of a remote; gives what has arrived by that.
        fn end(&mut self, remote: usize, code: i32) -> Vec<(String, Gone)> {
            let outcome = Outcome::of(&Exit::with_code(code, ""), None);
            let now = Time(self.jobs * 10 + 5);
            let remote = &mut self.remotes[remote];
            let flying = (1..=self.jobs).map(JobId).find(|job| remote.is_flying(*job)).unwrap();
            remote.finish(flying, &outcome, now).unwrap();
            let taken = self.arrivals.take(self.remotes.iter());
            let text = |path: &RelPath| String::from_utf8_lossy(path).into_owned();
            taken.iter().map(|(path, gone)| (text(path), *gone)).collect()
        }

        fn run(&mut self, remote: usize, code: i32) -> Vec<String> {
            self.start(remote);
            self.end(remote, code).into_iter().map(|(path, _)| path).collect()
        }
    }

    #[test]
    fn a_path_has_arrived_when_the_last_remote_has_it() {
        let mut world = World::new(2, true);
        world.change("b", Change::Send);
        world.change("a", Change::Send);
        assert_eq!(world.run(0, DONE), [""; 0]);
        assert_eq!(world.run(1, DONE), ["a", "b"]);
        world.change("c", Change::Send);
        world.run(1, DONE);
        assert_eq!(world.run(0, DONE), ["c"], "and not a and b again");
    }

    #[test]
    fn a_remote_that_is_down_is_not_waited_for_and_tells_nothing_again() {
        let mut world = World::new(2, true);
        world.change("a", Change::Send);
        assert_eq!(world.run(0, DONE), [""; 0], "the other one still works");
        assert_eq!(world.run(1, UNREACHABLE), ["a"]);
        world.change("b", Change::Send);
        assert_eq!(world.run(0, DONE), ["b"]);
        assert_eq!(world.run(1, DONE), [""; 0], "it gets a and b, which are known");
    }

    #[test]
    fn nothing_arrives_where_no_remote_works() {
        let mut world = World::new(2, true);
        world.change("a", Change::Send);
        for remote in [0, 1, 0] {
            assert_eq!(world.run(remote, UNREACHABLE), [""; 0]);
        }
        assert_eq!(world.run(1, DONE), ["a"]);
    }

    #[test]
    fn what_changes_while_it_is_on_its_way_arrives_with_the_next_batch() {
        let mut world = World::new(1, true);
        world.change("a", Change::Send);
        world.change("b", Change::Send);
        world.start(0);
        world.change("a", REMOVED);
        assert_eq!(world.end(0, DONE), [("b".to_string(), Gone::No)]);
        world.start(0);
        assert_eq!(world.end(0, DONE), [("a".to_string(), Gone::Entry)]);
    }

    #[test]
    fn what_nobody_has_got_is_no_news() {
        let mut world = World::new(1, true);
        world.change("d", Change::SendNew { created: Time(9), by_name: false });
        world.change("d/a", Change::SendNew { created: Time(9), by_name: false });
        world.change("d", REMOVED_DIR);
        world.change("e", Change::Send);
        assert_eq!(world.run(0, DONE), ["e"]);

        let mut world = World::new(1, false);
        world.change("a", REMOVED);
        world.change("e", Change::Send);
        assert_eq!(world.run(0, DONE), ["e"]);
    }

    #[test]
    fn what_a_full_sync_takes_along_arrives_with_it() {
        let mut world = World::new(1, true);
        world.change("a", Change::Send);
        world.remotes[0].need_full_sync();
        assert_eq!(world.run(0, DONE), [""; 0], "a is sent by itself as well");
        assert_eq!(world.run(0, DONE), ["a"]);
    }

    #[test]
    fn what_does_not_get_through_has_not_arrived() {
        let mut world = World::new(1, true);
        world.change("a", Change::Send);
        assert_eq!(world.run(0, PARTIAL), [""; 0]);
        world.change("b", Change::Send);
        assert_eq!(world.run(0, DONE), ["b"]);
    }

    #[test]
    fn too_many_become_the_root() {
        let mut world = World::new(1, true);
        for number in 0..=WAITING_PATHS_MAX {
            world.change(&format!("f{number}"), Change::Send);
        }
        world.change("last", Change::Send);
        let mut arrived = Vec::new();
        while !world.remotes[0].is_in_step() {
            assert_eq!(arrived, [""; 0], "not before everything has");
            arrived = world.run(0, DONE);
        }
        assert_eq!(arrived, ["", "last"]);
    }
}
