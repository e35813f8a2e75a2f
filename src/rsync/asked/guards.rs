//! What the user's parameters keep from being deleted: a filter what it hides, `-b` the backups, and `--max-delete`
//! whatever is more than that.
//!
//! A list with `--delete-missing-args` passes by all of it (measured with 3.5.0). So where there is such a
//! parameter, a batch deletes by runs of their own, in which the user's rules mean what they mean in a full sync.

use super::licence::Way;
use crate::config::options::{self, FoundOption, Spelling};
use crate::sorted::SortedSet;

/// What ends the name of a backup if the user does not say otherwise.
const USUAL_SUFFIX: &[u8] = b"~";

/// The way by which a batch deletes with these parameters, where its far side could do it this way.
pub fn way(params: &[Vec<u8>], possible: Way) -> Way {
    let guards = ["backup", "backup-dir", "suffix", "max-delete"];
    let is_guard = |option: &FoundOption| options::is_filter(option) || option.is_any(&guards);
    match options::read(params).iter().any(is_guard) {
        true => Way::Portable,
        false => possible,
    }
}

/// Whether names are other bytes over there.
pub fn names_differ(params: &[Vec<u8>]) -> bool {
    options::last(&options::read(params), "iconv").is_some()
}

/// Whether rules of the user may take something in, or are read from files, or come last of all. Then what a run
/// may see cannot be said behind them.
pub fn may_open(params: &[Vec<u8>]) -> bool {
    let opens = |option: &FoundOption| options::may_include(option) || option.is("cvs-exclude");
    options::read(params).iter().any(opens)
}

/// The rule by which rsync keeps its backups from `--delete`, if it makes some beside the files. It stands behind
/// all others there.
pub fn of_backups(params: &[Vec<u8>]) -> Option<Vec<u8>> {
    let found = options::read(params);
    options::last(&found, "backup")?;
    if options::last(&found, "backup-dir").is_some() {
        return None;
    }
    let suffix = options::last(&found, "suffix").and_then(|option| option.value);
    Some([b"P *", suffix.unwrap_or(USUAL_SUFFIX)].concat())
}

/// Rules that keep the files over there from which rsync reads further rules in each directory. What they keep is
/// kept only as long as they are there, and they may be seen to go a moment before their directory does.
pub fn of_rule_files(params: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let names: SortedSet<&[u8]> = options::read(params).into_iter().filter_map(rule_file).collect();
    names.into_iter().map(|name| [b"P ", name].concat()).collect()
}

/// The name of the file that an option has read in each directory.
fn rule_file(option: FoundOption<'_>) -> Option<&[u8]> {
    match option {
        option if option.spelling == Spelling::Letter(b'F') => Some(b".rsync-filter"),
        option if option.is("cvs-exclude") => Some(CVS),
        option if option.is("filter") => read_in_each_directory(option.value?),
        _ => None,
    }
}

const CVS: &[u8] = b".cvsignore";

/// The file that a rule of the user's has read in each directory: `: NAME`, `dir-merge,- /NAME`, `:C`.
fn read_in_each_directory(rule: &[u8]) -> Option<&[u8]> {
    let rest = rule.strip_prefix(b"dir-merge").or_else(|| rule.strip_prefix(b":"))?;
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b'_')).unwrap_or(rest.len());
    let name = rest.get(end + 1..).unwrap_or_default();
    let name = name.strip_prefix(b"/").unwrap_or(name);
    Some(if name.is_empty() { CVS } else { name })
}

#[cfg(test)]
mod tests {
    use super::super::plan::words;
    use super::*;

    #[test]
    fn what_is_to_be_kept_is_kept_by_the_portable_way() {
        for (params, guarded, opens) in [
            (&["-artuz", "--delete", "--partial"][..], false, false),
            (&["-ab"], true, false),
            (&["-a", "--backup", "--suffix=.o"], true, false),
            (&["-a", "--max-delete=5"], true, false),
            (&["-a", "--exclude=x"], true, false),
            (&["-a", "-f", "P x"], true, false),
            (&["-a", "--include=x"], true, true),
            (&["-a", "--exclude-from=x"], true, true),
            (&["-aC"], true, true),
            (&["-aF"], true, true),
            (&["-a", "--exclude", "-b"], true, false),
        ] {
            let params = words(params);
            let expected = if guarded { Way::Portable } else { Way::Combined };
            assert_eq!(way(&params, Way::Combined), expected, "{params:?}");
            assert_eq!(way(&params, Way::Portable), Way::Portable, "{params:?}");
            assert_eq!(may_open(&params), opens, "{params:?}");
        }
    }

    #[test]
    fn files_with_rules_are_protected() {
        for (params, expected) in [
            (&["-a", "--exclude=x", "-f", ". list"][..], &[][..]),
            (&["-aFF"], &["P .rsync-filter"]),
            (&["-aC", "-f", ":C"], &["P .cvsignore"]),
            (&["-f", ": /.rules", "-f", "dir-merge,-n_.more"], &["P .more", "P .rules"]),
        ] {
            assert_eq!(of_rule_files(&words(params)), words(expected), "{params:?}");
        }
    }

    #[test]
    fn backups_beside_the_files_are_protected() {
        for (params, expected) in [
            (&["-a"][..], None),
            (&["-a", "--suffix=.o"], None),
            (&["-ab"], Some("P *~")),
            (&["-a", "--backup", "--suffix", ".o"], Some("P *.o")),
            (&["-ab", "--backup-dir=../old"], None),
        ] {
            assert_eq!(of_backups(&words(params)).as_deref(), expected.map(str::as_bytes));
        }
    }
}
