//! The four rules, one by one, and what a start over means for them.

use super::*;
use crate::engine::watching::event::mask;

const ROOT_WD: Wd = Wd(1);
const ORIGIN: Origin = Origin::Created(Time(0));
/// Later than any pause.
const LATER: Time = Time(1_000_000);

/// A root with these directories, by path and descriptor, where nothing is under way.
fn watches(directories: &[(&str, i32)]) -> Watches {
    let mut watches = Watches::default();
    watches.start(Origin::Start);
    let scan = next_scan(&mut watches).unwrap();
    assert!(watches.listed(&listing(scan.id, Place::Root, ROOT_WD, ""), Time(0)).is_some());
    for (path, wd) in directories {
        let place = place(&watches, path);
        assert!(watches.listed(&listing(scan.id, place, Wd(*wd), path), Time(0)).is_some());
    }
    watches.scan_ended(scan.id);
    watches.queue_was_read();
    watches
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn node(watches: &Watches, path: &str) -> NodeId {
    watches.tree.find(path.as_bytes()).unwrap()
}

fn place(watches: &Watches, path: &str) -> Place {
    let (above, name) = split(path);
    watches.place_in(node(watches, above), name.as_bytes()).unwrap()
}

fn listing(scan: ScanId, place: Place, wd: Wd, path: &str) -> Listing {
    let reached = Reached::Watched { place, wd };
    let (path, entries) = (path.into(), Vec::new());
    Listing { scan, reached, path, origin: ORIGIN, changed_ns: None, entries }
}

fn next_scan(watches: &mut Watches) -> Option<Scan> {
    match watches.take_action()? {
        WatchAction::Scan(scan) => Some(scan),
        WatchAction::RemoveWatch(_) => next_scan(watches),
    }
}

fn taken_back(watches: &mut Watches) -> Vec<Wd> {
    let actions = std::iter::from_fn(|| watches.take_action());
    let mut wds: Vec<_> = actions
        .filter_map(|action| match action {
            WatchAction::RemoveWatch(wd) => Some(wd),
            WatchAction::Scan(_) => None,
        })
        .collect();
    wds.sort();
    wds
}

fn create(watches: &mut Watches, path: &str) -> Scan {
    let (above, name) = split(path);
    watches.created(node(watches, above), name.as_bytes(), Time(0));
    next_scan(watches).unwrap()
}

fn delete(watches: &mut Watches, path: &str) {
    let (above, name) = split(path);
    watches.deleted(node(watches, above), name.as_bytes());
}

fn rename(watches: &mut Watches, from: &str, to: &str) {
    for (path, is_from) in [(from, true), (to, false)] {
        let (above, name) = split(path);
        let parent = node(watches, above);
        if is_from {
            watches.moved_from(parent, name.as_bytes(), 7, Time(0));
        } else {
            watches.moved_to(parent, name.as_bytes(), 7, true, Time(0));
        }
    }
}

fn path(watches: &Watches, wd: i32) -> Option<String> {
    let path = watches.tree.path(watches.tree.node(Wd(wd))?)?;
    Some(String::from_utf8(path).unwrap())
}

fn event(wd: i32, name: &str) -> RawEvent {
    RawEvent { wd: Wd(wd), mask: mask::CREATE, cookie: 0, name: name.as_bytes().into() }
}

/// The paths that are scanned again in the end.
fn scanned_again(watches: &mut Watches) -> Vec<String> {
    while watches.take_action().is_some() {}
    watches.expire(LATER);
    let scans = std::iter::from_fn(|| next_scan(watches));
    scans.map(|scan| String::from_utf8(scan.path).unwrap()).collect()
}

#[test]
fn rule_1_what_is_out_of_date_does_not_count() {
    type Happens = fn(&mut Watches);
    let cases: [(&str, Happens, bool, &[&str]); 6] = [
        ("nothing", |_| {}, true, &[]),
        ("something elsewhere", |it| delete(it, "b"), true, &[]),
        ("the place is emptied", |it| delete(it, "a/new"), false, &["a/new"]),
        ("another one comes", |it| drop(create(it, "a/new")), false, &[]),
        ("what is above is moved", |it| rename(it, "a", "c"), false, &["c/new"]),
        (
            "what is above is moved there and back",
            |it| {
                rename(it, "a", "c");
                rename(it, "c", "a");
            },
            false,
            // It may have been a swap, after which something is still at c.
            &["c", "a/new"],
        ),
    ];
    for (what, happens, counts, again) in cases {
        let mut watches = watches(&[("a", 2), ("b", 3)]);
        let scan = create(&mut watches, "a/new");
        let listing = listing(scan.id, scan.place, Wd(4), "a/new");
        happens(&mut watches);
        assert_eq!(watches.listed(&listing, Time(0)).is_some(), counts, "{what}");
        assert_eq!(scanned_again(&mut watches), again, "{what}");
    }
}

#[test]
fn rule_1_an_event_that_may_be_older_than_a_watch_moves_nothing() {
    let mut watches = watches(&[]);
    let scan = create(&mut watches, "a");
    assert!(watches.listed(&listing(scan.id, scan.place, Wd(2), "a"), Time(0)).is_some());
    watches.scan_ended(scan.id);
    // Of the one that was there before, as the listing was ahead of this.
    rename(&mut watches, "a", "b");
    assert_eq!(watches.tree.node(Wd(2)), None);
    let scans = [next_scan(&mut watches).unwrap(), next_scan(&mut watches).unwrap()];
    assert_eq!(
        scans.each_ref().map(|scan| (&*scan.path, scan.watch)),
        [(&b"a"[..], true), (b"b", true)]
    );
    // What it tells until it is found is held for it.
    assert_eq!(watches.whose(&event(2, "file")), Whose::Nobody);
    let [there, elsewhere] = scans;
    let held = watches.listed(&listing(there.id, there.place, Wd(2), "a"), Time(0));
    assert_eq!(held.map(|events| events.len()), Some(1));
    assert!(watches.listed(&listing(elsewhere.id, elsewhere.place, Wd(3), "b"), Time(0)).is_some());
    watches.queue_was_read();
    rename(&mut watches, "a", "c");
    assert_eq!(watches.tree.node(Wd(2)), Some(node(&watches, "c")));
}

#[test]
fn rule_1_a_directory_that_was_elsewhere_meanwhile_is_read_once_more() {
    let mut watches = watches(&[("a", 2)]);
    let scan = create(&mut watches, "b");
    // It was moved to b unseen. What it told until now has counted for a.
    delete(&mut watches, "a");
    let listing = listing(scan.id, scan.place, Wd(2), "b");
    assert!(watches.listed(&listing, Time(0)).is_some());
    assert_eq!(path(&watches, 2).as_deref(), Some("b"));
    assert_eq!(scanned_again(&mut watches), ["b"]);
}

#[test]
fn rule_2_a_listing_that_contradicts_the_tree_wins() {
    // Where it is found, which it is; where the two are then, and what is scanned again.
    type Case<'a> = (&'a str, i32, [Option<&'a str>; 2], &'a [&'a str]);
    let cases: [Case<'_>; 4] = [
        ("a", 3, [None, Some("a")], &["a", "b"]),
        ("c", 2, [Some("c"), Some("b")], &["a", "c"]),
        ("b", 4, [Some("a"), None], &["b"]),
        ("a/c", 2, [Some("a"), Some("b")], &["a", "a/c"]),
    ];
    for (found, wd, expected, again) in cases {
        let mut watches = watches(&[("a", 2), ("b", 3)]);
        let scan = create(&mut watches, "other");
        let listing = listing(scan.id, place(&watches, found), Wd(wd), found);
        watches.listed(&listing, Time(0));
        let paths = [2, 3].map(|wd| path(&watches, wd));
        assert_eq!(paths.each_ref().map(Option::as_deref), expected, "{found}");
        let mut places = scanned_again(&mut watches);
        places.sort();
        assert_eq!(places, again, "{found}");
    }
}

#[test]
fn rule_2_a_directory_with_two_places_stays_at_the_last_one() {
    let mut watches = watches(&[("a", 2), ("b", 3)]);
    let mut scans = vec![create(&mut watches, "a/x"), create(&mut watches, "b/x")];
    let mut rounds = 0;
    loop {
        let now = watches.next_deadline().unwrap_or_default();
        watches.expire(now);
        scans.extend(std::iter::from_fn(|| next_scan(&mut watches)));
        if scans.is_empty() {
            break;
        }
        for scan in scans.drain(..) {
            let path = String::from_utf8(scan.path).unwrap();
            watches.listed(&listing(scan.id, scan.place, Wd(4), &path), now);
            watches.scan_ended(scan.id);
        }
        rounds += 1;
        assert!(rounds < 1_000, "it goes on for ever");
    }
    assert!(rounds > 10, "it may be on its way for a while");
    assert!(path(&watches, 4).is_some_and(|path| path.ends_with("/x")));
}

/// `a` has been moved away, another one has come in its place, and the first one into that.
#[test]
fn rule_2_a_directory_that_is_found_inside_itself_comes_to_lie_there() {
    let mut watches = watches(&[("a", 2)]);
    let mut scans = vec![Scan { path: b"a/c".into(), ..create(&mut watches, "a/c") }];
    for _ in 0..100 {
        for scan in scans.drain(..) {
            // A walk tells the directory that it is asked for, and what is below.
            let below = Place::In { parent: Wd(3), name: b"c"[..].into() };
            let told = match &*scan.path {
                b"a" => vec![(scan.place, 3, "a"), (below, 2, "a/c")],
                _ => vec![(scan.place, 2, "a/c")],
            };
            for (place, wd, path) in told {
                watches.listed(&listing(scan.id, place, Wd(wd), path), LATER);
            }
            watches.scan_ended(scan.id);
        }
        let Some(now) = watches.next_deadline() else { break };
        watches.expire(now);
        scans.extend(std::iter::from_fn(|| next_scan(&mut watches)));
    }
    assert_eq!([3, 2].map(|wd| path(&watches, wd)), ["a", "a/c"].map(|path| Some(path.to_owned())));
}

#[test]
fn rule_3_events_wait_for_their_directory() {
    let mut watches = watches(&[]);
    let scan = create(&mut watches, "a");
    assert_eq!(watches.whose(&event(2, "first")), Whose::Nobody);
    assert_eq!(watches.whose(&event(3, "stray")), Whose::Nobody);
    assert_eq!(watches.whose(&event(2, "second")), Whose::Nobody);
    let listing = listing(scan.id, scan.place, Wd(2), "a");
    let held = watches.listed(&listing, Time(0)).unwrap();
    assert_eq!(held, [event(2, "first"), event(2, "second")]);
    assert_eq!(taken_back(&mut watches), []);
    watches.scan_ended(scan.id);
    assert_eq!(taken_back(&mut watches), [Wd(3)], "no listing is to come");
    watches.whose(&event(9, "another stray"));
    assert_eq!(taken_back(&mut watches), [Wd(9)]);
}

#[test]
fn rule_3_of_too_many_events_those_are_kept_that_tell_what_went_and_the_rest_is_read_once_more() {
    let mut watches = watches(&[]);
    let scan = create(&mut watches, "a");
    let went = |name, bits| RawEvent { mask: bits, ..event(2, name) };
    watches.whose(&went("twice", mask::DELETE | mask::ISDIR));
    for number in 0..20 {
        watches.whose(&event(2, &number.to_string()));
    }
    watches.whose(&went("moved", mask::MOVED_FROM));
    for _ in 0..20 {
        watches.whose(&went("twice", mask::DELETE));
    }
    let (listing, place) = (listing(scan.id, scan.place.clone(), Wd(2), "a"), scan.place);
    let mut held = watches.listed(&listing, Time(0)).unwrap();
    held.sort_by(|one, other| (&one.name, one.mask).cmp(&(&other.name, other.mask)));
    let is_dir = |event: &RawEvent| event.name.starts_with(b"twice") && event.is_dir();
    assert!(held.iter().any(is_dir) && held.len() < 10, "{held:?}");
    assert_eq!(held[0], went("moved", mask::MOVED_FROM));
    let once_more = next_scan(&mut watches).unwrap();
    assert!(once_more.watch && once_more.place == place && once_more.path == b"a");
    assert!(watches.is_retry(once_more.id), "it is made equal as a whole");
    // Now it is in the tree, and its events are nothing that could become too many.
    watches.scan_ended(scan.id);
    assert_eq!(watches.whose(&event(2, "later")), Whose::Node(node(&watches, "a")));
    let again = Listing { scan: once_more.id, ..listing };
    assert_eq!(watches.listed(&again, Time(0)), Some(Vec::new()));
    assert_eq!(next_scan(&mut watches), None);
}

#[test]
fn rule_3_what_went_is_forgotten_only_where_it_is_too_much_and_the_scan_goes_on() {
    let mut watches = watches(&[]);
    let scan = create(&mut watches, "a");
    let mut forgot = 0;
    for number in 0..loose::NAMES_MAX + 100 {
        let went = RawEvent { mask: mask::DELETE, ..event(2, &number.to_string()) };
        forgot += usize::from(watches.whose(&went) == Whose::TooMany);
    }
    assert_eq!(forgot, 1);
    let held = watches.listed(&listing(scan.id, scan.place, Wd(2), "a"), Time(0)).unwrap();
    assert!(held.len() < loose::NAMES_MAX, "they are bounded");
    let once_more = next_scan(&mut watches).unwrap();
    assert!(watches.is_retry(once_more.id));
}

#[test]
fn rule_4_what_was_taken_back_is_dead() {
    let mut watches = watches(&[("a", 2)]);
    let scan = create(&mut watches, "b");
    // It leaves the root, so that its watch is taken back, and is found again where it came from.
    watches.moved_from(NodeId::ROOT, b"a", 7, Time(0));
    watches.expire(LATER);
    assert_eq!(taken_back(&mut watches), [Wd(2)]);
    let listing = listing(scan.id, scan.place, Wd(2), "b");
    assert!(watches.listed(&listing, LATER).is_none());
    assert_eq!(watches.whose(&event(2, "file")), Whose::Nobody);
    watches.expire(LATER + LATER.0);
    assert_eq!(next_scan(&mut watches).unwrap().path, b"b", "with a watch of its own");
}

#[test]
fn a_start_over_makes_earlier_scans_void_and_ends_the_watches_that_it_does_not_find() {
    let mut watches = watches(&[("a", 2), ("b", 3)]);
    let earlier = create(&mut watches, "c");
    watches.start(Origin::Start);
    let scan = next_scan(&mut watches).unwrap();
    let void = listing(earlier.id, earlier.place, Wd(4), "c");
    assert!(watches.listed(&void, Time(0)).is_none());
    watches.listed(&listing(scan.id, Place::Root, ROOT_WD, ""), Time(0));
    watches.listed(&listing(scan.id, place(&watches, "b"), Wd(3), "b"), Time(0));
    assert!(watches.listed(&void, Time(0)).is_none(), "its place is there again, and it is void");
    watches.scan_ended(scan.id);
    assert!(watches.is_complete() && !watches.sees_everything(), "the void one has not ended");
    assert_eq!(taken_back(&mut watches), [Wd(2)]);
    assert_eq!(watches.scan_ended(earlier.id).as_deref(), Some(&b"c"[..]));
    assert!(watches.sees_everything());
}

#[test]
fn with_another_inotify_instance_nothing_of_the_earlier_one_counts() {
    let mut watches = watches(&[("a", 2)]);
    let earlier = create(&mut watches, "c");
    watches.moved_from(NodeId::ROOT, b"a", 7, Time(0));
    watches.expire(LATER);
    watches.forget();
    watches.start(Origin::Start);
    assert_eq!(taken_back(&mut watches), [], "2 may be another directory's now");
    let scan = ScanId(earlier.id.0 + 1);
    let void = listing(earlier.id, earlier.place, Wd(2), "c");
    assert!(watches.listed(&void, LATER).is_none());
    watches.listed(&listing(scan, Place::Root, ROOT_WD, ""), LATER);
    let a = listing(scan, place(&watches, "a"), Wd(2), "a");
    assert!(watches.listed(&a, LATER).is_some(), "it is not dead");
    watches.scan_ended(scan);
    assert!(
        watches.is_complete() && watches.sees_everything(),
        "the earlier one may end at any time"
    );
    assert_eq!(watches.scan_ended(earlier.id), None);
}

#[test]
fn what_a_mount_hides_is_unwatched_and_what_it_shows_is_read() {
    let mut watches = watches(&[("a", 2), ("a/at", 3), ("a/at/below", 4)]);
    assert!(watches.mount_changed(b"a/at", true, Time(0)));
    let scan = std::iter::from_fn(|| watches.take_action()).collect::<Vec<_>>();
    let scan = match scan.as_slice() {
        [WatchAction::RemoveWatch(_), WatchAction::RemoveWatch(_), WatchAction::Scan(scan)] => scan,
        other => panic!("{other:?}"),
    };
    assert!(scan.path == b"a/at" && watches.is_retry(scan.id), "it is made equal as a whole");
    let found = listing(scan.id, scan.place.clone(), Wd(5), "a/at");
    assert!(watches.listed(&found, Time(0)).is_some());
    watches.scan_ended(scan.id);
    assert_eq!(watches.tree.node(Wd(5)), Some(node(&watches, "a/at")));
    // What goes leaves nothing that would have to be made equal.
    assert!(watches.mount_changed(b"a/at", false, Time(0)));
    let scan = next_scan(&mut watches).unwrap();
    assert!(scan.path == b"a/at" && !watches.is_retry(scan.id));
    // A place that is not known may be found as long as something is being read.
    assert!(!watches.mount_changed(b"new/at", true, Time(0)));
    watches.scan_ended(scan.id);
    assert!(watches.mount_changed(b"new/at", true, Time(0)), "it is left out");
}

#[test]
fn after_what_may_be_a_swap_renames_are_not_taken_at_their_word() {
    let mut watches = watches(&[("a", 2), ("b", 3)]);
    rename(&mut watches, "a", "c");
    assert!(!next_scan(&mut watches).unwrap().watch, "it keeps its watches, and is only read");
    // As the kernel tells that c and b have changed places.
    rename(&mut watches, "c", "b");
    assert!(next_scan(&mut watches).unwrap().watch);
    rename(&mut watches, "b", "c");
    assert!(next_scan(&mut watches).unwrap().watch);
}
