//! What is on its way to a remote: at most one job in each lane, and only what may run beside what runs already.
//!
//! | may start | beside a batch | beside a large file | beside a sweep |
//! |---|---|---|---|
//! | a batch | no: one in a lane | yes | yes, but where one connection is all that the far side takes |
//! | a large file | yes | no: one in a lane | no |
//! | a sweep (level sync, full sync) | no | no | no: one in a lane |
//!
//! A batch and a large file never carry the same path, so neither can harm the other. A sweep looks at everything over
//! there, for hours perhaps, and what changes meanwhile must not wait for it. So batches run beside it, and what a sweep
//! may have undone of them is looked at once more when it has ended: [`second_look`](super::second_look) has what that
//! can be, in a mirror and elsewhere.
//!
//! A sweep starts by itself. No batch is on its way then, so whatever a sweep finds over there was put there by jobs that
//! have ended; and it gets its turn, since it starts before the next batch does. It would send a large file a second time
//! and, in a mirror, delete the half of it that is there under a temporary name, hours after that was begun: neither
//! starts beside the other. Of a batch, a mirror's sweep may meet such a name as well. Then the batch says that a file did
//! not get through, and sends that again a second later.

use super::flight::{Cargo, Flight};
use crate::engine::rel_path::RelPath;
use crate::engine::JobId;

/// One of the places in which a job can be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// For whole directories, and the whole root. First: where both are due, a sweep starts before a batch.
    Sweep,
    /// For batches.
    Small,
    /// For large files, one at a time.
    Bulk,
}

impl Lane {
    const COUNT: usize = 3;
}

/// What a job is, as far as others may run beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Changed paths.
    Batch,
    /// A large file.
    File,
    /// Whole directories, or the whole root.
    Sweep,
}

impl Kind {
    fn of(cargo: &Cargo) -> Kind {
        match cargo {
            Cargo::Batch(_) => Kind::Batch,
            Cargo::File(_) => Kind::File,
            Cargo::Levels(_) | Cargo::Everything { .. } => Kind::Sweep,
        }
    }

    /// Where it is on its way.
    pub fn lane(self) -> Lane {
        match self {
            Kind::Batch => Lane::Small,
            Kind::File => Lane::Bulk,
            Kind::Sweep => Lane::Sweep,
        }
    }

    /// The table at the top of this file.
    fn may_start_beside(self, other: Kind) -> bool {
        match (self, other) {
            (Kind::Batch, Kind::File | Kind::Sweep) | (Kind::File, Kind::Batch) => true,
            (Kind::Batch, Kind::Batch)
            | (Kind::File, Kind::File | Kind::Sweep)
            | (Kind::Sweep, Kind::Batch | Kind::File | Kind::Sweep) => false,
        }
    }
}

/// The jobs that are on their way to one remote.
#[derive(Debug, Default)]
pub struct Lanes {
    flights: [Option<Flight>; Lane::COUNT],
}

impl Lanes {
    /// All of them, by lane.
    pub fn iter(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter().flatten()
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Flight> {
        self.flights.iter_mut().flatten()
    }

    /// The job in a lane.
    pub fn in_lane(&self, lane: Lane) -> Option<&Flight> {
        self.flights[lane as usize].as_ref()
    }

    /// The large file that is on its way.
    pub fn file(&self) -> Option<&RelPath> {
        let flight = self.in_lane(Lane::Bulk)?;
        flight.paths().first().map(|(path, _)| path)
    }

    /// Whether a sweep is on its way.
    pub fn has_sweep(&self) -> bool {
        self.in_lane(Lane::Sweep).is_some()
    }

    /// The batch and the sweep that are on their way: what a change may meet over there.
    pub fn small(&self) -> impl Iterator<Item = &Flight> + Clone {
        [Lane::Sweep, Lane::Small].into_iter().filter_map(|lane| self.in_lane(lane))
    }

    /// Whether nothing is on its way.
    pub fn are_free(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether a job is on its way.
    pub fn has(&self, job: JobId) -> bool {
        self.iter().any(|flight| flight.job == job)
    }

    /// A job that is on its way.
    pub fn get(&self, job: JobId) -> Option<&Flight> {
        self.iter().find(|flight| flight.job == job)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, job: JobId) -> Option<&mut Flight> {
        self.flights.iter_mut().flatten().find(|flight| flight.job == job)
    }

    /// A job has left something out, or has failed: of no other on its way can it be said any more that nothing else
    /// was left to be sent.
    pub fn one_has_failed(&mut self) {
        self.flights.iter_mut().flatten().for_each(|flight| flight.is_all = false);
    }

    /// Whether a job of this kind may start beside what is on its way.
    pub fn admit(&self, kind: Kind) -> bool {
        self.iter().all(|flight| kind.may_start_beside(Kind::of(&flight.cargo)))
    }

    /// A job starts; gives in which lane.
    pub fn start(&mut self, mut flight: Flight) -> Lane {
        flight.is_beside_sweep |= self.has_sweep();
        let kind = Kind::of(&flight.cargo);
        debug_assert!(self.admit(kind), "{kind:?} beside {:?}", self.flights);
        self.flights[kind.lane() as usize] = Some(flight);
        kind.lane()
    }

    /// A job that was on its way leaves once more, beside whatever has started since; gives in which lane.
    pub fn put_back(&mut self, flight: Flight) -> Lane {
        let lane = Kind::of(&flight.cargo).lane();
        self.flights[lane as usize] = Some(flight);
        lane
    }

    /// A job has ended.
    pub fn take(&mut self, job: JobId) -> Option<Flight> {
        self.flights.iter_mut().find_map(|flight| flight.take_if(|flight| flight.job == job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sending::flight::{Attempt, Batch, File};
    use crate::engine::sending::pending::Remembered;
    use crate::engine::time::Time;
    use crate::rsync::asked::licence::Way;
    use crate::sorted::SortedMap;

    fn flight(job: u64, cargo: Cargo) -> Flight {
        Flight::new(JobId(job), Time(0), cargo, Attempt::First(Way::Combined))
    }

    fn batch(path: &str) -> Cargo {
        let listed = (RelPath::from(path.as_bytes()), Remembered::TO_SEND);
        Cargo::Batch(Batch::new(vec![listed], false))
    }

    fn file(path: &str) -> Cargo {
        let listed = (RelPath::from(path.as_bytes()), Remembered::TO_SEND);
        Cargo::File(File { listed, fresh: false, stamp: None })
    }

    /// Every cell of the table at the top of this file; the two kinds of sweep are alike.
    #[test]
    fn what_may_start_beside_what() {
        let cargoes: [fn() -> Cargo; 4] = [
            || batch("a"),
            || file("b"),
            || Cargo::Levels(SortedMap::new()),
            || Cargo::Everything { scheduled: false },
        ];
        for (kind, beside) in [
            (Kind::Batch, [false, true, true, true]),
            (Kind::File, [true, false, false, false]),
            (Kind::Sweep, [false; 4]),
        ] {
            assert!(Lanes::default().admit(kind), "{kind:?} by itself");
            for (cargo, may) in cargoes.iter().zip(beside) {
                let mut lanes = Lanes::default();
                lanes.start(flight(1, cargo()));
                assert_eq!(lanes.admit(kind), may, "{kind:?} beside {:?}", cargo());
            }
        }
    }

    #[test]
    fn what_starts_beside_a_sweep_knows_it() {
        for (sweep, is_beside_sweep) in [(false, false), (true, true)] {
            let mut lanes = Lanes::default();
            if sweep {
                lanes.start(flight(1, Cargo::Levels(SortedMap::new())));
            }
            lanes.start(flight(2, batch("a")));
            assert_eq!(lanes.get(JobId(2)).unwrap().is_beside_sweep, is_beside_sweep);
            assert_eq!((lanes.has_sweep(), lanes.small().count()), (sweep, 1 + usize::from(sweep)));
        }
    }

    #[test]
    fn a_job_that_has_ended_leaves_its_lane_and_no_other() {
        let mut lanes = Lanes::default();
        lanes.start(flight(1, batch("a")));
        lanes.start(flight(2, file("b")));
        assert!(lanes.take(JobId(3)).is_none());
        assert_eq!(lanes.take(JobId(1)).map(|flight| flight.job), Some(JobId(1)));
        assert!(!lanes.has(JobId(1)) && lanes.has(JobId(2)) && !lanes.are_free());
        assert_eq!(lanes.file().map(|path| &**path), Some(&b"b"[..]));
        assert!(lanes.take(JobId(2)).is_some() && lanes.are_free());
    }
}
