//! Installing, upgrading and removing, on a machine that has no tools but those of BusyBox.

use crate::harness::{eventually, Machine};
use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};

const INSTALL: &str = "/src/scripts/install.sh";
const UNINSTALL: &str = "/opt/sersync/uninstall.sh";

/// Every file and directory of the machine, but for BusyBox, the source and what the tests make.
fn everything(machine: &Machine) -> Vec<String> {
    let found = machine.must(
        "find / -xdev ! -path '/bin/*' ! -path '/src*' ! -path '/tmp/[0-9]*' ! -path '/proc/*'",
    );
    let mut lines: Vec<_> = found.lines().map(String::from).collect();
    lines.sort();
    lines
}

/// What is said of a run that is refused, which must leave everything as it was.
fn refused(machine: &Machine, line: &str) -> String {
    let before = everything(machine);
    let ended = machine.run(line);
    assert_eq!(ended.code, Some(1), "{line}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(everything(machine), before, "{line}");
    ended.stderr
}

#[test]
fn a_first_install_has_the_layout_that_people_know() {
    let machine = Machine::new();
    let said = machine.must(INSTALL);
    let next = said.split("Go on with:\n").nth(1).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(next.lines().count(), 3, "{said}");
    let files = [
        "bin/sersync",
        "bin/sersync2",
        "bin/keepalive.sh",
        "conf/confxml.xml",
        "conf/confxml-ssh.xml",
    ];
    for file in files.iter().chain(&["conf/sersync.conf", "log", "init/sysv", "uninstall.sh"]) {
        assert!(machine.path("/opt/sersync").join(file).exists(), "{file} is missing");
    }
    let version = concat!("sersync ", env!("CARGO_PKG_VERSION"));
    assert!(machine.must("/opt/sersync/bin/sersync2 --version").starts_with(version));
    // What is said first is right: the configuration, once edited, and the second command.
    machine.configure("confxml", "/data", "/copy");
    let commands: Vec<_> = next.lines().map(str::trim).collect();
    assert_eq!(commands[0], "vi /opt/sersync/conf/confxml.xml");
    machine.must(commands[1]);
    machine.arrives("/data", "/copy", "new");
}

#[test]
fn an_upgrade_changes_the_program_and_nothing_else() {
    let machine = Machine::installed();
    let [conf, log] =
        ["conf/confxml.xml", "log/confxml.log"].map(|file| format!("/opt/sersync/{file}"));
    let written = fs::read(machine.path(&conf)).unwrap();
    machine.must("/opt/sersync/bin/keepalive.sh");
    machine
        .must("echo mine >/opt/sersync/conf/mine.xml; ln -s mine.xml /opt/sersync/conf/link.xml");
    let before = everything(&machine);
    let running = machine.instances();
    // A newer version, as far as the bytes go.
    machine.must("echo newer >>/src/scripts/sersync");
    let said = machine.must(INSTALL);
    assert!(said.contains("Upgraded"), "{said}");
    assert_eq!(fs::read(machine.path(&conf)).unwrap(), written);
    assert_eq!(machine.instances(), running);
    let program = machine.must(&format!("readlink /proc/{}/exe", running[0]));
    assert_eq!(program, "/opt/sersync/bin/sersync (deleted)\n");
    machine.arrives("/data", "/copy", "by the old one");
    assert!(machine.path(&log).exists());
    let mut expected = before;
    expected.extend([
        format!("{conf}.new"),
        "/copy/by the old one".into(),
        "/data/by the old one".into(),
    ]);
    expected.sort();
    assert_eq!(everything(&machine), expected);
    machine.must("cmp /src/scripts/sersync /opt/sersync/bin/sersync");
    machine.must(&format!("cmp /src/conf/confxml.xml {conf}.new"));
    machine.kill(running[0]);
    machine.must("/opt/sersync/bin/keepalive.sh");
    machine.arrives("/data", "/copy", "by the new one");
}

#[test]
fn what_was_there_before_the_first_install_is_kept() {
    let machine = Machine::new();
    fs::create_dir_all(machine.path("/opt/sersync/bin")).unwrap();
    fs::create_dir_all(machine.path("/opt/sersync/conf")).unwrap();
    for name in ["sersync", "sersync2"] {
        fs::write(machine.path("/opt/sersync/bin").join(name), name).unwrap();
    }
    fs::write(machine.path("/opt/sersync/conf/real.xml"), "theirs").unwrap();
    symlink("real.xml", machine.path("/opt/sersync/conf/confxml.xml")).unwrap();
    machine.must(INSTALL);
    for name in ["sersync", "sersync2"] {
        let kept = machine.path("/opt/sersync/bin").join(format!("{name}.old"));
        assert_eq!(fs::read_to_string(kept).unwrap(), name);
    }
    assert_eq!(machine.must("cat /opt/sersync/conf/confxml.xml"), "theirs");
    assert!(machine.must("/opt/sersync/bin/sersync2 --version").starts_with("sersync "));
    // The next one is an upgrade of our own.
    machine.must("echo newer >>/src/scripts/sersync");
    machine.must(INSTALL);
    machine.must("! ls /opt/sersync/bin | grep old.old; [ -x /opt/sersync/bin/sersync ]");
    machine.must(&format!("{UNINSTALL} --purge"));
    assert_eq!(
        machine.must("cd /opt/sersync && find . -type f | sort"),
        "./bin/sersync.old\n./bin/sersync2.old\n"
    );
}

#[test]
fn what_cannot_be_right_is_refused_before_anything_is_written() {
    let machine = Machine::new();
    fs::write(machine.path("/tmp/broken"), b"\x7fELF of another machine").unwrap();
    fs::set_permissions(machine.path("/tmp/broken"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(machine.path("/tmp/plain"), "text").unwrap();
    for (options, said) in [
        ("--binary /tmp/broken", "does not run here"),
        ("--binary /tmp/plain", "is not executable"),
        ("--binary /bin/echo", "is another program"),
        ("--binary /tmp/none", "there is no such file"),
        ("--prefix /", "a directory of sersync's own"),
        ("--prefix /usr/local/", "a directory of sersync's own"),
        ("--prefix sersync", "beginning with /"),
        ("--prefix '/opt/my sync'", "only letters"),
        ("--prefix /opt/sersync/../../etc", "only letters"),
        ("--prefix /bin/sh/sersync", "run this as root, or name another place"),
        ("--prefix", "needs a value"),
        ("--service=launchd", "systemd, openrc, procd and sysv"),
        ("--sevice", "unknown option"),
    ] {
        let error = refused(&machine, &format!("{INSTALL} {options}"));
        assert!(error.contains(said), "{options}: {error}");
    }
    fs::remove_file(machine.path("/src/scripts/sersync")).unwrap();
    assert!(refused(&machine, INSTALL).contains("cargo build --release"));
    assert!(refused(&machine, "/src/scripts/uninstall.sh --prefix /bin").contains("nothing there"));
}

#[test]
fn a_disk_that_is_full_leaves_the_program_that_was_there() {
    let machine = Machine::installed();
    let before = everything(&machine);
    machine.must("mkdir /mnt && mount -t tmpfs -o size=64k none /mnt");
    let ended = machine.run(&format!("{INSTALL} --prefix /mnt/sersync"));
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("cannot write /mnt/sersync/bin/sersync"), "{}", ended.stderr);
    assert_eq!(machine.must("ls -A /mnt/sersync/bin"), "", "half a program is left");
    machine.must("umount /mnt && rmdir /mnt");
    assert_eq!(everything(&machine), before);
}

#[test]
fn uninstall_leaves_what_it_found() {
    let machine = Machine::new();
    let before = everything(&machine);
    machine.must(&format!("mkdir -p /etc/logrotate.d && {INSTALL} --service=sysv"));
    machine.must("[ -x /etc/init.d/sersync ] && [ -e /etc/logrotate.d/sersync ]");
    machine.configure("confxml", "/data", "/copy");
    machine.must("echo mine | tee /opt/sersync/mine >/opt/sersync/log/old.log");
    machine.must(UNINSTALL);
    let left = machine.must("cd /opt/sersync && ls");
    assert_eq!(left, "conf\nlog\nmine\n");
    machine.must(&format!(
        "{INSTALL} && rm /opt/sersync/mine && {UNINSTALL} --purge && rmdir /opt /etc/logrotate.d"
    ));
    assert_eq!(everything(&machine), before);
}

#[test]
fn nothing_is_removed_from_under_what_runs() {
    let machine = Machine::installed();
    machine.must("/opt/sersync/bin/sersync2 -do /opt/sersync/conf/confxml.xml --log-file /tmp/log");
    let running = machine.instances();
    let error = refused(&machine, UNINSTALL);
    assert!(error.contains(&format!("as process {}:", running[0])), "{error}");
    // By another name of the place, and with the program replaced meanwhile.
    machine.must(&format!("ln -s /opt /elsewhere; echo newer >>/src/scripts/sersync; {INSTALL}"));
    let error = refused(&machine, "/elsewhere/sersync/uninstall.sh");
    assert!(error.contains(&format!("as process {}:", running[0])), "{error}");
    machine.must("/elsewhere/sersync/uninstall.sh --stop");
    assert_eq!(machine.instances(), Vec::<u32>::new());
    assert!(!machine.path("/opt/sersync/bin").exists());
}

#[test]
fn each_init_system_gets_its_files_made_for_the_prefix() {
    let machine = Machine::new();
    let systemd = "/etc/systemd/system/sersync.service /etc/systemd/system/sersync@.service";
    for (kind, files) in [
        ("systemd", systemd),
        ("openrc", "/etc/init.d/sersync /etc/logrotate.d/sersync"),
        ("procd", "/etc/init.d/sersync"),
        ("sysv", "/etc/init.d/sersync /etc/logrotate.d/sersync"),
    ] {
        let staged = machine.must(&format!(
            "rm -rf /tmp/stage; {INSTALL} --root /tmp/stage --prefix /usr/lib64/sersync --service={kind} >&2; \
             cd /tmp/stage && grep -r /opt/sersync bin etc usr/lib64/sersync/uninstall.sh 2>/dev/null; \
             find etc -type f | sort | sed 's|^|/|'"
        ));
        assert_eq!(staged.split_whitespace().collect::<Vec<_>>().join(" "), files, "{kind}");
        let service = files.split(' ').next().unwrap();
        let text = fs::read_to_string(machine.path(&format!("/tmp/stage{service}"))).unwrap();
        assert!(text.contains("/usr/lib64/sersync"), "{kind}: {text}");
        assert!(!text.contains("%i"), "{kind}: {text}");
    }
}

#[test]
fn a_service_that_somebody_has_changed_stays_as_it_is() {
    let machine = Machine::new();
    let service = "/etc/init.d/sersync";
    let read = || fs::read_to_string(machine.path(service)).unwrap();
    machine.must(&format!("{INSTALL} --service=sysv"));
    // Unchanged: it is upgraded, with and without the option.
    for option in ["", "--service=sysv"] {
        machine.must("echo '# newer' >>/src/init/sysv");
        machine.must(&format!("{INSTALL} {option}"));
        assert_eq!(fs::read_to_string(machine.path("/src/init/sysv")).unwrap(), read());
    }
    let mine = format!("{}# mine\n", read());
    fs::write(machine.path(service), &mine).unwrap();
    machine.must("echo '# newest' >>/src/init/sysv");
    let said = machine.must(&format!("{INSTALL} --service=sysv"));
    assert!(said.contains("/etc/init.d/sersync was not made by install.sh, or changed"), "{said}");
    assert_eq!(read(), mine);
    let said = machine.must(UNINSTALL);
    assert!(said.contains("so it stays: /etc/init.d/sersync"), "{said}");
    assert_eq!(read(), mine);
}

#[test]
fn the_service_is_that_of_the_machine() {
    for (mark, kind) in [
        ("mkdir -p /run/systemd/system", "systemd"),
        (": >/sbin/openrc-run && chmod +x /sbin/openrc-run", "openrc"),
        (": >/sbin/procd && chmod +x /sbin/procd", "procd"),
        (":", "sysv"),
    ] {
        let machine = Machine::new();
        machine
            .must("echo 'echo \"$@\" >>/tmp/systemctl' >/bin/systemctl && chmod +x /bin/systemctl");
        let said = machine.must(&format!("{mark}; {INSTALL} --service"));
        let file = if kind == "systemd" { "sersync.service" } else { kind };
        let service = if kind == "systemd" {
            "/etc/systemd/system/sersync.service"
        } else {
            "/etc/init.d/sersync"
        };
        machine.must(&format!("cmp /opt/sersync/init/{file} {service}"));
        let reloaded = machine.path("/tmp/systemctl").exists();
        assert_eq!(reloaded, kind == "systemd", "{said}");
    }
    let machine = Machine::new();
    machine.must("rmdir /etc/init.d");
    let error = refused(&machine, &format!("{INSTALL} --service"));
    assert!(error.contains("have cron run keepalive.sh"), "{error}");
}

#[test]
fn a_fail_log_that_the_original_left_is_shown_with_what_takes_it_over() {
    let machine = Machine::installed();
    let file = "/tmp/confxml_fail_log.sh";
    let record = "#errno 256\ncd /data && rsync -artuz -R \"./failed\" /copy\n\n";
    fs::write(machine.path(file), format!("{record}\x1b[2J\n")).unwrap();
    fs::write(machine.path("/data/failed"), "").unwrap();
    let offer = format!("    chmod 700 {file}\n");
    for (mode, is_shown) in [(0o700, false), (0o777, true), (0o720, true)] {
        fs::set_permissions(machine.path(file), fs::Permissions::from_mode(mode)).unwrap();
        let said = machine.must(INSTALL);
        assert_eq!(said.contains(&offer), is_shown, "{said}");
        let shown = said.contains("    cd /data && rsync -artuz -R") && said.contains("    ?[2J\n");
        assert_eq!(shown, is_shown, "{said}");
    }
    machine.must(&format!("chmod 700 {file}"));
    machine.must("/opt/sersync/bin/keepalive.sh");
    eventually("it is worked off", || machine.path("/copy/failed").exists());
}
