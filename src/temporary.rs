//! Names of files that are about to go again, and are never sent: for the engine, and for an rsync that reads
//! a directory by itself.

/// Patterns of rsync for all names that [`is_temporary`], and for those under which rsync receives.
pub const PATTERNS: [&str; 7] =
    [".*.??????", "4913", "*~", ".*.sw?", ".#*", ".goutputstream-*", ".nfs*"];

/// Names that editors and NFS use for files that are about to go again: vim's write test `4913`,
/// backups `x~`, vim's `.x.swp`, Emacs' locks `.#x`, GLib's `.goutputstream-*`, NFS' `.nfs*`.
///
/// COMPAT: sersync drops every dotfile; here only these.
pub fn is_temporary(name: &[u8]) -> bool {
    let swap = || {
        let from_end = |at: usize| name.len().checked_sub(at).and_then(|at| name.get(at));
        name.starts_with(b".")
            && name.len() > 4
            && from_end(4) == Some(&b'.')
            && from_end(3) == Some(&b's')
            && from_end(2) == Some(&b'w')
    };
    name == b"4913"
        || name.ends_with(b"~")
        || [&b".#"[..], b".goutputstream-", b".nfs"].iter().any(|start| name.starts_with(start))
        || swap()
}
