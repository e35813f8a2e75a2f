//! Where it is not certain that the root is what it was, a mirror counts first: much waits, little goes.

use super::*;

/// More than are ever deleted unasked where most of a copy would go.
const MANY: usize = 150;

/// Files that only the far side has.
fn fill(top: &Path, count: usize) {
    (0..count).for_each(|number| write(&top.join(format!("old/{number}")), "old"));
}

/// Has its first full sync, with so many files over there that are not here.
fn first_full_sync(count: usize, safety: &str) -> Mirror {
    let mut plan = Plan::new();
    plan.conf.safety = safety.into();
    fill(&plan.remotes[0], count);
    put(&plan.root, &["one", "two"]);
    plan.start()
}

#[test]
fn a_first_full_sync_that_would_empty_the_far_side_sends_everything_and_deletes_nothing() {
    let mirror = first_full_sync(MANY, "");
    all_of_ours_arrives(&mirror);
    eventually("it is said", || mirror.log().contains("would delete 151 of 15"));
    everything_is_done(&mirror);
    assert!(present(&mirror.remotes[0], &["old/0", "old/149"]).len() == 2);
    // What is seen to go is deleted as ever.
    fs::remove_file(mirror.root.join("one")).unwrap();
    eventually("it is gone", || present(&mirror.remotes[0], &["one"]).is_empty());
    assert_eq!(mirror.log().matches("would delete").count(), 1, "it is said once");
}

#[test]
fn a_first_full_sync_that_would_delete_little_or_may_delete_anything_does() {
    let few = (50, "");
    let share = (MANY, "<safety maxDelete=\"100%\"/>");
    let number = (MANY, "<safety maxDelete=\"1000\"/>");
    let anything = (MANY, "<safety maxDelete=\"no\"/>");
    each([few, share, number, anything], |(count, safety)| {
        first_full_sync(count, safety).equal();
    });
}

#[test]
fn a_number_counts_from_the_first_on() {
    let mirror = first_full_sync(3, "<safety maxDelete=\"3\"/>");
    eventually("it is said", || mirror.log().contains("would delete 4 of "));
    everything_is_done(&mirror);
    assert_eq!(present(&mirror.remotes[0], &["old/0"]), ["old/0"]);
}

#[test]
fn what_a_mirror_has_made_equal_it_keeps_equal_without_counting() {
    let mirror = first_full_sync(0, "");
    mirror.equal();
    fill(&mirror.remotes[0], MANY);
    full_sync(&mirror);
    mirror.equal();
}
