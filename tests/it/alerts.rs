//! Alerts: the user's command is run when something needs a person, and when that is over.

use super::harness::{eventually, Plan};
use std::fs;
use std::path::PathBuf;

/// Has alerts written into a file, one line each; gives the file.
fn alerts_into_file(plan: &mut Plan) -> PathBuf {
    let file = plan.directory("alerts").join("seen");
    let command = format!(
        "echo \"$SERSYNC_ALERT|$SERSYNC_REMOTE|$SERSYNC_ROOT|$SERSYNC_MESSAGE\" >>'{}'",
        file.display()
    );
    let command = command.replace('"', "&quot;").replace('>', "&gt;");
    plan.conf.plugin = format!("<alert command=\"{command}\" after=\"0\"/>");
    file
}

fn words(file: &PathBuf) -> Vec<String> {
    let seen = fs::read_to_string(file).unwrap_or_default();
    let mut words: Vec<_> =
        seen.lines().map(|line| line.split('|').next().unwrap().to_string()).collect();
    words.sort();
    words
}

#[test]
fn a_remote_that_is_down_and_what_is_owed_to_it_are_told_and_so_is_the_end_of_it() {
    let mut plan = Plan::new();
    let file = alerts_into_file(&mut plan);
    let mut mirror = plan.start();
    mirror.daemon.stop();
    fs::write(mirror.root.join("new"), "content").unwrap();
    eventually("both are told", || words(&file) == ["down", "owed"]);
    mirror.daemon.start();
    mirror.equal();
    eventually("the end is told", || words(&file) == ["back", "down", "owed", "paid"]);
    let seen = fs::read_to_string(&file).unwrap();
    let down = seen.lines().find(|line| line.starts_with("down|")).unwrap();
    let fields: Vec<_> = down.split('|').collect();
    assert_eq!(fields[1..3], ["127.0.0.1::module0", ""], "{down}");
    assert!(fields[3].contains("rsync ended with 10"), "{down}");
}

#[test]
fn a_root_that_halts_and_resumes_is_told_of() {
    let mut plan = Plan::new();
    let file = alerts_into_file(&mut plan);
    let mirror = plan.start();
    let away = mirror.root.with_extension("away");
    fs::rename(&mirror.root, &away).unwrap();
    eventually("the halt is told", || words(&file) == ["halted"]);
    fs::rename(&away, &mirror.root).unwrap();
    eventually("the end is told", || words(&file) == ["halted", "resumed"]);
    let seen = fs::read_to_string(&file).unwrap();
    assert!(seen.starts_with(&format!("halted||{}|", mirror.root.display())), "{seen}");
    mirror.equal();
}
