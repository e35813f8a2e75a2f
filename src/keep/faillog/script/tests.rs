//! What records look like, and what is read back.

use super::*;
use crate::config::{Address, Rsync};
use crate::engine::sending::licence::Grants;
use crate::rsync::asked::capability::{Capability, Version};
use crate::rsync::asked::route::RemoteRoute;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

pub(super) const KEEP: Grants = Grants::new(false, false);
pub(super) const PUSH: Grants = Grants::new(true, false);
pub(super) const MIRROR: Grants = Grants::new(true, true);

/// The remotes of a root, as long as they are needed.
struct Setting {
    routes: Vec<RemoteRoute>,
    grants: Grants,
    excludes: Option<Vec<Vec<u8>>>,
}

impl Setting {
    fn new(grants: Grants) -> Setting {
        let daemon = |host: &str| Address::Daemon { host: host.into(), module: b"m".to_vec() };
        let ssh = Address::Ssh { host: "far".into(), path: b"/a b".to_vec() };
        let rsync = Rsync {
            params: vec![b"-artz".to_vec()],
            user: Some("u".into()),
            timeout_s: Some(9),
            ..Rsync::default()
        };
        let local = Capability { version: Version { major: 2, minor: 6, patch: 9 } };
        let route =
            |address| RemoteRoute { root: "/w".into(), address, rsync: rsync.clone(), local };
        let routes = [daemon("h"), daemon("::1"), ssh].map(route).to_vec();
        Setting { routes, grants, excludes: Some(Vec::new()) }
    }

    fn creditors(&self) -> Vec<Creditor<'_>> {
        let (grants, excludes) = (self.grants, self.excludes.as_deref());
        let creditor = |route| Creditor { route, inode: 7, grants, excludes };
        self.routes.iter().map(creditor).collect()
    }

    fn render(&self, owed: &[Owed], unread: &[Vec<u8>]) -> Script {
        let all: Vec<_> = self.creditors().into_iter().zip(owed).collect();
        render(&all, unread)
    }

    fn text(&self, owed: &Owed) -> String {
        let script = self.render(std::slice::from_ref(owed), &[]);
        String::from_utf8_lossy(&script.text).into_owned()
    }

    /// What the text says of the first creditor, and what could not be read.
    fn parse(&self, text: &[u8]) -> (Owed, Vec<Vec<u8>>) {
        let mut found = parse(text, &self.creditors());
        (found.owed.swap_remove(0), found.unread)
    }
}

pub(super) fn owed(full_sync: bool, paths: &[(&[u8], Gone)]) -> Owed {
    let paths = paths.iter().map(|(path, gone)| (RelPath::from(*path), *gone)).collect();
    Owed { status: 2560, full_sync, paths }
}

const NET: &str = "--sockopts=TCP_NODELAY --timeout=9 u@h::m";
const HIDDEN: &str =
    "\"--filter=S */\" \"--filter=H *~\" \"--filter=H .*.sw?\" \"--filter=H .#*\" \
                      \"--filter=H .goutputstream-*\" \"--filter=H .nfs*\"";
const DELETE: &str = "$(ls -di . | grep -q \"^ *7 \" && echo --delete)";

#[test]
fn records_look_like_this() {
    let sent = |list: &str| {
        format!("#errno 2560\ncd /w && rsync -artz -r -c {list}--exclude=\"*\" ./ {NET}\n\n")
    };
    let pruned = |list: &str| {
        format!(
            "#errno 2560\ncd /w && rsync -artz -r {DELETE} --existing \
             {list}--exclude=\"*\" ./ {NET}\n\n"
        )
    };
    let (no, entry, directory) = (Gone::No, Gone::Entry, Gone::Directory);
    let f = "--include=\"/d/\" --include=\"/d/f\" ";
    let g = "--include=\"/d/g\" ";
    let all = "--include=\"/d/f/***\" ";
    let full = format!("#errno 2560\ncd /w && rsync -artz -R {HIDDEN} ./ {NET}\n\n");
    let cases: [(Grants, Owed, String); 9] = [
        (PUSH, owed(false, &[]), String::new()),
        (PUSH, owed(false, &[(b"d/f", no), (b"d/g", no)]), sent(&format!("{f}{g}"))),
        (
            PUSH,
            owed(false, &[(b"d/f", entry), (b"d/g", no)]),
            pruned(f) + &sent(&format!("{f}{g}")),
        ),
        (MIRROR, owed(false, &[(b"d/f", directory)]), pruned(&format!("{f}{all}")) + &sent(f)),
        (KEEP, owed(false, &[(b"d/f", directory)]), sent(f)),
        (PUSH, owed(false, &[(b"", no)]), sent("--include=\"/./\" ")),
        (PUSH, owed(true, &[]), full.clone()),
        (KEEP, owed(true, &[]), full.clone()),
        (MIRROR, owed(true, &[]), full.replace("-R ", &format!("-R {DELETE} "))),
    ];
    for (grants, owed, expected) in cases {
        assert_eq!(Setting::new(grants).text(&owed), expected, "{grants:?} {owed:?}");
    }
    let odd: &[u8] = b"a\"b`c$d\\e*\n\xff";
    let script = Setting::new(PUSH).render(&[owed(false, &[(odd, no)])], &[]);
    let list = b"--include=\"/a\\\"b\\`c\\$d\\\\\\\\e\\\\*\n\xff\" --exclude=".as_slice();
    assert!(script.text.windows(list.len()).any(|window| window == list), "{script:?}");
}

#[test]
fn user_given_deletes_have_the_guard_too() {
    let mut setting = Setting::new(MIRROR);
    setting.routes.iter_mut().for_each(|it| it.rsync.params.push(b"--delete-after".to_vec()));
    let text = setting.text(&owed(true, &[]));
    assert!(text.contains(" && echo --delete-after) -R $(ls "), "{text}");
    setting.grants = PUSH;
    let text = setting.text(&owed(true, &[]));
    assert!(!text.contains("--delete"), "{text}");
    assert_eq!(setting.parse(text.as_bytes()), (owed(true, &[]), vec![]));
}

#[test]
fn no_shell_deletes_what_the_users_rules_keep() {
    let mut setting = Setting::new(PUSH);
    setting.routes.truncate(1);
    let gone = owed(false, &[(b"a", Gone::Entry)]);
    setting.routes[0].rsync.params = vec![b"-ab".to_vec(), b"--exclude=x".to_vec()];
    assert!(setting.text(&gone).contains("-ab --exclude=\"x\" -r \"--filter=P *~\" $(ls"));
    setting.routes[0].rsync.params.push(b"--include=y".to_vec());
    let text = setting.text(&gone);
    let deleting: Vec<&str> = text.lines().filter(|line| line.contains("--delete")).collect();
    assert!(!deleting.is_empty() && deleting.iter().all(|line| line.starts_with('#')), "{text}");
    let (read, unread) = setting.parse(text.as_bytes());
    assert!(unread.is_empty() && read.paths.get(&b"a"[..]) == Some(&Gone::Entry), "{text}");
    // A comment is one line.
    assert_eq!(setting.render(&[owed(false, &[(b"a\nb", Gone::Entry)])], &[]).forgotten, 1);
}

#[test]
fn commands_have_limits() {
    let names = |count: usize, length: usize| {
        let name = |number: usize| format!("d/{number:0length$}").into_bytes();
        (0..count).map(name).collect::<Vec<_>>()
    };
    let of = |names: &[Vec<u8>], gone| {
        let names: Vec<_> = names.iter().map(|name| (name.as_slice(), gone)).collect();
        owed(false, &names)
    };
    for (names, commands) in [
        (names(100, 8), 1),
        (names(101, 8), 2),
        (names(250, 8), 3),
        (names(100, 240), 1),
        (names(100, 600), 2),
    ] {
        let text = Setting::new(PUSH).text(&of(&names, Gone::No));
        assert_eq!(text.matches("#errno").count(), commands, "{} names", names.len());
        let longest = text.lines().map(str::len).max().unwrap();
        assert!(longest < COMMAND_BYTES_MAX + 200, "{longest}");
    }
    let many = names(PATHS_MAX + 1, 8);
    let deep = vec![b"a/".repeat(1000)[..1999].to_vec()];
    let long = names(PATHS_MAX, 220);
    for (grants, names, lines, forgotten) in [
        (MIRROR, &many, 1, 0),
        (PUSH, &many, 1 + PATHS_MAX / COMMAND_PATHS_MAX, 1),
        (KEEP, &many, 1, 0),
        (MIRROR, &deep, 1, 0),
        (PUSH, &deep, 1, 1),
        (MIRROR, &long, 1, 0),
    ] {
        let setting = Setting::new(grants);
        let script = setting.render(&[of(names, Gone::Entry)], &[]);
        let (read, unread) = setting.parse(&script.text);
        assert_eq!(
            script.text.split(|&b| b == b'\n').filter(|l| l.starts_with(b"cd")).count(),
            lines
        );
        assert!(read.full_sync && unread.is_empty() && script.forgotten == forgotten, "{grants:?}");
    }
}

#[test]
fn a_full_sync_that_no_command_can_say_is_a_comment_and_is_read_back() {
    let mut setting = Setting::new(MIRROR);
    let long = vec![vec![b'x'; ALONE_BYTES_MAX]];
    for excludes in [None, Some(long)] {
        setting.excludes = excludes;
        let text = setting.text(&owed(true, &[]));
        assert!(text.starts_with("#errno 2560\n#only sersync itself"), "{text}");
        assert!(text.len() < 500);
        assert_eq!(setting.parse(text.as_bytes()), (owed(true, &[]), vec![]));
    }
    setting.routes.iter_mut().for_each(|route| route.root = "/w\ntouch pwned".into());
    let text = setting.text(&owed(true, &[]));
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "{text}");
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 += 1;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(self.0);
        (hash % end as u64) as usize
    }

    fn name(&mut self) -> Vec<u8> {
        const PIECES: [&[u8]; 20] = [
            b"a",
            b"\"",
            b"\\",
            b"$",
            b"`",
            b"\n",
            b"\n\n",
            b"*",
            b"?",
            b"[",
            b" ",
            b"#errno 1\n",
            b"\xff",
            b"-",
            b"--include=",
            b"***",
            b"./",
            b";",
            b"#unread ",
            b"$(x)",
        ];
        let pieces = 1 + self.below(6);
        (0..pieces).flat_map(|_| PIECES[self.below(PIECES.len())]).copied().collect()
    }

    fn owed(&mut self) -> Owed {
        let mut owed = Owed { status: self.below(65536) as i32, ..Owed::default() };
        for _ in 0..self.below(150) {
            let path = (0..=self.below(3)).map(|_| self.name()).collect::<Vec<_>>().join(&b'/');
            if repair::is_path(&path) {
                owed.add(path.into(), [Gone::No, Gone::Entry, Gone::Directory][self.below(3)]);
            }
        }
        if self.below(4) == 0 {
            owed.add(Arc::from([]), Gone::No);
        }
        owed.full_sync = self.below(2) == 0 || owed.paths.is_empty();
        owed
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut numbers = Numbers(0);
    for round in 0..200 {
        let setting = Setting::new([PUSH, MIRROR][round % 2]);
        let owed = vec![numbers.owed(), numbers.owed(), numbers.owed()];
        let unread: Vec<_> = (0..numbers.below(3)).map(|_| numbers.name()).collect();
        let script = setting.render(&owed, &unread);
        let found = parse(&script.text, &setting.creditors());
        assert_eq!(found, Found { owed: owed.clone(), unread: unread.clone() }, "round {round}");
        assert_eq!(setting.render(&found.owed, &found.unread), script, "another order");
    }
}

#[test]
fn half_a_script_is_read_as_far_as_it_goes_and_never_as_more() {
    let setting = Setting::new(PUSH);
    let whole = Numbers(77).owed();
    let text = setting.render(std::slice::from_ref(&whole), &[]).text;
    for cut in 0..text.len() {
        let (read, unread) = setting.parse(&text[..cut]);
        assert!(!read.full_sync || whole.full_sync);
        for (path, gone) in read.paths.iter() {
            assert!(whole.paths.get(path).is_some_and(|known| known >= gone), "{cut}: {path:?}");
        }
        let lost = cut > 0 && read.is_nothing() && unread.is_empty();
        assert!(!lost, "{cut}");
    }
}

#[test]
fn records_of_sersync_are_read() {
    let (no, entry, directory) = (Gone::No, Gone::Entry, Gone::Directory);
    for (command, expected) in [
        (r#"rsync -artuz -R  --port=873 "./failed.txt" h::m"#, owed(false, &[(b"failed.txt", no)])),
        (
            r#"rsync -artuz -R  --port=873 --timeout=100 "./dir/file" u@h::m --password-file=/etc/rsync.pass >/dev/null 2>&1"#,
            owed(false, &[(b"dir/file", no)]),
        ),
        (r#"rsync -artuz -R "./dir/" other@h::m"#, owed(false, &[(b"dir", no)])),
        (
            r#"rsync -artuz -R -e "ssh -p 2" "./a b\c`d$e" h::m"#,
            owed(false, &[(b"a b\\c`d$e", no)]),
        ),
        (r#"rsync -artuz -R "./a"b" h::m"#, owed(false, &[(b"a\"b", no)])),
        ("rsync -artuz -R \"./a\n\nb\" h::m", owed(false, &[(b"a\n\nb", no)])),
        (
            r#"rsync -artuz -R  --port=873 --delete ./   --include="dir/" --include="dir/file" --exclude=*  h::m"#,
            owed(false, &[(b"dir/file", entry)]),
        ),
        (
            r#"rsync -artuz -R --delete ./ --include="dir" --include="dir/***" --exclude=*  u@h::m --password-file=/p"#,
            owed(false, &[(b"dir", directory)]),
        ),
        (
            r#"rsync -artuz -R --delete ./ --include="a/" --include="a/b/" --include="a/b/***" --exclude=*  h::m"#,
            owed(false, &[(b"a/b", directory)]),
        ),
        (
            r#"rsync -artuz -R --delete ./  --port=873 h::m --exclude="*.php" >/dev/null 2>&1"#,
            owed(true, &[]),
        ),
        ("rsync -artuz -R ./ u@h::m --password-file=/p >/dev/null 2>&1", owed(true, &[])),
    ] {
        let text = format!("#errno 2560\ncd /w && {command}\n\n");
        let read = Setting::new(PUSH).parse(text.as_bytes());
        assert_eq!(read, (expected, vec![]), "{command}");
    }
}

#[test]
fn what_cannot_be_read_is_given_back_as_it_is() {
    for text in [
        "cd /w && rsync -a \"./a\" h::m\n\n",
        "#errno x\ncd /w && rsync -a \"./a\" h::m\n\n",
        "#errno 5\ncd /w && rsync -a \"./a\" h::m",
        "#errno 5\ncd /w && rsync -a \"./a\" h::m\n",
        "#errno 5\ncd /w && rsync -a \"./a\" h::\n\n",
        "#errno 5\ncd /w && rsync -a \"./a\" x::m\n\n",
        "#errno 5\ncd /w && rsync -a \"./a\" h::m x::m\n\n",
        "#errno 5\ncd /w && rsync -a \"./a\" u@xh::m\n\n",
        "#errno 5\ncd /w && rsync -a \"./a\" xh::m\n\n",
        "#errno 5\ncd /v && rsync -a \"./a\" h::m\n\n",
        "#errno 5\ncd /w && rsync -a \"./../a\" h::m\n\n",
        "#errno 5\ncd /w && rsync -a \"./a\" h::m; rm -rf /\n\n",
        "#errno 5\ncd /w && rsync -a ./ h::m ; rm -rf /\n\n",
        "#errno 5\ncd /w && rsync -a ./ $(id) h::m\n\n",
        "#errno 5\ncd /w && rsync -a --delete ./ --include=\"../a\" --exclude=*  h::m\n\n",
        "#errno 5\ncd /w && rsync -a --delete ./ --include=\"a\" --include=\"b\" --exclude=* h::m\n\n",
        "#errno 5\ncd /w && rsync -a --delete ./ --include=\"a\" --include=\"b/***\" --exclude=* h::m\n\n",
        "#errno 5\ncd /w && rsync -a ./ --include=\"a\" --exclude=*  h::m\n\n",
        "#errno 5\ncd /w && rsync -a \"./fa#errno 5\ncd /w && rsync -a \"./b\" h::m\n\n",
        "#errno 5\ncd /w && rsync -a $(ls -di . | grep -q \"^ *7 \" && echo --rsh) ./ h::m\n\n",
        "rm -rf /\n",
        "#!/bin/sh\n",
    ] {
        let setting = Setting::new(PUSH);
        let behind = "#errno 256\ncd /w && rsync -a \"./good\" h::m\n\n";
        for (text, expected) in [
            (text.to_string(), Owed::default()),
            (
                format!("{text}{}{behind}", if text.ends_with('\n') { "" } else { "\n" }),
                Owed { status: 256, ..owed(false, &[(b"good", Gone::No)]) },
            ),
        ] {
            let (read, unread) = setting.parse(text.as_bytes());
            assert_eq!(read, expected, "{text}");
            let unread = String::from_utf8(unread.concat()).unwrap();
            assert!(!unread.is_empty() && text.starts_with(&unread), "{text}\n{unread}");
            let again = setting.render(&[], &[unread.clone().into_bytes()]).text;
            assert!(again.split(|&b| b == b'\n').all(|l| l.is_empty() || l[0] == b'#'));
            assert_eq!(setting.parse(&again).1, [unread.into_bytes()]);
        }
    }
}

#[test]
fn what_was_another_s_is_read_when_its_remote_is_there() {
    let (setting, other) = (Setting::new(PUSH), Setting::new(PUSH));
    let owing = owed(false, &[(b"", Gone::No), (b"a/b", Gone::Entry)]);
    let own = setting.text(&owing);
    let original = "#errno 256\ncd /w && rsync -a \"./good\" h::m\n\n";
    let foreign = own.replace("h::m", "elsewhere::m");
    // Another configuration has made comments of all of it, one of each record.
    let records = own.split_inclusive("\n\n").chain(foreign.split_inclusive("\n\n"));
    let unread: Vec<_> = records.chain([original, "rm -rf /\n"]).map(Vec::from).collect();
    let text = other.render(&[], &unread).text;
    let (read, left) = setting.parse(&text);
    let all = owed(false, &[(b"", Gone::No), (b"a/b", Gone::Entry), (b"good", Gone::No)]);
    assert_eq!(read.paths, all.paths);
    let left = String::from_utf8(left.concat()).unwrap();
    assert_eq!(left, foreign + "rm -rf /\n");
}

/// A file or directory whose name is made to look like a record must not become one.
#[test]
fn names_in_records_of_sersync_do_not_pass_for_our_own() {
    let setting = Setting::new(MIRROR);
    for name in [
        "\" --delete=\"",
        "\" --existing --include=\"/b",
        "\" --delete --existing --include=\"/b",
        "x\" $(ls -di . | grep -q \"^ *7 \" && echo --delete) ./ \"",
    ] {
        let text = format!("#errno 5\ncd /w && rsync -a -R \"./{name}\" u@h::m\n\n");
        let (read, _) = setting.parse(text.as_bytes());
        assert!(!read.full_sync && read.paths.values().all(|gone| *gone == Gone::No), "{read:?}");
    }
}

#[test]
fn nothing_read_deletes_where_nothing_may() {
    let text = "#errno 5\ncd /w && rsync -a --delete ./ --include=\"a\" --exclude=*  h::m\n\n";
    let (read, _) = Setting::new(KEEP).parse(text.as_bytes());
    assert_eq!(read, Owed { status: 5, ..owed(false, &[(b"a", Gone::No)]) });
}

#[test]
fn no_more_records_than_fit_are_read() {
    let record = "#errno 5\ncd /w && rsync -a \"./a\" h::m\n\n";
    let text = record.repeat(RECORDS_MAX + 2);
    let (read, unread) = Setting::new(PUSH).parse(text.as_bytes());
    assert_eq!(read.paths.len(), 1);
    assert_eq!(unread, [record.repeat(2).into_bytes()]);
}

#[test]
fn garbage_of_every_kind_is_read_in_time() {
    let setting = Setting::new(PUSH);
    let megabyte = |line: &str| line.repeat(1024 * 1024 / line.len());
    for line in [
        "#errno 1\n",
        "#errno 1\ncd /w && rsync \"",
        "#errno 1\ncd /w && rsync \\\"\"\\\"",
        "\n",
        "x",
        "\"",
        "#errno 1\ncd /w && rsync $(ls -di . | grep -q \"^ *1 \" && echo --del",
    ] {
        let text = megabyte(line);
        let started = std::time::Instant::now();
        let (read, unread) = setting.parse(text.as_bytes());
        assert!(read.is_nothing());
        assert!(unread.concat().len() + 20 > text.len() || line == "\n");
        assert!(started.elapsed().as_secs() < 10, "{line}: {:?}", started.elapsed());
    }
}

#[test]
fn wait_statuses_are_those_of_sersync() {
    let spawn = ExitStatus::NotStarted(std::io::ErrorKind::NotFound);
    for (status, expected) in
        [(ExitStatus::Code(10), 2560), (ExitStatus::Signal(9), 9), (spawn, 32512)]
    {
        assert_eq!(wait_status(status), expected);
    }
}

/// One module on two ports, or of two users: the record goes to the remote that wrote it. What has
/// changed since does not lose it.
#[test]
fn a_record_finds_its_remote_by_the_remotes_own_settings() {
    let mut setting = Setting::new(PUSH);
    setting.routes.truncate(1);
    let rsync = |user: &str, port| Rsync {
        user: Some(user.into()),
        port,
        password_file: Some(format!("/{user}.pass").into()),
        ..setting.routes[0].rsync.clone()
    };
    let settings =
        [rsync("u", Some(1)), rsync("u", Some(2)), rsync("v", Some(1)), rsync("v", None)];
    let base = setting.creditors()[0];
    let with = |rsync: &Rsync| RemoteRoute { rsync: rsync.clone(), ..base.route.clone() };
    let routes: Vec<RemoteRoute> = settings.iter().map(with).collect();
    let all: Vec<_> = routes.iter().map(|route| Creditor { route, ..base }).collect();
    let mut owed = Owed::default();
    owed.add(Arc::from(b"a".as_slice()), Gone::No);
    for (number, creditor) in all.iter().enumerate() {
        let text = render(&[(*creditor, &owed)], &[]).text;
        let found = parse(&text, &all);
        let with_paths: Vec<_> =
            (0..all.len()).filter(|&other| !found.owed[other].paths.is_empty()).collect();
        assert_eq!(with_paths, [number], "{}", String::from_utf8_lossy(&text));
        assert_eq!(found.unread.len(), 0);

        let changed = Rsync { params: vec![b"-a".to_vec()], ..rsync("w", Some(9)) };
        let changed = [Creditor { route: &with(&changed), ..base }];
        assert_eq!(parse(&text, &changed).owed[0].paths.len(), 1);
    }
}

#[test]
fn of_too_many_paths_only_those_that_disappeared_are_kept() {
    let mut paths: Vec<(RelPath, Gone)> =
        (0..PATHS_MAX).map(|n| (n.to_string().into_bytes().into(), Gone::No)).collect();
    let mut all = Owed::default();
    all.add_all(paths.clone());
    assert_eq!((all.full_sync, all.paths.len()), (false, PATHS_MAX));
    paths.push((b"gone"[..].into(), Gone::Entry));
    let mut many = Owed::default();
    many.add_all(paths);
    assert!(many.full_sync);
    assert_eq!(many.paths, owed(true, &[(b"gone", Gone::Entry)]).paths);
}
