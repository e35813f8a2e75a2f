//! What follows when another configuration brings remotes and takes others out, and the roots are the same.

use super::sending::remote::Remote;
use super::sending::standing::Standing;
use super::sending::trust::Trust;
use super::succession::Succession;
use super::{Engine, RemoteId, Served};

/// So many changes of one kind are not seen before the remotes change once more.
const VERSIONS: u64 = 1 << 40;

/// What the engine needs to know of a remote of the next configuration.
#[derive(Debug, Clone, Copy)]
pub struct NextRemote {
    /// Its root, by its place in the configuration.
    pub root: usize,
    /// Up to when it has everything, and what it may lose, if it is new.
    pub begins: (Standing, Trust),
}

impl Engine {
    /// From now on these are the remotes, root by root. Those that stay keep what they have: what is pending, what is on
    /// its way, their pauses. What is on its way to one that has been taken out ends by itself, and nothing follows
    /// from it. No root is read again, so what a new remote may lack from before comes with a full sync.
    pub fn change_remotes(&mut self, succession: &Succession, next: &[NextRemote]) {
        self.successions += 1;
        let (seed, sending) = (self.successions * VERSIONS, self.sending);
        let mut number = 0;
        let mut new = || {
            number += 1;
            let remote = Remote::new(sending, Standing::Nothing, Trust::default(), seed + number);
            Served { remote, root: 0, said: None }
        };
        self.remotes = succession.carry(std::mem::take(&mut self.remotes), &mut new);
        for ((number, next), before) in next.iter().enumerate().zip(succession.iter()) {
            let served = &mut self.remotes[number];
            served.root = next.root;
            if before.is_none() {
                let (watched, (standing, trust)) = (&self.roots[next.root], next.begins);
                let standing = match standing {
                    // What changes in directories that are still to be read, nobody would look for.
                    Standing::From(_) if watched.root.is_complete() => standing,
                    Standing::From(_) | Standing::Until(_) | Standing::Nothing => Standing::Nothing,
                };
                served.remote = Remote::new(sending, standing, trust, seed + number as u64);
                served.remote.spare(watched.mounts.away());
            }
        }
        for (number, watched) in self.roots.iter_mut().enumerate() {
            watched.root.renumber(|remote| succession.after(RemoteId(remote)).map(|id| id.0));
            let its = |(at, next): (usize, &NextRemote)| (next.root == number).then_some(at);
            let first = next.iter().enumerate().find_map(its).unwrap_or(0);
            let count = next.iter().filter(|next| next.root == number).count();
            watched.remotes = first..first + count;
        }
    }

    /// Jobs that are on their way to a remote.
    pub fn jobs_of(&self, id: RemoteId) -> usize {
        self.remotes[id.0].remote.jobs()
    }

    /// A number that changes with each of these, and when the remotes become others.
    pub(super) fn version(&self, of_remotes: impl Iterator<Item = u64>) -> u64 {
        self.successions.wrapping_mul(VERSIONS).wrapping_add(of_remotes.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Input, Job, RootId, RootSettings, Settings, Work};
    use super::*;
    use crate::config::{Batch, Events};
    use crate::engine::sending::licence::Grants;
    use crate::engine::sending::settings::SendingSettings;
    use crate::engine::time::Time;
    use crate::engine::watching::event::{mask, RawEvent, Wd};
    use crate::engine::watching::scan::{Listing, Reached};
    use crate::rsync::asked::licence::Way;
    use crate::rsync::told::outcome::Outcome;
    use std::sync::Arc;

    const ROOT: RootId = RootId(0);
    const LATER: Time = Time(1_000_000);
    const NEW: (Standing, Trust) = (Standing::Nothing, Trust::Certain);

    /// The jobs that are to be run now; whatever is to be scanned has nothing in it.
    fn jobs(engine: &mut Engine) -> Vec<Job> {
        let mut jobs = Vec::new();
        while let Some(action) = engine.poll_action(LATER) {
            match action {
                Action::Scan(_, scan) => {
                    let reached = Reached::Watched { place: scan.place.clone(), wd: Wd(1) };
                    let listing = Listing::empty(scan.id, scan.origin, reached, &scan.path);
                    engine.handle(Input::Listing(ROOT, listing), Time(0));
                    engine.handle(Input::ScanEnded(ROOT, scan.id), Time(0));
                }
                Action::Run(job) => jobs.push(job),
                Action::RemoveWatch(..)
                | Action::Look(..)
                | Action::FindNames(..)
                | Action::CheckRoot(_)
                | Action::Report(_)
                | Action::Arrived(..) => {}
            }
        }
        jobs
    }

    /// One root with two remotes that have everything, and a job on its way to each.
    fn sending() -> (Engine, Vec<Job>) {
        let begins = (Standing::From(1), Trust::Certain);
        let mut engine = Engine::new(Settings {
            workers: 9,
            events: Events::default(),
            sending: SendingSettings {
                timing: Batch { quiet_ms: 1, delay_ms_max: 1, interval_ms: None },
                grants: Grants::new(true, true),
                max_delete: crate::config::MaxDelete::default(),
                way: Way::Combined,
                standby: false,
                put_aside_ms: 60_000,
            },
            roots: vec![RootSettings {
                filter: Arc::default(),
                remotes: vec![begins; 2],
                halt: None,
            }],
        });
        assert_eq!(jobs(&mut engine), []);
        change(&mut engine, "first");
        let sent = jobs(&mut engine);
        assert_eq!(sent.len(), 2);
        (engine, sent)
    }

    fn change(engine: &mut Engine, name: &str) {
        let name = name.as_bytes().into();
        let event = RawEvent { wd: Wd(1), mask: mask::CLOSE_WRITE, cookie: 0, name };
        engine.handle(Input::Event(ROOT, event), Time(0));
    }

    fn next(count: usize) -> Vec<NextRemote> {
        vec![NextRemote { root: 0, begins: NEW }; count]
    }

    #[test]
    fn who_stays_keeps_its_job_and_who_goes_is_forgotten() {
        let (mut engine, sent) = sending();
        let versions = (engine.owed_version(), engine.standing_version());
        // The second one becomes the first, and there is a new one behind it.
        engine.change_remotes(&Succession::of(&["a", "b"], &["b", "c"]), &next(2));
        assert_ne!((engine.owed_version(), engine.standing_version()), versions);
        assert_eq!([0, 1].map(|id| engine.jobs_of(RemoteId(id))), [1, 0]);
        let is_of = |id| sent.iter().find(|job| job.remote == RemoteId(id)).unwrap().id;
        assert_eq!(engine.remote_of(is_of(0)), None);
        assert_eq!(engine.remote_of(is_of(1)), Some(RemoteId(0)));
        let begun = jobs(&mut engine);
        assert!(matches!(
            begun[..],
            [Job { remote: RemoteId(1), work: Work::FullSync { .. }, .. }]
        ));
        // What ends for the one that has gone changes nothing.
        engine.handle(Input::JobEnded(is_of(0), Outcome::Done, None), LATER);
        assert!(!engine.remote_is_in_step(RemoteId(0)));
        engine.handle(Input::JobEnded(is_of(1), Outcome::Done, None), LATER);
        engine.handle(Input::JobEnded(begun[0].id, Outcome::Done, None), LATER);
        assert!(engine.remote_is_in_step(RemoteId(0)) && engine.remote_is_in_step(RemoteId(1)));
        change(&mut engine, "second");
        let mut remotes: Vec<_> = jobs(&mut engine).iter().map(|job| job.remote).collect();
        remotes.sort_unstable();
        assert_eq!(remotes, [RemoteId(0), RemoteId(1)]);
    }

    #[test]
    fn a_new_one_of_a_root_that_is_still_being_read_gets_a_full_sync() {
        let (mut engine, _) = sending();
        engine.start_over(ROOT);
        let begins = (Standing::From(5), Trust::Certain);
        let next = [NextRemote { root: 0, begins }];
        engine.change_remotes(&Succession::of(&["a", "b"], &["c"]), &next);
        assert!(engine.owes_full_sync(RemoteId(0)));
    }
}
