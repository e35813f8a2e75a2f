//! What a run says of itself on standard output: how far it has come, and what it has sent.
//!
//! Owns how that is read; the words that make rsync say it are those of `asked::progress`. Pure; the
//! worker hands over what it hears, in pieces of any length.

/// What stands before the number of bytes that were sent because the far side did not have them.
const LITERAL: &[u8] = b"Literal data: ";
/// No line that is read is as long. Of longer ones, which have file names in them, nothing is kept.
const LINE_BYTES_MAX: usize = 160;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// Files that were sent.
    pub files: u64,
    /// Their size, and as much of the one that is on its way as is through.
    pub bytes: u64,
    /// The part that this is of the size of all files that rsync knows of, sent or not.
    pub percent: u8,
    /// Files and directories that are done with, sent or not; and all that rsync knows of.
    pub checked: u64,
    /// While it still reads directories, there will be more.
    pub known: u64,
    /// It has read all directories. Not before it has said so, which it does between two files.
    pub knows_all: bool,
}

/// Reads what a run says.
#[derive(Debug, Default)]
pub struct ProgressReader {
    /// How far it has come.
    pub sample: Option<Sample>,
    /// Bytes that were sent because the far side did not have them; it says so at its end.
    pub literal: Option<u64>,
    line: Vec<u8>,
    is_too_long: bool,
}

impl ProgressReader {
    /// Takes what was said next.
    pub fn take(&mut self, said: &[u8]) {
        for part in said.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
            let (text, ends) = match part.split_last() {
                Some((b'\r' | b'\n', text)) => (text, true),
                Some(_) | None => (part, false),
            };
            self.is_too_long |= self.line.len() + text.len() > LINE_BYTES_MAX;
            if !self.is_too_long {
                self.line.extend_from_slice(text);
                // Progress is a line without an end: the carriage return comes before the next one.
                self.read_line(ends);
            }
            if ends {
                self.line.clear();
                self.is_too_long = false;
            }
        }
    }

    fn read_line(&mut self, is_whole: bool) {
        let literal = self.line.strip_prefix(LITERAL).filter(|_| is_whole);
        if let Some(bytes) = literal.and_then(|rest| number(rest.strip_suffix(b" bytes")?)) {
            self.literal = Some(bytes);
        }
        let before = self.sample.unwrap_or_default();
        self.sample = std::str::from_utf8(&self.line)
            .ok()
            .and_then(|line| sample(line, before))
            .or(self.sample);
    }
}

/// `  1,234,567  42%  1.23MB/s  0:00:12`, between two files with ` (xfr#5, to-chk=10/100)` behind it,
/// or `ir-chk` while directories are being read.
fn sample(line: &str, before: Sample) -> Option<Sample> {
    let mut words = line.split_ascii_whitespace();
    let bytes = number(words.next()?.as_bytes())?;
    let percent = words.next()?.strip_suffix('%')?.parse::<u8>().ok()?.min(100);
    words.next()?.strip_suffix("B/s")?;
    // The time that is left, or between two files the time that has passed.
    words.next().filter(|time| time.contains(':'))?;
    let now = Sample { bytes, percent, ..before };
    let Some(files) = words.next() else { return Some(now) };
    let files = files.strip_prefix("(xfr#")?.strip_suffix(',')?.parse().ok()?;
    let (kind, counts) = words.next()?.strip_suffix(')')?.split_once("-chk=")?;
    let (left, known) = counts.split_once('/')?;
    let (left, known): (u64, u64) = (left.parse().ok()?, known.parse().ok()?);
    let checked = known.checked_sub(left)?;
    let knows_all = match kind {
        "to" => true,
        "ir" => false,
        _ => return None,
    };
    words.next().is_none().then_some(Sample { files, checked, known, knows_all, ..now })
}

/// A number, as rsync groups its digits since 3.1: with commas, or with points where the locale has
/// the comma for something else.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let mut value: Option<u64> = None;
    for byte in text {
        match byte {
            b'0'..=b'9' => {
                let digit = u64::from(byte - b'0');
                value = Some(value.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            }
            b',' | b'.' if value.is_some() => {}
            _ => return None,
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const BETWEEN: Sample = Sample {
        files: 5,
        bytes: 1_234_567,
        percent: 42,
        checked: 90,
        known: 100,
        knows_all: true,
    };

    #[test]
    fn lines_of_progress_are_told_from_all_others() {
        let at = |bytes, percent| Sample { bytes, percent, ..Sample::default() };
        for (line, expected) in [
            ("      1,234,567  42%    1.23MB/s    0:00:12 (xfr#5, to-chk=10/100)", Some(BETWEEN)),
            (
                "      1.234.567  42%    1,23MB/s    0:00:12 (xfr#5, ir-chk=10/100)  ",
                Some(Sample { knows_all: false, ..BETWEEN }),
            ),
            ("         32,768   0%    0.00kB/s    0:00:00  ", Some(at(32_768, 0))),
            ("1234567 100%  999.99GB/s  9999:00:00", Some(at(1_234_567, 100))),
            ("  1 42%  ?kB/s ??:??:??", Some(at(1, 42))),
            // Cut off somewhere.
            ("      1,234,567  42%    1.23MB/s    0:00:12 (xfr#5, to-chk=10/1", None),
            ("      1,234,567  42%    1.23MB/s", None),
            ("      1,2", None),
            // Rounded, another language, too large, impossible.
            ("  1.23M  42%    1.23MB/s    0:00:12", None),
            ("  ١٢٣  42%    1.23MB/s    0:00:12", None),
            ("  99999999999999999999  42%    1.23MB/s    0:00:12", None),
            ("  1,234  42%    1.23MB/s    0:00:12 (xfr#5, to-chk=101/100)", None),
            ("  1,234  42%    1.23MB/s    0:00:12 (xfr#5, xx-chk=1/100)", None),
            ("  1,234  42%    1.23MB/s    0:00:12 (xfr#5, to-chk=1/100) more", None),
            ("  1,234  420%    1.23MB/s    0:00:12", None),
            // --progress of 3.0, which is about one file.
            ("  1234  42%    1.23MB/s    0:00:12 (xfer#5, to-check=10/100)", None),
            ("some/file with 42% in its name", None),
            ("sent 1,234 bytes  received 5 bytes  1.00 bytes/sec", None),
            ("", None),
        ] {
            let mut reader = ProgressReader::default();
            reader.take(line.as_bytes());
            assert_eq!(reader.sample, expected, "{line}");
        }
    }

    #[test]
    fn numbers_of_bytes_are_read_at_the_end_of_their_line_alone() {
        for (said, expected) in [
            ("Literal data: 1,234,567 bytes\n", Some(1_234_567)),
            ("Literal data: 1.234.567 bytes\n", Some(1_234_567)),
            ("Literal data: 0 bytes\n", Some(0)),
            ("Literal data: 12 bytes", None),
            ("Literal data: 1.23M bytes\n", None),
            ("Literal data:  bytes\n", None),
            (" Literal data: 12 bytes\n", None),
            // A file of that name, before.
            (
                "Literal data: 99 bytes\na/b\n\nLiteral data: 7 bytes\nMatched data: 8 bytes\n",
                Some(7),
            ),
        ] {
            let mut reader = ProgressReader::default();
            reader.take(said.as_bytes());
            assert_eq!(reader.literal, expected, "{said:?}");
        }
    }

    #[test]
    fn pieces_of_any_length_say_the_same_and_long_lines_nothing() {
        let long = "  1,234  42%    1.23MB/s    0:00:12 ".repeat(LINE_BYTES_MAX);
        let said = format!(
            "{long}\n\r  1,000   1%  1.00MB/s  0:00:12  \r  1,234,567  42%  1.23MB/s  0:00:12 \
             (xfr#5, to-chk=10/100)\r  2,345,678  43%  1.23MB/s  0:00:12  \
             \n\nNumber of files: 7\nLiteral data: 1,234 bytes\nx"
        );
        for size in [1, 7, 4096] {
            let mut reader = ProgressReader::default();
            said.as_bytes().chunks(size).for_each(|piece| {
                reader.take(piece);
                assert!(reader.line.len() <= LINE_BYTES_MAX);
            });
            let last = Sample { bytes: 2_345_678, percent: 43, ..BETWEEN };
            assert_eq!((reader.sample, reader.literal), (Some(last), Some(1_234)), "{size}");
        }
    }
}
