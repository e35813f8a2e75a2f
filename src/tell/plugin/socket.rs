//! The `socket` plugin: one TCP connection for each path, with the full path as its only bytes.
//!
//! `worker` calls it.

use super::connection::{self, Failure};
use super::notice::Notice;

/// Where the paths go.
#[derive(Debug)]
pub struct Socket {
    /// A host name or an address.
    pub host: String,
    /// The port there.
    pub port: u16,
}

impl Socket {
    /// Tells of one path.
    ///
    /// # Errors
    /// The connection could not be made, or did not take the path.
    pub fn tell(&self, notice: &Notice<'_>) -> Result<(), Failure> {
        connection::tell(&self.host, self.port, notice.path)
    }
}
