//! A small machine: files, processes and mounts of its own, and no tools but those of BusyBox.
//!
//! What installs, starts at boot or looks at the list of processes can be run in it as it is, with
//! the paths that it has everywhere. Of the machine around it, it has the C library and rsync; the
//! source lies in `/src`, with the built program beside the scripts. Everything in it ends with the
//! value, by whatever the test ends.

use super::child::Child;
use super::sersync::{binary, Exit};
use super::{scratch, until, ConfXml, DEADLINE};
use std::cell::Cell;
use std::fs;
use std::io::{pipe, PipeWriter, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Its first process reads commands, and collects whatever has lost its parent, as an init does.
const BOOT: &str = "cd \"$1\" || exit 1
for there in lib lib64 usr/lib; do
    [ ! -d \"/$there\" ] || { mkdir -p \"$there\" && mount --bind \"/$there\" \"$there\"; } || exit 1
done
mount --bind /dev dev && mount -t proc proc proc && exec chroot . /bin/busybox sh";

/// The same with a root that is read-only but for `/mnt`, and the libraries that it was given.
const BOOT_READ_ONLY: &str = "cd \"$1\" && mount --bind . . && cd . && cd \"$1\" || exit 1
mount --bind mnt mnt && mount --bind /dev dev && mount -t proc proc proc || exit 1
mount -o remount,bind,ro . && exec chroot . /bin/busybox sh";

/// The configuration that [`Machine::configure`] writes.
const CONFIG: &str = "/opt/sersync/conf/confxml.xml";

/// The machine; it has a root to watch, `/data`, and the directory of a remote, `/copy`.
pub struct Machine {
    shell: PipeWriter,
    commands: Cell<u32>,
    /// Where the commands and what they say lie.
    work: &'static str,
    _first: Child,
    // Last: it is removed when nothing runs in it any more.
    dir: TempDir,
}

impl Machine {
    /// Boots one, with the source but without an installed program.
    pub fn new() -> Machine {
        let dir = scratch();
        furnish(dir.path());
        Machine::boot(dir, BOOT, "/tmp")
    }

    /// One that has BusyBox, rsync with its libraries, the program and its keepalive.sh, and nothing
    /// else: no `/etc`, no `/tmp`, no locale. Only `/mnt` can be written to; the log is there.
    pub fn read_only() -> Machine {
        let dir = scratch();
        for directory in ["bin", "dev", "proc", "mnt/log", "usr/bin", "opt/sersync/bin"] {
            fs::create_dir_all(dir.path().join(directory)).unwrap();
        }
        symlink("/mnt/log", dir.path().join("opt/sersync/log")).unwrap();
        bring_busybox(dir.path());
        bring("rsync", &dir.path().join("usr/bin/rsync"));
        fs::copy(binary(), dir.path().join("opt/sersync/bin/sersync")).unwrap();
        let keepalive = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/keepalive.sh");
        fs::copy(keepalive, dir.path().join("opt/sersync/bin/keepalive.sh")).unwrap();
        for program in ["bin/busybox", "usr/bin/rsync", "opt/sersync/bin/sersync"] {
            bring_libraries(&dir.path().join(program), dir.path());
        }
        Machine::boot(dir, BOOT_READ_ONLY, "/mnt")
    }

    fn boot(dir: TempDir, script: &str, work: &'static str) -> Machine {
        let (reader, shell) = pipe().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "sh", "-c", script, "boot"]).arg(dir.path());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(reader);
        command.stderr(fs::File::create(dir.path().join("boot")).unwrap());
        let first = Child::spawn(&mut command);
        Machine { shell, commands: Cell::new(0), work, _first: first, dir }
    }

    /// One with the program installed, and a configuration for `/data` and `/copy`.
    pub fn installed() -> Machine {
        let machine = Machine::new();
        machine.must("/src/scripts/install.sh");
        machine.configure("confxml", "/data", "/copy");
        machine
    }

    /// Copies a program of the machine around this one.
    pub fn bring(&self, program: &str, to: &str) {
        bring(program, &self.path(to));
    }

    /// A file of it, as it is named from outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside.trim_start_matches('/'))
    }

    /// Writes `/opt/sersync/conf/NAME.xml`: a root that is pushed into a directory.
    pub fn configure(&self, name: &str, root: &str, copy: &str) {
        let mut conf = ConfXml::new(Path::new("/tmp"));
        conf.root(Path::new(root), &[("local".to_string(), copy.to_string())]);
        conf.fail_log = format!("/tmp/{name}_fail_log.sh").into();
        let file = Path::new(CONFIG).with_file_name(format!("{name}.xml"));
        fs::write(self.path(file.to_str().unwrap()), conf.to_string()).unwrap();
        for directory in [root, copy] {
            fs::create_dir_all(self.path(directory)).unwrap();
        }
    }

    /// Runs a line of shell to its end, with an environment as small as cron's.
    pub fn run(&self, line: &str) -> Exit {
        let number = self.commands.replace(self.commands.get() + 1);
        let file = |ending: &str| format!("{}/{number}.{ending}", self.work);
        let [script, out, err, code] = ["sh", "out", "err", "code"].map(file);
        fs::write(self.path(&script), line).unwrap();
        let command = format!(
            "env -i PATH=/usr/bin:/bin HOME=/root LC_ALL=C sh {script} >{out} 2>{err} </dev/null; \
             echo $? >{code}.part; mv {code}.part {code}\n"
        );
        if let Err(error) = (&self.shell).write_all(command.as_bytes()) {
            panic!(
                "the machine is down: {error}: {}",
                fs::read_to_string(self.path("/boot")).unwrap()
            );
        }
        let read = |file: &str| fs::read_to_string(self.path(file)).unwrap_or_default();
        let code = until(&format!("`{line}` ends"), DEADLINE, || {
            let told = fs::read_to_string(self.path(&code)).map_err(|_| read(&err))?;
            told.trim().parse().map_err(|_| told)
        });
        Exit { code: Some(code), stdout: read(&out), stderr: read(&err) }
    }

    /// Runs a line that ends with 0, and gives its standard output.
    pub fn must(&self, line: &str) -> String {
        let ended = self.run(line);
        assert_eq!(ended.code, Some(0), "{line}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    /// The processes that run the installed program, by their numbers inside.
    pub fn instances(&self) -> Vec<u32> {
        let listed = self.must("ls -l /proc/[0-9]*/exe 2>/dev/null || :");
        let of_program = listed.lines().filter(|line| line.contains("/bin/sersync"));
        let number = |line: &str| line.split("/proc/").nth(1)?.split('/').next()?.parse().ok();
        let found: Vec<u32> = of_program.filter_map(number).collect();
        // A child that is about to become another program is still this one.
        let is_own = |pid: &u32| self.parent(*pid).is_some_and(|parent| !found.contains(&parent));
        found.iter().copied().filter(is_own).collect()
    }

    fn parent(&self, pid: u32) -> Option<u32> {
        let stat = self.must(&format!("cat /proc/{pid}/stat 2>/dev/null || :"));
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
    }

    /// Kills a process, and waits until it is gone, and with it its locks.
    pub fn kill(&self, pid: u32) {
        self.must(&format!("kill -9 {pid}"));
        until(&format!("process {pid} is gone"), DEADLINE, || {
            let gone = self.run(&format!("[ ! -d /proc/{pid} ]")).code == Some(0);
            gone.then_some(()).ok_or_else(|| self.must("ps"))
        });
    }

    /// Changes a file of a root, and waits until its remote has it.
    pub fn arrives(&self, root: &str, copy: &str, name: &str) {
        fs::write(self.path(root).join(name), "content").unwrap();
        let arrived = self.path(copy).join(name);
        until(&format!("{} is there", arrived.display()), DEADLINE, || {
            arrived.exists().then_some(()).ok_or_else(|| self.log())
        });
    }

    /// The log of the first configuration, where keepalive.sh has it.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("/opt/sersync/log/confxml.log")).unwrap_or_default()
    }
}

fn furnish(dir: &Path) {
    let directories = "bin dev etc/init.d proc root sbin src/scripts tmp usr/bin var/run data copy";
    for directory in directories.split(' ') {
        fs::create_dir_all(dir.join(directory)).unwrap();
    }
    symlink("var/run", dir.join("run")).unwrap();
    bring_busybox(dir);
    bring("rsync", &dir.join("usr/bin/rsync"));
    fs::copy(binary(), dir.join("src/scripts/sersync")).unwrap();
    for directory in ["scripts", "init", "conf"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let copied = Command::new("cp").arg("-a").arg(from).arg(dir.join("src")).status();
        assert!(copied.unwrap().success(), "{directory} cannot be copied");
    }
}

fn bring_busybox(dir: &Path) {
    bring("busybox", &dir.join("bin/busybox"));
    let applets = Command::new("busybox").arg("--list").output().unwrap();
    for applet in String::from_utf8(applets.stdout).unwrap().lines() {
        if applet != "busybox" {
            symlink("busybox", dir.join("bin").join(applet)).unwrap();
        }
    }
}

/// What the dynamic linker would load for a program, if it is not static, to the same places.
fn bring_libraries(program: &Path, dir: &Path) {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    for word in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        if word.starts_with('/') && Path::new(word).exists() {
            let to = dir.join(word.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(word, to).unwrap();
        }
    }
}

fn bring(program: &str, to: &Path) {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|it| it.exists());
    let found = found.unwrap_or_else(|| panic!("there is no {program} in PATH"));
    // Not into the file that a link leads to.
    let _ = fs::remove_file(to);
    fs::copy(found, to).unwrap();
}
