//! `/metrics`: the numbers in the text format of Prometheus. docs/STATUS.md explains them.
//!
//! Pure. Counters end in `_total` and start at 0 with the program, or when the configuration is read
//! again, as Prometheus expects of a restart.

use super::json::seconds;
use super::snapshot::{RemoteView, RootView, Snapshot};
use crate::engine::tally::{Histogram, BOUNDS_MS};
use std::fmt::{Display, Write};

/// Everything, in the text format.
pub fn render(snapshot: &Snapshot) -> String {
    let mut page = Page(String::new());
    program(&mut page, snapshot);
    roots(&mut page, snapshot);
    remotes(&mut page, snapshot);
    page.0
}

fn program(page: &mut Page, snapshot: &Snapshot) {
    let facts = &snapshot.facts;
    page.family("build_info", "gauge", "Always 1; the label has the version.");
    page.sample("build_info", &format!("version=\"{}\"", escaped(snapshot.version)), &1);
    let started_ms = facts.unix_ms.saturating_sub(facts.up_ms);
    let up = snapshot.remotes.iter().filter(|remote| remote.word.is_up()).count();
    for (name, help, value) in [
        ("start_time_seconds", "When the program started, since 1970.", seconds(started_ms)),
        ("healthy", "1 if /healthz answers with 200.", number(snapshot.is_healthy())),
        ("resident_memory_bytes", "Memory of the program itself.", facts.memory_bytes.to_string()),
        ("watches", "Directories that are watched.", snapshot.watches().to_string()),
        ("remotes", "Remotes.", snapshot.remotes.len().to_string()),
        ("remotes_up", "Remotes whose last job got through.", up.to_string()),
        ("fail_log_records", "Commands in the fail log.", facts.fail_log.records.to_string()),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, "", &value);
    }
    if let Some(limit) = facts.watches_max {
        page.family("watches_limit", "gauge", "fs.inotify.max_user_watches.");
        page.sample("watches_limit", "", &limit);
    }
}

fn roots(page: &mut Page, snapshot: &Snapshot) {
    type Of = fn(&RootView) -> u64;
    let families: [(&str, &str, &str, Of); 6] = [
        ("root_events_total", "counter", "Events of the kernel.", |it| it.state.events),
        ("root_changes_total", "counter", "Changes of paths that they meant.", |it| {
            it.state.changes
        }),
        ("root_overflows_total", "counter", "Times that the kernel lost events.", |it| {
            it.state.overflows
        }),
        ("root_directories", "gauge", "Directories known.", |it| it.state.directories as u64),
        ("root_halted", "gauge", "1 while nothing of the root is synced.", |it| {
            u64::from(it.state.halt.is_some())
        }),
        ("root_walking", "gauge", "1 while the whole root is being read.", |it| {
            u64::from(!it.state.is_complete)
        }),
    ];
    for (name, kind, help, value) in families {
        page.family(name, kind, help);
        for root in &snapshot.roots {
            page.sample(name, &format!("root=\"{}\"", escaped(&root.path)), &value(root));
        }
    }
}

fn remotes(page: &mut Page, snapshot: &Snapshot) {
    type Of = fn(&RemoteView) -> u64;
    let families: [(&str, &str, &str, Of); 14] = [
        ("remote_up", "gauge", "1 unless its last job failed or its root is halted.", |it| {
            u64::from(it.word.is_up())
        }),
        ("pending_paths", "gauge", "Paths that have changed and have not arrived.", |it| {
            it.pending as u64
        }),
        ("stuck_paths", "gauge", "Of these, the ones that do not get through.", |it| {
            it.stuck as u64
        }),
        ("deletions_waiting", "gauge", "Deletions that wait for a yes.", |it| {
            it.waits.map_or(0, |waits| waits.count)
        }),
        ("changes_total", "counter", "Changes of paths for this remote.", |it| {
            it.tally.counts.changes
        }),
        (
            "coalesced_changes_total",
            "counter",
            "Of these, the ones that cost nothing, since the path was pending or gone again.",
            |it| it.tally.counts.coalesced,
        ),
        ("batches_total", "counter", "Batches that arrived.", |it| it.tally.counts.batches),
        ("paths_total", "counter", "Paths in batches that arrived.", |it| it.tally.counts.paths),
        ("full_syncs_total", "counter", "Full syncs that arrived.", |it| {
            it.tally.counts.full_syncs
        }),
        ("level_syncs_total", "counter", "Syncs of whole directories that arrived.", |it| {
            it.tally.counts.level_syncs
        }),
        ("retries_total", "counter", "Jobs that were another attempt.", |it| {
            it.tally.counts.retries
        }),
        ("failures_total", "counter", "Jobs that failed as a whole.", |it| {
            it.tally.counts.failures
        }),
        ("partial_total", "counter", "Jobs that left single paths out.", |it| {
            it.tally.counts.partial
        }),
        (
            "literal_bytes_total",
            "counter",
            "Bytes of files that were sent because the remote did not have them.",
            |it| it.tally.counts.literal_bytes,
        ),
    ];
    for (name, kind, help, value) in families {
        page.family(name, kind, help);
        for remote in &snapshot.remotes {
            page.sample(name, &labels(snapshot, remote), &value(remote));
        }
    }
    page.family("lag_seconds", "gauge", "Age of the oldest change that has not arrived.");
    for remote in &snapshot.remotes {
        page.sample("lag_seconds", &labels(snapshot, remote), &seconds(remote.lag_ms));
    }
    let name = "last_success_timestamp_seconds";
    page.family(name, "gauge", "When something arrived last, since 1970; absent before.");
    for remote in &snapshot.remotes {
        if let Some(ago_ms) = remote.last_success_ms {
            let at_ms = snapshot.facts.unix_ms.saturating_sub(ago_ms);
            page.sample(name, &labels(snapshot, remote), &seconds(at_ms));
        }
    }
    let help = "How long batches were on their way.";
    page.histogram("batch_duration_seconds", help, snapshot, |it| &it.tally.durations);
    let help = "How long the oldest change of each batch took to arrive.";
    page.histogram("change_lag_seconds", help, snapshot, |it| &it.tally.lags);
}

fn labels(snapshot: &Snapshot, remote: &RemoteView) -> String {
    let root = snapshot.roots.get(remote.root).map_or("", |root| &root.path);
    format!("root=\"{}\",remote=\"{}\"", escaped(root), escaped(&remote.name))
}

/// The text that is being written.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "# HELP sersync_{name} {help}\n# TYPE sersync_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: &dyn Display) {
        let _ = match labels {
            "" => writeln!(self.0, "sersync_{name} {value}"),
            labels => writeln!(self.0, "sersync_{name}{{{labels}}} {value}"),
        };
    }

    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        snapshot: &Snapshot,
        of: fn(&RemoteView) -> &Histogram,
    ) {
        self.family(name, "histogram", help);
        for remote in &snapshot.remotes {
            let (labels, histogram) = (labels(snapshot, remote), of(remote));
            let bounds = BOUNDS_MS.iter().map(|bound_ms| seconds(*bound_ms));
            let mut count = 0;
            for (bucket, bound) in histogram.buckets.iter().zip(bounds.chain(["+Inf".into()])) {
                count += bucket;
                self.sample(&format!("{name}_bucket"), &format!("{labels},le=\"{bound}\""), &count);
            }
            self.sample(&format!("{name}_sum"), &labels, &seconds(histogram.sum_ms));
            self.sample(&format!("{name}_count"), &labels, &count);
        }
    }
}

fn number(yes: bool) -> String {
    u8::from(yes).to_string()
}

/// The value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
