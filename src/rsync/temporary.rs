//! Names of files that will soon be deleted or renamed, and are not sent. The engine leaves them out, and so does
//! an rsync that reads a directory by itself.

/// Patterns of rsync for all names that [`is_temporary`]. They match directories as well, which are never left out.
pub const PATTERNS: [&str; 5] = ["*~", ".*.sw?", ".#*", ".goutputstream-*", ".nfs*"];

/// A pattern for the names under which rsync receives, and some others.
pub const RECEIVERS: &str = ".*.??????";

/// Whether one of the [`PATTERNS`] or that of [`RECEIVERS`] matches a name.
pub fn matches_pattern(name: &[u8]) -> bool {
    is_temporary(name) || matches!(name, [b'.', .., b'.', _, _, _, _, _, _])
}

/// Names that editors and NFS use for files that will soon be deleted: backups `x~`, vim's `.x.swp`, Emacs' locks `.#x`, GLib's `.goutputstream-*`, NFS' `.nfs*`.
///
/// COMPAT: sersync drops every dotfile; here only these.
pub fn is_temporary(name: &[u8]) -> bool {
    name.ends_with(b"~")
        || [&b".#"[..], b".goutputstream-", b".nfs"].iter().any(|start| name.starts_with(start))
        || matches!(name, [b'.', .., b'.', b's', b'w', _])
}

/// Whether a file of this name is a change only when it has kept the name for a moment: rsync receives under such a name,
/// and vim tries by the file `4913` whether it may write, and deletes it at once.
pub fn may_be_brief(name: &[u8]) -> bool {
    is_receivers(name) || is_nameless(name) || name == b"4913"
}

/// What rsync puts behind a name: a dot, and six letters or digits at random.
const SUFFIX_BYTES: usize = ".XXXXXX".len();
/// Of a longer name, rsync keeps so many bytes for its temporary one, whatever its file system takes.
const KEPT_BYTES_MAX: usize = 246;

/// Whether a name looks like those under which rsync receives: `.NAME.XXXXXX`.
pub fn is_receivers(name: &[u8]) -> bool {
    let Some((start, suffix)) = name.split_last_chunk::<SUFFIX_BYTES>() else { return false };
    start.len() > 1 && start.starts_with(b".") && is_suffix(suffix)
}

/// Whether it is one of a name of which nothing is kept: `.XXXXXX`. A word like `.bashrc` is none: of the random names,
/// one in 200 has neither a digit nor a capital.
fn is_nameless(name: &[u8]) -> bool {
    name.len() == SUFFIX_BYTES && is_suffix(name) && !name[1..].iter().all(u8::is_ascii_lowercase)
}

fn is_suffix(suffix: &[u8]) -> bool {
    suffix[0] == b'.' && suffix[1..].iter().all(u8::is_ascii_alphanumeric)
}

/// Whether rsync may receive the file `name` as `temporary`. It puts a dot before it, unless there is one or the file has
/// another directory meanwhile (`temp dir`), cuts it where it is too long, and in front of a character that it would
/// cut through; and takes a dot off its end. Before 3.1.0 it did none of that but for the cut.
pub fn is_received_as(name: &[u8], temporary: &[u8]) -> bool {
    let Some((start, suffix)) = temporary.split_last_chunk::<SUFFIX_BYTES>() else { return false };
    let bare = name.strip_prefix(b".").unwrap_or(name);
    is_suffix(suffix)
        && [name, bare].into_iter().any(|name| {
            let (cut, trimmed) = kept_of(name);
            [cut, trimmed].into_iter().any(|kept| {
                let behind_dot = start.strip_prefix(b".");
                kept == start || behind_dot == Some(kept) || kept.is_empty() && start.is_empty()
            })
        })
}

/// What rsync keeps of a name, before 3.1.0 and since.
fn kept_of(name: &[u8]) -> (&[u8], &[u8]) {
    let cut = &name[..name.len().min(KEPT_BYTES_MAX)];
    let mut end = cut.len();
    if name.get(end).is_some_and(|byte| !byte.is_ascii()) {
        end = cut.iter().rposition(u8::is_ascii).map_or(0, |last| last + 1);
    }
    let trimmed = &cut[..end];
    (cut, trimmed.strip_suffix(b".").unwrap_or(trimmed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_receivers() {
        for (name, is) in [
            (".f.A1b2C3", true),
            (".a long.name.tar.gz.000000", true),
            (".env.sample", true),
            (".f.A1b2C", false),
            (".f.A1b2C_", false),
            ("f.A1b2C3", false),
            ("..A1b2C3", false),
            (".A1b2C3", false),
            ("", false),
        ] {
            assert_eq!(is_receivers(name.as_bytes()), is, "{name}");
        }
    }

    /// As rsync 3.5.0 was seen to name them; `..x.XXXXXX` is what 3.0.9 makes of a dotfile.
    #[test]
    fn names_under_which_a_file_is_received() {
        let (cjk, a) = ("\u{4e2d}", "a".repeat(300));
        let same = "plain".to_owned();
        for (name, temporary, is) in [
            (same.clone(), ".plain.n64Orv".to_owned(), true),
            (".htaccess".into(), ".htaccess.WtjdNu".into(), true),
            ("htaccess".into(), ".htaccess.WtjdNu".into(), true),
            ("..x".into(), "..x.csazGe".into(), true),
            (".x".into(), "..x.csazGe".into(), true),
            ("x.".into(), ".x.5NOAln".into(), true),
            ("...".into(), "...LCEFJS".into(), true),
            (a[..255].into(), format!(".{}.vHyO3n", &a[..246]), true),
            (a[..246].into(), format!(".{}.wgKeAU", &a[..246]), true),
            (a[..245].into(), format!(".{}.wgKeAU", &a[..246]), false),
            (format!(".{}", &a[..254]), format!(".{}.rg59NH", &a[..246]), true),
            (cjk.repeat(82), format!(".{}.HQJvA9", cjk.repeat(82)), true),
            (cjk.repeat(83), ".DaCxw3".into(), true),
            (cjk.repeat(82), ".DaCxw3".into(), false),
            (format!(".{}", cjk.repeat(84)), ".vbOkrX".into(), true),
            (format!("a.{}", cjk.repeat(83)), ".a.3VKpPO".into(), true),
            // Of a module's `temp dir`.
            (same.clone(), "plain.n64Orv".into(), true),
            (same.clone(), ".plain.n64Or_".into(), false),
            (same.clone(), ".other.n64Orv".into(), false),
            (same, "".into(), false),
        ] {
            let found = is_received_as(name.as_bytes(), temporary.as_bytes());
            assert_eq!(found, is, "{name} as {temporary}");
        }
    }

    #[test]
    fn a_name_that_is_all_suffix_may_be_brief_and_a_word_may_not() {
        for (name, is) in [
            (".DaCxw3", true),
            (".abc1ef", true),
            (".bashrc", false),
            (".DaCxw", false),
            (".Da-xw3", false),
            ("aDaCxw3", false),
            ("4913", true),
            (".f.A1b2C3", true),
        ] {
            assert_eq!(may_be_brief(name.as_bytes()), is, "{name}");
        }
    }

    #[test]
    fn the_patterns_match_all_names_that_are_not_sent_and_few_others() {
        for (name, temporary, matched) in [
            ("4913", false, false),
            ("x~", true, true),
            (".x.swp", true, true),
            ("..swo", true, true),
            (".#x", true, true),
            (".goutputstream-AB12", true, true),
            (".nfs0001", true, true),
            (".f.A1b2C3", false, true),
            // Nobody receives under it, but a pattern knows no better.
            (".a.ab-def", false, true),
            (".swp", false, false),
            ("x.swp", false, false),
            ("..abcde", false, false),
            ("a.abcdef", false, false),
            (".htaccess", false, false),
        ] {
            let name = name.as_bytes();
            assert_eq!(
                (is_temporary(name), matches_pattern(name)),
                (temporary, matched),
                "{name:?}"
            );
            assert!(matched || !is_receivers(name), "{name:?}");
        }
    }
}
