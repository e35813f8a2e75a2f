//! Runs that must not leave a trace: what a plan has on both sides is the same before and after.

use super::sersync::{run_to_end, Exit};
use super::{Plan, Tree};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The program's own output, which the harness puts beside the configuration.
const OUTPUT: [&str; 2] = ["stdout", "stderr"];

/// Runs the program to its end with these arguments and `-o FILE`. Panics if that has changed the
/// root, a remote, or any file beside the configuration, where the fail log is.
pub fn run_without_trace(plan: &Plan, args: &[&str]) -> Exit {
    let file = plan.write_conf();
    let dir = file.parent().unwrap();
    let mut args: Vec<OsString> = args.iter().map(OsString::from).collect();
    args.extend(["-o".into(), file.clone().into_os_string()]);
    let beside = || {
        let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
        let entries = entries.filter(|entry| !OUTPUT.iter().any(|name| entry.file_name() == *name));
        let looked = |entry: fs::DirEntry| {
            let found = entry.metadata().unwrap();
            (entry.file_name(), found.ino(), found.mode(), fs::read(entry.path()).ok())
        };
        let mut entries: Vec<_> = entries.map(looked).collect();
        entries.sort();
        entries
    };
    let trees = || -> Vec<Option<Tree>> {
        let tops = std::iter::once(&plan.root).chain(&plan.remotes);
        tops.map(|top| top.is_dir().then(|| Tree::read_still(top))).collect()
    };
    let before = (beside(), trees());
    let variables: Vec<_> =
        plan.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ended = run_to_end(dir, &args, &variables);
    assert!(before == (beside(), trees()), "something has changed\n{}", ended.stdout);
    ended
}
