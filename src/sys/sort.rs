//! The C library's `qsort`, as its look-up of host names asks for it.
//!
//! Where zig links, the C library's own is a program of 9 KB for any number of entries. A name has at
//! most 48 addresses. This one stands in its place when the program is linked. Nobody calls it here.
#![cfg(any(target_env = "musl", test))]
#![allow(unsafe_code)]

use std::ffi::c_void;

/// Sorts by insertion: equal entries stay in their order.
///
/// # Safety
/// `base` must lead to `count` entries of `width` bytes, and `compare` must take pointers to two.
#[cfg_attr(target_env = "musl", no_mangle)]
unsafe extern "C" fn qsort(
    base: *mut c_void,
    count: usize,
    width: usize,
    compare: extern "C" fn(*const c_void, *const c_void) -> libc::c_int,
) {
    let at = |number: usize| base.cast::<u8>().wrapping_add(number * width);
    for sorted in 1..count {
        let mut place = sorted;
        while place > 0 && compare(at(place - 1).cast(), at(place).cast()) > 0 {
            // SAFETY: two neighbours among the entries, by the caller's promise.
            unsafe { std::ptr::swap_nonoverlapping(at(place - 1), at(place), width) };
            place -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::qsort;
    use std::ffi::c_void;

    /// By the tens, so that the ones show whether equal entries stay in their order.
    extern "C" fn by_tens(one: *const c_void, other: *const c_void) -> libc::c_int {
        // SAFETY: the entries are of this type.
        unsafe { *one.cast::<i32>() / 10 - *other.cast::<i32>() / 10 }
    }

    #[test]
    fn entries_are_sorted_and_equal_ones_stay_in_order() {
        for count in 0..7 {
            let mut entries = [31, 12, 30, 11, 45, 13][..count.min(6)].to_vec();
            let mut expected = entries.clone();
            expected.sort_by_key(|entry| entry / 10);
            // SAFETY: so many entries of four bytes.
            unsafe { qsort(entries.as_mut_ptr().cast(), entries.len(), 4, by_tens) };
            assert_eq!(entries, expected);
        }
    }
}
