//! Which file names which: arrows between the wings run down, and no files need each other in a circle.
//!
//! Reads names as they are written, which is enough here: `crate::`, `self::` and `super::` in front of them,
//! lists in braces, and what a module passes on with `pub use`. `tidy.rs` hands in the files.

use super::{code_of, unit_tests_of};
use std::collections::{BTreeMap, BTreeSet};

/// The wings of the house, from the top down, each with those that it may name. The pure ones do not name
/// the system calls.
const WINGS: [(&str, &[&str]); 8] = [
    ("start", &["run", "tell", "keep", "engine", "rsync", "config", "sys"]),
    ("run", &["tell", "keep", "engine", "rsync", "config", "sys"]),
    ("tell", &["keep", "engine", "rsync", "config", "sys"]),
    ("keep", &["engine", "rsync", "config", "sys"]),
    ("engine", &["rsync", "config"]),
    ("rsync", &["config"]),
    ("config", &[]),
    ("sys", &[]),
];

/// What stands above the wings: the list of them, and what puts them together.
const ABOVE_THE_WINGS: [&str; 2] = ["src/lib.rs", "src/main.rs"];

/// What stands below all of them, so that each may name it: a map that is no larger than it must be.
const BELOW_THE_WINGS: &str = "sorted";

/// The way to a module or to something in it, from the root of the crate.
type Path = Vec<String>;

/// The wing that a file of the program lies in, if it lies in one.
fn wing_of(name: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    let (wing, _) = name.strip_prefix("src/")?.split_once('/')?;
    WINGS.iter().find(|(known, _)| *known == wing)
}

/// Whether a file of the program lies where none should.
pub fn is_in_no_wing(name: &str) -> bool {
    let is_below = name.strip_prefix("src/") == Some(&format!("{BELOW_THE_WINGS}.rs"));
    name.starts_with("src/")
        && !is_below
        && !ABOVE_THE_WINGS.contains(&name)
        && wing_of(name).is_none()
}

/// The wings, or things in none, that a file names and must not, each with the number of the line. Unit
/// tests count as well.
pub fn wrong(name: &str, text: &str) -> Vec<(usize, String)> {
    let Some((wing, may_name)) = wing_of(name) else { return Vec::new() };
    let code = code_of(text);
    let named = named(&code, &module_of(name)).into_iter();
    let first = named.map(|it| (it.at, it.path.into_iter().next().unwrap_or("*".into())));
    let may = |first: &str| first == *wing || first == BELOW_THE_WINGS || may_name.contains(&first);
    let wrong = first.filter(|(_, first)| !may(first));
    let mut wrong: Vec<(usize, String)> =
        wrong.map(|(at, first)| (1 + code[..at].matches('\n').count(), first)).collect();
    wrong.sort();
    wrong.dedup();
    wrong
}

/// The files of one crate that need each other in a circle, each with those that it names; none is best. `directory`
/// is where the crate's root lies, which puts all others together and does not count. A module and those inside it
/// are one thing here: they may name each other. Unit tests do not count.
pub fn circles(directory: &str, sources: &[(String, String)]) -> Vec<String> {
    let modules: BTreeMap<Path, Vec<Named>> = sources
        .iter()
        .filter_map(|(name, text)| Some((name.strip_prefix(directory)?, text)))
        .filter(|(name, _)| !["lib.rs", "main.rs"].contains(name))
        .map(|(name, text)| {
            let (code, module) = (code_of(text), module_of(name));
            let before_tests = &code[..unit_tests_of(&code)];
            let named = named(before_tests, &module);
            (module, named)
        })
        .collect();
    let mut arrows: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for (module, named) in &modules {
        let others = named.iter().filter_map(|it| file_of(&it.path, &modules));
        let others =
            others.filter(|other| !other.starts_with(module) && !module.starts_with(other));
        arrows.insert(module, others.collect());
    }
    let shown = |path: &Path| path.join("::");
    let line = |(module, others): (&&Path, &BTreeSet<&Path>)| {
        let leads_back = |other: &&&Path| leads_to(other, module, &arrows, &mut BTreeSet::new());
        let others: Vec<String> = others.iter().filter(leads_back).map(|it| shown(it)).collect();
        let line = format!(
            "{directory}: {} needs {}, and the other way round",
            shown(module),
            others.join(", ")
        );
        (!others.is_empty()).then_some(line)
    };
    arrows.iter().filter_map(line).collect()
}

/// Whether arrows lead from one module to another, apart from the `seen` ones.
fn leads_to<'m>(
    from: &'m Path,
    to: &Path,
    arrows: &BTreeMap<&'m Path, BTreeSet<&'m Path>>,
    seen: &mut BTreeSet<&'m Path>,
) -> bool {
    from == to
        || seen.insert(from) && arrows[from].iter().any(|next| leads_to(next, to, arrows, seen))
}

/// The module, with a file of its own, in which a named thing is defined.
fn file_of<'m>(path: &[String], modules: &'m BTreeMap<Path, Vec<Named>>) -> Option<&'m Path> {
    let (module, named) =
        (0..=path.len()).rev().find_map(|end| modules.get_key_value(&path[..end]))?;
    let passed_on = path
        .get(module.len())
        .and_then(|name| named.iter().find(|it| it.is_passed_on && it.path.last() == Some(name)));
    match passed_on {
        Some(it) if !it.path.starts_with(&path[..=module.len()]) => file_of(&it.path, modules),
        Some(_) | None => Some(module),
    }
}

/// The module that a file is.
fn module_of(name: &str) -> Path {
    let name = name.trim_start_matches("src/").trim_end_matches(".rs");
    name.strip_suffix("/mod").unwrap_or(name).split('/').map(str::to_owned).collect()
}

/// Something that a file names.
struct Named {
    /// Where, in bytes from the start.
    at: usize,
    path: Path,
    /// With `pub use`, so that others may name it here.
    is_passed_on: bool,
}

/// What a path begins with that is looked for; behind `pub use`, the path of a module inside.
const ROOTS: [&str; 4] = ["crate::", "self::", "super::", "pub use "];

/// All that is named from the root of the crate, or from a module.
fn named(code: &str, module: &[String]) -> Vec<Named> {
    let unit_tests = unit_tests_of(code);
    let mut found = Vec::new();
    for root in ROOTS {
        for (at, _) in code.match_indices(root) {
            let (before, behind) = (&code[..at], &code[at + root.len()..]);
            let in_a_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
            if in_a_name || root == "pub use " && ROOTS.iter().any(|it| behind.starts_with(it)) {
                continue;
            }
            let mut base = if root == "crate::" { Vec::new() } else { module.to_vec() };
            if root != "crate::" && at >= unit_tests {
                base.push("tests".into());
            }
            if root == "super::" {
                base.pop();
            }
            let line = before.rsplit('\n').next().unwrap_or_default();
            let is_passed_on = root == "pub use " || line == "pub use ";
            let mut paths = Vec::new();
            read_paths(behind, base, &mut paths);
            let named = |(left, path)| Named { at: code.len() - left, path, is_passed_on };
            found.extend(paths.into_iter().map(named));
        }
    }
    found
}

/// Reads a path, or a list of paths in braces, that goes on from `base`; gives what stands behind it. Each
/// path found comes with the number of bytes from its start to the end of the text.
fn read_paths<'t>(text: &'t str, mut base: Path, found: &mut Vec<(usize, Path)>) -> &'t str {
    if let Some(mut list) = text.strip_prefix('{') {
        loop {
            list = list.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            let behind = match list.strip_prefix('}') {
                Some(behind) => return behind,
                None => read_paths(list, base.clone(), found),
            };
            if behind.len() == list.len() {
                return behind;
            }
            list = behind;
        }
    }
    let end =
        text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(text.len());
    let (name, behind) = text.split_at(end);
    match name {
        "self" | "" => {}
        "super" => drop(base.pop()),
        name => base.push(name.into()),
    }
    match behind.strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => read_paths(rest, base, found),
        Some(_) | None => {
            found.push((text.len(), base));
            let other_name = behind.strip_prefix(" as ").unwrap_or(behind);
            other_name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
        }
    }
}

#[test]
fn an_arrow_that_runs_up_or_past_the_wings_is_seen() {
    for (name, code, expected) in [
        ("src/run/walk.rs", "use crate::sys::inotify;", &[][..]),
        ("src/run/walk.rs", "use crate::run::ground;", &[]),
        ("src/run/walk.rs", "use crate::start::cli;", &["start"]),
        ("src/run/walk.rs", "fn f() { crate::start::cli::parse(); }", &["start"]),
        ("src/run/walk.rs", "// As crate::start::cli has it.", &[]),
        ("src/run/walk.rs", "use crate::{start::cli, tell, sys::{self, clock}};", &["start"]),
        ("src/run/walk.rs", "use crate::{\n    config,\n    start::cli,\n};", &["start"]),
        ("src/run/walk.rs", "use crate::sorted::SortedMap;", &[]),
        ("src/run/walk.rs", "use crate::other::Thing;", &["other"]),
        ("src/run/walk.rs", "use crate::*;", &["*"]),
        ("src/run/walk.rs", "use super::super::start::cli;", &["start"]),
        ("src/run/walk.rs", "use super::worker::Task;", &[]),
        ("src/run/worker/whole.rs", "use super::super::walk::below;", &[]),
        ("src/run/worker/whole.rs", "use super::super::super::start;", &["start"]),
        ("src/run/mod.rs", "use super::start::cli;", &["start"]),
        ("src/tell/report.rs", "#[cfg(test)]\nmod tests {\n    use super::super::logging;\n}", &[]),
        ("src/tell/report.rs", "#[cfg(test)]\nmod tests {\n    use crate::run;\n}", &["run"]),
        ("src/engine/time.rs", "use crate::sys::clock;", &["sys"]),
        ("src/sys/clock.rs", "use crate::engine::time::Time;", &["engine"]),
        ("src/main.rs", "use sersync::start::cli;", &[]),
        ("tests/it/main.rs", "use crate::harness;", &[]),
    ] {
        let found = wrong(name, code);
        let named: Vec<&str> = found.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(named, expected, "{name}: {code}");
    }
    let code = "//! Owns.\n\nuse crate::config;\nuse crate::{\n    sys,\n    start::cli,\n};\n";
    assert_eq!(wrong("src/run/walk.rs", code), [(6, "start".to_owned())]);
}

#[test]
fn a_file_in_no_wing_is_seen() {
    for (name, expected) in [
        ("src/lib.rs", false),
        ("src/main.rs", false),
        ("src/run/walk.rs", false),
        ("src/sorted.rs", false),
        ("src/other.rs", true),
        ("src/run.rs", true),
        ("src/new/walk.rs", true),
        ("benches/engine/main.rs", false),
        ("tests/it/main.rs", false),
    ] {
        assert_eq!(is_in_no_wing(name), expected, "{name}");
    }
}

#[test]
fn files_that_need_each_other_are_seen_however_they_name_each_other() {
    let circle = |files: &[(&str, &str)]| -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(name, code)| (format!("src/run/{name}.rs"), (*code).to_owned()))
            .collect();
        let named = |line: String| line.split(' ').nth(1).map(str::to_owned);
        circles("src/", &sources).into_iter().filter_map(named).collect()
    };
    let all = ["run::a", "run::b", "run::c"];
    for (files, expected) in [
        (&[("a", "use crate::run::b::X;"), ("b", "use super::a::Y;")][..], &all[..2]),
        (
            &[("a", "use super::b;"), ("b", "use super::c;"), ("c", "fn f() { super::a::g(); }")],
            &all,
        ),
        (&[("a", "use super::b;"), ("b", "use super::c;"), ("c", "")], &[]),
        (
            &[
                ("a", "use super::b;"),
                ("b", "#[cfg(test)]\nmod tests {\n    use super::super::a;\n}"),
            ],
            &[],
        ),
        // A module and what is in it.
        (&[("a", "pub use self::b::X;"), ("a/b", "use super::Y;")], &[]),
        // What is passed on is where it is defined.
        (
            &[("a", "pub use b::X;"), ("a/b", "use crate::run::c;"), ("c", "use super::a::X;")],
            &["run::a::b", "run::c"],
        ),
        (
            &[
                ("a", "pub use self::b::{X, Z};"),
                ("a/b", "use crate::run::c;"),
                ("c", "use super::a::X;"),
            ],
            &["run::a::b", "run::c"],
        ),
        (
            &[
                ("a", "pub use self::b::X;"),
                ("a/b", "use crate::run::c;"),
                ("c", "use super::a::Y;"),
            ],
            &[],
        ),
    ] {
        assert_eq!(circle(files), expected, "{files:?}");
    }
}
