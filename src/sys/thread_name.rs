//! A thread's name, as std asks the C library for it.
//!
//! musl's own can name other threads too, through `/proc`, and for the path of that file it links
//! all of printf: 12 KB. This one stands in its place when the program is linked. Nobody calls it here.
#![cfg(target_env = "musl")]
#![allow(unsafe_code)]

/// Names the calling thread, which is the only one that std names.
///
/// # Safety
/// `name` must end with a NUL.
#[no_mangle]
unsafe extern "C" fn pthread_setname_np(
    _thread: libc::pthread_t,
    name: *const libc::c_char,
) -> libc::c_int {
    // SAFETY: the caller's promise; the kernel reads 16 bytes at most, and not beyond the NUL. There
    // is no other fault that it could find.
    unsafe { libc::prctl(libc::PR_SET_NAME, name) }
}
