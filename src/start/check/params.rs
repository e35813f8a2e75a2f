//! What the configuration itself says that is odd: its own warnings, and options of rsync that lead
//! into a trap which only the rest of the configuration shows. Pure.

use super::finding::Finding;
use crate::config::{options, Config, Problem, Rsync};

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let finding = |warning: &Problem| {
        Finding::warning(warning.position.in_file(&config.file), &*warning.text)
    };
    let mut found: Vec<_> = config.warnings.iter().map(finding).collect();
    let remotes = config.roots.iter().flat_map(|root| &root.remotes);
    for to in remotes {
        for text in traps(&to.rsync) {
            // Most remotes share their parameters, and one line is enough for all of them.
            let finding = Finding::warning("params", text);
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
    }
    found
}

fn traps(rsync: &Rsync) -> Vec<&'static str> {
    let params = options::read(&rsync.params);
    let has = |long: &str| options::last(&params, long).is_some();
    let mut found = Vec::new();
    // --delete-missing-args has only what a list names deleted, and no full sync has a list.
    if params.iter().any(|option| options::deletes(option) && !option.is("delete-missing-args")) {
        found.push(
            "with --delete every full sync deletes what only the remote has, even with delete off \
             in inotify and without -r; leave it out: sersync adds it where it belongs",
        );
    }
    if rsync.timeout_s.is_some() && has("timeout") {
        found
            .push("--timeout stands here and in <timeout>; <timeout> counts, so leave it out here");
    }
    if rsync.port.is_some() && has("port") {
        found.push("--port stands here and in the configuration, which counts; leave it out here");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trap_is_seen() {
        for (params, timeout_s, port, expected) in [
            ("-artz", Some(5), Some(1), &[][..]),
            ("-artz --timeout=5 --port=5", None, None, &[]),
            ("-artz --delete", None, None, &["with --delete every full sync"]),
            ("-az --delete-excluded --timeout 5", Some(5), None, &["with --del", "--timeout"]),
            ("-az --port 5", None, Some(5), &["--port stands here"]),
            ("-az --exclude --delete", None, None, &[]),
        ] {
            let params = params.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            let rsync = Rsync { params, timeout_s, port, ..Rsync::default() };
            let found = traps(&rsync);
            assert_eq!(found.len(), expected.len(), "{rsync:?}: {found:?}");
            assert!(found.iter().zip(expected).all(|(text, start)| text.starts_with(start)));
        }
    }
}
