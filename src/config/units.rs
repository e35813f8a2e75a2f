//! Times with a unit: `60`, `60s`, `60m`, `1h`; and times of day: `03:00`.
//!
//! Owns how a time is written. The caller knows which times make sense, and which unit a number has that
//! is written without one: `failLog` and `crontab` count in minutes, `timeout` in seconds.

use super::settings::TimeOfDay;
use std::time::Duration;

/// The unit of a number that is written without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
}

/// Reads a time; `None` if it is not a whole number with one of the units `ms`, `s`, `m`, `h`, `d`
/// or none, or too large to be counted.
pub fn duration(text: &str, bare: Unit) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit_ms: u64 = match (unit.trim(), bare) {
        ("ms", _) => 1,
        ("s", _) | ("", Unit::Seconds) => 1000,
        ("m", _) | ("", Unit::Minutes) => 60_000,
        ("h", _) => 3_600_000,
        ("d", _) => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

/// An interval in seconds as people say it, in the largest unit of which it is a whole number.
pub fn spoken(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let fits = |(unit_s, _): &(u64, &str)| seconds / unit_s * unit_s == seconds && seconds > 0;
    let (unit_s, name) = units.into_iter().find(fits).unwrap_or((1, "second"));
    match seconds / unit_s {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    }
}

/// Reads a time of day, `03:00` or `3:00`.
pub fn time_of_day(text: &str) -> Option<TimeOfDay> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |digits: &str, end: u8| {
        let plain = digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number: &u8| plain && *number < end)
    };
    let minute = Some(minute).filter(|minute| minute.len() == 2)?;
    Some(TimeOfDay { hour: number(hour, 24)?, minute: number(minute, 60)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_hours_and_minutes() {
        for (text, expected) in [
            ("03:00", Some("03:00")),
            (" 3:05 ", Some("03:05")),
            ("00:00", Some("00:00")),
            ("23:59", Some("23:59")),
            ("24:00", None),
            ("12:60", None),
            ("12:5", None),
            ("3", None),
            ("", None),
            (":30", None),
            ("+3:00", None),
            ("03:+1", None),
            ("003:00", None),
            ("03:00:00", None),
            ("3pm", None),
        ] {
            let read = time_of_day(text).map(|time| time.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_interval_is_said_in_the_unit_that_fits() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (3_600, "1 hour"),
            (5_400, "90 minutes"),
            (172_800, "2 days"),
        ] {
            assert_eq!(spoken(seconds), expected);
        }
    }

    #[test]
    fn a_time_has_a_unit_or_takes_the_default() {
        let cases = [
            ("60", Unit::Minutes, Some(3_600_000)),
            ("60", Unit::Seconds, Some(60_000)),
            (" 60 ", Unit::Seconds, Some(60_000)),
            ("60s", Unit::Minutes, Some(60_000)),
            ("60 s", Unit::Minutes, Some(60_000)),
            ("60m", Unit::Seconds, Some(3_600_000)),
            ("1h", Unit::Seconds, Some(3_600_000)),
            ("2d", Unit::Seconds, Some(172_800_000)),
            ("500ms", Unit::Seconds, Some(500)),
            ("0", Unit::Seconds, Some(0)),
            ("", Unit::Seconds, None),
            ("s", Unit::Seconds, None),
            ("-1", Unit::Seconds, None),
            ("+1", Unit::Seconds, None),
            ("1.5", Unit::Seconds, None),
            ("60x", Unit::Seconds, None),
            ("60mins", Unit::Minutes, None),
            ("18446744073709551615", Unit::Seconds, None),
            ("99999999999999999999", Unit::Seconds, None),
        ];
        for (text, bare, expected) in cases {
            assert_eq!(duration(text, bare), expected.map(Duration::from_millis), "{text:?}");
        }
    }
}
