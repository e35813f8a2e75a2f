//! Every way in which a run can end: what is said, that everything is kept, and that it arrives
//! when runs get through again. What 25 leaves never does: see `deletion::max_delete`.

use crate::harness::{eventually, until, End, Mirror, Plan, StandIn};
use std::fs;
use std::time::Duration;

/// A remote that is refused by its configuration is tried again after a minute and some seconds.
const REFUSED_WAIT: Duration = Duration::from_secs(100);

/// With pauses that double there are fewer in the time that this takes, on any machine.
const RUNS_MAX: usize = 30;

/// What a run's exit means for its remote, as far as the log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Nothing is owed.
    Done,
    /// What was named is tried again, nothing else waits.
    Partial,
    /// The remote is tried again soon.
    Unreachable,
    /// The remote is tried again after a minute.
    Refused,
}

use End::{Code, Signal};
use Outcome::{Done, Partial, Refused, Unreachable};

/// How a run ends and what it says then, the outcome, and words of the line in the log.
type Row = (End, &'static str, Outcome, &'static str);

const TABLE: [Row; 28] = [
    (Code(24), "file has vanished: \"x\"\n", Done, ""),
    (Code(1), "rsync: -z: unknown option\n", Refused, "(Take that option out of commonParams"),
    (
        Code(2),
        "protocol version mismatch -- is your shell clean?\n",
        Refused,
        "is your shell clean?",
    ),
    (Code(3), "rsync: change_dir#3 \"/x\" failed: Permission denied (13)\n", Unreachable, "(Give"),
    (Code(4), "", Refused, "rsync ended with 4: not supported by this rsync or its far side"),
    (Code(5), "@ERROR: auth failed on module x\n", Refused, "(Make the user and the password"),
    (Code(5), "@ERROR: Unknown module 'x'\n", Refused, "(Make the remote's name"),
    (Code(5), "@ERROR: max connections (4) reached\n", Unreachable, "(Raise `max connections`"),
    (Code(6), "", Unreachable, "rsync ended with 6: "),
    (Code(10), "rsync: failed to connect to h: Connection refused\n", Unreachable, "(Start the"),
    (
        Code(11),
        "rsync: read-only: Read-only file system (30)\n",
        Unreachable,
        "(Mount the far side's",
    ),
    (Code(12), "rsync: connection unexpectedly closed\n", Unreachable, "connection unexpectedly"),
    (Code(13), "", Unreachable, "rsync ended with 13: "),
    (Code(14), "", Unreachable, "rsync ended with 14: "),
    (Code(20), "", Unreachable, "rsync ended with 20: ended by a signal"),
    (Code(21), "", Unreachable, "rsync ended with 21: "),
    (Code(22), "", Unreachable, "rsync ended with 22: out of memory"),
    (
        Code(23),
        "rsync: [receiver] mkstemp \".owed.aBcDeF\" failed: Permission denied (13)\n",
        Partial,
        "(Give",
    ),
    (Code(30), "", Unreachable, "rsync ended with 30: no data in the time of --timeout"),
    (Code(35), "", Unreachable, "rsync ended with 35: "),
    (Code(99), "", Unreachable, "rsync ended with 99"),
    (Code(125), "", Unreachable, "rsync ended with 125"),
    (Code(126), "bash: rsync: Permission denied\n", Refused, "bash: rsync: Permission denied"),
    (Code(127), "sh: rsync: not found\n", Refused, "(Install rsync on the far side"),
    (Code(255), "ssh: connect to host h: No route to host\n", Unreachable, "(Check the network"),
    (Code(255), "Host key verification failed.\n", Refused, "Host key verification failed"),
    (Signal(9), "", Unreachable, "rsync was ended by signal 9"),
    (Signal(15), "", Unreachable, "rsync was ended by signal 15"),
];

/// The lines of the log about a module that tell of a failure.
fn failures(mirror: &Mirror, module: &str) -> Vec<String> {
    let about = format!("127.0.0.1::{module}: ");
    let log = mirror.log();
    let told = log.lines().filter_map(|line| line.split_once(&about)).map(|(_, told)| told);
    let failed = |told: &&str| told.contains("everything is kept") || told.contains("got through");
    told.filter(failed).map(str::to_string).collect()
}

fn outcome(told: &str) -> Outcome {
    let Some((_, pause)) = told.split_once("next try in ") else { return Partial };
    let seconds: u64 = pause.trim_end_matches(" s").parse().unwrap();
    if seconds >= 60 {
        Refused
    } else {
        Unreachable
    }
}

#[test]
fn whatever_a_run_ends_with_is_said_once_and_everything_arrives_in_the_end() {
    let mut plan = Plan::with_remotes(TABLE.len());
    fs::create_dir(plan.root.join("gone")).unwrap();
    fs::write(plan.root.join("gone/file"), "").unwrap();
    let fail_log = plan.conf.fail_log.clone();
    let stand_in = StandIn::before(&mut plan);
    let mut mirror = plan.start();
    mirror.equal();
    let modules: Vec<_> = (0..TABLE.len()).map(|number| format!("module{number}")).collect();
    for (module, (end, says, ..)) in modules.iter().zip(TABLE) {
        stand_in.end_runs(module, says, end);
    }
    fs::write(mirror.root.join("owed"), "content").unwrap();
    fs::remove_dir_all(mirror.root.join("gone")).unwrap();
    for (module, (end, _, outcome, _)) in modules.iter().zip(TABLE) {
        // What was tried more than once was kept, and is said once all the same.
        let runs = if outcome == Refused || outcome == Done { 1 } else { 3 };
        until(&format!("{end:?}: {runs} runs"), Duration::from_secs(60), || {
            let count = stand_in.runs(module);
            if count >= runs {
                Ok(())
            } else {
                Err(format!("{count} runs"))
            }
        });
    }
    for (module, row) in modules.iter().zip(TABLE) {
        let runs = stand_in.runs(module);
        assert!(runs < RUNS_MAX, "{row:?}: {runs} runs, so there are no pauses");
    }
    for (module, (end, says, expected, words)) in modules.iter().zip(TABLE) {
        if expected == Done {
            continue;
        }
        eventually(&format!("{end:?} is said"), || !failures(&mirror, module).is_empty());
        let told = failures(&mirror, module);
        assert_eq!(told.len(), 1, "{end:?} {says:?}: {told:?}");
        assert!(told[0].contains(words), "{end:?} {says:?}: {}", told[0]);
        assert_eq!(outcome(&told[0]), expected, "{end:?} {says:?}: {}", told[0]);
        eventually(&format!("what {end:?} left is in the fail log"), || {
            let text = fs::read_to_string(&fail_log).unwrap_or_default();
            text.lines().any(|line| {
                line.contains(&format!("127.0.0.1::{module} "))
                    || line.ends_with(&format!("127.0.0.1::{module}"))
            })
        });
    }
    // The stand-in reports success without doing anything, and its run is not repeated: there were
    // two changes, and a directory may have a run of its own to go.
    let runs = stand_in.runs(&modules[0]);
    assert!(runs <= 4 && failures(&mirror, &modules[0]).is_empty(), "{runs} runs");
    assert!(!mirror.remotes.remove(0).join("owed").exists());
    stand_in.let_through();
    fs::write(mirror.root.join("owed"), "content of the second time").unwrap();
    mirror.equal_within(REFUSED_WAIT, "when runs get through again");
    // What had not got through arrives with its next change, and is tried again all the same.
    until("the fail log is empty", REFUSED_WAIT, || {
        let text = fs::read_to_string(&fail_log).unwrap();
        if text.is_empty() {
            Ok(())
        } else {
            Err(text)
        }
    });
}
