//! Remotes that hang or refuse: the others do not notice.

use crate::harness::{eventually, Plan};
use std::fs;
use std::net::TcpListener;

/// The daemon listens on 127.0.0.1; nobody listens here.
const REFUSES: &str = "127.0.0.2";
/// Here connections are taken by the kernel, and never answered.
const HANGS: &str = "127.0.0.3";

#[test]
fn a_remote_that_hangs_and_one_that_refuses_delay_nobody() {
    let mut plan = Plan::with_remotes(2);
    plan.await_full_sync = false;
    // One process for what hangs, and one for everybody else.
    plan.args.extend(["-n".into(), "2".into()]);
    plan.conf.timeout_s = Some(2);
    let _hole = TcpListener::bind((HANGS, plan.daemon.port())).unwrap();
    for ip in [REFUSES, HANGS] {
        plan.conf.roots[0].remotes.insert(0, (ip.to_string(), "module0".to_string()));
    }
    let mirror = plan.start();
    let about = |ip: &str| -> Vec<String> {
        let log = mirror.log();
        log.lines()
            .filter(|line| line.contains(&format!("{ip}::module0")))
            .map(str::to_string)
            .collect()
    };
    let mut round = 0;
    eventually("everybody gets each change until the one that hangs is given up", || {
        fs::write(mirror.root.join(format!("file{round}")), "content").unwrap();
        mirror.equal();
        round += 1;
        !about(HANGS).is_empty() && !about(REFUSES).is_empty()
    });
    let hung = about(HANGS);
    assert!(hung[0].contains("rsync ended with 30: ") && hung[0].contains("timeout"), "{hung:?}");
    let refused = about(REFUSES);
    assert!(refused[0].contains("Connection refused") && refused.len() == 1, "{refused:?}");
    // Once its process is gone, there are two for the others.
    for number in 0..5 {
        fs::write(mirror.root.join(format!("later{number}")), "content").unwrap();
        mirror.equal();
    }
    assert_eq!(about(HANGS).len(), 1, "{:?}", about(HANGS));
    let owed = || fs::read_to_string(mirror.dir().join("rsync_fail_log.sh")).unwrap_or_default();
    eventually("what the two are owed is in the fail log", || {
        owed().contains(HANGS) && owed().contains(REFUSES)
    });
    assert!(!owed().contains("127.0.0.1::"), "{}", owed());
}

#[test]
fn of_eight_remotes_one_that_hangs_keeps_no_more_than_its_own_slot() {
    const ROUNDS: usize = 5;
    const FILES: usize = 40;
    let mut plan = Plan::with_remotes(7);
    plan.await_full_sync = false;
    // The remote that hangs keeps one of the processes for as long as this test runs: its run is
    // not given up.
    plan.args.extend(["-n".into(), "3".into()]);
    plan.conf.standby = r#"<standby start="false"/>"#.into();
    let _hole = TcpListener::bind((HANGS, plan.daemon.port())).unwrap();
    plan.conf.roots[0].remotes.insert(3, (HANGS.to_string(), "module0".to_string()));
    let mirror = plan.start();
    for round in 0..ROUNDS {
        for file in 0..FILES {
            fs::write(mirror.root.join(format!("{round}-{file}")), "content").unwrap();
        }
        mirror.equal();
    }
    assert!(!mirror.log().contains(HANGS), "it was given up, so that nothing was shown");
    // All have had their turns: none took them from another.
    let batches = |remote: usize| {
        let about = format!("127.0.0.1::module{remote}: ");
        mirror.log().lines().filter(|line| line.contains(&about)).count()
    };
    let counts: Vec<usize> = (0..7).map(batches).collect();
    assert!(counts.iter().all(|count| *count > 1), "{counts:?}");
    let port = format!("--port={}", mirror.daemon.port());
    let to_it = |command: &String| command.contains(HANGS) && command.contains(&port);
    let hanging: Vec<String> = commands().into_iter().filter(to_it).collect();
    assert_eq!(hanging.len(), 1, "the one that hangs has one process: {hanging:?}");
}

/// The command lines of all processes.
fn commands() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).into_owned()).collect()
}
