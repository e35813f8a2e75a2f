//! Full syncs that are in doubt: they are rehearsed, and what that finds decides what they delete.

use super::super::flight::{Flight, Rehearsal};
use super::super::next::Next;
use super::super::trust::{Deletions, Doubt, Trust};
use super::Remote;
use crate::config::MaxDelete;
use crate::engine::JobId;

impl Remote {
    /// The ground is another one than that of the last full sync.
    pub fn doubt(&mut self, doubt: Doubt) {
        self.trust.doubt(doubt);
        for flight in self.lanes.iter_mut() {
            // What it finds and does says nothing of this ground.
            flight.unseen = false;
            if flight.rehearsal.flies() {
                flight.rehearsal = Rehearsal::Stale;
            }
        }
        self.standing.names_changed();
    }

    /// Whether the far side may lose what nobody saw disappear.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// Before a job starts: whether it deletes what nobody saw disappear, or is rehearsed first.
    pub(super) fn prepare(&self, flight: &mut Flight) {
        let may = flight.sweeps() && self.grants(flight.attempt).of_sweeps().covers_unseen();
        if flight.rehearsal == Rehearsal::Over {
            flight.unseen &= may;
            return;
        }
        // Where any number may go, there is nothing to be counted first.
        let any = flight.is_full() && self.settings.max_delete == MaxDelete::Any;
        flight.unseen = may && (self.trust.permits() || any);
        flight.rehearsal = match may && !flight.unseen && flight.is_full() {
            true => Rehearsal::Flying(None),
            false => Rehearsal::None,
        };
    }

    /// A rehearsal on its way has found this.
    pub fn set_found(&mut self, job: JobId, found: Deletions) {
        if let Some(flight) = self.lanes.get_mut(job) {
            if let Rehearsal::Flying(before) = &mut flight.rehearsal {
                *before = Some(found);
            }
        }
    }

    /// A rehearsal has got through: what has been rehearsed starts, and deletes if that is not too much.
    pub(super) fn rehearsed(&mut self, job: JobId) -> Option<Next> {
        let flight = self.lanes.get_mut(job)?;
        let before = self.trust.waits_for().map(|(_, waits)| waits.count);
        flight.rehearsal = match flight.rehearsal {
            Rehearsal::Flying(found) => {
                let limit = self.settings.max_delete;
                flight.unseen = found.is_some_and(|found| self.trust.rehearsed(found, limit));
                Rehearsal::Over
            }
            Rehearsal::Stale | Rehearsal::None | Rehearsal::Over => Rehearsal::None,
        };
        let waits = self.trust.waits_for();
        self.standing.names_changed();
        Some(Next::Rehearsed(waits.filter(|(_, waits)| before != Some(waits.count))))
    }

    /// Somebody says yes to the deletions that wait: a full sync does them. Gives whether some did.
    pub fn confirm_deletions(&mut self) -> bool {
        let waited = self.trust.confirm();
        if waited {
            self.need_full_sync();
            self.try_now();
        }
        waited
    }
}
