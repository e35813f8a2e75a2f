//! What follows when another configuration brings roots, takes others out, or has other rules for them.
//!
//! A root keeps its number for as long as the engine lives: what is told of it, by a walk in a tree of millions, may be on
//! its way when it is none any more.

use super::sending::settings::SendingSettings;
use super::sending::standing::Standing;
use super::sending::trust::Trust;
use super::watching::filter::Filter;
use super::watching::mounts::Mounts;
use super::watching::root::Root;
use super::{origin, Engine, Halt, JobId, Report, RootId, WatchedRoot};
use crate::config::Events;
use crate::engine::time::Time;
use std::sync::Arc;

impl WatchedRoot {
    /// One without remotes, of which nothing is read yet.
    pub(super) fn new(root: Root, halt: Option<Halt>) -> WatchedRoot {
        WatchedRoot {
            root,
            remotes: 0..0,
            was_complete: true,
            was_unwatched: false,
            halt,
            halt_is_said: halt.is_some(),
            check_at: Time(0),
            last_job_before: JobId(0),
            mounts: Mounts::default(),
            arrivals: None,
            events: 0,
            changes: 0,
            overflows: 0,
        }
    }
}

impl Engine {
    /// From now on this counts for all remotes.
    pub fn change_sending(&mut self, sending: SendingSettings) {
        self.sending = sending;
        self.remotes.iter_mut().for_each(|served| served.remote.change_settings(sending));
    }

    /// Another root, behind the others. Nothing of it is read before [`Engine::begin_root`]: its remotes come first.
    pub fn add_root(&mut self, events: Events, filter: Arc<Filter>, halt: Option<Halt>) {
        self.roots.push(WatchedRoot::new(Root::new(events, filter), halt));
    }

    /// Reads a root for the first time, if it is there; its remotes begin like this.
    pub fn begin_root(&mut self, id: RootId, begins: &[(Standing, Trust)]) {
        let watched = &mut self.roots[id.0];
        if let Some(halt) = watched.halt {
            return self.report(Report::Halted(id, halt));
        }
        watched.was_complete = false;
        watched.root.start(origin(begins));
    }

    /// This is no root any more, and has no remotes. What is still told of it means nothing.
    pub fn end_root(&mut self, id: RootId) {
        let watched = &mut self.roots[id.0];
        // What was counted stays counted.
        let WatchedRoot { events, changes, overflows, .. } = *watched;
        let nothing = Root::new(Events::default(), Arc::default());
        *watched = WatchedRoot { events, changes, overflows, ..WatchedRoot::new(nothing, None) };
    }

    /// Other events count in a root, and something else is left out. If it has to be read `again` for that, what has
    /// changed since its remotes had everything is looked for, as at a start.
    pub fn change_root(&mut self, id: RootId, events: Events, filter: Arc<Filter>, again: bool) {
        let watched = &mut self.roots[id.0];
        watched.root.change_rules(events, filter);
        if !again || watched.halt.is_some() {
            return;
        }
        let mut begins = Vec::new();
        for served in &mut self.remotes[watched.remotes.clone()] {
            begins.push((served.remote.look_back(), served.remote.trust()));
        }
        watched.was_complete = false;
        watched.root.read_again(origin(&begins));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Input, NextRemote, Origin, RemoteId, RootSettings, Settings};
    use super::*;
    use crate::config::{Batch, FilterSettings, MaxDelete};
    use crate::engine::sending::licence::Grants;
    use crate::engine::succession::Succession;
    use crate::engine::watching::event::Wd;
    use crate::engine::watching::scan::{Listing, Reached, Scan};
    use crate::rsync::asked::licence::Way;

    const NOW: Time = Time(1_000);
    const BEGINS: (Standing, Trust) = (Standing::From(1), Trust::Certain);

    fn sending() -> SendingSettings {
        SendingSettings {
            timing: Batch { quiet_ms: 1, delay_ms_max: 1, interval_ms: None },
            grants: Grants::new(true, true),
            max_delete: MaxDelete::default(),
            way: Way::Combined,
            standby: false,
            put_aside_ms: 60_000,
        }
    }

    /// One root, which is watched.
    fn engine() -> Engine {
        let root = RootSettings { filter: Arc::default(), remotes: vec![BEGINS], halt: None };
        let (workers, events) = (9, Events::default());
        let mut engine =
            Engine::new(Settings { workers, events, sending: sending(), roots: vec![root] });
        let scans = scans(&mut engine);
        walk(&mut engine, scans);
        engine
    }

    fn scans(engine: &mut Engine) -> Vec<(RootId, Scan)> {
        let actions = std::iter::from_fn(|| engine.poll_action(NOW));
        let scan = |action| match action {
            Action::Scan(id, scan) => Some((id, scan)),
            Action::RemoveWatch(..)
            | Action::Look(..)
            | Action::FindNames(..)
            | Action::CheckRoot(_)
            | Action::Run(_)
            | Action::Report(_)
            | Action::Arrived(..) => None,
        };
        actions.filter_map(scan).collect()
    }

    fn walk(engine: &mut Engine, scans: Vec<(RootId, Scan)>) {
        for (id, scan) in scans {
            let reached = Reached::Watched { place: scan.place.clone(), wd: Wd(1) };
            let listing = Listing::empty(scan.id, scan.origin, reached, &scan.path);
            engine.handle(Input::Listing(id, listing), NOW);
            engine.handle(Input::ScanEnded(id, scan.id), NOW);
        }
    }

    #[test]
    fn a_new_root_is_read_by_itself_and_what_is_told_of_one_that_went_means_nothing() {
        let mut engine = engine();
        engine.add_root(Events::default(), Arc::default(), None);
        let next = [NextRemote { root: 0, begins: BEGINS }, NextRemote { root: 1, begins: BEGINS }];
        engine.change_remotes(&Succession::of(&["a"], &["a", "b"]), &next);
        assert!(!engine.owes_full_sync(RemoteId(1)), "it is new, as at a start");
        engine.begin_root(RootId(1), &[BEGINS]);
        let begun = scans(&mut engine);
        assert_eq!(begun.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [RootId(1)]);
        assert!(engine.is_walking().eq([false, true]));
        // It goes before it has been read.
        engine.change_remotes(&Succession::of(&["a", "b"], &["a"]), &next[..1]);
        engine.end_root(RootId(1));
        walk(&mut engine, begun);
        assert!(engine.is_walking().eq([false, false]) && engine.directories(RootId(1)) == 0);
        assert!(scans(&mut engine).is_empty());
    }

    #[test]
    fn a_root_with_other_rules_is_read_again_only_for_what_has_changed_and_if_it_has_to_be() {
        let mut engine = engine();
        let excludes = vec!["left".to_string()];
        let filter = Arc::new(Filter::new(&FilterSettings { excludes, hidden: false }).unwrap());
        engine.change_root(RootId(0), Events::default(), filter.clone(), false);
        assert!(scans(&mut engine).is_empty(), "what is told from now on is judged by them");
        engine.change_root(RootId(0), Events::default(), filter, true);
        let again = scans(&mut engine);
        let origins: Vec<_> = again.iter().map(|(_, scan)| scan.origin).collect();
        assert_eq!(origins, [Origin::Since(2)]);
        walk(&mut engine, again);
        assert!(!engine.owes_full_sync(RemoteId(0)));
    }
}
