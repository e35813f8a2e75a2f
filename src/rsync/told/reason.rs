//! The one line of standard error that tells most of why a run failed.
//!
//! Owns what is telling and what is chatter. Pure; `outcome` asks.

use super::exit::{says, visible};
use super::unwanted;

/// The most telling line of standard error, for a log line: bounded, without control characters. None
/// if nothing was said.
pub(super) fn of(stderr: &[u8]) -> Option<String> {
    let lines = stderr.split(|&byte| byte == b'\n');
    let lines = lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    // min_by_key keeps the first of equals: what went wrong first explains the rest.
    lines.min_by_key(|line| dullness(line)).map(visible)
}

/// How little a line of standard error tells: 0 is what a daemon says in words, 1 any other error,
/// 2 what merely follows from an error or is none of ours, 3 what is no error.
fn dullness(line: &[u8]) -> u8 {
    let starts = |prefix: &[u8]| line.starts_with(prefix);
    let of_key = starts(b"Host key for") || says(line, "host key is known for");
    if unwanted::unwanted(line).is_some() {
        2
    } else if says(line, "@error:") || starts(b"ERROR:") || of_key {
        0
    } else if starts(b"rsync error:")
        || says(line, "connection unexpectedly closed")
        || starts(b"***")
    {
        2
    } else if starts(b"Warning:")
        || says(line, "vanished")
        || starts(b"debug1:")
        || CHATTER.iter().any(|said| says(line, said))
    {
        3
    } else {
        1
    }
}

/// What SSH clients say, in lower case, when something is not as it should be and they go on.
const CHATTER: &[&str] = &[
    "ignoring unknown configuration option",
    "skipping hostkey check",
    "disabling multiplexing",
    "mux_client_request_session",
    "@@@@@",
];

#[cfg(test)]
mod tests {
    use super::super::exit::LINE_BYTES_MAX;
    use super::*;

    #[test]
    fn reason_is_bounded() {
        assert_eq!(of("x".repeat(10_000).as_bytes()).unwrap().len(), LINE_BYTES_MAX + 3);
    }
}
