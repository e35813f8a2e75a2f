//! What the intervals of the configuration mean: a bare number is minutes, which is often taken for
//! seconds. Pure.

use super::finding::Finding;
use crate::config::units::spoken;
use crate::config::{Config, CrontabSettings, Timetable};

const DAY_S: u64 = 86_400;
/// A full sync more often than this keeps the remotes busy with nothing else.
const FULL_SYNC_S_MIN: u64 = 60;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    // A plugin that runs alone syncs nothing.
    if config.roots.iter().all(|root| root.remotes.is_empty()) {
        return Vec::new();
    }
    let crontab = config.crontab.as_ref();
    [Some(fail_log(config.fail_log.every_s)), crontab.map(|it| full_sync(it, config.events.delete))]
        .into_iter()
        .flatten()
        .collect()
}

fn fail_log(every_s: u64) -> Finding {
    let place = "failLog timeToExecute";
    let text = format!("what failed is tried again every {}", spoken(every_s));
    if every_s > DAY_S {
        let hint =
            format!("{text}, at the latest; a number without a unit is minutes: write 60s, 1h");
        return Finding::warning(place, hint);
    }
    Finding::note(place, format!("{text}, and as soon as its remote is back"))
}

fn full_sync(crontab: &CrontabSettings, deletes: bool) -> Finding {
    let (place, when) = match &crontab.timetable {
        Timetable::Every(seconds) => ("crontab schedule", format!("every {}", spoken(*seconds))),
        Timetable::At(times) => {
            let times: Vec<_> = times.iter().map(ToString::to_string).collect();
            ("crontab at", format!("at {}, local time", times.join(" and ")))
        }
    };
    let what = match deletes {
        true => "which deletes what only the remotes have",
        false => "which deletes nothing, since delete is off in inotify",
    };
    let text = format!("a full sync {when}, {what}");
    match &crontab.timetable {
        Timetable::Every(seconds) if *seconds < FULL_SYNC_S_MIN => Finding::warning(
            place,
            format!("{text}; that is often: write 600 for ten hours, or 1h"),
        ),
        Timetable::Every(_) | Timetable::At(_) => Finding::note(place, text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{self, Note, Warning};
    use super::*;
    use crate::config::TimeOfDay;

    fn said(finding: &Finding) -> (Severity, &str) {
        (finding.severity, &finding.text)
    }

    #[test]
    fn the_fail_log_says_its_interval_with_the_unit() {
        for (every_s, severity, start) in [
            (3_600, Note, "what failed is tried again every 1 hour, and"),
            (60, Note, "what failed is tried again every 1 minute, and"),
            (DAY_S, Note, "what failed is tried again every 1 day, and"),
            (
                216_000,
                Warning,
                "what failed is tried again every 60 hours, at the latest; a number",
            ),
        ] {
            let finding = fail_log(every_s);
            assert_eq!(finding.severity, severity, "{every_s}");
            assert!(finding.text.starts_with(start), "{}", finding.text);
        }
    }

    #[test]
    fn the_full_sync_says_when_and_whether_it_deletes() {
        let at = |hour| TimeOfDay { hour, minute: 30 };
        let crontab = |timetable| CrontabSettings { timetable, excludes: Vec::new() };
        assert_eq!(
            said(&full_sync(&crontab(Timetable::Every(36_000)), true)),
            (Note, "a full sync every 10 hours, which deletes what only the remotes have")
        );
        let times = crontab(Timetable::At(vec![at(3), at(15)]));
        assert_eq!(
            said(&full_sync(&times, false)),
            (
                Note,
                "a full sync at 03:30 and 15:30, local time, which deletes nothing, since delete is \
                 off in inotify"
            )
        );
        assert_eq!(full_sync(&crontab(Timetable::Every(10)), true).severity, Warning);
    }
}
