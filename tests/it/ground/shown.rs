//! Whoever looks at the program sees for each root what its path leads to now.

use crate::harness::{eventually, free_port, run_to_end, until, Json, Mirror, Plan, DEADLINE};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;

/// What `--status` says with these options.
fn ask(mirror: &Mirror, options: &[&str]) -> String {
    let asking = mirror.dir().join("asking");
    fs::create_dir_all(&asking).unwrap();
    let mut args: Vec<OsString> = vec!["--status".into()];
    args.extend(options.iter().map(OsString::from));
    args.extend(["-o".into(), mirror.dir().join("confxml.xml").into_os_string()]);
    run_to_end(&asking, &args, &[]).stdout
}

#[test]
fn what_a_root_leads_to_is_shown_and_which_parts_are_away() {
    let mut plan = Plan::new().apart();
    plan.conf.status_port = free_port();
    let releases = ["1", "2"].map(|name| plan.directory("releases").join(name));
    for release in &releases {
        fs::create_dir_all(release.join("disk")).unwrap();
        fs::write(release.join("file"), "content").unwrap();
    }
    fs::remove_dir_all(&plan.root).unwrap();
    symlink(&releases[0], &plan.root).unwrap();
    let mut mirror = plan.start();
    let shows = |mirror: &Mirror, words: &str, state: &str| {
        for options in [&[][..], &["--json"]] {
            until(&format!("--status {options:?} {state} {words}"), DEADLINE, || {
                let said = ask(mirror, options);
                (said.contains(words) == (state == "has")).then_some(()).ok_or(said)
            });
        }
    };
    shows(&mirror, releases[0].to_str().unwrap(), "has");
    fs::remove_file(&mirror.root).unwrap();
    symlink(&releases[1], &mirror.root).unwrap();
    shows(&mirror, releases[1].to_str().unwrap(), "has");
    mirror.mounts.tmpfs(&releases[1].join("disk"));
    fs::write(releases[1].join("disk/file"), "content").unwrap();
    until("the disk is synced", DEADLINE, || {
        mirror.remotes[0].join("disk/file").exists().then_some(()).ok_or(mirror.log())
    });
    mirror.mounts.unmount(&releases[1].join("disk"));
    let away = |mirror: &Mirror| {
        let json = ask(mirror, &["--json"]);
        (ask(mirror, &[]).contains("away: disk"), json.contains(r#""away":["disk"]"#))
    };
    eventually("the disk is away", || away(&mirror) == (true, true));
    let json = Json::parse(&ask(&mirror, &["--json"]));
    assert_eq!(json.text("roots/0/path"), mirror.root.display().to_string());
    assert_eq!(json.text("roots/0/resolved"), releases[1].display().to_string());
    assert!(!json.text("roots/0/file_system").is_empty());
    mirror.mounts.tmpfs(&releases[1].join("disk"));
    eventually("it is back", || away(&mirror) == (false, false));
}
