//! Whatever was looked at, and whatever the user's parameters are: no words that the program asks with delete
//! anything outside the licence.
//!
//! Lost is what is over there before and not afterwards. What is licensed is said here a second time, in other words
//! than in the program.

use super::super::away::spared;
use super::super::level::{self, Depth, Level};
use super::super::licence::{Licence, Way};
use super::super::plan::tests::{rsync, NEW};
use super::super::plan::{batch, full_sync, Gone, Looked, Now, PlanSettings};
use super::super::repair::bytes;
use super::super::route::tests::route_to;
use super::super::route::RemoteRoute;
use super::super::run::Run;
use super::filter::Side;
use super::trees::{shown, Random};
use super::words::Words;
use super::{parent, run, Entry, Path, Tree};
use crate::config::options;
use crate::config::Address;
use std::sync::Arc;

const BATCHES: u64 = 6_000;
const SWEEPS: u64 = 3_000;
const FAR: &str = "/far";

const PARAMS: [&str; 6] = ["-a", "-artuz", "-rlt", "-ab", "-ab --suffix=.o", "-am"];

/// What users write behind them.
const MORE: [&str; 20] = [
    "--delete",
    "--delete-during --force",
    "--delete-excluded",
    "--force",
    "--existing",
    "--max-delete=2",
    "--exclude=a",
    "--exclude=/a/",
    "--exclude=b/c",
    "--exclude=**/b",
    "--include=*.o --exclude=[a-b]",
    "--include=a/*** --exclude=/a",
    "--include=*/ --include=*.o --exclude=*",
    "--include=*",
    "--include=b~",
    "-f P_b",
    "-f H_a",
    "-f -r_c",
    "-f R_a -f P_a",
    "-f S_*.o -f -_b",
];

/// Both sides, and how the far one is asked.
struct World {
    params: Vec<&'static str>,
    route: RemoteRoute,
    near: Tree,
    far: Tree,
}

impl World {
    fn new(random: &mut Random) -> World {
        let near = random.tree("of this side ");
        let far = random.changed(&near, "of the far ");
        let mut params: Vec<&str> = random.pick(&PARAMS).split(' ').collect();
        for _ in 0..random.below(4) {
            params.extend(random.pick(&MORE).split(' '));
        }
        let route = route_to(&Address::Local { path: FAR.into() }, &rsync(&params), NEW);
        World { params, route, near, far }
    }

    /// What is lost by these runs, one after the other.
    fn lost(&self, runs: &[Run]) -> Vec<Path> {
        let far = runs.iter().fold(self.far.clone(), |far, asked| {
            run(&bytes(asked.args.clone()), &asked.input, FAR.as_bytes(), &self.near, &far).far
        });
        self.far.keys().filter(|path| !far.contains_key(*path)).cloned().collect()
    }

    /// Whether the user's parameters keep a path, or a directory in which it lies, in a run that deletes. A directory that
    /// something is sent for keeps nothing: what is in it is asked about by itself, or makes way.
    fn is_kept(&self, path: &[u8], with_excluded: bool) -> bool {
        let params = options::without(&self.route.rsync.params, |option| {
            option.is("delete-excluded") && !with_excluded
        });
        let more = ["--delete", "./", FAR].map(|word| word.into());
        let words = Words::read(&[params, more.to_vec()].concat(), b"", FAR.as_bytes());
        let hides = |side, tree: &Tree, path: &[u8]| {
            words.filter.hides(side, path, tree.get(path) == Some(&Entry::Directory))
        };
        let is_sent =
            |path: &[u8]| self.near.contains_key(path) && !hides(Side::Sender, &self.near, path);
        let is_kept = |above: &[u8]| {
            hides(Side::Receiver, &self.far, above) && (above == path || !is_sent(above))
        };
        let mut above = path;
        while !above.is_empty() && !is_kept(above) {
            above = parent(above);
        }
        !above.is_empty()
    }

    fn look(&self, path: &[u8]) -> Now {
        let mut above = parent(path);
        let mut missing = false;
        while !above.is_empty() {
            match self.near.get(above) {
                Some(Entry::Directory) => {}
                Some(_) => return Now::Hidden,
                None => missing = true,
            }
            above = parent(above);
        }
        match self.near.get(path) {
            None if missing => Now::Orphaned,
            None => Now::Missing,
            Some(Entry::Directory) => Now::Directory,
            Some(_) => Now::Other,
        }
    }

    fn any_path(&self, random: &mut Random) -> Path {
        let paths: Vec<&Path> = self.near.keys().chain(self.far.keys()).collect();
        match paths.is_empty() || random.chance(10) {
            true => random.path(),
            false => random.pick(&paths).to_vec(),
        }
    }

    fn told(&self, seed: u64, runs: &[Run], lost: &[u8], about: &str) -> String {
        let line = |run: &Run| format!("\n  {:?} < {}", run.args, run.input.escape_ascii());
        format!(
            "seed {seed}, {:?}: {} is lost: {about}\n  near: {}\n  far: {}{}",
            self.params,
            lost.escape_ascii(),
            shown(&self.near),
            shown(&self.far),
            runs.iter().map(line).collect::<String>()
        )
    }
}

fn is_in(path: &[u8], directory: &[u8]) -> bool {
    directory.is_empty()
        || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

fn batch_stays_within(seed: u64) -> Result<(), String> {
    let random = &mut Random(seed);
    let world = World::new(random);
    let mut looked = Vec::new();
    for _ in 0..1 + random.below(6) {
        let path = world.any_path(random);
        let gone = *random.pick(&[Gone::No, Gone::Entry, Gone::Directory]);
        let (now, fresh) = (world.look(&path), random.chance(10));
        looked.push(Looked { path: path.into(), gone, now, bytes: 0, fresh, joined: false });
    }
    let licence = *random.pick(&[Licence::Nothing, Licence::Seen, Licence::Seen]);
    let way = *random.pick(&[Way::Combined, Way::Portable]);
    let settings = PlanSettings { licence, way, standby: random.chance(50) };
    let runs = batch(&world.route, settings, &looked, &[]);
    for path in world.lost(&runs) {
        let went = |looked: &&Looked| match looked.gone {
            Gone::No => false,
            Gone::Entry => *looked.path == *path,
            Gone::Directory => is_in(&path, &looked.path),
        };
        let about = format!("{settings:?} {looked:?}");
        if !licence.covers_seen() || !looked.iter().any(|looked| went(&looked)) {
            return Err(world.told(seed, &runs, &path, &about));
        }
        if world.is_kept(&path, false) {
            return Err(world.told(seed, &runs, &path, &format!("it is kept: {about}")));
        }
    }
    Ok(())
}

fn sweep_stays_within(seed: u64) -> Result<(), String> {
    let random = &mut Random(seed);
    let world = World::new(random);
    let licence =
        *random.pick(&[Licence::Nothing, Licence::Seen, Licence::Unseen, Licence::Unseen]);
    // What is left out is found here.
    let mut left_out: Vec<Path> = (0..random.below(3)).map(|_| world.any_path(random)).collect();
    left_out.retain(|path| world.near.contains_key(path));
    // Where a disk is away, nothing is here.
    let mut away: Vec<Path> = (0..random.below(2)).map(|_| world.any_path(random)).collect();
    away.retain(|away| !world.near.keys().any(|path| is_in(path, away) && path != away));
    let away: Vec<Arc<[u8]>> = away.into_iter().map(Arc::from).collect();
    let depth = *random.pick(&[Depth::One, Depth::All]);
    let is_directory = |path: &Path| world.look(path) == Now::Directory;
    let mut directories: Vec<Path> = (0..random.below(3)).map(|_| world.any_path(random)).collect();
    directories.retain(is_directory);
    let (runs, tops) = match directories.is_empty() {
        true => (vec![full_sync(&world.route, licence, &[], Some(&left_out))], vec![Path::new()]),
        false => {
            let level = Level { route: &world.route, depth, licence, rules: &[] };
            let paths: Vec<Arc<[u8]>> = directories.iter().map(|it| it.clone().into()).collect();
            (level::runs(level, Some(&left_out), &paths), directories.clone())
        }
    };
    let runs: Vec<Run> = runs.into_iter().map(|run| spared(run, &away)).collect();
    // A full sync deletes what the user leaves out, if that is asked for.
    let with_excluded =
        runs.iter().any(|run| bytes(run.args.clone()).contains(&b"--delete-excluded".to_vec()));
    for path in world.lost(&runs) {
        let below = |top: &Path| is_in(&path, top) && path != *top;
        let is_spared = away.iter().any(|away| is_in(&path, away) && *path != **away);
        let is_left_out = left_out.iter().any(|left_out| is_in(&path, left_out));
        let about = format!("{licence:?} {depth:?} {tops:?} {left_out:?} {away:?}");
        let within = licence.covers_unseen() && tops.iter().any(below);
        if !within || is_spared || is_left_out || world.is_kept(&path, with_excluded) {
            return Err(world.told(seed, &runs, &path, &about));
        }
    }
    Ok(())
}

fn check(test: fn(u64) -> Result<(), String>, seeds: std::ops::Range<u64>) {
    let failures: Vec<String> = seeds.filter_map(|seed| test(seed).err()).collect();
    let first: Vec<&String> = failures.iter().take(3).collect();
    assert!(failures.is_empty(), "{} are outside: {first:#?}", failures.len());
}

#[test]
fn no_batch_deletes_outside_its_licence() {
    check(batch_stays_within, 0..BATCHES);
}

#[test]
fn no_sweep_deletes_outside_its_licence() {
    check(sweep_stays_within, 0..SWEEPS);
}
