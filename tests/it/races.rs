//! Changes in the moment between the program's look at a path and rsync's, and changes that are
//! over before anybody looks. Each once made a far side different for ever, under a random load.

use crate::harness::{eventually, Gate, Mirror, Plan, Rsync, DEADLINE};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const RSYNCS: [Rsync; 2] = [Rsync::AsInstalled, Rsync::Old];

/// With each rsync, what `run` gives comes to be equal.
fn comes_to_be_equal(run: impl Fn(Rsync) -> Mirror) {
    for rsync in RSYNCS {
        run(rsync).equal_within(DEADLINE, &format!("with rsync {rsync:?}"));
    }
}

/// A mirror in step, with a gate before its rsync.
fn gated(rsync: Rsync, before: impl Fn(&Path)) -> (Mirror, Gate) {
    let mut plan = Plan::new();
    before(&plan.root);
    let gate = Gate::before(&mut plan, rsync);
    let mirror = plan.start();
    mirror.equal();
    (mirror, gate)
}

/// `first` happens and its run is held back at the gate; `then` happens; the run goes on.
fn meanwhile(
    rsync: Rsync,
    before: impl Fn(&Path),
    first: impl Fn(&Path),
    then: impl Fn(&Path),
) -> Mirror {
    let (mirror, gate) = gated(rsync, before);
    // An rsync that refuses the combined way is found out by the first deletion.
    fs::remove_file(mirror.root.join("anchor")).unwrap();
    mirror.equal();
    gate.hold();
    first(&mirror.root);
    gate.await_run();
    then(&mirror.root);
    gate.release();
    mirror
}

fn directory_with_files(path: &Path) {
    fs::create_dir_all(path.join("below")).unwrap();
    fs::write(path.join("old"), "old").unwrap();
    fs::write(path.join("below/old"), "old").unwrap();
}

fn remove(path: &Path) {
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_directory_that_comes_back_during_its_deletion_has_only_its_new_content() {
    comes_to_be_equal(|rsync| {
        meanwhile(
            rsync,
            |root| directory_with_files(&root.join("dir")),
            |root| remove(&root.join("dir")),
            |root| {
                fs::create_dir(root.join("dir")).unwrap();
                fs::write(root.join("dir/new"), "new").unwrap();
            },
        )
    });
}

#[test]
fn a_symlink_that_comes_during_the_deletion_of_a_directory_replaces_it() {
    comes_to_be_equal(|rsync| {
        meanwhile(
            rsync,
            |root| directory_with_files(&root.join("dir")),
            |root| remove(&root.join("dir")),
            |root| symlink("elsewhere", root.join("dir")).unwrap(),
        )
    });
}

#[test]
fn a_directory_after_a_symlink_after_a_deleted_directory_has_only_its_new_content() {
    comes_to_be_equal(|rsync| {
        let mirror = meanwhile(
            rsync,
            |root| directory_with_files(&root.join("dir")),
            |root| remove(&root.join("dir")),
            |root| symlink("elsewhere", root.join("dir")).unwrap(),
        );
        mirror.fence();
        fs::remove_file(mirror.root.join("dir")).unwrap();
        fs::create_dir(mirror.root.join("dir")).unwrap();
        mirror
    });
}

#[test]
fn a_directory_that_goes_while_it_is_sent_goes() {
    comes_to_be_equal(|rsync| {
        meanwhile(
            rsync,
            |_| (),
            |root| directory_with_files(&root.join("dir")),
            |root| remove(&root.join("dir")),
        )
    });
}

#[test]
fn a_file_that_becomes_a_directory_while_it_is_sent_arrives_as_one() {
    comes_to_be_equal(|rsync| {
        meanwhile(
            rsync,
            |root| fs::write(root.join("kind"), "first").unwrap(),
            |root| fs::write(root.join("kind"), "second").unwrap(),
            |root| {
                fs::remove_file(root.join("kind")).unwrap();
                directory_with_files(&root.join("kind"));
            },
        )
    });
}

#[test]
fn a_parent_that_becomes_a_file_while_its_content_is_sent_arrives() {
    comes_to_be_equal(|rsync| {
        meanwhile(
            rsync,
            |root| directory_with_files(&root.join("dir")),
            |root| fs::write(root.join("dir/below/new"), "new").unwrap(),
            |root| {
                remove(&root.join("dir/below"));
                fs::write(root.join("dir/below"), "a file").unwrap();
            },
        )
    });
}

/// Deleting what was in a directory must not reach through the symlink that still stands in its
/// place on the far side, and take what that leads to.
#[test]
fn a_symlink_replaced_by_a_directory_twice_takes_nothing_from_what_it_led_to() {
    comes_to_be_equal(|rsync| {
        let (mirror, _) = gated(rsync, |root| {
            directory_with_files(&root.join("target"));
            symlink("target", root.join("link")).unwrap();
        });
        let link = mirror.root.join("link");
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        fs::remove_dir(&link).unwrap();
        fs::create_dir(&link).unwrap();
        mirror
    });
}

#[test]
fn a_symlink_replaced_by_a_directory_without_some_files_takes_nothing_from_what_it_led_to() {
    comes_to_be_equal(|rsync| {
        let (mirror, _) = gated(rsync, |root| {
            directory_with_files(&root.join("target"));
            directory_with_files(&root.join("other"));
            symlink("target", root.join("link")).unwrap();
        });
        let link = mirror.root.join("link");
        fs::remove_file(&link).unwrap();
        fs::rename(mirror.root.join("other"), &link).unwrap();
        fs::remove_file(link.join("old")).unwrap();
        fs::remove_dir_all(link.join("below")).unwrap();
        mirror
    });
}

/// Nothing of this may even be tried in vain: a run that does not get everything through is
/// repeated with growing pauses.
#[test]
fn a_file_replaced_by_a_directory_without_some_files_arrives_at_once() {
    for rsync in RSYNCS {
        let (mirror, _) = gated(rsync, |root| {
            directory_with_files(&root.join("other"));
            fs::write(root.join("kind"), "a file").unwrap();
        });
        let kind = mirror.root.join("kind");
        fs::remove_file(&kind).unwrap();
        fs::rename(mirror.root.join("other"), &kind).unwrap();
        fs::remove_file(kind.join("old")).unwrap();
        fs::remove_dir_all(kind.join("below")).unwrap();
        mirror.equal_within(DEADLINE, &format!("with rsync {rsync:?}"));
        let log = mirror.log();
        assert!(!log.contains("not everything got through"), "with rsync {rsync:?}\n{log}");
    }
}

/// What got stuck below a directory is tried again when that is a symlink: listed as it is, the
/// symlink would be followed, and become a directory over there.
#[test]
fn a_stuck_path_does_not_turn_the_symlink_above_it_into_a_directory() {
    let (mirror, gate) = gated(Rsync::AsInstalled, |root| {
        fs::create_dir(root.join("a")).unwrap();
        fs::create_dir(root.join("target")).unwrap();
        fs::write(root.join("a/x"), "content").unwrap();
    });
    // A deletion that fails is tried once more at once, the portable way: it is stuck when that fails too.
    gate.fail_runs("a/x", 2);
    fs::remove_file(mirror.root.join("a/x")).unwrap();
    gate.await_failure();
    fs::remove_dir(mirror.root.join("a")).unwrap();
    symlink("target", mirror.root.join("a")).unwrap();
    mirror.equal();
    // Equal now, but the retry is still to come: what is owed stands in the fail log until then.
    let fail_log = mirror.dir().join("rsync_fail_log.sh");
    let owed = || fs::metadata(&fail_log).map_or(0, |found| found.len());
    eventually("the failure is said", || mirror.log().contains("not everything got through"));
    eventually("nothing is owed any more", || owed() == 0 && fail_log.exists());
    mirror.equal();
}

/// A list of new files names their directory in place of them, and rsync reads it a moment later. One batch
/// of them, with another file that comes while its run stands at the gate, and goes when `has_gone_along` has
/// returned, if it does.
fn beside_new_files(
    rsync: Rsync,
    excludes: &[&str],
    names: &[&str],
    has_gone_along: impl Fn(&Path),
) -> Mirror {
    const FILES: usize = 600;
    let mut plan = Plan::new();
    plan.conf.excludes = excludes.iter().map(|expression| expression.to_string()).collect();
    let gate = Gate::before(&mut plan, rsync);
    // One batch for all of them, and none for what is there for a moment.
    plan.conf.batch = r#"<batch quietMs="500" maxDelayMs="20000"/>"#.into();
    let mirror = plan.start();
    let [near, far] = [&mirror.root, &mirror.remotes[0]].map(|root| root.join("dir"));
    gate.hold();
    fs::create_dir(&near).unwrap();
    (0..FILES).for_each(|file| fs::write(near.join(format!("f{file}")), "new").unwrap());
    gate.await_run();
    names.iter().for_each(|name| fs::write(near.join(name), "").unwrap());
    gate.release();
    eventually("all new files are there", || {
        (0..FILES).all(|file| far.join(format!("f{file}")).exists())
    });
    has_gone_along(&far);
    names.iter().for_each(|name| fs::remove_file(near.join(name)).unwrap());
    // What is never sent also changes the time of the directory, which goes with the next change.
    fs::write(near.join("last"), "").unwrap();
    mirror
}

/// A file that is there just then is sent with the directory, so its removal must not be forgotten.
#[test]
fn what_is_there_for_a_moment_while_a_new_directory_is_sent_does_not_stay_over_there() {
    comes_to_be_equal(|rsync| {
        beside_new_files(rsync, &[], &["brief"], |far| {
            eventually("it has gone along", || far.join("brief").exists());
        })
    });
}

/// The removal of a file that is never sent is no change, so such a file must not be sent with its
/// directory.
#[test]
fn what_is_never_sent_does_not_go_along_with_a_new_directory() {
    let stays = |names: &'static [&str]| {
        move |far: &Path| names.iter().for_each(|name| assert!(!far.join(name).exists(), "{name}"))
    };
    const TEMPORARY: &[&str] = &["f1~", ".f2.swp", ".f3.a1B2c3"];
    const EXCLUDED: &[&str] = &["f1.log"];
    comes_to_be_equal(|rsync| beside_new_files(rsync, &[], TEMPORARY, stays(TEMPORARY)));
    comes_to_be_equal(|rsync| beside_new_files(rsync, &[r"(.*)\.log"], EXCLUDED, stays(EXCLUDED)));
}
