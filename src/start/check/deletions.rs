//! What a mirror would delete without asking, and what waits for a yes. Pure.

use super::finding::Finding;
use crate::config::{Config, MaxDelete};
use crate::engine::sending::trust::Deletions;
use crate::keep::state::State;

pub(super) fn findings(config: &Config, state: &State) -> Vec<Finding> {
    let mut found = Vec::new();
    if config.events.delete {
        found.push(limit(config.safety.max_delete));
    }
    found.extend(state.remotes.iter().filter_map(|kept| {
        let (_, Deletions { count, of }) = kept.trust.waits_for()?;
        let text = format!(
            "{count} deletions of {of} entries wait for a yes: sersync --confirm-deletions -o {}",
            config.file.display()
        );
        Some(Finding::warning(String::from_utf8_lossy(&kept.destination), text))
    }));
    found
}

fn limit(limit: MaxDelete) -> Finding {
    let place = "safety maxDelete";
    let what = match limit {
        MaxDelete::Any | MaxDelete::Share(100) => {
            let text =
                "with -r or crontab, a first full sync and another disk in the place of the root \
                        delete whatever only the remotes have, without asking";
            return Finding::warning(place, text);
        }
        MaxDelete::Share(percent) => format!("more than {percent}% of a remote"),
        MaxDelete::Number(number) => format!("more than {number} entries"),
    };
    let text = "is deleted only after a yes, where it is not certain that the root is what it was";
    Finding::note(place, format!("{what} {text}"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    #[test]
    fn who_is_never_asked_is_warned() {
        for (max_delete, severity, text) in [
            (MaxDelete::Any, Severity::Warning, "without asking"),
            (MaxDelete::Share(100), Severity::Warning, "without asking"),
            (MaxDelete::Share(50), Severity::Note, "more than 50% of a remote is deleted only"),
            (MaxDelete::Number(7), Severity::Note, "more than 7 entries is deleted only"),
        ] {
            let found = limit(max_delete);
            assert_eq!(found.severity, severity, "{max_delete:?}");
            assert!(found.text.contains(text), "{}", found.text);
        }
    }
}
