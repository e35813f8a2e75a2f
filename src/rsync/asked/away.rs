//! What a run over whole directories must not delete although it is not here: what lies on a disk that is away.

use super::pattern::literal;
use super::run::Run;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

/// The run, with what the far side has below these directories protected; the root, as the empty path, stands for
/// everything. The directories themselves may be deleted.
pub fn spared(mut run: Run, away: &[Arc<[u8]>]) -> Run {
    let word = |directory: &Arc<[u8]>| {
        let pattern = match directory.is_empty() {
            true => b"*".to_vec(),
            false => literal(directory, b"/*"),
        };
        OsString::from_vec([b"--filter=P ", pattern.as_slice()].concat())
    };
    // Before the user's own rules, since the first that fits counts.
    run.args.splice(0..0, away.iter().map(word));
    run
}

#[cfg(test)]
mod tests {
    use super::super::level::{runs, Depth, Level};
    use super::super::licence::Licence;
    use super::super::plan::full_sync;
    use super::super::plan::real_runs::{make, tree, Lab};
    use super::super::plan::tests::{rsync, NEW};
    use super::super::route::tests::route_to;
    use super::*;
    use crate::config::Address;

    #[test]
    fn the_rules_stand_before_the_users() {
        let route = route_to(&Address::Local { path: "/d".into() }, &rsync(&["-a"]), NEW);
        let run = full_sync(&route, Licence::Unseen, &[], None);
        assert_eq!(spared(run.clone(), &[]), run);
        let away: Vec<Arc<[u8]>> = vec![b"a b/*"[..].into(), b""[..].into()];
        let args = spared(run.clone(), &away).args;
        assert_eq!(args[..2], ["--filter=P /a b/\\*/*", "--filter=P *"]);
        assert_eq!(args[2..], run.args);
    }

    #[test]
    fn what_is_away_stays_and_all_else_is_made_equal() {
        let lab = Lab::new();
        let away: Vec<Arc<[u8]>> = vec![b"a/disk"[..].into(), b"q[1]"[..].into()];
        let rsync = lab.rsync(&["-ltz"]);
        let route = route_to(&lab.address, &rsync, NEW);
        let level =
            Level { route: &route, depth: Depth::All, licence: Licence::Unseen, rules: &[] };
        let all: [Arc<[u8]>; 1] = [b""[..].into()];
        let full = vec![full_sync(&route, Licence::Unseen, &[], None)];
        for runs in [full, runs(level, None, &all)] {
            lab.clear();
            make(&lab.near(), &["a/disk/", "a/new=", "q[1]/below=new"]);
            make(&lab.far(), &["a/disk/x/y=far", "a/disk/z=far", "a/old=far", "q[1]/own=far"]);
            for run in &runs {
                lab.run(&spared(run.clone(), &away));
            }
            let expected = [
                "a/",
                "a/disk/",
                "a/disk/x/",
                "a/disk/x/y=far",
                "a/disk/z=far",
                "a/new=",
                "q[1]/",
                "q[1]/below=new",
                "q[1]/own=far",
            ];
            assert_eq!(tree(&lab.far()), expected);
            for run in runs {
                lab.run(&spared(run, &[b""[..].into()]));
            }
            assert_eq!(tree(&lab.far()), expected);
        }
    }
}
