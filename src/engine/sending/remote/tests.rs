//! Every cell of the two tables in `remote`. What a change means for a remote, and several jobs in a row: `course`.

mod course;
mod refused;
mod rehearsed;

use super::super::change::Change;
use super::super::next::Next;
use super::super::pending::Remembered;
use super::*;
use crate::config::{Batch, MaxDelete};
use crate::engine::sending::extent::Extent;
use crate::engine::sending::licence::Grants;
use crate::engine::watching::settle::Stamp;
use crate::engine::Work;
use crate::rsync::asked::licence::Way;
use crate::rsync::told::exit::Exit;
use crate::rsync::told::outcome::Outcome;

const PUT_ASIDE_MS: u64 = 3_600_000;
const DELETE: Change = Change::Delete { gone: Gone::Entry, unsent: false };
/// What a server before 3.1 says.
const UNKNOWN: &str = "rsync: on remote machine: --delete-missing-args: unknown option\n";
/// What the far side says when the user's own limit is reached.
const LIMITED: &str = "Deletions stopped due to --max-delete limit (5 skipped)\n";

fn settings(mirror: bool) -> SendingSettings {
    SendingSettings {
        max_delete: MaxDelete::default(),
        timing: Batch::default(),
        grants: Grants::new(true, mirror),
        way: Way::Combined,
        standby: false,
        put_aside_ms: PUT_ASIDE_MS,
    }
}

fn path(path: &str) -> RelPath {
    RelPath::from(path.as_bytes())
}

fn words<'a>(paths: impl Iterator<Item = &'a RelPath>) -> String {
    paths.map(|path| format!(" {}", String::from_utf8_lossy(path))).collect()
}

/// What is named are files.
fn outcome(code: i32, stderr: &str, named: &[&str]) -> Outcome {
    let named = named.iter().map(|name| name.as_bytes().to_vec()).collect();
    Outcome::of(&Exit::with_code(code, stderr), None).naming(|| (named, true))
}

/// One of them is a directory.
fn naming_a_directory(named: &[&str]) -> Outcome {
    let named = named.iter().map(|name| name.as_bytes().to_vec()).collect();
    Outcome::of(&Exit::with_code(23, ""), None).naming(|| (named, false))
}

/// What is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flying {
    Nothing,
    Batch,
    File,
    BatchAndFile,
    Sweep,
    BatchAndSweep,
}

const FLYING: [Flying; 6] = [
    Flying::Nothing,
    Flying::Batch,
    Flying::File,
    Flying::BatchAndFile,
    Flying::Sweep,
    Flying::BatchAndSweep,
];

impl Remote {
    /// When the next batch or sweep may start.
    fn next_due(&self, complete: bool) -> Option<Time> {
        self.sweep_due(complete).into_iter().chain(self.due()).min()
    }

    /// Starts a sweep if one is due, or else a batch.
    fn start_next(&mut self, job: JobId, now: Time) -> Work {
        match self.sweep_due(true).filter(|due| *due <= now) {
            Some(_) => self.start_sweep(job, now).expect("it is due"),
            None => self.start(job, 1, now),
        }
    }
}

/// A remote, and when something happens to it.
struct World {
    remote: Remote,
    jobs: u64,
    now: Time,
}

impl World {
    fn new(mirror: bool) -> World {
        let remote = Remote::new(settings(mirror), Standing::From(0), Trust::Certain, 0);
        World { remote, jobs: 0, now: Time(1_000) }
    }

    fn with(flying: Flying) -> World {
        let mut world = World::new(true);
        if matches!(flying, Flying::File | Flying::BatchAndFile) {
            world.file("file", Change::Send);
        }
        match flying {
            Flying::Batch | Flying::BatchAndFile => drop(world.batch(&[("batch", Change::Send)])),
            Flying::Sweep | Flying::BatchAndSweep => {
                world.remote.need_full_sync();
                world.start();
            }
            Flying::Nothing | Flying::File => {}
        }
        if flying == Flying::BatchAndSweep {
            world.batch(&[("batch", Change::Send)]);
        }
        world
    }

    fn change(&mut self, name: &str, change: Change) {
        self.now = self.now + 1;
        self.remote.change(&path(name), change, self.now);
    }

    fn job(&mut self) -> JobId {
        self.jobs += 1;
        self.now = self.now + 1;
        JobId(self.jobs)
    }

    fn start(&mut self) -> Work {
        let job = self.job();
        self.remote.start_next(job, self.now)
    }

    /// A batch with these paths is on its way.
    fn batch(&mut self, paths: &[(&str, Change)]) -> Work {
        paths.iter().for_each(|(name, change)| self.change(name, *change));
        self.start()
    }

    /// A large file is on its way, of which a batch has found out that it is large.
    fn file(&mut self, name: &str, change: Change) -> Work {
        self.wait(name, change);
        let job = self.job();
        self.remote.start_bulk(job, self.now).expect("it waits")
    }

    /// A large file waits.
    fn wait(&mut self, name: &str, change: Change) {
        self.batch(&[(name, change)]);
        let stamp = Stamp { size: 1 << 30, modified_ns: 0 };
        self.remote.set_apart(JobId(self.jobs), &[(path(name), stamp)]);
        assert!(matches!(self.finish(&Outcome::Nothing), Next::Arrived { .. }));
    }

    /// The job that started last ends.
    fn finish(&mut self, outcome: &Outcome) -> Next {
        self.now = self.now + 1;
        self.remote.finish(JobId(self.jobs), outcome, self.now).expect("it is on its way")
    }

    /// The job that started last ends, and so does each that takes its place.
    fn finish_for_good(&mut self, outcome: &Outcome) -> Next {
        loop {
            let next = self.finish(outcome);
            if !matches!(next, Next::Again { .. }) {
                return next;
            }
            self.start_again();
        }
    }

    /// The job that started last leaves again.
    fn start_again(&mut self) -> Work {
        let (before, again) = (JobId(self.jobs), self.job());
        self.remote.start_again(before, again, self.now).expect("it is on its way")
    }

    /// What waits, where, and whether the remote pauses.
    fn waiting(&self) -> String {
        let remote = &self.remote;
        let mut all = Vec::new();
        for (place, paths) in [
            ("pending", &remote.pending),
            ("large", remote.bulk.waiting()),
            ("stuck", remote.stuck.paths()),
            ("refused", remote.stuck.refused()),
        ] {
            if !paths.is_empty() {
                all.push(format!("{place}{}", words(paths.iter().map(|(path, _)| path))));
            }
        }
        match &remote.sweep {
            Sweep::Nothing => {}
            Sweep::Levels(levels) => all.push(format!("levels{}", words(levels.keys()))),
            Sweep::Scheduled(_) => all.push("scheduled".into()),
            Sweep::Full => all.push("full".into()),
        }
        if remote.stuck.has_full_sync() {
            all.push("stuck full".into());
        }
        if remote.is_failing() {
            all.push("pause".into());
        }
        all.join(", ")
    }
}

#[test]
fn a_path_that_changes_pends_whatever_is_on_its_way_unless_it_is_that_files() {
    for flying in FLYING {
        let mut world = World::with(flying);
        world.change("other", Change::Send);
        assert_eq!(world.waiting(), "pending other", "{flying:?}");
        let has_file = matches!(flying, Flying::File | Flying::BatchAndFile);
        world.change("file", Change::Send);
        let expected = if has_file { "pending other, large file" } else { "pending file other" };
        assert_eq!(world.waiting(), expected, "{flying:?}");
    }
}

#[test]
fn what_comes_and_goes_again_pends_only_if_a_job_may_have_sent_it() {
    for flying in FLYING {
        for (name, flying_may) in [("other", Flying::Sweep), ("batch", Flying::Batch)] {
            let mut world = World::with(flying);
            let created = world.now + 1;
            world.change(name, Change::SendNew { created, by_name: false });
            world.change(name, DELETE);
            let may_be_sent = match flying {
                Flying::Sweep | Flying::BatchAndSweep => true,
                Flying::Batch | Flying::BatchAndFile => flying_may == Flying::Batch,
                Flying::Nothing | Flying::File => false,
            };
            let expected = if may_be_sent { format!("pending {name}") } else { String::new() };
            assert_eq!(world.waiting(), expected, "{name}, {flying:?}");
        }
    }
}

#[test]
fn what_starts_beside_what_is_on_its_way() {
    for (flying, batch, sweep, file) in [
        (Flying::Nothing, true, true, true),
        (Flying::Batch, false, false, true),
        (Flying::File, true, false, false),
        (Flying::BatchAndFile, false, false, false),
        (Flying::Sweep, true, false, false),
        (Flying::BatchAndSweep, false, false, false),
    ] {
        let mut world = World::with(flying);
        world.change("other", Change::Send);
        assert_eq!(world.remote.due().is_some(), batch, "a batch, {flying:?}");
        if batch {
            assert!(matches!(world.start(), Work::Batch { .. }), "{flying:?}");
        }

        let mut world = World::with(flying);
        world.remote.need_full_sync();
        assert_eq!(world.remote.sweep_due(true).is_some(), sweep, "a sweep, {flying:?}");
        assert_eq!(world.remote.sweep_due(false), None, "the root is not watched, {flying:?}");
        if sweep {
            assert!(matches!(world.start(), Work::FullSync { .. }), "{flying:?}");
        }

        let mut world = World::with(flying);
        world.remote.bulk.put(path("large"), Remembered::TO_SEND, world.now);
        assert_eq!(world.remote.bulk_due(true).is_some(), file, "a large file, {flying:?}");
        world.remote.need_full_sync();
        assert_eq!(world.remote.bulk_due(true), None, "a sweep is to be first, {flying:?}");
        assert_eq!(world.remote.bulk_due(false).is_some(), file, "which cannot start, {flying:?}");
    }
}

#[test]
fn what_happened_under_a_files_name_pends_when_its_job_has_ended() {
    for flying in [Flying::File, Flying::BatchAndFile] {
        let mut world = World::with(Flying::File);
        world.change("file", DELETE);
        world.change("file/inside", Change::Send);
        let file = world.jobs;
        if flying == Flying::BatchAndFile {
            world.batch(&[("batch", Change::Send)]);
            world.finish(&Outcome::Done);
        }
        world.jobs = file;
        world.finish(&Outcome::Done);
        // The root's own time goes along: the batch has changed it, and rsync sets it back.
        let company = if flying == Flying::BatchAndFile { " " } else { "" };
        assert_eq!(world.waiting(), format!("pending{company} file file/inside"), "{flying:?}");
    }
}

/// What is on its way when a job ends.
#[derive(Debug, Clone, Copy)]
enum Ends {
    Batch,
    File,
    Levels,
    Full,
    Scheduled,
}

impl Ends {
    fn start(self, mirror: bool) -> World {
        let mut world = World::new(mirror);
        match self {
            Ends::Batch => {
                let paths = [("a", Change::Send), ("b", Change::Send), ("gone", DELETE)];
                world.batch(&paths);
            }
            Ends::File => drop(world.file("a", DELETE)),
            Ends::Levels => {
                world.change("d", Change::MakeEqual);
                assert!(matches!(world.start(), Work::Level { .. }));
            }
            Ends::Full => {
                world.remote.need_full_sync();
                world.start();
            }
            Ends::Scheduled => {
                world.remote.schedule_full_sync();
                world.start();
            }
        }
        world
    }
}

/// Every cell of the second table.
#[test]
fn what_each_kind_of_job_leaves_behind_by_its_outcome() {
    use Ends::{Batch, File, Full, Levels, Scheduled};
    let done = outcome(0, "", &[]);
    let partial = outcome(23, "", &["a"]);
    let others = naming_a_directory(&["a"]);
    let unnamed = outcome(23, "", &[]);
    let cut_short = outcome(11, "write failed on \"a\"", &["a"]);
    let unreachable = outcome(30, "", &[]);
    let refused = outcome(126, "", &[]);
    let limited = outcome(25, "", &[]);
    let limited_partial = outcome(23, LIMITED, &["a"]);
    let table = [
        (Batch, &done, ""),
        (Batch, &limited, ""),
        (Batch, &Outcome::Nothing, ""),
        (Batch, &partial, "stuck a gone"),
        (Batch, &others, "stuck a gone"),
        (Batch, &limited_partial, "stuck a"),
        (Batch, &unnamed, "stuck a b gone"),
        (Batch, &cut_short, "pending b gone, stuck a"),
        (Batch, &unreachable, "pending a b gone, pause"),
        (Batch, &refused, "pending a b gone, pause"),
        (Batch, &Outcome::RootChanged, "pending a b gone"),
        (File, &done, ""),
        (File, &limited, ""),
        (File, &Outcome::Nothing, ""),
        (File, &partial, "stuck a"),
        (File, &unnamed, "stuck a"),
        (File, &cut_short, "stuck a"),
        (File, &unreachable, "large a, pause"),
        (File, &refused, "large a, pause"),
        (File, &Outcome::RootChanged, "large a"),
        (Levels, &done, ""),
        (Levels, &limited, ""),
        (Levels, &Outcome::Nothing, ""),
        (Levels, &others, "stuck full"),
        (Levels, &unnamed, "stuck full"),
        (Levels, &cut_short, "levels d, pause"),
        (Levels, &unreachable, "levels d, pause"),
        (Levels, &refused, "levels d, pause"),
        (Levels, &Outcome::RootChanged, "levels d"),
        (Full, &done, ""),
        (Full, &limited, ""),
        (Full, &Outcome::Nothing, ""),
        (Full, &others, "stuck full"),
        (Full, &unnamed, "stuck full"),
        (Full, &cut_short, "full, pause"),
        (Full, &unreachable, "full, pause"),
        (Full, &refused, "full, pause"),
        (Full, &Outcome::RootChanged, "full"),
        (Scheduled, &done, ""),
        (Scheduled, &others, "stuck full"),
        (Scheduled, &unreachable, "scheduled, pause"),
        (Scheduled, &Outcome::RootChanged, "scheduled"),
    ];
    for mirror in [false, true] {
        let stuck = if mirror { "stuck full" } else { "stuck a" };
        let files = [Levels, Full, Scheduled].map(|sweep| (sweep, &partial, stuck));
        for (ends, outcome, expected) in table.into_iter().chain(files) {
            let mut world = ends.start(mirror);
            world.finish_for_good(outcome);
            assert_eq!(world.waiting(), expected, "{ends:?}, mirror {mirror}: {outcome:?}");
        }
    }
}

#[test]
fn a_job_goes_again_if_combined_deletes_may_be_what_it_failed_by() {
    for (ends, again) in
        [(Ends::Batch, true), (Ends::File, true), (Ends::Levels, false), (Ends::Full, false)]
    {
        let mut world = ends.start(true);
        let next = world.finish(&outcome(10, UNKNOWN, &[]));
        assert_eq!(matches!(next, Next::Again { refused: false }), again, "{ends:?}: {next:?}");
        if !again {
            continue;
        }
        assert_eq!(world.waiting(), "", "{ends:?}: it is still on its way");
        let work = world.start_again();
        let (Work::Batch { way, .. } | Work::Bulk { way, .. }) = work else {
            panic!("{ends:?}: {work:?}")
        };
        assert_eq!(way, Way::Portable, "{ends:?}");
        let Next::Arrived { learned, .. } = world.finish(&Outcome::Done) else {
            panic!("{ends:?}")
        };
        assert!(learned, "{ends:?}: rsync has said so");
    }
}

#[test]
fn an_extent_is_that_of_what_has_arrived() {
    for (ends, extent) in [
        (Ends::Batch, Extent::Paths(3)),
        (Ends::File, Extent::Paths(1)),
        (Ends::Levels, Extent::Directories(1)),
        (Ends::Full, Extent::Everything),
    ] {
        let mut world = ends.start(true);
        let Next::Arrived { sent, .. } = world.finish(&Outcome::Done) else { panic!("{ends:?}") };
        assert_eq!(sent, extent, "{ends:?}");
    }
}
