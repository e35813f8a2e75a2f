//! Everything comes to rest: what is under way goes on, and time passes, until nothing is left to be done.

use super::far_side::FarSide;
use super::World;

/// Where nothing changes for so long, nothing will.
const IN_VAIN_MS: u64 = 3_600_000;

/// Whoever has not come to rest after so many steps without a job never will.
const STEPS_TO_REST_MAX: usize = 200_000;

/// And after so many of all. A job takes one for each of its paths, and what nobody may make way for leaves again every
/// minute, with hundreds of others that are stuck with it.
const STEPS_WITH_JOBS_MAX: usize = 2_000_000;

impl World {
    /// Lets everything come to rest that is under way. What nobody may make way for over there is tried again for
    /// ever.
    pub(super) fn rest(&mut self) {
        let images = |world: &World| world.remotes.iter().map(FarSide::image).collect::<Vec<_>>();
        let mut changed = (Vec::new(), self.now);
        let mut without_jobs = 0;
        for _ in 0..STEPS_WITH_JOBS_MAX {
            without_jobs += usize::from(self.jobs.is_empty());
            if without_jobs > STEPS_TO_REST_MAX {
                break;
            }
            if self.ground.is_asked() && self.random.one_in(4) {
                self.look_at_ground();
            }
            let walks = !self.walk.is_idle() || self.search.is_some();
            let busy = [!self.fs.queue.is_empty(), walks, !self.jobs.is_empty()];
            match self.random.below(4) {
                0 => self.deliver_event(),
                1 => self.deliver_listing(),
                2 => self.walk_step(),
                _ => self.job_step(),
            }
            if busy == [false; 3] {
                let images = images(self);
                if images != changed.0 {
                    changed = (images, self.now);
                }
                match self.engine.poll_timeout() {
                    Some(due) if self.now.since(changed.1) < IN_VAIN_MS => {
                        self.pass_time(due.since(self.now));
                    }
                    Some(_) | None => return,
                }
            }
        }
        let stuck = self.engine.remotes.iter().flat_map(|served| served.remote.stuck());
        let stuck: Vec<_> = stuck.map(|path| path.escape_ascii().to_string()).collect();
        panic!(
            "seed {}: no rest after {without_jobs} steps without a job; stuck: {stuck:?}",
            self.seed
        );
    }
}
