//! From measured values to the words of a table: percentiles, ratios, times, bytes. Measures nothing, prints nothing.

use std::time::Duration;

/// The time of a change that has not arrived while it was waited for: longer than any other time.
pub const NEVER: Duration = Duration::MAX;

/// The smallest of `times` that `percent` of them do not exceed (nearest rank); `None` for none.
pub fn percentile(times: &[Duration], percent: usize) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied()
}

/// The time in the middle; of an even number of times, the lower of the two.
pub fn median(times: &[Duration]) -> Option<Duration> {
    percentile(times, 50)
}

/// `time` as a multiple of `base`; `None` where one of them is missing or never came.
pub fn ratio(time: Option<Duration>, base: Option<Duration>) -> Option<f64> {
    let known = |time: Duration| (time != NEVER && !time.is_zero()).then_some(time.as_secs_f64());
    Some(known(time?)? / known(base?)?)
}

/// A time with at most three digits that count.
pub fn time(time: Option<Duration>) -> String {
    match time {
        None => "–".to_string(),
        Some(NEVER) => "never".to_string(),
        Some(time) => match time.as_secs_f64() {
            seconds if seconds >= 10.0 => format!("{seconds:.1} s"),
            seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
            seconds if seconds >= 0.1 => format!("{:.0} ms", seconds * 1e3),
            seconds => format!("{:.1} ms", seconds * 1e3),
        },
    }
}

/// A ratio: `2.50 x`, with fewer digits where it is large.
pub fn times(ratio: Option<f64>) -> String {
    match ratio {
        None => "–".to_string(),
        Some(ratio) if ratio >= 100.0 => format!("{ratio:.0} x"),
        Some(ratio) if ratio >= 9.95 => format!("{ratio:.1} x"),
        Some(ratio) => format!("{ratio:.2} x"),
    }
}

/// A number of bytes, in a unit that leaves few digits.
pub fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{:.0} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// A number with a comma after each thousand.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
