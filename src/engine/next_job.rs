//! Which job starts next, of all remotes: that which is due first, as far as the workers reach.

use super::sending::lanes::Lane;
use super::sending::remote::Remote;
use super::time::Time;
use super::{Engine, Job, JobId, RemoteId, RootId, Served};

impl Engine {
    /// rsync processes, by what the jobs on their way may start.
    pub(super) fn running(&self) -> usize {
        self.remotes.iter().map(|served| served.remote.processes()).sum()
    }

    /// The job that is due first: when, which remote's and in which lane.
    pub(super) fn next_job(&self) -> Option<(Time, usize, Lane)> {
        // Remotes that fail, perhaps by hanging, get at most half of the workers, and so do large
        // files, which may be on their way for hours. Sweeps may be as well: what is quick always finds a worker.
        let half = (self.workers / 2).max(1);
        let is_busy = |served: &&Served| served.remote.is_failing() && served.remote.is_busy();
        let failing_may = self.remotes.iter().filter(is_busy).count() < half;
        let in_bulk = self.remotes.iter().filter(|served| served.remote.sends_large_file()).count();
        let sweeps = self.remotes.iter().filter(|served| served.remote.sweeps()).count();
        let long_may = in_bulk + sweeps < self.workers.saturating_sub(1).max(1);
        let bulk_may = in_bulk < half && long_may;
        let candidates = self.remotes.iter().enumerate().filter(|(_, served)| {
            self.roots[served.root].halt.is_none() && (failing_may || !served.remote.is_failing())
        });
        // Whoever hangs would hang twice: the second job of a remote leaves one worker to those that have none, and
        // half of all if it is not known yet that the remote answers.
        let free = self.workers.saturating_sub(self.running());
        let all_have_one = self.remotes.iter().all(|served| served.remote.is_busy());
        let second_may = move |remote: &Remote| {
            all_have_one || free > 1 && (remote.answers() || free > half.max(2))
        };
        let due = candidates.flat_map(move |(number, served)| {
            let complete = self.roots[served.root].root.is_complete();
            let small_may = !served.remote.sweeps() || second_may(&served.remote);
            let lanes = [
                (Lane::Sweep, served.remote.sweep_due(complete).filter(|_| long_may)),
                (Lane::Small, served.remote.due().filter(|_| small_may)),
                (Lane::Bulk, served.remote.bulk_due(complete).filter(|_| bulk_may)),
            ];
            lanes.into_iter().filter_map(move |(lane, due)| Some((due?, number, lane)))
        });
        due.min_by_key(|(due, number, lane)| (*due, *lane, *number))
    }

    pub(super) fn start_job(&mut self, now: Time) -> Option<Job> {
        let free = self.workers.saturating_sub(self.running());
        if self.stopping || free == 0 {
            return None;
        }
        let (_, number, lane) = self.next_job().filter(|(due, ..)| *due <= now)?;
        let served = &mut self.remotes[number];
        self.last_job += 1;
        let id = JobId(self.last_job);
        let work = match lane {
            Lane::Sweep => served.remote.start_sweep(id, now)?,
            Lane::Small => served.remote.start(id, free, now),
            Lane::Bulk => served.remote.start_bulk(id, now)?,
        };
        Some(Job { id, root: RootId(served.root), remote: RemoteId(number), work })
    }
}
