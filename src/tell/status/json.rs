//! `/status.json`: everything, for programs and for the page. docs/STATUS.md explains the fields.
//!
//! Pure. Fields are only ever added; if one has to go or to mean something else, [`FORMAT`] grows.

use super::history::STEP_MS;
use super::progress::Course;
use super::snapshot::{RemoteView, RootView, Snapshot};
use crate::engine::sending::extent::Extent;
use crate::engine::Halt;
use std::fmt::{Display, Write};

/// The version of the format.
pub const FORMAT: u32 = 1;

/// Everything as one JSON object.
pub fn render(snapshot: &Snapshot) -> String {
    let facts = &snapshot.facts;
    let mut object = Object::new();
    object.plain("format", FORMAT);
    object.text("version", snapshot.version);
    object.plain("pid", snapshot.pid);
    object.text("config", &snapshot.config);
    object.plain("time_s", seconds(facts.unix_ms));
    object.plain("uptime_s", seconds(facts.up_ms));
    object.plain("ending", facts.is_ending);
    object.plain("healthy", snapshot.is_healthy());
    object.plain("problems", list(snapshot.problems.iter().map(|text| quoted(text))));
    object.plain("roots", list(snapshot.roots.iter().map(root)));
    object.plain("remotes", list(snapshot.remotes.iter().map(remote)));
    let mut watches = Object::new();
    watches.plain("used", snapshot.watches());
    watches.optional("limit", facts.watches_max);
    object.plain("watches", watches.end());
    let mut fail_log = Object::new();
    fail_log.text("path", &facts.fail_log.path);
    fail_log.plain("records", facts.fail_log.records);
    fail_log.optional("trouble", facts.fail_log.trouble.as_ref().map(|text| quoted(text)));
    object.plain("fail_log", fail_log.end());
    object.plain("memory_bytes", facts.memory_bytes);
    let mut history = Object::new();
    history.plain("step_s", STEP_MS / 1000);
    history.plain("changes", list(snapshot.history.iter().map(|(changes, _)| changes)));
    let lags = snapshot.history.iter().map(|(_, lag_ms)| match lag_ms {
        0 => "0".into(),
        lag_ms => seconds(u64::from(*lag_ms)),
    });
    history.plain("lag_s", list(lags));
    object.plain("history", history.end());
    object.end() + "\n"
}

fn root(root: &RootView) -> String {
    let mut object = Object::new();
    object.text("path", &root.path);
    object.text("state", root.word());
    match root.state.halt {
        Some(Halt::Lost) => object.text("halt", "lost"),
        Some(Halt::Missing) => object.text("halt", "missing"),
        None => object.plain("halt", "null"),
    }
    let leads_to = root.leads_to.as_ref();
    object.optional("resolved", leads_to.map(|(found, _)| quoted(&found.path)));
    object.optional("file_system", leads_to.map(|(found, _)| quoted(&found.file_system)));
    object.optional("since_s", leads_to.map(|(_, for_ms)| seconds(*for_ms)));
    object.plain("away", list(root.away().map(|at| quoted(&at))));
    object.plain("directories", root.state.directories);
    object.plain("unwatched", root.state.has_unwatched);
    object.optional("walk_s", root.walk_ms.map(seconds));
    object.optional("walk_directories_per_s", root.walk_ms.map(|_| root.directories_per_s));
    object.plain("events_total", root.state.events);
    object.plain("changes_total", root.state.changes);
    object.plain("overflows_total", root.state.overflows);
    object.end()
}

fn remote(remote: &RemoteView) -> String {
    let mut object = Object::new();
    object.plain("root", remote.root);
    object.text("name", &remote.name);
    object.text("state", remote.word.name());
    object.plain("pending_paths", remote.pending);
    object.plain("stuck_paths", remote.stuck);
    object.plain("deletions_waiting", remote.waits.map_or(0, |waits| waits.count));
    object.optional("deletions_waiting_of", remote.waits.map(|waits| waits.of));
    object.plain("full_sync_owed", remote.owes_sweep);
    object.plain("lag_s", seconds(remote.lag_ms));
    object.optional("job", remote.job.map(|(load, took_ms)| job(load, took_ms)));
    object.optional("next_try_s", remote.next_try_ms.map(seconds));
    object.optional("last_success_s", remote.last_success_ms.map(seconds));
    object.optional("last_error", remote.last_error.as_ref().map(|(text, _)| quoted(text)));
    object.optional("last_error_s", remote.last_error.as_ref().map(|(_, ago)| seconds(*ago)));
    object.optional("full_sync", remote.course.as_ref().map(course));
    object.plain("paths_last_minute", remote.last_minute.0);
    object.plain("literal_bytes_last_minute", remote.last_minute.1);
    let counts = &remote.tally.counts;
    for (name, count) in [
        ("changes_total", counts.changes),
        ("coalesced_total", counts.coalesced),
        ("batches_total", counts.batches),
        ("paths_total", counts.paths),
        ("full_syncs_total", counts.full_syncs),
        ("level_syncs_total", counts.level_syncs),
        ("retries_total", counts.retries),
        ("failures_total", counts.failures),
        ("partial_total", counts.partial),
        ("literal_bytes_total", counts.literal_bytes),
    ] {
        object.plain(name, count);
    }
    object.end()
}

fn job(extent: Extent, took_ms: u64) -> String {
    let mut object = Object::new();
    let (kind, paths) = match extent {
        Extent::Paths(paths) => ("batch", Some(paths)),
        Extent::Directories(_) => ("level_sync", None),
        Extent::Everything => ("full_sync", None),
    };
    object.text("kind", kind);
    object.optional("paths", paths);
    object.plain("for_s", seconds(took_ms));
    object.end()
}

fn course(course: &Course) -> String {
    let mut object = Object::new();
    object.optional("percent", course.percent);
    object.plain("files", course.files);
    object.plain("bytes", course.bytes);
    object.plain("bytes_per_s", course.bytes_per_s);
    object.plain("checked", course.checked);
    object.plain("total", course.total);
    object.optional("left_s", course.left_ms.map(seconds));
    object.end()
}

/// An object that is being written.
pub struct Object(String);

impl Object {
    /// With no fields yet.
    #[allow(clippy::new_without_default)] // It is half a text, and no value.
    pub fn new() -> Object {
        Object("{".into())
    }

    /// A field whose value is JSON as it stands.
    pub fn plain(&mut self, name: &str, value: impl Display) {
        self.field(name, &value);
    }

    fn field(&mut self, name: &str, value: &dyn Display) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(self.0, "\"{name}\":{value}");
    }

    /// A text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.plain(name, quoted(text));
    }

    /// JSON, or null.
    pub fn optional(&mut self, name: &str, value: Option<impl Display>) {
        match value {
            Some(value) => self.plain(name, value),
            None => self.plain(name, "null"),
        }
    }

    /// The whole object.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn list(values: impl Iterator<Item = impl Display>) -> String {
    let mut list = String::from("[");
    for value in values {
        add(&mut list, &value);
    }
    list + "]"
}

fn add(list: &mut String, value: &dyn Display) {
    let comma = if list.len() > 1 { "," } else { "" };
    // Writing to a string cannot fail.
    let _ = write!(list, "{comma}{value}");
}

/// A text in quotation marks. What could end a script in HTML is escaped as well, in case somebody
/// pastes it into one.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{7f}' | '\0'..'\u{20}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Milliseconds as seconds with three decimals.
pub fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_gets_out_of_its_quotation_marks() {
        for (text, expected) in [
            ("", r#""""#),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("\n\t\0\x7f", r#""\u000a\u0009\u0000\u007f""#),
            ("</script>&", r#""\u003c/script\u003e\u0026""#),
            ("数据\u{2028}", "\"数据\\u2028\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn seconds_have_three_decimals() {
        assert_eq!([0, 7, 61_020].map(seconds), ["0.000", "0.007", "61.020"]);
    }
}
