//! Threads.
//!
//! std makes the code that starts a thread anew for each closure, some 1.5 KB. Here it is the same for all of them.
#![allow(unsafe_code)]

use nix::unistd::{sysconf, SysconfVar};
use std::io;
use std::thread::Builder;

/// Starts a thread; `name` is what `ps -T` shows, of which the kernel keeps 15 bytes.
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

/// In place of musl's, by which a new thread of std's names itself: musl's can name other threads too, and prints a
/// path for that, so that a static program would carry printf(3), which nothing else in it needs: 9 KB.
#[cfg(target_env = "musl")]
#[no_mangle]
extern "C" fn pthread_setname_np(_: libc::pthread_t, name: *const libc::c_char) -> libc::c_int {
    // SAFETY: std gives a text that ends in a NUL; the kernel copies it. Without a name, nothing is lost.
    unsafe { libc::prctl(libc::PR_SET_NAME, name) };
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::channel::channel;

    #[test]
    fn a_thread_has_its_name() {
        let (tell, told) = channel().unwrap();
        let own = || std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        start("a-worker", move || tell.send(own()).unwrap()).unwrap();
        assert_eq!(told.receive().unwrap(), "a-worker\n");
    }

    #[test]
    fn there_is_a_processor() {
        assert!(processors() > 0);
    }
}
