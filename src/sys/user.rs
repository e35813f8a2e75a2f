//! Who this process is.
#![allow(unsafe_code)]

/// The number of the user whose rights this process has. The files that it makes belong to that
/// user.
pub fn effective() -> u32 {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
