//! Deletions that the far side refuses: everything else goes on, and they wait until it is asked again.

use super::super::flight::{Attempt, Cargo, Flight};
use super::Remote;
use crate::engine::rel_path::RelPath;
use crate::engine::time::Time;
use crate::engine::JobId;
use crate::rsync::asked::plan::Gone;

impl Remote {
    /// A job on its way deletes none of these paths, although they should be: it has no licence for that.
    pub fn set_withheld(&mut self, job: JobId, paths: Vec<RelPath>) {
        if let Some(flight) = self.lanes.get_mut(job) {
            if flight.attempt == Attempt::Withheld {
                flight.withheld = paths;
            }
        }
    }

    /// A job has got through that was not to delete anything: what it should have deleted stays owed.
    pub(super) fn keep_withheld(&mut self, flight: &mut Flight) {
        if flight.attempt != Attempt::Withheld {
            return;
        }
        if flight.sweeps() && self.settings.grants.of_sweeps().covers_unseen() {
            self.far_side.is_left_unswept();
        }
        let withheld = std::mem::take(&mut flight.withheld);
        let refused = withheld.into_iter().map(|path| (path.clone(), flight.deletes(&path)));
        let refused: Vec<_> = refused.filter(|(_, gone)| *gone != Gone::No).collect();
        // What else it carried has been sent, or is stuck for other reasons.
        match &mut flight.cargo {
            Cargo::Batch(batch) => batch.paths.iter_mut().for_each(|(_, it)| it.gone = Gone::No),
            Cargo::File(file) => file.listed.1.gone = Gone::No,
            Cargo::Levels(_) | Cargo::Everything { .. } => {}
        }
        if !refused.is_empty() {
            self.stuck.put_refused(refused);
            self.owed.stays();
            self.owed.changed();
        }
    }

    /// When the far side is to be asked again for the deletions that it has refused; `None` if there are none.
    pub(super) fn deletions_asked_again(&self) -> Option<Time> {
        self.far_side.tried_again().filter(|_| !self.stuck.refused().is_empty())
    }

    /// When a sweep is to delete what an earlier one has left.
    pub(super) fn sweep_asked_again(&self) -> Option<Time> {
        self.far_side.tried_again().filter(|_| self.far_side.is_to_be_swept())
    }

    /// What the far side does not do is forgotten, and what it has refused is pending again.
    pub(super) fn ask_again(&mut self) {
        let refused = self.stuck.take_refused();
        if !refused.is_empty() {
            self.pending.restore(refused);
            self.departure.added(Time(0));
        }
        if self.far_side.try_again() {
            self.sweep.need_full();
        }
    }
}
