//! What starts the program at boot: the SysV script by running it, those of OpenRC and procd through
//! stand-ins for what runs them, the systemd units through systemd's own check.

use crate::harness::{binary, eventually, scratch, Machine};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const SYSV: &str = "/etc/init.d/sersync";

/// As `openrc-run` calls a script with `supervise-daemon`: what is set says what to run.
const OPENRC_RUN: &str = r#"#!/bin/sh
script=$1
RC_SVCNAME=${script##*/}
ebegin() { :; }
eend() { return "$1"; }
. "$script"
case $2 in
    start)
        [ "$supervisor" = supervise-daemon ] && [ -e "$required_files" ] && type depend || exit 1
        eval "\"$command\" $command_args" >/dev/null 2>&1 &
        ;;
    *) "$2" ;;
esac
"#;

/// As `rc.common` calls a script with `USE_PROCD`; each instance is started when it is closed.
const RC_COMMON: &str = r#"#!/bin/sh
script=$1
procd_open_instance() { instance=$1; }
procd_set_param() {
    what=$1
    shift
    case $what in
        command) command=$(printf "'%s' " "$@") ;;
        pidfile) pidfile=$1 ;;
    esac
}
procd_close_instance() {
    sh -c "echo \$\$ >$pidfile; exec $command" >"/tmp/log.$instance" 2>&1 &
}
procd_send_signal() { for file in /var/run/$1-*.pid; do kill "-$3" "$(cat "$file")"; done; }
. "$script"
[ "$USE_PROCD" = 1 ] && [ "$START" -gt 20 ] && "$2_service"
"#;

fn with_service(kind: &str) -> Machine {
    let machine = Machine::installed();
    machine.must(&format!("/src/scripts/install.sh --service={kind}"));
    machine
}

/// The exit code and what is said on both outputs.
fn sysv(machine: &Machine, action: &str) -> (i32, String) {
    let ended = machine.run(&format!("{SYSV} {action}"));
    (ended.code.unwrap(), ended.stdout + &ended.stderr)
}

#[test]
fn sysv_starts_stops_and_tells_as_the_lsb_says() {
    let machine = with_service("sysv");
    fs::create_dir_all(machine.path("/var/lock/subsys")).unwrap();
    let subsys = machine.path("/var/lock/subsys/sersync");
    assert_eq!(sysv(&machine, "status").0, 3);
    assert_eq!(sysv(&machine, "reload").0, 7);
    assert_eq!(sysv(&machine, "try-restart").0, 0);
    assert_eq!(machine.instances().len(), 0, "try-restart started what did not run");
    let (code, said) = sysv(&machine, "start");
    assert_eq!((code, said.as_str()), (0, "sersync: /opt/sersync/conf/confxml.xml: started\n"));
    let first = machine.instances();
    assert_eq!(sysv(&machine, "start"), (0, String::new()));
    assert_eq!(machine.instances(), first);
    let running = format!("sersync: confxml: running, process {}\n", first[0]);
    assert_eq!(sysv(&machine, "status"), (0, running));
    assert!(subsys.exists(), "Red Hat does not stop it at shutdown");
    machine.arrives("/data", "/copy", "new");
    assert_eq!(sysv(&machine, "reload").0, 0);
    eventually("it has read its configuration again", || {
        machine.log().contains("has been read again")
    });
    assert_eq!(sysv(&machine, "restart").0, 0);
    let second = machine.instances();
    assert!(second.len() == 1 && second != first, "{second:?}");
    assert_eq!(sysv(&machine, "try-restart").0, 0);
    assert_ne!(machine.instances(), second);
    assert_eq!(sysv(&machine, "stop"), (0, "sersync: confxml: stopped\n".into()));
    assert_eq!((machine.instances(), subsys.exists()), (vec![], false));
    assert_eq!(sysv(&machine, "stop"), (0, String::new()));
    assert_eq!(sysv(&machine, "status").0, 3);
    for nonsense in ["", "sart"] {
        let (code, said) = sysv(&machine, nonsense);
        assert!(code == 2 && said.starts_with("usage: "), "{said}");
    }
}

#[test]
fn sysv_and_keepalive_agree() {
    let machine = with_service("sysv");
    let keepalive = || machine.must("/opt/sersync/bin/keepalive.sh");
    assert_eq!(sysv(&machine, "start").0, 0);
    machine.kill(machine.instances()[0]);
    let (code, said) = sysv(&machine, "status");
    assert!(code == 1 && said.contains("/opt/sersync/log/confxml.log"), "{said}");
    assert_eq!(keepalive().lines().count(), 1);
    assert_eq!(sysv(&machine, "status").0, 0);
    // What was stopped stays so.
    assert_eq!(sysv(&machine, "stop").0, 0);
    assert_eq!((keepalive(), machine.instances()), (String::new(), vec![]));
    assert_eq!(sysv(&machine, "start").0, 0);
    machine.kill(machine.instances()[0]);
    assert_eq!(keepalive().lines().count(), 1);
}

#[test]
fn sysv_starts_with_a_number_left_behind_that_is_somebodys() {
    let machine = with_service("sysv");
    let file = "/var/run/sersync-confxml.pid";
    machine.must(&format!("sleep 1000 >/dev/null & echo $! >{file}; touch -d 2001-01-01 {file}"));
    let stranger = fs::read_to_string(machine.path(file)).unwrap();
    assert_eq!(sysv(&machine, "status").0, 1);
    assert_eq!(sysv(&machine, "stop").0, 0);
    assert_eq!(sysv(&machine, "start").0, 0);
    assert_eq!(sysv(&machine, "status").0, 0);
    machine.must(&format!("kill -0 {stranger}"));
}

#[test]
fn sysv_says_why_it_does_not_start() {
    let machine = with_service("sysv");
    fs::rename(machine.path("/data"), machine.path("/gone")).unwrap();
    let (code, said) = sysv(&machine, "start");
    assert!(code == 1 && said.contains("watch=\"/data\" does not exist"), "{said}");
    fs::remove_file(machine.path("/opt/sersync/conf/confxml.xml")).unwrap();
    let (code, said) = sysv(&machine, "start");
    assert!(code == 6 && said.contains("confxml.xml is not there"), "{said}");
    fs::remove_file(machine.path("/opt/sersync/bin/sersync")).unwrap();
    assert_eq!(sysv(&machine, "start").0, 5);
}

fn write_program(machine: &Machine, at: &str, text: &str) {
    fs::write(machine.path(at), text).unwrap();
    machine.must(&format!("chmod +x {at}"));
}

#[test]
fn openrc_starts_one_for_each_name() {
    let machine = with_service("openrc");
    write_program(&machine, "/sbin/openrc-run", OPENRC_RUN);
    machine.configure("other", "/more", "/more-copy");
    fs::write(machine.path("/opt/sersync/conf/sersync.conf"), "OPTIONS=\"-r -n 3\"\n").unwrap();
    machine.must("ln -s sersync /etc/init.d/sersync.other");
    machine.must("/etc/init.d/sersync start && /etc/init.d/sersync.other start");
    eventually("both run", || machine.instances().len() == 2);
    eventually("all is watched", || machine.log().contains("watching 1 directory"));
    machine.arrives("/data", "/copy", "new");
    machine.arrives("/more", "/more-copy", "new");
    machine.must("/etc/init.d/sersync reload");
    eventually("it has read its configuration again", || {
        machine.log().contains("has been read again")
    });
}

#[test]
fn procd_starts_one_for_each_configuration() {
    let machine = with_service("procd");
    write_program(&machine, "/etc/rc.common", RC_COMMON);
    machine.configure("other", "/more", "/more-copy");
    let settings = "CONFIGS=\"confxml other\"\nOPTIONS=\"-r -n 3\"\n";
    fs::write(machine.path("/opt/sersync/conf/sersync.conf"), settings).unwrap();
    machine.must("/etc/init.d/sersync start");
    eventually("both run", || machine.instances().len() == 2);
    machine.arrives("/data", "/copy", "new");
    machine.arrives("/more", "/more-copy", "new");
    machine.must("/etc/init.d/sersync reload");
    let log = || fs::read_to_string(machine.path("/tmp/log.other")).unwrap();
    eventually("it has read its configuration again", || log().contains("has been read again"));
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    let stage = scratch();
    let prefix = stage.path().join("sersync").display().to_string();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = Command::new(source.join("scripts/install.sh"))
        .args(["--prefix", &prefix, "--binary"])
        .arg(binary())
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    // The command line that the unit has, run as it is there.
    let unit = fs::read_to_string(stage.path().join("sersync/init/sersync.service")).unwrap();
    assert!(
        unit.contains(&format!(
            "\nExecStart={prefix}/bin/sersync -d $OPTIONS -o {prefix}/conf/confxml.xml "
        )),
        "{unit}"
    );
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(["sersync.service", "sersync@.service"].map(|unit| format!("{prefix}/init/{unit}")))
        .output();
    let verified = match verify {
        Ok(verified) => verified,
        Err(error) => {
            // Not by `eprintln`, which a test that passes does not show.
            let _ = writeln!(
                std::io::stderr(),
                "NOT CHECKED: the systemd units; systemd-analyze: {error}"
            );
            return;
        }
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("sersync"), "{said}");
}
