//! Runs that give renamed files their new names on the far side, without sending them again.
//!
//! The new directory is sent with `--link-dest` on the old one: each file that is there already, by
//! name, size and time, becomes a hard link of it, and the run that deletes the old name follows at once. A run
//! of this kind only makes and updates, and what it does not do the ordinary runs make good. But until the old
//! name is deleted, both names are one file over there, and a change through one of them shows under the
//! other. Where a hard link could do more harm, no such run is made. Symbolic links and devices are left to the
//! ordinary runs. Called by `worker`, which has looked at the paths.

use super::deleting;
use super::licence::Licence;
use super::only;
use super::pattern::{self, ancestors};
use super::plan::{prune_params, words, Gone};
use super::route::RemoteRoute;
use super::run::{Purpose, Run};
use crate::config::options::{self, FoundOption};
use crate::config::Address;
use crate::rsync::quoting;

/// A file of this size or more is worth a run. To send a smaller one again costs no more.
pub const FILE_BYTES_MIN: u64 = 64 * 1024;
/// How many old names one directory's run gets; rsync itself takes 20.
const OLD_NAMES_MAX: usize = 4;
/// Options under which a hard link, or a run of one directory by itself, is not what it should be: those
/// that write into files that are there, put them elsewhere, name places of their own, keep what is there as it
/// is, or count what is deleted; those that follow links over there; and the one that has a shell split names.
const IN_THE_WAY: &[&str] = &[
    "append",
    "append-verify",
    "backup",
    "backup-dir",
    "compare-dest",
    "copy-dest",
    "existing",
    "files-from",
    "iconv",
    "ignore-existing",
    "ignore-non-existing",
    "inplace",
    "keep-dirlinks",
    "link-dest",
    "max-delete",
    "no-implied-dirs",
    "old-args",
    "relative",
    "size-only",
    "suffix",
    "write-devices",
];

/// Whether renames are done this way for a remote. With a filter of the user's in the parameters, what is
/// sent depends on where a directory lies.
pub fn is_possible(route: &RemoteRoute) -> bool {
    let found = options::read(&route.rsync.params);
    let in_the_way = |option: &FoundOption| option.is_any(IN_THE_WAY) || options::is_filter(option);
    !found.iter().any(in_the_way)
}

/// Whether a name gets to the far side as it is, in a destination and as the value of an option. The far side
/// expands patterns in both. Other bytes are safe with `-s` (3.0.0); an older rsync hands blanks to a daemon as
/// they are, and all else to a shell.
pub fn can_name(route: &RemoteRoute, path: &[u8]) -> bool {
    let is_pattern = |byte: u8| byte.is_ascii_control() || b"*?[\\~".contains(&byte);
    let over_ssh = matches!(route.address, Address::Ssh { .. });
    let gets_through = |&byte: &u8| {
        quoting::is_plain(byte)
            || route.local.protect_args() && !is_pattern(byte)
            || byte == b' ' && !over_ssh
    };
    !path.is_empty() && path.iter().all(gets_through)
}

/// The directory at `to`, which the far side has under one of the `old` names. `later` are directories
/// below it that were moved there by renames of their own, each with a run of its own.
pub fn directory(route: &RemoteRoute, to: &[u8], old: &[Vec<u8>], later: &[&[u8]]) -> Run {
    let mut flags = Vec::new();
    if !options::recursive(&options::read(&route.rsync.params)) {
        flags.push(b"-r".to_vec());
    }
    flags.extend(old.iter().take(OLD_NAMES_MAX).map(|old| link_dest(to, old)));
    let inside = later.iter().filter_map(|path| path.strip_prefix(to)?.strip_prefix(b"/"));
    flags.extend(inside.map(|path| [b"--exclude=", &pattern::literal(path, b"")[..]].concat()));
    run(route, (to, &old[..old.len().min(OLD_NAMES_MAX)]), flags, Vec::new())
}

/// Files of these names in the directory at `to` (empty for the root), which the far side has under the
/// same names in the directory at `old`.
pub fn files(route: &RemoteRoute, to: &[u8], old: &[u8], names: &[&[u8]]) -> Run {
    let mut flags = words(&["--no-r"]);
    flags.push(link_dest(to, old));
    flags.extend(words(&["-0", "--files-from=-"]));
    let mut input = Vec::new();
    for name in names {
        input.extend_from_slice(b"./");
        input.extend_from_slice(name);
        input.push(0);
    }
    run(route, (to, &[old.to_vec()]), flags, input)
}

/// Deletes the old names over there, whether something is here under them or not: the filter hides it on this side.
/// What disappeared as a directory goes with all that is in it.
pub fn end_of_old_names(route: &RemoteRoute, licence: Licence, old: &[(&[u8], Gone)]) -> Run {
    let hidden = old.iter().map(|(old, _)| [b"H ", &pattern::literal(old, b"")[..]].concat());
    let tops: Vec<only::Top> =
        old.iter().map(|(old, gone)| (*old, *gone == Gone::Directory)).collect();
    let mut input = hidden.chain(only::alone(&tops)).collect::<Vec<_>>().join(&0);
    input.push(0);
    let mut flags = words(&["-r"]);
    flags.extend(deleting::what_the_filter_shows(licence).map(Vec::from));
    flags.extend(deleting::full_directories(licence).map(Vec::from));
    flags.extend(words(&["--existing", "-0", only::READ]));
    Run { args: route.arguments(prune_params(route), flags), input, purpose: Purpose::Prune }
}

/// `--link-dest` counts from the directory that the run writes to.
fn link_dest(to: &[u8], old: &[u8]) -> Vec<u8> {
    let depth = if to.is_empty() { 0 } else { 1 + ancestors(to).count() };
    let mut word = b"--link-dest=".to_vec();
    word.extend(b"../".repeat(depth));
    match old {
        b"" => word.push(b'.'),
        old => word.extend_from_slice(old),
    }
    word
}

fn run(
    route: &RemoteRoute,
    (to, old): (&[u8], &[Vec<u8>]),
    flags: Vec<Vec<u8>>,
    input: Vec<u8>,
) -> Run {
    let mut route = route.clone();
    let is_plain = |path: &[u8]| path.iter().all(|&byte| quoting::is_plain(byte));
    if route.local.protect_args() && !(is_plain(to) && old.iter().all(|old| is_plain(old))) {
        // A client from 3.2.4 on escapes the names for a shell. A daemon before 3.4.4 has none, and takes the
        // backslashes for a part of the name of `--link-dest`: it finds nothing, and all is sent again.
        route.rsync.params.push(b"-s".to_vec());
    }
    // Nothing is deleted by a run whose list is only a part.
    let deletes = |option: &FoundOption| options::deletes(option) || option.is("prune-empty-dirs");
    let params = options::without(&route.rsync.params, deletes);
    let flags = [words(&["--no-links", "--no-devices", "--no-specials"]), flags].concat();
    let source = match to {
        b"" => b"./".to_vec(),
        to => [b"./", to, b"/"].concat(),
    };
    Run { args: route.arguments_below(&source, to, params, flags), input, purpose: Purpose::Rename }
}

#[cfg(test)]
mod tests {
    use super::super::capability::{Capability, Version};
    use super::super::plan::tests::{rsync, NEW};
    use super::super::route::tests::route_to;
    use super::*;
    use crate::config::{Address, Rsync};
    use std::ffi::OsStr;

    const V2_6: Capability = Capability { version: Version { major: 2, minor: 6, patch: 9 } };
    const V3_1: Capability = Capability { version: Version { major: 3, minor: 1, patch: 2 } };

    const REGULAR: &str = "--no-links --no-devices --no-specials";

    fn ssh() -> Address {
        Address::Ssh { host: "far".into(), path: "/d".into() }
    }

    fn line(address: Address, params: &[&str], run: impl Fn(&RemoteRoute) -> Run) -> String {
        let rsync = Rsync { timeout_s: Some(9), ..rsync(params) };
        let run = run(&route_to(&address, &rsync, NEW));
        let input = String::from_utf8(run.input).unwrap().replace('\0', " ");
        format!("{} < {input}", run.args.join(OsStr::new(" ")).into_string().unwrap())
    }

    #[test]
    fn each_kind_of_rename_has_its_words() {
        let daemon = || Address::Daemon { host: "h".into(), module: b"m".to_vec() };
        let local = || Address::Local { path: "/d".into() };
        let old = [b"old".to_vec(), b"older/one".to_vec()];
        let directory = |route: &RemoteRoute| directory(route, b"x/new", &old, &[b"x/new/y"]);
        let tail = "--sockopts=TCP_NODELAY --timeout=9 --contimeout=30 h::m/x/new/ < ";
        assert_eq!(
            line(daemon(), &["-artz", "--delete", "--delete-excluded"], directory),
            format!(
                "-artz {REGULAR} --link-dest=../../old --link-dest=../../older/one --exclude=/y ./x/new/ {tail}"
            )
        );
        let files = |route: &RemoteRoute| files(route, b"", b"dir", &[b"a", b"#b"]);
        assert_eq!(
            line(local(), &["-a"], files),
            format!("-a {REGULAR} --no-r --link-dest=dir -0 --files-from=- ./ /d < ./a ./#b ")
        );
        let files = |route: &RemoteRoute| super::files(route, b"to", b"", &[b"a"]);
        assert_eq!(
            line(local(), &["-lpt"], files),
            format!("-lpt {REGULAR} --no-r --link-dest=../. -0 --files-from=- ./to/ /d/to/ < ./a ")
        );
        let plain = |route: &RemoteRoute| super::directory(route, b"to", &[b"from".to_vec()], &[]);
        let expected = format!("-lpt {REGULAR} -r --link-dest=../from ./to/ /d/to/ < ");
        assert_eq!(line(local(), &["-lptm"], plain), expected);
    }

    #[test]
    fn a_hard_link_must_be_what_is_meant() {
        for (params, possible) in [
            (&["-artuz"][..], true),
            (&["-a", "--partial", "--bwlimit=5"], true),
            (&["-aR"], false),
            (&["-a", "--relative"], false),
            (&["-a", "--inplace"], false),
            (&["-a", "--append"], false),
            (&["-a", "--link-dest", "x"], false),
            (&["-a", "--exclude=*.o"], false),
            (&["-aC"], false),
            (&["-a", "--iconv=gbk,utf8"], false),
            (&["-ab"], false),
            (&["-a", "--backup-dir=old"], false),
            (&["-a", "--suffix", ".old"], false),
            (&["-a", "--max-delete=5"], false),
            (&["-a", "--ignore-existing"], false),
            (&["-a", "--existing"], false),
            (&["-a", "--size-only"], false),
            (&["-aK"], false),
            (&["-a", "--old-args"], false),
        ] {
            let (address, rsync) = (ssh(), rsync(params));
            let route = route_to(&address, &rsync, NEW);
            assert_eq!(is_possible(&route), possible, "{params:?}");
        }
    }

    #[test]
    fn no_name_is_read_as_a_pattern_or_by_a_shell() {
        let daemon = Address::Daemon { host: "h".into(), module: b"m".to_vec() };
        let rsync = rsync(&["-a"]);
        for (name, by_new, by_old_daemon, by_old_ssh) in [
            ("a/b-c_d.e", true, true, true),
            ("\u{56fe}\u{7247}", true, true, true),
            ("a b", true, true, false),
            ("a$(b)", true, false, false),
            ("a`b", true, false, false),
            ("it's", true, false, false),
            ("a;b&c#d", true, false, false),
            ("a*", false, false, false),
            ("a?[b]", false, false, false),
            ("a\\b", false, false, false),
            ("~/a", false, false, false),
            ("a\nb", false, false, false),
            ("", false, false, false),
        ] {
            for (address, local, expected) in [
                (&daemon, NEW, by_new),
                (&ssh(), NEW, by_new),
                (&ssh(), V3_1, by_new),
                (&daemon, V2_6, by_old_daemon),
                (&ssh(), V2_6, by_old_ssh),
            ] {
                let route = route_to(address, &rsync, local);
                assert_eq!(can_name(&route, name.as_bytes()), expected, "{name:?}");
            }
        }
    }

    #[test]
    fn a_name_that_a_shell_would_read_is_kept_from_it() {
        let daemon = || Address::Daemon { host: "h".into(), module: b"m".to_vec() };
        let words = |address, from: &str, to: &str| {
            let old = [from.as_bytes().to_vec()];
            line(address, &["-a"], |route| directory(route, to.as_bytes(), &old, &[]))
        };
        for (from, to, protected) in
            [("old", "new", false), ("the old", "new", true), ("old", "it's", true)]
        {
            for address in [daemon(), ssh()] {
                let words = words(address, from, to);
                assert_eq!(words.contains(" -s "), protected, "{words}");
            }
        }
        // What is escaped for a shell where there is none would be another name.
        let rsync = Rsync { timeout_s: Some(9), ..rsync(&["-a"]) };
        let run = directory(&route_to(&ssh(), &rsync, V3_1), b"a b", &[b"old".to_vec()], &[]);
        assert_eq!(run.args.last().unwrap(), "far:/d/a b/");
    }
}
