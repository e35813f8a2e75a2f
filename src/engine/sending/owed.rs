//! Whether what a remote is owed stands in the fail log, and since which change.
//!
//! From the first job that fails until everything has arrived that was owed then, whoever writes the fail log is to
//! write everything that is pending into it, and to look again whenever that has changed.

use crate::rsync::told::exit::ExitStatus;

/// What of a remote belongs into the fail log.
#[derive(Debug, Default)]
pub struct Owed {
    logged: bool,
    version: u64,
    last_failure: Option<ExitStatus>,
}

impl Owed {
    /// Whether what is pending stands in the fail log.
    pub fn is_logged(&self) -> bool {
        self.logged
    }

    /// A number that changes with what stands in the fail log.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How the last job that failed ended.
    pub fn last_failure(&self) -> Option<ExitStatus> {
        self.last_failure
    }

    /// Something is owed although no job has failed: from an earlier run, or because it is not asked for.
    pub fn stays(&mut self) {
        self.logged = true;
    }

    /// A job failed, or left something out.
    pub fn failed(&mut self, status: Option<ExitStatus>) {
        self.logged = true;
        self.last_failure = status;
    }

    /// What is pending has changed.
    pub fn changed(&mut self) {
        self.version += u64::from(self.logged);
    }

    /// Everything has arrived.
    pub fn all_arrived(&mut self) {
        self.logged = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_is_logged_from_a_failure_until_everything_has_arrived() {
        let mut owed = Owed::default();
        owed.changed();
        assert_eq!((owed.is_logged(), owed.version()), (false, 0), "nothing has failed");
        owed.failed(Some(ExitStatus::Code(12)));
        owed.changed();
        assert_eq!((owed.is_logged(), owed.version()), (true, 1));
        owed.all_arrived();
        owed.changed();
        assert_eq!((owed.is_logged(), owed.version()), (false, 1));
        assert_eq!(owed.last_failure(), Some(ExitStatus::Code(12)), "of the last time");
    }
}
