//! A machine that has BusyBox, rsync and the program, and nothing that larger systems take for
//! granted: no user, no locale, no `/tmp`, and a root that cannot be written to.

use crate::harness::{eventually, scratch, ConfXml, Daemon, Machine};
use std::fs;
use std::path::Path;

const KEEPALIVE: &str = "/opt/sersync/bin/keepalive.sh";
const CONFIG: &str = "/opt/sersync/conf/confxml.xml";

#[test]
fn it_lives_on_next_to_nothing() {
    let machine = Machine::read_only();
    let far = scratch();
    let mut daemon = Daemon::new(far.path());
    let copy = daemon.module("copy");
    let mut conf = ConfXml::new(Path::new("/mnt"));
    conf.root(Path::new("/mnt/data"), &[("127.0.0.1".into(), "copy".into())]);
    conf.port = Some(daemon.port());
    for directory in ["/mnt/data", "/opt/sersync/conf"] {
        fs::create_dir_all(machine.path(directory)).unwrap();
    }
    fs::write(machine.path(CONFIG), conf.to_string()).unwrap();
    machine.must("[ ! -e /etc ] && [ ! -e /tmp ] && [ ! -e /var ] && ! touch /written 2>/dev/null");

    // With the far side down, what changes is owed.
    assert_eq!(machine.must(KEEPALIVE), format!("sersync: {CONFIG}: started\n"));
    assert_eq!(machine.must(KEEPALIVE), "");
    assert_eq!(machine.instances().len(), 1);
    fs::write(machine.path("/mnt/data/owed"), "content").unwrap();
    let fail_log = machine.path("/mnt/rsync_fail_log.sh");
    eventually("the fail log has it", || {
        fs::read_to_string(&fail_log).unwrap_or_default().contains("owed")
    });
    stop(&machine);

    // By hand, as somebody would who has found it there.
    daemon.start();
    machine.must("sh /mnt/rsync_fail_log.sh");
    assert_eq!(fs::read(copy.join("owed")).unwrap(), b"content");

    machine.must(KEEPALIVE);
    fs::write(machine.path("/mnt/data/later"), "content").unwrap();
    eventually("a change arrives", || copy.join("later").exists());
    fs::remove_file(machine.path("/mnt/data/later")).unwrap();
    eventually("a deletion arrives", || !copy.join("later").exists());
    stop(&machine);
    machine.must("[ -s /mnt/log/confxml.log ] && [ ! -s /mnt/rsync_fail_log.sh ]");
}

/// As somebody would by hand, and waits until it has ended.
fn stop(machine: &Machine) {
    machine.must("kill $(cat /opt/sersync/log/sersync-confxml.pid)");
    eventually("it has ended", || machine.instances().is_empty());
}
