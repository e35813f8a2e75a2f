//! Scripts that cron runs every minute: ours, and those that were written for sersync 2.5.4.

use crate::harness::{eventually, Machine};
use std::fs;

/// As cron runs a line of a crontab.
const CRON: &str = "env -i PATH=/usr/bin:/bin HOME=/root SHELL=/bin/sh LOGNAME=root /bin/sh -c";
const KEEPALIVE: &str = "/opt/sersync/bin/keepalive.sh";

/// The script that guides tell people to write, as it stands there but for a blank in `]; then`.
const CLASSIC: &str = r#"#!/bin/bash
#Author:yzh
#Version:V1.0
#Description:This is a production script.
sersync="/opt/sersync/bin/sersync"
conf_file="/opt/sersync/conf/confxml.xml"
status=$(ps aux|grep 'sersync'|grep -v 'grep'|wc -l)
if [ $status -eq 0  ];then
    $sersync -d -r -o $conf_file &
else
    exit 0;
fi
"#;

fn by_cron(machine: &Machine, line: &str) -> String {
    let ended = machine.run(&format!("{CRON} '{line}'"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{line}: {}", ended.stdout);
    ended.stdout
}

#[test]
fn it_starts_what_is_dead_and_says_nothing_of_what_runs() {
    let machine = Machine::installed();
    let started = "sersync: /opt/sersync/conf/confxml.xml: started\n";
    assert_eq!(by_cron(&machine, KEEPALIVE), started);
    machine.arrives("/data", "/copy", "first");
    eventually("the log tells of the batch", || machine.log().contains(": 1 path, "));
    let log = machine.log();
    let first = machine.instances();
    assert_eq!(first.len(), 1);
    for _ in 0..3 {
        assert_eq!(by_cron(&machine, KEEPALIVE), "");
    }
    assert_eq!(machine.instances(), first);
    assert_eq!(machine.log(), log, "a look every minute fills the log");
    machine.kill(first[0]);
    assert_eq!(by_cron(&machine, KEEPALIVE), started);
    machine.arrives("/data", "/copy", "second");
    assert_ne!(machine.instances(), first);
}

#[test]
fn many_at_once_start_one() {
    let machine = Machine::installed();
    for _ in 0..3 {
        let said = machine.must(&format!("for n in 1 2 3 4 5 6; do {KEEPALIVE} & done; wait"));
        assert_eq!(said.lines().count(), 1, "{said}");
        let instances = machine.instances();
        assert_eq!(instances.len(), 1, "{instances:?}");
        machine.kill(instances[0]);
    }
}

#[test]
fn what_was_started_by_hand_is_running_too() {
    let machine = Machine::installed();
    machine.must("cd /opt/sersync/conf && ../bin/sersync2 -rdo confxml.xml --log-file /tmp/log");
    let by_hand = machine.instances();
    assert_eq!(by_cron(&machine, KEEPALIVE), "");
    assert_eq!((by_hand.len(), machine.instances()), (1, by_hand));
}

#[test]
fn a_start_that_fails_is_said_each_time() {
    let machine = Machine::installed();
    fs::remove_dir(machine.path("/data")).unwrap();
    for _ in 0..2 {
        let ended = machine.run(KEEPALIVE);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("watch=\"/data\" does not exist"), "{}", ended.stderr);
    }
    fs::create_dir(machine.path("/data")).unwrap();
    assert!(by_cron(&machine, KEEPALIVE).ends_with("confxml.xml: started\n"));
}

#[test]
fn each_configuration_is_looked_after_by_itself() {
    let machine = Machine::installed();
    machine.configure("other", "/more data", "/more copy");
    let settings = "CONFIGS=\"confxml other\"\nOPTIONS=\"-r -n 3\"\n";
    fs::write(machine.path("/opt/sersync/conf/sersync.conf"), settings).unwrap();
    fs::write(machine.path("/more data/before"), "").unwrap();
    assert_eq!(by_cron(&machine, KEEPALIVE).lines().count(), 2);
    assert_eq!(machine.instances().len(), 2);
    eventually("-r pushes what was there", || machine.path("/more copy/before").exists());
    let pid = fs::read_to_string(machine.path("/var/run/sersync-other.pid")).unwrap();
    machine.kill(pid.trim().parse().unwrap());
    let said = by_cron(&machine, KEEPALIVE);
    assert_eq!(said, "sersync: /opt/sersync/conf/other.xml: started\n");
    machine.arrives("/more data", "/more copy", "new");
    // Named, and from anywhere.
    fs::rename(machine.path("/opt/sersync/conf/other.xml"), machine.path("/etc/third.xml"))
        .unwrap();
    machine.must("kill $(cat /var/run/sersync-other.pid)");
    eventually("one is left", || machine.instances().len() == 1);
    let said = by_cron(&machine, &format!("cd /etc; {KEEPALIVE} ./third.xml confxml"));
    assert_eq!(said, "sersync: ./third.xml: started\n");
}

#[test]
fn classic_scripts_work_with_every_ps() {
    for ps in ["busybox", "procps"] {
        let machine = Machine::installed();
        machine.bring("bash", "/bin/bash");
        if ps == "procps" {
            machine.bring("ps", "/usr/bin/ps");
        }
        fs::write(machine.path("/root/rsync_log.sh"), CLASSIC).unwrap();
        fs::write(machine.path("/data/before"), "").unwrap();
        let minute = || by_cron(&machine, "/bin/bash /root/rsync_log.sh  > /dev/null 2>&1");
        minute();
        eventually("-r pushes what was there", || machine.path("/copy/before").exists());
        machine.arrives("/data", "/copy", "first");
        let first = machine.instances();
        for _ in 0..3 {
            minute();
        }
        assert_eq!(machine.instances(), first, "{ps}: {}", machine.must("ps aux"));
        machine.kill(first[0]);
        minute();
        machine.arrives("/data", "/copy", "second");
        let second = machine.instances();
        assert_eq!(second.len(), 1, "{ps}");
        assert_ne!(second, first, "{ps}");
    }
}
