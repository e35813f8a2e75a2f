//! Waiting: polling with a deadline, never a fixed sleep.

use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Far longer than any right run needs, so that a busy
/// machine does not make a test fail.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The pause between two looks grows from the first to the second of these, so that a quick thing
/// is seen quickly and comparing big trees does not take the processor from the program.
const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Waits until `probe` is true; panics with `what` after [`DEADLINE`].
pub fn eventually(what: &str, mut probe: impl FnMut() -> bool) {
    until(what, DEADLINE, || if probe() { Ok(()) } else { Err("it is not so yet".to_string()) });
}

/// Waits until `probe` gives a value, and returns it; panics with `what` and the last state that
/// `probe` told when `deadline` has passed.
pub fn until<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + deadline;
    let mut pause = PAUSE_FIRST;
    loop {
        // The clock is read before the look, so that the last look happens at the deadline or
        // later, however long the machine has paused this thread.
        let last = Instant::now() >= end;
        match probe() {
            Ok(value) => return value,
            Err(state) if last => panic!("{what}: not within {deadline:?}: {state}"),
            Err(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
