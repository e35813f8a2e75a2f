//! The plugins that connect to a host: whether somebody takes connections there, and an expression
//! that has no use. Nothing is sent.

use super::finding::Finding;
use crate::config::{Config, Plugin, PluginKind};
use crate::tell::plugin::connection::reach;

pub(super) fn findings(config: &Config, plugin: Option<PluginKind>) -> Vec<Finding> {
    let Some(block) = plugin.and_then(|kind| config.plugin_block(kind)) else { return Vec::new() };
    let place = format!("plugin {}", block.kind().name());
    let (host, port) = match block {
        Plugin::Command { .. } => return Vec::new(),
        Plugin::Socket { host, port, .. } | Plugin::Http { host, port, .. } => (host, port),
        Plugin::RefreshCdn { domain, port, .. } => (domain, port),
    };
    let reached = reach(host, *port);
    let host = match reached {
        Ok(()) => Finding::fine(&*place, format!("{host}:{port} takes connections")),
        Err(failure) => {
            let hint = "start what should listen there, or correct host and port";
            Finding::error(&*place, format!("{host}:{port}: {failure}; {hint}"))
        }
    };
    let no_group = match block {
        Plugin::RefreshCdn { pattern: Some(pattern), .. } => without_group(pattern),
        Plugin::RefreshCdn { .. }
        | Plugin::Command { .. }
        | Plugin::Socket { .. }
        | Plugin::Http { .. } => None,
    };
    [Some(host), no_group.map(|text| Finding::warning(place, text))].into_iter().flatten().collect()
}

/// The URL gets what stands in the first brackets of `match`.
fn without_group(pattern: &str) -> Option<&'static str> {
    let groups = regex_lite::Regex::new(pattern).map_or(1, |regex| regex.captures_len());
    // The whole match counts as one.
    let text =
        "match has no (...): all that it matches is missing in the URL; put brackets around \
                the part that belongs there";
    (groups == 1).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_without_a_group_is_told() {
        assert!(without_group("site/(.*)").is_none());
        assert!(without_group("site/[0-9]+").is_some());
        assert!(without_group("(?:a|b)").is_some());
    }
}
