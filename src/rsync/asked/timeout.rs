//! How long a run may take where the user says nothing of it.

/// The I/O timeout of a run: without one, rsync waits for ever.
pub(super) const TIMEOUT_S: u32 = 600;
/// How long a run may take to connect to a daemon or an SSH server.
pub(super) const CONNECT_TIMEOUT_S: u32 = 30;
/// The I/O timeout of a daemon in small runs, unless the user's is longer.
pub(super) const FAR_TIMEOUT_S: u32 = 900;
