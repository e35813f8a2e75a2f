//! `--max-delete` in the parameters: what the user forbids is neither done nor tried for ever, and holds
//! nothing else up.

use super::{at_once, each, nothing_is_owed, pairs, put, Mode, Way};
use crate::harness::{eventually, Mirror, Sshd};
use std::fs;

const FILES: usize = 20;
const MAX: usize = 5;

fn names() -> Vec<String> {
    (0..FILES).map(|number| format!("dir/file{number:02}")).collect()
}

fn left(mirror: &Mirror) -> usize {
    names().iter().filter(|name| mirror.remotes[0].join(name).exists()).count()
}

/// The far side's end of a connection has to live as long as the mirror. A daemon's client ends with 0
/// where others end with 25.
fn with_files(mode: Mode, way: Way) -> (Mirror, Option<Sshd>) {
    let (mut plan, sshd) = way.plan();
    mode.apply(&mut plan);
    plan.conf.params.push_str(&format!(" --max-delete={MAX}"));
    for top in [&plan.root, &plan.remotes[0]] {
        put(top, &names().iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mirror = plan.start();
    mirror.fence();
    (mirror, sshd)
}

fn delete_all(mirror: &Mirror) {
    at_once(mirror, |root| {
        names().iter().for_each(|name| fs::remove_file(root.join(name)).unwrap());
    });
}

#[test]
fn at_most_so_many_go_and_the_rest_is_neither_repeated_nor_owed() {
    each(pairs(&Mode::ALL, &Way::ALL), |(mode, way)| {
        let (mirror, _sshd) = with_files(mode, way);
        delete_all(&mirror);
        eventually("some go", || left(&mirror) < FILES);
        // Each is a batch of its own; what is behind a remote that counts as down waits a minute.
        for number in 0..5 {
            put(&mirror.root, &[&format!("other{number}")]);
            mirror.fence();
        }
        assert_eq!(left(&mirror), FILES - MAX, "{mode:?} {way:?}");
        nothing_is_owed(&mirror);
    });
}

#[test]
fn it_is_said_once_and_the_remote_is_up() {
    each(Way::ALL, |way| {
        let (mirror, _sshd) = with_files(Mode::Push, way);
        delete_all(&mirror);
        eventually("some go", || left(&mirror) < FILES);
        put(&mirror.root, &["other"]);
        mirror.fence();
        eventually("it is said", || mirror.log().contains("max-delete"));
        let log = mirror.log();
        let told: Vec<&str> = log.lines().filter(|line| line.contains("max-delete")).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(!log.contains("everything is kept"), "{log}");
    });
}

#[test]
fn a_full_sync_is_bound_by_it_as_well_and_is_not_repeated() {
    each(Way::ALL, |way| {
        let (mut plan, _sshd) = way.plan();
        plan.conf.params.push_str(&format!(" --max-delete={MAX}"));
        put(&plan.remotes[0], &names().iter().map(String::as_str).collect::<Vec<_>>());
        plan.await_full_sync = false;
        let mirror = plan.start();
        eventually("some go", || left(&mirror) < FILES);
        for number in 0..5 {
            put(&mirror.root, &[&format!("other{number}")]);
            mirror.fence();
        }
        assert_eq!(left(&mirror), FILES - MAX, "{}", mirror.log());
        nothing_is_owed(&mirror);
    });
}
