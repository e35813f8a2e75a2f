//! What a change means for a remote, and what becomes of it over several jobs.

use super::super::super::next::Retry;
use super::*;
use crate::engine::watching::renames::Rename;

/// What follows from the exit of a batch with this path, if combined deletes and a standby are used.
fn end(change: Change, code: i32, stderr: &str) -> Next {
    let settings = SendingSettings { standby: true, ..settings(false) };
    let mut remote = Remote::new(settings, Standing::From(0), Trust::Certain, 0);
    remote.change(&path("path"), change, Time(1));
    remote.start_next(JobId(1), Time(10));
    remote.finish(JobId(1), &outcome(code, stderr, &[]), Time(20)).unwrap()
}

#[test]
fn another_way_to_delete_is_tried_if_the_first_one_may_be_to_blame() {
    for (change, code, stderr, again) in [
        (DELETE, 12, "", true),
        (DELETE, 10, UNKNOWN, true),
        (DELETE, 30, "", false),
        // The words of a standby are in it, but it has nothing to delete.
        (Change::Send, 10, UNKNOWN, true),
        (Change::Send, 1, UNKNOWN, true),
        (Change::Send, 2, "", true),
        (Change::Send, 12, "", false),
        (Change::Send, 10, "", false),
    ] {
        let next = end(change, code, stderr);
        assert_eq!(matches!(next, Next::Again { .. }), again, "{change:?} {code}: {next:?}");
    }
}

/// Runs what is due next, which names `stuck`; gives what comes of it, and when that was.
fn fail(remote: &mut Remote, stuck: &str, job: u64) -> (Next, Time) {
    let now = remote.next_due(true).expect("something is due");
    remote.start_next(JobId(job), now);
    let outcome = outcome(23, "", &[stuck]);
    (remote.finish(JobId(job), &outcome, now).expect("it was flying"), now)
}

#[test]
fn what_is_put_aside_is_known_to_the_next_run_and_tried_when_somebody_wants_it() {
    let mut remote = Remote::new(settings(true), Standing::From(0), Trust::Certain, 0);
    remote.change(&path("stuck"), Change::Send, Time(1));
    let mut job = 0;
    let now = loop {
        job += 1;
        let (next, now) = fail(&mut remote, "stuck", job);
        if next != Next::Partial(Retry::Soon) {
            assert_eq!(next, Next::Partial(Retry::After(PUT_ASIDE_MS)));
            break now;
        }
    };
    assert_eq!(remote.next_due(true), Some(now + PUT_ASIDE_MS));
    remote.try_now();
    assert!(remote.next_due(true).is_some_and(|due| due <= Time(1)), "somebody wants it now");
    let (_, _, owed) = remote.standing();
    assert_eq!(owed.collect::<Vec<_>>(), [(&path("stuck"), Gone::No)], "a restart must know of it");
}

#[test]
fn a_full_sync_that_never_gets_through_leaves_what_it_named() {
    let mut remote = Remote::new(settings(true), Standing::Nothing, Trust::Certain, 0);
    let mut job = 0;
    let next = loop {
        job += 1;
        let (next, _) = fail(&mut remote, "stuck", job);
        if next != Next::Partial(Retry::Soon) {
            break next;
        }
        assert!(remote.owes_full_sync());
    };
    assert_eq!(next, Next::Partial(Retry::Alone));
    assert!(!remote.owes_full_sync());
    assert_eq!(remote.owed(false).1, [(path("stuck"), Gone::No)]);
}

#[test]
fn too_many_paths_become_a_full_sync_which_stands_for_deletions_only_in_a_mirror() {
    for mirror in [false, true] {
        let mut world = World::new(mirror);
        world.change("gone", DELETE);
        let mut number = 0;
        loop {
            number += 1;
            let name = path(&number.to_string());
            if world.remote.change(&name, Change::Send, world.now) {
                break;
            }
        }
        let expected = if mirror { "full" } else { "pending gone, full" };
        assert_eq!(world.waiting(), expected, "mirror {mirror}, {number}");
    }
}

#[test]
fn what_a_change_means_depends_on_what_the_remote_has() {
    const NEWER: Change = Change::SendNewer { changed_ns: 100, is_dir: true };
    for (standing, mirror, change, expected) in [
        // It has everything until then, and a mirror looks for what has disappeared since.
        (Standing::Until(100), true, NEWER, "levels d"),
        (Standing::Until(101), true, NEWER, ""),
        (Standing::Until(100), false, NEWER, "pending d"),
        (Standing::From(99), true, NEWER, "pending d"),
        (Standing::Until(100), true, Change::SendDirectory, "pending d, levels d"),
        (Standing::Until(100), false, Change::SendDirectory, "pending d"),
        (Standing::From(99), true, Change::SendDirectory, "pending d"),
        (Standing::From(99), false, Change::MakeEqual, "levels d"),
        (Standing::Nothing, true, Change::MakeEqual, "full"),
        (Standing::From(99), false, Change::SendTime, "pending d"),
    ] {
        let mut world = World::new(mirror);
        world.remote = Remote::new(settings(mirror), standing, Trust::Certain, 0);
        world.change("d", change);
        assert_eq!(world.waiting(), expected, "{standing:?}, mirror {mirror}: {change:?}");
    }
    let never = SendingSettings { grants: Grants::new(false, false), ..settings(false) };
    let mut world = World::new(false);
    world.remote = Remote::new(never, Standing::From(0), Trust::Certain, 0);
    world.change("a", DELETE);
    assert_eq!(world.waiting(), "", "nothing is ever deleted there");
}

#[test]
fn a_directory_read_while_a_job_sends_into_it_is_made_equal_in_a_mirror_and_left_alone_otherwise() {
    for (flying, again) in [
        (Flying::Nothing, false),
        (Flying::Batch, true),
        (Flying::File, true),
        (Flying::BatchAndFile, true),
        (Flying::Sweep, true),
        (Flying::BatchAndSweep, true),
    ] {
        for mirror in [true, false] {
            let mut world = World::new(mirror);
            match flying {
                Flying::Nothing => {}
                Flying::Batch => drop(world.batch(&[("d/a", Change::Send)])),
                Flying::File => drop(world.file("d/a", Change::Send)),
                Flying::BatchAndFile => {
                    world.file("file", Change::Send);
                    world.batch(&[("d/a", Change::Send)]);
                }
                Flying::Sweep | Flying::BatchAndSweep => {
                    world.remote.need_full_sync();
                    world.start();
                    if flying == Flying::BatchAndSweep {
                        world.batch(&[("a", Change::Send)]);
                    }
                }
            }
            let expected = if again && mirror { "levels d" } else { "" };
            world.remote.is_read(&path("d"), world.now);
            let about = format!("{flying:?}, mirror {mirror}: it is read before the job ends");
            assert_eq!(world.waiting(), expected, "{about}");
        }
    }
    let mut world = World::new(true);
    world.batch(&[("d/a", Change::Send)]);
    world.remote.is_half_read(JobId(world.jobs), path("d"));
    world.remote.is_half_read(JobId(world.jobs), path("e"));
    world.finish(&Outcome::Done);
    assert_eq!(world.waiting(), "");
    for name in ["d", "e"] {
        world.remote.is_read(&path(name), world.now);
    }
    assert_eq!(world.waiting(), "levels d", "the job may have sent into it, and not into e");
}

#[test]
fn a_directory_read_while_one_in_it_or_above_it_is_made_anew_under_its_new_name_is_made_equal() {
    for (read, expected) in [
        ("d", "levels d"),
        ("d/new", "levels d/new"),
        ("d/new/below", "levels d/new/below"),
        ("e", ""),
    ] {
        let mut world = World::new(true);
        world.change("old", DELETE_DIR);
        let rename = Rename { from: path("old"), to: path("d/new"), is_dir: true };
        world.remote.renamed(&rename);
        world.start();
        world.remote.is_read(&path(read), world.now);
        assert_eq!(world.waiting(), expected, "{read}");
    }
}

#[test]
fn a_directory_read_while_its_predecessor_is_deleted_is_deleted_again_whoever_the_remote_is() {
    let gone = Change::Delete { gone: Gone::Directory, unsent: false };
    for mirror in [true, false] {
        for (read, expected) in [("d", "pending d"), ("d/below", "pending d"), ("e", "")] {
            for job_ends_first in [true, false] {
                let mut world = World::new(mirror);
                world.batch(&[("d", gone), ("d", Change::SendDirectory)]);
                if job_ends_first {
                    world.remote.is_half_read(JobId(world.jobs), path(read));
                    world.finish(&Outcome::Done);
                }
                world.remote.is_read(&path(read), world.now);
                assert_eq!(world.waiting(), expected, "{read}, mirror {mirror}, {job_ends_first}");
            }
        }
    }
}

/// What disappeared under each path of a batch.
fn gone(work: &Work) -> String {
    let Work::Batch { paths, .. } = work else { panic!("{work:?}") };
    paths.iter().map(|(path, gone)| format!(" {} {gone:?}", path.escape_ascii())).collect()
}

const DELETE_DIR: Change = Change::Delete { gone: Gone::Directory, unsent: false };

#[test]
fn a_file_that_is_found_to_be_large_when_its_directory_has_gone_comes_back_with_that() {
    let mut world = World::new(false);
    world.batch(&[("d/file", Change::Send)]);
    world.change("d", DELETE_DIR);
    world.change("d", Change::SendDirectory);
    let stamp = Stamp { size: 1 << 30, modified_ns: 0 };
    world.remote.set_apart(JobId(world.jobs), &[(path("d/file"), stamp)]);
    world.change("d/file", Change::SendNew { created: world.now, by_name: false });
    world.finish(&Outcome::Nothing);
    assert_eq!(world.waiting(), "pending d d/file");
    assert_eq!(gone(&world.start()), " d Directory d/file Entry");
}

#[test]
fn what_a_job_has_in_its_list_it_does_not_keep_in_a_directory_that_it_empties() {
    let mut world = World::new(false);
    world.batch(&[("d", DELETE_DIR), ("d/listed", Change::Send)]);
    let job = JobId(world.jobs);
    for (name, expected) in
        [("d/other", Some(true)), ("d/listed", Some(false)), ("d", Some(false)), ("e", None)]
    {
        assert_eq!(world.remote.may_keep(job, name.as_bytes()), expected, "{name}");
    }
}

#[test]
fn a_large_file_that_fails_comes_back_with_the_directory_that_went_meanwhile() {
    for (code, pause) in [(12, ", pause"), (0, "")] {
        let mut world = World::new(false);
        world.file("d/file", Change::Send);
        world.change("d", DELETE_DIR);
        world.change("d", Change::SendDirectory);
        world.change("d/file", Change::Send);
        world.finish_for_good(&outcome(code, "", &[]));
        assert_eq!(world.waiting(), format!("pending d d/file{pause}"));
        assert_eq!(gone(&world.start()), " d Directory d/file Entry", "{code}");
    }
}

/// A batch with these paths has arrived beside a sweep; gives the job of the sweep.
fn beside_a_sweep(world: &mut World, paths: &[(&str, Change)]) -> JobId {
    world.remote.need_full_sync();
    world.start();
    let sweep = JobId(world.jobs);
    world.batch(paths);
    assert!(matches!(world.finish(&Outcome::Done), Next::Arrived { .. }));
    sweep
}

#[test]
fn what_arrived_beside_a_sweep_is_looked_at_once_more_however_that_ends() {
    let paths = [("a", Change::Send), ("gone", DELETE)];
    for outcome in [outcome(0, "", &[]), outcome(30, "", &[]), naming_a_directory(&["x"])] {
        for mirror in [true, false] {
            let mut world = World::new(mirror);
            let sweep = beside_a_sweep(&mut world, &paths);
            assert_eq!(world.waiting(), "", "it has arrived");
            assert!(
                world.remote.owes(b"gone") && !world.remote.is_in_step(),
                "but not for certain"
            );
            let (_, _, known) = world.remote.standing();
            let known: Vec<_> = known.map(|(path, gone)| (path.clone(), gone)).collect();
            assert_eq!(known, [(path("gone"), Gone::Entry)], "after a crash it is not forgotten");
            world.jobs = sweep.0;
            world.finish(&outcome);
            let about = format!("{outcome:?}, mirror {mirror}: {}", world.waiting());
            assert!(world.waiting().starts_with("pending a gone"), "{about}");
            // The second time nothing is on its way.
            world.jobs = 100;
            world.now = world.now + 100_000;
            while world.remote.sweep_due(true).is_some() {
                world.start();
                world.finish(&Outcome::Done);
            }
            let Work::Batch { paths, fresh, .. } = world.start() else { panic!("{about}") };
            let expected = [(path("a"), Gone::No), (path("gone"), Gone::Entry)];
            assert_eq!((paths.as_slice(), fresh), (&expected[..], false), "{about}");
            world.finish(&Outcome::Done);
            assert!(world.remote.is_in_step(), "{about}");
        }
    }
}

#[test]
fn a_batch_that_ends_after_the_sweep_beside_it_is_looked_at_once_more() {
    let mut world = World::new(true);
    world.remote.need_full_sync();
    world.start();
    let sweep = world.jobs;
    world.batch(&[("a", Change::Send)]);
    let batch = std::mem::replace(&mut world.jobs, sweep);
    world.finish(&Outcome::Done);
    assert_eq!(world.waiting(), "");
    world.jobs = batch;
    world.finish(&Outcome::Done);
    assert_eq!(world.waiting(), "pending a");
    world.start();
    world.finish(&Outcome::Done);
    assert!(world.remote.is_in_step());
}

#[test]
fn what_fails_beside_a_full_sync_stays_in_the_fail_log_when_that_has_arrived() {
    let mut world = World::new(false);
    world.remote.need_full_sync();
    world.start();
    let sweep = world.jobs;
    world.batch(&[("a", Change::Send)]);
    world.finish(&outcome(30, "", &[]));
    world.jobs = sweep;
    world.finish(&Outcome::Done);
    assert_eq!(world.remote.owed(false).1, [(path("a"), Gone::No)]);
}

#[test]
fn nothing_is_complete_before_the_second_look() {
    let mut world = World::new(false);
    world.remote.read_up_to(10);
    let sweep = beside_a_sweep(&mut world, &[("a", Change::Send)]);
    world.remote.read_up_to(20);
    assert_eq!(world.remote.standing().0, Some(10), "the sweep may have undone what came later");
    world.jobs = sweep.0;
    world.finish(&Outcome::Done);
    world.remote.read_up_to(30);
    assert_eq!(world.remote.standing().0, Some(10));
    world.jobs = 100;
    world.start();
    world.finish(&Outcome::Done);
    assert_eq!(world.remote.standing().0, Some(30));
}

#[test]
fn a_far_side_with_one_connection_gets_one_job_at_a_time_from_then_on() {
    const USED_UP: &str = "@ERROR: max connections (1) reached -- try again later\n";
    let mut world = World::new(false);
    for learned in [true, false] {
        world.remote.need_full_sync();
        world.start();
        let sweep = world.jobs;
        world.change("a", Change::Send);
        assert_eq!(world.remote.due().is_some(), learned, "it is not tried again");
        if learned {
            world.start();
            assert_eq!(world.finish(&outcome(5, USED_UP, &[])), Next::Waits { learned });
        }
        assert_eq!((world.waiting().as_str(), world.remote.due()), ("pending a", None), "no pause");
        world.jobs = sweep;
        world.finish(&Outcome::Done);
        world.jobs = 100 + sweep;
        assert!(matches!(world.start(), Work::Batch { .. }));
        world.finish(&Outcome::Done);
        assert!(world.remote.is_in_step());
    }
    world.remote.try_now();
    assert!(world.remote.far_side.takes_two(), "somebody wants it now");
}

#[test]
fn a_sweep_that_leaves_again_does_so_beside_the_batch_that_has_started_meanwhile() {
    let mut world = World::with(Flying::Sweep);
    let sweep = world.jobs;
    world.batch(&[("a", Change::Send)]);
    let batch = std::mem::replace(&mut world.jobs, sweep);
    let refused = outcome(4, "rsync: The server is configured to refuse --delete\n", &[]);
    assert_eq!(world.finish(&refused), Next::Again { refused: true });
    world.jobs = batch + 1;
    assert!(world.remote.start_again(JobId(sweep), JobId(world.jobs), world.now).is_some());
    world.finish(&Outcome::Done);
    world.jobs = batch;
    world.finish(&Outcome::Done);
    assert_eq!(world.waiting(), "pending a", "the sweep may have undone it");
}
