//! The fail log and the state file: whether they can be used, and what waits in them.

use super::finding::Finding;
use crate::config::Config;
use crate::keep::faillog::place::Places;
use crate::keep::faillog::script::count_commands;
use crate::keep::faillog::store::{look, Refused};
use crate::keep::state::store::Store;
use crate::start::prepare::{self, resolved};
use crate::sys::lock::{self, Holder};
use crate::tell::amounts::count;

/// What `is_running` with this configuration has its fail log in use, and rightly so.
pub(super) fn findings(config: &Config, is_running: bool) -> Vec<Finding> {
    let path = &config.fail_log.path;
    let mut found = vec![fail_log(look(path))];
    // If the configuration has gone since it was read, there is no state to be found.
    let Ok(resolved) = resolved(config) else { return found };
    if let Some(holder) = lock::holder(path, path).filter(|_| !is_running) {
        found.push(in_use(holder, &prepare::fail_log(config, &resolved)));
    }
    let store = Store::of(&resolved, path);
    let file = store.path().display();
    found.push(match store.load() {
        Ok(state) if state.remotes.is_empty() => {
            Finding::fine("state", format!("will be kept in {file}; there was no run yet"))
        }
        Ok(_) => Finding::fine("state", format!("what the remotes have is known, from {file}")),
        Err(error) => Finding::warning("state", format!("{error}; each of them gets a full sync")),
    });
    found
}

fn in_use(holder: Holder, places: &Places) -> Finding {
    let who = holder.pid.map_or("another instance".into(), |pid| format!("process {pid}"));
    let text = format!(
        "{} is in use by {who}, which runs with another configuration; what this one owes will stand in {}; give \
         each configuration a <failLog path> of its own",
        places.configured.display(),
        places.aside.display()
    );
    Finding::warning("failLog", text)
}

fn fail_log(looked: Result<Vec<u8>, Refused>) -> Finding {
    match looked {
        Ok(text) if text.is_empty() => Finding::fine("failLog", "can be used, and owes nothing"),
        Ok(text) => match count_commands(&text) {
            0 => Finding::warning("failLog", "what stands in it is no record; it is kept as it is"),
            number => {
                let text = format!("{} in it; worked off after the start", count(number, "record"));
                Finding::note("failLog", text)
            }
        },
        Err(refused) => Finding::error("failLog", refused.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity::{Error, Fine, Note, Warning};
    use super::*;
    use crate::keep::faillog::store::Why;
    use crate::sys::own_file::Fault;

    #[test]
    fn what_waits_in_the_fail_log_is_counted() {
        let refused = Refused { path: "/x".into(), why: Why::File(Fault::SymbolicLink) };
        let two = b"#errno 2560\ncd /w && rsync a\n\n#errno 256\ncd /w && rsync b\n\n".to_vec();
        for (looked, severity, text) in [
            (Ok(Vec::new()), Fine, "can be used"),
            (Ok(two), Note, "2 records in it; "),
            (Ok(b"rm -rf /\n".to_vec()), Warning, "what stands in it is no record"),
            (Err(refused), Error, "the fail log /x is a symbolic link"),
        ] {
            let finding = fail_log(looked);
            assert_eq!(finding.severity, severity);
            assert!(finding.text.starts_with(text), "{}", finding.text);
        }
    }
}
