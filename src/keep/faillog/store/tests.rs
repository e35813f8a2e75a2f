//! The file in good hands and in bad ones.

use super::*;
use crate::sys::user;
use std::fs::{self, Permissions};
use std::os::unix::fs::{chown, symlink, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const NOBODY: u32 = 65534;

fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("rsync_fail_log.sh");
    (home, path)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    user::effective() == 0
}

/// The names in a directory, hidden ones too.
fn names(directory: &Path) -> Vec<String> {
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn the_file_is_made_when_it_is_needed_and_stays_when_it_is_not() {
    let (home, path) = home();
    let (mut store, text) = Store::open(&path).unwrap();
    assert_eq!(text, b"");
    store.replace(b"").unwrap();
    assert!(names(home.path()).is_empty());
    for text in [&b"first"[..], b"second", b"", b"third"] {
        store.replace(text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text);
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
        assert_eq!(names(home.path()), ["rsync_fail_log.sh"]);
    }
    fs::remove_file(&path).unwrap();
    store.replace(b"").unwrap();
    assert!(names(home.path()).is_empty());
    store.replace(b"fourth").unwrap();
    drop(store);
    assert_eq!(Store::open(&path).unwrap().1, b"fourth");
}

#[test]
fn missing_directories_are_made() {
    let (home, _) = home();
    let path = home.path().join("sersync/log/fail.sh");
    Store::open(&path).unwrap().0.replace(b"x").unwrap();
    assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o022, 0);
}

/// How somebody prepares the place, and what is said of it.
type Trap = (fn(&Path), &'static str);

#[test]
fn what_somebody_else_may_have_written_is_refused() {
    const TEXT: &str = "#errno 256\n";
    let traps: [Trap; 12] = [
        (|at| symlink(at.with_extension("victim"), at).unwrap(), "is a symbolic link"),
        (|at| symlink("nowhere", at).unwrap(), "is a symbolic link"),
        (|at| fs::hard_link(at.with_extension("victim"), at).unwrap(), "is a hard link"),
        (|at| fs::create_dir(at).unwrap(), "is not a plain file"),
        (
            |at| nix::unistd::mkfifo(at, nix::sys::stat::Mode::S_IRWXU).unwrap(),
            "is not a plain file",
        ),
        (|at| drop(UnixListener::bind(at).unwrap()), "is not a plain file"),
        (
            |at| {
                fs::write(at, TEXT).unwrap();
                chmod(at, 0o720);
            },
            "(mode 0720)",
        ),
        (
            |at| {
                fs::write(at, TEXT).unwrap();
                chmod(at, 0o702);
            },
            "(mode 0702)",
        ),
        (
            |at| {
                fs::write(at, "").unwrap();
                chown(at, Some(NOBODY), None).unwrap();
            },
            "belongs to user 65534, not to 0",
        ),
        (|at| chmod(at.parent().unwrap(), 0o777), "its directory has mode 0777"),
        (
            |at| {
                let file = File::create(at).unwrap();
                file.set_len(FILE_BYTES_MAX as u64 + 1).unwrap();
            },
            "is larger than 32 MiB",
        ),
        (
            |at| {
                let made = File::create(at.with_extension("victim")).unwrap();
                drop(made);
                fs::create_dir(at).unwrap();
                chmod(at, 0o000);
            },
            "is not a plain file",
        ),
    ];
    for (trap, expected) in traps {
        let (_home, path) = home();
        if expected.contains("65534") {
            assert!(is_root(), "only root can give a file away: run the tests as root");
        }
        fs::write(path.with_extension("victim"), "precious").unwrap();
        trap(&path);
        let said = Store::open(&path).unwrap_err().to_string();
        assert!(said.contains(expected) && said.contains(path.to_str().unwrap()), "{said}");
        assert!(said.contains("; "), "{said} does not say what to do");
    }
}

#[test]
fn a_place_that_is_no_place_is_refused() {
    let (home, path) = home();
    fs::write(&path, "").unwrap();
    for (path, expected) in [
        (PathBuf::from("/"), "is no name of a file"),
        (home.path().join(".."), "is no name of a file"),
        (home.path().join("log/"), "is no name of a file"),
        (path.join("log"), "cannot be used"),
    ] {
        let said = Store::open(&path).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_directory_with_a_sticky_bit_is_as_good_as_tmp() {
    let (home, path) = home();
    chmod(home.path(), 0o1777);
    Store::open(&path).unwrap().0.replace(b"x").unwrap();
}

#[test]
fn the_empty_file_that_sersync_left_is_taken_over() {
    let (_home, path) = home();
    fs::write(&path, "").unwrap();
    chmod(&path, 0o777);
    let (mut store, text) = Store::open(&path).unwrap();
    assert_eq!(text, b"");
    store.replace(b"").unwrap();
    assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn one_fail_log_serves_one_sersync() {
    let (_home, path) = home();
    let (mut first, _) = Store::open(&path).unwrap();
    let (mut second, _) = Store::open(&path).unwrap();
    first.replace(b"first").unwrap();
    let error = second.replace(b"second").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let said = Store::open(&path).unwrap_err().to_string();
    assert!(said.contains("is in use by another sersync"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), b"first");
    first.replace(b"still there").unwrap();
    drop(first);
    second.replace(b"second").unwrap();
    assert!(Store::open(&path).unwrap_err().to_string().contains("in use"));
    drop(second);
    assert_eq!(Store::open(&path).unwrap().1, b"second");
}

/// Editors put a new file in its place; people empty it, and run it, meanwhile.
#[test]
fn what_people_do_with_the_file_does_not_stop_the_next_text() {
    let (_home, path) = home();
    let (mut store, _) = Store::open(&path).unwrap();
    for disturb in [
        |at: &Path| fs::write(at, "").unwrap(),
        |at: &Path| fs::remove_file(at).unwrap(),
        |at: &Path| {
            fs::write(at.with_extension("edited"), "x").unwrap();
            fs::rename(at.with_extension("edited"), at).unwrap();
        },
        |at: &Path| {
            fs::remove_file(at).unwrap();
            symlink(at.with_extension("victim"), at).unwrap();
        },
    ] {
        fs::write(path.with_extension("victim"), "precious").unwrap();
        store.replace(b"owed").unwrap();
        disturb(&path);
        store.replace(b"still owed").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"still owed");
        assert!(path.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read(path.with_extension("victim")).unwrap(), b"precious");
    }
}

#[test]
fn traps_under_the_name_of_the_new_file_catch_nothing() {
    let (home, path) = home();
    let trap = home.path().join(".rsync_fail_log.sh.new");
    let victim = home.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let set: [fn(&Path, &Path); 3] = [
        |at, victim| symlink(victim, at).unwrap(),
        |at, victim| fs::hard_link(victim, at).unwrap(),
        |at, _| fs::create_dir(at).unwrap(),
    ];
    let (mut store, _) = Store::open(&path).unwrap();
    for (number, set) in set.into_iter().enumerate() {
        set(&trap, &victim);
        let text = [b'0' + number as u8];
        store.replace(&text).unwrap();
        assert_eq!(fs::read(&path).unwrap(), text);
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
    }
    assert!(trap.is_dir());
    assert_eq!(names(home.path()).len(), 3);
}

#[test]
fn a_reader_never_sees_half_a_text() {
    let (_home, path) = home();
    let (mut store, _) = Store::open(&path).unwrap();
    store.replace(&[0; 300_000]).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                let text = fs::read(&path).unwrap();
                assert!(text.len() == 300_000 && text.iter().all(|&byte| byte == text[0]));
                reads += 1;
            }
            reads
        });
        for round in 1..=50 {
            store.replace(&[round; 300_000]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}

/// A small file system that is unmounted with this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> SmallDisk {
        let at = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k,mode=0755", "tmpfs"]).arg(at.path());
        assert!(mount.status().unwrap().success(), "no tmpfs: run the tests as root");
        SmallDisk(at)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_the_old_text_whole() {
    let disk = SmallDisk::new();
    let path = disk.0.path().join("fail.sh");
    let (mut store, _) = Store::open(&path).unwrap();
    store.replace(b"owed").unwrap();
    for _ in 0..2 {
        let error = store.replace(&[b'x'; 200_000]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"owed");
        assert_eq!(names(disk.0.path()), ["fail.sh"]);
    }
    store.replace(b"owed again").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"owed again");
    drop(store);
}
