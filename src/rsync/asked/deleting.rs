//! The words that make rsync delete on the far side. They stand here and nowhere else, and each is given out
//! for a licence only.

use super::licence::Licence;
use crate::config::options::{self, FoundOption};

/// Of a run with a list of paths: deletes those that are not here.
pub fn missing_paths(licence: Licence) -> Option<&'static str> {
    licence.covers_seen().then_some("--delete-missing-args")
}

/// Of a run with a list of paths: a directory over there makes way with all that is in it.
pub fn full_directories(licence: Licence) -> Option<&'static str> {
    licence.covers_seen().then_some("--force")
}

/// Of a run whose filter hides everything but what was seen to disappear: deletes what only the far side has
/// of it.
pub fn what_the_filter_shows(licence: Licence) -> Option<&'static str> {
    licence.covers_seen().then_some("--delete")
}

/// Of a run over whole directories: deletes what only the far side has in them.
pub fn whatever_is_only_there(licence: Licence) -> Option<&'static str> {
    licence.covers_unseen().then_some("--delete")
}

/// The same, where a directory over there has to make way for something else as well.
pub fn whatever_is_in_the_way(licence: Licence) -> &'static [&'static str] {
    match licence.covers_unseen() {
        true => &["--delete", "--force"],
        false => &[],
    }
}

/// An option of the user's that deletes what a filter hides: in a run whose filter hides everything but a
/// list, that would be everything else.
pub const HIDDEN: &str = "delete-excluded";

/// The user's parameters as far as a run may have them that makes whole directories equal.
pub fn licensed(params: &[Vec<u8>], licence: Licence) -> Vec<Vec<u8>> {
    match licence.covers_unseen() {
        true => params.to_vec(),
        false => options::without(params, is_one),
    }
}

/// Whether an option of the user's is one of these words, in whatever form.
pub fn is_one(option: &FoundOption) -> bool {
    options::deletes(option) || option.is("force")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_given_without_its_licence() {
        use Licence::{Nothing, Seen, Unseen};
        for (licence, seen, unseen) in
            [(Nothing, false, false), (Seen, true, false), (Unseen, true, true)]
        {
            let words = [missing_paths, full_directories, what_the_filter_shows];
            assert!(words.iter().all(|word| word(licence).is_some() == seen), "{licence:?}");
            assert_eq!(whatever_is_only_there(licence).is_some(), unseen, "{licence:?}");
            assert_eq!(!whatever_is_in_the_way(licence).is_empty(), unseen, "{licence:?}");
        }
    }
}
