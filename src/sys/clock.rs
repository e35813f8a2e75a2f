//! The clocks that people and files go by: local time, and the time that files are stamped with.
//!
//! The clock that only goes forward is std's. Called by the loop, which hands both on as values, and
//! by the log for its lines.
#![allow(unsafe_code)]

use nix::time::{clock_gettime, ClockId};
use std::time::{Duration, SystemTime};

/// A tick of the slowest kernels. Files are stamped with the time of the last tick.
const TICK: Duration = Duration::from_millis(10);

/// A time in nanoseconds since 1970: every file that changes from now on is stamped with this one
/// or a later one. It is up to a tick behind the clock, as the stamps are. Files of a network file
/// system are stamped by their server's clock, of which this says nothing.
pub fn file_stamp_ns() -> u64 {
    let coarse = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).map(Duration::from);
    // Kernels before 2.6.32 do not tell the time of the last tick.
    let stamp = coarse.unwrap_or_else(|_| since_1970().saturating_sub(TICK));
    u64::try_from(stamp.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since the start of the machine, sleep included, whatever is done to the clock on the wall; `None` on
/// kernels before 2.6.39.
pub fn since_boot_ns() -> Option<u64> {
    let passed = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).ok()?;
    u64::try_from(passed.as_nanos()).ok()
}

/// What the clock on the wall shows now, in seconds since 1970.
pub fn unix_s() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}

/// The same in milliseconds.
pub fn unix_ms() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// How far local time, in the zone of `TZ` or `/etc/localtime`, is ahead of UTC at a moment, in seconds;
/// 0 for one without a date.
pub fn offset_s(utc_s: i64) -> i64 {
    // 32 bits where the machine has.
    let offset_s: libc::c_long = local(utc_s).map_or(0, |local| local.tm_gmtoff);
    offset_s as i64
}

/// Local time now, as log lines begin with it: `2026-01-31T13:00:00.123+01:00`.
pub fn stamp() -> String {
    let now = since_1970();
    let utc_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let Some(local) = local(utc_s) else { return "at an unknown time".into() };
    let (year, month) = (local.tm_year + 1900, local.tm_mon + 1);
    let (day, hour, minute, second) = (local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
    let sign = if local.tm_gmtoff < 0 { '-' } else { '+' };
    let offset_min = local.tm_gmtoff.unsigned_abs() / 60;
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}{sign}{:02}:{:02}",
        now.subsec_millis(),
        offset_min / 60,
        offset_min % 60
    )
}

/// A moment in the zone of `TZ` or `/etc/localtime`; `None` for one without a date.
fn local(utc_s: i64) -> Option<libc::tm> {
    // The C library's own type has 32 bits where the machine has; until 2038 nothing is lost.
    let moment = utc_s as _;
    // SAFETY: zeros are a valid `tm`: its numbers are 0 and its pointer is null.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that outlive the call. It reads TZ, which nothing in this
    // program ever sets.
    let filled = unsafe { libc::localtime_r(&raw const moment, &raw mut local) };
    (!filled.is_null()).then_some(local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Set for the child process that runs one of these tests in another zone.
    const IN_ZONE: &str = "SERSYNC_TEST_IN_ZONE";

    #[test]
    fn offsets_are_those_of_the_zone() {
        // As POSIX writes zones, so that no zone files are needed; 2026's change is at 01:00 UTC.
        const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
        const FORWARD_S: i64 = 1_774_746_000;
        if std::env::var_os(IN_ZONE).is_some() {
            assert_eq!([FORWARD_S - 1, FORWARD_S].map(offset_s), [3600, 7200]);
            return;
        }
        // A process of its own: the environment of this one belongs to all tests.
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "sys::clock::tests::offsets_are_those_of_the_zone"]);
        let output = child.env("TZ", BERLIN).env(IN_ZONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn the_log_has_local_time_with_its_offset() {
        const WEST: &str = "XXX+3:30";
        if std::env::var_os(IN_ZONE).is_some() {
            let before = since_1970().as_secs();
            let stamp = stamp();
            let shown = (before..=since_1970().as_secs()).map(|utc_s| {
                let local_s = utc_s - 12_600;
                format!("T{:02}:{:02}:{:02}.", local_s / 3600 % 24, local_s / 60 % 60, local_s % 60)
            });
            assert!(shown.into_iter().any(|time| stamp.contains(&time)), "{stamp}");
            let expected = r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}-03:30\z";
            assert!(regex_lite::Regex::new(expected).unwrap().is_match(&stamp), "{stamp}");
            return;
        }
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "sys::clock::tests::the_log_has_local_time_with_its_offset"]);
        let output = child.env("TZ", WEST).env(IN_ZONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn no_file_is_stamped_before_its_time() {
        let home = tempfile::tempdir().unwrap();
        for round in 0..200 {
            let stamp_ns = u128::from(file_stamp_ns());
            let file = home.path().join(round.to_string());
            std::fs::write(&file, "").unwrap();
            let modified = file.metadata().unwrap().modified().unwrap();
            let file_ns = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
            assert!(file_ns >= stamp_ns, "{file_ns} {stamp_ns}");
            assert!(
                file_ns < stamp_ns + Duration::from_secs(10).as_nanos(),
                "{file_ns} {stamp_ns}"
            );
        }
    }
}
