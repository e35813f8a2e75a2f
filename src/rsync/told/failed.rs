//! The paths that a failed run names on its standard error.
//!
//! Owns the forms in which rsync 2.6.9 to 3.5 names a file in an error, and the way back from its
//! escapes. Called by the worker after a run that failed, so that one unreadable file does not
//! hold up the thousand others of its batch. Where one name cannot be brought back there is no
//! answer: the caller must take an empty one for "any of them".

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::exit::Exit;
use super::unwanted::unwanted;
use crate::config::Address;
use crate::rsync::temporary::is_received_as;

/// No more paths than this are collected from one run; of one that names more, all are tried again.
const PATHS_MAX: usize = 10_000;

/// Words before a name that stands without quotes to the end of its line or to a closing mark, and
/// that mark. Such names are relative to the destination.
const BARE: &[(&[u8], &[u8])] = &[
    (b"cannot delete non-empty directory: ", b""),
    (b"could not make way for new ", b""),
    (b"delete_file: unlink(", b") failed"),
    (b"delete_file: rmdir(", b") failed"),
    (b"ERROR: ", b" failed verification"),
];

/// How lines begin that name a file which is no failure.
const HARMLESS: &[&[u8]] = &[b"file has vanished", b"skipping non-regular file", b"rsync error:"];

/// What is in a directory of the root, whose path is given; nothing where that cannot be told.
pub type Names<'a> = &'a dyn Fn(&[u8]) -> Vec<Vec<u8>>;

/// The paths, relative to the root, sorted, each once. None of a run that may have named more than was
/// kept, or that named something that is not found here.
pub fn failed_paths(exit: &Exit, root: &Path, address: &Address, names: Names) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    let mut temporaries = Temporaries { names, directory: None };
    for line in exit.stderr.split(|&byte| byte == b'\n') {
        let known = match named(line, root, address) {
            Named::Nothing => true,
            Named::Unknown => false,
            Named::Path(path) => {
                paths.push(path);
                true
            }
            Named::Temporary(path) => temporaries.find(&path, &mut paths),
        };
        if !known || exit.is_cut || paths.len() > PATHS_MAX {
            return Vec::new();
        }
    }
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// What a line names.
enum Named {
    Nothing,
    /// Something that is not below the root, or not in a form that is known.
    Unknown,
    Path(Vec<u8>),
    /// The name under which rsync was to receive a file.
    Temporary(Vec<u8>),
}

fn named(line: &[u8], root: &Path, address: &Address) -> Named {
    if HARMLESS.iter().any(|words| line.starts_with(words)) || unwanted(line).is_some() {
        return Named::Nothing;
    }
    for (before, after) in BARE {
        if let Some(name) = bare(line, before, after) {
            return Named::Path(without_dot(unescaped(name)));
        }
    }
    let Some((name, in_module)) = quoted(line) else { return Named::Nothing };
    let name = unescaped(name);
    if name.is_empty() {
        return Named::Nothing;
    }
    let far = far_directory(address);
    let path = if in_module {
        below(name.strip_prefix(b"/").unwrap_or(&name), far)
    } else if name.starts_with(b"/") {
        below(&name, root.as_os_str().as_bytes())
            .or_else(|| below(&name, far).filter(|_| far.starts_with(b"/")))
    } else {
        Some(name)
    };
    match path.map(without_dot) {
        Some(path) if find(line, b"mkstemp ").is_some() => Named::Temporary(path),
        Some(path) => Named::Path(path),
        // Whatever else has quotes in it is said by ssh, or by the login.
        None if line.starts_with(b"rsync: ") => Named::Unknown,
        None => Named::Nothing,
    }
}

/// Finds which file here rsync was to receive under a temporary name.
struct Temporaries<'a> {
    names: Names<'a>,
    /// The last one in which a file was looked for, and what is in it.
    directory: Option<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Temporaries<'_> {
    /// Adds the paths of all files that it may be; `false` if there is none.
    fn find(&mut self, temporary: &[u8], paths: &mut Vec<Vec<u8>>) -> bool {
        let start = temporary.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (above, temporary) = temporary.split_at(start);
        let directory = above.strip_suffix(b"/").unwrap_or(above);
        if self.directory.as_ref().is_none_or(|(last, _)| last != directory) {
            self.directory = Some((directory.to_vec(), (self.names)(directory)));
        }
        let before = paths.len();
        for name in self.directory.iter().flat_map(|(_, names)| names) {
            if is_received_as(name, temporary) {
                paths.push([above, name].concat());
            }
        }
        paths.len() > before
    }
}

/// rsync calls the directory in which it works `.`: here that is the root, whose path is empty.
fn without_dot(mut path: Vec<u8>) -> Vec<u8> {
    let dot = if path == b"." { 1 } else { 2 * usize::from(path.ends_with(b"/.")) };
    path.truncate(path.len() - dot);
    path
}

/// The directory that a far side's names begin with: below the module, or absolute.
fn far_directory(address: &Address) -> &[u8] {
    match &address {
        Address::Daemon { module, .. } => {
            let slash = module.iter().position(|&byte| byte == b'/');
            slash.map_or(&[], |slash| &module[slash + 1..])
        }
        Address::Ssh { path, .. } => path,
        Address::Local { path } => path.as_os_str().as_bytes(),
    }
}

fn below(name: &[u8], directory: &[u8]) -> Option<Vec<u8>> {
    let mut directory = directory;
    while let Some(shorter) = directory.strip_suffix(b"/") {
        directory = shorter;
    }
    let rest = name.strip_prefix(directory)?;
    if directory.is_empty() && !name.starts_with(b"/") {
        return Some(rest.to_vec());
    }
    rest.strip_prefix(b"/").map(<[u8]>::to_vec)
}

fn bare<'a>(line: &'a [u8], before: &[u8], after: &[u8]) -> Option<&'a [u8]> {
    let rest = &line[find(line, before)? + before.len()..];
    if before.ends_with(b"new ") {
        // "could not make way for new regular file: NAME": the kind stands between.
        return Some(&rest[find(rest, b": ")? + 2..]);
    }
    if after.is_empty() {
        return Some(rest);
    }
    find_last(rest, after).map(|end| &rest[..end])
}

/// The name in quotes, and whether it is one in a daemon's module. Quotes in a name are not
/// escaped, so the name ends at the last quote before what follows names in these messages.
fn quoted(line: &[u8]) -> Option<(&[u8], bool)> {
    let start = line.iter().position(|&byte| byte == b'"')? + 1;
    let rest = &line[start..];
    // A rename's error is about its second name, a symbolic link's about its first.
    let renamed = find(&line[..start], b"rename ").is_some();
    if let Some(arrow) = find_last(rest, b" -> \"").filter(|_| renamed) {
        return quoted(&rest[arrow..]);
    }
    const ENDS: &[(&[u8], bool)] = &[
        (b"\" (in ", true),
        (b"\" -> \"", false),
        (b"\",\"", false),
        (b"\") failed", false),
        (b"\" failed", false),
        (b"\": ", false),
    ];
    let ends =
        ENDS.iter().filter_map(|&(end, in_module)| find(rest, end).map(|at| (at, in_module)));
    let (end, in_module) = ends.min_by_key(|&(at, _)| at).or_else(|| {
        let last = rest.iter().rposition(|&byte| byte == b'"')?;
        Some((last, false))
    })?;
    Some((&rest[..end], in_module))
}

/// Undoes `\#ooo`: a byte that cannot be printed, in three octal digits. Where a name itself holds
/// such a thing rsync escapes its backslash in the same way.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, behind)) = rest.split_first() {
        let byte = rest.strip_prefix(br"\#").and_then(|digits| octal(digits.get(..3)?));
        plain.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &rest[5..] } else { behind };
    }
    plain
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    u8::from_str_radix(text, 8).ok()
}

fn find(text: &[u8], words: &[u8]) -> Option<usize> {
    text.windows(words.len()).position(|window| window == words)
}

fn find_last(text: &[u8], words: &[u8]) -> Option<usize> {
    text.windows(words.len()).rposition(|window| window == words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon(module: &str) -> Address {
        Address::Daemon { host: "h".into(), module: module.into() }
    }

    fn ssh(path: &str) -> Address {
        Address::Ssh { host: "h".into(), path: path.into() }
    }

    fn failed(stderr: &str, address: &Address) -> Vec<String> {
        let here = |directory: &[u8]| match directory {
            b"ro" => vec![b"file".to_vec(), b".hid".to_vec(), b".file.tar".to_vec()],
            _ => Vec::new(),
        };
        let exit = Exit::with_code(23, stderr);
        let paths = failed_paths(&exit, Path::new("/w/root"), address, &here);
        paths.iter().map(|path| path.escape_ascii().to_string()).collect()
    }

    #[test]
    fn names_come_back_from_every_form_of_message() {
        for (line, expected) in [
            (
                r#"rsync: [sender] send_files failed to open "/w/root/sub/deny": Permission denied (13)"#,
                "sub/deny",
            ),
            (r#"rsync: send_files failed to open "/w/root/a b": Permission denied (13)"#, "a b"),
            (r#"rsync: [sender] opendir "/w/root/nodir" failed: Permission denied (13)"#, "nodir"),
            (
                r#"rsync: [sender] send_files failed to open "/w/root/a"b": Permission denied (13)"#,
                r#"a\"b"#,
            ),
            (r#"rsync: [sender] read errors mapping "/w/root/x": Input/output error (5)"#, "x"),
            (r#"rsync: readlink_stat("/w/root/x") failed: Input/output error (5)"#, "x"),
            (r#"rsync: get_xattr_data: lgetxattr("/w/root/x","user.y",3) failed: x (5)"#, "x"),
            (
                r#"rsync: [sender] link_stat "/w/root/gone" failed: No such file or directory (2)"#,
                "gone",
            ),
            (
                r#"rsync: link_stat "/w/root/nl\#012\#377\#134#012" failed: x (2)"#,
                r"nl\n\xff\\#012",
            ),
            (
                r#"rsync: [receiver] mkstemp "ro/.file.MSxiic" (in m) failed: Permission denied (13)"#,
                "ro/file",
            ),
            (
                r#"rsync: mkstemp "/ro/..hid.MSxiic" (in m) failed: Permission denied (13)"#,
                "ro/.hid",
            ),
            (
                r#"rsync: [generator] recv_generator: mkdir "ro/dir" (in m) failed: Permission denied (13)"#,
                "ro/dir",
            ),
            (
                r#"rsync: recv_generator: failed to stat "ro/x" (in m): Permission denied (13)"#,
                "ro/x",
            ),
            (
                r#"rsync: [generator] failed to set times on "ro" (in m): Read-only file system (30)"#,
                "ro",
            ),
            (
                r#"rsync: [generator] symlink "ro/link" (in m) -> "/rsyncd-munged/t" failed: x (13)"#,
                "ro/link",
            ),
            (r#"rsync: symlink "ro/link" -> "t" failed: File exists (17)"#, "ro/link"),
            (r#"rsync: rename "ro/.f.aBcDeF" (in m) -> "ro/f": Is a directory (21)"#, "ro/f"),
            (r#"rsync: [receiver] rename "ro/.f.aBcDeF" -> "ro/f": Is a directory (21)"#, "ro/f"),
            (
                "rsync: [generator] delete_file: rmdir(ro/gone) failed: Permission denied (13)",
                "ro/gone",
            ),
            ("rsync: delete_file: unlink(gone(1)/y) failed: Permission denied (13)", "gone(1)/y"),
            (
                r#"rsync: [receiver] write failed on "a/big" (in m): No space left on device (28)"#,
                "a/big",
            ),
            (
                r#"rsync: [generator] failed to set times on "/." (in m): Read-only file system (30)"#,
                "",
            ),
            (r#"rsync: failed to set permissions on "/w/root/.": Read-only file system (30)"#, ""),
            ("cannot delete non-empty directory: lo/x", "lo/x"),
            ("could not make way for new regular file: lo: x", "lo: x"),
            ("ERROR: big file failed verification -- update discarded.", "big file"),
        ] {
            assert_eq!(failed(line, &daemon("m")), [expected], "{line}");
        }
    }

    #[test]
    fn names_of_the_far_side_are_made_relative() {
        let mkdir = |name: &str| {
            format!("rsync: recv_generator: mkdir {name} failed: Permission denied (13)\n")
        };
        for (line, address, expected) in [
            (mkdir(r#""below/x" (in m)"#), daemon("m/below"), &["x"][..]),
            (mkdir(r#""other/x" (in m)"#), daemon("m/below"), &[]),
            (mkdir(r#""/data/x""#), ssh("/data/"), &["x"]),
            (mkdir(r#""/database/x""#), ssh("/data"), &[]),
            (mkdir(r#""/home/u/data/x""#), ssh("data"), &[]),
            (mkdir(r#""/data""#), ssh("/data"), &[]),
        ] {
            assert_eq!(failed(&line, &address), expected, "{line}");
        }
    }

    #[test]
    fn a_run_that_said_more_than_was_kept_names_nothing() {
        let whole = Exit::with_code(23, "cannot delete non-empty directory: a\n");
        let cut = Exit { is_cut: true, ..whole.clone() };
        let named =
            |exit| failed_paths(exit, Path::new("/w/root"), &daemon("m"), &|_| vec![]).len();
        assert_eq!([named(&whole), named(&cut)], [1, 0]);
    }

    #[test]
    fn other_lines_name_nothing_and_names_come_once() {
        let stderr = "file has vanished: \"/w/root/x\"\nskipping non-regular file \"p\"\n\
            *** Skipping any contents from this failed directory ***\n\
            cannot delete non-empty directory: b\ncould not make way for new symlink: a\n\
            cannot delete non-empty directory: b\n\
            rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1394)\n";
        assert_eq!(failed(stderr, &daemon("m")), ["a", "b"]);
    }
}
