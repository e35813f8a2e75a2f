//! What is downloaded: archives that are the same wherever they are made, and installing from them.

use crate::harness::{binary, scratch, Machine};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const X86_64: &str = "x86_64-unknown-linux-musl";
const ARMV7: &str = "armv7-unknown-linux-musleabihf";
const PACKED: [&str; 9] = [
    "Cargo.toml",
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "conf",
    "docs",
    "init",
    "scripts",
    ".ci",
];

/// Archives of the two targets with this file as their program, made in a copy of the source at
/// `dir`. Gives where they are.
fn release(dir: &Path, program: &Path, umask: &str) -> PathBuf {
    fs::create_dir_all(dir).unwrap();
    for name in PACKED {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        assert!(Command::new("cp").arg("-R").arg(from).arg(dir).status().unwrap().success());
    }
    for target in [X86_64, ARMV7] {
        let place = dir.join("target/static").join(target);
        fs::create_dir_all(&place).unwrap();
        fs::copy(program, place.join("sersync")).unwrap();
        fs::write(place.join("sersync.debug"), "symbols").unwrap();
    }
    let line = format!("umask {umask}; exec scripts/release.sh --packed-only {X86_64} {ARMV7}");
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(dir).env("SOURCE_DATE_EPOCH", "1700000000");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    dir.join(format!("target/release-{}", env!("CARGO_PKG_VERSION")))
}

/// Packing asks only that it can be run.
fn program(dir: &TempDir) -> PathBuf {
    let program = dir.path().join("program");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

fn archive(target: &str) -> String {
    format!("sersync-{}-{target}.tar.gz", env!("CARGO_PKG_VERSION"))
}

/// The bytes of each file.
fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| (name(&entry), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn the_same_source_gives_the_same_archives_wherever_it_lies() {
    let dir = scratch();
    let one = release(&dir.path().join("one"), &program(&dir), "022");
    let other = dir.path().join("in another/place that is named longer");
    let other = release(&other, &program(&dir), "077");
    let (one, other) = (content(&one), content(&other));
    let [arm, x86] = [archive(ARMV7), archive(X86_64)];
    let [arm_debug, x86_debug] = [&arm, &x86].map(|name| name.replace(".tar.gz", ".debug.gz"));
    assert_eq!(
        one.keys().collect::<Vec<_>>(),
        ["SHA256SUMS", "install.sh", &arm_debug, &arm, &x86_debug, &x86]
    );
    for (name, bytes) in &one {
        assert!(other[name] == *bytes, "{name} differs");
    }
}

#[test]
fn an_archive_has_the_layout_that_guides_tell_of() {
    let dir = scratch();
    let release = release(&dir.path().join("source"), &program(&dir), "022");
    for (target, top) in [(X86_64, "GNU-Linux-x86"), (ARMV7, "GNU-Linux-armv7")] {
        let unpacked = dir.path().join(target);
        fs::create_dir(&unpacked).unwrap();
        let archive = release.join(archive(target));
        let tar = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&unpacked).status();
        assert!(tar.unwrap().success());
        let tops: Vec<_> = content_names(&unpacked);
        assert_eq!(tops, [top]);
        for name in ["sersync", "sersync2", "scripts/install.sh", "scripts/keepalive.sh"] {
            let mode = fs::metadata(unpacked.join(top).join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o755, "{name}");
        }
        for name in ["confxml.xml", "LICENSE", "README.md", "CHANGELOG.md", "conf/confxml-ssh.xml"]
        {
            let mode = fs::metadata(unpacked.join(top).join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644, "{name}");
        }
    }
}

fn content_names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A machine with a directory of archives, `/download`, which says that it is an `$ARCH`.
fn machine_with_archives() -> Machine {
    let machine = Machine::new();
    let release = release(&machine.path("/source"), Path::new(&binary()), "022");
    fs::rename(release, machine.path("/download")).unwrap();
    fs::remove_dir_all(machine.path("/source")).unwrap();
    fs::remove_dir_all(machine.path("/src")).unwrap();
    let uname = machine.path("/bin/uname");
    fs::remove_file(&uname).unwrap();
    fs::write(&uname, "#!/bin/sh\necho \"$ARCH\"\n").unwrap();
    fs::set_permissions(&uname, fs::Permissions::from_mode(0o755)).unwrap();
    machine
}

#[test]
fn install_from_archives_takes_the_one_for_this_processor() {
    let machine = machine_with_archives();
    let said = machine.must("ARCH=x86_64 /download/install.sh --prefix /opt/mirror");
    assert!(said.contains(&archive(X86_64)), "{said}");
    machine.must("/opt/mirror/bin/sersync2 --version && [ -e /opt/mirror/conf/confxml.xml ]");
    machine.must("! ls /tmp/sersync.* 2>/dev/null");
    assert!(machine.must("/download/install.sh --help").contains("SHA256SUMS"));
}

#[test]
fn install_from_archives_refuses_what_cannot_be_right() {
    let machine = machine_with_archives();
    let refused = |arch: &str, why: &str| {
        let ended = machine.run(&format!("ARCH={arch} /download/install.sh"));
        assert_eq!(ended.code, Some(1), "{arch}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(why), "{arch}: {}", ended.stderr);
        machine.must("[ ! -e /opt ] && ! ls /tmp/sersync.* 2>/dev/null");
    };
    for (arch, target) in [
        ("i686", "i686-unknown-linux-musl"),
        ("aarch64", "aarch64-unknown-linux-musl"),
        ("armv5tejl", "armv5te-unknown-linux-musleabi"),
        ("armv6l", "armv5te-unknown-linux-musleabi"),
        // The machine that the test runs on has no floating point unit of an ARM.
        ("armv7l", "armv5te-unknown-linux-musleabi"),
        ("mips", "mipsel-unknown-linux-musl"),
    ] {
        refused(arch, &format!("there is no sersync-VERSION-{target}.tar.gz here"));
    }
    refused("riscv64", "no archive for this kind of machine (riscv64)");
    let download = |name: &str| machine.path("/download").join(name);
    fs::copy(download(&archive(X86_64)), download(&format!("sersync-9.9.9-{X86_64}.tar.gz")))
        .unwrap();
    refused("x86_64", "more than one version");
    machine.must("rm /download/sersync-9*");
    machine.must(&format!("echo more >>/download/{}", archive(X86_64)));
    refused("x86_64", "is damaged");
    machine.must("sed -i /x86_64/d /download/SHA256SUMS");
    refused("x86_64", "SHA256SUMS says nothing of");
}
