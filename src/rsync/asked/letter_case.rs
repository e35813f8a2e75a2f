//! Names that differ in the case of their letters alone: on a far side that does not tell them apart (Windows, macOS,
//! FAT, exFAT, NTFS) they are one name.
//!
//! There a list that deletes one and sends the other would delete what it has just sent (measured), and a list that only
//! sends leaves the old name. So the deletion goes before. Whether the far side is such a one need not be known: on any
//! other, the result is the same. Called by `plan`.

use crate::sorted::{SortedMap, SortedSet};
use std::borrow::Cow;

/// Those of the names that `went` of which one that is `here` differs in the case of its letters alone.
pub fn renamed<'a>(
    went: impl Iterator<Item = &'a [u8]>,
    here: impl Iterator<Item = &'a [u8]>,
) -> SortedSet<&'a [u8]> {
    let mut folded: SortedMap<Vec<u8>, Vec<&[u8]>> = SortedMap::new();
    went.for_each(|path| folded.entry(fold(path)).or_default().push(path));
    if folded.is_empty() {
        return SortedSet::new();
    }
    here.filter_map(|path| folded.get(&fold(path))).flatten().copied().collect()
}

/// Whether two names are one for whoever does not look at case.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other) || !one.is_ascii() && fold(one) == fold(other)
}

/// The name as it is for whoever does not look at case.
fn fold(path: &[u8]) -> Vec<u8> {
    match String::from_utf8_lossy(path) {
        Cow::Borrowed(text) => text.to_lowercase().into_bytes(),
        Cow::Owned(_) => path.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_with_another_case_is_taken_for_renamed() {
        for (went, here, expected) in [
            (&["readme"][..], &["README"][..], &["readme"][..]),
            (&["Docs/A", "Docs", "x"], &["docs", "docs/a", "y"], &["Docs", "Docs/A"]),
            (&["\u{c4}"], &["\u{e4}"], &["\u{c4}"]),
            (&["a"], &["b", "aa"], &[]),
            (&[], &["a"], &[]),
        ] {
            let bytes = |names: &[&'static str]| -> Vec<&'static [u8]> {
                names.iter().map(|name| name.as_bytes()).collect()
            };
            let (went, here) = (bytes(went), bytes(here));
            let found: Vec<_> = renamed(went.into_iter(), here.into_iter()).into_iter().collect();
            assert_eq!(found, bytes(expected));
        }
    }
}
