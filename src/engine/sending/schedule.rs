//! When the next full sync is due that nothing but time asks for.
//!
//! One [`Schedule`] for each remote; the engine asks it. An interval is counted on the clock that
//! only goes forward. Times of day are those of the clock on the wall, which people, the network and
//! summer time set: a day's time comes once, whatever they do. The clock is not read here: it comes
//! in as a [`Wall`], with the part of the time zone's rules that matters now.

use crate::config;
use crate::engine::time::Time;

/// The clock on the wall is looked at so often at least, while a time of day is waited for: nobody
/// tells a program that the clock was set, or that the machine has slept.
const LOOK_MS: u64 = 600_000;
const DAY_S: i64 = 86_400;
/// A zone's change is looked for this far to either side: the latest and the next time of day lie
/// within two days, and no zone changes twice in six.
const ZONE_S: i64 = 3 * DAY_S;

/// What the clock on the wall shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    /// Seconds since 1970.
    pub utc_s: i64,
    /// The local time around it.
    pub zone: Zone,
}

/// The rules of local time for some days: seconds ahead of UTC, and the change in them, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// Before the change.
    pub offset_s: i64,
    /// From when on there is another offset, and which.
    pub change: Option<(i64, i64)>,
}

impl Zone {
    /// The rules around a moment, from a function that knows the offset at each.
    pub fn around(utc_s: i64, offset_s_at: impl Fn(i64) -> i64) -> Zone {
        let (mut before, mut from) = (utc_s - ZONE_S, utc_s + ZONE_S);
        let (offset_s, later_s) = (offset_s_at(before), offset_s_at(from));
        if offset_s == later_s {
            return Zone { offset_s, change: None };
        }
        while before + 1 < from {
            let middle = before + (from - before) / 2;
            if offset_s_at(middle) == offset_s {
                before = middle;
            } else {
                from = middle;
            }
        }
        Zone { offset_s, change: Some((from, later_s)) }
    }

    /// What clocks show at a moment, counted as if they showed UTC.
    fn local_s(self, utc_s: i64) -> i64 {
        utc_s
            + match self.change {
                Some((from, offset_s)) if utc_s >= from => offset_s,
                Some(_) | None => self.offset_s,
            }
    }

    /// The first moment at which clocks show `local_s` or more: what is shown twice counts the first
    /// time, and what is never shown counts when it has been jumped over.
    fn first_moment_s(self, local_s: i64) -> i64 {
        let unchanged_s = local_s - self.offset_s;
        match self.change {
            Some((from, offset_s)) if unchanged_s >= from => from.max(local_s - offset_s),
            Some(_) | None => unchanged_s,
        }
    }
}

/// A full sync is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// So many seconds after its time: the machine slept, the clock was set, or another one ran.
    pub late_s: u64,
}

/// When one remote is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(When);

#[derive(Debug, Clone, PartialEq, Eq)]
enum When {
    Every {
        period_ms: u64,
        next: Time,
    },
    At {
        /// Seconds after midnight, sorted.
        times_s: Vec<i64>,
        /// The last one that is not owed any more, as the seconds that clocks showed.
        done_s: i64,
    },
}

impl Schedule {
    /// A schedule that starts now: what was due before is not owed.
    pub fn new(schedule: &config::Timetable, now: Time, wall: Wall) -> Schedule {
        Schedule(match schedule {
            config::Timetable::Every(seconds) => {
                let period_ms = seconds.saturating_mul(1000);
                When::Every { period_ms, next: now + period_ms }
            }
            config::Timetable::At(times) => {
                let seconds = |time: &config::TimeOfDay| {
                    i64::from(time.hour) * 3600 + i64::from(time.minute) * 60
                };
                let times_s: Vec<i64> = times.iter().map(seconds).collect();
                let done_s = latest_s(&times_s, wall);
                When::At { times_s, done_s }
            }
        })
    }

    /// Whether a full sync is due; it counts as started then. While one is `running` for this
    /// remote, or is to run already, none is due; what falls due meanwhile is due once, afterwards.
    pub fn poll(&mut self, now: Time, wall: Wall, running: bool) -> Option<Due> {
        if running {
            return None;
        }
        match &mut self.0 {
            When::Every { next, .. } if now < *next => None,
            When::Every { period_ms, next } => {
                let late_s = now.since(*next) / 1000;
                *next = now + *period_ms;
                Some(Due { late_s })
            }
            When::At { times_s, done_s } => {
                let latest_s = latest_s(times_s, wall);
                // Set back by hours: today's came already. By more than a day: the clock had been
                // wrong, and to wait for what it once showed could take years.
                let from_a_wrong_clock = *done_s > wall.zone.local_s(wall.utc_s) + DAY_S;
                let due = latest_s > *done_s;
                if due || from_a_wrong_clock {
                    *done_s = latest_s;
                }
                let moment_s = wall.zone.first_moment_s(latest_s);
                due.then(|| Due { late_s: u64::try_from(wall.utc_s - moment_s).unwrap_or(0) })
            }
        }
    }

    /// When to poll again at the latest; `None` while one is `running`: then when it has ended.
    pub fn timeout(&self, now: Time, wall: Wall, running: bool) -> Option<Time> {
        if running {
            return None;
        }
        match &self.0 {
            When::Every { next, .. } => Some(*next),
            When::At { times_s, done_s } => {
                if latest_s(times_s, wall) > *done_s {
                    return Some(now);
                }
                let ahead = around(times_s, wall).find(|(moment_s, _)| *moment_s > wall.utc_s);
                let wait_s = ahead.map_or(0, |(moment_s, _)| moment_s - wall.utc_s);
                let wait_ms = u64::try_from(wait_s).unwrap_or(0).saturating_mul(1000);
                Some(now + wait_ms.min(LOOK_MS))
            }
        }
    }
}

/// The latest time of day that has come, as the seconds that clocks showed.
fn latest_s(times_s: &[i64], wall: Wall) -> i64 {
    let come = around(times_s, wall).take_while(|(moment_s, _)| *moment_s <= wall.utc_s);
    come.last().map_or(i64::MIN, |(_, local_s)| local_s)
}

/// The times of yesterday, today and tomorrow: their moments, and the seconds that clocks show then.
fn around(times_s: &[i64], wall: Wall) -> impl Iterator<Item = (i64, i64)> + '_ {
    let midnight_s = wall.zone.local_s(wall.utc_s).div_euclid(DAY_S) * DAY_S;
    [-DAY_S, 0, DAY_S].into_iter().flat_map(move |day_s| {
        times_s.iter().map(move |time_s| {
            let local_s = midnight_s + day_s + time_s;
            (wall.zone.first_moment_s(local_s), local_s)
        })
    })
}

#[cfg(test)]
mod tests;
