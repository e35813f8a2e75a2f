//! What real runs do to a daemon's module on loopback.

use super::super::route::tests::route_to;
use super::tests::{disappeared, looked, rsync, COMBINED, NEVER, NEW, PORTABLE};
use super::*;
use crate::config::{Address, Rsync};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// A daemon with one module on a port of its own; it ends with this value.
pub(in crate::rsync) struct Lab {
    home: tempfile::TempDir,
    pub(in crate::rsync) address: Address,
    port: u16,
    daemon: Child,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Lab {
    pub(in crate::rsync) fn new() -> Lab {
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let config = home.path().join("rsyncd.conf");
        let far = home.path().join("far");
        // A daemon of root would otherwise write as nobody.
        let root = home.path().metadata().unwrap().uid() == 0;
        let ids = if root { "uid = 0\ngid = 0\n" } else { "" };
        let text = format!(
            "use chroot = no\nmunge symlinks = no\n{ids}[m]\npath = {}\nread only = no\n",
            far.display()
        );
        fs::write(&config, text).unwrap();
        let mut daemon = Command::new("rsync");
        daemon
            .args(["--daemon", "--no-detach", "--address=127.0.0.1"])
            .arg(format!("--port={port}"));
        let daemon = daemon.arg("--config").arg(config).stdin(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the daemon does not listen");
            std::thread::yield_now();
        }
        let address = Address::Daemon { host: "127.0.0.1".into(), module: b"m".to_vec() };
        let lab = Lab { home, address, port, daemon };
        lab.clear();
        lab
    }

    pub(in crate::rsync) fn clear(&self) {
        for side in [self.near(), self.far()] {
            let _ = fs::remove_dir_all(&side);
            fs::create_dir(side).unwrap();
        }
    }

    pub(in crate::rsync) fn near(&self) -> PathBuf {
        self.home.path().join("near")
    }

    pub(in crate::rsync) fn far(&self) -> PathBuf {
        self.home.path().join("far")
    }

    pub(in crate::rsync) fn port(&self) -> u16 {
        self.port
    }

    pub(in crate::rsync) fn rsync(&self, params: &[&str]) -> Rsync {
        Rsync { port: Some(self.port), ..rsync(params) }
    }

    /// Runs a batch, each run of which must end with 0 and say nothing.
    fn batch(&self, params: &[&str], deletes: PlanSettings, paths: &[Looked]) {
        self.batch_with(params, deletes, paths, &[]);
    }

    /// The same with whole directories.
    fn batch_with(
        &self,
        params: &[&str],
        deletes: PlanSettings,
        paths: &[Looked],
        whole: &[Arc<[u8]>],
    ) {
        let rsync = self.rsync(params);
        let route = route_to(&self.address, &rsync, NEW);
        for run in batch(&route, deletes, paths, whole) {
            self.run(&run);
        }
    }

    pub(in crate::rsync) fn run(&self, run: &Run) {
        let mut command = Command::new("rsync");
        command
            .args(&run.args)
            .current_dir(self.near())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&run.input).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{run:?}: {} {said}", output.status);
    }
}

/// Makes the entries: `a/` a directory, `a=text` a file, `a@target` a symbolic link.
pub(in crate::rsync) fn make(root: &Path, entries: &[&str]) {
    for entry in entries {
        let (path, text) = entry.split_once('=').unwrap_or((entry, ""));
        if let Some((path, target)) = entry.split_once('@') {
            symlink(target, root.join(path)).unwrap();
        } else if path.ends_with('/') {
            fs::create_dir_all(root.join(path)).unwrap();
        } else {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
    }
}

/// All entries as `make` writes them, sorted.
pub(in crate::rsync) fn tree(root: &Path) -> Vec<String> {
    fn below(root: &Path, directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name =
                path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
            if path.is_symlink() {
                found.push(format!("{name}@{}", fs::read_link(&path).unwrap().display()));
            } else if path.is_dir() {
                found.push(format!("{name}/"));
                below(root, &path, found);
            } else {
                found.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    below(root, root, &mut found);
    found.sort();
    found
}

fn set_time(path: &Path, seconds: u64) {
    fs::File::open(path)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .unwrap();
}

const FAR: &[&str] = &[
    "a/b/deep/f=old",
    "a/bystander=far",
    "a/c=old",
    "a/both=old",
    "gone=old",
    "own/f=far",
    "changed=old",
    "keep/x=far",
    "lone/gone=old",
];
const NEAR: &[&str] = &["a/both=new", "changed=new", "keep/y=near", "lone/"];
const PRUNED: &[&str] = &[
    "a/",
    "a/both=old",
    "a/bystander=far",
    "changed=old",
    "keep/",
    "keep/x=far",
    "lone/",
    "own/",
    "own/f=far",
];

#[test]
fn deletes_what_is_gone_and_nothing_else() {
    let lab = Lab::new();
    for deletes in [COMBINED, PORTABLE] {
        lab.clear();
        make(&lab.near(), NEAR);
        make(&lab.far(), FAR);
        for path in ["a", ""] {
            set_time(&lab.near().join(path), 1_000_000_000);
        }
        lab.batch(&["-artuz"], deletes, &disappeared());
        assert_eq!(tree(&lab.far()), PRUNED, "{deletes:?}");
        for path in ["a", ""] {
            let time = |side: PathBuf| side.join(path).metadata().unwrap().modified().unwrap();
            assert_eq!(time(lab.far()), time(lab.near()), "{deletes:?}: time of {path:?}");
        }
    }
    lab.clear();
    make(&lab.near(), NEAR);
    make(&lab.far(), FAR);
    let before = tree(&lab.far());
    lab.batch(&["-artuz"], NEVER, &disappeared());
    assert_eq!(tree(&lab.far()), before);
}

#[test]
fn odd_parameters_neither_stop_nor_widen_a_prune() {
    let lab = Lab::new();
    for params in [
        &["-a", "--delete-excluded"][..],
        &["-am"],
        &["-a", "--prune-empty-dirs", "--delete-after"],
        &["-a", "--no-r", "--no-R", "--existing"],
        &["-a", "--include=*/", "--include=*", "--exclude=*"],
        &["-a", "-f", "+ */", "--filter", "+ *", "-f- *"],
        &["-a", "--exclude", "+ *", "--del", "--exclude=*"],
        &["-a", "--exclude=*.o", "-C"],
        &["-ac", "--inplace", "-I"],
        &["-a", "--remove-source-files"],
    ] {
        lab.clear();
        make(&lab.near(), NEAR);
        make(&lab.far(), FAR);
        let rsync = lab.rsync(params);
        let route = route_to(&lab.address, &rsync, NEW);
        let runs = batch(&route, PORTABLE, &disappeared(), &[]);
        lab.run(&runs[0]);
        assert_eq!(tree(&lab.far()), PRUNED, "{params:?}");
        assert_eq!(tree(&lab.near()).len(), 6, "{params:?}: the near side was changed");
    }
}

#[test]
fn excludes_of_the_user_protect_from_a_prune() {
    let lab = Lab::new();
    make(&lab.near(), NEAR);
    make(&lab.far(), FAR);
    lab.batch(&["-a", "--exclude=/a/b"], PORTABLE, &disappeared());
    assert!(lab.far().join("a/b/deep/f").exists() && !lab.far().join("gone").exists());
}

#[test]
fn kinds_change() {
    let lab = Lab::new();
    for deletes in [COMBINED, PORTABLE] {
        lab.clear();
        make(
            &lab.far(),
            &["file/old/f=", "link/old/f=", "dir=", "again/old/f=", "again/same=old", "again/own="],
        );
        make(
            &lab.near(),
            &["file=new", "link@file", "dir/", "dir/sub=new", "again/same=new", "again/new=new"],
        );
        let paths = [
            looked(b"file", Gone::Directory, Now::Other),
            looked(b"link", Gone::Directory, Now::Other),
            looked(b"dir", Gone::Entry, Now::Directory),
            looked(b"dir/sub", Gone::No, Now::Other),
            looked(b"again", Gone::Directory, Now::Directory),
            looked(b"again/new", Gone::No, Now::Other),
            looked(b"again/same", Gone::No, Now::Other),
        ];
        lab.batch(&["-artz"], deletes, &paths);
        assert_eq!(tree(&lab.far()), tree(&lab.near()), "{deletes:?}");
    }
}

#[test]
fn a_listed_directory_is_sent_as_itself() {
    let lab = Lab::new();
    make(&lab.near(), &["d/", "d/unlisted=", "d/e/", "d/e/unlisted="]);
    make(&lab.far(), &["d/", "d/own=far"]);
    set_time(&lab.near().join("d"), 1_000_000_000);
    let paths = [looked(b"d", Gone::No, Now::Directory), looked(b"d/e", Gone::No, Now::Directory)];
    for params in [
        &["-artz"][..],
        &["-artz", "--delete"],
        &["-a", "--delete-excluded", "--exclude=own"],
        &["-a", "--old-d"],
    ] {
        lab.batch(params, COMBINED, &paths);
        assert_eq!(tree(&lab.far()), ["d/", "d/e/", "d/own=far"], "{params:?}");
    }
    assert_eq!(lab.far().join("d").metadata().unwrap().mtime(), 1_000_000_000);
}

#[test]
fn a_whole_directory_is_sent_with_its_entries_and_nothing_in_it_is_deleted() {
    let lab = Lab::new();
    for deletes in [NEVER, COMBINED, PORTABLE] {
        for params in [&["-artuz"][..], &["-a", "--old-d"], &["-am"], &["-a", "--no-implied-dirs"]]
        {
            lab.clear();
            make(
                &lab.near(),
                &[
                    "up/d/f=new",
                    "up/d/.hidden=",
                    "up/d/l@f",
                    "up/d/sub/",
                    "up/d/sub/unlisted=",
                    "up/d/.f.a1B2c3=",
                    "up/d/f~=",
                    "up/d/.f.swx=",
                    "up/d/.#f=",
                    "up/d/.goutputstream-A=",
                    "up/d/.nfs1=",
                    "up/x=",
                ],
            );
            make(&lab.far(), &["up/d/own=far", "up/d/gone=old", "up/d/sub/own=far"]);
            set_time(&lab.near().join("up/d"), 1_000_000_000);
            let entries = ["f", ".hidden", "l", "sub"].map(|name| format!("up/d/{name}"));
            let mut paths =
                entries.map(|path| looked(path.as_bytes(), Gone::No, Now::Other)).to_vec();
            paths[3].now = Now::Directory;
            paths.push(looked(b"up/d/gone", Gone::Entry, Now::Missing));
            lab.batch_with(params, deletes, &paths, &[Arc::from(&b"up/d"[..])]);
            let mut expected = vec!["up/", "up/d/", "up/d/.hidden=", "up/d/f=new"];
            expected.extend((deletes == NEVER).then_some("up/d/gone=old"));
            expected.extend(["up/d/l@f", "up/d/own=far", "up/d/sub/", "up/d/sub/own=far"]);
            assert_eq!(tree(&lab.far()), expected, "{deletes:?} {params:?}");
            assert_eq!(lab.far().join("up/d").metadata().unwrap().mtime(), 1_000_000_000);
        }
    }
}

#[test]
fn the_roots_attributes_go_along_whatever_is_listed_first() {
    let lab = Lab::new();
    for deletes in [COMBINED, PORTABLE] {
        lab.clear();
        make(&lab.near(), &["b=", "c/d="]);
        make(&lab.far(), &["a/gone="]);
        set_time(&lab.near(), 1_000_000_000);
        let paths = [
            looked(b"a", Gone::Directory, Now::Missing),
            looked(b"b", Gone::No, Now::Other),
            looked(b"c/d", Gone::No, Now::Other),
        ];
        lab.batch(&["-artuz"], deletes, &paths);
        assert_eq!(tree(&lab.far()), tree(&lab.near()), "{deletes:?}");
        assert_eq!(lab.far().metadata().unwrap().mtime(), 1_000_000_000, "{deletes:?}");
    }
}

#[test]
fn same_size_and_time_still_arrives() {
    let lab = Lab::new();
    make(&lab.near(), &["f=new"]);
    make(&lab.far(), &["f=old"]);
    for side in [lab.near(), lab.far()] {
        set_time(&side.join("f"), 1_000_000_000);
    }
    lab.batch(&["-artuz"], NEVER, &[looked(b"f", Gone::No, Now::Other)]);
    assert_eq!(tree(&lab.far()), ["f=new"]);
}

#[test]
fn what_vanishes_after_the_look_is_no_failure() {
    let lab = Lab::new();
    for deletes in [NEVER, PORTABLE, COMBINED] {
        make(&lab.near(), &["f=x", "d/f="]);
        lab.batch(
            &["-a"],
            deletes,
            &[looked(b"f", Gone::No, Now::Other), looked(b"d/gone", Gone::No, Now::Other)],
        );
        assert_eq!(tree(&lab.far()), ["f=x"]);
    }
}

const ODD_NAMES: &[&[u8]] = &[
    b"a b",
    b"q\"q",
    b"it's",
    b"d$HOME",
    b"b`id`",
    b"#c",
    b";c",
    b"-x",
    b"- x",
    b"+ x",
    b"!",
    b"~",
    b"*",
    b"[a]",
    b"?",
    b"\\",
    b"b\\s",
    b"b\\*",
    b"[!x]",
    b"n\nl",
    b"\r",
    b"\xff\xfe",
    b"***",
    b"a,b",
    b" lead",
    b"trail ",
    b"{a,b}",
    b":x",
];

#[test]
fn odd_names_arrive_and_go_alone() {
    let lab = Lab::new();
    for deletes in [COMBINED, PORTABLE] {
        lab.clear();
        let each = |gone, now| -> Vec<Looked> {
            let paths =
                ODD_NAMES.iter().flat_map(|name| [name.to_vec(), [*name, b"/", *name].concat()]);
            paths.map(|path| looked(&path, gone, now)).collect()
        };
        for name in ODD_NAMES {
            let directory = lab.near().join(OsStr::from_bytes(name));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join(OsStr::from_bytes(name)), "").unwrap();
        }
        lab.batch(&["-artz"], deletes, &each(Gone::No, Now::Other));
        assert_eq!(tree(&lab.far()), tree(&lab.near()));
        // Names that the odd ones would match, were they read as patterns.
        let others = ["a", "x", "xyz", "bs", "b\\sx", "c", "b\\", "ax", "sub/a"];
        make(&lab.far(), &others);
        // Only the inner ones, then the directories with what is left in them.
        for now in [1, 0] {
            let gone: Vec<Looked> =
                each(Gone::Directory, Now::Missing).into_iter().skip(now).step_by(2).collect();
            for entry in &gone {
                let path = lab.near().join(OsStr::from_bytes(&entry.path));
                if now == 1 {
                    fs::remove_file(path).unwrap()
                } else {
                    fs::remove_dir(path).unwrap()
                }
            }
            lab.batch(&["-artz"], deletes, &gone);
            let left = tree(&lab.far());
            assert_eq!(
                left.len(),
                others.len() + 1 + now * ODD_NAMES.len(),
                "{deletes:?}: {left:?}"
            );
        }
    }
}

#[test]
fn full_sync_leaves_out_what_it_is_told() {
    let lab = Lab::new();
    make(
        &lab.near(),
        &["a/b=new", "a/x.php=new", "q[1]/f=", "w\\z/p\\q=", "w\\z/a\\b*c=", "w\\z/axbc=", "k="],
    );
    make(&lab.far(), &["a/extra=far", "a/b=older", "q[1]/own=far", "a/far.php=far"]);
    let rsync = lab.rsync(&["-ltz"]);
    let route = route_to(&lab.address, &rsync, NEW);
    let left_out = ["q[1]", "w\\z/p\\q", "w\\z/a\\b*c", "a/k"].map(|path| path.as_bytes().to_vec());
    let excludes = [b"-sr *.php".to_vec()];
    lab.run(&full_sync(&route, Licence::Unseen, &excludes, Some(&left_out)));
    let expected =
        ["a/", "a/b=new", "a/far.php=far", "k=", "q[1]/", "q[1]/own=far", r"w\\z/", r"w\\z/axbc="];
    assert_eq!(tree(&lab.far()), expected);
    make(&lab.far(), &["only=far"]);
    lab.run(&full_sync(&route, Licence::Nothing, &excludes, None));
    assert!(lab.far().join("only").exists() && lab.far().join("w\\z/p\\q").exists());
}

#[test]
fn the_roots_own_mode_goes_alone_and_touches_nothing_in_it() {
    let lab = Lab::new();
    make(&lab.near(), &["new=not listed", "dir/", "dir/new=x"]);
    make(&lab.far(), &["extra=stays", "dir/"]);
    let mode = fs::Permissions::from_mode(0o750);
    fs::set_permissions(lab.near(), mode).unwrap();
    for params in [&["-artz"][..], &["-artz", "--delete"]] {
        lab.batch(params, COMBINED, &[looked(b"", Gone::No, Now::Directory)]);
        assert_eq!(lab.far().metadata().unwrap().mode() & 0o777, 0o750);
        assert!(lab.far().join("extra").exists() && !lab.far().join("new").exists());
        assert!(!lab.far().join("dir/new").exists());
        fs::set_permissions(lab.far(), fs::Permissions::from_mode(0o700)).unwrap();
    }
}
