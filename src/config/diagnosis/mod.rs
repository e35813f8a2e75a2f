//! What is said about a configuration that cannot be used, or that is odd: where, what was found, what was
//! probably meant, and what to do, in the user's language.
//!
//! Pure. A good file needs only `source` and an empty list of `warnings`. Each file names only those
//! before it:
//!
//! - `hint`, `edit`, `shown`: what to do, what would mend it, a value as it is shown;
//! - `problem`: all of this about one place;
//! - `warnings`, `source`, `damage`: many problems; problems with the file as a text; problems with its XML;
//! - `repair`, `excerpt`: the line of a problem as it should be, and as it is;
//! - `error`: the problem that ends the reading, as people see it.

pub(super) mod damage;
pub(super) mod edit;
pub(super) mod error;
pub(super) mod excerpt;
pub(super) mod hint;
pub(super) mod problem;
pub(super) mod repair;
pub(super) mod shown;
pub(super) mod source;
pub(super) mod warnings;
