//! What the user's own parameters keep on the far side, a filter or backups, a batch keeps as well as a full sync.

use super::{at_once, each, present, put, Mode, Way};
use crate::harness::{eventually, Mirror, Plan, Sshd};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// What is deleted, and what is put in its place.
#[derive(Debug, Clone, Copy)]
enum Change {
    Removed,
    MadeAgain,
    File,
    Link,
}

impl Change {
    const ALL: [Change; 4] = [Change::Removed, Change::MadeAgain, Change::File, Change::Link];

    fn of(self, directory: &Path) {
        fs::remove_dir_all(directory).unwrap();
        match self {
            Change::Removed => {}
            Change::MadeAgain => fs::create_dir(directory).unwrap(),
            Change::File => fs::write(directory, "a file").unwrap(),
            Change::Link => symlink("anchor", directory).unwrap(),
        }
    }
}

fn start(way: Way, mode: Mode, params: &str, rules: &str) -> (Mirror, Option<Sshd>) {
    let (mut plan, sshd): (Plan, _) = way.plan();
    mode.apply(&mut plan);
    let list = plan.directory("rules").join("list");
    fs::write(&list, rules).unwrap();
    plan.conf.params.push_str(&params.replace("LIST", list.to_str().unwrap()));
    put(&plan.root, &["app/sub/f", "app/own/f", "app/f", "app/local.conf"]);
    for (file, rule) in
        [(".rsync-filter", "- local.conf\n- own/\n"), (".cvsignore", "local.conf own\n")]
    {
        fs::write(plan.root.join("app").join(file), rule).unwrap();
        fs::create_dir_all(plan.remotes[0].join("app")).unwrap();
        fs::write(plan.remotes[0].join("app").join(file), rule).unwrap();
    }
    put(&plan.remotes[0], &["app/sub/f", "app/own/f", "app/f", "app/local.conf", "app/own/theirs"]);
    let mirror = plan.start();
    mirror.fence();
    (mirror, sshd)
}

const KEPT: [&str; 3] = ["app/local.conf", "app/own/f", "app/own/theirs"];

/// Parameters that keep the same three files, each in another way.
const FILTERS: [(&str, &str); 8] = [
    (" --exclude=local.conf --exclude=own/", ""),
    (" --delete --exclude=local.conf --exclude=/app/own/", ""),
    (" -f 'P local.conf' -f 'protect own' -f 'P own/**'", ""),
    (" --exclude-from=LIST", "local.conf\n- own\n"),
    (" -f 'merge LIST'", "+ f\n- local.conf\nexclude own\n"),
    (" --include=f --include=f*/ --exclude=local.conf --exclude=own", ""),
    (" -F", ""),
    (" -C", ""),
];

#[test]
fn a_filter_keeps_what_it_hides() {
    let ways = Way::ALL.into_iter().flat_map(|way| FILTERS.map(|filter| (way, filter)));
    each(ways, |(way, (params, rules))| {
        let (mirror, _sshd) = start(way, Mode::Push, params, rules);
        at_once(&mirror, |root| Change::Removed.of(&root.join("app")));
        let far = &mirror.remotes[0];
        eventually("what is not kept goes", || !far.join("app/sub").exists());
        mirror.fence();
        assert_eq!(present(far, &KEPT), KEPT, "{way:?} {params}");
        assert!(!far.join("app/f").exists(), "{way:?} {params}");
    });
}

#[test]
fn a_filter_keeps_what_it_hides_in_a_directory_that_is_made_again() {
    each(FILTERS, |(params, rules)| {
        for mode in [Mode::Push, Mode::Mirror] {
            let (mirror, _sshd) = start(Way::Daemon, mode, params, rules);
            at_once(&mirror, |root| Change::MadeAgain.of(&root.join("app")));
            let far = &mirror.remotes[0];
            eventually("what is not kept goes", || !far.join("app/sub").exists());
            mirror.fence();
            assert_eq!(present(far, &KEPT), KEPT, "{mode:?} {params}");
        }
    });
}

#[test]
fn a_directory_that_is_kept_as_a_whole_stays() {
    let params =
        [" --exclude=/cache/", " --delete --exclude=/cache/", " --include=x --exclude=/cache"];
    each(
        Way::ALL.into_iter().flat_map(|way| params.map(|params| (way, params))),
        |(way, params)| {
            let (mut plan, _sshd) = way.plan();
            Mode::Push.apply(&mut plan);
            plan.conf.params.push_str(params);
            put(&plan.root, &["cache/f", "gone"]);
            put(&plan.remotes[0], &["cache/f", "cache/theirs", "gone"]);
            let mirror = plan.start();
            at_once(&mirror, |root| {
                fs::remove_dir_all(root.join("cache")).unwrap();
                fs::remove_file(root.join("gone")).unwrap();
            });
            let far = &mirror.remotes[0];
            eventually("what is not kept goes", || !far.join("gone").exists());
            mirror.fence();
            assert_eq!(present(far, &["cache/f", "cache/theirs"]).len(), 2, "{way:?} {params}");
        },
    );
}

#[test]
fn backups_stay_where_their_directory_goes() {
    let suffixes = [(" -b", "~"), (" --backup --suffix=.old", ".old"), (" -b --include=f", "~")];
    let cases = suffixes.into_iter().flat_map(|suffix| Change::ALL.map(|change| (suffix, change)));
    each(cases, |((params, suffix), change)| {
        for way in [Way::Daemon, Way::Directory] {
            let (mut plan, _sshd) = way.plan();
            Mode::Push.apply(&mut plan);
            plan.conf.params.push_str(params);
            put(&plan.root, &["d/f", "d/sub/f"]);
            put(&plan.remotes[0], &["d/f", "d/sub/f"]);
            let older = [format!("d/g{suffix}"), format!("d/sub/g{suffix}")];
            put(&plan.remotes[0], &older.each_ref().map(String::as_str));
            let mirror = plan.start();
            at_once(&mirror, |root| change.of(&root.join("d")));
            let far = &mirror.remotes[0];
            eventually("they become backups", || {
                !far.join("d/f").exists() && !far.join("d/sub/f").exists()
            });
            mirror.fence();
            let new = [format!("d/f{suffix}"), format!("d/sub/f{suffix}")];
            for backup in older.iter().chain(&new) {
                assert!(far.join(backup).exists(), "{way:?} {params} {change:?}: {backup}");
            }
        }
    });
}
