//! A far side that refuses to delete, or cannot do it in the run that sends.

use super::*;
use crate::engine::watching::renames::Rename;
use crate::rsync::asked::licence::Licence;

/// What a module says that refuses `delete`.
const REFUSED: &str = "rsync: The server is configured to refuse --delete\n";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn refused() -> Outcome {
    outcome(4, REFUSED, &[])
}

fn licence(work: &Work) -> Licence {
    match work {
        Work::Batch { licence, .. } | Work::Bulk { licence, .. } => *licence,
        Work::Level { licence, .. } | Work::FullSync { licence, .. } => *licence,
        Work::Rehearsal { licence, .. } => *licence,
    }
}

fn names(paths: &[(RelPath, Gone)]) -> String {
    words(paths.iter().map(|(path, _)| path))
}

/// A remote that has just refused to delete `gone`, which had left with `a` and `b`.
fn refusing() -> World {
    let mut world = Ends::Batch.start(false);
    assert_eq!(world.finish(&refused()), Next::Again { refused: true });
    assert_eq!(licence(&world.start_again()), Licence::Nothing);
    world.remote.set_withheld(JobId(world.jobs), vec![path("gone")]);
    let before = world.remote.owed_version();
    world.finish(&Outcome::Done);
    assert_ne!(world.remote.owed_version(), before, "whoever writes the fail log looks again");
    world
}

#[test]
fn what_refuses_to_delete_gets_everything_else_and_is_owed_the_deletions_alone() {
    let mut world = refusing();
    assert_eq!(world.waiting(), "refused gone");
    assert!(!world.remote.is_in_step() && world.remote.owes(b"gone"));
    assert_eq!(names(&world.remote.owed(false).1), " gone", "it stands in the fail log");
    assert_eq!(
        names(&world.remote.standing().2.map(|(p, g)| (p.clone(), g)).collect::<Vec<_>>()),
        " gone"
    );

    // Of two more that go, one is here again when its batch leaves.
    let work = world.batch(&[("c", Change::Send), ("again", DELETE), ("gone2", DELETE)]);
    assert_eq!(licence(&work), Licence::Nothing, "it is not asked for a second time");
    world.remote.set_withheld(JobId(world.jobs), vec![path("gone2")]);
    let Next::Arrived { .. } = world.finish(&Outcome::Done) else { panic!("it has arrived") };
    assert_eq!(world.waiting(), "refused gone gone2");
    assert_eq!(names(&world.remote.owed(false).1), " gone gone2");
}

#[test]
fn a_partial_failure_leaves_the_named_path_beside_what_is_refused() {
    let mut world = refusing();
    world.batch(&[("c", Change::Send), ("d", Change::Send), ("gone2", DELETE)]);
    world.remote.set_withheld(JobId(world.jobs), vec![path("gone2")]);
    assert!(matches!(world.finish(&outcome(23, "", &["c"])), Next::Partial(_)));
    assert_eq!(world.waiting(), "stuck c, refused gone gone2");
    // A pause later, only the one that can get through is tried again.
    let due = world.remote.next_due(true).unwrap();
    assert!(due < world.now + DAY_MS);
    world.now = due;
    let Work::Batch { paths, .. } = world.start() else { panic!("no batch") };
    assert_eq!(names(&paths), " c");
}

#[test]
fn it_is_asked_again_after_a_day_or_when_somebody_wants_it() {
    for wanted in [false, true] {
        let mut world = refusing();
        let due = world.remote.next_due(true).expect("what is owed is tried one day");
        assert!((DAY_MS - 60_000..=world.now.0 + DAY_MS).contains(&due.0), "{due:?}");
        if wanted {
            world.remote.try_now();
            assert!(world.remote.next_due(true).is_some_and(|due| due <= world.now));
        } else {
            world.now = due;
        }
        let work = world.start();
        assert_eq!(licence(&work), Licence::Seen, "{wanted}");
        let Work::Batch { paths, .. } = work else { panic!("no batch") };
        assert_eq!(names(&paths), " gone");
        world.finish(&Outcome::Done);
        assert_eq!(world.waiting(), "");
        assert!(world.remote.is_in_step());
        assert_eq!(world.remote.owed(false).1, []);
    }
}

#[test]
fn a_sweep_goes_without_deletions_and_is_made_good_when_it_is_asked_again() {
    for ends in [Ends::Levels, Ends::Full, Ends::Scheduled] {
        let mut world = ends.start(true);
        assert_eq!(world.finish(&refused()), Next::Again { refused: true }, "{ends:?}");
        assert_eq!(licence(&world.start_again()), Licence::Nothing, "{ends:?}");
        world.finish(&Outcome::Done);
        assert_eq!(world.waiting(), "", "{ends:?}");
        assert!(!world.remote.far_side.has_only_ours(), "{ends:?}");
        assert_eq!(world.remote.next_due(false), None, "the root is not watched");
        world.now = world.remote.next_due(true).expect("a day later");
        let work = world.start();
        assert!(matches!(work, Work::FullSync { .. }), "{ends:?}: {work:?}");
        assert_eq!(licence(&work), Licence::Unseen, "{ends:?}");
    }
}

#[test]
fn without_a_word_that_deletes_a_refusal_is_one_like_any_other() {
    // The user's own parameters have it.
    let mut world = Ends::Batch.start(false);
    world.finish(&refused());
    world.start_again();
    assert!(matches!(world.finish(&refused()), Next::Failed { .. }));
    assert_eq!(world.waiting(), "pending a b gone, pause");
}

#[test]
fn nothing_is_renamed_where_the_old_name_has_to_stay() {
    let mut world = refusing();
    world.change("new", Change::Send);
    world.change("old", DELETE);
    world.remote.renamed(&Rename { from: path("old"), to: path("new"), is_dir: true });
    let Work::Batch { renames, .. } = world.start() else { panic!("no batch") };
    assert_eq!(renames, []);
}

#[test]
fn what_the_users_limit_leaves_is_not_taken_for_ours() {
    for limited in [outcome(25, "", &[]), outcome(23, LIMITED, &["a"])] {
        for full in [false, true] {
            let mut world = Ends::Full.start(true);
            world.finish(&Outcome::Done);
            assert!(world.remote.far_side.has_only_ours());
            match full {
                true => world.remote.need_full_sync(),
                false => world.change("gone", DELETE),
            }
            world.start();
            world.finish(&limited);
            assert!(!world.remote.far_side.has_only_ours(), "{full} {limited:?}");
        }
    }
}

#[test]
fn a_directory_that_nobody_may_write_to_is_deleted_the_portable_way_once() {
    let mut world = World::new(false);
    let directory = Change::Delete { gone: Gone::Directory, unsent: false };
    world.batch(&[("a", Change::Send), ("tree", directory)]);
    let failed = outcome(23, "", &["tree/file"]);
    assert_eq!(world.finish(&failed), Next::Again { refused: false });
    let Work::Batch { way, .. } = world.start_again() else { panic!("no batch") };
    assert_eq!(way, Way::Portable);
    let Next::Arrived { learned, .. } = world.finish(&Outcome::Done) else { panic!("it is gone") };
    assert!(!learned, "other deletions go the usual way");
    let Work::Batch { way, .. } = world.batch(&[("b", DELETE)]) else { panic!("no batch") };
    assert_eq!(way, Way::Combined);
    // Where that is no remedy, it is stuck.
    assert!(matches!(world.finish_for_good(&outcome(23, "", &["b"])), Next::Partial(_)));
    assert_eq!(world.waiting(), "stuck b");
}
