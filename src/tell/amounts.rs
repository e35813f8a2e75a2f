//! Numbers as people read them: of things, of bytes, of time.

/// So many bytes, in the largest unit of which there is a whole one: `812 B`, `3.4 KiB`, `52 MiB`.
pub fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let at = bytes.checked_ilog2().unwrap_or(0) / 10;
    let (whole, unit) = (bytes >> (10 * at), units[at as usize]);
    match at.checked_sub(1) {
        Some(below) if whole < 10 => {
            let tenths = ((bytes >> (10 * below)) % 1024) * 10 / 1024;
            format!("{whole}.{tenths} {unit}")
        }
        Some(_) | None => format!("{whole} {unit}"),
    }
}

/// A number of things: `1 directory`, `2 directories`.
pub fn count(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// A length of time in one unit.
pub fn age(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..=119 => format!("{s} s"),
        120..=7_199 => format!("{} min", s / 60),
        7_200..=172_799 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits_or_more() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1023 KiB"),
            (10 << 20, "10 MiB"),
            ((10 << 30) - 1, "9.9 GiB"),
            (u64::MAX, "15 EiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn ages_have_one_unit() {
        for (ms, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (119_000, "119 s"),
            (120_000, "2 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(age(ms), expected);
        }
    }
}
