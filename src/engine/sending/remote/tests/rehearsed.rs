//! Full syncs that are in doubt: when they are rehearsed, and what they delete then.

use super::super::super::trust::{Deletions, Doubt};
use super::*;
use crate::rsync::asked::licence::Licence;

const FEW: Deletions = Deletions { count: 5, of: 1000 };
const MANY: Deletions = Deletions { count: 900, of: 1000 };

/// A mirror with this trust, to which a full sync is owed.
fn world(trust: Trust) -> World {
    let mut world = World::new(true);
    world.remote = Remote::new(settings(true), Standing::Nothing, trust, 0);
    world
}

fn is_rehearsal(work: &Work) -> bool {
    matches!(work, Work::Rehearsal { licence: Licence::Unseen, .. })
}

/// What a full sync may delete.
fn licence(work: &Work) -> Licence {
    let Work::FullSync { licence, .. } = work else { panic!("no full sync: {work:?}") };
    *licence
}

impl World {
    /// The rehearsal on its way has found this: what follows, and what starts then.
    fn finds(&mut self, found: Deletions) -> (Next, Work) {
        self.remote.set_found(JobId(self.jobs), found);
        let next = self.finish(&Outcome::Done);
        (next, self.start_again())
    }
}

#[test]
fn only_where_it_is_in_doubt_is_a_full_sync_rehearsed() {
    for (trust, rehearses) in [
        (Trust::Certain, false),
        (Trust::Confirmed, false),
        (Trust::Unsure(Doubt::First), true),
        (Trust::Waiting(Doubt::Disk, MANY), true),
    ] {
        let mut world = world(trust);
        let work = world.start();
        assert_eq!(is_rehearsal(&work), rehearses, "{trust:?}: {work:?}");
        if !rehearses {
            assert_eq!(licence(&work), Licence::Unseen, "{trust:?}");
        }
    }
    let mut push = World::new(false);
    push.remote = Remote::new(settings(false), Standing::Nothing, Trust::default(), 0);
    assert_eq!(licence(&push.start()), Licence::Nothing, "it has nothing to be rehearsed");
}

#[test]
fn a_full_sync_deletes_what_is_little_and_then_nothing_is_in_doubt() {
    let mut world = world(Trust::default());
    world.start();
    let (next, work) = world.finds(FEW);
    assert_eq!((next, licence(&work)), (Next::Rehearsed(None), Licence::Unseen));
    assert!(!world.remote.trust().permits(), "it has not arrived yet");
    let Next::Arrived { .. } = world.finish(&Outcome::Done) else { panic!("it arrives") };
    assert_eq!(world.remote.trust(), Trust::Certain);
    world.remote.need_full_sync();
    assert_eq!(licence(&world.start()), Licence::Unseen, "without a rehearsal");
}

#[test]
fn what_is_too_much_waits_while_everything_is_sent_and_is_counted_anew_each_time() {
    let mut world = world(Trust::default());
    world.start();
    let (next, work) = world.finds(MANY);
    assert_eq!(
        (next, licence(&work)),
        (Next::Rehearsed(Some((Doubt::First, MANY))), Licence::Nothing)
    );
    world.finish(&Outcome::Done);
    assert_eq!((world.waiting().as_str(), world.remote.trust().permits()), ("", false));
    // A directory that is to be made equal is made so without deleting.
    world.change("d", Change::MakeEqual);
    assert!(matches!(world.start(), Work::Level { licence: Licence::Nothing, .. }));
    world.finish(&Outcome::Done);
    // What is the same is told once.
    world.remote.need_full_sync();
    assert!(is_rehearsal(&world.start()));
    assert_eq!(world.finds(MANY).0, Next::Rehearsed(None));
    world.finish(&Outcome::Done);
    // The disk is back.
    world.remote.need_full_sync();
    world.start();
    assert_eq!(licence(&world.finds(FEW).1), Licence::Unseen);
    world.finish(&Outcome::Done);
    assert_eq!(world.remote.trust(), Trust::Certain);
}

#[test]
fn a_yes_has_done_what_waits_and_nothing_else() {
    let mut world = world(Trust::default());
    assert!(!world.remote.confirm_deletions(), "nothing is known to wait");
    world.start();
    world.finds(MANY);
    assert!(world.remote.confirm_deletions());
    assert!(!world.remote.confirm_deletions(), "it has been said");
    world.finish(&Outcome::Done);
    let work = world.start();
    assert_eq!(licence(&work), Licence::Unseen, "the one on its way was not to delete");
    world.finish(&outcome(12, "the connection broke", &[]));
    world.now = world.now + 3_600_000;
    assert_eq!(licence(&world.start()), Licence::Unseen, "what fails is not asked again");
    world.finish(&Outcome::Done);
    assert_eq!(world.remote.trust(), Trust::Certain);
}

#[test]
fn what_was_found_on_another_ground_counts_for_nothing() {
    let mut world = world(Trust::default());
    world.start();
    world.remote.doubt(Doubt::Directory);
    let (next, work) = world.finds(FEW);
    assert_eq!(next, Next::Rehearsed(None));
    assert!(is_rehearsal(&work), "{work:?}");
    let (_, work) = world.finds(FEW);
    assert_eq!(licence(&work), Licence::Unseen);
    world.remote.doubt(Doubt::Directory);
    world.finish(&Outcome::Done);
    assert_eq!(world.remote.trust(), Trust::Unsure(Doubt::Directory));
}

#[test]
fn a_rehearsal_that_fails_is_a_full_sync_that_fails() {
    let mut world = world(Trust::default());
    world.start();
    let next = world.finish(&outcome(10, "no route", &[]));
    assert!(matches!(next, Next::Failed { .. }), "{next:?}");
    assert_eq!(world.waiting(), "full, pause");
    world.now = world.now + 3_600_000;
    assert!(is_rehearsal(&world.start()));
    // One that has not told all says nothing: everything is sent, and nothing deleted.
    let next = world.finish(&outcome(23, "Permission denied", &[]));
    assert_eq!(next, Next::Rehearsed(None));
    assert_eq!(licence(&world.start_again()), Licence::Nothing);
}

#[test]
fn where_nothing_may_be_deleted_nothing_is_rehearsed() {
    let mut world = world(Trust::default());
    assert!(is_rehearsal(&world.start()));
    let refused = outcome(4, "rsync: The server is configured to refuse --delete\n", &[]);
    assert_eq!(world.finish(&refused), Next::Again { refused: true });
    assert_eq!(licence(&world.start_again()), Licence::Nothing);
}
