//! How much a job makes equal: counted, shown and told when the job has arrived.

/// How much a job makes equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many paths.
    Paths(usize),
    /// So many directories, as a whole.
    Directories(usize),
    /// The whole root.
    Everything,
}
