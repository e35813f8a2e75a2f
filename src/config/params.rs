//! What the options in `commonParams` would do to a run.
//!
//! Refused are options that would replace the program's own lists of paths, make rsync do something
//! else than sync, or remove the source. Options by which changes are lost without a word get a warning. The
//! words themselves are passed on as they are. `remote` calls it.

use super::diagnosis::shown::shown;
use super::options::{self, FoundOption, Spelling};
use super::text;

/// What there is to say about an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remark {
    Refuse(&'static str),
    Warn(&'static str),
    /// A warning where ssh is off.
    WarnWithoutSsh(&'static str),
}
use Remark::{Refuse, Warn, WarnWithoutSsh};

/// What [`judge`] found, as sentences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// The first reason why no run can have these options.
    pub refused: Option<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

const LISTS: &str = "the program gives rsync its own list of paths there";
const REMOVES: &str = "it removes the files that are to be mirrored";
const NO_SYNC: &str = "with it rsync does something else than sync";
const UPDATE: &str = "a file that is replaced by an older one, or is newer on the remote, \
                      is never updated; leave it out unless the remote's files are edited there";
const SHELL: &str =
    "with ssh off it still forces a remote shell, and the rsync daemon is not used; \
                     turn ssh on or leave it out";
const EXCLUDED: &str = "real-time runs leave it out, only full syncs delete what is excluded";
const DELETES: &str = "what is deleted is for delete, -r and crontab to say; where these allow nothing, and for single \
                       changes, it is left out";
const DRY_RUN: &str = "with it rsync only tells what it would do, and nothing is synced";

const REMARKS: &[(&str, Remark)] = &[
    ("files-from", Refuse(LISTS)),
    ("from0", Refuse(LISTS)),
    ("remove-source-files", Refuse(REMOVES)),
    ("remove-sent-files", Refuse(REMOVES)),
    ("daemon", Refuse(NO_SYNC)),
    ("server", Refuse(NO_SYNC)),
    ("list-only", Refuse(NO_SYNC)),
    ("read-batch", Refuse(NO_SYNC)),
    ("only-write-batch", Refuse(NO_SYNC)),
    ("help", Refuse(NO_SYNC)),
    ("version", Refuse(NO_SYNC)),
    ("dry-run", Warn(DRY_RUN)),
    ("update", Warn(UPDATE)),
    ("delete-excluded", Warn(EXCLUDED)),
    ("rsh", WarnWithoutSsh(SHELL)),
];

/// The options that read a file, and standard input where the file is called `-`.
const READING_FILES: &[&str] = &["exclude-from", "include-from", "password-file"];

/// Judges the words of `commonParams`; `ssh` is whether `ssh start` is true.
pub(super) fn judge(words: &[Vec<u8>], ssh: bool) -> Judgement {
    let mut judgement = Judgement::default();
    for option in options::read(words) {
        match option.spelling {
            Spelling::Operand(_) => {
                judgement.refuse(&option, "is no option: rsync would take it for another source");
            }
            Spelling::Long(b"") => {
                judgement.refuse(&option, "ends the options, and the program has to add its own");
            }
            Spelling::Long(_) | Spelling::Letter(_) => judgement.judge(&option, ssh),
        }
    }
    judgement
}

impl Judgement {
    fn judge(&mut self, option: &FoundOption, ssh: bool) {
        for (_, remark) in REMARKS.iter().filter(|(long, _)| option.is(long)) {
            match remark {
                Refuse(why) => self.refuse(option, &format!("cannot be used: {why}")),
                WarnWithoutSsh(_) if ssh => {}
                Warn(why) | WarnWithoutSsh(why) => {
                    self.warnings.push(format!("{}: {why}", named(option)));
                }
            }
        }
        let is_judged = REMARKS.iter().any(|(long, _)| option.is(long));
        if !is_judged && (options::deletes(option) || option.is("force")) {
            self.warnings.push(format!("{}: {DELETES}", named(option)));
        }
        if reads_standard_input(option) {
            let why = "cannot be used: with - it reads standard input, where the paths come from";
            self.refuse(option, why);
        }
    }

    fn refuse(&mut self, option: &FoundOption, why: &str) {
        self.refused.get_or_insert_with(|| format!("{} {why}", named(option)));
    }
}

/// The option as it was written, without its value.
fn named(option: &FoundOption) -> String {
    let spelt = match option.spelling {
        Spelling::Letter(letter) => vec![b'-', letter],
        Spelling::Long(name) => [b"--", name].concat(),
        Spelling::Operand(word) => word.to_vec(),
    };
    shown(&text::decode(&spelt))
}

fn reads_standard_input(option: &FoundOption) -> bool {
    let Some(value) = option.value else { return false };
    (option.is_any(READING_FILES) && value == b"-")
        || (option.is("filter") && merges_standard_input(value))
}

/// Whether a filter rule reads further rules from standard input: `. -`, `merge -`, `merge,e -`, `.e_-`.
fn merges_standard_input(rule: &[u8]) -> bool {
    let Some(merge) = rule.strip_prefix(b"merge").or_else(|| rule.strip_prefix(b".")) else {
        return false;
    };
    let modifiers_end = merge.iter().position(|byte| matches!(byte, b' ' | b'_'));
    modifiers_end.is_some_and(|end| merge[end + 1..].trim_ascii() == b"-")
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;

    fn judged(params: &str, ssh: bool) -> Judgement {
        judge(&words::split(params.as_bytes()).unwrap(), ssh)
    }

    #[test]
    fn options_that_would_break_a_run_are_refused() {
        let cases = [
            ("--files-from=/x", "--files-from cannot be used"),
            ("--files-from /x", "--files-from cannot be used"),
            ("-a --from0", "--from0 cannot be used"),
            ("-0", "-0 cannot be used"),
            ("-artz0", "-0 cannot be used"),
            ("--include-from=-", "--include-from cannot be used: with - it reads standard input"),
            ("--exclude-from -", "--exclude-from cannot be used"),
            ("--password-file=-", "--password-file cannot be used"),
            ("--filter='. -'", "--filter cannot be used"),
            ("--filter 'merge -'", "--filter cannot be used"),
            ("--filter='merge,e- -'", "--filter cannot be used"),
            ("-f '._-'", "-f cannot be used: with - it reads"),
            ("-af'. -'", "-f cannot be used: with - it reads"),
            ("--remove-source-files", "--remove-source-files cannot be used: it removes"),
            ("--remove-sent-files", "--remove-sent-files cannot be used"),
            ("--daemon", "--daemon cannot be used"),
            ("--server", "--server cannot be used"),
            ("--list-only", "--list-only cannot be used"),
            ("--read-batch=x", "--read-batch cannot be used"),
            ("--help", "--help cannot be used"),
            ("--version", "--version cannot be used"),
            ("-artz /data", "/data is no option"),
            ("-artz >/dev/null", ">/dev/null is no option"),
            ("-artz -", "- is no option"),
            ("-artz ''", " is no option"),
            ("-artz --", "-- ends the options"),
        ];
        for (params, expected) in cases {
            let refused = judged(params, false).refused.unwrap_or_default();
            assert!(refused.starts_with(expected), "{params}: {refused:?}");
        }
    }

    #[test]
    fn options_that_lose_changes_earn_a_warning() {
        let cases = [
            ("-artuz", false, "-u: a file that is replaced by an older one"),
            ("-a --update", false, "--update: "),
            ("--delete-excluded", false, "--delete-excluded: real-time runs"),
            ("-a -e ssh", false, "-e: with ssh off"),
            ("-ae 'ssh -p 22'", false, "-e: with ssh off"),
            ("--rsh=ssh", false, "--rsh: with ssh off"),
            ("-a --del", false, "--del: what is deleted"),
            ("-a --force", false, "--force: what is deleted"),
            ("-an", false, "-n: with it rsync only tells"),
        ];
        for (params, ssh, expected) in cases {
            let judgement = judged(params, ssh);
            assert_eq!(judgement.refused, None, "{params}");
            assert_eq!(judgement.warnings.len(), 1, "{params}");
            assert!(judgement.warnings[0].starts_with(expected), "{params}: {judgement:?}");
        }
    }

    #[test]
    fn values_are_not_taken_for_options() {
        let cases = [
            ("-artz", false),
            ("-artz --bwlimit=100 --exclude=-u", false),
            ("--exclude -u --include --update", false),
            ("-e 'ssh -u' --rsh 'ssh -0'", true),
            ("-eu0", true),
            ("-T u -B 700 --temp-dir /tmp", false),
            ("-@ -u -Mu", false),
            ("--exclude-from=/x --filter='- *.o' -f 'merge /x'", false),
            ("--filter='dir-merge -' --exclude=-", false),
            ("-h --no-perms --numeric-ids", false),
        ];
        for (params, ssh) in cases {
            assert_eq!(judged(params, ssh), Judgement::default(), "{params}");
        }
    }
}
