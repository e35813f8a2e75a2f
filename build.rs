//! Tells the program what `--version` shows: the target it was built for, and when.
//!
//! With `SOURCE_DATE_EPOCH` set, the time is that one, so that the same source gives the same
//! binary (<https://reproducible-builds.org/specs/source-date-epoch/>).

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

const EPOCH_VARIABLE: &str = "SOURCE_DATE_EPOCH";

fn main() {
    println!("cargo:rerun-if-env-changed={EPOCH_VARIABLE}");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.toml");
    let target = env::var("TARGET").expect("cargo sets TARGET for build scripts");
    println!("cargo:rustc-env=SERSYNC_TARGET={target}");
    println!("cargo:rustc-env=SERSYNC_BUILD_TIME={}", utc(build_time_s()));
}

/// Seconds since 1970.
fn build_time_s() -> u64 {
    match env::var(EPOCH_VARIABLE) {
        Ok(text) => text
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{EPOCH_VARIABLE}={text} is not a number of seconds")),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
    }
}

/// `2026-01-31T12:00:00Z`.
fn utc(time_s: u64) -> String {
    let (days, second) = (time_s / 86_400, time_s % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day in the Gregorian calendar, so many days after 1970-01-01. Years are counted
/// from March, which puts the leap day at a year's end and makes the lengths of the months regular.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468; // from 0000-03-01
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}
