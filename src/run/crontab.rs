//! The scheduled full syncs, one schedule for each remote. The event loop asks after every round.

use crate::config;
use crate::engine::sending::schedule::{Schedule, Wall, Zone};
use crate::engine::succession::Succession;
use crate::engine::time::Time;
use crate::engine::RemoteId;
use crate::sys::clock;

/// The schedules of all remotes; none if `crontab` is off.
#[derive(Debug, Default)]
pub struct Crontab {
    schedules: Vec<Schedule>,
    /// What the clock on the wall showed when it was looked at last, and when that was. Only schedules with a
    /// time of day need it.
    wall: Option<(Wall, Time)>,
}

/// The clock on the wall is looked at once in this time.
const WALL_MS: u64 = 1_000;

impl Crontab {
    /// For so many remotes, starting now.
    pub fn new(crontab: Option<&config::CrontabSettings>, remotes: usize, now: Time) -> Crontab {
        let Some(crontab) = crontab else { return Crontab::default() };
        let wall = wall_now();
        let schedule = Schedule::new(&crontab.timetable, now, wall);
        Crontab { schedules: vec![schedule; remotes], wall: Some((wall, now)) }
    }

    /// The remotes have become others: those that stay keep their next time.
    pub fn change_remotes(
        &mut self,
        succession: &Succession,
        crontab: Option<&config::CrontabSettings>,
        now: Time,
    ) {
        let Some(crontab) = crontab else { return };
        let new = || Schedule::new(&crontab.timetable, now, wall_now());
        self.schedules = succession.carry(std::mem::take(&mut self.schedules), new);
    }

    /// The remotes whose full sync is due now. `owed` says whether a remote has a full sync on its way, or is
    /// to get one anyway.
    pub fn due(&mut self, now: Time, owed: impl Fn(RemoteId) -> bool) -> Vec<RemoteId> {
        let Some(wall) = self.look(now) else { return Vec::new() };
        let schedules = self.schedules.iter_mut().enumerate();
        schedules
            .filter_map(|(number, schedule)| {
                let id = RemoteId(number);
                schedule.poll(now, wall, owed(id)).map(|due| {
                    if due.late_s > 0 {
                        log::info!("the scheduled full sync is {} s late", due.late_s);
                    }
                    id
                })
            })
            .collect()
    }

    /// When to ask again, at the latest.
    pub fn timeout(&self, now: Time, owed: impl Fn(RemoteId) -> bool) -> Option<Time> {
        let (wall, _) = self.wall?;
        let schedules = self.schedules.iter().enumerate();
        schedules
            .filter_map(|(number, schedule)| schedule.timeout(now, wall, owed(RemoteId(number))))
            .min()
    }

    fn look(&mut self, now: Time) -> Option<Wall> {
        let (wall, at) = self.wall.as_mut()?;
        if now.since(*at) >= WALL_MS {
            (*wall, *at) = (wall_now(), now);
        }
        Some(*wall)
    }
}

/// What the clock on the wall shows now.
fn wall_now() -> Wall {
    let utc_s = clock::unix_s();
    Wall { utc_s, zone: Zone::around(utc_s, clock::offset_s) }
}
