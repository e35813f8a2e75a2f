//! Threads.
//!
//! std makes the code that starts a thread anew for each closure, some 1.5 KB. Here it is the same for all of them.

use nix::unistd::{sysconf, SysconfVar};
use std::io;
use std::thread::Builder;

/// Starts a thread; `name` is what `ps -T` shows.
///
/// # Errors
/// The kernel has none left, or not the memory for its stack.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    start_boxed(name, Box::new(work))
}

fn start_boxed(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// How many processors this program may use; 1 where the system does not tell.
pub fn processors() -> usize {
    let online = sysconf(SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
    online.and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
}
