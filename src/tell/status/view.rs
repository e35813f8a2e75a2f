//! Everything as text for a terminal of 80 columns: `/status.txt`, which `--status` prints.
//!
//! Pure. The running instance draws it, so that `--status` of another version shows what that one
//! has to say.

use super::snapshot::{RemoteView, RootView, Snapshot};
use crate::config::terminal::{width, width_of};
use crate::engine::sending::extent::Extent;
use crate::engine::sending::trust::Deletions;
use crate::tell::amounts::{age, size};

/// Columns of a line.
const WIDTH: usize = 80;
/// Those of a remote's or a root's name; what is longer loses its beginning.
const NAME_WIDTH: usize = 34;

/// The text; every line is at most [`WIDTH`] columns wide.
pub fn render(snapshot: &Snapshot) -> String {
    let facts = &snapshot.facts;
    let health = if snapshot.is_healthy() { "healthy" } else { "not healthy" };
    let ending = if facts.is_ending { ", ending" } else { "" };
    let mut lines = vec![format!(
        "sersync {}, process {}, up {}: {health}{ending}",
        snapshot.version,
        snapshot.pid,
        age(facts.up_ms)
    )];
    // Only its first line: the whole text stands with the remote that it is about.
    let first = |problem: &String| wrapped("! ", problem).into_iter().next();
    lines.extend(snapshot.problems.iter().filter_map(first));
    lines.push(String::new());
    lines.push(row("REMOTE", "STATE", ["PENDING", "LAG", "LAST OK", "SENT/MIN"]));
    for remote in &snapshot.remotes {
        lines.extend(of_remote(remote));
        if let Some(Deletions { count, of }) = remote.waits {
            let command = format!("sersync --confirm-deletions -o {}", snapshot.config);
            let text = format!("{count} deletions of {of} entries wait for a yes: {command}");
            lines.extend(wrapped("    ", &text));
        }
    }
    lines.push(String::new());
    lines.push(row("ROOT", "STATE", ["DIRS", "", "", ""]));
    for root in &snapshot.roots {
        lines.push(of_root(root));
        lines.extend(ground_of(root));
        lines.extend(root.walk_ms.map(|walk_ms| {
            let rate = root.directories_per_s;
            format!("    reading for {}, {rate} directories a second", age(walk_ms))
        }));
    }
    lines.push(String::new());
    let fail_log = &facts.fail_log;
    let state = match (&fail_log.trouble, fail_log.records) {
        (Some(trouble), _) => trouble.clone(),
        (None, records) => format!("{} ({})", commands(records), fail_log.path),
    };
    lines.extend(wrapped("fail log  ", &state));
    let limit = facts.watches_max.map_or("unknown".into(), |limit| limit.to_string());
    let (watches, memory) = (snapshot.watches(), facts.memory_bytes / 1024);
    lines.push(format!("watches   {watches} of {limit}"));
    lines.push(format!("memory    {memory} KiB"));
    lines.extend(wrapped("config    ", &snapshot.config));
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What stands in the fail log.
pub fn commands(records: usize) -> String {
    match records {
        0 => "empty".into(),
        1 => "1 command".into(),
        records => format!("{records} commands"),
    }
}

fn of_remote(remote: &RemoteView) -> Vec<String> {
    let lag = if remote.lag_ms == 0 { "-".into() } else { age(remote.lag_ms) };
    let last = remote.last_success_ms.map_or("never".into(), age);
    let (pending, rate) = (remote.pending.to_string(), size(remote.last_minute.1));
    let numbers = [pending.as_str(), &lag, &last, &rate];
    let mut lines = vec![row(&remote.name, remote.word.name(), numbers)];
    match remote.job {
        Some((Extent::Everything, took_ms)) => {
            let course = remote.course.map_or(String::new(), |course| format!(": {course}"));
            let text = format!("full sync, under way for {}{course}", age(took_ms));
            lines.extend(wrapped("    ", &text));
        }
        Some((Extent::Directories(_), took_ms)) => {
            lines.push(format!("    whole directories, under way for {}", age(took_ms)));
        }
        Some((Extent::Paths(_), _)) => {}
        None if remote.owes_sweep => lines.push("    a full sync is owed".into()),
        None => {}
    }
    if let Some((error, ago_ms)) = &remote.last_error {
        lines.extend(wrapped("    ", &format!("{} ago: {error}", age(*ago_ms))));
    }
    if let Some(next_ms) = remote.next_try_ms.filter(|_| remote.job.is_none()) {
        lines.push(format!("    next try in {}", age(next_ms)));
    }
    lines
}

fn of_root(root: &RootView) -> String {
    let directories = root.state.directories.to_string();
    row(&root.path, root.word(), [directories.as_str(), "", "", ""])
}

/// What its path leads to, where that says more than the path, and what is away.
fn ground_of(root: &RootView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((found, for_ms)) = &root.leads_to {
        let on = match found.file_system.as_str() {
            "" => String::new(),
            kind => format!(" on {kind}"),
        };
        let text = format!("leads to {}{on}, for {}", found.path, age(*for_ms));
        lines.extend(wrapped("    ", &text));
    }
    let away: Vec<String> = root.away().collect();
    if !away.is_empty() {
        lines.extend(wrapped("    ", &format!("away: {}", away.join(", "))));
    }
    lines
}

fn row(name: &str, state: &str, numbers: [&str; 4]) -> String {
    let [pending, lag, last, rate] = numbers;
    let name = end_of(name, NAME_WIDTH);
    let gap = NAME_WIDTH.saturating_sub(width(&name)) + 1;
    let state_width = 9;
    format!("{name}{:gap$}{state:<state_width$} {pending:>7} {lag:>8} {last:>8} {rate:>9}", "")
}

/// The end of a text that is too long, which says more than its beginning.
pub fn end_of(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.into();
    }
    let mut kept = Vec::new();
    let mut room = columns.saturating_sub(3);
    for c in text.chars().rev() {
        match room.checked_sub(width_of(c)) {
            Some(rest) => room = rest,
            None => break,
        }
        kept.push(c);
    }
    format!("...{}", kept.iter().rev().collect::<String>())
}

/// Lines with the indent before the first and blanks of its width before the others.
pub fn wrapped(indent: &str, text: &str) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), indent.to_string());
    let blank = " ".repeat(indent.len());
    for word in text.split(' ') {
        if width(&line) > indent.len() {
            if width(&line) + 1 + width(word) <= WIDTH {
                line.push(' ');
            } else {
                lines.push(std::mem::replace(&mut line, blank.clone()));
            }
        }
        for c in word.chars() {
            if width(&line) + width_of(c) > WIDTH {
                lines.push(std::mem::replace(&mut line, blank.clone()));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::super::board::LeadsTo;
    use super::*;
    use crate::engine::snapshot::RootState;
    use crate::engine::tally::Tally;
    use crate::engine::time::Time;
    use crate::engine::Halt;
    use crate::tell::status::progress::Course;
    use crate::tell::status::snapshot::{Facts, Word};

    fn remote(name: &str, word: Word) -> RemoteView {
        RemoteView {
            root: 0,
            name: name.into(),
            word,
            pending: 500_000,
            stuck: 0,
            waits: None,
            owes_sweep: false,
            lag_ms: 99 * 3_600_000,
            job: Some((Extent::Everything, 61_000)),
            next_try_ms: Some(59_999),
            last_success_ms: None,
            last_error: Some((format!("rsync {} ended", "x".repeat(200)), 5_000)),
            course: Some(Course {
                files: 10_000_000,
                bytes: 1023 << 40,
                bytes_per_s: 1023 << 20,
                percent: Some(100),
                left_ms: Some(119_000),
                ..Course::default()
            }),
            last_minute: (100_000_000, 1023 << 20),
            tally: Tally::default(),
        }
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let long = "h::".to_string() + &"数据".repeat(40);
        let snapshot = Snapshot {
            version: "3.0.0",
            pid: 1,
            config: "/".to_string() + &"c".repeat(200),
            facts: Facts { watches_max: Some(50_000_000), ..Facts::default() },
            roots: vec![RootView {
                path: "/".to_string() + &"d/".repeat(100),
                leads_to: Some((
                    LeadsTo {
                        path: "/".to_string() + &"e".repeat(100),
                        file_system: "ext4".into(),
                        since: Time(0),
                    },
                    61_000,
                )),
                state: RootState {
                    directories: 10_000_000,
                    away: vec![b"mnt/disk"[..].into(), b"other"[..].into()],
                    ..RootState::default()
                },
                walk_ms: Some(1),
                directories_per_s: u64::MAX,
            }],
            remotes: vec![remote("10.0.0.1::m", Word::Down), remote(&long, Word::Sending)],
            history: Vec::new(),
            problems: vec!["p ".repeat(100)],
        };
        let text = render(&snapshot);
        for line in text.lines() {
            assert!(width(line) <= WIDTH, "{} columns: {line}", width(line));
        }
        assert!(
            text.starts_with("sersync 3.0.0, process 1, up 0 ms: not healthy\n! p p"),
            "{text}"
        );
        assert!(text.contains("\n10.0.0.1::m"), "{text}");
        assert!(text.contains("\n...据数据"), "{text}");
        assert!(text.contains("e on ext4, for 61 s\n    away: mnt/disk, other\n"), "{text}");
        let course =
            "    full sync, under way for 61 s: 100%, 10000000 files, 1023 TiB, 1023 MiB/s,";
        assert!(text.contains(&format!("{course}\n    119 s left\n")), "{text}");
    }

    #[test]
    fn every_state_has_its_word() {
        let words = [Word::Up, Word::Sending, Word::Waiting, Word::Stuck, Word::Down, Word::Halted];
        for word in words {
            let line = of_remote(&remote("h::m", word)).remove(0);
            assert!(line.contains(&format!(" {} ", word.name())), "{line}");
        }
        let watched = RootState { is_complete: true, ..RootState::default() };
        for (state, word) in [
            (watched.clone(), "watched"),
            (RootState::default(), "walking"),
            (RootState { has_unwatched: true, ..watched.clone() }, "unwatched"),
            (RootState { halt: Some(Halt::Missing), ..watched }, "halted"),
        ] {
            let (path, leads_to) = ("/d".into(), None);
            let root = RootView { path, leads_to, state, walk_ms: None, directories_per_s: 0 };
            let line = of_root(&root);
            assert!(line.contains(&format!(" {word} ")), "{line}");
        }
    }
}
