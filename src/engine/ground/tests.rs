//! What the engine does when the ground of a root moves: the scans, jobs and lines that follow.

use super::*;
use crate::config::{Batch, Events, MaxDelete};
use crate::engine::sending::licence::Grants;
use crate::engine::sending::settings::SendingSettings;
use crate::engine::sending::standing::Standing;
use crate::engine::sending::trust::{Deletions, Trust};
use crate::engine::watching::event::{mask, RawEvent, Wd};
use crate::engine::watching::mounts::SecondName;
use crate::engine::watching::scan::{Listing, Place, Reached, Scan};
use crate::engine::{Action, Input, Job, RootSettings, Settings, Work};
use crate::rsync::asked::licence::{Licence, Way};
use crate::rsync::asked::plan::Gone;
use crate::rsync::told::outcome::Outcome;
use std::sync::Arc;

const ROOT: RootId = RootId(0);
/// Later than any quiet period.
const LATER: Time = Time(1_000_000);

/// One root with one remote, a mirror, which had everything.
fn engine(halt: Option<Halt>) -> Engine {
    Engine::new(Settings {
        workers: 1,
        events: Events::default(),
        sending: SendingSettings {
            max_delete: MaxDelete::default(),
            timing: Batch { quiet_ms: 1, delay_ms_max: 1, interval_ms: None },
            grants: Grants::new(true, true),
            way: Way::Combined,
            standby: false,
            put_aside_ms: 60_000,
        },
        roots: vec![RootSettings {
            filter: Arc::default(),
            remotes: vec![(Standing::From(1), Trust::Certain)],
            halt,
        }],
    })
}

/// All that is to be done now.
fn actions(engine: &mut Engine, now: Time) -> Vec<Action> {
    std::iter::from_fn(|| engine.poll_action(now)).collect()
}

fn scans(actions: &[Action]) -> Vec<Scan> {
    let scan = |action: &Action| {
        if let Action::Scan(_, scan) = action {
            Some(scan.clone())
        } else {
            None
        }
    };
    actions.iter().filter_map(scan).collect()
}

fn jobs(actions: &[Action]) -> Vec<Job> {
    let job = |action: &Action| {
        if let Action::Run(job) = action {
            Some(job.clone())
        } else {
            None
        }
    };
    actions.iter().filter_map(job).collect()
}

fn halts(actions: &[Action]) -> usize {
    let halted = |action: &&Action| matches!(action, Action::Report(Report::Halted(..)));
    actions.iter().filter(halted).count()
}

/// Reads the directories of a scan: the place of the scan, and below it these.
fn read(engine: &mut Engine, scan: &Scan, first: i32, below: &[&str], now: Time) {
    let listing = |place, wd, path: &[u8]| Listing {
        scan: scan.id,
        reached: Reached::Watched { place, wd: Wd(wd) },
        path: path.to_vec(),
        origin: scan.origin,
        changed_ns: None,
        entries: Vec::new(),
    };
    engine.handle(Input::Listing(ROOT, listing(scan.place.clone(), first, &scan.path)), now);
    for (wd, name) in (first + 1..).zip(below) {
        let place = Place::In { parent: Wd(first), name: name.as_bytes().into() };
        engine.handle(Input::Listing(ROOT, listing(place, wd, name.as_bytes())), now);
    }
    engine.handle(Input::ScanEnded(ROOT, scan.id), now);
}

/// One whose root is watched, with the directories `a` (2) and `b` (3), and at rest.
fn at_rest() -> Engine {
    let mut engine = engine(None);
    let scan = scans(&actions(&mut engine, Time(0))).remove(0);
    read(&mut engine, &scan, 1, &["a", "b"], Time(0));
    assert_eq!(jobs(&actions(&mut engine, LATER)), []);
    engine
}

fn event(wd: i32, mask: u32, name: &str) -> Input {
    let name = name.as_bytes().into();
    Input::Event(ROOT, RawEvent { wd: Wd(wd), mask, cookie: 0, name })
}

#[test]
fn a_halt_is_said_only_when_the_path_is_known_to_lead_nowhere() {
    for leads_nowhere in [false, true] {
        let mut engine = at_rest();
        engine.handle(event(1, mask::MOVE_SELF, ""), LATER);
        assert_eq!(actions(&mut engine, LATER), [Action::CheckRoot(ROOT)], "looked for at once");
        if leads_nowhere {
            engine.handle(Input::GroundMissing(ROOT), LATER);
            engine.handle(Input::GroundMissing(ROOT), LATER);
            assert_eq!(halts(&actions(&mut engine, LATER)), 1);
        }
        engine.handle(Input::GroundFound(ROOT, Shift::Directory), LATER);
        let actions = actions(&mut engine, LATER);
        let said = actions.contains(&Action::Report(Report::Resumed(ROOT)));
        assert_eq!((said, scans(&actions).len()), (leads_nowhere, 1));
    }
}

#[test]
fn a_root_that_is_unmounted_before_it_is_known_to_be_watched_is_looked_for() {
    let mut engine = engine(None);
    let scan = scans(&actions(&mut engine, Time(0))).remove(0);
    engine.handle(event(1, mask::UNMOUNT, ""), Time(0));
    engine.handle(event(1, mask::IGNORED, ""), Time(0));
    read(&mut engine, &scan, 1, &[], Time(0));
    assert!(actions(&mut engine, Time(0)).contains(&Action::CheckRoot(ROOT)));
}

#[test]
fn another_ground_is_read_and_synced_and_the_same_one_is_not() {
    let mut engine = at_rest();
    engine.handle(Input::GroundFound(ROOT, Shift::None), LATER);
    assert_eq!(actions(&mut engine, LATER), []);
    engine.handle(Input::GroundFound(ROOT, Shift::Mounted), LATER);
    let scan = scans(&actions(&mut engine, LATER)).remove(0);
    // The new instance counts from 1 again.
    read(&mut engine, &scan, 1, &["c"], LATER);
    let job = jobs(&actions(&mut engine, LATER)).remove(0);
    assert!(matches!(job.work, Work::Rehearsal { .. }), "what it deletes is counted: {job:?}");
    engine.handle(Input::Rehearsed(job.id, Deletions { count: 1, of: 1 }), LATER);
    engine.handle(Input::JobEnded(job.id, Outcome::Done, None), LATER);
    let job = jobs(&actions(&mut engine, LATER)).remove(0);
    assert!(matches!(job.work, Work::FullSync { licence: Licence::Unseen, .. }), "{job:?}");
}

#[test]
fn a_job_of_the_ground_before_does_not_halt_the_one_of_now() {
    for is_of_before in [true, false] {
        let mut engine = at_rest();
        engine.full_sync_now();
        let mut job = jobs(&actions(&mut engine, LATER)).remove(0);
        if !is_of_before {
            engine.handle(Input::JobEnded(job.id, Outcome::Done, None), LATER);
            actions(&mut engine, LATER);
        }
        engine.handle(Input::GroundFound(ROOT, Shift::Directory), LATER);
        let scan = scans(&actions(&mut engine, LATER)).remove(0);
        read(&mut engine, &scan, 1, &[], LATER);
        if !is_of_before {
            job = jobs(&actions(&mut engine, LATER)).remove(0);
        }
        engine.handle(Input::JobEnded(job.id, Outcome::RootChanged, None), LATER);
        let looks = actions(&mut engine, LATER).contains(&Action::CheckRoot(ROOT));
        assert_eq!(looks, !is_of_before);
    }
}

#[test]
fn a_root_that_is_missing_at_the_start_is_read_when_it_is_there() {
    let mut engine = engine(Some(Halt::Missing));
    let first = actions(&mut engine, Time(0));
    let halted = Action::Report(Report::Halted(ROOT, Halt::Missing));
    assert_eq!(first, [halted, Action::CheckRoot(ROOT)]);
    engine.handle(Input::GroundMissing(ROOT), Time(0));
    engine.handle(Input::Time, Time(1));
    assert_eq!(actions(&mut engine, Time(1)), [], "it is said once, and nothing is read");
    engine.handle(Input::GroundFound(ROOT, Shift::Directory), Time(2));
    assert_eq!(scans(&actions(&mut engine, Time(2))).len(), 1);
}

#[test]
fn a_disk_below_is_made_equal_when_it_comes_and_spared_while_it_is_away() {
    let mut engine = at_rest();
    let at = || RelPath::from(&b"a"[..]);
    engine.handle(Input::Mount(ROOT, at(), MountChange::Came), LATER);
    let scan = scans(&actions(&mut engine, LATER)).remove(0);
    read(&mut engine, &scan, 4, &[], LATER);
    let job = jobs(&actions(&mut engine, LATER)).remove(0);
    let Work::Level { directories, away, .. } = &job.work else { panic!("{job:?}") };
    assert!(*directories[0].0 == *b"a" && away.is_empty(), "{job:?}");
    engine.handle(Input::JobEnded(job.id, Outcome::Done, None), LATER);
    engine.handle(Input::Mount(ROOT, at(), MountChange::Went), LATER);
    let scan = scans(&actions(&mut engine, LATER)).remove(0);
    read(&mut engine, &scan, 5, &[], LATER);
    for is_deleted in [false, true] {
        if is_deleted {
            engine.handle(event(1, mask::DELETE | mask::ISDIR, "a"), LATER);
        }
        engine.full_sync_now();
        let job = jobs(&actions(&mut engine, LATER)).remove(0);
        let Work::FullSync { away, .. } = &job.work else { panic!("{job:?}") };
        assert_eq!(away.len(), usize::from(!is_deleted));
        engine.handle(Input::JobEnded(job.id, Outcome::Done, None), LATER);
    }
}

#[test]
fn what_changes_under_one_name_changes_under_the_other() {
    let mut engine = at_rest();
    let [of, at] = [b"a", b"b"].map(|name| RelPath::from(&name[..]));
    engine.handle(Input::SecondNames(ROOT, vec![SecondName { of, at }]), LATER);
    engine.handle(event(2, mask::CLOSE_WRITE, "file"), LATER);
    engine.handle(event(2, mask::DELETE, "gone"), LATER);
    let after = LATER + LATER.0;
    let work = jobs(&actions(&mut engine, after)).remove(0).work;
    let Work::Batch { paths, .. } = work else { panic!("{work:?}") };
    let shown = paths.iter().map(|(path, gone)| (path.escape_ascii().to_string(), *gone));
    let expected = [
        ("a/file", Gone::No),
        ("a/gone", Gone::Entry),
        ("b/file", Gone::No),
        ("b/gone", Gone::Entry),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected.map(|(path, gone)| (path.to_string(), gone)));
}
