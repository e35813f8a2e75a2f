//! Days and years on clocks of several zones, that are set, changed and jumped over.

use super::*;
use crate::config::TimeOfDay;

/// Rules of a zone: the offset at first, and its changes.
type Rules = (i64, &'static [(i64, i64)]);

const HOUR_S: i64 = 3600;

const SHANGHAI: Rules = (8 * HOUR_S, &[]);
/// 2026: forward on 29 March and back on 25 October, both at 01:00 UTC.
const BERLIN: Rules = (HOUR_S, &[(1_774_746_000, 2 * HOUR_S), (1_792_890_000, HOUR_S)]);
/// 2026: forward on 8 March, 07:00 UTC; back on 1 November, 06:00 UTC.
const NEW_YORK: Rules =
    (-5 * HOUR_S, &[(1_772_953_200, -4 * HOUR_S), (1_793_512_800, -5 * HOUR_S)]);
/// 2018: back at midnight to 23:00 on 17 February (02:00 UTC of the 18th), forward at midnight on 4
/// November (03:00 UTC).
const SAO_PAULO: Rules =
    (-2 * HOUR_S, &[(1_518_919_200, -3 * HOUR_S), (1_541_300_400, -2 * HOUR_S)]);
/// 2011: the 30th of December was left out, 10:00 UTC.
const APIA: Rules = (-10 * HOUR_S, &[(1_325_239_200, 14 * HOUR_S)]);

fn offset_s(rules: Rules, utc_s: i64) -> i64 {
    let changes = rules.1.iter().take_while(|(from, _)| *from <= utc_s);
    changes.last().map_or(rules.0, |(_, offset_s)| *offset_s)
}

fn wall(rules: Rules, utc_s: i64) -> Wall {
    Wall { utc_s, zone: Zone::around(utc_s, |at| offset_s(rules, at)) }
}

/// Seconds since 1970 of a date and time in UTC.
fn seconds(date: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| date[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Counted in years that begin in March, so that the odd day comes last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    (days - 719_469) * DAY_S + number(11..13) * HOUR_S + number(14..16) * 60
}

fn at(times: &[&str]) -> config::Timetable {
    let time = |text: &&str| {
        let (hour, minute) = text.split_once(':').unwrap();
        TimeOfDay { hour: hour.parse().unwrap(), minute: minute.parse().unwrap() }
    };
    config::Timetable::At(times.iter().map(time).collect())
}

#[test]
fn dates_of_the_tests_are_right() {
    for (date, expected) in [
        ("1970-01-01 00:00", 0),
        ("2026-03-29 01:00", BERLIN.1[0].0),
        ("2026-10-25 01:00", BERLIN.1[1].0),
        ("2026-03-08 07:00", NEW_YORK.1[0].0),
        ("2026-11-01 06:00", NEW_YORK.1[1].0),
        ("2018-02-18 02:00", SAO_PAULO.1[0].0),
        ("2018-11-04 03:00", SAO_PAULO.1[1].0),
        ("2011-12-30 10:00", APIA.1[0].0),
    ] {
        assert_eq!(seconds(date), expected, "{date}");
    }
}

#[test]
fn a_time_of_day_has_its_moment() {
    for (rules, local, expected) in [
        (SHANGHAI, "2026-03-29 02:30", "2026-03-28 18:30"),
        (BERLIN, "2026-03-29 01:59", "2026-03-29 00:59"),
        // Never shown: the first moment after it.
        (BERLIN, "2026-03-29 02:00", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 02:59", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 03:00", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 03:01", "2026-03-29 01:01"),
        // Shown twice: the first time.
        (BERLIN, "2026-10-25 01:59", "2026-10-24 23:59"),
        (BERLIN, "2026-10-25 02:00", "2026-10-25 00:00"),
        (BERLIN, "2026-10-25 02:59", "2026-10-25 00:59"),
        (BERLIN, "2026-10-25 03:00", "2026-10-25 02:00"),
        (NEW_YORK, "2026-03-08 02:30", "2026-03-08 07:00"),
        (NEW_YORK, "2026-11-01 01:30", "2026-11-01 05:30"),
        (NEW_YORK, "2026-11-01 02:00", "2026-11-01 07:00"),
        (SAO_PAULO, "2018-02-17 23:30", "2018-02-18 01:30"),
        (SAO_PAULO, "2018-02-18 00:00", "2018-02-18 03:00"),
        (SAO_PAULO, "2018-11-04 00:00", "2018-11-04 03:00"),
        (APIA, "2011-12-30 12:00", "2011-12-30 10:00"),
        (APIA, "2011-12-31 00:00", "2011-12-30 10:00"),
    ] {
        let local_s = seconds(local);
        for hours in [-30, -14, -1, 0, 1, 14, 30] {
            let zone = wall(rules, seconds(expected) + hours * HOUR_S).zone;
            assert_eq!(zone.first_moment_s(local_s), seconds(expected), "{local} {hours}");
        }
    }
}

/// Lives through `days` from `start` on, by the timeouts alone: what clocks showed at each run.
fn live(rules: Rules, times: &[&str], start: &str, days: i64) -> Vec<i64> {
    let start_s = seconds(start);
    let mut now = Time(5_000);
    let mut schedule = Schedule::new(&at(times), now, wall(rules, start_s));
    let mut shown = Vec::new();
    loop {
        let utc_s = start_s + i64::try_from(now.0 / 1000).unwrap() - 5;
        if utc_s > start_s + days * DAY_S {
            return shown;
        }
        let wall = wall(rules, utc_s);
        while let Some(due) = schedule.poll(now, wall, false) {
            assert_eq!(due.late_s, 0);
            shown.push(wall.zone.local_s(utc_s));
        }
        let next = schedule.timeout(now, wall, false).unwrap();
        assert!(next > now && next.since(now) <= LOOK_MS, "a loop without a wait");
        now = next;
    }
}

#[test]
fn every_day_of_a_year_has_its_runs_at_their_times() {
    for (rules, name) in [(SHANGHAI, "Shanghai"), (BERLIN, "Berlin"), (NEW_YORK, "New York")] {
        for times in [&["02:30"][..], &["00:00", "03:00", "15:30"], &["01:30", "23:59"]] {
            let shown = live(rules, times, "2026-01-01 12:00", 364);
            let days: Vec<i64> = shown.iter().map(|shown| shown.div_euclid(DAY_S)).collect();
            let each = days.chunk_by(|one, other| one == other).map(<[i64]>::len);
            let partial = each.clone().filter(|count| *count != times.len()).count();
            assert!(each.count() >= 364 && partial <= 2, "{name} {times:?}");
            let odd: Vec<i64> = shown
                .iter()
                .map(|shown| shown.rem_euclid(DAY_S))
                .filter(|shown| {
                    !times.contains(&&*format!("{:02}:{:02}", shown / 3600, shown / 60 % 60))
                })
                .collect();
            let forward = rules != SHANGHAI && times == ["02:30"];
            assert_eq!(odd, if forward { vec![3 * HOUR_S] } else { vec![] }, "{name} {times:?}");
        }
    }
}

#[test]
fn a_day_that_is_left_out_has_its_run_when_the_next_begins() {
    let shown = live(APIA, &["12:00"], "2011-12-29 00:00", 3);
    let expected = ["2011-12-29 12:00", "2011-12-31 00:00", "2011-12-31 12:00", "2012-01-01 12:00"];
    assert_eq!(shown, expected.map(seconds));
}

/// What the clock shows in Berlin (winter), one after the other, and whether a run is due then.
type Story = (&'static str, &'static [&'static str], &'static [(&'static str, bool)]);

const STORIES: &[Story] = &[
    (
        "nothing from before the start is owed",
        &["03:00"],
        &[("2026-01-05 03:01", false), ("2026-01-06 02:59", false), ("2026-01-06 03:00", true)],
    ),
    (
        "set back by hours: not twice",
        &["03:00"],
        &[
            ("2026-01-05 02:00", false),
            ("2026-01-05 03:00", true),
            ("2026-01-05 01:00", false),
            ("2026-01-05 03:00", false),
            ("2026-01-06 03:00", true),
        ],
    ),
    (
        "set back over midnight, and over several times: none twice, none skipped",
        &["03:00", "15:30"],
        &[
            ("2026-01-05 02:00", false),
            ("2026-01-05 03:00", true),
            ("2026-01-05 15:30", true),
            ("2026-01-04 20:00", false),
            ("2026-01-05 03:00", false),
            ("2026-01-05 15:30", false),
            ("2026-01-06 03:00", true),
        ],
    ),
    (
        "set forward over the time: late, not skipped",
        &["03:00"],
        &[("2026-01-05 02:00", false), ("2026-01-05 09:00", true), ("2026-01-05 09:01", false)],
    ),
    (
        "set forward and back again: once",
        &["03:00"],
        &[
            ("2026-01-05 02:00", false),
            ("2026-01-05 09:00", true),
            ("2026-01-05 02:01", false),
            ("2026-01-05 03:00", false),
            ("2026-01-06 03:00", true),
        ],
    ),
    (
        "asleep for days: once",
        &["03:00", "15:30"],
        &[("2026-01-05 02:00", false), ("2026-01-09 20:00", true), ("2026-01-09 20:01", false)],
    ),
    (
        "a clock that was wrong by years: the next day's run comes",
        &["03:00"],
        &[
            ("2031-01-05 02:00", false),
            ("2031-01-05 03:00", true),
            ("2026-01-05 02:00", false),
            ("2026-01-05 03:00", true),
        ],
    ),
    (
        "a clock that started in 1970",
        &["03:00"],
        &[("1970-01-05 12:00", false), ("2026-01-05 02:00", true), ("2026-01-05 03:00", true)],
    ),
];

#[test]
fn whatever_the_clock_does_each_day_has_its_run_once() {
    for (what, times, steps) in STORIES {
        let berlin = |shown: &str| wall(BERLIN, seconds(shown) - HOUR_S);
        let mut schedule = Schedule::new(&at(times), Time(0), berlin(steps[0].0));
        for (number, (shown, due)) in steps.iter().enumerate() {
            let now = Time(number as u64);
            let wall = berlin(shown);
            let timeout = schedule.timeout(now, wall, false).unwrap();
            assert_eq!(timeout == now, *due, "{what}: timeout at {shown}");
            assert_eq!(schedule.poll(now, wall, false).is_some(), *due, "{what}: {shown}");
        }
    }
}

#[test]
fn what_falls_due_during_a_run_is_due_once_afterwards() {
    let wall_at = |shown: &str| wall(SHANGHAI, seconds(shown) - 8 * HOUR_S);
    let mut schedule =
        Schedule::new(&at(&["03:00", "04:00"]), Time(0), wall_at("2026-01-05 02:00"));
    let later = wall_at("2026-01-05 04:10");
    assert_eq!(schedule.poll(Time(1), later, true), None);
    assert_eq!(schedule.timeout(Time(1), later, true), None);
    assert_eq!(schedule.poll(Time(2), later, false), Some(Due { late_s: 600 }));
    assert_eq!(schedule.poll(Time(3), later, false), None);
}

#[test]
fn an_interval_counts_from_the_start_of_the_last_and_knows_no_wall_clock() {
    let mut schedule = Schedule::new(&config::Timetable::Every(60), Time(500), wall(BERLIN, 0));
    for (now, running, expected) in [
        (60_499, false, None),
        (60_500, false, Some(0)),
        (60_500, false, None),
        // It still runs when the next is due: that one starts late, and counts from then.
        (120_500, true, None),
        (130_500, false, Some(10)),
        (190_499, false, None),
        (190_500, false, Some(0)),
        // Several that were missed are one.
        (1_000_500, false, Some(750)),
        (1_060_499, false, None),
        (1_060_500, false, Some(0)),
    ] {
        let wall = wall(BERLIN, i64::try_from(now).unwrap() * 1_000_000 % 777_777_777);
        let timeout = schedule.timeout(Time(now), wall, running);
        assert_eq!(timeout.is_some_and(|time| time <= Time(now)), expected.is_some(), "{now}");
        let due = schedule.poll(Time(now), wall, running).map(|due| due.late_s);
        assert_eq!(due, expected, "{now}");
    }
}
