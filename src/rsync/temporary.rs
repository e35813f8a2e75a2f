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
    is_receivers(name) || name == b"4913"
}

/// Whether a name looks like those under which rsync receives: `.NAME.XXXXXX`, with six letters or
/// digits at random.
pub fn is_receivers(name: &[u8]) -> bool {
    const RANDOM_BYTES: usize = 6;
    let Some((start, random)) = name.split_last_chunk::<RANDOM_BYTES>() else { return false };
    start.len() > 2
        && start.starts_with(b".")
        && start.ends_with(b".")
        && random.iter().all(u8::is_ascii_alphanumeric)
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
