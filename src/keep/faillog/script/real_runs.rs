//! What the script does when people run it: real shells, a real daemon, names that bite.

use super::*;
use crate::config::{Address, Rsync};
use crate::engine::sending::licence::Grants;
use crate::rsync::asked::capability::{Capability, Version};
use crate::rsync::asked::route::RemoteRoute;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{symlink, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::tests::{owed, KEEP, MIRROR, PUSH};

const SHELLS: [&[&str]; 3] = [&["sh"], &["bash"], &["busybox", "sh"]];

/// Names that run something, end something or match something, wherever they are not literal.
const NAMES: [&[u8]; 16] = [
    b"`touch pwned`",
    b"$(touch pwned)",
    b"\"; touch pwned; \"",
    b"'; touch pwned; '",
    b"\\\"; touch pwned; \\\"",
    b"line\ntouch pwned\n#errno 1\n\ntouch pwned",
    b"-rf",
    b"--delete",
    b"*?[x]",
    b"*",
    b"\\*",
    b"back\\slash",
    b"#not a comment",
    b"${IFS}touch${IFS}pwned",
    b"!! ~ & | < >",
    b"\xff\xfe",
];

/// Two trees and a daemon that serves the far one; it ends with this value.
struct Lab {
    home: tempfile::TempDir,
    daemon: Child,
    port: u16,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Lab {
    fn new() -> Lab {
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let config = home.path().join("rsyncd.conf");
        // A daemon of root would otherwise write as nobody.
        let ids =
            if home.path().metadata().unwrap().uid() == 0 { "uid = 0\ngid = 0\n" } else { "" };
        let far = home.path().join("far");
        let text = format!(
            "use chroot = no\nmunge symlinks = no\n{ids}[m]\npath = {}\nread only = no\n",
            far.display()
        );
        fs::write(&config, text).unwrap();
        let mut daemon = Command::new("rsync");
        daemon.args(["--daemon", "--no-detach", "--address=127.0.0.1"]);
        daemon.arg(format!("--port={port}")).arg("--config").arg(config).stdin(Stdio::null());
        let lab = Lab { home, daemon: daemon.spawn().unwrap(), port };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the daemon does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        lab
    }

    fn at(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The root, with a name that has to be quoted itself.
    fn near(&self) -> PathBuf {
        self.at("ne ar`touch pwned`")
    }

    fn far(&self) -> PathBuf {
        self.at("far")
    }

    /// Both ways to reach the far tree.
    fn addresses(&self) -> [Address; 2] {
        let daemon = Address::Daemon { host: "127.0.0.1".into(), module: b"m".to_vec() };
        [daemon, Address::Local { path: self.far() }]
    }

    fn empty(&self) {
        for side in [self.near(), self.far(), self.at("cwd")] {
            let _ = fs::remove_dir_all(&side);
            fs::create_dir(side).unwrap();
        }
    }

    /// The script for what is owed of the remote at an address, with the root as it is now.
    fn script(&self, address: &Address, grants: Grants, owed: &Owed) -> Vec<u8> {
        let params = vec![b"-artz".to_vec()];
        let rsync = Rsync { params, port: Some(self.port), ..Rsync::default() };
        let local = Capability { version: Version { major: 2, minor: 6, patch: 9 } };
        let route = RemoteRoute { root: self.near(), address: address.clone(), rsync, local };
        let inode = route.root.metadata().unwrap().ino();
        let creditor = Creditor { route: &route, inode, grants, excludes: Some(&[]) };
        let script = render(&[(creditor, owed)], &[b"half\n\"; touch pwned".to_vec()]);
        assert_eq!(script.forgotten, 0);
        let found = parse(&script.text, &[creditor]);
        assert_eq!(found.owed, std::slice::from_ref(owed));
        script.text
    }

    /// Runs a script the way that people do, and gives what it said.
    fn run(&self, shell: &[&str], script: &[u8]) -> String {
        let file = self.at("fail log.sh");
        fs::write(&file, script).unwrap();
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg(&file).current_dir(self.at("cwd")).stdin(Stdio::null());
        let output = command.output().unwrap();
        let everything = tree(self.home.path());
        let pwned: Vec<_> = everything.keys().filter(|path| path.ends_with("/pwned")).collect();
        assert!(pwned.is_empty(), "{shell:?}: {pwned:?}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

/// Every path below with what it is, names escaped.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes();
            let what = if path.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if path.is_dir() {
                directories.push(path.clone());
                "directory".to_string()
            } else {
                String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
            };
            found.insert(format!("/{}", name.escape_ascii()), what);
        }
    }
    found
}

/// Writes files, and the directories above them.
fn write(root: &Path, files: &[&[u8]], text: &str) {
    for file in files {
        let path = root.join(OsStr::from_bytes(file));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn below(directory: &str, name: &[u8]) -> Vec<u8> {
    [directory.as_bytes(), b"/", name].concat()
}

#[test]
fn names_that_bite_arrive_and_go_alone() {
    let lab = Lab::new();
    let sent: Vec<_> = NAMES.iter().map(|name| below("sent", name)).collect();
    let gone: Vec<_> = NAMES.iter().map(|name| below("gone", name)).collect();
    let inside: Vec<_> =
        NAMES.iter().map(|name| [&below("dirs", name)[..], b"/in"].concat()).collect();
    let dirs: Vec<_> = NAMES.iter().map(|name| below("dirs", name)).collect();
    let others: [&[u8]; 6] =
        [b"sent/x", b"gone/x", b"gone/xx", b"gone/a/b", b"dirs/x/in", b"not yours"];
    let mut due = owed(false, &[]);
    sent.iter().for_each(|path| due.add(path.as_slice().into(), Gone::No));
    gone.iter().for_each(|path| due.add(path.as_slice().into(), Gone::Entry));
    dirs.iter().for_each(|path| due.add(path.as_slice().into(), Gone::Directory));
    for address in lab.addresses() {
        for shell in SHELLS {
            lab.empty();
            let slices = |paths: &[Vec<u8>], side: &Path, text: &str| {
                paths.iter().for_each(|path| write(side, &[path], text));
            };
            slices(&sent, &lab.near(), "new");
            write(&lab.near(), &[b"sent/not owed", b"gone/not owed", b"dirs/not owed"], "new");
            slices(&sent, &lab.far(), "old");
            slices(&gone, &lab.far(), "old");
            slices(&inside, &lab.far(), "old");
            write(&lab.far(), &others, "others'");
            let mut expected = tree(&lab.far());
            for path in &sent {
                expected.insert(format!("/{}", path.escape_ascii()), "new".into());
            }
            for path in gone.iter().chain(&dirs).chain(&inside) {
                expected.remove(&format!("/{}", path.escape_ascii())).unwrap();
            }
            let script = lab.script(&address, PUSH, &due);
            for time in ["first", "second"] {
                assert_eq!(lab.run(shell, &script), "", "{shell:?}");
                assert_eq!(tree(&lab.far()), expected, "{shell:?} {address:?} {time}");
            }
        }
    }
}

type Make = fn(&Path);

/// What a name was when it was deleted here and is over there; what it is here when the script runs,
/// and becomes there.
#[test]
fn each_name_becomes_what_it_is_now() {
    const KINDS: [(&str, Make); 5] = [
        ("missing", |_| ()),
        ("file", |at| fs::write(at, "text").unwrap()),
        ("link", |at| symlink("nowhere", at).unwrap()),
        ("empty directory", |at| fs::create_dir(at).unwrap()),
        ("directory", |at| write(at, &[b"deep/f", b"g"], "old")),
    ];
    let lab = Lab::new();
    let [daemon, local] = lab.addresses();
    for address in [daemon, local] {
        for (was, make_far) in KINDS {
            for (is, make_near) in KINDS {
                lab.empty();
                for side in [lab.near(), lab.far()] {
                    write(&side, &[b"d/stays"], "same");
                }
                make_far(&lab.far().join("d/x"));
                make_near(&lab.near().join("d/x"));
                let gone = if was.ends_with("directory") { Gone::Directory } else { Gone::Entry };
                let due = owed(false, &[(b"d/x", gone)]);
                let script = lab.script(&address, PUSH, &due);
                let mut expected = tree(&lab.near());
                if is == "directory" {
                    // What is in it has its own changes.
                    expected.retain(|path, _| !path.starts_with("/d/x/"));
                    if was == "directory" {
                        let both = |path: &String| path.starts_with("/d/x/");
                        expected
                            .extend(tree(&lab.far()).into_iter().filter(|(path, _)| both(path)));
                    }
                }
                let said = lab.run(&["sh"], &script);
                // There rsync complains that it cannot look into the file for what to delete.
                let complains = matches!(was, "file" | "link") && is.ends_with("directory");
                assert!(said.is_empty() || complains, "{was} -> {is}: {said}");
                assert_eq!(tree(&lab.far()), expected, "{was} -> {is}");
                assert_eq!(lab.run(&["sh"], &script), "", "{was} -> {is}, again");
                assert_eq!(tree(&lab.far()), expected, "{was} -> {is}, again");
            }
        }
    }
}

/// Over there a link is in the way: it becomes a directory, and what it led to stays.
#[test]
fn no_deletion_follows_a_link_of_the_far_side() {
    let lab = Lab::new();
    for address in lab.addresses() {
        lab.empty();
        write(&lab.near(), &[b"d/stays"], "same");
        write(&lab.at("cwd"), &[b"gone", b"dir/in"], "precious");
        symlink(lab.at("cwd"), lab.far().join("d")).unwrap();
        let due = owed(false, &[(b"d/dir", Gone::Directory), (b"d/gone", Gone::Entry)]);
        let script = lab.script(&address, PUSH, &due);
        assert_eq!(lab.run(&["sh"], &script), "");
        assert_eq!(tree(&lab.at("cwd")).len(), 3, "{address:?}");
        assert_eq!(tree(&lab.far()), BTreeMap::from([("/d".into(), "directory".into())]));
    }
}

/// A path without anything that disappeared deletes nothing, and follows nothing.
#[test]
fn what_only_changed_is_sent_and_never_deleted() {
    let lab = Lab::new();
    for address in lab.addresses() {
        lab.empty();
        write(&lab.near(), &[b"a/new", b"a/same size"], "2");
        write(&lab.far(), &[b"missing here", b"a/same size", b"a/others'", b"link/in"], "1");
        write(&lab.at("cwd"), &[b"elsewhere/in"], "secret");
        symlink(lab.at("cwd").join("elsewhere"), lab.near().join("link")).unwrap();
        fs::copy(lab.near().join("a/same size"), lab.near().join("mark")).unwrap();
        for side in [lab.near(), lab.far()] {
            // The same size and time, so that only the content tells.
            let touched = Command::new("touch")
                .args(["-t", "200001010000"])
                .arg(side.join("a/same size"))
                .status();
            assert!(touched.unwrap().success());
        }
        let no = Gone::No;
        let due = owed(
            false,
            &[
                (b"", no),
                (b"a/new", no),
                (b"a/same size", no),
                (b"link/in", no),
                (b"missing here", no),
            ],
        );
        let mut expected = tree(&lab.far());
        expected.insert("/a/new".into(), "2".into());
        expected.insert("/a/same size".into(), "2".into());
        let script = lab.script(&address, PUSH, &due);
        assert_eq!(lab.run(&["sh"], &script), "");
        assert_eq!(tree(&lab.far()), expected, "{address:?}");
    }
}

#[test]
fn the_roots_own_mode_goes_alone() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    for address in lab.addresses() {
        lab.empty();
        write(&lab.near(), &[b"f"], "");
        fs::set_permissions(lab.near(), fs::Permissions::from_mode(0o711)).unwrap();
        let script = lab.script(&address, PUSH, &owed(false, &[(b"", Gone::No)]));
        assert_eq!(lab.run(&["sh"], &script), "");
        assert_eq!(lab.far().metadata().unwrap().mode() & 0o777, 0o711);
        assert!(tree(&lab.far()).is_empty());
    }
}

#[test]
fn a_full_sync_deletes_in_mirror_mode_only() {
    let lab = Lab::new();
    for address in lab.addresses() {
        for (grants, stays) in [(KEEP, true), (PUSH, true), (MIRROR, false)] {
            lab.empty();
            write(&lab.near(), &[b"new/deep/f"], "2");
            write(&lab.far(), &[b"extra/f"], "1");
            let script = lab.script(&address, grants, &owed(true, &[]));
            assert_eq!(lab.run(&["sh"], &script), "");
            let far = tree(&lab.far());
            assert_eq!(far.get("/new/deep/f").map(String::as_str), Some("2"));
            assert_eq!(far.contains_key("/extra/f"), stays, "{grants:?}");
        }
    }
}

/// Not mounted: the directory below the mount, or none. Nothing may be deleted then.
#[test]
fn a_root_that_is_another_one_loses_nothing_over_there() {
    let lab = Lab::new();
    let full = owed(true, &[]);
    let paths = owed(false, &[(b"a", Gone::Entry), (b"d", Gone::Directory)]);
    for address in lab.addresses() {
        for shell in SHELLS {
            for (due, left) in [(&full, 0), (&paths, 1)] {
                lab.empty();
                write(&lab.far(), &[b"a", b"d/e", b"z"], "precious");
                let before = tree(&lab.far());
                let script = lab.script(&address, MIRROR, due);
                let away = lab.at("away");
                fs::rename(lab.near(), &away).unwrap();
                lab.run(shell, &script);
                assert_eq!(tree(&lab.far()), before, "gone: {shell:?}");
                fs::create_dir(lab.near()).unwrap();
                assert_eq!(lab.run(shell, &script), "");
                assert_eq!(tree(&lab.far()), before, "another: {shell:?}");
                // In the way of a directory over there.
                write(&lab.near(), &[b"d"], "below the mount");
                lab.run(shell, &script);
                assert_eq!(tree(&lab.far()), before, "another with files: {shell:?}");
                fs::remove_dir_all(lab.near()).unwrap();
                fs::rename(&away, lab.near()).unwrap();
                assert_eq!(lab.run(shell, &script), "");
                assert_eq!(tree(&lab.far()).len(), left, "back: {shell:?}");
            }
        }
    }
}
