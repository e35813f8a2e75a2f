//! What is said about a configuration that cannot be used, or that is odd: where, what was found, what was
//! probably meant, and what to do, in the user's language.
//!
//! Pure, and asked only when something is wrong: a good file is read without it.

pub(super) mod damage;
pub(super) mod error;
pub(super) mod excerpt;
pub(super) mod hint;
pub(super) mod repair;
pub(super) mod source;
pub(super) mod warnings;
