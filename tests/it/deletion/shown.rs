//! What waits for a yes is shown wherever somebody may look.

use super::*;
use crate::harness::Json;
use crate::status::get;

/// One that waits, with two remotes of which one has nothing to lose; and the port of its status.
fn waits(status: bool) -> (Mirror, u16) {
    let mut plan = Plan::with_remotes(2);
    let port = if status { with_status(&mut plan) } else { 0 };
    let seen = plan.directory("alerts").join("seen");
    let command = format!(
        "echo $SERSYNC_ALERT $SERSYNC_REMOTE $SERSYNC_MESSAGE &gt;&gt;'{}'",
        seen.display()
    );
    plan.conf.plugin = format!("<alert command=\"{command}\" after=\"0\"/>");
    (1..151).for_each(|number| write(&plan.remotes[0].join(format!("old/{number}")), "old"));
    (plan.start(), port)
}

fn alerts(mirror: &Mirror) -> String {
    fs::read_to_string(mirror.dir().join("alerts/seen")).unwrap_or_default()
}

#[test]
fn status_json_metrics_and_alert_say_how_many_wait_and_when_none_does_any_more() {
    let (mirror, port) = waits(true);
    await_waiting(&mirror, 151);
    let text = ask(&mirror, "--status");
    assert_eq!(text.code, Some(1), "{}", text.stdout);
    assert!(text.stdout.contains("--confirm-deletions -o"), "{}", text.stdout);
    let count = |number: usize| {
        let told = Json::parse(&get(port, "/status.json").1);
        told.number(&format!("remotes/{number}/deletions_waiting"))
    };
    assert_eq!([count(0), count(1)], [151.0, 0.0]);
    let metrics = get(port, "/metrics").1;
    let sample =
        |line: &&str| line.starts_with("sersync_deletions_waiting{") && line.ends_with(" 151");
    assert_eq!(metrics.lines().filter(sample).count(), 1, "{metrics}");
    eventually("it is told", || alerts(&mirror).starts_with("asks 127.0.0.1::module0 "));
    assert!(alerts(&mirror).contains("151 deletions of 15"), "{}", alerts(&mirror));
    eventually("--check finds it in the state", || {
        ask(&mirror, "--check").stdout.contains("151 deletions of 15")
    });
    say_yes(&mirror);
    mirror.equal();
    await_waiting(&mirror, 0);
    eventually("its end is told", || alerts(&mirror).contains("\nsettled 127.0.0.1::module0"));
    assert_eq!(count(0), 0.0);
    assert_eq!(ask(&mirror, "--status").code, Some(0));
}

#[test]
fn without_a_status_page_the_state_says_it_and_a_yes_is_taken_too() {
    let (mirror, _) = waits(false);
    await_waiting(&mirror, 151);
    assert_eq!(ask(&mirror, "--status").code, Some(1));
    say_yes(&mirror);
    mirror.equal();
    await_waiting(&mirror, 0);
}
