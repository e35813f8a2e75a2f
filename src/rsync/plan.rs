//! To be written.
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[allow(missing_docs)]
pub enum Gone {
    #[default]
    No,
    Entry,
    Directory,
}
/// x
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Deletes {
    Never,
    Combined,
    Portable,
}
